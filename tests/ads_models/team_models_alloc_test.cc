// In steady state models add no allocation to an event or a decision. An executable of its own,
// because it replaces operator new.
#include "adagents/ads_models/team_models.h"
#include "ads/listener_kit.h"
#include "ads_models/team_model_kit.h"
#include "allocations.h"
#include "catch.h"

namespace adagents::ads_models {
namespace {

using namespace ads::test;  // NOLINT

/// Allocations of 50 events and decisions, once warm.
long Allocations(bool with_models) {
  std::shared_ptr<TeamModels> models;
  std::vector<ads::Campaign> campaigns;
  for (int i = 0; i < 16; ++i) campaigns.push_back(AudioCampaign(std::to_string(i), 5));
  const TestEngine engine(std::move(campaigns), WithListener(), [&](ads::EngineOptions* options) {
    if (with_models) models = *TeamModels::AddTo(options);
  });
  if (with_models) REQUIRE(models->store().Publish(testing::SomeModel(-1, 1, 0.2f)).ok());
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
  if (with_models) CHECK(models->stats().not_begun == 0);
  return counted;
}

TEST_CASE("models add no allocation to playing and deciding") {
  CHECK(Allocations(true) == Allocations(false));
}

}  // namespace
}  // namespace adagents::ads_models
