// How many requests are to be expected: a profile by hour of the week, and how far the traffic of
// this moment is above or below it.
//
//   TrafficForecast forecast(TrafficForecast::Flat(3'600'000));     // a thousand a second
//   forecast.Observe(before, now, requests_since_before);           // as they come
//   double next = forecast.Expect(now, now + absl::Minutes(1));     // with the present scale
//   double share = forecast.Profile(now, end_of_day);               // the profile alone
//
// Units: requests. Hours are of UTC, 0 is Monday 00:00-01:00. Within an hour the profile is level.
// The scale is observed / profile over a recent past that forgets exponentially (memory), so a
// forecast that is wrong by a factor, all day or for some hours, is right again within a few
// minutes. The profile itself learns slowly, once per hour of the week that has passed:
// profile *= (observed / profile)^learning_rate.
//
// Seasonal profile and multiplicative level: Holt-Winters without trend (Winters, "Forecasting
// sales by exponentially weighted moving averages", Management Science 6(3), 1960).
#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace adagents::ads {

struct TrafficForecastOptions {
  absl::Duration memory = absl::Minutes(10);  ///< of the scale; > 0
  double learning_rate = 0.3;                 ///< of the profile, per week; 0: it stays as given
};

/// Thread-compatible: the pacer has one and guards it.
class TrafficForecast {
 public:
  static constexpr int kHours = 168;
  using Hours = std::array<double, kHours>;
  static Hours Flat(double per_hour) {
    Hours hours;
    hours.fill(per_hour);
    return hours;
  }

  /// Requests for each hour of the week. Hours that are not positive and finite count as a
  /// thousandth of the mean, so that no division by nothing is expected of anybody.
  explicit TrafficForecast(const Hours& per_hour, const TrafficForecastOptions& options = {});

  /// Requests between two times by the profile alone; 0 when `to` is not after `from`. Exact and
  /// quick for any distance.
  [[nodiscard]] double Profile(absl::Time from, absl::Time to) const;
  /// The same times scale(): what is to be expected soon.
  [[nodiscard]] double Expect(absl::Time from, absl::Time to) const {
    return Profile(from, to) * scale_;
  }
  /// `requests` came between the two times. Calls in order of time; others are ignored.
  void Observe(absl::Time from, absl::Time to, int64_t requests);

  /// Observed / profile, lately. 1 at first.
  [[nodiscard]] double scale() const { return scale_; }
  [[nodiscard]] const Hours& hours() const { return hours_; }

 private:
  void SumUp();
  void FinishHour(int64_t hour);
  double Cumulative(absl::Time t) const;

  const TrafficForecastOptions options_;
  Hours hours_;
  std::array<double, kHours + 1> sums_{};  // of hours_ before each
  double seen_ = 0, expected_ = 0;         // over the memory
  double scale_ = 1.0;
  int64_t hour_ = INT64_MIN;  // since the epoch: the one that is being observed
  double hour_seen_ = 0, hour_expected_ = 0;
};

}  // namespace adagents::ads
