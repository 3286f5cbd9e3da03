// What a run of the benchmarks measured, and how the files of earlier runs are read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace adagents::bench {

/// One number of one program.
struct Figure {
  std::string program;
  std::string group;  // what is measured; its rows stand beside each other
  std::string row;    // by whom
  std::string unit;   // "ns" or "/s"
  double value = 0;
};

/// One demand, as a row of ours met it.
struct Demand {
  std::string program;
  std::string text;
  std::string row;
  double limit = 0;
  bool at_least = false;
  double value = 0;
  bool pass = false;
};

struct Run {
  std::string file, commit, date, cpu;
  int cores = 0;
  std::vector<Figure> figures;  // in the order of their programs
  std::vector<Demand> demands;
};

/// A result file's text from what each program wrote: its name and the path of that, more than once
/// where it wrote more. JSON of team_graph or Google Benchmark, or printed text with lines such as
/// "pass  TEXT  1.2  at most 2", which count where the JSON before it has no bars.
absl::StatusOr<std::string> Collect(
    const std::string& commit, const std::vector<std::pair<std::string, std::string>>& programs);

/// An error names the file and what is wrong in it.
absl::StatusOr<Run> ReadRun(const std::string& path);
/// All of a folder's *.json, by date; an error when there is none.
absl::StatusOr<std::vector<Run>> ReadRuns(const std::string& folder);

}  // namespace adagents::bench
