// Relevance: how likely each candidate gets what it is after, here and now; and RelevanceLearner,
// which learns that from the outcomes.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <memory>

#include "adagents/ads/keys.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Optional: without its scores, pricing assumes the prior rates.
class Relevance final : public Agent {
 public:
  Relevance();
  ~Relevance() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  State<RelevanceModels> models_{this, kRelevanceModels};
  In<ModelRates> modelled_{this, kModelRates, ModelRates{}};
  Out<Scores> scores_{this, kScores, Scores{}};
  std::unique_ptr<Scratch> scratch_;
};

/// Runs once per OutcomeEvent.
class RelevanceLearner final : public Agent {
 public:
  RelevanceLearner() : Agent({.name = "relevance_learner"}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<OutcomeEvent> outcome_{this};
  State<RelevanceModels> models_{this, kRelevanceModels};
  State<OutcomeBook> book_{this, kOutcomeBook};
};

}  // namespace adagents::ads
