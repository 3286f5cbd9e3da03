// What listeners like and have heard, through an engine.
#include <map>
#include <string>

#include "adagents/ads/agents/affinity.h"
#include "adagents/ads/agents/fatigue.h"
#include "adagents/ads/reasons.h"
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
  const auto why = [](std::vector<SuitabilityRule> rules, float bedtime, const std::string& pace,
                      float energy, const std::string& tone = "calm") {
    CreativeOptions options;
    options.rules = std::move(rules);
    Creative creative = AudioAd("1");
    creative.pace = pace;
    creative.tone = tone;
    Listener listener;
    listener.known = true;
    if (energy >= 0) listener.state.energy = listener.state.wanted = ToByte(energy);
    Intents intents;
    intents.known = true;
    intents.p[static_cast<size_t>(Intent::kBedtime)] = bedtime;
    return ForbiddenBy(options, creative, listener, intents);
  };
  const std::vector<SuitabilityRule> strict = StrictSuitability();
  CHECK(why(DefaultSuitability(), 0.1f, "fast", 0.2f) == nullptr);
  CHECK(why(strict, 0.1f, "fast", 0.2f) == &reasons::kTooLively);
  CHECK(why(strict, 0.005f, "fast", 0.9f) == &reasons::kTooLively);
  CHECK(why(strict, 0.001f, "fast", 0.2f) == nullptr);
  CHECK(why(strict, 0.02f, "slow", 0.4f, "playful") == &reasons::kTooLively);
  // Of slow and medium, one is left, by what plays; nobody said: slow.
  CHECK(why(strict, 0.5f, "medium", 0.4f) == &reasons::kTooLively);
  CHECK(why(strict, 0.5f, "slow", 0.4f) == nullptr);
  CHECK(why(strict, 0.5f, "medium", 0.7f) == nullptr);
  CHECK(why(strict, 0.5f, "slow", 0.7f) == &reasons::kTooSlow);
  CHECK(why(strict, 0.5f, "medium", -1) == &reasons::kTooLively);
  CHECK(why(strict, 0.5f, "slow", -1) == nullptr);
  CHECK(why(strict, 0.005f, "medium", 0.4f) == nullptr);
  CHECK(why(strict, 0.005f, "medium", 0.2f) == &reasons::kTooLively);
  // What has been heard to its end counts as much as what begins.
  Listener between;
  between.known = true;
  between.state.energy = ToByte(0.9f);
  between.state.wanted = ToByte(0.1f);
  Intents asleep;
  asleep.known = true;
  asleep.p[static_cast<size_t>(Intent::kBedtime)] = 0.5f;
  CreativeOptions options;
  options.rules = strict;
  Creative slow = AudioAd("1");
  slow.pace = "slow";
  slow.tone = "calm";
  CHECK(ForbiddenBy(options, slow, between, asleep) == nullptr);
  // Where nobody could look, something is left: what is slow and calm.
  CHECK(ForbiddenBy(options, slow, Listener(), Intents(), true) == nullptr);
  slow.pace = "medium";
  CHECK(ForbiddenBy(options, slow, Listener(), Intents(), true) == &reasons::kSuitUnknown);
  slow.pace = "slow";
  between.state.wanted = ToByte(0.5f);
  CHECK(ForbiddenBy(options, slow, between, asleep) == &reasons::kTooSlow);
}

}  // namespace
}  // namespace adagents::ads::test
