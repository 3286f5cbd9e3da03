#include "tune.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "judge.h"
#include "work.h"

namespace market_sim {
namespace {

struct Grid {
  std::string_view name;
  std::vector<double> values;
};

/// The ones that matter most come first, and once more, more finely, in the end.
std::vector<Grid> Grids() {
  return {{"rate", {0.05, 0.1, 0.2, 0.4}},
          {"explore", {0, 0.25, 0.5, 1}},
          {"doubt", {0.1, 0.3, 1, 3}},
          {"replay", {0, 1, 3}},
          {"vector_rate", {0.01, 0.02, 0.05, 0.1}},
          {"spread", {0.01, 0.02, 0.05, 0.1}},
          {"vector_l2", {0, 1e-4, 1e-2}},
          {"width", {0, 4, 8, 16}},
          {"l2", {0, 1e-5, 1e-4, 1e-3}},
          {"bits", {14, 16, 18}},
          {"rate", {0.1, 0.2, 0.3, 0.4, 0.6}},
          {"explore", {0.25, 0.35, 0.5, 0.7}}};
}

/// Whether settings, "rate=0.1,width=4", have one of this name.
bool Names(std::string_view settings, std::string_view name) {
  return fmt::format(",{}", settings).find(fmt::format(",{}=", name)) != std::string::npos;
}

}  // namespace

absl::Status Tune(const RunOptions& base, std::string_view fixed, size_t seeds, size_t jobs) {
  std::string best = ToText(base.blended);
  for (const Grid& grid : Grids()) {
    if (Names(fixed, grid.name)) continue;
    std::vector<std::string> settings;
    std::vector<RunOptions> runs;
    for (const double value : grid.values) {
      settings.push_back(fmt::format("{},{}={:g}", best, grid.name, value));  // the last one counts
      auto blended = ParseBlended(settings.back());
      if (!blended.ok()) return blended.status();
      for (size_t s = 0; s < seeds; ++s) {
        RunOptions run = base;
        run.seed += s;
        run.blended = *blended;
        runs.push_back(std::move(run));
      }
    }
    auto results = RunAll(runs, jobs);
    if (!results.ok()) return results.status();
    double most = -1;
    size_t kept = 0;
    for (size_t v = 0; v < grid.values.size(); ++v) {
      double clicks = 0, value = 0;
      for (size_t s = 0; s < seeds; ++s) {
        const Sums& judged = (*results)[v * seeds + s].judged;
        clicks += ClickThrough().of(judged) / static_cast<double>(seeds);
        value += Value().of(judged) / static_cast<double>(seeds);
      }
      fmt::print("{:<12} {:<8g} value {:.3f} a thousand requests   click-through {:.4f} %\n",
                 grid.name, grid.values[v], value, 100 * clicks);
      if (value > most) {
        most = value;
        kept = v;
      }
    }
    const auto tuned = ParseBlended(settings[kept]);
    if (!tuned.ok()) return tuned.status();
    best = ToText(*tuned);
    fmt::print("-> {}\n\n", best);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace market_sim
