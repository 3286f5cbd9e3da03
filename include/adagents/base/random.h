// Reproducible randomness. Abseil's generators differ between processes on purpose; decisions must
// replay bit for bit, so a seed here gives the same numbers on every machine and version.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "adagents/base/ids.h"

namespace adagents {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
/// A UniformRandomBitGenerator of 8 bytes whose seeding costs nothing, so that each agent of each
/// decision can have its own. Not for secrets. Thread-compatible: one thread at a time.
class Random {
 public:
  using result_type = uint64_t;

  explicit constexpr Random(uint64_t seed = 0) : state_(seed) {}
  /// The stream of `agent` (a name's StableHash64) within `decision`.
  constexpr Random(uint64_t decision, uint64_t agent) : state_(CombineHash(decision, agent)) {}

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

  constexpr uint64_t operator()() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, 1), 53 bits.
  constexpr double Uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform in [0, n), for n >= 1; n = 0 gives 0. Unbiased to 2^-64 (Lemire's multiply-shift).
  constexpr uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * n) >> 64);
  }
  /// Normal, of mean 0 and variance 1 (Box, Muller: "A note on the generation of random normal
  /// deviates", 1958). Takes two numbers. The same everywhere but for the last bits, which are the
  /// C library's.
  double Normal() {
    const double u = std::max(1e-18, Uniform());
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * Uniform());
  }
  /// True with probability p (p <= 0 never, p >= 1 always).
  constexpr bool Chance(double p) { return Uniform() < p; }

 private:
  uint64_t state_;
};

}  // namespace adagents
