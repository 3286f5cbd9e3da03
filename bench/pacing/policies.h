// Who paces: the library, and what a good engineer would have written instead. All see the same:
// the forecast's profile, the requests as they come, wins and prices when their notice arrives, and
// a tick every 20 seconds. The budget itself is kept by the harness.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "world.h"

namespace pacing_bench {

/// One campaign over several days.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string_view name() const = 0;
  virtual void BeginDay(int day) = 0;
  /// Bid in micros for the impression; 0: none.
  virtual double Bid(const Auction& a, uint64_t id) = 0;
  virtual void OnWin(double paid) = 0;
  virtual void Tick(double second_of_day) = 0;
};

inline constexpr double kTick = 20.0;

std::unique_ptr<Policy> MakeGreedy();
/// Each tick may spend its share of what is left, by the forecast; who comes first is served.
std::unique_ptr<Policy> MakeEvenShare(const CampaignWorld& campaign);

struct PidGains {
  double p = 0.15, i = 0.02, d = 0.1;  // the best of a grid of 18 on the worlds for tuning
};
/// ln multiplier = PID of ln(planned / spent) over the last ten minutes, as Zhang et al., "Feedback
/// control of real-time display advertising", WSDM 2016; with a tick's allowance as even_share has.
std::unique_ptr<Policy> MakePid(const CampaignWorld& campaign, PidGains gains);
std::unique_ptr<Policy> MakeLibrary(const CampaignWorld& campaign);

}  // namespace pacing_bench
