#include "adagents/ads/inventory_forecast.h"

#include <cmath>
#include <thread>

#include "adagents/ads/agents/inventory.h"
#include "adagents/base/random.h"
#include "ads/listener_kit.h"

namespace adagents::ads::test {
namespace {

const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);  // 2026-01-05 00:00 UTC

/// Slots in an hour of a day with a morning and an evening peak.
double RateAt(int64_t hour_of_week) {
  const double hour = static_cast<double>(hour_of_week % 24);
  const double peaks =
      std::exp(-(hour - 8) * (hour - 8) / 8) + 1.5 * std::exp(-(hour - 19) * (hour - 19) / 10);
  return 40 + 400 * peaks * (hour_of_week >= 120 ? 0.6 : 1.0);
}

/// One hour of requests, with a day's weather of its own in `level`.
int Hour(InventoryForecast& forecast, uint64_t placement, int64_t hour, double level,
         Random& random) {
  const absl::Time begin = kMonday + absl::Hours(hour);
  const double rate = RateAt(hour % 168) * level;
  int seen = 0;
  for (double at = 0;;) {
    at += -std::log(1 - random.Uniform()) / rate;  // Poisson
    if (at >= 1) return seen;
    forecast.Observe(placement, begin + absl::Hours(1) * at);
    ++seen;
  }
}

TEST_CASE("a placement that nobody has seen for an hour is not known") {
  InventoryForecast forecast;
  Random random(1);
  CHECK_FALSE(forecast.Expect(7, kMonday, kMonday + absl::Hours(1)).known);
  Hour(forecast, 7, 0, 1, random);
  CHECK_FALSE(forecast.Expect(7, kMonday + absl::Hours(1), kMonday + absl::Hours(2)).known);
  Hour(forecast, 7, 1, 1, random);
  Hour(forecast, 7, 2, 1, random);
  const InventoryOutlook next =
      forecast.Expect(7, kMonday + absl::Hours(3), kMonday + absl::Hours(4));
  CHECK(next.known);
  CHECK(next.slots == Approx(RateAt(3)).epsilon(0.5));
  CHECK(std::isinf(next.high));  // nobody knows yet how wrong that is
}

TEST_CASE("the forecast learns the week, beats the last hour, and its intervals hold") {
  InventoryForecast forecast;
  Random random(2);
  const uint64_t placement = 99;
  double error = 0, naive_error = 0, last = 0, width = 0;
  int judged = 0, within = 0;
  double level = 1;
  for (int64_t hour = 0; hour < 24 * 7 * 8; ++hour) {
    // Levels that drift and jump, as weather and releases make them.
    level *= std::exp(0.05 * (random.Uniform() - 0.5));
    if (hour % 500 == 499) level *= 1.5;
    const absl::Time begin = kMonday + absl::Hours(hour);
    const InventoryOutlook expected = forecast.Expect(placement, begin, begin + absl::Hours(1));
    const double came = Hour(forecast, placement, hour, level, random);
    if (hour >= 24 * 7 * 2) {
      REQUIRE(expected.known);
      REQUIRE(std::isfinite(expected.high));
      error += std::abs(came - expected.slots);
      naive_error += std::abs(came - last);
      width += (expected.high - expected.low) / came;
      ++judged;
      within += came >= expected.low && came <= expected.high ? 1 : 0;
    }
    last = came;
  }
  const double share = static_cast<double>(within) / judged;
  INFO("covered " << share << ", error " << error / judged << ", of the last hour "
                  << naive_error / judged << ", mean relative width " << width / judged);
  CHECK(error < 0.7 * naive_error);
  CHECK(share > 0.87);  // 0.9 is aimed at; 1,008 hours tell it to within 0.02
  CHECK(share < 0.94);
  CHECK(width / judged < 0.8);
  CHECK(static_cast<double>(forecast.coverage().within) / forecast.coverage().hours ==
        Approx(0.9).margin(0.03));
}

TEST_CASE("placements beyond the room are counted together, and threads may observe at once") {
  InventoryForecast forecast({.placements = 4});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&forecast, t] {
      for (int i = 0; i < 3000; ++i) {
        forecast.Observe(1 + static_cast<uint64_t>((i + t) % 6), kMonday + absl::Seconds(i));
        (void)forecast.Expect(1, kMonday, kMonday + absl::Hours(1));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(forecast.placements() == 4);
  CHECK(forecast.without_room() == 4000);  // two of six places, twelve thousand times
}

TEST_CASE("a placement is where a slot is, what fills it, and when it comes") {
  TestRequest a, b, c, d;
  b.audio.startdelay = -1;
  c.request.channel.bundle = "fm.other";
  d.imp.tagid = "top";
  const auto of = [](TestRequest& r) {
    const RequestPtr done = r.Done();
    return PlacementOf(*done, done->imps[0]);
  };
  const uint64_t first = of(a);
  TestRequest same;
  CHECK(of(same) == first);
  CHECK(of(b) != first);
  CHECK(of(c) != first);
  CHECK(of(d) != first);
}

TEST_CASE("a test is not forecast from") {
  TestEngine engine({AudioCampaign("a", 5)}, WithListener());
  TestRequest test;
  test.request.test = true;
  REQUIRE(Winner(engine.Decide(test.Done())) == "a");
  CHECK(engine->inventory()->placements() == 0);
}

TEST_CASE("an engine forecasts from the requests that it decides, and says so") {
  TestEngine engine({AudioCampaign("a", 5)}, WithListener());
  REQUIRE(engine->inventory() != nullptr);
  for (int i = 0; i < 3 * 360; ++i) {
    (void)engine.Decide(RequestOf("ann"));
    engine.clock->Advance(absl::Seconds(10));
  }
  CHECK(engine->inventory()->placements() == 1);
  CallOptions call;
  call.explain = true;
  const std::string chain = engine->Explain(engine->Decide(RequestOf("ann"), call));
  INFO(chain);
  CHECK(chain.find("imp #0: 360 slots like it are expected within an hour") != std::string::npos);
}

}  // namespace
}  // namespace adagents::ads::test
