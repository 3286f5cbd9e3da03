#include "adagents/ads/agents/inventory.h"

#include <cmath>

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {

absl::Status Inventory::Run(Context& ctx) {
  const Request& request = ctx[request_];
  const absl::Time now = ctx.clock().WallNow();
  const bool looks = outlook_ || ctx.explaining();
  for (size_t i = 0; i < request.imps.size(); ++i) {
    const uint64_t placement = PlacementOf(request, request.imps[i]);
    if (!request.test) forecast_->Observe(placement, now);
    if (!looks) continue;
    const InventoryOutlook next = forecast_->Expect(placement, now, now + absl::Hours(1));
    ctx[outlook_out_].imps.push_back(next);
    if (!next.known || !ctx.explaining()) continue;
    ctx.Because({&reasons::kInventory, i, std::round(next.slots), 0});
    if (std::isfinite(next.high)) {
      ctx.Because({&reasons::kInventoryRange, i, std::round(next.low), std::round(next.high)});
    }
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
