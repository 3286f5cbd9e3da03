#include "adagents/ads/pacer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "adagents/base/ids.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "ads/pacing_controller.h"
#include "ads/target_controller.h"

namespace adagents::ads {

namespace internal {
struct PacedCampaign {
  size_t slot = 0;
  PacingGoal goal;
  // Of the period that spent_here belongs to; without an end until it is known.
  absl::Time begin = absl::InfinitePast(), end = absl::InfiniteFuture();
  bool in_period = false;
  bool pending = true;       // Set() has changed the goal, and no plan has been made since
  int64_t budget = 0;        // of the period, what was spent in it before the plan included
  int64_t spent_here = 0;    // in the period before the plan was made
  int64_t spent_before = 0;  // in the campaign's life before this period
  int64_t at_begin = 0;      // Slot::spent when the plan was made
  int64_t wins = 0, actions = 0, spent = 0;  // of the slot at the last step
  PacingController controller;
  TargetController target;
};
}  // namespace internal

namespace {

constexpr uint64_t kEmpty = 0, kTombstone = 1;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
// Bids vary by some 1 %, which costs next to no value. Exponentially: where all auctions have one
// price, spend follows the multiplier with the same elasticity however few of them are to be won.
constexpr double kDither = 0.01;
constexpr double kFrontLoad = 2.0;  // 1 - (1/2)^2: three quarters in the first half

/// -ln v of v in (0, 1], to 0.06: by the bits of v, linear between powers of two (Mitchell,
/// "Computer multiplication and division using binary logarithms", 1962). More than a variation
/// needs.
double MinusLog(double v) {
  constexpr double kOne = 1023, kMantissa = 4503599627370496.0;  // 2^52
  return std::numbers::ln2 * (kOne - static_cast<double>(std::bit_cast<uint64_t>(v)) / kMantissa);
}

uint64_t Usable(uint64_t key) { return key <= kTombstone ? ~key : key; }

/// The period that `now` is in, within the flight.
void PeriodAt(const PacingGoal& goal, absl::Time now, absl::Time* begin, absl::Time* end) {
  *begin = goal.start;
  *end = goal.end;
  if (goal.daily.value <= 0) return;
  const absl::CivilDay day(absl::ToCivilDay(now, goal.zone));
  *begin = std::max(*begin, absl::FromCivil(day, goal.zone));
  *end = std::min(*end, absl::FromCivil(day + 1, goal.zone));
}

}  // namespace

PacingGoal GoalOf(const Campaign& campaign) {
  PacingGoal goal;
  goal.pace = campaign.pacing.pace;
  goal.target = campaign.pacing.target;
  goal.action = campaign.pacing.per;
  goal.daily = campaign.budget.daily;
  goal.lifetime = campaign.budget.lifetime;
  goal.start = campaign.start;
  goal.end = campaign.end;
  if (!campaign.budget.time_zone.empty()) {  // the catalog has seen to it that there is such a zone
    (void)absl::LoadTimeZone(campaign.budget.time_zone, &goal.zone);
  }
  return goal;
}

Pacer::Pacer(const PacerOptions& options)
    : tick_(std::max(options.tick, absl::Milliseconds(1))),
      forecast_(options.forecast, options.traffic) {
  const size_t slots = std::bit_ceil(std::max<size_t>(options.capacity, 8) * 2);
  mask_ = slots - 1;
  keys_ = std::make_unique<std::atomic<uint64_t>[]>(slots);
  slots_ = std::make_unique<Slot[]>(slots);
  campaigns_.resize(slots);
}
Pacer::~Pacer() = default;

size_t Pacer::Find(uint64_t key) const {
  key = Usable(key);
  for (size_t i = Home(key), probes = 0; probes < kMostProbes; i = (i + 1) & mask_, ++probes) {
    const uint64_t held = keys_[i].load(std::memory_order_relaxed);
    if (held == key) return i;
    if (held == kEmpty) return kNowhere;
  }
  return kNowhere;
}

size_t Pacer::FindFree(uint64_t key) const {
  for (size_t i = Home(Usable(key)), probes = 0; probes < kMostProbes;
       i = (i + 1) & mask_, ++probes) {
    if (keys_[i].load(std::memory_order_relaxed) <= kTombstone) return i;
  }
  return kNowhere;
}

absl::Status Pacer::Set(uint64_t campaign, const PacingGoal& goal, Micros spent,
                        Micros spent_before, absl::Time as_of) {
  if (goal.daily.value < 0 || goal.lifetime.value < 0) {
    return InvalidArgument("a pacing goal's budget is negative");
  }
  if (goal.daily.value == 0 && goal.lifetime.value == 0) {
    return InvalidArgument("a pacing goal has neither a daily nor a lifetime budget");
  }
  if (goal.target.value < 0) return InvalidArgument("a pacing goal's target is negative");
  if (goal.within < absl::ZeroDuration()) {
    return InvalidArgument("a pacing goal wants to be back on its plan within a negative time");
  }
  if (!(goal.start < goal.end))
    return InvalidArgument("a pacing goal's flight ends before it starts");
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t place = Find(campaign);
  if (place != kNowhere) {
    internal::PacedCampaign& known = *campaigns_[place];
    const bool other_periods = (goal.daily.value > 0) != (known.goal.daily.value > 0);
    known.goal = goal;
    known.pending = true;  // planned anew for what is left, knowing what it knows
    if (other_periods && as_of != absl::InfinitePast()) {  // of which the caller knows more
      known.spent_here = spent.value;
      known.spent_before = spent_before.value;
      known.spent = known.at_begin = slots_[place].spent.load(std::memory_order_relaxed);
      PeriodAt(goal, as_of, &known.begin, &known.end);
    }
    return absl::OkStatus();
  }
  place = FindFree(campaign);
  if (count_ * 2 > mask_ || place == kNowhere) {
    return ResourceExhausted("too many campaigns to pace at once");
  }
  auto added = std::make_unique<internal::PacedCampaign>();
  added->slot = place;
  added->goal = goal;
  added->spent_here = spent.value;
  added->spent_before = spent_before.value;
  if (as_of != absl::InfinitePast()) PeriodAt(goal, as_of, &added->begin, &added->end);
  Slot& slot = slots_[place];
  slot.multiplier.store(1.0f, std::memory_order_relaxed);
  slot.spent.store(0, std::memory_order_relaxed);
  slot.wins.store(0, std::memory_order_relaxed);
  slot.actions.store(0, std::memory_order_relaxed);
  slot.allowance.store(0, std::memory_order_relaxed);
  campaigns_[place] = std::move(added);
  keys_[place].store(Usable(campaign), std::memory_order_relaxed);
  ++count_;
  return absl::OkStatus();
}

bool Pacer::Remove(uint64_t campaign) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t place = Find(campaign);
  if (place == kNowhere) return false;
  // A tombstone keeps the keys behind it reachable, unless there are none.
  const bool last = keys_[(place + 1) & mask_].load(std::memory_order_relaxed) == kEmpty;
  keys_[place].store(last ? kEmpty : kTombstone, std::memory_order_relaxed);
  campaigns_[place].reset();
  --count_;
  return true;
}

PaceOf Pacer::Read(uint64_t campaign) const {
  const size_t place = Find(campaign);
  if (place == kNowhere) return {};
  const Slot& slot = slots_[place];
  return {
      slot.multiplier.load(std::memory_order_relaxed),
      slot.spent.load(std::memory_order_relaxed) >= slot.allowance.load(std::memory_order_relaxed)};
}

double Pacer::Factor(uint64_t campaign, uint64_t decision) const {
  const PaceOf pace = Read(campaign);
  if (pace.sits_out) return 0;
  if (pace.multiplier >= 1.0f) return 1;
  const double u = Random(decision, campaign).Uniform();
  const double vary = kDither * (MinusLog(1 - u) - 1);
  return std::min(1.0, static_cast<double>(pace.multiplier) * (1 + vary));
}

void Pacer::OnSpend(uint64_t campaign, Micros amount) {
  const size_t place = Find(campaign);
  if (place == kNowhere) return;
  Slot& slot = slots_[place];
  slot.spent.fetch_add(amount.value, std::memory_order_relaxed);
  slot.wins.fetch_add(amount.value < 0 ? -1 : 1, std::memory_order_relaxed);
}

void Pacer::OnAction(uint64_t campaign, int64_t n) {
  const size_t place = Find(campaign);
  if (place != kNowhere) slots_[place].actions.fetch_add(n, std::memory_order_relaxed);
}

void Pacer::Tick(absl::Time now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (now == last_) return;
  const int64_t total = requests_.Sum();
  if (now < last_) {  // the clock was set back: on from there
    last_ = now;
    last_requests_ = total;
    return;
  }
  const bool first = last_ == absl::InfinitePast();
  const absl::Time from = first ? now - tick_ : last_;
  const int64_t requests = std::max<int64_t>(0, total - last_requests_);
  last_requests_ = total;
  if (!first) forecast_.Observe(from, now, requests);
  last_ = now;
  for (const auto& campaign : campaigns_) {
    if (campaign != nullptr) Step(*campaign, from, now, static_cast<double>(requests));
  }
}

/// After a period, while there is none, or when the goal has changed: the one that `now` is in.
void Pacer::BeginPeriod(internal::PacedCampaign& c, absl::Time now) {
  const PacingGoal& goal = c.goal;
  c.spent_here += c.spent - c.at_begin;
  c.at_begin = c.spent;
  // Also when its goal was changed before its end, and when a clock that was ahead is right again.
  if (now >= c.end || now < c.begin) {
    c.spent_before += c.spent_here;
    c.spent_here = 0;
  }
  c.pending = false;
  PeriodAt(goal, now, &c.begin, &c.end);
  c.in_period = now >= goal.start && now < goal.end;
  c.budget = goal.daily.value > 0 ? goal.daily.value : kNoLimit;
  if (goal.lifetime.value > 0) {
    c.budget = std::min(c.budget, std::max<int64_t>(0, goal.lifetime.value - c.spent_before));
  }
  c.controller.BeginPeriod(static_cast<double>(std::max<int64_t>(0, c.budget - c.spent_here)),
                           goal.pace == Pace::kFrontLoaded ? kFrontLoad : 1.0);
}

/// What the plan says: ln of the multiplier, and the allowance.
internal::ControlOutput Pacer::FollowPlan(internal::PacedCampaign& c, const StepFacts& facts) {
  const absl::Time since = std::max(facts.from, c.begin);
  const absl::Time next = std::min(facts.now + tick_, c.end);
  internal::ControlInput in;
  in.seconds = absl::ToDoubleSeconds(facts.now - facts.from);
  in.requests = facts.requests;
  in.spent = static_cast<double>(c.spent - c.at_begin);
  in.new_spend = facts.spend;
  in.wins = facts.wins;
  in.next = forecast_.Profile(facts.now, next);
  in.next_requests = in.next * forecast_.scale();
  in.passed = forecast_.Profile(since, facts.now);
  in.to_come = forecast_.Profile(since, c.end);
  in.next_seconds = absl::ToDoubleSeconds(next - facts.now);
  in.seconds_left = absl::ToDoubleSeconds(c.end - facts.now);
  in.horizon = absl::ToDoubleSeconds(c.goal.within);
  return c.controller.Step(in);
}

/// ln of the multiplier that keeps the average cost at the target.
double Pacer::KeepTarget(internal::PacedCampaign& c, const StepFacts& facts) {
  constexpr double kThousand = 1000;
  const auto target = static_cast<double>(c.goal.target.value);
  return c.goal.action == Action::kNone ? c.target.Step(facts.spend, facts.wins, target / kThousand)
                                        : c.target.Step(facts.spend, facts.actions, target);
}

void Pacer::Step(internal::PacedCampaign& c, absl::Time from, absl::Time now, double requests) {
  Slot& slot = slots_[c.slot];
  const int64_t spent = slot.spent.load(std::memory_order_relaxed);
  const int64_t wins = slot.wins.load(std::memory_order_relaxed);
  const int64_t actions = slot.actions.load(std::memory_order_relaxed);
  const StepFacts facts{from,
                        now,
                        requests,
                        static_cast<double>(spent - c.spent),
                        static_cast<double>(wins - c.wins),
                        static_cast<double>(actions - c.actions)};
  c.spent = spent;
  c.wins = wins;
  c.actions = actions;
  if (now >= c.end || now < c.begin || !c.in_period || c.pending) BeginPeriod(c, now);
  if (!c.in_period) {
    slot.allowance.store(std::numeric_limits<int64_t>::min(), std::memory_order_relaxed);
    return;
  }
  // Saturates, as amounts do.
  const auto since_begin = [&](int64_t amount) {
    return (Micros{c.at_begin} + Micros{amount}).value;
  };
  int64_t allowance = since_begin(std::max<int64_t>(0, c.budget - c.spent_here));
  double log_multiplier = 0;
  if (c.goal.pace != Pace::kAsap && c.end != absl::InfiniteFuture()) {
    const internal::ControlOutput out = FollowPlan(c, facts);
    log_multiplier = out.log_multiplier;
    constexpr double kMost = 9e18;
    allowance =
        std::min(allowance, since_begin(static_cast<int64_t>(std::min(out.allowance, kMost))));
  }
  if (c.goal.target.value > 0) log_multiplier = std::min(log_multiplier, KeepTarget(c, facts));
  slot.multiplier.store(static_cast<float>(std::exp(log_multiplier)), std::memory_order_relaxed);
  slot.allowance.store(allowance, std::memory_order_relaxed);
}

std::optional<PaceReport> Pacer::Report(uint64_t campaign) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t place = Find(campaign);
  if (place == kNowhere) return std::nullopt;
  const internal::PacedCampaign& c = *campaigns_[place];
  const Slot& slot = slots_[place];
  PaceReport report;
  report.pace = Read(campaign);
  report.budget = Micros{c.budget};
  report.planned = Micros{c.spent_here + static_cast<int64_t>(c.controller.planned())};
  report.spent = Micros{c.spent_here + slot.spent.load(std::memory_order_relaxed) - c.at_begin};
  report.allowance = Micros{c.spent_here} + Micros{slot.allowance.load(std::memory_order_relaxed)} -
                     Micros{c.at_begin};
  report.period_end = c.end;
  report.pending = c.pending;
  return report;
}

double Pacer::traffic_scale() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return forecast_.scale();
}

size_t Pacer::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return count_;
}

}  // namespace adagents::ads
