#include "adagents/ads/win_landscape.h"

#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr double kUnit = 1e6;

/// Rivals' best bid: uniform in [0, 4] units, or lognormal around 1.5 units.
Micros Rival(Random& random, bool lognormal) {
  if (!lognormal) return {static_cast<int64_t>(random.Uniform() * 4 * kUnit) + 1};
  const double u = std::max(1e-12, random.Uniform());
  const double normal = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307 * random.Uniform());
  return {static_cast<int64_t>(1.5 * kUnit * std::exp(0.5 * normal))};
}

/// Surplus in units of `n` first-price auctions, of impressions worth 1 to 5 units.
double Surplus(uint64_t seed, bool lognormal, int n,
               const std::function<Micros(Micros value, uint64_t id)>& bid,
               const std::function<void(Micros bid, Micros price)>& after) {
  Random random(seed);
  double surplus = 0;
  for (int i = 0; i < n; ++i) {
    const Micros value{static_cast<int64_t>((1 + 4 * random.Uniform()) * kUnit)};
    const Micros price = Rival(random, lognormal);
    const Micros b = bid(value, seed * 1'000'000 + static_cast<uint64_t>(i));
    if (b >= price) surplus += (value - b).units();
    after(b, price);
  }
  return surplus;
}

const auto kNothing = [](Micros, Micros) {};

TEST_CASE("before enough was seen the value is bid, and never more than it") {
  WinLandscape landscape({.explore = 0});
  for (const int64_t value : {int64_t{1}, int64_t{999}, int64_t{2'000'000}, int64_t{1} << 60}) {
    CHECK(landscape.Shade({value}, 1).value == value);
  }
  CHECK(landscape.Shade({0}, 1).value == 0);
  CHECK(landscape.Shade({-5}, 1).value == -5);
  landscape.Update();
  CHECK(landscape.Shade({2'000'000}, 1).value == 2'000'000);
  CHECK(landscape.WinRate({2'000'000}) == 0);
}

TEST_CASE("against uniform rivals half the value is bid, which is the known optimum") {
  WinLandscape landscape({.explore = 0});
  Random random(3);
  for (int i = 0; i < 50'000; ++i) landscape.OnPriceToWin(Rival(random, false));
  landscape.Update();
  for (const double value : {1.0, 2.0, 3.0, 4.0}) {
    const Micros bid = landscape.Shade(*Micros::FromUnits(value), 1);
    CHECK(bid.units() == Approx(value / 2).epsilon(0.12));
  }
  CHECK(landscape.WinRate(*Micros::FromUnits(2)) == Approx(0.5).epsilon(0.06));
}

TEST_CASE("learnt from wins and losses alone, shading gains nearly what knowing the prices gains") {
  const bool lognormal = GENERATE(false, true);
  WinLandscape landscape;
  int seen = 0;
  const auto shade = [&](Micros value, uint64_t id) { return landscape.Shade(value, id); };
  const auto learn = [&](Micros bid, Micros price) {
    landscape.OnBid(bid, bid >= price);
    if (++seen % 1000 == 0) landscape.Update();
  };
  Surplus(1, lognormal, 60'000, shade, learn);
  WinLandscape knowing({.explore = 0});
  Random random(99);
  for (int i = 0; i < 50'000; ++i) knowing.OnPriceToWin(Rival(random, lognormal));
  knowing.Update();

  constexpr int kMany = 100'000;
  const double ours = Surplus(2, lognormal, kMany, shade, kNothing);
  const double best = Surplus(
      2, lognormal, kMany, [&](Micros v, uint64_t id) { return knowing.Shade(v, id); }, kNothing);
  double flat = 0;  // the best of all fixed shares
  for (int share = 5; share < 100; share += 5) {
    flat = std::max(
        flat, Surplus(
                  2, lognormal, kMany,
                  [&](Micros v, uint64_t) { return Micros{v.value * share / 100}; }, kNothing));
  }
  INFO("ours " << ours << " knowing " << best << " flat " << flat);
  CHECK(ours > 0.94 * best);  // 5 % of the bids explore
  CHECK(best >= 0.99 * flat);
  CHECK(Surplus(
            2, lognormal, kMany, [](Micros v, uint64_t) { return v; }, kNothing) == 0);
}

TEST_CASE("a market that changes is learnt anew") {
  WinLandscape landscape({.explore = 0, .half_life = 5000});
  const auto bid = [&] { return landscape.Shade({4'000'000}, 1).units(); };
  for (int i = 0; i < 10'000; ++i) landscape.OnPriceToWin({1'000'000});
  landscape.Update();
  CHECK(bid() == Approx(1).epsilon(0.12));
  CHECK(bid() >= 1);
  for (int i = 0; i < 100'000; ++i) {
    landscape.OnPriceToWin({3'000'000});
    if (i % 1000 == 0) landscape.Update();
  }
  landscape.Update();
  CHECK(bid() == Approx(3).epsilon(0.12));
  CHECK(bid() >= 3);
}

TEST_CASE("win rates never fall with the bid, whatever was seen") {
  WinLandscape landscape;
  Random random(5);
  for (int i = 0; i < 5000; ++i) {
    landscape.OnBid({static_cast<int64_t>(1 + random.Below(20'000'000))}, random.Chance(0.5));
  }
  landscape.OnBid({0}, true);
  landscape.OnPriceToWin({-1});
  landscape.Update();
  double last = 0;
  for (int64_t b = 1; b < 2'000'000'000; b = b * 21 / 20 + 1) {
    const double rate = landscape.WinRate({b});
    CHECK(rate >= last);
    CHECK(rate <= 1);
    last = rate;
    const Micros shaded = landscape.Shade({b}, static_cast<uint64_t>(b));
    CHECK(shaded.value >= 1);
    CHECK(shaded.value <= b);
  }
}

TEST_CASE("many threads bid while the landscape is updated") {
  WinLandscape landscape;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20'000; ++i) {
        const Micros bid = landscape.Shade({3'000'000 + i}, static_cast<uint64_t>(t * i));
        landscape.OnBid(bid, bid.value > 2'000'000);
        if (i % 2000 == 0) landscape.Update();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  landscape.Update();
  CHECK(landscape.WinRate({2'990'000}) > 0.9);
}

}  // namespace
}  // namespace adagents::ads
