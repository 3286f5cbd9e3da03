// The pacing benchmark in short: a few campaigns, two days, worlds that nothing was tuned on. The
// long version with all figures is bench/pacing/main.cc.
#include <memory>
#include <vector>

#include "catch.h"
#include "run.h"

namespace pacing_bench {
namespace {

struct Sum {
  int days = 0, kept = 0;
  double value = 0, hourly = 0;
};

/// Days on which an oracle that knows the day and keeps to the plan spends 98 % and can.
Sum Paced(const World& world, int days, std::unique_ptr<Policy> (*make)(const CampaignWorld&)) {
  Sum sum;
  std::vector<Auction> auctions;
  for (size_t i = 0; i < world.campaigns().size(); ++i) {
    const CampaignWorld& campaign = world.campaigns()[i];
    const std::unique_ptr<Policy> policy = make(campaign);
    for (int day = 0; day < days; ++day) {
      world.Day(static_cast<int>(i), day, &auctions);
      const DayResult oracle = PlayPlanOracle(campaign, auctions);
      const DayResult result = Play(campaign, auctions, day, *policy);
      CHECK(result.spent <= campaign.budget);
      if (!Kept(ErrorsOf(campaign, oracle))) continue;
      const DayErrors errors = ErrorsOf(campaign, result);
      ++sum.days;
      sum.kept += Kept(errors) ? 1 : 0;
      sum.value += result.value / oracle.value;
      sum.hourly += errors.hourly;
    }
  }
  return sum;
}

TEST_CASE("days whose traffic was forecast wrong by three are paced as planned") {
  const World world({.seed = 1002, .campaigns = 25});
  const Sum ours = Paced(world, 2, [](const CampaignWorld& c) { return MakeLibrary(c); });
  const Sum even = Paced(world, 2, [](const CampaignWorld& c) { return MakeEvenShare(c); });
  const Sum greedy = Paced(world, 2, [](const CampaignWorld&) { return MakeGreedy(); });
  INFO(ours.kept << " of " << ours.days << " days kept; value " << ours.value / ours.days);
  REQUIRE(ours.days >= 40);
  CHECK(ours.kept >= 0.93 * ours.days);
  CHECK(ours.value / ours.days > 0.97);
  CHECK(ours.hourly / ours.days < 0.06);
  CHECK(ours.value > 1.3 * even.value);
  CHECK(greedy.kept == 0);
}

TEST_CASE("days that are as forecast are paced even closer") {
  const World world({.seed = 1004, .campaigns = 15, .scale = 1, .shape = 1});
  const Sum ours = Paced(world, 2, [](const CampaignWorld& c) { return MakeLibrary(c); });
  INFO(ours.kept << " of " << ours.days << " days kept; value " << ours.value / ours.days);
  REQUIRE(ours.days >= 25);
  CHECK(ours.kept >= 0.96 * ours.days);
  CHECK(ours.value / ours.days > 0.975);
}

}  // namespace
}  // namespace pacing_bench
