#include "factorisation_machine.h"

#include <algorithm>
#include <cmath>

#include "adagents/base/random.h"

namespace market_sim {
namespace {

constexpr double kMostLogOdds = 12, kLeastSquares = 1e-3;

double Sigmoid(double x) { return 1 / (1 + std::exp(-std::clamp(x, -kMostLogOdds, kMostLogOdds))); }

/// One step of AdaGrad on `value`.
void Step(float* value, float* squares, double gradient, double rate) {
  *squares = static_cast<float>(*squares + gradient * gradient);
  *value = static_cast<float>(*value - rate * gradient / std::sqrt(*squares + kLeastSquares));
}

}  // namespace

FactorisationMachine::FactorisationMachine(const MachineOptions& options)
    : options_(options),
      bias_(std::log(options.prior / (1 - options.prior))),
      weights_(size_t{1} << options.bits),
      vectors_(weights_.size() * static_cast<size_t>(options.width)) {
  adagents::Random random(static_cast<uint64_t>(options.bits), 17);
  for (Coordinate& c : vectors_) {
    c.value = static_cast<float>(options.spread * random.Normal());
  }
}

FactorisationMachine::Part FactorisationMachine::Sum(std::span<const uint32_t> places) const {
  const auto width = static_cast<size_t>(options_.width);
  Part part;
  part.sums.resize(width);
  for (const uint32_t place : places) {
    part.linear += weights_[place].value;
    const Coordinate* v = VectorAt(place);
    for (size_t k = 0; k < width; ++k) {
      part.sums[k] += v[k].value;
      part.squares += static_cast<double>(v[k].value) * v[k].value;
    }
  }
  return part;
}

double FactorisationMachine::LogOdds(const Part& shared, const Part& own) const {
  double pairs = -shared.squares - own.squares;
  for (size_t k = 0; k < shared.sums.size(); ++k) {
    const double sum = shared.sums[k] + own.sums[k];
    pairs += sum * sum;
  }
  return bias_ + shared.linear + own.linear + 0.5 * pairs;
}

double FactorisationMachine::Variance(std::span<const uint32_t> places) const {
  double variance = 0;
  for (const uint32_t place : places) {
    variance += 1 / (1 / options_.doubt + weights_[place].information);
  }
  return variance;
}

double FactorisationMachine::Predict(std::span<const uint32_t> places) const {
  return Sigmoid(LogOdds(Sum(places), Sum({})));
}

void FactorisationMachine::Learn(std::span<const uint32_t> places, bool happened, bool again) {
  const auto width = static_cast<size_t>(options_.width);
  const Part all = Sum(places);
  const double p = Sigmoid(LogOdds(all, Sum({})));
  const double gradient = p - (happened ? 1 : 0);
  bias_squares_ += gradient * gradient;
  bias_ -= options_.rate * gradient / std::sqrt(bias_squares_ + kLeastSquares);
  for (const uint32_t place : places) {
    Weight& w = weights_[place];
    if (w.information == 0) ++seen_;
    if (!again) w.information += static_cast<float>(p * (1 - p));
    Step(&w.value, &w.squares, gradient + options_.l2 * w.value, options_.rate);
    Coordinate* v = vectors_.data() + static_cast<size_t>(place) * width;
    for (size_t k = 0; k < width; ++k) {
      const double of_pairs = gradient * (all.sums[k] - v[k].value);
      Step(&v[k].value, &v[k].squares, of_pairs + options_.vector_l2 * v[k].value,
           options_.vector_rate);
    }
  }
}

}  // namespace market_sim
