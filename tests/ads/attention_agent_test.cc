// The signal from playback events to learning, through an engine.
#include "adagents/ads/agents/attention.h"
#include "ads/listener_kit.h"

namespace adagents::ads::test {
namespace {

/// Keeps the last signal that agents see.
struct Seen {
  AttentionSignal attention;
  Intents intents;
  Listener listener;
};
constexpr StateKey<Seen> kSeen{"test_seen"};
class Spy final : public Agent {
  In<AttentionSignal> attention_{this, kAttention};
  In<Intents> intents_{this, kIntents};
  In<Listener> listener_{this, kListening};
  State<Seen> seen_{this, kSeen};

 public:
  Spy() : Agent({.name = "spy"}) {}
  absl::Status Run(Context& ctx) override {
    *seen_ = {ctx[attention_], ctx[intents_], ctx[listener_]};
    return absl::OkStatus();
  }
};

struct Watched {
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  TestEngine engine;

  Watched() : engine({AudioCampaign("a", 5)}, Options(seen)) {}
  static EngineOptions Options(const std::shared_ptr<Seen>& seen) {
    EngineOptions options = WithListener();
    options.listener->timing.bedtime = 2;  // nobody sleeps here
    options.customize = [seen](AdRuntime::Builder& builder) {
      builder.ShareObject(kSeen, seen).Add<Spy>();
    };
    return options;
  }
  const AttentionSignal& Look() {
    CHECK(Winner(engine.Decide(RequestOf("ann"))) == "a");
    return seen->attention;
  }
};

TEST_CASE("attention follows what the listener does, and fades when nothing is heard of it") {
  Watched w;
  CHECK_FALSE(w.Look().known);
  CHECK_FALSE(w.seen->intents.known);
  Play(w.engine, Track(w.engine, "jazz", "calm", 0.2f));
  const AttentionSignal played = w.Look();
  REQUIRE(played.known);
  CHECK(w.seen->listener.state.genre == GenreBinOf("jazz"));
  Play(w.engine, Event(w.engine, PlaybackKind::kSave));
  const AttentionSignal saved = w.Look();
  CHECK(saved.level > played.level);
  CHECK(saved.ShiftOf(Action::kClick) > played.ShiftOf(Action::kClick));
  PlaybackEvent off = Event(w.engine, PlaybackKind::kVolume);
  off.volume = 0;
  Play(w.engine, off);
  const AttentionSignal muted = w.Look();
  CHECK(muted.level < 0.6f);
  // Nobody knows for how long it stays so; what touching it is worth goes sooner.
  w.engine.clock->Advance(absl::Minutes(10));
  const float faded = w.Look().ShiftOf(Action::kCompletion) / muted.ShiftOf(Action::kCompletion);
  CHECK(faded > 0.45f);
  CHECK(faded < 0.65f);
  Play(w.engine, Event(w.engine, PlaybackKind::kSessionEnd));
  CHECK_FALSE(w.Look().known);
}

TEST_CASE("the engine learns from outcomes what attention is worth, and tires of ads") {
  Watched w;
  PlaybackEvent off = Track(w.engine, "jazz", "calm", 0.2f);
  off.volume = 0;
  Play(w.engine, off);
  const float assumed = w.Look().level;
  CHECK(w.engine->moments()->learnt() == 0);
  // In this world muted ads run to their end (they have a picture, perhaps).
  for (int i = 0; i < 400; ++i) {
    const Decision d = w.engine.Decide(RequestOf("ann"));
    REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
    REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kCompletion}).ok());
    w.engine.clock->Advance(absl::Minutes(2));
    Play(w.engine, off = Track(w.engine, "jazz", "calm", 0.2f));
  }
  CHECK(w.engine->moments()->learnt() == 400);
  CHECK(w.Look().level > assumed + 0.15f);
  CHECK(w.seen->listener.state.ads > 5);  // one every two minutes, half forgotten in thirty
  CHECK(w.seen->attention.moment.signals[Moment::kAds] == 1.0f);
  // And an impression without completion teaches the other way, when its time has passed.
  const float taught = w.Look().level;
  for (int i = 0; i < 200; ++i) {
    const Decision d = w.engine.Decide(RequestOf("ann"));
    REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
    w.engine.clock->Advance(absl::Minutes(2));
    Play(w.engine, Track(w.engine, "jazz", "calm", 0.2f));
  }
  CHECK(w.Look().level < taught - 0.1f);
}

TEST_CASE("ads that were heard count for a session also where nobody predicts rates") {
  Watched w;
  REQUIRE(w.engine->runtime().SetSwitchedOff("relevance", true).ok());
  Play(w.engine, Track(w.engine, "jazz", "calm", 0.2f));
  const Decision d = w.engine.Decide(RequestOf("ann"));
  REQUIRE(d.bids.size() == 1);
  CHECK(w.seen->listener.state.ad_ms == 0);
  for (int twice = 0; twice < 2; ++twice) {
    REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
  }
  Play(w.engine, Event(w.engine, PlaybackKind::kSave));
  (void)w.engine.Decide(RequestOf("ann"));
  CHECK(w.seen->listener.state.ad_ms > 0);
  CHECK(w.seen->listener.state.ads == 1);
}

TEST_CASE("erasure forgets the moments of a listener whose outcomes are awaited") {
  Watched w;
  Play(w.engine, Track(w.engine, "jazz", "calm", 0.2f));
  const Decision d = w.engine.Decide(RequestOf("ann"));
  const auto erased = w.engine->Erase("ann");
  REQUIRE(erased.ok());
  CHECK(erased->sessions == 1);
  CHECK(erased->moments == 1);
  REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
  REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kCompletion}).ok());
  CHECK(w.engine->moments()->learnt() == 0);
  CHECK_FALSE(w.Look().known);
}

TEST_CASE("who withdraws consent is not learned from any more") {
  Watched w;
  Play(w.engine, Track(w.engine, "jazz", "calm", 0.2f));
  const Decision d = w.engine.Decide(RequestOf("ann"));
  PlaybackEvent withdrawn = Event(w.engine, PlaybackKind::kSave);
  withdrawn.consent.may_profile = false;
  Play(w.engine, withdrawn);
  w.engine.clock->Advance(absl::Seconds(1));
  REQUIRE(w.engine->Tick().ok());
  REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
  REQUIRE(w.engine->Record({d.id, 0, OutcomeKind::kCompletion}).ok());
  CHECK(w.engine->moments()->learnt() == 0);
  CHECK_FALSE(w.Look().known);
}

}  // namespace
}  // namespace adagents::ads::test
