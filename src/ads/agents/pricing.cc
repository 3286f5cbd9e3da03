#include "adagents/ads/agents/pricing.h"

#include "adagents/runtime/context.h"
#include "ads/agents/worth.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on prices; the auction's matter more.
constexpr int kMostReasons = 24;

}  // namespace

absl::Status Pricing::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  Prices& out = ctx[prices_];
  if (candidates.items.empty()) {
    out.nbr = candidates.nbr;
    return absl::OkStatus();
  }
  int reasons_left = ctx.explaining() ? kMostReasons : 0;
  internal::PriceAll(
      ctx[request_], candidates, ctx[scores_], ctx[paces_], *rates_, &out,
      [&](const ReasonCode& code, uint64_t subject, Micros value, Micros floor) {
        if (reasons_left <= 0) return;
        --reasons_left;
        ctx.Because({&code, subject, value.units(), floor.units()});
      },
      {&ctx[attention_], &ctx[fits_], &ctx[timings_], moments_, &ctx[affinities_], &ctx[wears_]});
  return absl::OkStatus();
}

}  // namespace adagents::ads
