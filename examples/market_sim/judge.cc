#include "judge.h"

#include <cmath>

namespace market_sim {
namespace {

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

std::vector<double> Values(const WorldRuns& runs, const std::string& arm, const Metric& metric) {
  std::vector<double> values;
  const auto found = runs.results.find(arm);
  if (found == runs.results.end()) return values;
  for (const Result& result : found->second) values.push_back(metric.of(result.judged));
  return values;
}

}  // namespace

const std::vector<Metric>& Metrics() {
  static const std::vector<Metric> metrics = {
      {"click_through", "click-through", 100, "%",
       [](const Sums& s) { return Ratio(s.expected_clicks, s.impressions); }},
      {"completion_rate", "completion", 100, "%",
       [](const Sums& s) { return Ratio(s.expected_completions, s.impressions); }},
      {"recall", "recall", 100, "%", [](const Sums& s) { return Ratio(s.recall, s.impressions); }},
      {"cost_per_acquisition", "cost/acq.", 1, "USD",
       [](const Sums& s) { return Ratio(s.cost, s.expected_conversions); }},
      {"value_per_thousand_requests", "value", 1, "USD/1000 asked",
       [](const Sums& s) { return 1000 * Ratio(s.value, s.requests); }},
      {"repeats_per_hour", "repeats/h", 1, "",
       [](const Sums& s) { return Ratio(s.repeats, s.hours); }},
      {"skip_rate", "skips", 100, "% of tracks",
       [](const Sums& s) { return Ratio(s.skips, s.tracks); }},
      {"unsuitable", "unsuitable", 100, "%",
       [](const Sums& s) { return Ratio(s.unsuitable, s.impressions); }},
      {"impressions", "won", 1, "impressions", [](const Sums& s) { return s.impressions; }},
      {"fill", "filled", 100, "% of asked",
       [](const Sums& s) { return Ratio(s.impressions, s.requests); }},
      {"observed_click_through", "clicked", 100, "%, observed",
       [](const Sums& s) { return Ratio(s.clicks, s.impressions); }},
  };
  return metrics;
}

const Metric& ClickThrough() { return Metrics()[0]; }
const Metric& Value() { return Metrics()[4]; }

Estimate Level(const WorldRuns& runs, const std::string& arm, const Metric& metric) {
  return adagents::bench::EstimateOf(Values(runs, arm, metric));
}

std::optional<Estimate> Above(const WorldRuns& runs, const std::string& arm,
                              const std::string& base, const Metric& metric) {
  const auto ours = Values(runs, arm, metric), theirs = Values(runs, base, metric);
  if (ours.empty() || ours.size() != theirs.size()) return std::nullopt;
  std::vector<double> above;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (theirs[i] == 0) return std::nullopt;
    above.push_back(ours[i] / theirs[i] - 1);
  }
  return adagents::bench::EstimateOf(above);
}

std::optional<Estimate> ShareOfGap(const WorldRuns& runs, const std::string& arm,
                                   const std::string& base, const Metric& metric) {
  const auto gap = Above(runs, "oracle", base, metric);
  constexpr double kRounding = 1e-9;
  if (!gap || gap->mean < kRounding || !gap->Excludes(0)) return std::nullopt;
  const auto ours = Values(runs, arm, metric), theirs = Values(runs, base, metric);
  const auto best = Values(runs, "oracle", metric);
  std::vector<double> shares;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (best[i] == theirs[i]) return std::nullopt;
    shares.push_back((ours[i] - theirs[i]) / (best[i] - theirs[i]));
  }
  return adagents::bench::EstimateOf(shares);
}

double CalibrationError(const WorldRuns& runs, const std::string& arm) {
  std::array<Result::Bin, Result::kBins> sums;
  double n = 0, error = 0;
  for (const Result& result : runs.results.at(arm)) {
    for (size_t b = 0; b < Result::kBins; ++b) {
      sums[b].n += result.calibration[b].n;
      sums[b].predicted += result.calibration[b].predicted;
      sums[b].truth += result.calibration[b].truth;
      n += result.calibration[b].n;
    }
  }
  for (const Result::Bin& bin : sums) error += std::abs(bin.predicted - bin.truth);
  return Ratio(error, n);
}

}  // namespace market_sim
