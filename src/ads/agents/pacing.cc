#include "adagents/ads/agents/pacing.h"

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

constexpr int32_t kFirstPrice = 1;  // OpenRTB's `at`
// Of the reasons that a decision keeps, those spent on pacing.
constexpr int kMostReasons = 12;

}  // namespace

absl::Status Pacing::Run(Context& ctx) {
  if (!ctx[request_].test) pacer_->OnRequest();
  const Candidates& candidates = ctx[candidates_];
  if (candidates.items.empty()) return absl::OkStatus();
  Paces& out = ctx[paces_];
  out.decision = ctx.decision_id();
  if (ctx[request_].at == kFirstPrice) out.landscape = landscape_.get();
  out.factor.resize(candidates.items.size());
  int reasons_left = ctx.explaining() ? kMostReasons : 0;
  // A campaign's creatives come one after the other and share its factor.
  float factor = 1.0f;
  for (size_t i = 0; i < candidates.items.size(); ++i) {
    const uint32_t campaign = candidates.items[i].campaign;
    if (i == 0 || campaign != candidates.items[i - 1].campaign) {
      const uint64_t key = candidates.catalog->facts(campaign).key;
      factor = static_cast<float>(pacer_->Factor(key, ctx.decision_id()));
      if (factor < 1.0f && reasons_left > 0) {
        --reasons_left;
        ctx.Because({factor > 0 ? &reasons::kPaced : &reasons::kPacedOut, key,
                     100 * static_cast<double>(factor), 0});
      }
    }
    out.factor[i] = factor;
  }
  return absl::OkStatus();
}

absl::Status PacingLearner::Run(Context& ctx) {
  const SpendEvent& event = ctx[spend_];
  if (event.amount.value != 0) pacer_->OnSpend(event.campaign, event.amount);
  if (event.actions != 0) pacer_->OnAction(event.campaign, event.actions);
  return absl::OkStatus();
}

}  // namespace adagents::ads
