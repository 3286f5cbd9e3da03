// What the moment adds to the chances of a response: how engaged this listener is now, how well an
// ad's traits suit what the listener is doing, what brand and category are to listeners like this
// one, and how often all of it was heard. Learned from what became of ads, beside what is assumed
// until then.
//
//   Moments moments({}, &clock);
//   float shift = moments.model().Attention(Action::kCompletion, moment);   // of the log-odds
//   Effect calm = moments.model().Trait(Action::kClick, row, terms);        // mean and variance
//   moments.Remember(decision, bid, {...});                                 // when deciding
//   moments.Learn(key, seen, log_odds);                                     // when it is settled
//
// The chances of a response are logit(p) = logit(what relevance predicts) + factors, each of which
// one agent owns (Factor): a logistic regression with the prediction as its offset, so that it
// learns only what relevance does not know; relevance learns what the factors leave in turn. On the
// log-odds of rare responses a sum is a product of factors, which is how responses behave: what
// suits twice as well is worth twice as much to those who heed and to those who do not.
//
// Each weight has a normal posterior of its own; an outcome moves all that took part in it at once,
// as one step of an extended Kalman filter with a diagonal covariance does: each by its share of
// the variance of the sum (so Graepel et al., "Web-scale Bayesian click-through rate prediction",
// ICML 2010, for the probit; the predictive probability after MacKay, "The Evidence Framework
// Applied to Classification Networks", 1992). Weights are hierarchies: a trait alone, which all
// moments share, and what it gains or loses with an intent, a mood, a genre, a screen, an energy;
// a brand's creatives and what they have of their own; a category, with a genre, and with one
// listener. Each is drawn to what is assumed of it until there is evidence, so what is new begins
// with what is known of its like.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/listener_memory.h"
#include "adagents/ads/relevance_features.h"
#include "adagents/ads/request.h"
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
    kJustHeard,    ///< halves every five minutes since an ad was heard
    kLongSession,  ///< two hours or more: 1
    kIntents,      ///< the intents' probabilities, in the order of Intent
  };
  static constexpr size_t kSignals = kIntents + kIntentCount;
  std::array<float, kSignals> signals{};
  float energy = -1;           ///< of what is wanted, 0 to 1; negative: not known
  Mood mood = Mood::kUnknown;  ///< of what has been played lately, mostly
  uint8_t genre = 0;           ///< of what plays, else of what has been played; GenreBinOf()
  uint16_t network = 0;        ///< NetworkOf(); 0: not known

  [[nodiscard]] float Of(Intent intent) const {
    return signals[kIntents + static_cast<size_t>(intent)];
  }
};
/// What no event has renewed is half forgotten in ten minutes.
[[nodiscard]] Moment MomentOf(const SessionState& state, const Intents& intents, int64_t now_ms);

/// The network that a request comes from, one of 4,095 bins: a hash of the first 24 bits of its
/// address (48 of IPv6), which many share; 0: it does not say. What a network's clicks have beyond
/// others' is learned apart, so that machines that click everything teach nobody what people like.
[[nodiscard]] uint16_t NetworkOf(const Device& device);

/// A normal distribution.
struct Effect {
  float mean = 0;
  float variance = 0;
};

/// The traits of a creative that may suit a moment: its format and length, tone, pace, voice and
/// call to action, as rows of CreativeFeatures::traits.
inline constexpr size_t kMomentTraits = 5;
inline constexpr std::array<CreativeFeatures::Trait, kMomentTraits> kTraitsOfMoments = {
    CreativeFeatures::kForm, CreativeFeatures::kTone, CreativeFeatures::kPace,
    CreativeFeatures::kVoice, CreativeFeatures::kCall};

/// What is learned of one creative. Plain value.
struct AdTerms {
  std::array<uint16_t, kMomentTraits> traits{};  ///< rows of CreativeFeatures::traits
  uint16_t brand = 0, category = 0;              ///< likewise
  uint32_t own = 0;                              ///< CreativeFeatures::row

  static AdTerms Of(const CreativeFeatures& features);
};

/// How often brand and creative were heard before, forgotten as ListenerMemory forgets.
struct HeardBefore {
  float brand = 0, creative = 0;
};

/// The parts of a prediction, each the business of one agent.
enum Factor : uint8_t { kOfAttention = 1, kOfCreative = 2, kOfAffinity = 4, kOfFatigue = 8 };

/// What a response is predicted from, besides relevance. Trivially copyable.
struct MomentExample {
  Moment moment;
  AdTerms ad;
  HeardBefore heard;
  uint8_t factors = 0;  ///< of Factor: those that took part
};

struct MomentModelOptions {
  /// Standard deviations of what is assumed of a weight before anything was learned, > 0: of
  /// signals, of traits alone, and of traits in a moment.
  float signal_sd = 0.3f, trait_sd = 0.1f, moment_sd = 0.15f;
  /// Whether to begin with what trades agree on (the tables of moment.cc), or with nothing.
  bool assume = true;
};

/// Thread-safe, as RelevanceModel is: each number is an atomic of its own, read and written
/// relaxed; of two steps that meet on a weight one may be lost. With one learning thread the result
/// depends only on the sequence of examples.
class MomentModel {
 public:
  explicit MomentModel(const MomentModelOptions& options = {});
  MomentModel(const MomentModel&) = delete;
  MomentModel& operator=(const MomentModel&) = delete;

  /// The weights of a trait's row that a moment is about, and what each is multiplied by.
  struct RowTerms {
    static constexpr size_t kMost = kIntentCount + 8;
    std::array<uint8_t, kMost> at{};
    std::array<float, kMost> x{};
    size_t n = 0;
    uint8_t genre = 0;  ///< of the moment
  };
  [[nodiscard]] static RowTerms TermsOf(const Moment& moment);

  /// What the moment alone adds to the log-odds of `action`, in [-kMostShift, kMostShift]. Nothing
  /// is worth more for coming from a network that clicks more than others.
  [[nodiscard]] float Attention(Action action, const Moment& moment) const;
  /// What a trait (a row below CreativeFeatures::kTraitRows) adds to them in a moment.
  [[nodiscard]] Effect Trait(Action action, uint16_t row, const RowTerms& terms) const;
  /// What one creative has beyond its traits; `own` is CreativeFeatures::row.
  [[nodiscard]] Effect Own(Action action, uint32_t own) const;
  /// What brand and category are to those who hear this genre.
  [[nodiscard]] Effect Affinity(Action action, uint16_t brand, uint16_t category,
                                const RowTerms& terms) const;
  /// What having been heard adds: first familiarity, then weariness.
  [[nodiscard]] float Wear(Action action, const HeardBefore& heard) const;
  /// All factors that take part, as believed.
  [[nodiscard]] float Shift(Action action, const MomentExample& example) const;
  static constexpr float kMostShift = 3.0f;

  /// The response came or it did not; `offset` is the log-odds that were predicted without the
  /// factors. `taste`, when not null, is one more weight that took part, and is moved too.
  void Learn(Action action, const MomentExample& example, float offset, bool happened,
             Effect* taste = nullptr);

  /// Numbers that have been learned: weights that took part in an outcome. Reads all weights.
  [[nodiscard]] size_t learned() const;
  /// Everything learned, as bytes with a version, the model's shape and a checksum. May run while
  /// others learn; each weight is then from some moment during the call.
  [[nodiscard]] std::string Save() const;
  /// Replaces everything learned. FailedPrecondition when `bytes` are of another version, shape or
  /// options, DataLoss when they are damaged; the model is unchanged then.
  absl::Status Restore(std::string_view bytes);

 private:
  struct Weight {
    std::atomic<float> mean{0};
    std::atomic<float> variance{1};
  };
  struct Term {
    Weight* weight;
    float x;
  };
  static constexpr size_t kActions = 3;
  // A row of trait weights: alone, by intent, by mood, by genre, by screen and kind of content, and
  // by energy: low, middle, high.
  static constexpr size_t kByIntent = 1, kByMood = kByIntent + kIntentCount,
                          kByGenre = kByMood + kMoodCount, kByScreen = kByGenre + kGenreCount,
                          kByPodcast = kByScreen + 2, kByEnergy = kByPodcast + 1,
                          kRow = kByEnergy + 3;
  static constexpr size_t kWears = 4;
  static constexpr size_t kOwnRows = 1 << 14, kNetworks = 1 << 12;
  // Where each kind begins; within each, one action after the other.
  static constexpr size_t kOfWear = kActions * Moment::kSignals,
                          kOfNetworks = kOfWear + kActions * kWears,
                          kOwn = kOfNetworks + kActions * kNetworks,
                          kOfTraits = kOwn + kActions * kOwnRows,
                          kWeights = kOfTraits + kActions * CreativeFeatures::kTraitRows * kRow;
  static constexpr size_t kMostTerms =
      Moment::kSignals + kMomentTraits * RowTerms::kMost + 5 + kWears;
  struct Belief {
    float mean, variance;
  };
  using Assumptions = std::vector<std::pair<uint32_t, float>>;  // means that are not 0, by place
  void Assume();
  /// What is assumed of a weight.
  [[nodiscard]] Belief AssumedOf(size_t i) const;
  static size_t Index(Action action);
  static size_t SignalAt(Action action, size_t signal);
  static size_t RowAt(Action action, uint16_t row);
  static size_t OwnAt(Action action, uint32_t own);
  static size_t NetworkAt(Action action, uint16_t network);
  static std::array<float, kWears> WearsOf(const HeardBefore& heard);
  template <class Visit>
  void ForEachTerm(Action action, const MomentExample& example, Visit visit) const;

  const MomentModelOptions options_;
  const std::unique_ptr<Weight[]> weights_;
  Assumptions assumed_;  // of traits; by rising place
};

/// What was decided in which moment, until it is known what became of it. Trivially copyable.
struct RememberedMoment {
  uint64_t session = 0;              ///< keyed hash, kept as long as the bid is remembered
  uint64_t listener = 0;             ///< of whose memory it becomes a part; 0: of nobody's
  uint32_t brand = 0, creative = 0;  ///< ListenerRecord::NameOf()
  MomentExample example;
  Action target = Action::kClick;
  bool timed = false;  ///< it plays, so whether it was heard to its end is worth learning
  bool seen = false;   ///< its impression has been reported
};

struct MomentsOptions {
  /// Bids that are remembered at one time; 260 bytes each.
  size_t bids = size_t{1} << 16;
  /// For how long; as long as an outcome book waits for actions, and a while.
  absl::Duration ttl = absl::Minutes(61);
  MomentModelOptions model = {};
  ListenerMemoryOptions listeners = {};
};

/// The model and the memories that it learns from. Thread-safe.
class Moments {
 public:
  /// `clock` outlives it.
  explicit Moments(const MomentsOptions& options, const Clock* clock);

  [[nodiscard]] const MomentModel& model() const { return model_; }
  [[nodiscard]] MomentModel& model() { return model_; }
  [[nodiscard]] const ListenerMemory& listeners() const { return listeners_; }
  static uint64_t KeyOf(uint64_t decision, uint32_t bid) { return CombineHash(decision, bid); }

  void Remember(uint64_t decision, uint32_t bid, const RememberedMoment& what);
  /// The bid's impression was reported: its listener has heard it. Whose session it was for; 0 when
  /// that is not known, or has been asked before.
  uint64_t Seen(uint64_t decision, uint32_t bid);
  /// What the factors add to the log-odds of `action` for the bid with that key, as believed now; 0
  /// when it is not known.
  [[nodiscard]] float ShiftOf(uint64_t key, Action action) const;
  /// Of the bid with that key it is known whether `action` followed. `offset`: the log-odds that
  /// were predicted without the factors. False when the bid is not known.
  bool Learn(uint64_t key, Action action, float offset, bool happened);

  /// Forgets the moments of which gone(session) holds, and overwrites them and what has expired.
  template <class F>
  size_t Purge(F&& gone) {
    return bids_.Purge([&](uint64_t, const RememberedMoment& m) { return gone(m.session); });
  }
  /// The same for what is remembered of the listeners of whom gone(listener) holds.
  template <class F>
  size_t PurgeListeners(F&& gone) {
    return listeners_.Purge(std::forward<F>(gone));
  }
  [[nodiscard]] uint64_t learnt() const { return learnt_.load(std::memory_order_relaxed); }

 private:
  MomentModel model_;
  ListenerMemory listeners_;
  Table<uint64_t, RememberedMoment> bids_;
  std::atomic<uint64_t> learnt_{0};
};

inline constexpr Key<Intents> kIntents{"intents"};
inline constexpr StateKey<Moments> kMoments{"moments"};

}  // namespace adagents::ads
