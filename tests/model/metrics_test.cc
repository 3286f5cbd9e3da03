#include "adagents/model/metrics.h"

#include <cmath>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::model {
namespace {

using Floats = std::vector<float>;
using Bytes = std::vector<uint8_t>;

TEST_CASE("log loss is the mean negative log likelihood and bounded") {
  CHECK(LogLoss(Floats{0.5f, 0.5f}, Bytes{0, 1}) == Approx(std::log(2.0)));
  CHECK(LogLoss(Floats{0.9f, 0.2f}, Bytes{1, 0}) ==
        Approx(-(std::log(0.9) + std::log(0.8)) / 2).epsilon(1e-6));
  CHECK(LogLoss(Floats{0.0f}, Bytes{1}) == Approx(-std::log(1e-7)));
  CHECK(LogLoss({}, {}) == 0);
}

TEST_CASE("AUC counts pairs in the right order, ties half") {
  CHECK(Auc(Floats{0.1f, 0.2f, 0.8f}, Bytes{0, 0, 1}) == 1);
  CHECK(Auc(Floats{0.9f, 0.2f, 0.1f}, Bytes{0, 0, 1}) == 0);
  CHECK(Auc(Floats{0.3f, 0.3f}, Bytes{0, 1}) == 0.5);
  CHECK(Auc(Floats{0.1f, 0.4f, 0.35f, 0.8f}, Bytes{0, 0, 1, 1}) == 0.75);
  CHECK(Auc(Floats{0.1f, 0.4f}, Bytes{1, 1}) == 0.5);
  // Pair by pair, on many with ties.
  Random random(3);
  Floats p;
  Bytes h;
  for (int i = 0; i < 300; ++i) {
    p.push_back(static_cast<float>(random.Below(20)) / 20);
    h.push_back(random.Chance(p.back()));
  }
  double right = 0, pairs = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    for (size_t j = 0; j < p.size(); ++j) {
      if (h[i] == 0 || h[j] == 1) continue;
      ++pairs;
      right += p[i] > p[j] ? 1 : p[i] == p[j] ? 0.5 : 0;
    }
  }
  CHECK(Auc(p, h) == Approx(right / pairs));
}

TEST_CASE("the calibration error is that of the bins") {
  CHECK(CalibrationError(Floats{0.1f, 0.2f, 0.7f, 0.8f}, Bytes{0, 1, 1, 1}, 2) ==
        Approx((std::abs(0.3 - 1) + std::abs(1.5 - 2)) / 4));
  Random random(1);
  Floats p, doubled;
  Bytes h;
  for (int i = 0; i < 100'000; ++i) {
    p.push_back(static_cast<float>(random.Uniform() * 0.1));
    doubled.push_back(2 * p.back());
    h.push_back(random.Chance(p.back()));
  }
  CHECK(CalibrationError(p, h) < 0.004);
  CHECK(CalibrationError(doubled, h) == Approx(0.05).margin(0.004));
}

TEST_CASE("a bootstrap interval holds the true value as often as it says") {
  Random random(5);
  int held = 0;
  constexpr int kTrials = 200;
  const Metric mean = [](std::span<const float> p, std::span<const uint8_t>) {
    double sum = 0;
    for (const float value : p) sum += value;
    return sum / static_cast<double>(p.size());
  };
  for (int trial = 0; trial < kTrials; ++trial) {
    Floats p;
    for (int i = 0; i < 200; ++i) p.push_back(static_cast<float>(random.Uniform()));
    const Measured m = Bootstrap(mean, p, Bytes(p.size()), static_cast<uint64_t>(trial), 300);
    held += m.low <= 0.5 && 0.5 <= m.high;
  }
  CHECK(held >= 180);  // 190 are expected
  CHECK(held < kTrials);
}

TEST_CASE("a difference's interval is of both on the same examples") {
  Random random(6);
  Floats good, bad;
  Bytes h;
  for (int i = 0; i < 3'000; ++i) {
    const double p = random.Uniform();
    h.push_back(random.Chance(p));
    good.push_back(static_cast<float>(p));
    bad.push_back(0.5f);
  }
  const Measured m = BootstrapDifference(&LogLoss, good, bad, h, 1, 300);
  CHECK(m.value == Approx(LogLoss(good, h) - LogLoss(bad, h)));
  CHECK(m.high < 0);
  const Measured same = BootstrapDifference(&LogLoss, good, good, h, 1, 300);
  CHECK(same.low == 0);
  CHECK(same.high == 0);
}

TEST_CASE("Platt's scale finds what the logits were stretched by") {
  Random random(2);
  Floats logits;
  Bytes h;
  for (int i = 0; i < 50'000; ++i) {
    const double z = random.Uniform() * 4 - 3;
    h.push_back(random.Chance(1 / (1 + std::exp(-z))));
    logits.push_back(static_cast<float>((z - 0.5) / 0.4));
  }
  const Scale scale = FitScale(logits, h);
  CHECK(scale.slope == Approx(0.4).margin(0.02));
  CHECK(scale.intercept == Approx(0.5).margin(0.05));
  // Logits that say nothing: the share remains.
  const Scale flat = FitScale(Floats(1'000, 2.0f), Bytes(1'000, 0));
  CHECK(1 / (1 + std::exp(-(2 * flat.slope + flat.intercept))) < 0.01);
  CHECK(std::isfinite(FitScale(Floats{-1.0f, 1.0f}, Bytes{0, 1}).slope));
  CHECK(FitScale({}, {}).slope == 1);
}

}  // namespace
}  // namespace adagents::model
