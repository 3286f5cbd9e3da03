// Which of an imp's deals a campaign may use.
#pragma once

#include <string_view>

#include "adagents/ads/campaign.h"
#include "adagents/ads/request.h"

namespace adagents::ads::internal {

/// Through which deal a campaign buys.
struct DealChoice {
  int16_t deal = -1;      // index into Imp::deals; -1: none
  bool required = false;  // the campaign buys through deals only
  bool refused = false;   // it names one of the imp's deals, which does not invite it
};

/// The first of the imp's deals that the campaign's targeting includes and whose wseat and wadomain
/// invite it. `seat` stands in for campaigns without one.
DealChoice ChooseDeal(const Imp& imp, const Campaign& campaign, std::string_view seat);

/// The campaign's own seat, else the host's.
inline std::string_view SeatOf(const Campaign& campaign, std::string_view seat) {
  return campaign.seat.empty() ? seat : std::string_view(campaign.seat);
}

}  // namespace adagents::ads::internal
