// What came out of a run: medians over its rounds, the table, the list of bars, and JSON.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "contestant.h"

namespace adagents::bench {

/// All rounds of one contestant, body and mode.
struct Cell {
  std::vector<Slice> rounds;
};

/// More than this share of the machine used by other processes, and a slice is in doubt. Not less:
/// the system counts in hundredths of a second, and a slice has some fifteen of them.
inline constexpr double kQuietShare = 0.15;

/// Medians over the rounds. A ratio is taken within each round, against the floor's slice of the
/// same round, and then the median of the ratios: a slow moment of the machine slows both.
struct Summary {
  Slice median;
  double p50_ratio = 0, p99_ratio = 0, rate_ratio = 0, cpu_ratio = 0;
  double p50_over_floor_us = 0;
  uint64_t wrong = 0, degraded = 0, decisions = 0;
  int disturbed = 0;  // rounds in which other processes used more than kQuietShare of the machine
};

struct RunInfo {
  unsigned cores = 0;
  double rounds_per_us = 0;  // of the chain
  bool tsc = false;
  int rounds = 0;
  double slice_ms = 0;
  std::string heap_counts;
  int redone = 0;  // slices measured again because other processes disturbed them
};

class Results {
 public:
  Cell& At(char body, Mode mode, const std::string& contestant) {
    return cells_[{body, mode, contestant}];
  }
  bool Has(char body, Mode mode, std::string_view contestant) const;
  /// Has must be true, for the floor too.
  Summary Summarize(char body, Mode mode, std::string_view contestant) const;
  uint64_t wrong() const;

 private:
  std::map<std::tuple<char, Mode, std::string>, Cell> cells_;
};

/// One demand: what is measured, against what, and by which of our rows.
struct Bar {
  std::string text;
  double limit = 0;
  bool at_least = false;  // else at most
  struct Value {
    std::string contestant;
    double value = 0;
    bool pass = false;
  };
  std::vector<Value> values;  // none when the rows were not run
};

std::vector<Bar> CheckBars(const Results& results, const Contestants& contestants);

void PrintTable(std::FILE* out, bool colour, const RunInfo& info, const Results& results,
                const Contestants& contestants);
void PrintBars(std::FILE* out, bool colour, const std::vector<Bar>& bars);
std::string ToJson(const RunInfo& info, const Results& results, const Contestants& contestants,
                   const std::vector<Bar>& bars);

}  // namespace adagents::bench
