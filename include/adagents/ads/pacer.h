// Pacing: how much less than its value each campaign should bid now, so that its budget is spent as
// planned. The ledger decides whether money may be spent at all; the pacer decides how fast.
//
//   Pacer pacer({.forecast = TrafficForecast::Flat(3'600'000)});
//   pacer.Set(campaign.key, {.daily = Micros{50'000'000}});          // even over the day
//   ...
//   pacer.OnRequest();                                               // decision path
//   double m = pacer.Factor(campaign.key, decision_id);              // 0: sits this one out
//   ...
//   pacer.OnSpend(campaign.key, Micros{price.value / 1000});         // as impressions are won
//   pacer.OnAction(campaign.key);                                    // with a target cost alone
//   pacer.Tick(clock.WallNow());                                     // every options.tick,
//   anywhere
//
// Units: amounts are micros of the campaign's currency, of one impression and not CPM; multipliers
// are shares of the impression's value in (0, 1].
//
// What it plans: `even` spends in proportion to forecast traffic, `front_loaded` three quarters in
// the first half of it, `asap` does not hold back. A period is a civil day of the goal's zone
// (which may have 23 or 25 hours) within the flight; with a lifetime budget alone, the flight. A
// plan is made for what is left of the period when the campaign is set.
//
// How it follows the plan: bids are multiplied by one number per campaign, which Tick() moves (see
// src/ads/pacing_controller.h for the control law and its sources). A common multiplier for all
// auctions of a moment buys the most value for the money spent: what is left out is what was the
// worst bargain (Balseiro and Gur, "Learning in repeated auctions with budgets", Management Science
// 65(9), 2019). Each decision varies the multiplier a little, so that the spend follows it smoothly
// even where all auctions have one price.
//
// Invariants:
//   - A campaign whose spend has reached its allowance sits out until the next Tick(). Allowances
//     are near the plan and never above the budget, so no burst of traffic between two ticks spends
//     the day. Spend that is not reported yet does not count: exact bounds are the ledger's.
//   - Multipliers are never above 1: no bid is above its value. A campaign that was never set bids
//     its value.
//   - With a target, the multiplier is at most the one that keeps the average cost at the target.
//   - If ticks stop, campaigns stop soon, for their allowances stand still.
//   - The same events and ticks give the same multipliers.
//
// Progress: what the decision path and events call is wait-free (at most 128 probes of one hash
// table, mostly one or two) and never waits for Tick(). Memory orders: all relaxed. A multiplier
// and an allowance are whole facts, each by itself; counts publish nothing else.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/traffic_forecast.h"
#include "adagents/base/ids.h"
#include "adagents/base/money.h"
#include "adagents/blackboard/counter.h"

namespace adagents::ads {

namespace internal {
struct PacedCampaign;
struct ControlOutput;
}  // namespace internal

/// What one campaign's spending should look like. Plain value.
struct PacingGoal {
  Pace pace = Pace::kEven;
  Micros daily{};     ///< 0: no daily bound
  Micros lifetime{};  ///< 0: no lifetime bound; at least one of the two is set
  absl::Time start = absl::InfinitePast();  ///< the flight is [start, end)
  absl::Time end = absl::InfiniteFuture();
  absl::TimeZone zone = absl::UTCTimeZone();  ///< whose midnight begins a day
  /// How soon to be back on the plan, at the earliest: a few minutes at least, a third of what is
  /// left of the period at most. Short keeps every hour's plan; long buys more for the budget, the
  /// more the fewer and the more different the impressions are, and keeps the period's plan alone.
  absl::Duration within = absl::ZeroDuration();

  /// What one `action` may cost on average; kNone: a thousand impressions. 0: no target.
  Micros target{};
  Action action = Action::kNone;

  bool operator==(const PacingGoal&) const = default;
};

/// What a campaign's own terms ask for: its budget, flight and pacing. A target takes somebody who
/// reports the actions, for a campaign of which none is heard bids less and less.
PacingGoal GoalOf(const Campaign& campaign);

/// A moment's pace of one campaign. Plain value.
struct PaceOf {
  float multiplier = 1.0f;  ///< of the value; (0, 1]
  bool sits_out = false;    ///< until the next Tick()
};

/// For people and tests: how one campaign fares. Amounts of the present period.
struct PaceReport {
  PaceOf pace;
  Micros budget{}, planned{}, spent{}, allowance{};
  absl::Time period_end = absl::InfiniteFuture();
  bool pending = false;  ///< set or changed since the last Tick(): the next one plans it
};

struct PacerOptions {
  /// Requests for each hour of the week (UTC), as far as known; the scale is found out.
  TrafficForecast::Hours forecast = TrafficForecast::Flat(1'000'000);
  TrafficForecastOptions traffic{};
  absl::Duration tick = absl::Seconds(20);  ///< how often Tick() is going to be called; > 0
  size_t capacity = 1 << 14;                ///< campaigns at one time; about 90 bytes each
};

/// Thread-safe. Set(), Remove(), Tick() and Report() wait for each other; nothing waits for them.
class Pacer {
 public:
  explicit Pacer(const PacerOptions& options);
  ~Pacer();
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  /// Paces the campaign, from the next Tick() on and sitting out until then, or changes its goal.
  /// `spent`: what it has spent in its present period before, and `spent_before` in its life before
  /// that, when it is new here; the present period is that of `as_of`, or of the next Tick() when
  /// that is InfinitePast. InvalidArgument names what is wrong with the goal; ResourceExhausted:
  /// too many campaigns.
  absl::Status Set(uint64_t campaign, const PacingGoal& goal, Micros spent = {},
                   Micros spent_before = {}, absl::Time as_of = absl::InfinitePast());
  /// False when it was not there. From then on it bids its value.
  bool Remove(uint64_t campaign);

  /// Moves all multipliers. `now`: civil time. One that was set back goes on from there, without a
  /// step.
  void Tick(absl::Time now);

  /// PacerOptions::tick.
  [[nodiscard]] absl::Duration tick() const { return tick_; }

  // The decision path.
  void OnRequest(int64_t n = 1) { requests_.Add(n); }
  [[nodiscard]] PaceOf Read(uint64_t campaign) const;
  /// What to multiply the campaign's value by in this decision; 0: it does not take part. The same
  /// for the same decision, campaign and pace.
  [[nodiscard]] double Factor(uint64_t campaign, uint64_t decision) const;

  // Events. Those of campaigns that are not set are ignored.
  /// An impression was won, or reserved, for `amount`; negative: taken back.
  void OnSpend(uint64_t campaign, Micros amount);
  /// `n` of the action that the goal's target is about. Impressions are counted by OnSpend().
  void OnAction(uint64_t campaign, int64_t n = 1);

  [[nodiscard]] std::optional<PaceReport> Report(uint64_t campaign) const;
  /// Observed traffic / forecast, lately.
  [[nodiscard]] double traffic_scale() const;
  [[nodiscard]] size_t size() const;

 private:
  struct Slot {
    std::atomic<float> multiplier;
    std::atomic<int64_t> spent;      // micros since the slot was taken
    std::atomic<int64_t> allowance;  // a bound of `spent`
    std::atomic<int64_t> wins;
    std::atomic<int64_t> actions;
  };
  static constexpr size_t kNowhere = static_cast<size_t>(-1);
  /// From a key's home. Half full, 2^21 places have no longer run than some 75 (linear probing);
  /// removed keys may stand in between.
  static constexpr size_t kMostProbes = 128;
  /// What one tick tells of one campaign; amounts since the last.
  struct StepFacts {
    absl::Time from, now;
    double requests, spend, wins, actions;
  };

  size_t Find(uint64_t key) const;
  size_t FindFree(uint64_t key) const;
  size_t Home(uint64_t key) const { return Mix64(key) & mask_; }
  void BeginPeriod(internal::PacedCampaign& campaign, absl::Time now);
  internal::ControlOutput FollowPlan(internal::PacedCampaign& campaign, const StepFacts& facts);
  static double KeepTarget(internal::PacedCampaign& campaign, const StepFacts& facts);
  void Step(internal::PacedCampaign& campaign, absl::Time from, absl::Time now, double requests);

  const absl::Duration tick_;
  size_t mask_ = 0;
  std::unique_ptr<std::atomic<uint64_t>[]> keys_;
  std::unique_ptr<Slot[]> slots_;
  Counter requests_;

  mutable std::mutex mutex_;  // of what follows
  TrafficForecast forecast_;
  std::vector<std::unique_ptr<internal::PacedCampaign>> campaigns_;  // by slot
  size_t count_ = 0;
  absl::Time last_ = absl::InfinitePast();
  int64_t last_requests_ = 0;
};

}  // namespace adagents::ads
