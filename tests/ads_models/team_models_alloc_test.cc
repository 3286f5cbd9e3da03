// In steady state neither an event nor a decision with models touches the heap. An executable of
// its own, because it replaces operator new.
#include "adagents/ads_models/team_models.h"
#include "ads/listener_kit.h"
#include "ads_models/team_model_kit.h"
#include "allocations.h"
#include "catch.h"

namespace adagents::ads_models {
namespace {

using namespace ads::test;  // NOLINT

TEST_CASE("playing and deciding with models allocates nothing once warm") {
  ads::EngineOptions options = WithListener();
  auto models = *TeamModels::AddTo(&options);
  REQUIRE(models->store().Publish(testing::SomeModel(-1, 1, 0.2f)).ok());
  std::vector<ads::Campaign> campaigns;
  for (int i = 0; i < 16; ++i) campaigns.push_back(AudioCampaign(std::to_string(i), 5));
  const TestEngine engine(std::move(campaigns), std::move(options));
  const ads::RequestPtr request = RequestOf("ann");
  long counted = 0;
  size_t bids = 0;
  for (int round = 0; round < 100; ++round) {
    engine.clock->Advance(absl::Seconds(10));
    const ads::PlaybackEvent event = Track(engine, "jazz", "calm", 0.3f);
    const long before = adagents::testing::thread_allocations;
    const absl::Status played = engine->Play(event);
    const ads::Decision decision = engine->Decide(request, {.trusted = true}).value;
    if (round >= 50) counted += adagents::testing::thread_allocations - before;
    REQUIRE(played.ok());
    bids += decision.bids.size();
  }
  CHECK(bids == 100);
  CHECK(models->stats().not_begun == 0);
  CHECK(counted == 0);
}

}  // namespace
}  // namespace adagents::ads_models
