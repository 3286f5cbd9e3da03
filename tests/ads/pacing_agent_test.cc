#include <memory>

#include "adagents/ads/agents/pacing.h"
#include "adagents/ads/agents/pricing.h"
#include "adagents/ads/reasons.h"
#include "adagents/testing/agent_harness.h"
#include "ads/engine_kit.h"

namespace adagents::ads {
namespace {

using test::AudioCampaign;
using test::MakeCatalog;
using test::TestEngine;
using test::TestRequest;
using test::Units;
using test::Winner;

constexpr uint64_t kFirst = 1;  // any decision

uint64_t KeyOf(const char* id) { return StableHash64(id); }

std::shared_ptr<Pacer> MakePacer() {
  PacerOptions options;
  options.capacity = 64;
  return std::make_shared<Pacer>(options);
}

/// Sets a goal that has been spent already, so that the campaign sits out from now on.
void Exhaust(Pacer& pacer, const char* id, absl::Time now) {
  REQUIRE(pacer.Set(KeyOf(id), {.daily = Micros{100}}, Micros{100}).ok());
  pacer.Tick(now);
}

TEST_CASE("pacing gives each candidate its campaign's factor and counts the request") {
  Snapshot<Catalog> catalog(MakeCatalog({AudioCampaign("a", 4), AudioCampaign("b", 3)}));
  Candidates candidates;
  candidates.catalog = catalog.Pin();
  const uint32_t a = *candidates.catalog->Find("a"), b = *candidates.catalog->Find("b");
  for (const uint32_t c : {a, a, b}) candidates.items.push_back({.campaign = c});
  candidates.imps.resize(1);
  candidates.imps[0].end = 3;
  const auto pacer = MakePacer();
  REQUIRE(pacer->Set(KeyOf("a"), {.daily = Units(50)}).ok());
  testing::AgentHarness harness;
  harness.Set(kRequest, Request{}).Set(kCandidates, candidates).SetState(kPacer, pacer);
  pacer->Tick(harness.clock().WallNow());
  const auto run = harness.SetId(kFirst).Run<Pacing>();
  REQUIRE(run.status.ok());
  const Paces& paces = run.Get(kPaces);
  REQUIRE(paces.factor.size() == 3);
  CHECK(paces.factor[0] == static_cast<float>(pacer->Factor(KeyOf("a"), kFirst)));
  CHECK(paces.factor[0] < 1);
  CHECK(paces.factor[1] == paces.factor[0]);
  CHECK(paces.factor[2] == 1.0f);
  CHECK(paces.landscape == nullptr);
  CHECK(run.HasReason(reasons::kPaced));
}

TEST_CASE("the pacer's forecast learns from requests, but not from tests") {
  const auto scale_after = [](int requests, bool test) {
    Snapshot<Catalog> catalog(MakeCatalog({AudioCampaign("a", 4)}));
    Candidates candidates;
    candidates.catalog = catalog.Pin();
    Request request;
    request.test = test;
    const auto pacer = MakePacer();
    testing::AgentHarness harness;
    harness.Set(kRequest, request).Set(kCandidates, candidates).SetState(kPacer, pacer);
    const absl::Time begin = harness.clock().WallNow();
    pacer->Tick(begin);
    for (int i = 0; i < requests; ++i) REQUIRE(harness.Run<Pacing>().status.ok());
    pacer->Tick(begin + absl::Minutes(1));
    return pacer->traffic_scale();
  };
  CHECK(scale_after(100, false) > scale_after(0, false));
  CHECK(scale_after(100, true) == scale_after(0, true));
}

TEST_CASE("what was spent reaches the pacer as an event") {
  const auto pacer = MakePacer();
  REQUIRE(pacer->Set(7, {.daily = Units(1)}).ok());
  testing::AgentHarness harness;
  harness.SetState(kPacer, pacer);
  REQUIRE(harness.Send<PacingLearner>(SpendEvent{7, Micros{123}, 0}).status.ok());
  REQUIRE(harness.Send<PacingLearner>(SpendEvent{8, Micros{123}, 1}).status.ok());
  CHECK(pacer->Report(7)->spent.value == 123);
}

TEST_CASE("the paced campaign bids less of its value, and may lose by it") {
  const auto pacer = MakePacer();
  EngineOptions options;
  options.pacer = pacer;
  TestEngine engine({AudioCampaign("rich", 5), AudioCampaign("poor", 4)}, std::move(options));
  TestRequest request;
  const RequestPtr done = request.Done();
  CHECK(Winner(engine.Decide(done)) == "rich");
  REQUIRE(pacer->Set(KeyOf("rich"), {.daily = Units(1)}).ok());
  pacer->Tick(engine.clock->WallNow());
  CHECK(pacer->Read(KeyOf("rich")).multiplier < 0.75f);
  const Decision decision = engine.Decide(done);
  CHECK(Winner(decision) == "poor");
  CHECK(decision.bids[0].price == Units(4));
}

TEST_CASE("who has spent what is planned sits out, and the answer says why") {
  const auto pacer = MakePacer();
  EngineOptions options;
  options.pacer = pacer;
  TestEngine engine({AudioCampaign("a", 5), AudioCampaign("b", 4)}, std::move(options));
  TestRequest request;
  const RequestPtr done = request.Done();
  Exhaust(*pacer, "a", engine.clock->WallNow());
  CHECK(Winner(engine.Decide(done)) == "b");
  Exhaust(*pacer, "b", engine.clock->WallNow() + absl::Minutes(1));
  const auto answer = engine->Decide(done, {.explain = true});
  CHECK(answer.value.nbr == Nbr::kBudgetExhausted);
  const std::string words = engine->Explain(answer);
  INFO(words);
  CHECK(words.find("sits this one out") != std::string::npos);
}

TEST_CASE("without the pacing agent in time, campaigns bid their values") {
  const auto pacer = MakePacer();
  EngineOptions options;
  options.pacer = pacer;
  TestEngine engine({AudioCampaign("a", 5)}, std::move(options));
  Exhaust(*pacer, "a", engine.clock->WallNow());
  TestRequest request;
  const RequestPtr done = request.Done();
  CHECK(engine.Decide(done).nbr == Nbr::kBudgetExhausted);
  REQUIRE(engine->runtime().SetSwitchedOff("pacing", true).ok());
  CHECK(Winner(engine.Decide(done)) == "a");
}

TEST_CASE("first-price bids are shaded by the landscape, second-price ones are not") {
  const auto landscape = std::make_shared<WinLandscape>([] {
    WinLandscapeOptions o;
    o.explore = 0;
    return o;
  }());
  for (int i = 0; i < 1000; ++i) landscape->OnPriceToWin(Units(2));
  landscape->Update();
  EngineOptions options;
  options.pacer = MakePacer();
  options.landscape = landscape;
  TestEngine engine({AudioCampaign("a", 5)}, std::move(options));
  TestRequest first;
  const Decision shaded = engine.Decide(first.Done());
  REQUIRE(shaded.bids.size() == 1);
  CHECK(shaded.bids[0].price >= Units(2));
  CHECK(shaded.bids[0].price < Units(2.3));
  TestRequest high;
  high.imp.bidfloor = Units(4.5);
  CHECK(engine.Decide(high.Done()).bids[0].price == Units(4.5));
  TestRequest second;
  second.request.at = 2;
  CHECK(engine.Decide(second.Done()).bids[0].value == Units(5));
}

TEST_CASE("a search that stops when it is certain does not go with pacing") {
  EngineOptions options;
  options.catalog = MakeCatalog({AudioCampaign("a", 5)});
  options.pacer = MakePacer();
  options.availability.stop_when_certain = true;
  const auto engine = Engine::Create(std::move(options));
  CHECK(engine.status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace adagents::ads
