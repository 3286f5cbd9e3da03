// The engine's own look at consent, for requests that did not come through an adapter.
#pragma once

#include "adagents/ads/request.h"

namespace adagents::ads::internal {

/// `request` itself when nothing is in it that consent forbids, which is how adapters deliver it;
/// else a copy without that, which keeps the original's memory alive. Allocates only for the copy.
RequestPtr WithConsent(const RequestPtr& request);

}  // namespace adagents::ads::internal
