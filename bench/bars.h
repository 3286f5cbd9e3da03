// What the benchmarks with a table of their own share: paired rounds beside a floor, and what they
// have to reach, printed below the table as team_graph does.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "team_graph/ticks.h"

namespace adagents::bench {

/// Demands, and whether they were met.
class Bars {
 public:
  /// `note`: how it was measured.
  void AtMost(std::string_view text, double value, double limit, std::string_view note = "") {
    Add(text, value, false, limit, note);
  }
  void AtLeast(std::string_view text, double value, double limit, std::string_view note = "") {
    Add(text, value, true, limit, note);
  }
  [[nodiscard]] int failed() const {
    return static_cast<int>(
        std::count_if(bars_.begin(), bars_.end(), [](const Bar& bar) { return !bar.pass(); }));
  }
  /// Nothing when there are none.
  void Print() const {
    if (bars_.empty()) return;
    const bool colour = ::isatty(STDOUT_FILENO) != 0;
    fmt::print("\n{:<62} {:>10} {:>12}\n", "Bars", "limit", "measured");
    for (const Bar& bar : bars_) {
      const char* const word = bar.pass() ? "pass" : "FAIL";
      fmt::print(
          "{:<62} {:>10} {:>12} {}{}{}\n", bar.text,
          fmt::format("{} {:g}", bar.at_least ? ">=" : "<=", bar.limit),
          bar.value >= 1000 ? fmt::format("{:.0f}", bar.value) : fmt::format("{:.3g}", bar.value),
          colour ? fmt::format("\x1b[{}m{}\x1b[0m", bar.pass() ? 32 : 31, word) : word,
          bar.note.empty() ? "" : "  ", bar.note);
    }
  }

 private:
  struct Bar {
    std::string text;
    double value = 0;
    bool at_least = false;  // else at most
    double limit = 0;
    std::string note;
    bool pass() const { return at_least ? value >= limit : value <= limit; }
  };
  void Add(std::string_view text, double value, bool at_least, double limit,
           std::string_view note) {
    bars_.push_back({std::string(text), value, at_least, limit, std::string(note)});
  }
  std::vector<Bar> bars_;
};

inline double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Medians over the rounds. A ratio is taken within each round: a slow moment slows both.
struct Pair {
  double floor = 0, ours = 0, ratio = 0;  // ours / floor
};

/// Measures both in turn, each round in the other order; one round before that warms up.
template <class Floor, class Ours>
Pair Paired(int rounds, Floor&& floor, Ours&& ours) {
  std::vector<double> floors, ourses, ratios;
  for (int round = -1; round < rounds; ++round) {
    double a = 0, b = 0;
    if (round % 2 == 0) a = floor();
    b = ours();
    if (round % 2 != 0) a = floor();
    if (round < 0) continue;
    floors.push_back(a), ourses.push_back(b), ratios.push_back(b / a);
  }
  return {Median(floors), Median(ourses), Median(ratios)};
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
