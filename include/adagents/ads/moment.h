// What the moment adds to the chances of a response: how engaged this listener is now, and how well
// an ad's traits suit what the listener is doing. Learned from what became of ads, beside what is
// assumed until then.
//
//   Moments moments({}, &clock);
//   float shift = moments.model().Attention(Action::kCompletion, moment);   // of the log-odds
//   TraitEffect calm = moments.model().Trait(Action::kClick, row, moment);  // mean and variance
//   moments.Remember(decision, bid, {...});                                 // when deciding
//   moments.Learn(key, happened);                                           // when it is settled
//
// The chances of a response are logit(p) = logit(what relevance predicts) + attention + traits: a
// logistic regression with the prediction as its offset, so that it learns only what relevance does
// not know. Each weight has a normal posterior of its own; an outcome moves them as one step of a
// diagonal Laplace approximation does (Chapelle and Li, "An Empirical Evaluation of Thompson
// Sampling", NIPS 2011, algorithm 3, one example at a time; the predictive probability after
// MacKay, "The Evidence Framework Applied to Classification Networks", 1992). Trait weights are a
// hierarchy: a trait alone, which all moments share, and what it gains or loses with an intent, a
// mood, a genre, each drawn to nothing by its prior until there is evidence.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/relevance_features.h"
#include "adagents/ads/session.h"
#include "adagents/base/clock.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/table.h"
#include "adagents/runtime/key.h"

namespace adagents::ads {

/// What the listener is about now, as probabilities that sum to 1. Plain value.
struct Intents {
  bool known = false;
  std::array<float, kIntentCount> p{};

  [[nodiscard]] float Of(Intent intent) const { return p[static_cast<size_t>(intent)]; }
  [[nodiscard]] Intent Top() const;
  void clear() { *this = Intents(); }
};

/// A moment of a session as learning sees it. Trivially copyable, and without anything that
/// identifies a person.
struct Moment {
  /// Numbers in [0, 1] that attention is estimated from.
  enum Signal : uint8_t {
    kAlways,       ///< 1
    kJustTouched,  ///< halves every minute since the listener did something
    kTouched,      ///< halves every ten minutes
    kSkips,        ///< five lately, or more: 1
    kLikes,        ///< three saves or searches lately, or more: 1
    kQuiet,        ///< volume: 0.3 or louder: 0; off: 1
    kMuted,
    kScreenOn,
    kScreenOff,  ///< neither of the two: not known
    kPaused,
    kPodcast,
    kAds,          ///< six in the last half hour, or more: 1
    kLongSession,  ///< two hours or more: 1
    kBedtime,      ///< the intent's probability, likewise the next two
    kLeanIn,
    kBackground,
  };
  static constexpr size_t kSignals = 16;
  std::array<float, kSignals> signals{};
  float certainty = 0;  ///< of `intent`
  Intent intent = Intent::kBackground;
  Mood mood = Mood::kUnknown;  ///< what has been played lately, mostly
  uint8_t genre = 0;           ///< likewise, GenreBinOf()
};
[[nodiscard]] Moment MomentOf(const SessionState& state, const Intents& intents, int64_t now_ms);

/// A normal distribution.
struct TraitEffect {
  float mean = 0;
  float variance = 0;
};

/// The traits of a creative that may suit a moment: its format and length, tone, pace, voice and
/// call to action, as rows of CreativeFeatures::traits.
inline constexpr size_t kMomentTraits = 5;
inline constexpr std::array<CreativeFeatures::Trait, kMomentTraits> kTraitsOfMoments = {
    CreativeFeatures::kForm, CreativeFeatures::kTone, CreativeFeatures::kPace,
    CreativeFeatures::kVoice, CreativeFeatures::kCall};

struct MomentModelOptions {
  /// Standard deviations of what is assumed of a weight before anything was learned, > 0: of
  /// signals, of traits alone, and of traits in a moment.
  float signal_sd = 0.3f, trait_sd = 0.1f, moment_sd = 0.1f;
};

/// Thread-safe, as RelevanceModel is: each number is an atomic of its own, read and written
/// relaxed; of two steps that meet on a weight one may be lost. With one learning thread the result
/// depends only on the sequence of examples.
class MomentModel {
 public:
  explicit MomentModel(const MomentModelOptions& options = {});
  MomentModel(const MomentModel&) = delete;
  MomentModel& operator=(const MomentModel&) = delete;

  /// What the moment alone adds to the log-odds of `action`, in [-kMostShift, kMostShift].
  [[nodiscard]] float Attention(Action action, const Moment& moment) const;
  /// What a trait (a row below CreativeFeatures::kTraitRows) adds to them in this moment.
  [[nodiscard]] TraitEffect Trait(Action action, uint16_t row, const Moment& moment) const;
  static constexpr float kMostShift = 3.0f;

  /// An impression of a creative with these traits had the outcome or not; `offset` is the log-odds
  /// that were predicted without the moment.
  void Learn(Action action, const Moment& moment, const std::array<uint16_t, kMomentTraits>& traits,
             float offset, bool happened);

  /// Everything learned, as bytes with a version, the model's shape and a checksum. May run while
  /// others learn; each weight is then from some moment during the call.
  [[nodiscard]] std::string Save() const;
  /// Replaces everything learned. FailedPrecondition when `bytes` are of another version, shape or
  /// options, DataLoss when they are damaged; the model is unchanged then.
  absl::Status Restore(std::string_view bytes);

 private:
  struct Weight {
    std::atomic<float> mean{0};
    std::atomic<float> precision{1};
  };
  static constexpr size_t kActions = 3;
  // A row of trait weights: alone, by intent, by mood, by genre.
  static constexpr size_t kByIntent = 1, kByMood = kByIntent + kIntentCount,
                          kByGenre = kByMood + kMoodCount, kRow = kByGenre + kGenreCount;
  static constexpr size_t kMostTerms = Moment::kSignals + 4 * kMomentTraits;
  struct Term {
    Weight* weight;
    float x;
  };
  static constexpr size_t kOfTraits = kActions * Moment::kSignals;  // where their rows begin
  static constexpr size_t kWeights = kOfTraits + kActions * CreativeFeatures::kTraitRows * kRow;
  struct Belief {
    float mean, precision;
  };
  /// What is assumed of a weight.
  [[nodiscard]] Belief AssumedOf(size_t i) const;
  [[nodiscard]] size_t SignalAt(Action action, size_t signal) const;
  [[nodiscard]] size_t RowAt(Action action, uint16_t row) const;
  template <class Visit>
  void ForEachOf(Action action, uint16_t row, const Moment& moment, Visit visit) const;

  const MomentModelOptions options_;
  const std::unique_ptr<Weight[]> weights_;
};

/// What was decided in which moment, until it is known what became of it. Trivially copyable.
struct RememberedMoment {
  uint64_t session = 0;  ///< keyed hash, kept as long as the bid is remembered
  Moment moment;
  float offset = 0;  ///< log-odds that relevance predicted for `target`
  std::array<uint16_t, kMomentTraits> traits{};
  Action target = Action::kClick;
  bool seen = false;  ///< its impression has been reported
};

struct MomentsOptions {
  /// Bids that are remembered at one time; 230 bytes each.
  size_t bids = size_t{1} << 16;
  /// For how long; as long as an outcome book waits for actions, and a while.
  absl::Duration ttl = absl::Minutes(61);
  MomentModelOptions model = {};
};

/// The model and the memory that it learns from. Thread-safe.
class Moments {
 public:
  /// `clock` outlives it.
  explicit Moments(const MomentsOptions& options, const Clock* clock);

  [[nodiscard]] const MomentModel& model() const { return model_; }
  [[nodiscard]] MomentModel& model() { return model_; }
  static uint64_t KeyOf(uint64_t decision, uint32_t bid) { return CombineHash(decision, bid); }

  void Remember(uint64_t decision, uint32_t bid, const RememberedMoment& what);
  /// Whose session the bid of an impression was for; 0 when that is not known, or has been asked
  /// before.
  uint64_t Seen(uint64_t decision, uint32_t bid);
  /// The bid with that key had its outcome or, in time, had not. False when it is not known.
  bool Learn(uint64_t key, bool happened);

  /// Forgets the moments of which gone(session) holds, and overwrites them and what has expired.
  template <class F>
  size_t Purge(F&& gone) {
    return bids_.Purge([&](uint64_t, const RememberedMoment& m) { return gone(m.session); });
  }
  [[nodiscard]] uint64_t learnt() const { return learnt_.load(std::memory_order_relaxed); }

 private:
  MomentModel model_;
  Table<uint64_t, RememberedMoment> bids_;
  std::atomic<uint64_t> learnt_{0};
};

inline constexpr Key<Intents> kIntents{"intents"};
inline constexpr StateKey<Moments> kMoments{"moments"};

}  // namespace adagents::ads
