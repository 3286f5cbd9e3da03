#include <cmath>
#include <map>

#include "adagents/ads/agents/creative.h"
#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "ads/listener_kit.h"

namespace adagents::ads::test {
namespace {

Creative Like(const std::string& id, const std::string& pace, const std::string& tone,
              const std::string& voice = "female") {
  Creative c = AudioAd(id);
  c.pace = pace;
  c.tone = tone;
  c.voice = voice;
  return c;
}

Campaign Variants() {
  Campaign c = AudioCampaign("a", 5);
  c.creatives = {Like("fast", "fast", "upbeat"), Like("calm", "slow", "calm")};
  return c;
}

std::string Creative_(const Decision& d) {
  return d.bids.empty() ? "none: " + std::string(NbrText(d.nbr)) : d.bids[0].creative->id;
}

TEST_CASE("a bedtime playlist never gets the fast-talking ad, whatever it pays") {
  Campaign loud = AudioCampaign("loud", 50);
  loud.creatives = {Like("loud-1", "fast", "urgent")};
  TestEngine engine({loud, Variants()}, WithListener());
  Play(engine, Track(engine, "ambient", "sleep", 0.1f));
  for (int i = 0; i < 300; ++i) {
    const Decision d = engine.Decide(RequestOf("ann"));
    REQUIRE(Creative_(d) == "calm");
    engine.clock->Advance(absl::Seconds(1));
  }
  CHECK(Creative_(engine.Decide(RequestOf("bob"))) == "loud-1");  // of whom nothing is known
  CallOptions call;
  call.explain = true;
  const std::string chain = engine->Explain(engine->Decide(RequestOf("ann"), call));
  INFO(chain);
  CHECK(chain.find("'Campaign loud' (loud): its creative is too fast or loud") !=
        std::string::npos);
  const std::string why = engine->WhyNot(RequestOf("ann"), "loud");
  INFO(why);
  CHECK(why.find("too fast or loud for a listener who falls asleep (loss 200)") !=
        std::string::npos);
  CHECK(engine->WhyNot(RequestOf("ann"), "a").find("creative 'calm': worth") != std::string::npos);

  TestEngine only({loud}, WithListener());
  Play(only, Track(only, "ambient", "sleep", 0.1f));
  CHECK(only.Decide(RequestOf("ann")).nbr == Nbr::kUnsuitable);
}

TEST_CASE("rules of the host's own take the place of ours") {
  EngineOptions options = WithListener();
  options.listener->creative.rules = {
      {.mood = Mood::kFocused, .paces = {}, .tones = {"calm"}, .why = &reasons::kTooLively}};
  TestEngine engine({Variants()}, std::move(options));
  Play(engine, Track(engine, "lo-fi", "focus", 0.3f));
  CHECK(Creative_(engine.Decide(RequestOf("ann"))) == "fast");
}

TEST_CASE("when nobody could look, what a rule might forbid is kept out") {
  TestEngine engine({Variants()}, WithListener());
  const auto chosen = [&] { return Creative_(engine.Decide(RequestOf("ann"))); };
  std::map<std::string, int> seen;
  SECTION("at the candidates") {
    REQUIRE(engine->runtime().SetSwitchedOff("creative", true).ok());
    for (int i = 0; i < 20; ++i) ++seen[chosen()];
    CHECK(seen == std::map<std::string, int>{{"calm", 20}});
  }
  SECTION("at the session") {
    REQUIRE(engine->runtime().SetSwitchedOff("user_profile", true).ok());
    for (int i = 0; i < 20; ++i) ++seen[chosen()];
    CHECK(seen == std::map<std::string, int>{{"calm", 20}});
  }
  SECTION("somebody could") { CHECK(chosen() == "fast"); }  // equal value: the first
}

TEST_CASE("which variant goes with which moment is learned from outcomes, and others still tried") {
  Campaign c = AudioCampaign("a", 5);
  if (GENERATE(false, true)) {  // by value; else by rate, at the same price
    c.bid.action = Action::kCompletion;
    c.bid.value_per_action = Units(0.002);
  }
  c.creatives = {Like("man", "medium", "serious", "male"),
                 Like("woman", "medium", "serious", "female")};
  TestEngine engine({c}, WithListener());
  Random random(9);
  std::map<std::string, int> late[2];
  for (int i = 0; i < 6000; ++i) {
    const bool happy = i % 2 == 0;
    PlaybackEvent track = Track(engine, happy ? "pop" : "metal", happy ? "happy" : "dark", 0.5f);
    track.session = track.listener = happy ? "hugo" : "dora";
    Play(engine, track);
    const Decision d = engine.Decide(RequestOf(track.session));
    REQUIRE(d.bids.size() == 1);
    const std::string& id = d.bids[0].creative->id;
    if (i >= 4000) ++late[happy ? 0 : 1][id];
    REQUIRE(engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
    const bool suits = (id == "woman") == happy;
    if (random.Chance(suits ? 0.85 : 0.6)) {
      REQUIRE(engine->Record({d.id, 0, OutcomeKind::kCompletion}).ok());
    }
    engine.clock->Advance(absl::Minutes(2));
  }
  INFO("happy: woman " << late[0]["woman"] << ", dark: man " << late[1]["man"]);
  CHECK(late[0]["woman"] > 850);  // of 1,000
  CHECK(late[1]["man"] > 850);
}

TEST_CASE("two runs of the same events and requests are equal to the byte") {
  const auto run = [] {
    Campaign c = Variants();
    TestEngine engine({c, AudioCampaign("b", 4.9)}, WithListener());
    std::string log;
    for (int i = 0; i < 300; ++i) {
      Play(engine, Track(engine, "pop", i % 3 == 0 ? "happy" : "calm", 0.5f));
      const Decision d = engine.Decide(RequestOf("ann"));
      log += Creative_(d);
      if (!d.bids.empty()) {
        log.append(reinterpret_cast<const char*>(&d.bids[0].price.value), sizeof(int64_t));
        (void)engine->Record({d.id, 0, OutcomeKind::kImpression});
        if (i % 2 == 0) (void)engine->Record({d.id, 0, OutcomeKind::kCompletion});
      }
      engine.clock->Advance(absl::Minutes(1));
    }
    return log;
  };
  CHECK(run() == run());
}

TEST_CASE("campaigns that pay per impression bid less at a bad moment, by their objective") {
  const auto value = [](Objective objective, float volume) {
    Campaign c = AudioCampaign("a", 5);
    c.objective = objective;
    EngineOptions options = WithListener();
    options.listener->creative.explore = 0;
    TestEngine engine({c}, std::move(options));
    PlaybackEvent e = Track(engine, "pop", "happy", 0.5f);
    e.volume = volume;
    Play(engine, e);
    const Decision d = engine.Decide(RequestOf("ann"));
    return d.bids.empty() ? 0.0 : d.bids[0].value.units();
  };
  CHECK(value(Objective::kBrandAwareness, 0.6f) > 4.8);
  CHECK(value(Objective::kBrandAwareness, 0.6f) <= 5.0);  // no more than max_cpm
  const double muted = value(Objective::kBrandAwareness, 0);
  CHECK(muted < 3.5);
  CHECK(muted >= 0.5);
  CHECK(value(Objective::kDirectResponse, 0) == muted);
  CHECK(value(Objective::kReach, 0) > 4.0);
  CHECK(value(Objective::kReach, 0) < 5.0);
}

}  // namespace
}  // namespace adagents::ads::test
