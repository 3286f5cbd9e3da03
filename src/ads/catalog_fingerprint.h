// One number for the contents of a campaign.
#pragma once

#include <cstdint>

#include "adagents/ads/campaign.h"

namespace adagents::ads::internal {

/// Depends on every field but the index. Stable.
uint64_t ContentHash(const Campaign& campaign);
uint64_t ContentHash(const BrandCaps& brand);

}  // namespace adagents::ads::internal
