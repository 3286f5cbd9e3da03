#include "adagents/ads/agents/relevance.h"

#include <algorithm>
#include <vector>

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"
#include "ads/agents/scorer.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on predictions: the most likely ones.
constexpr size_t kMostReasons = 12;

void SayBest(const Candidates& candidates, const Scores& scores, Context& ctx) {
  std::vector<uint32_t> order(candidates.items.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const size_t n = std::min(order.size(), kMostReasons);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [&](uint32_t a, uint32_t b) {
                      return scores.rate[a] != scores.rate[b] ? scores.rate[a] > scores.rate[b]
                                                              : a < b;
                    });
  for (size_t i = 0; i < n; ++i) {
    const Candidate& c = candidates.items[order[i]];
    ctx.Because({&reasons::kPredicted, candidates.catalog->facts(c.campaign).key,
                 static_cast<double>(scores.rate[order[i]]), 0});
  }
}

}  // namespace

struct Relevance::Scratch {
  internal::Scorer scorer;
};

Relevance::Relevance() : Agent({.name = "relevance"}), scratch_(std::make_unique<Scratch>()) {}
Relevance::~Relevance() = default;

absl::Status Relevance::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  Scores& out = ctx[scores_];
  scratch_->scorer.Run(ctx[request_], candidates, *models_, &out);
  const std::vector<float>& modelled = ctx[modelled_].rate;
  for (size_t k = 0; k < std::min(modelled.size(), out.rate.size()); ++k) {
    if (modelled[k] >= 0) out.rate[k] = modelled[k];
  }
  if (ctx.explaining()) SayBest(candidates, out, ctx);
  return absl::OkStatus();
}

absl::Status RelevanceLearner::Run(Context& ctx) {
  book_->Record(ctx[outcome_], ctx.clock().Now(), &*models_);
  return absl::OkStatus();
}

}  // namespace adagents::ads
