#include "adagents/testing/traffic.h"

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "adagents/ads/ledger.h"
#include "adagents/ads/pacer.h"
#include "ads/engine_kit.h"

namespace adagents::testing {
namespace {

using Kind = TrafficEvent::Kind;
const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);

ads::TrafficForecast::Hours TwoPeaks(double a_day) {
  ads::TrafficForecast::Hours hours;
  for (size_t h = 0; h < hours.size(); ++h) {
    const double hour = static_cast<double>(h % 24);
    hours[h] = a_day / 24 * (1 + 0.6 * std::sin((hour - 8) / 24 * 2 * 3.14159265));
  }
  return hours;
}

/// One campaign that always bids `price`.
struct Bids {
  ads::Campaign campaign = ads::test::AudioCampaign("a", 5);
  uint64_t decisions = 0;
  Bids() { campaign.key = StableHash64(campaign.id); }
  ads::Decision At(double price) {
    ads::Decision d;
    d.id = ++decisions;
    ads::Bid bid;
    bid.campaign = &campaign;
    bid.creative = &campaign.creatives[0];
    bid.price = ads::test::Units(price);
    d.bids.push_back(bid);
    return d;
  }
};

std::string Line(const TrafficEvent& e) {
  return std::to_string(static_cast<int>(e.kind)) + " " + absl::FormatTime(e.at) + " " +
         std::to_string(e.number) + " " + std::to_string(e.price.value) + " " +
         (e.request ? std::string(e.request->user.id) : "") + (e.repeated ? " again" : "");
}

std::vector<std::string> Day(uint64_t seed, double price) {
  VirtualClock clock(kMonday);
  TrafficOptions options;
  options.seed = seed;
  Traffic traffic(options, &clock);
  Bids bids;
  std::vector<std::string> lines;
  TrafficEvent e;
  while (traffic.Next(kMonday + absl::Hours(1), &e)) {
    lines.push_back(Line(e));
    if (e.kind == Kind::kRequest) traffic.Answer(e, bids.At(price));
  }
  return lines;
}

TEST_CASE("the same seed gives the same traffic, another one another") {
  const auto once = Day(1, 2);
  CHECK(once.size() > 7000);
  CHECK(once == Day(1, 2));
  CHECK(once != Day(2, 2));
}

TEST_CASE("requests follow the profile and its scale, and the clock the events") {
  VirtualClock clock(kMonday);
  TrafficOptions options;
  options.hours = TwoPeaks(48'000);
  options.scale = 2;
  Traffic traffic(options, &clock);
  std::array<double, 24> hours{};
  TrafficEvent e;
  absl::Time last = kMonday;
  while (traffic.Next(kMonday + absl::Hours(24), &e)) {
    REQUIRE(e.at >= last);
    REQUIRE(absl::AbsDuration(clock.WallNow() - e.at) < absl::Microseconds(1));
    last = e.at;
    hours.at(static_cast<size_t>(absl::ToInt64Hours(e.at - kMonday))) += 1;
  }
  CHECK(clock.WallNow() == kMonday + absl::Hours(24));
  for (size_t h = 0; h < 24; ++h) {
    CHECK(hours[h] == Approx(2 * options.hours[h]).epsilon(0.1));
  }
}

TEST_CASE("what follows comes in its order, and the shares of lost and doubled notices are kept") {
  VirtualClock clock(kMonday);
  TrafficOptions options;
  options.click = 0.5;
  options.lost = 0.1;
  options.doubled = 0.05;
  options.very_late = 0.01;
  Traffic traffic(options, &clock);
  Bids bids;
  std::map<uint64_t, absl::Time> asked, shown;
  std::map<Kind, int> seen, again;
  const auto take = [&](const TrafficEvent& e) {
    (e.repeated ? again : seen)[e.kind] += 1;
    if (e.kind == Kind::kRequest) {
      asked[e.number] = e.at;
      traffic.Answer(e, bids.At(2));
      return;
    }
    REQUIRE(asked.contains(e.number));
    REQUIRE(e.campaign == bids.campaign.key);
    REQUIRE(e.at >= asked[e.number]);
    REQUIRE(e.outcome.has_value() == (e.kind != Kind::kWin));
    if (e.kind == Kind::kLoss) REQUIRE(e.price > ads::test::Units(2));
    if (e.kind == Kind::kWin) REQUIRE(e.price <= ads::test::Units(2));
  };
  TrafficEvent e;
  while (traffic.Next(kMonday + absl::Hours(6), &e)) take(e);
  CHECK(traffic.under_way() > 0);
  while (traffic.Drain(&e)) take(e);
  CHECK(traffic.under_way() == 0);

  const TrafficTruth& truth = traffic.truth();
  CHECK(truth.requests == asked.size());
  CHECK(truth.bids == truth.requests);
  // The bid is the rivals' median.
  CHECK(static_cast<double>(truth.wins) == Approx(0.5 * truth.bids).epsilon(0.05));
  CHECK(static_cast<double>(truth.clicks) == Approx(0.5 * truth.impressions).epsilon(0.06));
  CHECK(static_cast<double>(truth.completions) == Approx(0.8 * truth.impressions).epsilon(0.05));
  CHECK(seen[Kind::kImpression] == Approx(0.9 * truth.impressions).epsilon(0.03));
  int doubled = 0, notices = 0;
  for (const auto& [kind, n] : again) doubled += n;
  for (const auto& [kind, n] : seen) notices += kind == Kind::kRequest ? 0 : n;
  CHECK(doubled == static_cast<int>(truth.doubled_notices));
  CHECK(doubled == Approx(0.05 * notices).epsilon(0.1));
  const double sent = notices + static_cast<double>(truth.lost_notices);
  CHECK(static_cast<double>(truth.lost_notices) == Approx(0.1 * sent).epsilon(0.1));
  CHECK(static_cast<double>(truth.very_late_notices) == Approx(0.01 * sent).epsilon(0.25));
}

TEST_CASE("first-price auctions cost the bid, and two policies meet the same rivals") {
  const auto wins = [](double price, int32_t at) {
    VirtualClock clock(kMonday);
    TrafficOptions options;
    options.at = at;
    options.lost = options.doubled = options.very_late = 0;
    Traffic traffic(options, &clock);
    Bids bids;
    std::map<uint64_t, int64_t> prices;
    TrafficEvent e;
    const auto take = [&] {
      if (e.kind == Kind::kRequest) traffic.Answer(e, bids.At(price));
      if (e.kind == Kind::kWin) prices[e.number] = e.price.value;
    };
    while (traffic.Next(kMonday + absl::Minutes(20), &e)) take();
    while (traffic.Drain(&e)) take();
    return prices;
  };
  for (const auto& [number, price] : wins(2, 1)) REQUIRE(price == 2'000'000);
  const auto low = wins(2, 2), high = wins(4, 2);
  CHECK(low.size() < high.size());
  for (const auto& [number, price] : low) REQUIRE(high.contains(number));
}

// The whole of it: an engine with a ledger, paced against a forecast that is wrong by three, for
// two days, with notices that are late, doubled and lost.
TEST_CASE(
    "an engine's campaigns spend their days' budgets evenly through late and doubled notices") {
  VirtualClock clock(kMonday);
  const auto source = ads::MemoryLeaseSource::Create(9);
  auto made = ads::Ledger::Create(source.get(), {.max_accounts = 8,
                                                 .max_reservations = 1 << 14,
                                                 .ttl = absl::Minutes(5),
                                                 .background = false,
                                                 .clock = &clock});
  REQUIRE(made.ok());
  ads::PacerOptions pacing;
  pacing.forecast = TwoPeaks(60'000);
  pacing.capacity = 16;
  ads::EngineOptions options;
  options.ledger = *std::move(made);
  options.pacer = std::make_shared<ads::Pacer>(pacing);
  options.auction.pricing = ads::AuctionPricing::kFirstPrice;  // the exchange reduces second prices
  options.runtime.clock = &clock;
  options.runtime.inline_scheduler = InlineScheduler{};
  options.relevance.rows = 64;
  const std::shared_ptr<ads::Ledger> ledger = options.ledger;
  std::vector<ads::Campaign> campaigns;
  std::map<uint64_t, double> budget;
  for (const auto& [id, cpm, daily] :
       {std::tuple{"a", 3.0, 2.0}, std::tuple{"b", 4.0, 4.0}, std::tuple{"c", 5.0, 8.0}}) {
    campaigns.push_back(ads::test::AudioCampaign(id, cpm));
    campaigns.back().budget.daily = ads::test::Units(daily);
    budget[StableHash64(id)] = daily * 1e6;
  }
  options.catalog = ads::test::MakeCatalog(std::move(campaigns));
  auto engine = ads::Engine::Create(std::move(options));
  REQUIRE(engine.ok());
  TrafficOptions traffic_options;
  traffic_options.hours = TwoPeaks(60'000);
  traffic_options.scale = 1.0 / 3;
  Traffic traffic(traffic_options, &clock);

  std::map<uint64_t, double> spent;  // in all
  const auto spent_until = [&](absl::Time until) {
    TrafficEvent e;
    while (traffic.Next(until, &e)) {
      REQUIRE((*engine)->Tick().ok());
      if (e.kind == Kind::kRequest) {
        traffic.Answer(e, (*engine)->Decide(e.request).value);
      } else if (e.outcome) {
        REQUIRE((*engine)->Record(*e.outcome).ok());
        (void)(*engine)->runtime().RunPending();
      }
    }
    std::map<uint64_t, double> since;
    for (const ads::AccountReport& report : ledger->Report()) {
      REQUIRE(report.Balanced());
      const auto now = static_cast<double>(report.spent.value);
      since[report.campaign] = now - spent[report.campaign];
      spent[report.campaign] = now;
    }
    return since;
  };
  for (int day = 0; day < 2; ++day) {
    const absl::Time begin = kMonday + absl::Hours(24) * day;
    auto morning = spent_until(begin + absl::Hours(12));
    auto afternoon = spent_until(begin + absl::Hours(24));
    const ads::TrafficForecast plan(pacing.forecast);
    const double half =
        plan.Profile(begin, begin + absl::Hours(12)) / plan.Profile(begin, begin + absl::Hours(24));
    for (const auto& [campaign, units] : budget) {
      INFO("day " << day << " spent " << morning[campaign] << " + " << afternoon[campaign] << " of "
                  << units);
      CHECK(morning[campaign] + afternoon[campaign] == Approx(units).epsilon(0.02));
      CHECK(morning[campaign] == Approx(half * units).epsilon(0.05));
    }
  }
  int64_t duplicate = 0, late = 0;
  for (const ads::AccountReport& report : ledger->Report()) {
    duplicate += report.duplicate.count;
    late += report.late.count + report.late_uncharged.count;
  }
  CHECK(duplicate > 100);
  CHECK(late > 10);
  CHECK(traffic.truth().lost_notices > 100);
  CHECK((*engine)->GetStats().runtime.decisions() > 30'000);
}

}  // namespace
}  // namespace adagents::testing
