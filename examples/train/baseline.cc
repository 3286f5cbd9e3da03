#include "baseline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "adagents/base/random.h"
#include "adagents/model/metrics.h"

namespace train {
namespace {

using adagents::model::HeadEntry;

/// The facts of example `i`, those of its session after the candidate's.
class Features {
 public:
  explicit Features(const Dataset& data) : data_(data) {
    size_ = data.facts.rows();
    for (const auto& c : data.tokens.categories()) {
      first_.push_back(size_);
      size_ += static_cast<size_t>(c.size);
    }
  }
  size_t size() const { return size_; }
  void Of(const Part& part, size_t i, std::vector<HeadEntry>* out) const {
    const size_t each = part.outcomes.per_candidate;
    const auto from = part.outcomes.entries.begin() + static_cast<std::ptrdiff_t>(i * each);
    out->assign(from, from + static_cast<std::ptrdiff_t>(each));
    const auto& window = part.windows[i];
    for (uint32_t t = 0; t < window.count; ++t) {
      for (size_t c = 0; c < first_.size(); ++c) {
        out->push_back({static_cast<uint32_t>(first_[c] + window.tokens[t].category[c]),
                        1.0f / static_cast<float>(window.count)});
      }
    }
  }

 private:
  const Dataset& data_;
  std::vector<size_t> first_;
  size_t size_ = 0;
};

struct Weights {
  std::vector<float> weight, squares;
  double bias = 0;
};

float Logit(const Weights& w, const std::vector<HeadEntry>& entries) {
  double z = w.bias;
  for (const HeadEntry& e : entries) z += static_cast<double>(w.weight[e.row] * e.weight);
  return static_cast<float>(z);
}

std::vector<float> Logits(const Weights& w, const Features& features, const Part& part) {
  std::vector<float> out;
  std::vector<HeadEntry> entries;
  for (size_t i = 0; i < part.outcomes.size(); ++i) {
    features.Of(part, i, &entries);
    out.push_back(Logit(w, entries));
  }
  return out;
}

std::vector<float> Probabilities(std::vector<float> logits, adagents::model::Scale scale) {
  for (float& z : logits) {
    z = static_cast<float>(
        1 / (1 + std::exp(-(scale.slope * static_cast<double>(z) + scale.intercept))));
  }
  return logits;
}

}  // namespace

Baseline LogisticRegression(const Dataset& data, uint64_t seed) {
  const Features features(data);
  const Part& training = data.part[0];
  const Part& validation = data.part[1];
  double share = 0;
  for (const uint8_t h : training.outcomes.happened) share += h;
  share /= static_cast<double>(training.outcomes.size());
  Baseline best;
  Weights best_weights;
  double least = std::numeric_limits<double>::infinity();
  for (const double rate : {0.02, 0.1}) {
    for (const double l2 : {0.0, 1e-5, 1e-4, 1e-3, 1e-2}) {
      Weights w{std::vector<float>(features.size()), std::vector<float>(features.size(), 1e-4f),
                std::log(share / (1 - share))};
      adagents::Random random(seed);
      std::vector<size_t> order(training.outcomes.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::vector<HeadEntry> entries;
      double lowest = std::numeric_limits<double>::infinity();
      for (int epoch = 1, without = 0; epoch <= 30 && without < 3; ++epoch) {
        for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
        for (const size_t i : order) {
          features.Of(training, i, &entries);
          const double error = 1 / (1 + std::exp(-static_cast<double>(Logit(w, entries)))) -
                               training.outcomes.happened[i];
          for (const HeadEntry& e : entries) {
            if (e.row == 0) continue;
            const auto gradient = static_cast<float>(error * static_cast<double>(e.weight) +
                                                     l2 * static_cast<double>(w.weight[e.row]));
            w.squares[e.row] += gradient * gradient;
            w.weight[e.row] -= static_cast<float>(rate) * gradient / std::sqrt(w.squares[e.row]);
          }
          w.bias -= 1e-3 * error;
        }
        const double loss = adagents::model::LogLoss(
            Probabilities(Logits(w, features, validation), {}), validation.outcomes.happened);
        without = loss < lowest ? 0 : without + 1;
        lowest = std::min(lowest, loss);
        if (loss < least) {
          least = loss;
          best.l2 = l2;
          best.epochs = epoch;
          best_weights = w;
        }
      }
    }
  }
  const auto scale = adagents::model::FitScale(Logits(best_weights, features, validation),
                                               validation.outcomes.happened);
  best.probability = Probabilities(Logits(best_weights, features, data.part[2]), scale);
  return best;
}

}  // namespace train
