#include "ads/agents/scorer.h"

#include <algorithm>

#include "adagents/ads/prior_rates.h"

namespace adagents::ads::internal {

void Scorer::Run(const Request& request, const Candidates& candidates, RelevanceModels& models,
                 Scores* out) {
  if (candidates.items.empty()) return;
  const Catalog& catalog = *candidates.catalog;
  out->rate.resize(candidates.items.size());
  out->imps.resize(candidates.imps.size());
  for (size_t i = 0; i < candidates.imps.size(); ++i) {
    const ImpRange& range = candidates.imps[i];
    if (range.begin == range.end) continue;
    const RequestFeatures context =
        RequestFeatures::Of(request, request.imps[i], candidates.hour_of_week);
    out->imps[i] = context;
    for (auto& group : groups_) {
      group.features.clear();
      group.items.clear();
    }
    for (uint32_t k = range.begin; k < range.end; ++k) {
      const Candidate& c = candidates.items[k];
      const CampaignFacts& campaign = catalog.facts(c.campaign);
      const Action target = TargetOf(campaign, c.mtype);
      auto& group = groups_[static_cast<size_t>(target) - 1];
      group.features.push_back(campaign.first_creative + c.creative);
      group.items.push_back(k);
    }
    for (size_t t = 0; t < kTargets.size(); ++t) {
      const auto& group = groups_[t];
      if (group.items.empty()) continue;
      rates_.resize(std::max(rates_.size(), group.items.size()));
      models.Of(kTargets[t])
          .Score(context, catalog.relevance_features(), group.features, &model_, rates_);
      for (size_t g = 0; g < group.items.size(); ++g) {
        out->rate[group.items[g]] = rates_[g];
      }
    }
  }
}

}  // namespace adagents::ads::internal
