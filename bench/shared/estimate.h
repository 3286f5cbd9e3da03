// A mean and how sure it is, from a few independent values such as those of seeds.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace adagents::bench {

/// A mean and half of its 95 % interval (Student's t); 0 for fewer than two values.
struct Estimate {
  double mean = 0, half = 0;
  [[nodiscard]] bool Excludes(double value) const { return std::abs(mean - value) > half; }
};

/// The 97.5th percentile of Student's t. Beyond four degrees of freedom Cornish and Fisher's
/// expansion, good to 1 %.
inline double StudentT(size_t freedom) {
  constexpr std::array<double, 4> kFew = {12.706, 4.303, 3.182, 2.776};
  if (freedom == 0) return 0;
  if (freedom <= kFew.size()) return kFew[freedom - 1];
  const double z = 1.95996, f = static_cast<double>(freedom);
  return z + (z * z * z + z) / (4 * f) +
         (5 * std::pow(z, 5) + 16 * std::pow(z, 3) + 3 * z) / (96 * f * f);
}

inline Estimate EstimateOf(const std::vector<double>& values) {
  Estimate e;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) e.mean += v / n;
  if (values.size() < 2) return e;
  double squares = 0;
  for (const double v : values) squares += (v - e.mean) * (v - e.mean);
  e.half = StudentT(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  return e;
}

}  // namespace adagents::bench
