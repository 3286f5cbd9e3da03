#include "adagents/ads/traffic_forecast.h"

#include <algorithm>
#include <cmath>

namespace adagents::ads {
namespace {

constexpr double kHourSeconds = 3600.0;
constexpr int64_t kEpochHour = 72;  // 1970-01-01 was a Thursday: hour 72 of its week
// The scale begins as if so many requests had come as forecast.
constexpr double kPriorRequests = 20.0;
// Half of an hour's forecast has to have been observed before the profile learns from it.
constexpr double kEnoughOfAnHour = 0.5;

int HourOfWeek(int64_t hour) {
  const int64_t h = (hour + kEpochHour) % TrafficForecast::kHours;
  return static_cast<int>(h < 0 ? h + TrafficForecast::kHours : h);
}

double Seconds(absl::Time t) { return absl::ToDoubleSeconds(t - absl::UnixEpoch()); }

}  // namespace

TrafficForecast::TrafficForecast(const Hours& per_hour, const TrafficForecastOptions& options)
    : options_(options), hours_(per_hour) {
  double sum = 0;
  const auto usable = [](double h) { return h > 0 && std::isfinite(h); };
  for (const double h : hours_) sum += usable(h) ? h : 0;
  const double least = sum > 0 ? sum / kHours / 1000 : 1.0;
  for (double& h : hours_) {
    if (!usable(h)) h = least;
  }
  SumUp();
}

void TrafficForecast::SumUp() {
  for (size_t h = 0; h < hours_.size(); ++h) sums_[h + 1] = sums_[h] + hours_[h];
}

/// Since Monday 1969-12-29, by the profile.
double TrafficForecast::Cumulative(absl::Time t) const {
  const double hours = Seconds(t) / kHourSeconds + static_cast<double>(kEpochHour);
  const double weeks = std::floor(hours / kHours);
  const double in_week = std::clamp(hours - weeks * kHours, 0.0, static_cast<double>(kHours));
  const auto hour = std::min(static_cast<size_t>(in_week), hours_.size() - 1);
  return weeks * sums_[kHours] + sums_[hour] + hours_[hour] * (in_week - static_cast<double>(hour));
}

double TrafficForecast::Profile(absl::Time from, absl::Time to) const {
  return to > from ? std::max(0.0, Cumulative(to) - Cumulative(from)) : 0.0;
}

void TrafficForecast::Observe(absl::Time from, absl::Time to, int64_t requests) {
  const double expected = Profile(from, to);
  if (!(expected > 0) || requests < 0) return;
  const double seconds = absl::ToDoubleSeconds(to - from);
  const double keep = std::exp(-seconds / std::max(1e-3, absl::ToDoubleSeconds(options_.memory)));
  seen_ = seen_ * keep + static_cast<double>(requests);
  expected_ = expected_ * keep + expected;
  scale_ = (seen_ + kPriorRequests * scale_) / (expected_ + kPriorRequests);
  scale_ = std::clamp(scale_, 1e-6, 1e6);

  const auto hour = static_cast<int64_t>(std::floor(Seconds(from) / kHourSeconds));
  if (hour != hour_) FinishHour(hour);
  hour_seen_ += static_cast<double>(requests);
  hour_expected_ += expected;
}

void TrafficForecast::FinishHour(int64_t hour) {
  if (hour_ != INT64_MIN) {
    double& mine = hours_[static_cast<size_t>(HourOfWeek(hour_))];
    if (hour_expected_ > kEnoughOfAnHour * mine) {
      const double ratio = (hour_seen_ + kPriorRequests) / (hour_expected_ + kPriorRequests);
      mine *= std::pow(ratio, options_.learning_rate);
      SumUp();
    }
  }
  hour_ = hour;
  hour_seen_ = hour_expected_ = 0;
}

}  // namespace adagents::ads
