// Pricing: what an impression is worth to each candidate's campaign, in a currency that the request
// allows, and the floor it has to meet.
//
//   | the campaign pays for | a thousand impressions are worth          |
//   |-----------------------|-------------------------------------------|
//   | impressions (CPM)     | max_cpm                                   |
//   | clicks, completions,  | value_per_action * predicted rate * 1000, |
//   |   conversions         |   at most max_cpm                         |
//
// With pacing, that times the campaign's pace; in first-price auctions, where a win landscape is
// known, shaded below it by what wins.
//
// The floor is the deal's where there is one, else the imp's; durfloors replace it for the
// durations they name, and mincpmpersec raises it in proportion to the duration.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <memory>

#include "adagents/ads/agents/pacing.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Without scores (no relevance agent, or none in time) it assumes the prior rates.
class Pricing final : public Agent {
 public:
  explicit Pricing(std::shared_ptr<const CurrencyRates> rates)
      : Agent({.name = "pricing"}), rates_(std::move(rates)) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  In<Scores> scores_{this, kScores, Scores{}};
  In<Paces> paces_{this, kPaces, Paces{}};
  Out<Prices> prices_{this, kPrices};
  const std::shared_ptr<const CurrencyRates> rates_;
};

}  // namespace adagents::ads
