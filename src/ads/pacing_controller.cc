#include "ads/pacing_controller.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adagents::ads::internal {
namespace {

constexpr double kLeastLog = -6.0;  // a bid is never reduced below a four-hundredth
constexpr double kFirstLog = -1.0;  // where a campaign begins of which nothing is known
constexpr double kMostStep = 0.5;   // of ln m
constexpr double kHorizon = 500;    // seconds in which to be back on the plan
constexpr double kHorizonWins = 1.2;
constexpr double kMostFaster = 1.0;  // than planned, as a share
constexpr double kMostSlower = 1.0;
// The estimate of the response remembers so many wins, within these times in seconds, and trusts
// what it knew like so many wins.
constexpr double kEvidenceWins = 20;
constexpr double kLeastMemory = 800, kMostMemory = 3600;
constexpr double kPriorWins = 3;
// Of spend in the multiplier: where it begins, which is also the least, and the most. An error of
// it is one of the feedback's gain, which bears a factor of three.
constexpr double kElasticity = 2.0, kMostElasticity = 30.0;
constexpr double kElasticityMemory = 7200;  // seconds
// What is known of it at first, in wins times squared ln m: as if its error were some 3.
constexpr double kPriorInformation = 0.1;
constexpr double kNewsDelay = 40;  // seconds from a bid to the news of what it won
constexpr double kCatchUp = 2.0;   // of the share of the memory that has passed
// What the allowance leaves for bursts: a step of the plan, and this. Tighter, the allowance
// instead of the multiplier would hold the spend back: who comes first is served, and value is
// lost.
constexpr double kSlackWins = 5, kSlackShare = 0.005;
constexpr double kHeldBack = 0.05;     // then ln m is too high by at least so much
constexpr double kUnknownCost = 1e-3;  // of the budget: what an impression costs before one was won
constexpr double kTiny = 1e-9;

}  // namespace

PacingController::PacingController() : k_(kElasticity) {}

void PacingController::BeginPeriod(double budget, double gamma) {
  budget_ = budget;
  gamma_ = gamma;
  left_ = 1;
  planned_ = 0;
  allowance_ = std::numeric_limits<double>::infinity();
}

double PacingController::PlannedAt(double left) const {
  return budget_ * (1 - std::pow(left, gamma_));
}

/// From the wins of so many seconds, and how many the response had predicted at late_x_.
void PacingController::LearnElasticity(double seconds, double wins, double predicted) {
  const double keep = std::exp(-seconds / kElasticityMemory);
  weight_ = weight_ * keep + wins;
  if (wins > 0) center_ += (late_x_ - center_) * wins / weight_;
  // More wins than predicted where bids were high, or fewer where they were low: it is larger.
  const double away = late_x_ - center_;
  information_ = information_ * keep + predicted * away * away;
  const double step = (wins - predicted) * away / (information_ + kPriorInformation);
  const double prior = kPriorInformation / (information_ + kPriorInformation) * (1 - keep);
  const double before = k_;
  k_ = std::clamp(k_ + step - (k_ - kElasticity) * prior, kElasticity, kMostElasticity);
  a_ -= (k_ - before) * center_;  // the response at the center stays
}

void PacingController::Learn(const ControlInput& in) {
  const double spend = std::max(0.0, in.new_spend);
  if (in.wins > 0) {
    const double keep = std::exp(-in.wins / kEvidenceWins);
    win_cost_ = win_cost_ > 0 ? keep * win_cost_ + (1 - keep) * spend / in.wins : spend / in.wins;
  }
  if (!started_) return;
  const double cost = win_cost_ > 0 ? win_cost_ : budget_ * kUnknownCost;
  const double rate = std::max(kTiny, (budget_ - planned_) / in.seconds_left);
  const double memory =
      std::clamp(kEvidenceWins * cost / rate, kLeastMemory, std::max(kMostMemory, in.horizon));
  const double keep = std::exp(-in.seconds / memory);
  late_x_ += (x_ - late_x_) * (1 - std::exp(-in.seconds / kNewsDelay));
  const double predicted = in.requests * std::exp(a_ + k_ * late_x_);
  LearnElasticity(in.seconds, spend / cost, predicted / cost);
  seen_ = seen_ * keep + spend;
  predicted_ = predicted_ * keep + predicted;
  const double prior = std::max(kTiny, kPriorWins * cost);
  const double error = std::log((seen_ + prior) / (predicted_ + prior));
  double step = error * std::min(1.0, kCatchUp * in.seconds / memory);
  // Held back by the allowance: what was seen is less than what the multiplier would have spent.
  if (in.spent >= allowance_) step = std::max(step, kHeldBack);
  a_ += step;
  predicted_ *= std::exp(step);
}

ControlOutput PacingController::Step(const ControlInput& in) {
  Learn(in);
  // The plan, up to now and up to the next step.
  if (in.to_come > 0) left_ *= std::clamp(1 - in.passed / in.to_come, 0.0, 1.0);
  planned_ = PlannedAt(left_);
  const double rest = in.to_come - in.passed;
  const double next_left = rest > 0 ? left_ * std::clamp(1 - in.next / rest, 0.0, 1.0) : 0.0;
  const double next_planned = PlannedAt(next_left);
  const double step = std::max(kTiny, next_planned - planned_);
  // What to spend until then.
  // A horizon holds some wins, or the multiplier would follow their chance.
  const double win_seconds = win_cost_ * in.next_seconds / step;
  const double horizon =
      std::clamp(std::max({kHorizon, in.horizon, kHorizonWins * win_seconds}), in.next_seconds,
                 std::max(in.seconds_left / 3, in.next_seconds));
  const double behind = (planned_ - in.spent) * in.next_seconds / horizon;
  const double wanted =
      std::max(step + std::clamp(behind, -kMostSlower * step, kMostFaster * step), kTiny);
  // The multiplier that does it.
  const double per_request = std::log(wanted / std::max(kTiny, in.next_requests));
  if (!started_) {
    a_ = per_request - k_ * kFirstLog;
    late_x_ = center_ = kFirstLog;
    started_ = true;
  }
  const double x = (per_request - a_) / k_;
  x_ = std::clamp(x, std::max(kLeastLog, x_ - kMostStep), std::min(0.0, x_ + kMostStep));
  // Whoever is in no hurry to be back on the plan may be ahead of it, too.
  const double ahead = step / in.next_seconds * std::min(in.horizon, horizon) / 2;
  allowance_ = next_planned + step + ahead + kSlackWins * win_cost_ + kSlackShare * budget_;
  return {x_, std::min(budget_, allowance_)};
}

}  // namespace adagents::ads::internal
