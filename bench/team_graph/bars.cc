// What the runtime has to reach on this graph, with deadlines, outcomes and cost measurement on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "report.h"

namespace adagents::bench {
namespace {

struct Demand {
  std::string text;
  char body;
  Mode mode;
  double limit;
  bool at_least;
  double (*value)(const Summary&);
};

constexpr bool kAtLeast = true, kAtMost = false;

double OverFloor(const Summary& s) { return s.p50_over_floor_us; }
double P50(const Summary& s) { return s.p50_ratio; }
double P99(const Summary& s) { return s.p99_ratio; }
double RateRatio(const Summary& s) { return s.rate_ratio; }
double Cpu(const Summary& s) { return s.cpu_ratio; }
double MillionsPerSecond(const Summary& s) { return s.median.per_second / 1e6; }

const Demand kDemands[] = {
    {"A alone: p50 over the floor's, us", 'A', Mode::kAlone, 0.3, kAtMost, OverFloor},
    {"A paced: p50 over the floor's, us", 'A', Mode::kPaced, 0.3, kAtMost, OverFloor},
    {"A 64 in flight: millions a second", 'A', Mode::kInFlight, 5, kAtLeast, MillionsPerSecond},
    {"B alone: p50 / floor", 'B', Mode::kAlone, 0.75, kAtMost, P50},
    {"B two clients: throughput / floor", 'B', Mode::kTwoClients, 0.98, kAtLeast, RateRatio},
    {"B two clients: p99 / floor", 'B', Mode::kTwoClients, 1.2, kAtMost, P99},
    {"B two clients: CPU / floor", 'B', Mode::kTwoClients, 1.05, kAtMost, Cpu},
    {"C alone: p50 / floor", 'C', Mode::kAlone, 0.70, kAtMost, P50},
    {"E alone: p50 / floor", 'E', Mode::kAlone, 0.57, kAtMost, P50},
    {"D alone: p50 / floor", 'D', Mode::kAlone, 1.05, kAtMost, P50},
    {"D alone: CPU / floor", 'D', Mode::kAlone, 1.05, kAtMost, Cpu},
    {"B 64 in flight: throughput / floor", 'B', Mode::kInFlight, 0.98, kAtLeast, RateRatio},
    {"C 64 in flight: throughput / floor", 'C', Mode::kInFlight, 0.98, kAtLeast, RateRatio},
    {"D 64 in flight: throughput / floor", 'D', Mode::kInFlight, 0.98, kAtLeast, RateRatio},
    {"E 64 in flight: throughput / floor", 'E', Mode::kInFlight, 0.98, kAtLeast, RateRatio},
};

/// The most that any body and mode allocated; nothing when the contestant was not run. Rounded to
/// a thousandth: a pool that grows once in a slice is not an allocation per decision.
std::optional<double> MostAllocations(const Results& results, const std::string& contestant) {
  std::optional<double> most;
  for (char body : {'A', 'B', 'C', 'D', 'E'}) {
    for (Mode mode : {Mode::kAlone, Mode::kPaced, Mode::kTwoClients, Mode::kInFlight}) {
      if (!results.Has(body, mode, contestant)) continue;
      const double here = results.Summarize(body, mode, contestant).median.allocations;
      most = std::max(most.value_or(0), std::round(here * 1000) / 1000);
    }
  }
  return most;
}

}  // namespace

std::vector<Bar> CheckBars(const Results& results, const Contestants& contestants) {
  std::vector<Bar> bars;
  for (const Demand& d : kDemands) {
    Bar bar{d.text, d.limit, d.at_least, {}};
    for (const auto& c : contestants) {
      if (!c->ours() || !results.Has(d.body, d.mode, c->name())) continue;
      const double value = d.value(results.Summarize(d.body, d.mode, c->name()));
      bar.values.push_back({c->name(), value, d.at_least ? value >= d.limit : value <= d.limit});
    }
    bars.push_back(std::move(bar));
  }
  Bar heap{"heap allocations per decision, the most in any mode", 0, kAtMost, {}};
  for (const auto& c : contestants) {
    if (!c->ours()) continue;
    if (const auto most = MostAllocations(results, c->name())) {
      heap.values.push_back({c->name(), *most, *most <= 0});
    }
  }
  bars.push_back(std::move(heap));
  return bars;
}

}  // namespace adagents::bench
