#include "adagents/ads/agents/fatigue.h"

#include <cmath>

#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on what was heard.
constexpr size_t kMostReasons = 6;

}  // namespace

void FindWears(const Candidates& candidates, const Listener& listener,
               const ListenerRecord& remembered, const MomentModel& model, Wears* out) {
  const auto& items = candidates.items;
  if (!listener.known || items.empty()) return;
  const int64_t now_s = listener.now_ms / 1000;
  out->shift.resize(items.size());
  out->heard.resize(items.size());
  uint64_t brand = 0;
  float times = 0;
  for (size_t k = 0; k < items.size(); ++k) {
    const CreativeFacts& ad =
        candidates.catalog->creative_facts(items[k].campaign)[items[k].creative];
    if (k == 0 || ad.brand != brand) {
      brand = ad.brand;
      times = remembered.Times(ListenerRecord::NameOf(brand), now_s);
    }
    // Who has not heard the brand has not heard the creative.
    HeardBefore& heard = out->heard[k];
    heard = {times, times > 0 ? remembered.Times(ListenerRecord::NameOf(ad.key), now_s) : 0.0f};
    const Action action = TargetOf(candidates.catalog->facts(items[k].campaign), items[k].mtype);
    out->shift[k] = model.Wear(action, heard);
  }
}

absl::Status Fatigue::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  Wears& out = ctx[wears_];
  FindWears(candidates, ctx[listener_], ctx[remembered_], moments_->model(), &out);
  if (!ctx.explaining()) return absl::OkStatus();
  for (size_t k = 0, said = 0; k < out.shift.size() && said < kMostReasons; ++k) {
    if (out.heard[k].brand <= 0) continue;
    ++said;
    ctx.Because(
        {&reasons::kHeardBefore, candidates.catalog->facts(candidates.items[k].campaign).key,
         static_cast<double>(out.heard[k].brand), std::exp(static_cast<double>(out.shift[k]))});
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
