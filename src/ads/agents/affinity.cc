#include "adagents/ads/agents/affinity.h"

#include <algorithm>
#include <cmath>

#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on affinities.
constexpr size_t kMostReasons = 6;
constexpr float kMost = 2.5f;  // no campaign's odds are moved by more than e to this power

}  // namespace

void FindAffinities(const Candidates& candidates, const Listener& listener, const Intents& intents,
                    const ListenerRecord& remembered, const MomentModel& model, uint64_t decision,
                    float explore, Affinities* out) {
  if (!listener.known || candidates.items.empty()) return;
  const auto terms = MomentModel::TermsOf(MomentOf(listener.state, intents, listener.now_ms));
  const auto features = candidates.catalog->relevance_features();
  const auto& items = candidates.items;
  out->shift.resize(items.size());
  out->mean.resize(items.size());
  Effect effect;
  float drawn = 0;
  for (size_t k = 0; k < items.size(); ++k) {
    // Those of a campaign stand together, and mostly share their brand and what they are after.
    const CampaignFacts& campaign = candidates.catalog->facts(items[k].campaign);
    const CreativeFeatures& ad = features[campaign.first_creative + items[k].creative];
    const Action action = TargetOf(campaign, items[k].mtype);
    const uint16_t brand = ad.traits[CreativeFeatures::kBrand];
    const uint16_t category = ad.traits[CreativeFeatures::kAdCategory];
    const bool same = k > 0 && items[k - 1].campaign == items[k].campaign &&
                      TargetOf(campaign, items[k - 1].mtype) == action &&
                      features[campaign.first_creative + items[k - 1].creative]
                              .traits[CreativeFeatures::kBrand] == brand;
    if (!same) {
      effect = model.Affinity(action, brand, category, terms);
      if (action == Action::kClick) {
        const ListenerRecord::Taste& taste = remembered.TasteOf(category);
        effect.mean += taste.mean;
        effect.variance += taste.variance();
      }
      drawn = effect.mean;
      if (explore > 0) {
        const uint64_t seed = CombineHash(StableHash64("affinity"), brand);
        drawn += explore * std::sqrt(effect.variance) *
                 static_cast<float>(Random(decision, seed).Normal());
      }
    }
    out->shift[k] = std::clamp(drawn, -kMost, kMost);
    out->mean[k] = std::clamp(effect.mean, -kMost, kMost);
  }
}

absl::Status Affinity::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  Affinities& out = ctx[affinities_];
  FindAffinities(candidates, ctx[listener_], ctx[intents_], ctx[remembered_], moments_->model(),
                 ctx.decision_id(), explore_, &out);
  if (!ctx.explaining()) return absl::OkStatus();
  for (size_t k = 0, said = 0; k < out.mean.size() && said < kMostReasons; ++k) {
    if (k > 0 && candidates.items[k].campaign == candidates.items[k - 1].campaign) continue;
    ++said;
    ctx.Because({&reasons::kLiked, candidates.catalog->facts(candidates.items[k].campaign).key,
                 std::exp(static_cast<double>(out.mean[k])), 0});
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
