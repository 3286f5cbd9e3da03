// Models in the ad team: what they say reaches the bid, and whatever is wrong with them, the team
// decides as without.
#include "adagents/ads_models/team_models.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <set>
#include <thread>

#include "adagents/ads/agents/user_intent.h"
#include "ads/listener_kit.h"
#include "ads_models/team_model_kit.h"
#include "catch.h"
#include "temporary_folder.h"

namespace adagents::ads_models {
namespace {

using namespace ads::test;  // NOLINT
using ads::PlaybackKind;
using testing::SomeModel;

/// Pays one unit for a completed ad.
ads::Campaign PaysForCompletion(const std::string& id = "c") {
  ads::Campaign c = AudioCampaign(id, 5000);
  c.bid.action = ads::Action::kCompletion;
  c.bid.value_per_action = Units(1);
  return c;
}

/// Without trying traits out, so that rates are what is predicted.
ads::EngineOptions Listening() {
  ads::EngineOptions options = WithListener();
  options.listener->creative.explore = 0;
  return options;
}

/// A team with models, on a clock that stands still.
struct Team {
  std::shared_ptr<TeamModels> models;
  TestEngine engine{{PaysForCompletion()}, Listening(), [this](ads::EngineOptions* options) {
                      models = *TeamModels::AddTo(options);
                    }};

  /// The rate of completion that the bid was made with.
  [[nodiscard]] double Rate(const ads::RequestPtr& request) const {
    const ads::Decision d = engine.Decide(request);
    INFO(NbrText(d.nbr));
    REQUIRE(d.bids.size() == 1);
    return d.bids[0].value.units() / 1000;
  }
};

uint64_t KeyOf(const TestEngine& engine, std::string_view session) {
  return engine->sessions()->SessionKeys(session)[0];
}

constexpr double kPrior = 0.8;
/// What the attention agent assumes of the moment until it has learned comes on top of any rate.
constexpr double kAssumed = 0.04;
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("what the model says of a candidate is what the bid is made of") {
  Team team;
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  const double without = team.Rate(RequestOf("ann"));
  CHECK(without == Approx(kPrior).margin(kAssumed));
  REQUIRE(team.models->store().Publish(SomeModel(-1)).ok());
  CHECK(team.Rate(RequestOf("ann")) == Approx(Sigmoid(-1)).margin(kAssumed));
  REQUIRE(team.models->store().Publish(SomeModel(2, 2)).ok());
  CHECK(team.Rate(RequestOf("ann")) == Approx(Sigmoid(2)).margin(kAssumed));
  // Nobody knows what this one listens to.
  CHECK(team.Rate(RequestOf("bob")) == Approx(kPrior).epsilon(1e-4));
}

TEST_CASE("the trunk runs once for each event, and a request uses what it left") {
  Team team;
  REQUIRE(team.models->store().Publish(SomeModel(0, 1, 0.3f)).ok());
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  SessionMemory first;
  REQUIRE(team.models->Find(KeyOf(team.engine, "ann"), &first));
  CHECK(first.window.count == 1);
  CHECK(first.vector.trunk != 0);
  const double calm = team.Rate(RequestOf("ann"));
  Play(team.engine, Event(team.engine, PlaybackKind::kSkip));
  SessionMemory second;
  REQUIRE(team.models->Find(KeyOf(team.engine, "ann"), &second));
  CHECK(second.window.count == 2);
  CHECK(second.window.tokens[1].category[0] == 1 + static_cast<int>(PlaybackKind::kSkip));
  CHECK(first.vector.value[0] != second.vector.value[0]);
  CHECK(team.Rate(RequestOf("ann")) != calm);
  for (int i = 0; i < 40; ++i) Play(team.engine, Track(team.engine, "rock", "happy", 0.8f));
  REQUIRE(team.models->Find(KeyOf(team.engine, "ann"), &second));
  CHECK(second.window.count == model::kMaxTokens);
}

TEST_CASE("the intents of a session are as much the model's as the tables'") {
  Team team;
  const auto state = [&] {
    ads::Listener listener;
    CHECK(team.engine->sessions()->Find(*RequestOf("ann"), &listener));
    return listener.state;
  };
  constexpr std::array<uint16_t, ads::kIntentCount> kNone{};
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  CHECK(state().foreseen == kNone);
  REQUIRE(team.models->store().Publish(SomeModel(0, 1, 0.5f)).ok());
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  const ads::SessionState both = state();
  REQUIRE(both.foreseen != kNone);
  CHECK(std::accumulate(both.foreseen.begin(), both.foreseen.end(), 0) ==
        Approx(65535).margin(ads::kIntentCount));
  ads::SessionState tables = both;
  tables.foreseen = kNone;
  const ads::Intents pooled = ads::IntentsOf(both, both.last_ms, 12),
                     alone = ads::IntentsOf(tables, both.last_ms, 12);
  for (size_t i = 0; i < ads::kIntentCount; ++i) {
    CHECK(pooled.p[i] ==
          Approx((alone.p[i] + static_cast<float>(both.foreseen[i]) / 65535) / 2).margin(1e-4));
  }
  // A model without that head: the tables' word alone.
  const auto some = SomeModel(0);
  auto trunk = model::Encoder::Create(
      some->encoder()->schema(), some->encoder()->shape(),
      {some->encoder()->weights().begin(), some->encoder()->weights().end()});
  REQUIRE(team.models->store().Publish(*model::Model::Create(*std::move(trunk), {})).ok());
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  CHECK(state().foreseen == kNone);
  CHECK(team.Rate(RequestOf("ann")) == Approx(kPrior).margin(kAssumed));
}

TEST_CASE("a session that ends, is erased or withdraws consent leaves nothing") {
  Team team;
  REQUIRE(team.models->store().Publish(SomeModel(0)).ok());
  SessionMemory memory;
  const auto kept = [&](std::string_view session) {
    return team.models->Find(KeyOf(team.engine, session), &memory);
  };
  for (const char* who : {"ann", "bob", "eve"}) {
    Play(team.engine, Event(team.engine, PlaybackKind::kStart, who));
    CHECK(kept(who));
  }
  Play(team.engine, Event(team.engine, PlaybackKind::kSessionEnd, "ann"));
  CHECK_FALSE(kept("ann"));
  REQUIRE(team.engine->Erase("bob").ok());
  CHECK_FALSE(kept("bob"));
  CHECK(kept("eve"));
  ads::PlaybackEvent withdrawn = Event(team.engine, PlaybackKind::kSkip, "eve");
  withdrawn.consent.may_profile = false;
  Play(team.engine, withdrawn);
  team.engine.clock->Advance(absl::Seconds(2));
  REQUIRE(team.engine->Tick().ok());
  CHECK_FALSE(kept("eve"));
  Play(team.engine, withdrawn);
  CHECK_FALSE(kept("eve"));
}

TEST_CASE("a damaged or foreign file is refused, and the old model serves on") {
  const Folder folder;
  const std::string good = folder / "good.model", bad = folder / "bad.model";
  REQUIRE(SomeModel(-1)->Save(good).ok());
  std::string bytes = SomeModel(2)->Serialize();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(bad, std::ios::binary) << bytes;

  ads::EngineOptions options = WithListener();
  CHECK(TeamModels::AddTo(&options, bad).status().code() == absl::StatusCode::kDataLoss);
  ads::EngineOptions deaf;
  CHECK(TeamModels::AddTo(&deaf, good).status().code() == absl::StatusCode::kFailedPrecondition);

  Team team;
  REQUIRE(team.models->Load(good).ok());
  Play(team.engine, Track(team.engine, "jazz", "calm", 0.3f));
  const auto serves_on = [&] {
    CHECK(team.Rate(RequestOf("ann")) == Approx(Sigmoid(-1)).margin(kAssumed));
  };
  serves_on();
  CHECK(team.models->Load(bad).code() == absl::StatusCode::kDataLoss);
  serves_on();
  auto foreign = model::Model::Create(model::testing::SomeEncoder(), {});
  CHECK(team.models->store().Publish(*std::move(foreign)).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK_FALSE(team.models->Load(folder / "none").ok());
  serves_on();
  CHECK(team.models->stats().refused == 3);
}

/// Stands still, but for passes while `each` is not 0.
class PassClock final : public Clock {
 public:
  [[nodiscard]] int64_t Now() const override { return now_ += each; }
  [[nodiscard]] absl::Time WallNow() const override { return absl::FromUnixSeconds(1'800'000'000); }
  int64_t each = 0;

 private:
  mutable int64_t now_ = 1'000'000'000;
};

TEST_CASE("a pass that would not be finished in time is not begun") {
  PassClock clock;
  ads::EngineOptions options = Listening();
  options.runtime.clock = &clock;
  options.runtime.inline_scheduler = InlineScheduler{};
  options.catalog = MakeCatalog({PaysForCompletion()});
  options.relevance.rows = 64;
  auto models = *TeamModels::AddTo(&options);
  auto engine = *ads::Engine::Create(std::move(options));
  clock.each = 400'000'000;  // what a batch of 16 takes, it seems: 25 ms each
  REQUIRE(models->store().Publish(SomeModel(-1)).ok());
  clock.each = 0;
  ads::PlaybackEvent event;
  event.session = event.listener = "ann";
  event.at = clock.WallNow();
  REQUIRE(engine->Play(event).ok());
  const auto rate = [&](absl::Duration tmax) {
    const ads::Decision d = engine->Decide(RequestOf("ann"), {.tmax = tmax}).value;
    REQUIRE(d.bids.size() == 1);
    return d.bids[0].value.units() / 1000;
  };
  const uint64_t before = models->stats().not_begun;
  CHECK(rate(absl::Milliseconds(40)) == Approx(kPrior).margin(kAssumed));
  CHECK(models->stats().not_begun > before);
}

TEST_CASE("models are replaced under load, and no decision is lost or mixes two") {
  ads::EngineOptions options = Listening();
  auto models = *TeamModels::AddTo(&options);
  REQUIRE(models->store().Publish(SomeModel(-1)).ok());
  auto engine =
      ThreadedEngine({PaysForCompletion("a"), PaysForCompletion("b")}, std::move(options));
  ads::PlaybackEvent event;
  event.session = event.listener = "ann";
  event.at = Noon().WallNow();
  REQUIRE(engine->Play(event).ok());
  std::atomic<bool> done{false};
  std::thread player([&] {
    while (!done) {
      event.at = Noon().WallNow();
      (void)engine->Play(event);
    }
  });
  std::thread loader([&] {
    for (uint64_t i = 0; !done; ++i) {
      (void)models->store().Publish(i % 2 == 0 ? SomeModel(2, 2) : SomeModel(-1, 1));
    }
  });
  size_t lost = 0, strange = 0;
  std::set<bool> seen;
  for (int i = 0; i < 20'000; ++i) {
    const ads::Decision d = engine->Decide(RequestOf("ann")).value;
    if (d.bids.size() != 1) {
      ++lost;
      continue;
    }
    const double rate = d.bids[0].value.units() / 1000;
    const bool one = std::abs(rate - Sigmoid(-1)) < 0.01, two = std::abs(rate - Sigmoid(2)) < 0.01;
    // A session's first event may be on its way yet; then the prior stands.
    if (!one && !two && std::abs(rate - kPrior) > 0.1) ++strange;
    if (one || two) seen.insert(one);
  }
  done = true;
  player.join();
  loader.join();
  CHECK(lost == 0);
  CHECK(strange == 0);
  CHECK(seen.size() == 2);
  CHECK(models->stats().versions_alive <= 2);
}

}  // namespace
}  // namespace adagents::ads_models
