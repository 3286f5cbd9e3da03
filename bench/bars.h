// Demands on a benchmark: paired rounds beside a floor or a peer, and whether they were met.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace adagents::bench {

inline double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
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

/// The list of demands; a line each.
class Bars {
 public:
  void AtMost(std::string_view text, double value, double limit, std::string_view measured) {
    Print(text, value, "at most", limit, value <= limit, measured);
  }
  void AtLeast(std::string_view text, double value, double limit, std::string_view measured) {
    Print(text, value, "at least", limit, value >= limit, measured);
  }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  void Print(std::string_view text, double value, const char* side, double limit, bool pass,
             std::string_view measured) {
    failed_ += pass ? 0 : 1;
    std::printf("%s  %-52.*s %12.6g  %s %.6g   (%.*s)\n", pass ? "pass" : "FAIL",
                static_cast<int>(text.size()), text.data(), value, side, limit,
                static_cast<int>(measured.size()), measured.data());
    std::fflush(stdout);
  }

  int failed_ = 0;
};

}  // namespace adagents::bench
