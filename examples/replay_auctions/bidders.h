// The bidders that the replay compares.
//
//   constant   one bid for everything, the one that wins the most clicks in training
//   linear     in proportion to the predicted rate, likewise (Perlich et al., "Bid optimizing and
//              inventory scoring in targeted online advertising", KDD 2012)
//   adagents   the ad team: a campaign that pays per click, priced by its predicted rate, paced. An
//              episode is its day. It begins with the linear bidder's value of a click times a
//              headroom, and what pacing learnt in training.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "episodes.h"

namespace replay_auctions {

const std::vector<std::string>& BidderNames();

/// Tuned on `train` under `rules`. InvalidArgument for a name that is none of BidderNames().
absl::StatusOr<std::unique_ptr<Bidder>> MakeBidder(std::string_view name, const Log& train,
                                                   const Rules& rules);

}  // namespace replay_auctions
