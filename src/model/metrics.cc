#include "adagents/model/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "adagents/base/random.h"

namespace adagents::model {
namespace {

std::vector<uint32_t> Order(std::span<const float> values) {
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return values[a] < values[b]; });
  return order;
}

/// Draws the examples of one round.
class Resampler {
 public:
  Resampler(std::span<const uint8_t> happened, uint64_t seed)
      : happened_(happened), random_(seed), which_(happened.size()), drawn_(happened.size()) {}
  void Draw() {
    for (size_t i = 0; i < which_.size(); ++i) {
      which_[i] = static_cast<uint32_t>(random_.Below(which_.size()));
      drawn_[i] = happened_[which_[i]];
    }
  }
  double Of(const Metric& metric, std::span<const float> probability) {
    values_.resize(which_.size());
    for (size_t i = 0; i < which_.size(); ++i) values_[i] = probability[which_[i]];
    return metric(values_, drawn_);
  }

 private:
  std::span<const uint8_t> happened_;
  Random random_;
  std::vector<uint32_t> which_;
  std::vector<uint8_t> drawn_;
  std::vector<float> values_;
};

Measured Interval(double value, std::vector<double> rounds) {
  if (rounds.empty()) return {value, value, value};
  std::sort(rounds.begin(), rounds.end());
  const auto at = [&](double share) {
    return rounds[static_cast<size_t>(share * static_cast<double>(rounds.size() - 1))];
  };
  return {value, at(0.025), at(0.975)};
}

double Logistic(double z) { return 1 / (1 + std::exp(-z)); }

}  // namespace

double LogLoss(std::span<const float> probability, std::span<const uint8_t> happened) {
  double sum = 0;
  for (size_t i = 0; i < happened.size(); ++i) {
    const double p = std::clamp(static_cast<double>(probability[i]), 1e-7, 1 - 1e-7);
    sum -= std::log(happened[i] != 0 ? p : 1 - p);
  }
  return happened.empty() ? 0 : sum / static_cast<double>(happened.size());
}

double Auc(std::span<const float> probability, std::span<const uint8_t> happened) {
  if (happened.empty()) return 0;
  const std::vector<uint32_t> order = Order(probability);
  double ranks = 0, positive = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i, ones = 0;
    while (end < order.size() && probability[order[end]] == probability[order[i]]) {
      ones += happened[order[end++]] != 0;
    }
    ranks += static_cast<double>(ones) * (static_cast<double>(i + end + 1) / 2);  // from 1
    positive += static_cast<double>(ones);
    i = end;
  }
  const double negative = static_cast<double>(order.size()) - positive;
  if (positive == 0 || negative == 0) return 0.5;
  return (ranks - positive * (positive + 1) / 2) / (positive * negative);
}

double CalibrationError(std::span<const float> probability, std::span<const uint8_t> happened,
                        int bins) {
  const std::vector<uint32_t> order = Order(probability);
  const size_t count = order.size(), parts = static_cast<size_t>(std::max(1, bins));
  double sum = 0;
  for (size_t bin = 0; bin < parts; ++bin) {
    double difference = 0;
    for (size_t i = count * bin / parts; i < count * (bin + 1) / parts; ++i) {
      difference += static_cast<double>(probability[order[i]]) - (happened[order[i]] != 0 ? 1 : 0);
    }
    sum += std::abs(difference);
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

Measured Bootstrap(const Metric& metric, std::span<const float> probability,
                   std::span<const uint8_t> happened, uint64_t seed, int rounds) {
  Resampler resampler(happened, seed);
  std::vector<double> values;
  for (int i = 0; i < rounds; ++i) {
    resampler.Draw();
    values.push_back(resampler.Of(metric, probability));
  }
  return Interval(metric(probability, happened), std::move(values));
}

Measured BootstrapDifference(const Metric& metric, std::span<const float> a,
                             std::span<const float> b, std::span<const uint8_t> happened,
                             uint64_t seed, int rounds) {
  Resampler resampler(happened, seed);
  std::vector<double> values;
  for (int i = 0; i < rounds; ++i) {
    resampler.Draw();
    values.push_back(resampler.Of(metric, a) - resampler.Of(metric, b));
  }
  return Interval(metric(a, happened) - metric(b, happened), std::move(values));
}

Scale FitScale(std::span<const float> logits, std::span<const uint8_t> happened) {
  const auto count = static_cast<double>(happened.size());
  double positive = 0;
  for (const uint8_t h : happened) positive += h != 0;
  const double high = (positive + 1) / (positive + 2), low = 1 / (count - positive + 2);
  const auto [least, most] = std::minmax_element(logits.begin(), logits.end());
  const bool varies = !logits.empty() && *most - *least > 1e-6f;
  Scale scale;
  const auto loss = [&](const Scale& s) {
    double sum = 0;
    for (size_t i = 0; i < happened.size(); ++i) {
      const double z = s.slope * static_cast<double>(logits[i]) + s.intercept;
      const double target = happened[i] != 0 ? high : low;
      sum += std::max(z, 0.0) - z * target + std::log1p(std::exp(-std::abs(z)));
    }
    return sum;
  };
  double before = loss(scale);
  for (int step = 0; step < 100; ++step) {
    double gs = 0, gi = 0, ss = 1e-12, si = 0, ii = 1e-12;
    for (size_t i = 0; i < happened.size(); ++i) {
      const double logit = static_cast<double>(logits[i]);
      const double p = Logistic(scale.slope * logit + scale.intercept);
      const double error = p - (happened[i] != 0 ? high : low), curve = p * (1 - p);
      gs += error * logit, gi += error;
      ss += curve * logit * logit, si += curve * logit, ii += curve;
    }
    const double determinant = ss * ii - si * si;
    Scale move{0, -gi / ii};
    if (varies && determinant > 1e-12) {
      move = {-(ii * gs - si * gi) / determinant, -(ss * gi - si * gs) / determinant};
    }
    double part = 1, after = before;
    Scale next = scale;
    for (; part > 1e-6; part /= 2) {  // Newton's step may be too long far from the minimum
      next = {scale.slope + part * move.slope, scale.intercept + part * move.intercept};
      after = loss(next);
      if (after < before) break;
    }
    if (!(after < before - 1e-10 * (1 + before))) break;
    scale = next;
    before = after;
  }
  return scale;
}

}  // namespace adagents::model
