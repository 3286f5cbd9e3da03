// What the runs of several seeds say about arms: figures with their intervals, and how arms differ
// where they met the same listeners. Functions of their arguments: thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/estimate.h"
#include "simulate.h"

namespace market_sim {

using adagents::bench::Estimate;

struct Metric {
  std::string_view name;   ///< in JSON
  std::string_view label;  ///< in tables
  double scale;            ///< of tables: 100 for percent
  std::string_view unit;
  double (*of)(const Sums&);
};
/// All, the most important ones first.
const std::vector<Metric>& Metrics();
const Metric& ClickThrough();
const Metric& Value();

/// One world: results by arm, each with one for each seed, in the same order.
struct WorldRuns {
  std::string world;
  BlendedOptions blended;
  std::vector<std::string> arms;
  std::map<std::string, std::vector<Result>> results;
};

Estimate Level(const WorldRuns& runs, const std::string& arm, const Metric& metric);
/// By how much `arm` is above `base`, as a share of `base`: each seed's difference, averaged.
/// Nothing without the base, or where it is 0.
std::optional<Estimate> Above(const WorldRuns& runs, const std::string& arm,
                              const std::string& base, const Metric& metric);
/// The share of what lies between `base` and the oracle that `arm` gains, seed by seed. Nothing
/// without both, or where the oracle is not above the base beyond doubt and rounding.
std::optional<Estimate> ShareOfGap(const WorldRuns& runs, const std::string& arm,
                                   const std::string& base, const Metric& metric);
/// Mean distance of predicted and true click rates over the bins of calibration, weighted by
/// impressions, all seeds together.
double CalibrationError(const WorldRuns& runs, const std::string& arm);

}  // namespace market_sim
