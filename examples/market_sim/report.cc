#include "report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "fmt/format.h"

namespace market_sim {
namespace {

constexpr std::string_view kBase = "blended";

/// Of one seed there is no interval.
std::string PlusMinus(const Estimate& e, double scale, size_t seeds) {
  const double size = std::max(std::abs(e.mean), e.half) * scale;
  const int digits = size >= 100 ? 1 : size >= 10 ? 2 : 3;
  if (seeds < 2) return fmt::format("{:.{}f}", e.mean * scale, digits);
  return fmt::format("{:.{}f} +-{:.{}f}", e.mean * scale, digits, e.half * scale, digits);
}

std::string Percent(const std::optional<Estimate>& e, size_t seeds) {
  if (!e) return "-";
  if (seeds < 2) return fmt::format("{:+.1f}", 100 * e->mean);
  return fmt::format("{:+.1f} +-{:.1f}", 100 * e->mean, 100 * e->half);
}

nlohmann::json ToJson(const Estimate& e) { return {{"mean", e.mean}, {"half", e.half}}; }

nlohmann::json ArmJson(const WorldRuns& runs, const std::string& arm) {
  nlohmann::json out = {{"arm", arm}};
  const std::string base(kBase);
  for (const Metric& metric : Metrics()) {
    nlohmann::json& m = out["figures"][std::string(metric.name)];
    m = ToJson(Level(runs, arm, metric));
    for (const Result& r : runs.results.at(arm)) m["seeds"].push_back(metric.of(r.judged));
    if (arm == base) continue;
    if (const auto above = Above(runs, arm, base, metric)) m["above_blended"] = ToJson(*above);
    if (const auto share = ShareOfGap(runs, arm, base, metric)) m["share_of_gap"] = ToJson(*share);
  }
  const auto& results = runs.results.at(arm);
  double impressions = 0, seconds = 0, decisions = 0;
  for (const Result& r : results) {
    impressions += r.judged.impressions;
    seconds += r.seconds;
    decisions += static_cast<double>(r.decisions);
  }
  out["impressions"] = impressions;
  out["calibration_error"] = CalibrationError(runs, arm);
  out["parameters"] = results.front().parameters;
  out["microseconds_a_decision"] = decisions > 0 ? 1e6 * seconds / decisions : 0;
  for (size_t step = 0; step < Result::kSteps; ++step) {
    std::vector<double> values;
    for (const Result& r : results) values.push_back(ClickThrough().of(r.over_time[step]));
    out["click_through_over_time"].push_back(adagents::bench::EstimateOf(values).mean);
  }
  return out;
}

/// A table with a row for each arm that `shows`, six columns at a time.
void AddTable(const std::string& title, const WorldRuns& runs,
              const std::function<bool(const std::string&)>& shows,
              const std::function<std::string(const std::string&, const Metric&)>& cell,
              std::string* out) {
  constexpr size_t kColumns = 6;
  if (!title.empty()) *out += fmt::format("\n{}\n", title);
  for (size_t begin = 0; begin < Metrics().size(); begin += kColumns) {
    const size_t end = std::min(Metrics().size(), begin + kColumns);
    *out += fmt::format("\n{:<24}", "");
    for (size_t m = begin; m < end; ++m) *out += fmt::format(" {:>15}", Metrics()[m].label);
    if (title.empty()) *out += fmt::format("\n{:<24}", "");
    for (size_t m = begin; m < end && title.empty(); ++m) {
      *out += fmt::format(" {:>15}", Metrics()[m].unit);
    }
    for (const std::string& arm : runs.arms) {
      if (!shows(arm)) continue;
      *out += fmt::format("\n{:<24}", arm);
      for (size_t m = begin; m < end; ++m) *out += fmt::format(" {:>15}", cell(arm, Metrics()[m]));
    }
    *out += "\n";
  }
}

}  // namespace

std::string Table(const Setup& setup, const WorldRuns& runs) {
  std::string out = fmt::format(
      "world '{}': {} seeds from {}, {} sessions each, judged on the last {:.0f} %\n", runs.world,
      setup.seeds, setup.first_seed, setup.sessions, 100 * (1 - setup.warmup));
  const std::string base(kBase);
  const auto level = [&](const std::string& arm, const Metric& metric) {
    return PlusMinus(Level(runs, arm, metric), metric.scale, setup.seeds);
  };
  AddTable(
      "", runs, [](const std::string&) { return true; }, level, &out);
  if (runs.results.count(base) == 0 || runs.arms.size() < 2) return out;
  AddTable(
      fmt::format("above {}, paired by seed, in % of it", base), runs,
      [&](const std::string& arm) { return arm != base; },
      [&](const std::string& arm, const Metric& metric) {
        return Percent(Above(runs, arm, base, metric), setup.seeds);
      },
      &out);
  if (runs.results.count("oracle") == 0 || runs.arms.size() < 3) return out;
  const Metric& first = ClickThrough();
  out += fmt::format("\nof the gap between {} and the oracle, in %: {}\n", base, first.label);
  for (const std::string& arm : runs.arms) {
    if (arm == base || arm == "oracle") continue;
    out += fmt::format("{:<24} {:>15}\n", arm,
                       Percent(ShareOfGap(runs, arm, base, first), setup.seeds));
  }
  return out;
}

std::string Json(const Setup& setup, const std::vector<WorldRuns>& worlds) {
  nlohmann::json out = {{"seeds", setup.seeds},
                        {"first_seed", setup.first_seed},
                        {"sessions", setup.sessions},
                        {"warmup", setup.warmup},
                        {"worlds", nlohmann::json::array()}};
  for (const WorldRuns& runs : worlds) {
    nlohmann::json world = {{"world", runs.world},
                            {"blended", ToText(runs.blended)},
                            {"arms", nlohmann::json::array()}};
    for (const std::string& arm : runs.arms) world["arms"].push_back(ArmJson(runs, arm));
    out["worlds"].push_back(std::move(world));
  }
  return out.dump();
}

}  // namespace market_sim
