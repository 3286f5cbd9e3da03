// One number for the contents of a catalog.
#pragma once

#include <cstdint>
#include <span>

#include "adagents/ads/campaign.h"

namespace adagents::ads::internal {

/// Depends on every field of every campaign but its index, not on their order. Stable.
uint64_t Fingerprint(std::span<const Campaign> campaigns);

}  // namespace adagents::ads::internal
