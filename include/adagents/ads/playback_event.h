// What a listener's player reports while it plays: the cues from which agents read who listens, to
// what, and how closely. It differs from OutcomeEvent in that it is about the music and not about
// an ad.
//
//   PlaybackEvent e{.session = "s-17", .kind = PlaybackKind::kSkip, .at = clock.WallNow()};
//   e.genre = "jazz";
//   e.position_ms = 12'000;
//
// Thread safety: a plain value of views; thread-compatible. What the views point to must outlive
// the call that takes the event.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "adagents/ads/consent.h"

namespace adagents::ads {

enum class PlaybackKind : uint8_t {
  kSessionStart,
  kStart,    ///< a track or an episode begins
  kEnd,      ///< it was played to its end
  kSkip,     ///< left before its end, at `position_ms`
  kPause,
  kResume,
  kSave,     ///< liked, or put into a playlist
  kSearch,   ///< for `genre`, where what was searched for has one
  kVolume,   ///< `volume` changed
  kScreen,   ///< `screen` changed
  kSessionEnd,
};

/// "session_start" and so on.
std::string_view Name(PlaybackKind kind);

/// What is played.
enum class ContentKind : uint8_t { kMusic, kPodcast };

/// "music" or "podcast".
std::string_view Name(ContentKind kind);

/// One event. Whatever is not known keeps its default; facts of the session (device, volume, screen,
/// place) need to be said only when they change.
struct PlaybackEvent {
  std::string_view session;   ///< as the session's requests name it; an event without is refused
  std::string_view listener;  ///< user.id; empty: not identified
  Consent consent;            ///< what the listener allows, as in the session's requests
  PlaybackKind kind = PlaybackKind::kStart;
  absl::Time at;

  ContentKind content = ContentKind::kMusic;
  std::string_view genre;    ///< as content.genre of requests
  std::string_view mood;     ///< of the track or the playlist it is played from, such as "calm"
  float energy = -1;         ///< of the track, 0 to 1; negative: not known
  int32_t position_ms = -1;  ///< in what is played; negative: not known
  int32_t duration_ms = -1;  ///< of what is played; negative: not known

  float volume = -1;         ///< 0 to 1; negative: not known
  int8_t screen = -1;        ///< 1: on and unlocked, 0: off; negative: not known
  int32_t devicetype = 0;    ///< AdCOM's list of device types; 0: not known
  int32_t utcoffset = 0;     ///< minutes from UTC where the listener is
  std::string_view country;  ///< ISO 3166-1 alpha-3
  std::string_view region;   ///< as geo.region of requests
};

}  // namespace adagents::ads
