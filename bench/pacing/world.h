// The ground truth of the pacing benchmark: days of auctions for one campaign after the other, with
// a forecast that is wrong. All parameters are here and in world.cc, set before any pacing was
// tuned; seeds decide everything. Worlds with odd seeds are for tuning, even ones for reporting.
//
// Traffic: a daily profile with a morning and an evening peak. What comes is that, times a scale
// from 1/3 to 3 that the forecast does not know, times a shape whose hours are wrong by up to 3
// against each other, times bursts of minutes (autocorrelated, sd 0.2). Scale and shape are new
// each day. Campaign: eligible for a share of the traffic; half pay per impression (all impressions
// worth the same), half per click (worth a lognormal predicted rate). The budget is 3 to 60 % of
// what bidding the full value would spend on a day as forecast. Rivals: lognormal highest bids
// whose level follows the hour (dearer in the evening), drifts from day to day, and is correlated
// with the value; a third of the campaigns meet hard floors, where many auctions have the same
// price. Second price. Notices: the price paid is known after an exponential delay of 40 s on
// average.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace pacing_bench {

inline constexpr double kDay = 86'400.0, kHour = 3'600.0;

struct Auction {
  float at;     // seconds of the day
  float value;  // micros for the impression
  float price;  // highest rival bid or floor, micros
  float delay;  // seconds until a win is known
};

struct CampaignWorld {
  double requests = 0;      // forecast, a day
  double budget = 0;        // micros a day
  double most = 0;          // highest value of an impression: what max_cpm would be / 1000
  double value_sigma = 0;   // 0: pays per impression
  double rival_median = 0;  // of value
  double rival_sigma = 0;
  double correlation = 0;
  double floor = 0;  // of the mean value; 0: none
};

struct WorldOptions {
  uint64_t seed = 1;
  int campaigns = 60, days = 3;
  double scale = 3, shape = 3;  // how wrong the forecast is, at most; 1: right
  bool delays = true;
};

/// Requests of each hour of the day, as forecast, for one a day in all.
std::array<double, 24> Profile();

class World {
 public:
  explicit World(const WorldOptions& options);
  const std::vector<CampaignWorld>& campaigns() const { return campaigns_; }
  /// The auctions of one day, by time.
  void Day(int campaign, int day, std::vector<Auction>* out) const;

 private:
  const WorldOptions options_;
  std::vector<CampaignWorld> campaigns_;
};

}  // namespace pacing_bench
