#include "adagents/ads/traffic_forecast.h"

#include <cmath>
#include <limits>

#include "catch.h"

namespace adagents::ads {
namespace {

const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);  // 2026-01-05 00:00 UTC

TrafficForecast::Hours Rising() {
  TrafficForecast::Hours hours;
  for (size_t h = 0; h < hours.size(); ++h) hours[h] = static_cast<double>(h + 1);
  return hours;
}

TEST_CASE("a profile gives each hour of the week its own requests") {
  const TrafficForecast forecast(Rising());
  CHECK(forecast.Profile(kMonday, kMonday + absl::Hours(1)) == Approx(1));
  CHECK(forecast.Profile(kMonday + absl::Hours(167), kMonday + absl::Hours(168)) == Approx(168));
  CHECK(forecast.Profile(kMonday + absl::Hours(168), kMonday + absl::Hours(169)) == Approx(1));
  CHECK(forecast.Profile(kMonday - absl::Hours(1), kMonday) == Approx(168));
  CHECK(forecast.Profile(kMonday + absl::Minutes(90), kMonday + absl::Minutes(150)) ==
        Approx(1 + 1.5));
  CHECK(forecast.Profile(kMonday, kMonday + absl::Hours(3 * 168)) == Approx(3 * 84 * 169));
  CHECK(forecast.Profile(kMonday, kMonday - absl::Hours(1)) == 0);
  CHECK(forecast.Profile(kMonday, kMonday) == 0);
}

TEST_CASE("hours without a usable number are small and never nothing") {
  TrafficForecast::Hours hours = TrafficForecast::Flat(100);
  hours[0] = 0;
  hours[1] = -5;
  hours[2] = std::numeric_limits<double>::quiet_NaN();
  hours[3] = std::numeric_limits<double>::infinity();
  const TrafficForecast forecast(hours);
  for (int h = 0; h < 4; ++h) {
    const double requests =
        forecast.Profile(kMonday + absl::Hours(h), kMonday + absl::Hours(h + 1));
    CHECK(requests > 0);
    CHECK(requests < 1);
  }
  CHECK(TrafficForecast(TrafficForecast::Flat(0)).Profile(kMonday, kMonday + absl::Hours(1)) > 0);
}

TEST_CASE("a scale that is wrong by three is right after a few minutes, both ways") {
  const double factor = GENERATE(3.0, 1.0 / 3);
  TrafficForecast forecast(TrafficForecast::Flat(36'000));
  absl::Time now = kMonday;
  for (int minute = 0; minute < 30; ++minute, now += absl::Minutes(1)) {
    forecast.Observe(now, now + absl::Minutes(1), static_cast<int64_t>(600 * factor));
  }
  CHECK(forecast.scale() == Approx(factor).epsilon(0.02));
  CHECK(forecast.Expect(now, now + absl::Hours(1)) == Approx(36'000 * factor).epsilon(0.02));
}

TEST_CASE("the profile learns from hours that have passed and from no others") {
  TrafficForecast forecast(TrafficForecast::Flat(3600), {.learning_rate = 0.5});
  absl::Time now = kMonday;
  for (int minute = 0; minute < 61; ++minute, now += absl::Minutes(1)) {
    forecast.Observe(now, now + absl::Minutes(1), 240);  // four times the forecast
  }
  CHECK(forecast.hours()[0] == Approx(7200).epsilon(0.02));
  CHECK(forecast.hours()[1] == 3600);
}

TEST_CASE("no request at all, and time that stands still, harm nothing") {
  TrafficForecast forecast(TrafficForecast::Flat(3600));
  forecast.Observe(kMonday, kMonday, 5);
  forecast.Observe(kMonday, kMonday + absl::Minutes(1), -5);
  CHECK(forecast.scale() == 1);
  absl::Time now = kMonday;
  for (int i = 0; i < 10'000; ++i, now += absl::Minutes(1)) {
    forecast.Observe(now, now + absl::Minutes(1), 0);
  }
  CHECK(forecast.scale() > 0);
  CHECK(forecast.scale() < 0.01);
  CHECK(std::isfinite(forecast.Expect(now, now + absl::Hours(200))));
}

}  // namespace
}  // namespace adagents::ads
