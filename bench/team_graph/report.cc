#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace adagents::bench {
namespace {

double Median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  const std::size_t mid = v.size() / 2;
  return v.size() % 2 == 1 ? v[mid] : (v[mid - 1] + v[mid]) / 2;
}

double Ratio(double value, double floor) { return floor > 0 ? value / floor : 0; }

/// Microseconds with about three digits.
std::string Us(double us) {
  if (us < 10) return fmt::format("{:.2f}", us);
  if (us < 100) return fmt::format("{:.1f}", us);
  return fmt::format("{:.0f}", us);
}

std::string Rate(double per_second) {
  if (per_second >= 1e6) return fmt::format("{:.2f} M", per_second / 1e6);
  if (per_second >= 1e3) return fmt::format("{:.1f} k", per_second / 1e3);
  return fmt::format("{:.0f}  ", per_second);
}

std::string Times(double ratio) {
  return ratio >= 100 ? fmt::format("{:.0f}x", ratio) : fmt::format("{:.2f}x", ratio);
}

struct Paint {
  bool on;
  std::string operator()(std::string_view code, std::string text) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::move(text);
  }
};

constexpr std::string_view kBodies = "ABCDE";
constexpr Mode kAllModes[] = {Mode::kAlone, Mode::kPaced, Mode::kTwoClients, Mode::kInFlight};

std::string_view Explain(Mode mode) {
  switch (mode) {
    case Mode::kAlone:
      return "one at a time, back to back";
    case Mode::kPaced:
      return "one at a time, 0.5 ms gaps";
    case Mode::kTwoClients:
      return "two clients, back to back";
    case Mode::kInFlight:
      return "64 in flight";
  }
  return "";
}

}  // namespace

std::string_view Name(Mode mode) {
  switch (mode) {
    case Mode::kAlone:
      return "alone";
    case Mode::kPaced:
      return "paced";
    case Mode::kTwoClients:
      return "two clients";
    case Mode::kInFlight:
      return "64 in flight";
  }
  return "";
}

bool Results::Has(char body, Mode mode, std::string_view contestant) const {
  return cells_.count({body, mode, std::string(contestant)}) > 0;
}

uint64_t Results::wrong() const {
  uint64_t sum = 0;
  for (const auto& [key, cell] : cells_) {
    for (const Slice& s : cell.rounds) sum += s.wrong;
  }
  return sum;
}

Summary Results::Summarize(char body, Mode mode, std::string_view contestant) const {
  const auto& mine = cells_.at({body, mode, std::string(contestant)}).rounds;
  const auto& floor = cells_.at({body, mode, std::string(kFloorName)}).rounds;
  const auto median = [&](auto get) {
    std::vector<double> v;
    for (std::size_t i = 0; i < std::min(mine.size(), floor.size()); ++i) {
      v.push_back(get(mine[i], floor[i]));
    }
    return Median(std::move(v));
  };
  using S = const Slice&;
  Summary sum;
  sum.median.p50_us = median([](S s, S) { return s.p50_us; });
  sum.median.p99_us = median([](S s, S) { return s.p99_us; });
  sum.median.per_second = median([](S s, S) { return s.per_second; });
  sum.median.cpu_us = median([](S s, S) { return s.cpu_us; });
  sum.median.allocations = median([](S s, S) { return s.allocations; });
  sum.p50_ratio = median([](S s, S f) { return Ratio(s.p50_us, f.p50_us); });
  sum.p99_ratio = median([](S s, S f) { return Ratio(s.p99_us, f.p99_us); });
  sum.rate_ratio = median([](S s, S f) { return Ratio(s.per_second, f.per_second); });
  sum.cpu_ratio = median([](S s, S f) { return Ratio(s.cpu_us, f.cpu_us); });
  sum.p50_over_floor_us = median([](S s, S f) { return s.p50_us - f.p50_us; });
  for (const Slice& s : mine) {
    sum.wrong += s.wrong;
    sum.disturbed += s.others_share > kQuietShare ? 1 : 0;
    sum.degraded += s.degraded;
    sum.decisions += s.decisions;
  }
  return sum;
}

void PrintTable(std::FILE* out, bool colour, const RunInfo& info, const Results& results,
                const Contestants& contestants) {
  const Paint paint{colour};
  fmt::print(out, "\n{}\n", paint("1", "A team of 14 agents in 7 levels"));
  fmt::print(
      out,
      "{} cores, work of 1 us = {:.0f} rounds; medians of {} interleaved rounds of {:.0f} ms; "
      "x: times the floor in the same round;\nCPU: processor time of all threads per decision; "
      "allocs: calls of {} per decision\n",
      info.cores, info.rounds_per_us, info.rounds, info.slice_ms, info.heap_counts);
  std::size_t width = 0;
  for (const auto& c : contestants) width = std::max(width, c->name().size());
  for (char body : kBodies) {
    for (Mode mode : kAllModes) {
      if (!results.Has(body, mode, kFloorName)) continue;
      fmt::print(out, "\n{}\n",
                 paint("1", fmt::format("{}  {}; {}", body, Describe(body), Explain(mode))));
      fmt::print(
          out, "{}\n",
          paint("2", fmt::format("   {:<{}}  {:>8} {:>7}  {:>8} {:>7}  {:>9} {:>7}  {:>8} {:>7}  "
                                 "{:>7}",
                                 "", width, "p50 us", "x", "p99 us", "x", "per s", "x", "CPU us",
                                 "x", "allocs")));
      for (const auto& c : contestants) {
        if (!results.Has(body, mode, c->name())) continue;
        const Summary s = results.Summarize(body, mode, c->name());
        std::string line = fmt::format(
            "   {:<{}}  {:>8} {:>7}  {:>8} {:>7}  {:>9} {:>7}  {:>8} {:>7}  {:>7.2f}", c->name(),
            width, Us(s.median.p50_us), Times(s.p50_ratio), Us(s.median.p99_us), Times(s.p99_ratio),
            Rate(s.median.per_second), Times(s.rate_ratio), Us(s.median.cpu_us), Times(s.cpu_ratio),
            s.median.allocations);
        if (s.disturbed > 0) {
          line += paint("2", fmt::format("  {} of {} rounds disturbed", s.disturbed, info.rounds));
        }
        if (s.degraded > 0) line += paint("33", fmt::format("  {} degraded", s.degraded));
        if (s.wrong > 0) line += paint("31", fmt::format("  {} WRONG", s.wrong));
        fmt::print(out, "{}\n", c->ours() ? paint("36", std::move(line)) : line);
      }
    }
  }
}

void PrintBars(std::FILE* out, bool colour, const std::vector<Bar>& bars) {
  const Paint paint{colour};
  fmt::print(out, "\n{}\n", paint("1", "Bars"));
  bool any = false;
  for (const Bar& bar : bars) {
    if (bar.values.empty()) continue;
    if (!any) {
      std::string head = fmt::format("   {:<58} {:>10}", "", "limit");
      for (const Bar::Value& v : bar.values) head += fmt::format("  {:>20}", v.contestant);
      fmt::print(out, "{}\n", paint("2", std::move(head)));
    }
    any = true;
    fmt::print(out, "   {:<58} {:>10}", bar.text,
               fmt::format("{} {:g}", bar.at_least ? ">=" : "<=", bar.limit));
    for (const Bar::Value& v : bar.values) {
      fmt::print(out, "  {}",
                 paint(v.pass ? "32" : "31",
                       fmt::format("{:>15.3f} {}", v.value, v.pass ? "pass" : "FAIL")));
    }
    fmt::print(out, "\n");
  }
  if (any) {
    fmt::print(out, "{}\n",
               paint("2",
                     "   Trusted decisions are held to these; strict and async ones pay for an "
                     "answer that no agent can delay\n   with a hand-over to another "
                     "thread, and are shown beside them."));
  }
  if (!any) fmt::print(out, "   none: no row of adagents was run\n");
}

std::string ToJson(const RunInfo& info, const Results& results, const Contestants& contestants,
                   const std::vector<Bar>& bars) {
  using nlohmann::json;
  json doc;
  doc["machine"] = {{"cores", info.cores},
                    {"rounds_per_us", info.rounds_per_us},
                    {"slices_redone", info.redone},
                    {"clock", info.tsc ? "tsc" : "steady_clock"}};
  doc["rounds"] = info.rounds;
  doc["slice_ms"] = info.slice_ms;
  doc["allocations_counted"] = info.heap_counts;
  doc["rows"] = json::array();
  for (char body : kBodies) {
    for (Mode mode : kAllModes) {
      for (const auto& c : contestants) {
        if (!results.Has(body, mode, c->name())) continue;
        const Summary s = results.Summarize(body, mode, c->name());
        doc["rows"].push_back({{"contestant", c->name()},
                               {"body", std::string(1, body)},
                               {"mode", Name(mode)},
                               {"p50_us", s.median.p50_us},
                               {"p99_us", s.median.p99_us},
                               {"per_second", s.median.per_second},
                               {"cpu_us", s.median.cpu_us},
                               {"allocations", s.median.allocations},
                               {"p50_ratio", s.p50_ratio},
                               {"p99_ratio", s.p99_ratio},
                               {"rate_ratio", s.rate_ratio},
                               {"cpu_ratio", s.cpu_ratio},
                               {"p50_over_floor_us", s.p50_over_floor_us},
                               {"decisions", s.decisions},
                               {"disturbed_rounds", s.disturbed},
                               {"degraded", s.degraded},
                               {"wrong", s.wrong}});
      }
    }
  }
  doc["bars"] = json::array();
  for (const Bar& bar : bars) {
    json values = json::array();
    for (const Bar::Value& v : bar.values) {
      values.push_back({{"contestant", v.contestant}, {"value", v.value}, {"pass", v.pass}});
    }
    doc["bars"].push_back({{"bar", bar.text},
                           {"limit", bar.limit},
                           {"kind", bar.at_least ? "at least" : "at most"},
                           {"values", values}});
  }
  return doc.dump(2);
}

}  // namespace adagents::bench
