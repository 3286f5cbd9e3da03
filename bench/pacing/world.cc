#include "world.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "adagents/base/random.h"

namespace pacing_bench {
namespace {

using adagents::CombineHash;
using adagents::Random;

constexpr double kMicros = 1e6;

double LogUniform(Random& random, double low, double high) {
  return low * std::pow(high / low, random.Uniform());
}
double Exponential(Random& random) { return -std::log(1 - random.Uniform()); }

/// Hours' factors with mean 1 under `profile`, the largest `ratio` times the smallest at most.
std::array<double, 24> Shape(Random& random, double ratio, const std::array<double, 24>& profile) {
  std::array<double, 24> shape{};
  const double p1 = 2 * std::numbers::pi * random.Uniform();
  const double p2 = 2 * std::numbers::pi * random.Uniform();
  const double w2 = random.Uniform();
  double most = 0;
  for (size_t h = 0; h < 24; ++h) {
    const double t = 2 * std::numbers::pi * static_cast<double>(h) / 24;
    shape[h] = std::sin(t + p1) + w2 * std::sin(2 * t + p2) + 0.3 * random.Normal();
    most = std::max(most, std::abs(shape[h]));
  }
  double sum = 0;
  for (size_t h = 0; h < 24; ++h) {
    shape[h] = std::exp(shape[h] / most * std::log(ratio) / 2);
    sum += shape[h] * profile[h];
  }
  for (double& s : shape) s /= sum;
  return shape;
}

}  // namespace

std::array<double, 24> Profile() {
  std::array<double, 24> profile{};
  double sum = 0;
  for (size_t h = 0; h < 24; ++h) {
    const auto hump = [&](double center, double width) {
      const double d = (static_cast<double>(h) + 0.5 - center) / width;
      return std::exp(-d * d / 2);
    };
    profile[h] = 0.25 + hump(8.5, 2.0) + 1.3 * hump(20.0, 3.0) + 0.5 * hump(13.0, 3.0);
    sum += profile[h];
  }
  for (double& p : profile) p /= sum;
  return profile;
}

World::World(const WorldOptions& options) : options_(options) {
  for (int i = 0; i < options.campaigns; ++i) {
    Random random(CombineHash(options.seed, 1000003), static_cast<uint64_t>(i));
    CampaignWorld c;
    c.requests = LogUniform(random, 30'000, 120'000);
    const double mean_value = LogUniform(random, 0.5, 8.0) * kMicros / 1000;
    c.value_sigma = random.Chance(0.5) ? 0.0 : 0.3 + 0.5 * random.Uniform();
    c.most = mean_value * (c.value_sigma > 0 ? 4 : 1);
    c.rival_median = (0.3 + 1.2 * random.Uniform()) * mean_value;
    c.rival_sigma = 0.3 + 0.7 * random.Uniform();
    c.correlation = 0.5 * random.Uniform();
    c.floor = random.Chance(1.0 / 3) ? (0.3 + 0.5 * random.Uniform()) * mean_value : 0.0;
    campaigns_.push_back(c);
    // What the full value would spend on a day as forecast.
    World right(WorldOptions{.seed = options.seed, .campaigns = 0, .scale = 1, .shape = 1});
    right.campaigns_ = campaigns_;
    std::vector<Auction> day;
    right.Day(i, 1'000'000, &day);
    double all = 0;
    for (const Auction& a : day) all += a.price <= a.value ? static_cast<double>(a.price) : 0.0;
    campaigns_.back().budget = std::floor(all * LogUniform(random, 0.03, 0.6));
  }
}

void World::Day(int campaign, int day, std::vector<Auction>* out) const {
  const CampaignWorld& c = campaigns_[static_cast<size_t>(campaign)];
  Random random(CombineHash(options_.seed, static_cast<uint64_t>(campaign)),
                static_cast<uint64_t>(day) + 77);
  const std::array<double, 24> profile = Profile();
  const double scale = LogUniform(random, 1 / options_.scale, options_.scale);
  const std::array<double, 24> shape = Shape(random, options_.shape, profile);
  const double drift = 0.15 * random.Normal();
  const double mean_value = c.most / (c.value_sigma > 0 ? 4 : 1);
  out->clear();
  double burst = random.Normal();
  constexpr double kMinute = 60;
  for (int minute = 0; minute < 1440; ++minute) {
    burst = 0.9 * burst + std::sqrt(1 - 0.81) * random.Normal();
    const auto hour = static_cast<size_t>(minute / 60);
    const double rate =
        c.requests * profile[hour] * scale * shape[hour] / 60 * std::exp(0.2 * burst - 0.02);
    const double level = drift + 0.2 * std::sin(2 * std::numbers::pi * (minute / 60.0 - 14) / 24);
    double at = Exponential(random) / rate;
    for (; at < 1; at += Exponential(random) / rate) {
      const double z = random.Normal();
      const double e = random.Normal();
      Auction a;
      a.at = static_cast<float>((minute + at) * kMinute);
      a.value = static_cast<float>(std::min(
          c.most, mean_value * std::exp(c.value_sigma * z - c.value_sigma * c.value_sigma / 2)));
      const double mixed = c.correlation * z + std::sqrt(1 - c.correlation * c.correlation) * e;
      a.price = static_cast<float>(
          std::max(c.floor, c.rival_median * std::exp(level + c.rival_sigma * mixed)));
      a.delay = options_.delays ? static_cast<float>(40 * Exponential(random)) : 0.0f;
      out->push_back(a);
    }
  }
}

}  // namespace pacing_bench
