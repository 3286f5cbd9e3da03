// Pricing: what an impression is worth to each candidate's campaign, in a currency that the request
// allows, and the floor it has to meet.
//
//   | the campaign pays for | a thousand impressions are worth          |
//   |-----------------------|-------------------------------------------|
//   | impressions (CPM)     | max_cpm                                   |
//   | clicks, completions,  | value_per_action * predicted rate * 1000, |
//   |   conversions         |   at most max_cpm                         |
//
// With the listener's agents, predicted rates are moved by attention, by how a creative suits the
// moment, by what the brand is to the listener and by how often it was heard. To campaigns that pay
// per impression a moment below the average is worth less than max_cpm: by how much less likely a
// response to the best of their creatives is, to the power of MomentPricing::weight of the
// campaign's objective. Which of a campaign's creatives plays is then decided by their rates. What
// timing or suitability keeps out has no price.
//
// With pacing, that times the campaign's pace; in first-price auctions, where a win landscape is
// known, shaded below it by what wins.
//
// The floor is the deal's where there is one, else the imp's; durfloors replace it for the
// durations they name, and mincpmpersec raises it in proportion to the duration.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <array>
#include <memory>

#include "adagents/ads/agents/affinity.h"
#include "adagents/ads/agents/attention.h"
#include "adagents/ads/agents/creative.h"
#include "adagents/ads/agents/fatigue.h"
#include "adagents/ads/agents/pacing.h"
#include "adagents/ads/agents/timing.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// How the moment changes what campaigns pay per impression.
struct MomentPricing {
  /// By Objective: 1: an impression is worth in proportion to the chance of its outcome, 0: all are
  /// worth the same. Reach asks to be heard by many rather than to be heard to the end.
  std::array<float, 3> weight = {1.0f, 1.0f, 0.25f};
  /// No moment makes an impression worth less than this share.
  float least = 0.1f;
};

/// Without scores (no relevance agent, or none in time) it assumes the prior rates.
class Pricing final : public Agent {
 public:
  explicit Pricing(std::shared_ptr<const CurrencyRates> rates, MomentPricing moments = {})
      : Agent({.name = "pricing"}), rates_(std::move(rates)), moments_(moments) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  In<Scores> scores_{this, kScores, Scores{}};
  In<Paces> paces_{this, kPaces, Paces{}};
  In<AttentionSignal> attention_{this, kAttention, AttentionSignal{}};
  In<CreativeFits> fits_{this, kFits, CreativeFits{}};
  In<Affinities> affinities_{this, kAffinities, Affinities{}};
  In<Wears> wears_{this, kWears, Wears{}};
  In<Timings> timings_{this, kTimings, Timings{}};
  Out<Prices> prices_{this, kPrices};
  const std::shared_ptr<const CurrencyRates> rates_;
  const MomentPricing moments_;
};

}  // namespace adagents::ads
