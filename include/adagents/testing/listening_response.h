// How listeners of a ListeningWorld respond to an ad: the ground truth of simulations, written
// down.
//
//   HiddenMoment bedtime{.activity = Activity::kBedtime, .energy = 0.1};
//   Response calm = TrueResponse(bedtime, {.tone = Tone::kCalm, .pace = SpeechPace::kSlow});
//   Response loud = TrueResponse(bedtime, {.tone = Tone::kUpbeat, .pace = SpeechPace::kFast});
//
// FROZEN: nothing here was fitted to what an agent can learn, and it must not change once an agent
// or a model has been tuned on it. A test pins a digest of it.
//
// It is no logistic function of anything that can be observed. What an ad is like meets what the
// listener does as the weakest link of two fits, attention saturates, repetition first helps and
// then wears out, and several effects are cliffs:
//
//   fit        = 0.15 + 0.85 min(tone fit, pace fit)
//     tone fit   from activity and tone (kToneFit); below a valence of 0.35 upbeat and playful fit
//                half as well, and serious 1.3 times as well, at most 1
//     pace fit   exp(-((pace - energy wanted) / 0.3)^2), pace 0.2, 0.5, 0.85
//   heed       = q^2 / (q^2 + 0.4^2), q: attention
//   reach      : can the listener act? a = 1 with the screen on, else kHandsFree by activity
//                visit a; install 1.5 with the screen on, else 0.35 a; save 0.35 + 0.4 a; none
//                0.25 + 0.1 a
//   voice      : music: the one that the listener likes 1.1, the other 0.9, a host's 0.8;
//                podcasts: a host's 1.35, others 0.9
//   format     : video 1.8 with the screen on and attention above 0.35, else 0.5
//   length     : from 20 s on 1.15 where attention is above 0.5, else 0.8
//   wear       = (1 + 0.4 min(B, 1)) exp(-0.22 B) / (1 + (C / 2.5)^3), B and C: how often the brand
//                and the creative were heard, forgotten by half in kForgetsHalf
//   crowd      = 1 / (1 + (L / 4)^2), L: ads heard lately, forgotten by half in kLoadHalf
//   slot       : between songs 1, mid-song 0.5, at a podcast's transition 1.25
//   appeal     = 2 x / (1 + x), x: interest in the brand's category times the ad's own quality
//
//   click      = min(0.5, 0.22 fit heed reach voice format length wear crowd slot appeal
//                         exp(-r)), r: irritation
//   completion = exp(-0.085 hazard seconds / 15), hazard =
//                (1.6 - fit) (1 + 1.2 r) (1 + 0.15 B + 0.25 C) slot' bedtime' idle'
//                slot': 1, 2.2, 0.7; bedtime': 4 for fast talk at bedtime; idle': 0.5 where
//                attention is below 0.25 and the screen off: nobody gets up to skip it
//   conversion = 0.12 appeal (0.5 + 0.5 fit) of clicks; 0.6 times that where the screen is off
//   recall     = 1 - exp(-0.9 heed (0.4 + 0.6 completion) (0.4 + 0.6 tone fit) (1 + 0.3 min(B, 2))
//                        appeal^0.5 slot''), slot'': 1, 0.8, 1.1: would the listener name the brand
//                        the next day?
//   irritation grows with each ad by 0.08 + 0.25 (1 - fit) + 0.35 mid-song + 0.6 for fast talk at
//                bedtime + 0.1 max(0, C - 1), and halves every kCalmsHalf
//
// Functions of their arguments: thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"

namespace adagents::testing {

/// What the listener does meanwhile. Hidden.
enum class Activity : uint8_t { kCommute, kWorkout, kFocus, kChores, kParty, kBedtime };
inline constexpr size_t kActivities = 6;
/// "commute" and so on; likewise below, as ads::Creative spells them.
std::string_view Name(Activity activity);

enum class Tone : uint8_t { kCalm, kUpbeat, kSerious, kPlayful };
enum class SpeechPace : uint8_t { kSlow, kMedium, kFast };
enum class Voice : uint8_t { kFemale, kMale, kHost };
enum class CallToAction : uint8_t { kNone, kVisit, kInstall, kSave };
std::string_view Name(Tone tone);
std::string_view Name(SpeechPace pace);
std::string_view Name(Voice voice);
std::string_view Name(CallToAction call);  ///< kNone: empty

/// Where an ad is inserted.
enum class SlotKind : uint8_t { kBetweenSongs, kMidSong, kTransition };
std::string_view Name(SlotKind where);

/// How well tones suit activities: columns calm, upbeat, serious, playful.
inline constexpr std::array<std::array<double, 4>, kActivities> kToneFit = {{
    {0.70, 0.80, 0.75, 0.85},  // commute
    {0.25, 1.00, 0.40, 0.75},  // workout
    {0.85, 0.35, 0.80, 0.30},  // focus
    {0.55, 0.85, 0.50, 1.00},  // chores
    {0.20, 1.00, 0.15, 0.85},  // party
    {1.00, 0.12, 0.45, 0.25},  // bedtime
}};
/// How well one can act on an ad with the screen off.
inline constexpr std::array<double, kActivities> kHandsFree = {0.12, 0.18, 0.55, 0.25, 0.30, 0.20};

inline constexpr absl::Duration kForgetsHalf = absl::Hours(24);  ///< what was heard
inline constexpr absl::Duration kLoadHalf = absl::Minutes(15);   ///< how many ads there were
inline constexpr absl::Duration kCalmsHalf = absl::Minutes(10);  ///< irritation

/// What only the world knows of a moment: of the listener, and of the listener with one ad. Plain
/// value.
struct HiddenMoment {
  Activity activity = Activity::kChores;
  double energy = 0.5;     ///< that the listener wants, 0 to 1
  double valence = 0.5;    ///< mood: 0 sad, 1 happy
  double attention = 0.5;  ///< 0 to 1
  double irritation = 0;   ///< at least 0
  double load = 0;         ///< ads heard lately, forgotten as kLoadHalf says
  bool screen = false;     ///< on and unlocked
  bool podcast = false;
  Voice likes = Voice::kFemale;  ///< kFemale or kMale
  SlotKind where = SlotKind::kBetweenSongs;

  // With this ad.
  double interest = 1;        ///< in the brand's category, here and now; median 1
  double heard_brand = 0;     ///< times, forgotten as kForgetsHalf says
  double heard_creative = 0;  ///< likewise
};

/// What a creative is like. Plain value.
struct AdTraits {
  Tone tone = Tone::kCalm;
  SpeechPace pace = SpeechPace::kMedium;
  Voice voice = Voice::kFemale;
  CallToAction call = CallToAction::kVisit;
  bool video = false;
  double seconds = 15;
  double quality = 1;  ///< hidden; median 1
};

/// Probabilities of one impression. Plain value.
struct Response {
  double click = 0;
  double completion = 0;
  double conversion = 0;  ///< of a click
  double recall = 0;      ///< that the brand is named the next day
};

/// How well tone and pace suit the moment, 0.15 to 1.
double Fit(const HiddenMoment& moment, const AdTraits& ad);
/// A tone or a pace that should not have been played: a fit of tone or pace below a fifth at
/// bedtime, or any ad in the middle of a song.
bool Unsuitable(const HiddenMoment& moment, const AdTraits& ad);
/// As above.
Response TrueResponse(const HiddenMoment& moment, const AdTraits& ad);
/// By how much the ad irritates.
double Annoyance(const HiddenMoment& moment, const AdTraits& ad);
/// `structure` of `full` and the rest of `flat`, whatever the moment: 0 is a world in which nothing
/// can be learned. In [0, 1].
Response Mixed(const Response& full, const Response& flat, double structure);

}  // namespace adagents::testing
