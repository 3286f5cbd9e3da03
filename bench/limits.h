// What a benchmark has to reach, and what it reached: printed below its table, as team_graph does.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "team_graph/ticks.h"

namespace adagents::bench {

struct Limit {
  std::string text;
  double value = 0;
  bool at_least = false;  // else at most
  double limit = 0;
  bool pass() const { return at_least ? value >= limit : value <= limit; }
};

inline void PrintLimits(const std::vector<Limit>& limits) {
  const bool colour = ::isatty(STDOUT_FILENO) != 0;
  fmt::print("\n{:<62} {:>10} {:>12}\n", "Limits", "limit", "measured");
  for (const Limit& l : limits) {
    const char* const word = l.pass() ? "pass" : "FAIL";
    fmt::print("{:<62} {:>10} {:>12} {}\n", l.text,
               fmt::format("{} {:g}", l.at_least ? ">=" : "<=", l.limit),
               l.value >= 1000 ? fmt::format("{:.0f}", l.value) : fmt::format("{:.3g}", l.value),
               colour ? fmt::format("\x1b[{}m{}\x1b[0m", l.pass() ? 32 : 31, word) : word);
  }
}

inline double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The value below which `share` of them are; reorders them. 0 when there are none.
inline double Percentile(std::vector<int64_t>* values, double share) {
  if (values->empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values->size() - 1));
  std::nth_element(values->begin(), values->begin() + at, values->end());
  return static_cast<double>((*values)[static_cast<size_t>(at)]);
}

/// Microseconds that `body` takes.
template <class Body>
double TimeUs(Body body) {
  const auto begun = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun)
      .count();
}

/// How much of the machine other processes use: they spoil what is measured meanwhile.
class Others {
 public:
  /// Of all cores, since the beginning; 0-1.
  double Share() const {
    const double cores = std::max(1u, std::thread::hardware_concurrency());
    const double spent = static_cast<double>(Spent() - spent_) / 1e9;
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun_;
    return std::clamp(spent / wall.count() / cores, 0.0, 1.0);
  }

 private:
  static int64_t Spent() { return MachineCpuNanos() - ProcessCpuNanos(); }

  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  const int64_t spent_ = Spent();
};

/// Microseconds with about three digits.
inline std::string Us(double us) {
  return us < 10    ? fmt::format("{:.2f}", us)
         : us < 100 ? fmt::format("{:.1f}", us)
                    : fmt::format("{:.0f}", us);
}

}  // namespace adagents::bench
