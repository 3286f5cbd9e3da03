#include "adagents/ads/agents/timing.h"
#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "ads/listener_kit.h"

namespace adagents::ads::test {
namespace {

constexpr int64_t kNow = 1'767'225'600'000;

Listener Playing(int64_t position_ms, int32_t duration_ms,
                 ContentKind content = ContentKind::kMusic) {
  Listener l;
  l.known = true;
  l.now_ms = kNow;
  l.state.began_ms = l.state.touched_ms = kNow - 60'000;
  l.state.play = PlayState::kPlaying;
  l.state.content = content;
  l.state.content_began_ms = kNow - position_ms;
  l.state.duration_ms = duration_ms;
  return l;
}
struct Sound {
  Audio audio;
  Imp imp;
  explicit Sound(int32_t startdelay) {
    audio.startdelay = startdelay;
    imp.audio = &audio;
  }
};
Timing When(int32_t startdelay, const Listener& listener, const Intents& intents = {},
            const TimingOptions& options = {.longest_wait = absl::Seconds(10)}) {
  return WhenFor(Sound(startdelay).imp, listener, intents, options);
}

TEST_CASE("an ad plays now where nothing is known, nothing sounds, or nothing is interrupted") {
  CHECK(When(0, Listener()).when == Insertion::kNow);
  const Listener mid = Playing(60'000, 200'000);
  Banner banner;
  Imp display;
  display.banner = &banner;
  CHECK(WhenFor(display, mid, {}, {}).when == Insertion::kNow);
  Sound rewarded(0);
  rewarded.imp.rwdd = true;
  CHECK(WhenFor(rewarded.imp, mid, {}, {}).when == Insertion::kNow);
  CHECK(When(0, Playing(1'000, 200'000)).when == Insertion::kNow);  // it has just begun
  Listener between = mid;
  between.state.play = PlayState::kBetween;
  CHECK(When(0, between).when == Insertion::kNow);
  CHECK(When(0, Playing(300'000, 200'000)).when == Insertion::kNow);  // over by the clock
}

TEST_CASE("a song is never interrupted: the ad waits for its end, or is not sold") {
  Timing t = When(0, Playing(60'000, 200'000));
  CHECK(t.when == Insertion::kNotNow);
  CHECK(t.why == &reasons::kMidTrack);
  CHECK(t.score == 140.0f);
  CHECK(t.threshold == 10.0f);
  t = When(0, Playing(195'000, 200'000));
  CHECK(t.when == Insertion::kBetweenTracks);
  CHECK(t.in_ms == 5'000);
  CHECK(When(0, Playing(60'000, 0)).why == &reasons::kMidTrackOfUnknown);
  CHECK(When(15, Playing(1'000, 200'000)).when == Insertion::kNotNow);  // no mid-roll in a song
  t = When(-2, Playing(60'000, 200'000));
  CHECK(t.when == Insertion::kBetweenTracks);
  CHECK(t.in_ms == 140'000);
  CHECK(When(0, Playing(195'000, 200'000), {}, {}).when == Insertion::kNotNow);
}

TEST_CASE("an episode is left at its own breaks") {
  const Listener episode = Playing(600'000, 1'800'000, ContentKind::kPodcast);
  Timing t = When(900, episode);
  CHECK(t.when == Insertion::kAtTransition);
  CHECK(t.in_ms == 300'000);
  CHECK(When(-1, episode).when == Insertion::kAtTransition);
  CHECK(When(0, episode).when == Insertion::kNotNow);
}

TEST_CASE("nobody is disturbed who has paused, sleeps, or has just heard an ad") {
  Listener l = Playing(195'000, 200'000);
  l.state.play = PlayState::kPaused;
  CHECK(When(0, l).why == &reasons::kListenerPaused);
  l.state.play = PlayState::kBetween;
  Intents intents;
  intents.known = true;
  intents.p[static_cast<size_t>(Intent::kBedtime)] = 0.8f;
  CHECK(When(0, l, intents).when == Insertion::kNow);
  l.state.touched_ms = l.state.began_ms = kNow - 25 * 60'000;
  CHECK(When(0, l, intents).why == &reasons::kAsleep);
  intents.p[static_cast<size_t>(Intent::kBedtime)] = 0.5f;
  CHECK(When(0, l, intents).when == Insertion::kNow);
  l.state.ad_ms = kNow - 30'000;
  CHECK(When(0, l).when == Insertion::kNow);
  const Timing t = When(0, l, {}, {.least_gap = absl::Minutes(1)});
  CHECK(t.why == &reasons::kTooSoon);
  CHECK(t.score == 30.0f);
}

/// Of a host whose player can wait.
EngineOptions Waiting() {
  EngineOptions options = WithListener();
  options.listener->timing.longest_wait = absl::Seconds(10);
  return options;
}

TEST_CASE("the decision says when, and the engine why not") {
  TestEngine engine({AudioCampaign("a", 5)}, Waiting());
  Play(engine, Track(engine, "jazz", "calm", 0.2f, 200));
  engine.clock->Advance(absl::Seconds(60));
  CallOptions call;
  call.explain = true;
  const auto held = engine->Decide(RequestOf("ann", 0), call);
  CHECK(held.value.nbr == Nbr::kNotTheMoment);
  CHECK(engine->Explain(held).find("imp #0: a track or an episode plays for another 140 s, and an "
                                   "ad may wait 10 s") != std::string::npos);
  const std::string why = engine->WhyNot(RequestOf("ann", 0), "a");
  INFO(why);
  CHECK(
      why.find("creative 'a-1': not now: imp #0: a track or an episode plays for another 140 s") !=
      std::string::npos);
  CHECK(Winner(engine.Decide(RequestOf("bob", 0))) == "a");  // of whom nothing is known
  engine.clock->Advance(absl::Seconds(134));
  const Decision soon = engine.Decide(RequestOf("ann", 0));
  REQUIRE(Winner(soon) == "a");
  CHECK(soon.bids[0].when == Insertion::kBetweenTracks);
  CHECK(soon.bids[0].in_ms == 6'000);
  CHECK(engine->WhyNot(RequestOf("ann", 0), "a").find("between_tracks in 6.0 s") !=
        std::string::npos);
  engine.clock->Advance(absl::Seconds(6));
  const Decision now = engine.Decide(RequestOf("ann", 0));
  REQUIRE(Winner(now) == "a");
  CHECK(now.bids[0].when == Insertion::kNow);
  CHECK(engine->GetStats().no_bids ==
        std::vector<std::pair<Nbr, uint64_t>>{{Nbr::kNotTheMoment, 1}});
}

TEST_CASE("of ten thousand requests at any moment none is sold into a song") {
  TestEngine engine({AudioCampaign("a", 5)}, Waiting());
  Random random(3);
  int sold = 0;
  for (int i = 0; i < 10'000; ++i) {
    // A session lives through one change of salt, not through two.
    if (i % 200 == 0) Play(engine, Event(engine, PlaybackKind::kSessionEnd));
    const auto seconds = static_cast<int32_t>(60 + random.Below(240));
    Play(engine, Track(engine, "pop", "happy", 0.5f, seconds));
    const int64_t wait = static_cast<int64_t>(random.Below(static_cast<uint64_t>(seconds) + 20));
    engine.clock->Advance(absl::Seconds(wait));
    const Decision d = engine.Decide(RequestOf("ann", 0));
    if (d.bids.empty()) continue;
    ++sold;
    // Played when it says, it meets no song that is under way.
    const int64_t left = (seconds - wait) * 1000 - d.bids[0].in_ms;
    const bool just_begun = wait <= 2 && d.bids[0].when == Insertion::kNow;
    CHECK((left <= 0 || just_begun));
  }
  CHECK(sold > 500);
}

}  // namespace
}  // namespace adagents::ads::test
