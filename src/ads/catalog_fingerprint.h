// One number for the contents of a campaign.
#pragma once

#include <cstdint>

#include "adagents/ads/campaign.h"

namespace adagents::ads::internal {

/// Depends on every field but the index. Stable.
uint64_t ContentHash(const Campaign& campaign);

}  // namespace adagents::ads::internal
