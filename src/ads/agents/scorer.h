// Relevance's work, shared by the agent and WhyNot().
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "adagents/ads/keys.h"

namespace adagents::ads::internal {

/// Thread-compatible: it has memory that it reuses.
class Scorer {
 public:
  void Run(const Request& request, const Candidates& candidates, RelevanceModels& models,
           Scores* out);

 private:
  struct Group {                     // the candidates of one imp that are after the same action
    std::vector<uint32_t> features;  // places in Catalog::relevance_features()
    std::vector<uint32_t> items;     // places in Candidates::items
  };
  static constexpr std::array kTargets = {Action::kClick, Action::kCompletion, Action::kConversion};

  std::array<Group, kTargets.size()> groups_;
  std::vector<float> rates_;
  RelevanceScratch model_;
};

}  // namespace adagents::ads::internal
