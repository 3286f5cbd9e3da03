// Plays days of auctions under a policy and measures; and the two oracles that know the day.
#pragma once

#include <array>
#include <vector>

#include "policies.h"
#include "world.h"

namespace pacing_bench {

/// One campaign's day.
struct DayResult {
  double spent = 0, value = 0;  // micros
  std::array<double, 24> hours{};
  double last_percent = 0;  // spent in the last 1 % of the day
  long impressions = 0;
};

/// How a day went beside its plan; shares.
struct DayErrors {
  double spend = 0;       // |spent - budget| / budget
  double hourly = 0;      // sum over hours of |spent - planned| / budget
  double worst_hour = 0;  // largest |spent - planned| / planned
  double last = 0;        // last_percent / budget
};

DayResult Play(const CampaignWorld& campaign, const std::vector<Auction>& day, int number,
               Policy& policy);
/// The most value that the budget buys, knowing all auctions: the best bargains first (exact but
/// for one impression). On plan: the same within each hour's plan, what an hour cannot spend being
/// offered to the hours after it.
DayResult PlayOracle(const CampaignWorld& campaign, const std::vector<Auction>& day);
DayResult PlayPlanOracle(const CampaignWorld& campaign, const std::vector<Auction>& day);
DayErrors ErrorsOf(const CampaignWorld& campaign, const DayResult& result);
/// Within 2 % of the budget, 10 % by hour, and at most 5 % in the last hundredth of the day.
inline bool Kept(const DayErrors& e) {
  return e.spend <= 0.02 && e.hourly <= 0.10 && e.last <= 0.05;
}

}  // namespace pacing_bench
