// What listeners like and have heard, through an engine.
#include <map>
#include <string>

#include "adagents/ads/agents/affinity.h"
#include "adagents/ads/agents/fatigue.h"
#include "ads/listener_kit.h"

namespace adagents::ads::test {
namespace {

/// Pays for clicks, in a category of its own.
Campaign ClickCampaign(const std::string& id, const std::string& cat) {
  Campaign c = AudioCampaign(id, 50);
  c.bid.action = Action::kClick;
  c.bid.value_per_action = Units(1);
  c.cat = {cat};
  return c;
}
EngineOptions Options() {
  EngineOptions options = WithListener();
  options.listener->timing.bedtime = 2;  // nobody sleeps here
  options.listener->creative.explore = 0;
  options.relevance.rate = 1e-6;
  return options;
}

/// One session after the other: a track is heard, an ad is asked for and shown.
struct Radio {
  TestEngine engine;
  explicit Radio(EngineOptions options = Options())
      : engine({ClickCampaign("a", "IAB2"), ClickCampaign("b", "IAB9")}, std::move(options)) {}

  std::string Ask(const std::string& who) {
    PlaybackEvent track = Track(engine, "jazz", "calm", 0.4f);
    track.session = track.listener = who;
    Play(engine, track);
    return Winner(decision = engine.Decide(RequestOf(who)));
  }
  void Report(OutcomeKind kind) { REQUIRE(engine->Record({decision.id, 0, kind}).ok()); }
  Decision decision;
};

TEST_CASE("an ad that was heard often loses against a fresh one, with who has heard it alone") {
  Radio radio;
  const std::string first = radio.Ask("ann");
  int turns = 0;
  for (; turns < 10 && radio.Ask("ann") == first; ++turns) {
    radio.Report(OutcomeKind::kImpression);
    radio.engine.clock->Advance(absl::Minutes(1));
  }
  INFO("heard " << turns << " times");
  CHECK(turns > 0);  // the first times it is only better known
  CHECK(turns < 10);
  CHECK(radio.Ask("bob") == first);
  CallOptions call;
  call.explain = true;
  const std::string chain = radio.engine->Explain(radio.engine->Decide(RequestOf("ann"), call));
  INFO(chain);
  CHECK(chain.find("its brand was heard") != std::string::npos);
  const std::string why = radio.engine->WhyNot(RequestOf("ann"), first);
  INFO(why);
  CHECK(why.find("outbid") != std::string::npos);
  // A day later half is forgotten, several days later all but nothing is left.
  radio.engine.clock->Advance(absl::Hours(23));
  SECTION("switched off, nobody remembers") {
    REQUIRE(radio.engine->runtime().SetSwitchedOff("fatigue", true).ok());
    CHECK(radio.Ask("ann") == first);
  }
  SECTION("erased, nobody remembers") {
    REQUIRE(radio.engine->Erase("ann").ok());
    CHECK(radio.Ask("ann") == first);
  }
}

TEST_CASE("what one listener clicks is offered to that listener, and first of all to the like") {
  EngineOptions options = Options();
  options.customize = [](AdRuntime::Builder&) {};
  Radio radio(std::move(options));
  REQUIRE(radio.engine->runtime().SetSwitchedOff("fatigue", true).ok());
  std::map<std::string, std::map<std::string, int>> late;
  for (int i = 0; i < 600; ++i) {
    const std::string who = i % 2 == 0 ? "ann" : "bob";
    const std::string shown = radio.Ask(who);
    if (i >= 300) ++late[who][shown];
    radio.Report(OutcomeKind::kImpression);
    // One has an eye for the one, one for the other.
    if ((who == "ann") == (shown == "a") && i % 4 < 2) radio.Report(OutcomeKind::kClick);
    radio.engine.clock->Advance(absl::Minutes(1));
  }
  INFO("ann: a " << late["ann"]["a"] << ", bob: b " << late["bob"]["b"] << " of 150");
  CHECK(late["ann"]["a"] > 120);
  CHECK(late["bob"]["b"] > 120);
}

TEST_CASE("clicks are learned from campaigns that pay for something else, too") {
  Campaign pays = AudioCampaign("a", 5);
  TestEngine engine({pays}, Options());
  Play(engine, Track(engine, "jazz", "calm", 0.4f));
  for (int i = 0; i < 50; ++i) {
    const Decision d = engine.Decide(RequestOf("ann"));
    REQUIRE(d.bids.size() == 1);
    REQUIRE(engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
    if (i % 2 == 0) REQUIRE(engine->Record({d.id, 0, OutcomeKind::kClick}).ok());
  }
  engine.clock->Advance(absl::Minutes(31));
  REQUIRE(engine->Tick().ok());
  CHECK(engine->relevance_models().click.metrics().examples == 50);
  CHECK(engine->relevance_models().click.metrics().happened == 25);
  CHECK(engine->relevance_models().completion.metrics().examples == 50);
  CHECK(engine->relevance_models().conversion.metrics().examples == 0);
  CHECK(engine->moments()->learnt() == 50);  // impressions
  CHECK(engine->moments()->model().learned() > 10);
}

TEST_CASE("who has no session is decided for by what the request tells, where the host wants it") {
  const bool contextual = GENERATE(false, true);
  EngineOptions options = Options();
  options.listener->contextual = contextual;
  Radio radio(std::move(options));
  // In the middle of a song.
  TestRequest request;
  request.audio.startdelay = 60;
  request.request.channel.content.len = 200;
  request.request.user.id = "carl";
  const Decision d = radio.engine.Decide(request.Done());
  CHECK(d.bids.empty() == contextual);
  if (contextual) CHECK(d.nbr == Nbr::kNotTheMoment);
  const std::string why = radio.engine->WhyNot(request.Done(), "a");
  INFO(why);
  CHECK((why.find("plays for another 140 s") != std::string::npos) == contextual);
}

TEST_CASE("bedtime that is hardly likely is enough for strict rules") {
  const auto forbidden = [](std::vector<SuitabilityRule> rules, float bedtime,
                            const std::string& pace) {
    CreativeOptions options;
    options.rules = std::move(rules);
    Creative creative = AudioAd("1");
    creative.pace = pace;
    Listener listener;
    listener.known = true;
    Intents intents;
    intents.known = true;
    intents.p[static_cast<size_t>(Intent::kBedtime)] = bedtime;
    return ForbiddenBy(options, creative, listener, intents) != nullptr;
  };
  CHECK_FALSE(forbidden(DefaultSuitability(), 0.1f, "fast"));
  CHECK(forbidden(StrictSuitability(), 0.1f, "fast"));
  CHECK(forbidden(StrictSuitability(), 0.15f, "medium"));
  CHECK(forbidden(StrictSuitability(), 0.02f, "fast"));
  CHECK_FALSE(forbidden(StrictSuitability(), 0.02f, "medium"));
  CHECK_FALSE(forbidden(StrictSuitability(), 0.005f, "fast"));
  CHECK_FALSE(forbidden(StrictSuitability(), 0.9f, "slow"));
}

}  // namespace
}  // namespace adagents::ads::test
