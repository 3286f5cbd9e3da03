// What was predicted for the bids that are out, until it is known what became of them; then the
// relevance models learn from it.
//
//   OutcomeBook book({.window = absl::Minutes(30)});
//   book.Remember(decision_id, bid, {context, creative, Action::kClick});     // when deciding
//   book.Record({decision_id, bid, OutcomeKind::kImpression}, now, &models);  // as events come
//   book.Record({decision_id, bid, OutcomeKind::kClick}, now, &models);       // learns "clicked"
//
// Each impression is learnt from once: as a success when the action that the ad is after arrives,
// as a failure when `window` has passed since the impression. Both happen inside Record() and
// Settle(); nothing runs by itself. With `every_action` it is learnt from once for each action that
// can be told of it, whatever its campaign pays for: a click teaches what clicks depend on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/prior_rates.h"
#include "adagents/ads/relevance_model.h"
#include "adagents/base/clock.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/table.h"

namespace adagents::ads {

/// One relevance model for each action. Thread-safe, as they are.
struct RelevanceModels {
  explicit RelevanceModels(const RelevanceOptions& options = {})
      : click(With(options, Action::kClick)),
        completion(With(options, Action::kCompletion)),
        conversion(With(options, Action::kConversion)) {}

  RelevanceModel click, completion, conversion;

  /// The model of `action`; kNone gives that of clicks.
  RelevanceModel& Of(Action action) {
    if (action == Action::kCompletion) return completion;
    return action == Action::kConversion ? conversion : click;
  }

 private:
  static RelevanceOptions With(RelevanceOptions options, Action action) {
    options.prior = PriorRate(action);
    return options;
  }
};

/// What was predicted from. Trivially copyable, and without anything that identifies a person.
struct RememberedBid {
  RequestFeatures context;
  CreativeFeatures creative;
  uint64_t campaign = 0;  // Campaign::key
  Action target = Action::kClick;
  bool timed = false;  // it plays, so that it can be heard to its end
  uint8_t seen = 0;    // bit per OutcomeKind
  uint8_t learnt = 0;  // bit per Action
};

struct OutcomeBookOptions {
  /// Bids remembered at one time; beyond that the oldest are forgotten and never learnt from. 120
  /// bytes each.
  size_t capacity = size_t{1} << 16;
  /// How long after its impression an action still counts; without one it was a failure.
  absl::Duration window = absl::Minutes(30);
  const Clock* clock = nullptr;  ///< of the memory's expiry; null: the system's
  /// Learns of each impression whether it was clicked and, where it plays, heard to its end, beside
  /// what its campaign pays for.
  bool every_action = false;
  /// What others add to the models' log-odds, and learn from the same outcomes: asked for before
  /// the models learn. `key` as below. Under the book's lock, likewise.
  std::function<float(uint64_t key, Action action)> shift = {};
  /// Told when the models learn, with the log-odds that they predicted before.
  std::function<void(uint64_t key, Action action, float log_odds, bool happened)> learns = {};
  /// Told once of each impression that is learnt from, when it is: CombineHash(decision, bid), and
  /// whether it was a success. Called under the book's lock, so it is short and does not call it.
  std::function<void(uint64_t key, bool happened)> settled = {};
};

/// Thread-safe. Remember() belongs on the decision path: it takes no lock that is held for long,
/// and allocates nothing.
class OutcomeBook {
 public:
  explicit OutcomeBook(const OutcomeBookOptions& options = {});

  void Remember(uint64_t decision, uint32_t bid, const RememberedBid& what);

  /// Whose bid that was; 0: it is not known (any more).
  [[nodiscard]] uint64_t CampaignOf(uint64_t decision, uint32_t bid) const;

  /// Takes in one event; `now` is steady time in nanoseconds. False when it changed nothing: the
  /// bid is not known (any more), or the event was there before. An action without its impression
  /// counts as both.
  bool Record(const OutcomeEvent& event, int64_t now, RelevanceModels* models);
  /// Learns the impressions whose window has passed as failures; returns how many.
  size_t Settle(int64_t now, RelevanceModels* models);

  /// Impressions that wait for an action, or for their window to pass.
  [[nodiscard]] size_t waiting() const;

 private:
  struct Waiting {
    uint64_t key = 0;
    int64_t since = 0;
  };
  static uint64_t KeyOf(uint64_t decision, uint32_t bid) { return CombineHash(decision, bid); }
  size_t SettleLocked(int64_t now, size_t most, RelevanceModels* models);
  [[nodiscard]] uint8_t LearnableOf(const RememberedBid& bid) const;
  void Learn(uint64_t key, RememberedBid* bid, Action action, bool happened,
             RelevanceModels* models) const;

  const OutcomeBookOptions options_;
  const int64_t window_;
  Table<uint64_t, RememberedBid> bids_;
  mutable std::mutex mutex_;
  std::deque<Waiting> waiting_;  // by time of impression; guarded by mutex_
};

}  // namespace adagents::ads
