// How good predicted probabilities are, and how to mend their scale. All of these take as many
// probabilities in [0, 1] as outcomes (0 or 1), and are 0 where there are none. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace adagents::model {

/// A value with the interval that 95 % of resamplings lie in.
struct Measured {
  double value = 0, low = 0, high = 0;
};

/// Mean negative log likelihood, natural logarithm; probabilities are kept 1e-7 away from 0 and 1.
double LogLoss(std::span<const float> probability, std::span<const uint8_t> happened);

/// The chance that what happened was given a higher probability than what did not, ties counting
/// half (Mann and Whitney's U); 0.5 when only one outcome occurs.
double Auc(std::span<const float> probability, std::span<const uint8_t> happened);

/// Expected calibration error (Naeini et al., "Obtaining Well Calibrated Probabilities Using
/// Bayesian Binning", 2015) over `bins` bins of equally many predictions: the mean difference
/// between what was predicted and what happened in each. Bins of equal count, because rates of a
/// few percent would all be in the first of equal width.
double CalibrationError(std::span<const float> probability, std::span<const uint8_t> happened,
                        int bins = 10);

/// `metric` of (probability, happened) with a bootstrap interval: percentiles over `rounds` samples
/// of as many examples, drawn with replacement.
using Metric =
    std::function<double(std::span<const float> probability, std::span<const uint8_t> happened)>;
Measured Bootstrap(const Metric& metric, std::span<const float> probability,
                   std::span<const uint8_t> happened, uint64_t seed, int rounds = 1'000);
/// The same of the difference metric(a) - metric(b), both on the same samples.
Measured BootstrapDifference(const Metric& metric, std::span<const float> a,
                             std::span<const float> b, std::span<const uint8_t> happened,
                             uint64_t seed, int rounds = 1'000);

/// Platt's scaling: slope and intercept with which 1 / (1 + exp(-(slope logit + intercept))) has
/// the least log loss, by Newton's method with his targets (which keep it finite), slope 1 and the
/// intercept alone where the logits do not vary.
struct Scale {
  double slope = 1, intercept = 0;
};
Scale FitScale(std::span<const float> logits, std::span<const uint8_t> happened);

}  // namespace adagents::model
