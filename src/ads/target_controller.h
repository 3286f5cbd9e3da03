// Keeps the average cost of an action at a target: the multiplier at which it should be, from what
// was paid and what came of it lately. With evidence of C micros and N actions, a cost target T
// says that C should have brought C / T actions; ln m moves by ln(N / (C / T)), shrunk while there
// is little evidence. Multiplicative updates of the constraint's dual variable, as for return on
// spend: Feng, Padmanabhan and Wang, "Online bidding algorithms for return-on-spend constrained
// advertisers", WWW 2023. Actions that arrive late make the cost look too high meanwhile, which is
// the safe side.
#pragma once

#include <algorithm>
#include <cmath>

namespace adagents::ads::internal {

/// Thread-compatible.
class TargetController {
 public:
  /// Micros since the last step, actions of that time, target in micros an action.
  /// Returns ln m, at most 0.
  double Step(double spend, double actions, double target) {
    // Remembers kMemory actions' worth of spend; at a slow pace that takes days, and has to.
    const double keep = std::exp(-std::max(0.0, spend) / (kMemory * target));
    due_ = due_ * keep + std::max(0.0, spend) / target;
    got_ = got_ * keep + actions;
    const double error = std::log((std::max(0.0, got_) + kPrior) / (due_ + kPrior));
    const double progress = std::min(1.0, std::max(0.0, spend) / target / kMemory * kGain);
    x_ = std::clamp(x_ + error * progress, kLeast, 0.0);
    return x_;
  }

 private:
  static constexpr double kMemory = 50, kPrior = 10, kGain = 2, kLeast = -4;
  double due_ = 0, got_ = 0, x_ = 0;
};

}  // namespace adagents::ads::internal
