// What is remembered of one listening session, and the events that change it: what agents see of
// the listener once identifiers have become keyed hashes at the door (sessions.h).
//
//   ListenEvent          one PlaybackEvent without anything raw; agents get it through On<>
//   SessionState         what a table keeps of a session, in sections with one writer each
//   Listener             the session that a request belongs to, as agents read it by kListening
//
// Sections: session_keeper writes what plays and how it is handled, profile_keeper the fingerprint
// (histograms of genres and moods), intent_keeper and session_trunk the intents, attention_keeper
// the engagement. None of them holds a name, a title, an address or an identifier.
//
// Thread safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "adagents/ads/playback_event.h"
#include "adagents/runtime/key.h"

namespace adagents::ads {

/// Moods that playlists and tracks are labelled with, coarse enough to be common.
enum class Mood : uint8_t {
  kUnknown,
  kCalm,
  kFocused,
  kHappy,
  kSad,
  kEnergetic,
  kDark,
  kSleepy,  ///< made to fall asleep by
};
inline constexpr size_t kMoodCount = 8;
/// "calm" and so on; "unknown".
std::string_view Name(Mood mood);
/// The mood that a word stands for ("chill" is calm), whatever its letter case; kUnknown for
/// others.
Mood MoodOf(std::string_view word);

/// Genres are kept as one of 31 bins: the common ones have one each, others share those left by a
/// stable hash; 0: none is known.
inline constexpr size_t kGenreCount = 32;
/// Of the first of a comma-separated list, in canonical spelling. Thread-safe, allocates nothing.
uint8_t GenreBinOf(std::string_view genre);

/// What a listener is about, as far as cues tell.
enum class Intent : uint8_t {
  kFocus,       ///< works or studies; music must not be in the way
  kWorkout,     ///< high energy, on the move
  kCommute,     ///< in a car or on foot, mornings and evenings
  kParty,       ///< loud, with others
  kRelax,       ///< winds down, awake
  kBedtime,     ///< falls asleep
  kLeanIn,      ///< chooses, searches, saves: listens closely
  kBackground,  ///< it just plays
};
inline constexpr size_t kIntentCount = 8;
std::string_view Name(Intent intent);

enum class PlayState : uint8_t {
  kIdle,     ///< nothing has been played yet
  kPlaying,  ///< within a track or an episode
  kPaused,
  kBetween,  ///< one has ended or was left, the next has not begun
};
std::string_view Name(PlayState state);

/// A number in [0, 1] in a byte; kNoByte: not known.
inline constexpr uint8_t kNoByte = 255;
constexpr uint8_t ToByte(float unit) {
  return unit < 0 ? kNoByte : static_cast<uint8_t>(unit * 254.0f + 0.5f);
}
constexpr float FromByte(uint8_t byte) { return static_cast<float>(byte) / 254.0f; }

/// A playback event as agents get it. `session` and `listener` are keyed hashes under the present
/// salt. Trivially copyable.
struct ListenEvent {
  uint64_t session = 0;
  uint64_t listener = 0;  ///< 0: not identified
  int64_t at_ms = 0;      ///< Unix milliseconds
  int32_t position_ms = -1, duration_ms = -1;
  int16_t utcoffset = 0;  ///< minutes
  uint16_t country = 0;   ///< three letters of five bits each; 0: not known
  uint16_t region = 0;    ///< of a hash; 0: not known
  PlaybackKind kind = PlaybackKind::kStart;
  ContentKind content = ContentKind::kMusic;
  uint8_t genre = 0;  ///< GenreBinOf()
  Mood mood = Mood::kUnknown;
  uint8_t energy = kNoByte, volume = kNoByte;
  int8_t screen = -1;
  uint8_t devicetype = 0;
};

/// Trivially copyable. Times are Unix milliseconds. Begins as zeros, where zero means "not known":
/// what else is "not known" is set when it is made.
struct SessionState {
  // Who, coarsely; set when the session is made.
  uint64_t listener = 0;  ///< keyed hash of the listener; 0: not identified
  int64_t began_ms = 0;

  // session_keeper's: what plays, and how it is handled.
  int64_t last_ms = 0;           ///< of the last event
  int64_t touched_ms = 0;        ///< when the listener last did something; 0: never
  int64_t content_began_ms = 0;  ///< while playing: when it was, or would have been, at position 0
  int64_t ad_ms = 0;             ///< when an ad was last heard or seen; 0: never
  int32_t duration_ms = 0;       ///< of what plays; 0: not known
  int32_t position_ms = 0;       ///< while paused
  float skips = 0, likes = 0;    ///< skips; saves and searches: with a half-life of ten minutes
  float touches = 0;             ///< all that the listener did, likewise
  float ads = 0;                 ///< ads heard, with a half-life of half an hour
  int64_t counted_ms = 0;        ///< when those four were last decayed
  uint16_t plays = 0;            ///< tracks and episodes begun; stays at its largest value
  int16_t utcoffset = 0;
  uint16_t country = 0, region = 0;
  PlayState play = PlayState::kIdle;
  ContentKind content = ContentKind::kMusic;
  uint8_t genre = 0;
  Mood mood = Mood::kUnknown;
  uint8_t energy = kNoByte, volume = kNoByte;
  int8_t screen = -1;
  uint8_t devicetype = 0;

  // profile_keeper's: the fingerprint. 256 is one track begun just now.
  std::array<uint16_t, kGenreCount> genres{};
  std::array<uint16_t, kMoodCount> moods{};
  int64_t decayed_ms = 0;

  // intent_keeper's: probabilities in 1/65535; all zero: nothing is known.
  std::array<uint16_t, kIntentCount> intents{};
  int64_t intents_ms = 0;
  // A model's where there is one (adagents::ads_models): the same as of last_ms, with all that
  // holds then; all zero: there is none.
  std::array<uint16_t, kIntentCount> foreseen{};

  // attention_keeper's: what this moment adds to the log-odds of a click, of completion and of a
  // conversion.
  std::array<float, 3> attention{};
  uint16_t attended = 0;  ///< events that it has been estimated from; stays at its largest value

  // session_keeper's too, where there is room.
  uint8_t wanted = kNoByte;  ///< energy of what has been heard to its end, the last weighing half
};

/// Where in what plays a session is at one moment.
struct PlayPosition {
  PlayState state = PlayState::kIdle;
  ContentKind content = ContentKind::kMusic;
  int64_t position_ms = 0;    ///< while playing or paused
  int64_t remaining_ms = -1;  ///< to its end; negative: not known
};
/// What has ended by the clock is over, also when the event that says so has not come (yet).
PlayPosition PositionOf(const SessionState& state, int64_t now_ms);

/// How much of what decays with `half_life_ms` is left after `elapsed_ms`; 1 for negative times.
float LeftOf(int64_t elapsed_ms, int64_t half_life_ms);

/// The session that a request belongs to. Plain value.
struct Listener {
  bool known = false;  ///< there is one: without, only `missing` means anything
  /// Nobody could look in time, though somebody should have: it may be any session.
  bool missing = false;
  uint64_t session = 0;
  int64_t now_ms = 0;  ///< when it was looked up, Unix milliseconds
  SessionState state = {};

  void clear() { known = missing = false; }
};

inline constexpr Key<Listener> kListening{"listening"};

}  // namespace adagents::ads
