// The library's own bidder: an ads::Engine with one campaign, its pricing and its pacing.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "episodes.h"

namespace replay_auctions {

/// `value_of_click`: what a linear bidder multiplies rates by, in the log's unit of price.
absl::StatusOr<std::unique_ptr<Bidder>> MakeTeamBidder(double value_of_click, const Rules& rules);

}  // namespace replay_auctions
