// The arithmetic of pacing one campaign: from what was planned and what was spent to the multiplier
// of its bids. No atomics, no clock: the pacer calls it under its lock, tests call it directly.
//
// Three parts, once per step:
//   plan     how much should be spent by now. `left_` is the share of the period's forecast that is
//            still to come; the plan is 1 - left_^gamma of the budget (gamma 1: even; 2:
//            front-loaded). It uses only forecasts of what is to come, so a forecast that learns
//            does not move the past.
//   rate     what to spend until the next step: the plan's rate, plus what the spend is behind
//            the plan spread over a horizon, at most so much faster or slower than planned.
//   response how spend follows the multiplier m: spend = requests * exp(a + k ln m). `a`, the
//            level, and k, the elasticity, are estimated from evidence that forgets; m gives the
//            wanted rate. Where prices are lognormal k is 1 to 5; where most auctions have one
//            price (a floor) it is as large as the variation of bids lets it be, and a controller
//            that does not know that swings between everything and nothing.
//
// In the words of the literature: m = 1 / (1 + mu), with mu the dual variable of the budget,
// follows the target of each step by multiplicative (entropic mirror descent) updates: Balseiro, Lu
// and Mirrokni, "The best of many worlds: dual mirror descent for online allocation problems",
// Operations Research 71(1), 2023; targets that follow a forecast instead of a constant: Balseiro,
// Kumar, Mirrokni, Sivan and Wang, "Robust budget pacing with a single sample", ICML 2023. The step
// in ln m is the error of ln spend divided by the elasticity, which makes it free of units; that
// both are estimated recursively with forgetting, and used as if they were true, is a self-tuning
// regulator (Astrom and Wittenmark, "Adaptive control", 1995). The elasticity moves by Fisher
// scoring of a Poisson regression of wins on ln m (McCullagh and Nelder, "Generalized linear
// models", 1989), one step a time.
#pragma once

#include <cstdint>

namespace adagents::ads::internal {

struct ControlInput {
  double seconds = 0;        ///< since the last step, > 0
  double requests = 0;       ///< of all traffic since the last step
  double spent = 0;          ///< micros in the period so far
  double new_spend = 0;      ///< micros since the last step
  double wins = 0;           ///< since the last step
  double next_requests = 0;  ///< expected until the next step, > 0
  double passed = 0;         ///< forecast of what has passed since the last step
  double to_come = 0;        ///< forecast from the last step to the end of the period
  double next = 0;           ///< forecast until the next step
  double next_seconds = 0;   ///< until the next step, > 0
  double seconds_left = 0;   ///< of the period
  double horizon = 0;        ///< seconds in which to be back on the plan, or more
};

struct ControlOutput {
  double log_multiplier = 0;  ///< <= 0
  double allowance = 0;  ///< micros in the period that must not be exceeded before the next step
};

/// Thread-compatible.
class PacingController {
 public:
  PacingController();
  /// gamma: see above; >= 1.
  void BeginPeriod(double budget, double gamma);
  ControlOutput Step(const ControlInput& in);

  [[nodiscard]] double planned() const { return planned_; }  ///< micros in the period so far
  [[nodiscard]] double log_multiplier() const { return x_; }
  [[nodiscard]] double elasticity() const { return k_; }

 private:
  double PlannedAt(double left) const;
  void Learn(const ControlInput& in);
  void LearnElasticity(double seconds, double wins, double predicted);

  double budget_ = 0, gamma_ = 1;
  double left_ = 1;     // share of the forecast still to come
  double planned_ = 0;  // micros
  double allowance_ = 0;
  // The response.
  double a_ = 0, x_ = 0;
  double k_;                        // elasticity
  double late_x_ = 0;               // x_ of the time of which news comes now
  double center_ = 0, weight_ = 0;  // late_x_ of wins, their mean and number, forgetting
  double information_ = 0;          // on k_
  bool started_ = false;
  double seen_ = 0, predicted_ = 0;  // micros, forgetting
  double win_cost_ = 0;              // micros, mean of late
};

}  // namespace adagents::ads::internal
