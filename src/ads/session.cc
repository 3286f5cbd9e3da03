#include "adagents/ads/session.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "adagents/base/ids.h"
#include "ads/canonical.h"

namespace adagents::ads {
namespace {

struct Word {
  std::string_view word;
  Mood mood;
};
// Labels that playlists of streaming services carry.
constexpr Word kWords[] = {
    {"calm", Mood::kCalm},
    {"chill", Mood::kCalm},
    {"relaxed", Mood::kCalm},
    {"relaxing", Mood::kCalm},
    {"peaceful", Mood::kCalm},
    {"sleep", Mood::kSleepy},
    {"ambient", Mood::kCalm},
    {"focused", Mood::kFocused},
    {"focus", Mood::kFocused},
    {"study", Mood::kFocused},
    {"concentration", Mood::kFocused},
    {"happy", Mood::kHappy},
    {"upbeat", Mood::kHappy},
    {"cheerful", Mood::kHappy},
    {"good", Mood::kHappy},
    {"feelgood", Mood::kHappy},
    {"sad", Mood::kSad},
    {"melancholic", Mood::kSad},
    {"melancholy", Mood::kSad},
    {"romantic", Mood::kHappy},
    {"sleepy", Mood::kSleepy},
    {"bedtime", Mood::kSleepy},
    {"lullaby", Mood::kSleepy},
    {"love", Mood::kHappy},
    {"sensual", Mood::kHappy},
    {"energetic", Mood::kEnergetic},
    {"energy", Mood::kEnergetic},
    {"workout", Mood::kEnergetic},
    {"party", Mood::kEnergetic},
    {"excited", Mood::kEnergetic},
    {"intense", Mood::kEnergetic},
    {"dark", Mood::kDark},
    {"angry", Mood::kDark},
    {"aggressive", Mood::kDark},
    {"tense", Mood::kDark},
};

// What streaming services have most of, in the spelling of Canonical().
constexpr std::string_view kGenres[] = {
    "pop",     "rock",  "hip-hop",    "rap",       "r&b",       "electronic", "dance",
    "house",   "jazz",  "blues",      "classical", "country",   "folk",       "indie",
    "metal",   "punk",  "soul",       "reggae",    "latin",     "reggaeton",  "k-pop",
    "ambient", "lo-fi", "soundtrack", "news",      "true crime"};
constexpr size_t kNamed = std::size(kGenres);
static_assert(kNamed < kGenreCount - 2, "the others share the bins that are left");

bool SameWord(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
         });
}

// What does not say how long it is has been forgotten about after this long.
constexpr int64_t kLongestMusicMs = 15 * 60'000, kLongestPodcastMs = 4 * 3'600'000;

}  // namespace

std::string_view Name(Mood mood) {
  constexpr std::string_view kNames[kMoodCount] = {"unknown", "calm",      "focused", "happy",
                                                   "sad",     "energetic", "dark",    "sleepy"};
  const auto i = static_cast<size_t>(mood);
  return i < kMoodCount ? kNames[i] : "unknown";
}

Mood MoodOf(std::string_view word) {
  for (const Word& w : kWords) {
    if (SameWord(word, w.word)) return w.mood;
  }
  return Mood::kUnknown;
}

uint8_t GenreBinOf(std::string_view genre) {
  internal::CanonicalBuffer buffer;
  const std::string_view name =
      internal::CanonicalInto(Attribute::kGenre, genre.substr(0, genre.find(',')), buffer);
  if (name.empty()) return 0;
  const auto* const known = std::find(std::begin(kGenres), std::end(kGenres), name);
  if (known != std::end(kGenres)) return static_cast<uint8_t>(1 + (known - std::begin(kGenres)));
  constexpr size_t kShared = kGenreCount - 1 - kNamed;
  return static_cast<uint8_t>(1 + kNamed + StableHash64(name) % kShared);
}

std::string_view Name(Intent intent) {
  constexpr std::string_view kNames[kIntentCount] = {"focus", "workout", "commute", "party",
                                                     "relax", "bedtime", "lean_in", "background"};
  const auto i = static_cast<size_t>(intent);
  return i < kIntentCount ? kNames[i] : "unknown";
}

std::string_view Name(PlayState state) {
  switch (state) {
    case PlayState::kIdle:
      return "idle";
    case PlayState::kPlaying:
      return "playing";
    case PlayState::kPaused:
      return "paused";
    case PlayState::kBetween:
      return "between";
  }
  return "unknown";
}

PlayPosition PositionOf(const SessionState& s, int64_t now_ms) {
  PlayPosition p{s.play, s.content, 0, -1};
  if (s.play == PlayState::kPaused) p.position_ms = s.position_ms;
  if (s.play == PlayState::kPlaying) {
    p.position_ms = std::max<int64_t>(0, now_ms - s.content_began_ms);
    const int64_t longest =
        s.content == ContentKind::kPodcast ? kLongestPodcastMs : kLongestMusicMs;
    if (p.position_ms >= (s.duration_ms > 0 ? s.duration_ms : longest)) {
      p.state = PlayState::kBetween;
      p.position_ms = 0;
      return p;
    }
  }
  if (s.duration_ms > 0 && p.state != PlayState::kBetween && p.state != PlayState::kIdle) {
    p.remaining_ms = std::max<int64_t>(0, s.duration_ms - p.position_ms);
  }
  return p;
}

float LeftOf(int64_t elapsed_ms, int64_t half_life_ms) {
  if (elapsed_ms <= 0) return 1.0f;
  return std::exp2(-static_cast<float>(elapsed_ms) / static_cast<float>(half_life_ms));
}

}  // namespace adagents::ads
