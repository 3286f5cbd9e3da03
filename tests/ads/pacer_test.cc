#include "adagents/ads/pacer.h"

#include <array>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::ads {
namespace {

const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);  // 2026-01-05 00:00 UTC
constexpr uint64_t kCampaign = 42;
constexpr int64_t kValue = 4000;  // micros an impression

/// A second-price market of one campaign whose rivals bid between 0 and `most`, and its clock.
struct Market {
  Pacer& pacer;
  Random random{1};
  absl::Time now;
  double per_second = 2;  // requests
  int64_t most = 2 * kValue;
  int64_t spent = 0;
  double clicks_per_impression = 0;
  int64_t clicks = 0;
  uint64_t decision = 0;

  explicit Market(Pacer& p, absl::Time start = kMonday) : pacer(p), now(start) { pacer.Tick(now); }

  /// Runs until `until`; returns what was spent.
  int64_t RunUntil(absl::Time until) {
    const int64_t before = spent;
    while (now < until) {
      now += absl::Seconds(20);
      for (int i = 0; i < static_cast<int>(20 * per_second); ++i) {
        pacer.OnRequest();
        const double factor = pacer.Factor(kCampaign, ++decision);
        const auto bid = static_cast<int64_t>(kValue * factor);
        const auto price = static_cast<int64_t>(random.Below(static_cast<uint64_t>(most))) + 1;
        if (bid < price) continue;
        spent += price;
        pacer.OnSpend(kCampaign, Micros{price});
        if (random.Chance(clicks_per_impression)) {
          ++clicks;
          pacer.OnAction(kCampaign);
        }
      }
      pacer.Tick(now);
    }
    return spent - before;
  }
};

PacerOptions Expecting(double per_second) {
  PacerOptions options;
  options.forecast = TrafficForecast::Flat(per_second * 3600);
  options.capacity = 64;
  return options;
}

TEST_CASE("a campaign that nobody set bids its value") {
  Pacer pacer(Expecting(1));
  CHECK(pacer.Factor(7, 1) == 1.0);
  CHECK_FALSE(pacer.Read(7).sits_out);
  CHECK_FALSE(pacer.Report(7).has_value());
  pacer.OnSpend(7, Micros{100});
  pacer.OnAction(7);
  pacer.Tick(kMonday);
  CHECK(pacer.Factor(7, 1) == 1.0);
  CHECK_FALSE(pacer.Remove(7));
}

TEST_CASE("goals that make no sense are refused with what is wrong") {
  Pacer pacer(Expecting(1));
  const auto message = [&](const PacingGoal& goal) {
    return std::string(Message(pacer.Set(1, goal)));
  };
  CHECK(message({}) == "a pacing goal has neither a daily nor a lifetime budget");
  CHECK(message({.daily = Micros{-1}}) == "a pacing goal's budget is negative");
  CHECK(message({.daily = Micros{1}, .target = Micros{-1}}) ==
        "a pacing goal's target is negative");
  CHECK(message({.daily = Micros{1}, .within = -absl::Seconds(1)}) ==
        "a pacing goal wants to be back on its plan within a negative time");
  CHECK(message({.daily = Micros{1}, .start = kMonday, .end = kMonday}) ==
        "a pacing goal's flight ends before it starts");
  CHECK(pacer.size() == 0);
}

TEST_CASE("more campaigns than there is room for are refused, and removed ones make room") {
  PacerOptions options;
  options.capacity = 8;
  Pacer pacer(options);
  for (uint64_t c = 0; c < 8; ++c) REQUIRE(pacer.Set(c, {.daily = Micros{1}}).ok());
  CHECK(pacer.Set(100, {.daily = Micros{1}}).code() == absl::StatusCode::kResourceExhausted);
  CHECK(pacer.Set(3, {.daily = Micros{5}}).ok());
  for (int round = 0; round < 100; ++round) {
    const auto gone = static_cast<uint64_t>(round);
    REQUIRE(pacer.Remove(gone));
    REQUIRE(pacer.Set(gone + 8, {.daily = Micros{1}}).ok());
    REQUIRE(pacer.Factor(gone, 1) == 1.0);
    for (uint64_t c = gone + 1; c <= gone + 8; ++c) REQUIRE(pacer.Report(c).has_value());
  }
  CHECK(pacer.size() == 8);
}

TEST_CASE("an even budget follows the forecast when traffic is three times more or less") {
  const double wrong = GENERATE(1.0, 3.0, 1.0 / 3);
  Pacer pacer(Expecting(2));
  const int64_t budget = 30'000'000;  // 17 % of what its full value would spend at a third
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  market.per_second = 2 * wrong;
  for (int hour = 0; hour < 24; ++hour) {
    const auto spent = static_cast<double>(market.RunUntil(market.now + absl::Hours(1)));
    INFO("wrong by " << wrong << ", hour " << hour << " spent " << spent);
    CHECK(spent == Approx(budget / 24.0).epsilon(hour == 0 ? 0.25 : 0.1));
  }
  CHECK(static_cast<double>(market.spent) == Approx(budget).epsilon(0.01));
  CHECK(market.spent < budget + kValue);  // no bid after the one that reached it
  CHECK(pacer.traffic_scale() == Approx(wrong).epsilon(0.05));
  const auto before = pacer.Report(kCampaign);
  REQUIRE(before.has_value());
  CHECK(before->pace.multiplier < 1.0f);
  // The next day begins with what was learnt on the first.
  const auto spent = static_cast<double>(market.RunUntil(market.now + absl::Hours(1)));
  CHECK(spent == Approx(budget / 24.0).epsilon(0.1));
}

/// As RunUntil(), among auctions that all have one price.
int64_t RunAtOnePrice(Market& m, absl::Time until) {
  constexpr int64_t kPrice = 2000;
  const int64_t before = m.spent;
  while (m.now < until) {
    m.now += absl::Seconds(20);
    for (int i = 0; i < static_cast<int>(20 * m.per_second); ++i) {
      m.pacer.OnRequest();
      if (kValue * m.pacer.Factor(kCampaign, ++m.decision) < kPrice) continue;
      m.spent += kPrice;
      m.pacer.OnSpend(kCampaign, Micros{kPrice});
    }
    m.pacer.Tick(m.now);
  }
  return m.spent - before;
}

TEST_CASE("where all auctions have one price, spending is even too") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 20'000'000;
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  for (int hour = 0; hour < 24; ++hour) {
    const auto spent = static_cast<double>(RunAtOnePrice(market, market.now + absl::Hours(1)));
    INFO("hour " << hour << " spent " << spent);
    CHECK(spent == Approx(budget / 24.0).epsilon(hour == 0 ? 0.25 : 0.1));
  }
  CHECK(market.spent < budget + kValue);  // no bid after the one that reached it
}

TEST_CASE("a few wins a day among many auctions of one price are spread over the day") {
  // One auction in 1,728 is to be won, four an hour. A controller that takes the cliff for a slope
  // wins none for a while and then several at once: a fifth of the budget in the wrong hours.
  Pacer pacer(Expecting(2));
  const int64_t budget = 100 * 2000;
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  RunAtOnePrice(market, kMonday + absl::Hours(24));
  double error = 0;
  for (int hour = 0; hour < 24; ++hour) {
    const auto spent = static_cast<double>(RunAtOnePrice(market, market.now + absl::Hours(1)));
    error += std::abs(spent - budget / 24.0) / budget;
  }
  INFO("the hours are off their plan by " << 100 * error << " % of the budget");
  CHECK(error < 0.15);
  CHECK(static_cast<double>(market.spent) == Approx(2 * budget).epsilon(0.01));
}

TEST_CASE("who need not be back on the plan soon buys more for the same budget") {
  const auto clicks = [](absl::Duration within) {
    Pacer pacer(Expecting(2));
    constexpr int64_t kBudget = 100 * 2000;
    (void)pacer.Set(kCampaign, {.daily = Micros{kBudget}, .within = within});
    Random random(7);
    double worth = 0;
    int64_t spent = 0;
    uint64_t decision = 0;
    absl::Time now = kMonday;
    pacer.Tick(now);
    for (int tick = 0; tick < 10 * 4320; ++tick) {
      now += absl::Seconds(20);
      for (int i = 0; i < 40; ++i) {
        // Few are worth much more than the others.
        const double value = 0.02 / (0.01 + random.Uniform());
        const double price = 1000 + 2000 * random.Uniform();
        pacer.OnRequest();
        if (value * kValue * pacer.Factor(kCampaign, ++decision) < price) continue;
        worth += value;
        spent += static_cast<int64_t>(price);
        pacer.OnSpend(kCampaign, Micros{static_cast<int64_t>(price)});
      }
      pacer.Tick(now);
    }
    CHECK(static_cast<double>(spent) == Approx(10.0 * kBudget).epsilon(0.02));
    return worth;
  };
  const double soon = clicks(absl::ZeroDuration()), late = clicks(absl::Hours(24));
  INFO(soon << " against " << late);
  CHECK(late > 1.03 * soon);
}

TEST_CASE("a front-loaded budget spends three quarters in the first half of the traffic") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 40'000'000;
  REQUIRE(pacer.Set(kCampaign, {.pace = Pace::kFrontLoaded, .daily = Micros{budget}}).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(12));
  CHECK(static_cast<double>(market.spent) == Approx(0.75 * budget).epsilon(0.02));
  market.RunUntil(kMonday + absl::Hours(24));
  CHECK(static_cast<double>(market.spent) == Approx(budget).epsilon(0.02));
}

TEST_CASE("as soon as possible bids the value until the budget is spent, and again the next day") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 10'000'000;
  REQUIRE(pacer.Set(kCampaign, {.pace = Pace::kAsap, .daily = Micros{budget}}).ok());
  Market market(pacer);
  CHECK(pacer.Factor(kCampaign, 1) == 1.0);
  market.RunUntil(kMonday + absl::Hours(6));
  CHECK(market.spent >= budget);
  CHECK(market.spent < budget + kValue);  // no bid after the one that reached it
  CHECK(pacer.Factor(kCampaign, 1) == 0.0);
  market.RunUntil(kMonday + absl::Hours(25));
  CHECK(market.spent > budget + kValue);
}

TEST_CASE("a flight is kept, and a lifetime budget alone is spread over it") {
  Pacer pacer(Expecting(2));
  PacingGoal goal{.lifetime = Micros{40'000'000},
                  .start = kMonday + absl::Hours(6),
                  .end = kMonday + absl::Hours(46)};
  REQUIRE(pacer.Set(kCampaign, goal).ok());
  Market market(pacer);
  CHECK(market.RunUntil(kMonday + absl::Hours(6) - absl::Seconds(20)) == 0);
  CHECK(pacer.Factor(kCampaign, 1) == 0.0);
  market.RunUntil(kMonday + absl::Hours(26));
  CHECK(static_cast<double>(market.spent) == Approx(20e6).epsilon(0.03));
  market.RunUntil(kMonday + absl::Hours(46));
  CHECK(static_cast<double>(market.spent) == Approx(40e6).epsilon(0.01));
  CHECK(market.RunUntil(kMonday + absl::Hours(50)) == 0);
}

TEST_CASE("a lifetime budget bounds the days") {
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{10'000'000}, .lifetime = Micros{15'000'000}}).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(24));
  CHECK(static_cast<double>(market.spent) == Approx(10e6).epsilon(0.01));
  market.RunUntil(kMonday + absl::Hours(72));
  CHECK(static_cast<double>(market.spent) == Approx(15e6).epsilon(0.01));
}

TEST_CASE("a day lasts as long as it does in the goal's time zone") {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone("America/New_York", &zone)) {
    WARN("SKIPPED: no time zone data here");
    return;
  }
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{1'000'000}, .zone = zone}).ok());
  // Clocks go forwards on 2026-03-08 and backwards on 2026-11-01.
  for (const auto& [day, hours] :
       {std::pair(absl::CivilDay(2026, 3, 8), 23), std::pair(absl::CivilDay(2026, 11, 1), 25),
        std::pair(absl::CivilDay(2026, 11, 2), 24)}) {
    const absl::Time midnight = absl::FromCivil(day, zone);
    pacer.Tick(midnight);
    CHECK(pacer.Report(kCampaign)->period_end == midnight + absl::Hours(hours));
  }
}

TEST_CASE("a restarted server and a changed budget plan for what is left") {
  Pacer pacer(Expecting(2));
  // Half the day is gone and 30 of 40 units are spent.
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{40'000'000}}, Micros{30'000'000}).ok());
  Market market(pacer, kMonday + absl::Hours(12));
  market.RunUntil(kMonday + absl::Hours(18));
  CHECK(static_cast<double>(market.spent) == Approx(5e6).epsilon(0.05));
  CHECK(pacer.Report(kCampaign)->spent.value == 30'000'000 + market.spent);
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{50'000'000}}).ok());
  market.RunUntil(kMonday + absl::Hours(21));
  CHECK(static_cast<double>(market.spent) == Approx(12.5e6).epsilon(0.05));
  market.RunUntil(kMonday + absl::Hours(24));
  CHECK(static_cast<double>(market.spent) == Approx(20e6).epsilon(0.02));
}

TEST_CASE("a goal set or changed just before midnight costs the next day nothing") {
  const absl::Time midnight = kMonday + absl::Hours(24);
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{24'000'000}, .lifetime = Micros{60'000'000}}).ok());
  Market market(pacer);
  const int64_t first = market.RunUntil(midnight - absl::Seconds(20));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{25'000'000}, .lifetime = Micros{60'000'000}}).ok());
  CHECK(pacer.Report(kCampaign)->pending);
  CHECK(pacer.Report(kCampaign)->spent.value == first);
  // One that is new to the pacer has spent of its day, and another of a day that is not over.
  const PacingGoal day{.daily = Micros{24'000'000}};
  REQUIRE(pacer.Set(43, day, Micros{20'000'000}, {}, midnight - absl::Seconds(5)).ok());
  REQUIRE(pacer.Set(44, day, Micros{5'000'000}, {}, midnight + absl::Seconds(5)).ok());
  const int64_t second = market.RunUntil(midnight + absl::Seconds(20));
  CHECK_FALSE(pacer.Report(kCampaign)->pending);
  CHECK(pacer.Report(kCampaign)->spent.value < 100'000);
  CHECK(pacer.Report(43)->spent.value == 0);
  CHECK(pacer.Report(44)->spent.value == 5'000'000);
  const int64_t rest = market.RunUntil(midnight + absl::Hours(24));
  CHECK(static_cast<double>(second + rest) == Approx(25e6).epsilon(0.02));
  // Both days count in its life.
  market.RunUntil(midnight + absl::Hours(48));
  CHECK(static_cast<double>(market.spent) == Approx(60e6).epsilon(0.01));
}

TEST_CASE("a budget already overspent, and one lowered below its spend, stop the campaign") {
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{1'000}}, Micros{5'000}).ok());
  pacer.Tick(kMonday);
  CHECK(pacer.Factor(kCampaign, 1) == 0.0);
  REQUIRE(pacer.Set(43, {.daily = Micros{1'000'000}}).ok());
  pacer.Tick(kMonday + absl::Minutes(1));
  CHECK(pacer.Factor(43, 1) > 0.0);
  pacer.OnSpend(43, Micros{900});
  REQUIRE(pacer.Set(43, {.daily = Micros{500}}).ok());
  pacer.Tick(kMonday + absl::Minutes(2));
  CHECK(pacer.Factor(43, 1) == 0.0);
}

TEST_CASE("a burst between two ticks cannot spend the day") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 24'000'000;
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(3));
  const int64_t before = market.spent;
  for (int i = 0; i < 1'000'000; ++i) {
    if (pacer.Factor(kCampaign, static_cast<uint64_t>(i)) == 0) break;
    pacer.OnSpend(kCampaign, Micros{1000});
    market.spent += 1000;
  }
  CHECK(market.spent - before < budget / 50);
}

TEST_CASE("taken back is as if it had not been spent") {
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.pace = Pace::kAsap, .daily = Micros{1000}}).ok());
  pacer.Tick(kMonday);
  pacer.OnSpend(kCampaign, Micros{1000});
  CHECK(pacer.Factor(kCampaign, 1) == 0.0);
  pacer.OnSpend(kCampaign, Micros{-1000});
  CHECK(pacer.Factor(kCampaign, 1) == 1.0);
}

TEST_CASE("the average cost of a click comes down to its target when rates were overestimated") {
  Pacer pacer(Expecting(2));
  const double rate = 0.05;
  PacingGoal goal{.pace = Pace::kAsap, .daily = Micros{1'000'000'000}};
  goal.target = Micros{static_cast<int64_t>(0.25 * kValue / rate)};
  goal.action = Action::kClick;
  REQUIRE(pacer.Set(kCampaign, goal).ok());
  Market market(pacer);
  market.clicks_per_impression = rate;
  // At full value the mean price is half of it, so a click costs twice the target.
  market.RunUntil(kMonday + absl::Hours(12));
  const int64_t spent = market.spent, clicks = market.clicks;
  market.RunUntil(kMonday + absl::Hours(36));
  const double cost =
      static_cast<double>(market.spent - spent) / static_cast<double>(market.clicks - clicks);
  CHECK(cost == Approx(static_cast<double>(goal.target.value)).epsilon(0.05));
}

TEST_CASE("a thousand impressions cost what the target says, and a target above changes nothing") {
  const double share = GENERATE(0.3, 2.0);
  Pacer pacer(Expecting(2));
  PacingGoal goal{.pace = Pace::kAsap, .daily = Micros{1'000'000'000}};
  goal.target = Micros{static_cast<int64_t>(share * kValue * 1000)};
  REQUIRE(pacer.Set(kCampaign, goal).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(12));
  const auto pace = pacer.Read(kCampaign);
  if (share > 1) {
    CHECK(pace.multiplier == 1.0f);
  } else {  // prices are uniform: the mean is half of the bid
    CHECK(pace.multiplier == Approx(2 * share).epsilon(0.05));
  }
}

TEST_CASE("a campaign's own terms make its goal") {
  Campaign campaign;
  campaign.budget = {Micros{10}, Micros{100}};
  campaign.end = kMonday;
  campaign.bid.action = Action::kClick;
  campaign.bid.value_per_action = Micros{7};
  campaign.budget.time_zone = "Europe/Berlin";
  campaign.pacing = {Pace::kFrontLoaded, Micros{5}, Action::kClick};
  const PacingGoal goal = GoalOf(campaign);
  CHECK(goal.pace == Pace::kFrontLoaded);
  CHECK(goal.zone.name() == "Europe/Berlin");
  CHECK(goal.daily.value == 10);
  CHECK(goal.lifetime.value == 100);
  CHECK(goal.end == kMonday);
  CHECK(goal.target.value == 5);
  CHECK(goal.action == Action::kClick);
  CHECK(Name(Pace::kEven) == "even");
}

TEST_CASE("the same events and ticks give the same multipliers") {
  std::array<float, 2> multipliers{};
  for (float& m : multipliers) {
    Pacer pacer(Expecting(2));
    REQUIRE(pacer.Set(kCampaign, {.daily = Micros{30'000'000}}).ok());
    Market market(pacer);
    market.RunUntil(kMonday + absl::Hours(5));
    m = pacer.Read(kCampaign).multiplier;
    CHECK(pacer.Factor(kCampaign, 9) == pacer.Factor(kCampaign, 9));
  }
  CHECK(multipliers[0] == multipliers[1]);
}

TEST_CASE("a clock that stands still or is set back or far forwards does no harm") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 30'000'000;
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(5));
  const float before = pacer.Read(kCampaign).multiplier;
  pacer.Tick(market.now);
  CHECK(pacer.Read(kCampaign).multiplier == before);
  // The hour is played twice, so what is left is spread over 20 hours.
  market.now -= absl::Hours(1);
  const double left = static_cast<double>(budget - market.spent);
  const auto spent = static_cast<double>(market.RunUntil(kMonday + absl::Hours(6)));
  CHECK(spent == Approx(left / 20 * 2).epsilon(0.1));
  market.RunUntil(kMonday + absl::Hours(24));
  CHECK(static_cast<double>(market.spent) == Approx(budget).epsilon(0.01));
  pacer.Tick(kMonday + absl::Hours(24 * 400));
  CHECK(pacer.Read(kCampaign).multiplier > 0);
  CHECK_FALSE(pacer.Read(kCampaign).sits_out);
}

TEST_CASE("when ticks stop, campaigns stop soon") {
  Pacer pacer(Expecting(2));
  const int64_t budget = 30'000'000;
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{budget}}).ok());
  Market market(pacer);
  market.RunUntil(kMonday + absl::Hours(5));
  int64_t more = 0;
  for (uint64_t i = 0; i < 100'000 && pacer.Factor(kCampaign, i) > 0; ++i) {
    pacer.OnSpend(kCampaign, Micros{2000});
    more += 2000;
  }
  CHECK(more < budget / 50);
}

TEST_CASE("campaigns that come and go for years leave the table as quick and as roomy") {
  PacerOptions options;
  options.capacity = 256;
  Pacer pacer(options);
  for (uint64_t c = 0; c < 200; ++c) REQUIRE(pacer.Set(Mix64(c + 1), {.daily = Micros{1}}).ok());
  for (uint64_t c = 0; c < 50'000; ++c) {
    REQUIRE(pacer.Remove(Mix64(c + 1)));
    REQUIRE(pacer.Set(Mix64(c + 201), {.daily = Micros{1}}).ok());
  }
  CHECK(pacer.size() == 200);
  for (uint64_t c = 50'000; c < 50'200; ++c) REQUIRE(pacer.Report(Mix64(c + 1)).has_value());
  CHECK(pacer.Factor(Mix64(3), 1) == 1.0);
}

TEST_CASE("many threads spend, decide and change goals while the pacer ticks") {
  Pacer pacer(Expecting(1000));
  constexpr int kThreads = 4, kEach = 20'000;
  for (uint64_t c = 0; c < 8; ++c) REQUIRE(pacer.Set(c, {.daily = Micros{1 << 30}}).ok());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto c = static_cast<uint64_t>(i % 8);
        pacer.OnRequest();
        const double f = pacer.Factor(c, static_cast<uint64_t>(t * kEach + i));
        if (!(f >= 0 && f <= 1)) std::abort();
        pacer.OnSpend(c, Micros{3});
      }
    });
  }
  std::thread changer([&] {
    for (uint64_t i = 0; !stop.load(); ++i) {
      (void)pacer.Set(100 + i % 7, {.daily = Micros{5}});
      (void)pacer.Remove(100 + (i + 3) % 7);
      (void)pacer.Set(0,
                      {.pace = i % 2 == 0 ? Pace::kEven : Pace::kAsap, .daily = Micros{1 << 30}});
    }
  });
  std::thread ticker([&] {
    for (int64_t i = 0; !stop.load(); ++i) pacer.Tick(kMonday + absl::Seconds(i % 80'000));
  });
  for (std::thread& t : threads) t.join();
  stop.store(true);
  changer.join();
  ticker.join();
  pacer.Tick(kMonday + absl::Hours(23));
  for (uint64_t c = 0; c < 8; ++c) {
    CHECK(pacer.Report(c)->spent.value == kThreads * kEach / 8 * 3);
  }
}

TEST_CASE("a clock that was ahead for a moment does not stop a campaign") {
  Pacer pacer(Expecting(2));
  REQUIRE(pacer.Set(kCampaign, {.daily = Micros{100'000'000}}).ok());
  Market market(pacer);
  (void)market.RunUntil(kMonday + absl::Hours(6));
  pacer.Tick(kMonday + absl::Hours(30 * 24));
  market.now = kMonday + absl::Hours(6);
  CHECK(market.RunUntil(kMonday + absl::Hours(24)) > 0);
  for (int day = 1; day <= 3; ++day) {
    INFO("day " << day);
    const int64_t spent = market.RunUntil(kMonday + absl::Hours(24 * (day + 1)));
    CHECK(spent > 90'000'000);
    CHECK(spent <= 101'000'000);
  }
}

TEST_CASE("a daily bound that is added later counts what was spent that day, not in the flight") {
  Pacer pacer(Expecting(2));
  const absl::Time end = kMonday + absl::Hours(24 * 10);
  const auto lifetime = Micros{1'000'000'000};
  REQUIRE(pacer.Set(kCampaign, {.lifetime = lifetime, .start = kMonday, .end = end}).ok());
  Market market(pacer);
  const int64_t before = market.RunUntil(kMonday + absl::Hours(48));
  const int64_t today = market.RunUntil(kMonday + absl::Hours(60));
  CHECK(before > 150'000'000);
  CHECK(today > 30'000'000);
  REQUIRE(
      pacer
          .Set(kCampaign,
               {.daily = Micros{120'000'000}, .lifetime = lifetime, .start = kMonday, .end = end},
               Micros{today}, Micros{before}, market.now)
          .ok());
  const int64_t rest = market.RunUntil(kMonday + absl::Hours(72));
  CHECK(static_cast<double>(today + rest) == Approx(120e6).epsilon(0.03));
}

}  // namespace
}  // namespace adagents::ads
