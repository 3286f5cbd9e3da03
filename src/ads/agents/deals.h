// Which of an imp's deals a campaign may use.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "adagents/ads/campaign.h"
#include "adagents/ads/request.h"

namespace adagents::ads::internal {

/// Through which deal a campaign buys.
struct DealChoice {
  int16_t deal = -1;      // index into Imp::deals; -1: none
  bool required = false;  // the campaign buys through deals only
  bool refused = false;   // it names one of the imp's deals, which does not invite it
};

/// The deals of one imp. Reading costs as much as sorting what they name; choosing depends on that
/// by a logarithm only.
///
/// Thread-compatible. Reading another imp reuses the memory; the imp need not outlive it.
class DealBook {
 public:
  void Read(const Imp& imp);
  /// The first of the imp's deals that the campaign's targeting includes and whose wseat and
  /// wadomain invite it. `seat` stands in for campaigns without one.
  [[nodiscard]] DealChoice Choose(const Campaign& campaign, std::string_view seat) const;

 private:
  [[nodiscard]] bool Invites(uint32_t deal, const Campaign& campaign, std::string_view seat) const;

  struct Terms {
    bool seats = false, domains = false;  // only those that it names are invited
  };
  std::vector<Terms> terms_;                            // as Imp::deals
  std::vector<std::pair<uint64_t, uint32_t>> ids_;      // hash and deal, sorted
  std::vector<std::pair<uint32_t, uint64_t>> seats_;    // deal and hash, sorted
  std::vector<std::pair<uint32_t, uint64_t>> domains_;  // likewise
};

/// The campaign's own seat, else the host's.
inline std::string_view SeatOf(const Campaign& campaign, std::string_view seat) {
  return campaign.seat.empty() ? seat : std::string_view(campaign.seat);
}

}  // namespace adagents::ads::internal
