// How a head stands against what it has to beat, on data later than what it was trained on.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/model/head.h"
#include "adagents/model/metrics.h"
#include "dataset.h"
#include "nlohmann/json.hpp"

namespace train {

/// Of the test part.
struct Comparison {
  struct Result {
    std::string name;
    adagents::model::Measured log_loss, auc, calibration;
  };
  /// What the model has less of than the other, on the same samples.
  struct Against {
    std::string name;
    adagents::model::Measured log_loss, auc;
  };
  size_t training = 0, validation = 0, test = 0;
  double share = 0;  ///< of what happened, in the test part
  std::vector<Result> results = {};
  std::vector<Against> against = {};
};

/// With the share of the training part and with a logistic regression (baseline.h), `rounds`
/// samples behind each interval. `data` has the vectors of the head's trunk.
absl::StatusOr<Comparison> Compare(const Dataset& data, const adagents::model::Head& head,
                                   uint64_t seed, int rounds);

std::string ToText(const Comparison& comparison, const std::string& trunk_report);
nlohmann::json ToJson(const Comparison& comparison, const std::string& trunk_report);

}  // namespace train
