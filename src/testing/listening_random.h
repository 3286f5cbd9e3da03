// Randomness of a ListeningWorld, keyed by what it is for: the same key has the same numbers,
// whatever was drawn before. Functions of their arguments: thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "adagents/base/ids.h"
#include "adagents/base/random.h"

namespace adagents::testing::internal {

/// What a number is drawn for. The values are part of the frozen world.
enum class Purpose : uint64_t {
  kSession = 1,
  kListener,
  kInterest,
  kAffinity,
  kBrand,
  kCreative,
  kStarts,
  kDrift,
  kTrack,
  kActs,
  kBreak,
  kEnd,
  kRival,
  kClick,
  kCompletion,
  kConversion,
  kNotice,
  kReaction,
  kRivalsAd,
  kDevice,
};

/// The stream of `purpose` for the `index`-th thing of `owner`.
inline Random Stream(uint64_t seed, uint64_t owner, uint64_t index, Purpose purpose) {
  return Random(CombineHash(CombineHash(seed, owner), index), static_cast<uint64_t>(purpose));
}

inline double Lognormal(Random& random, double sigma) { return std::exp(sigma * random.Normal()); }
inline double Exponential(Random& random) { return -std::log(1 - random.Uniform()); }
/// An index, in proportion to `weights`, of which one is above 0.
inline size_t Pick(Random& random, std::span<const double> weights) {
  double sum = 0;
  for (const double w : weights) sum += w;
  double at = random.Uniform() * sum;
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    if (at < weights[i]) return i;
    at -= weights[i];
  }
  return weights.size() - 1;
}

/// What `amount` becomes after `elapsed` when it halves every `half`, both in milliseconds.
inline double Decayed(double amount, int64_t elapsed, int64_t half) {
  return elapsed <= 0 || amount == 0
             ? amount
             : amount * std::exp2(-static_cast<double>(elapsed) / static_cast<double>(half));
}

}  // namespace adagents::testing::internal
