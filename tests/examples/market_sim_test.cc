// The parts of examples/market_sim that its figures rest on.
#include <cmath>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "arms.h"
#include "blended.h"
#include "catch.h"
#include "factorisation_machine.h"
#include "judge.h"
#include "shared/estimate.h"
#include "simulate.h"

namespace market_sim {
namespace {

using adagents::bench::EstimateOf;
using adagents::bench::StudentT;

TEST_CASE("an estimate has Student's interval") {
  CHECK(StudentT(1) == Approx(12.706));
  CHECK(StudentT(9) == Approx(2.262).epsilon(0.005));
  CHECK(StudentT(1000) == Approx(1.962).epsilon(0.005));
  const Estimate e = EstimateOf({1, 2, 3});
  CHECK(e.mean == Approx(2));
  CHECK(e.half == Approx(4.303 / std::sqrt(3)));
  CHECK(EstimateOf({5}).half == 0);
  CHECK(EstimateOf({}).mean == 0);
}

TEST_CASE("the machine learns what goes with what, which a logistic regression cannot") {
  const auto loss = [](int width) {
    MachineOptions options;
    options.bits = 8;
    options.width = width;
    options.vector_rate = 0.1;
    options.spread = 0.1;
    options.prior = 0.3;
    FactorisationMachine machine(options);
    adagents::Random random(1);
    double sum = 0;
    for (int i = 0; i < 30'000; ++i) {
      const auto a = static_cast<uint32_t>(random.Below(2));
      const auto b = static_cast<uint32_t>(random.Below(2));
      const bool happened = random.Chance(a == b ? 0.5 : 0.1);
      const Places places = {a, 2 + b};
      if (i >= 20'000) {
        const double p = machine.Predict(places);
        sum -= std::log(happened ? p : 1 - p) / 10'000;
      }
      machine.Learn(places, happened);
    }
    return sum;
  };
  const double entropy = 0.5 * (std::log(2) - 0.1 * std::log(0.1) - 0.9 * std::log(0.9));
  CHECK(loss(4) < entropy + 0.01);
  CHECK(loss(0) > entropy + 0.06);
}

TEST_CASE("scoring by parts is predicting by the whole") {
  MachineOptions options;
  options.bits = 8;
  FactorisationMachine machine(options);
  adagents::Random random(2);
  for (int i = 0; i < 500; ++i) {
    machine.Learn(Places{static_cast<uint32_t>(random.Below(20)), 30, 40}, random.Chance(0.3));
  }
  const Places shared = {3, 30}, own = {40, 7}, all = {3, 30, 40, 7};
  const double odds = machine.LogOdds(machine.Sum(shared), machine.Sum(own));
  CHECK(1 / (1 + std::exp(-odds)) == Approx(machine.Predict(all)));
  CHECK(machine.Variance(shared) > 0);
  CHECK(machine.Variance(Places{30}) < machine.Variance(Places{200}));
  CHECK(machine.parameters() == 22 * 9 + 1);
}

TEST_CASE("settings of the blended model are read, written and checked") {
  const auto options = ParseBlended("rate=0.25,width=4,explore=0");
  REQUIRE(options.ok());
  CHECK(options->machine.rate == 0.25);
  CHECK(options->machine.width == 4);
  CHECK(ParseBlended(ToText(*options))->machine.rate == 0.25);
  CHECK(ParseBlended("").ok());
  CHECK(ParseBlended("width=4", *options)->machine.rate == 0.25);  // the others stay
  for (const auto world : testing::ListeningWorldNames()) {
    CHECK(ParseBlended(ToText(TunedFor(world))).ok());
  }
  const auto error = [](const char* text) {
    return std::string(ParseBlended(text).status().message());
  };
  CHECK(error("speed=1").find("'speed' is no setting") == 0);
  CHECK(error("rate").find("rate must be from 1e-06 to 10, got ''") == 0);
  CHECK(error("rate=fast").find("got 'fast'") != std::string::npos);
  CHECK(error("width=65").find("width must be from 0 to 64") == 0);
}

Result WithClicks(double clicks) {
  Result r;
  r.judged.impressions = 100;
  r.judged.expected_clicks = clicks;
  return r;
}

TEST_CASE("arms are compared seed by seed") {
  WorldRuns runs{"made up", {}, {"blended", "specialists", "oracle"}, {}};
  for (const double base : {2.0, 4.0, 6.0}) {
    runs.results["blended"].push_back(WithClicks(base));
    runs.results["specialists"].push_back(WithClicks(1.25 * base));
    runs.results["oracle"].push_back(WithClicks(1.5 * base));
  }
  const Metric& click_through = ClickThrough();
  CHECK(Level(runs, "blended", click_through).mean == Approx(0.04));
  const auto above = Above(runs, "specialists", "blended", click_through);
  REQUIRE(above.has_value());
  CHECK(above->mean == Approx(0.25));  // whatever the seeds' own levels are
  CHECK(above->half == Approx(0).margin(1e-12));
  CHECK(ShareOfGap(runs, "specialists", "blended", click_through)->mean == Approx(0.5));
  CHECK_FALSE(Above(runs, "specialists", "nobody", click_through).has_value());
  // No share of a gap that is not there.
  runs.results["oracle"] = runs.results["blended"];
  for (Result& r : runs.results["oracle"]) r.judged.expected_clicks *= 1 + 1e-14;
  CHECK_FALSE(ShareOfGap(runs, "specialists", "blended", click_through).has_value());
}

TEST_CASE("calibration is the mean distance from the truth") {
  WorldRuns runs{"made up", {}, {"blended"}, {}};
  Result r;
  r.calibration[0] = {10, 2, 1, 1};  // predicted 20 %, true 10 %
  r.calibration[3] = {30, 3, 3, 2};
  runs.results["blended"].push_back(r);
  CHECK(CalibrationError(runs, "blended") == Approx(1.0 / 40));
}

Result Simulated(const std::string& world, const std::string& arm, uint64_t seed) {
  auto result = Simulate({world, arm, seed, 400, 0.5, {}});
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  return *std::move(result);
}

TEST_CASE("every arm decides, the same each time, and knowing pays") {
  double random = 0, oracle = 0;
  for (const uint64_t seed : {1, 2}) {
    for (const std::string& arm : ArmNames()) {
      INFO(arm);
      const Result once = Simulated("music", arm, seed), twice = Simulated("music", arm, seed);
      CHECK(once.judged.impressions > 200);
      CHECK(once.judged.impressions == twice.judged.impressions);
      CHECK(once.judged.expected_clicks == twice.judged.expected_clicks);
      CHECK(once.judged.cost == twice.judged.cost);
      CHECK(once.judged.requests >= once.judged.impressions);
      CHECK(once.judged.hours > 20);
      double in_time = 0;
      for (const Sums& step : once.over_time) in_time += step.impressions;
      CHECK(in_time > 1.5 * once.judged.impressions);
      const double rate = ClickThrough().of(once.judged);
      if (arm == "random") random += rate;
      if (arm == "oracle") oracle += rate;
    }
  }
  CHECK(oracle > 2 * random);
}

TEST_CASE("without structure no arm has an advantage") {
  for (const std::string& arm : ArmNames()) {
    const Sums judged = Simulated("flat", arm, 3).judged;
    INFO(arm);
    CHECK(ClickThrough().of(judged) == Approx(0.0212));
    CHECK(Metrics()[1].of(judged) == Approx(0.816));
    CHECK(Metrics()[2].of(judged) == Approx(0.269));
  }
}

TEST_CASE("a removed specialist is missed, and unknown arms are named") {
  for (const std::string& arm : AblatedArms()) {
    INFO(arm);
    CHECK(Simulated("music", arm, 1).judged.expected_clicks !=
          Simulated("music", "specialists", 1).judged.expected_clicks);
  }
  const auto wrong = MakeArm("specialists-charm", {});
  CHECK(wrong.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(wrong.status().message()).find("no arm 'specialists-charm'") !=
        std::string::npos);
}

}  // namespace
}  // namespace market_sim
