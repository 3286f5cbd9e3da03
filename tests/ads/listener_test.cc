// What an engine does with what players report, and what stays of it when a listener is erased.
#include <cmath>
#include <fstream>
#include <iterator>
#include <thread>

#include "adagents/ads/agents/user_intent.h"
#include "adagents/base/random.h"
#include "ads/agents/cap_rules.h"
#include "ads/listener_kit.h"
#include "fmt/format.h"
#include "temporary_folder.h"

namespace adagents::ads::test {
namespace {

/// Reads all of a file.
std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
/// Whether the word is anywhere.
bool Holds(const std::string& bytes, uint64_t word) {
  return bytes.find(std::string(reinterpret_cast<const char*>(&word), sizeof(word))) !=
         std::string::npos;
}

TEST_CASE("an engine without listener agents says so, and one that is shut down too") {
  TestEngine plain({AudioCampaign("a", 5)});
  CHECK(plain->Play(Event(plain, PlaybackKind::kStart)).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(plain->Erase("ann").status().code() == absl::StatusCode::kFailedPrecondition);
  TestEngine engine({AudioCampaign("a", 5)}, WithListener());
  Play(engine, Event(engine, PlaybackKind::kStart));
  CHECK(engine->GetStats().sessions.events == 1);
  PlaybackEvent wrong = Event(engine, PlaybackKind::kStart);
  wrong.session = {};
  CHECK(engine->Play(wrong).code() == absl::StatusCode::kInvalidArgument);
  (void)engine->Shutdown(absl::Seconds(1));
  CHECK(engine->Play(Event(engine, PlaybackKind::kSave)).code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("listener options that cannot hold are refused by name") {
  const auto error = [](auto change) {
    EngineOptions options = WithListener();
    change(options);
    return std::string(Message(Engine::Create(std::move(options)).status()));
  };
  CHECK(error([](EngineOptions&) {}) == "");
  CHECK(error([](EngineOptions& o) { o.listener->creative.rules.emplace_back(); }) ==
        "listener.creative.rules[2].why is null");
  CHECK(error([](EngineOptions& o) { o.listener->creative.explore = -1; }) ==
        "listener.creative.explore is not in [0, 10]");
  CHECK(error([](EngineOptions& o) { o.listener->pricing.least = 0; }) ==
        "listener.pricing.least is not in (0, 1]");
  CHECK(error([](EngineOptions& o) { o.listener->timing.least_gap = -absl::Seconds(1); }) ==
        "listener.timing: a time is negative");
  CHECK(error([](EngineOptions& o) { o.availability.stop_when_certain = true; }) ==
        "availability.stop_when_certain does not go with listener, whose agents lower values");
}

TEST_CASE("without playback events an engine decides as it does without listener agents") {
  std::vector<Campaign> campaigns;
  for (int i = 0; i < 20; ++i) campaigns.push_back(AudioCampaign(fmt::format("c{}", i), 1 + i % 7));
  TestEngine plain(campaigns), with(campaigns, WithListener());
  for (int i = 0; i < 200; ++i) {
    const RequestPtr request = RequestOf(fmt::format("listener{}", i % 5));
    const Decision a = plain.Decide(request), b = with.Decide(request);
    REQUIRE(a.bids.size() == b.bids.size());
    CHECK(Winner(a) == Winner(b));
    CHECK(a.bids[0].price.value == b.bids[0].price.value);
    CHECK(a.bids[0].value.value == b.bids[0].value.value);
    plain.clock->Advance(absl::Seconds(20));
    with.clock->Advance(absl::Seconds(20));
  }
}

TEST_CASE("an erased listener leaves no byte of a hash in any table, and none in the region") {
  const Folder folder;
  const std::string path = folder / "region";
  constexpr std::array<uint64_t, 2> kCapKey{5, 6}, kKey{7, 8};
  std::vector<uint64_t> hers, others;
  uint64_t cap_subject = 0;
  {
    testing::VirtualClock clock;
    auto region = Region::Open(path, {.bytes = 32 << 20, .clock = &clock});
    REQUIRE(region.ok());
    Campaign capped = AudioCampaign("a", 5);
    capped.caps = {{CapPer::kListener, 3, absl::Hours(24)}};
    EngineOptions options = WithListener();
    options.catalog = MakeCatalog({capped});
    options.relevance.rows = 64;
    options.runtime.clock = &clock;
    options.runtime.inline_scheduler = InlineScheduler{};
    options.listener->sessions.region = &*region;
    options.listener->sessions.hash_key = kKey;
    options.caps.region = &*region;
    options.caps.windows = 10'000;
    options.caps.bids = 1000;
    options.cap_policy.hash_key = kCapKey;
    auto made = Engine::Create(std::move(options));
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    Engine& engine = **made;

    auto door = Sessions::Create({.sessions = 1, .hash_key = kKey}, &clock);  // the same hashes
    REQUIRE(door.ok());
    const auto play = [&](std::string_view session, std::string_view listener, PlaybackKind kind) {
      PlaybackEvent e;
      e.session = session;
      e.listener = listener;
      e.kind = kind;
      e.genre = "jazz";
      e.at = clock.WallNow();
      REQUIRE(engine.Play(e).ok());
    };
    for (int i = 0; i < 40; ++i) {  // updates leave copies behind, all over the sets
      for (const auto* session : {"ann-1", "ann-2"}) play(session, "ann", PlaybackKind::kStart);
      for (int k = 0; k < 20; ++k) {
        const std::string other = fmt::format("bob-{}", k);
        play(other, "bob", i % 2 == 0 ? PlaybackKind::kStart : PlaybackKind::kSkip);
      }
      clock.Advance(absl::Seconds(10));
    }
    play("ann", "ann", PlaybackKind::kStart);
    const Decision decision = engine.Decide(RequestOf("ann")).value;
    REQUIRE(Winner(decision) == "a");
    REQUIRE(engine.Record({decision.id, 0, OutcomeKind::kImpression}).ok());
    const Decision open = engine.Decide(RequestOf("ann")).value;  // its place is still reserved
    REQUIRE(Winner(open) == "a");
    {
      FrequencyCapPolicy policy;
      policy.hash_key = kCapKey;
      internal::CapReader reader(policy);
      const RequestPtr request = RequestOf("ann");
      reader.Read(*request);
      std::vector<internal::CapRule> rules;
      const CatalogPin catalog = engine.PinCatalog();
      REQUIRE(reader.RulesOf(*catalog, catalog->campaign(0), catalog->campaign(0).creatives[0],
                             &rules));
      cap_subject = rules.at(0).window.subject;
    }
    for (const char* session : {"ann", "ann-1", "ann-2"}) {
      hers.push_back((*door)->SessionKeys(session)[0]);
    }
    hers.push_back((*door)->ListenerKeys("ann")[0]);
    others = {(*door)->SessionKeys("bob-3")[0], (*door)->ListenerKeys("bob")[0]};
    REQUIRE(region->Sync().ok());
    const std::string before = BytesOf(path);
    for (const uint64_t word : hers) CHECK(Holds(before, word));

    const auto erased = engine.Erase("ann");
    REQUIRE(erased.ok());
    CHECK(erased->sessions == 3);
    CHECK(engine.GetStats().sessions.erased == 3);
    CHECK(engine.Erase("ann")->sessions == 0);
    REQUIRE(region->Sync().ok());
    const std::string after = BytesOf(path);
    for (const uint64_t word : hers) CHECK_FALSE(Holds(after, word));
    for (const uint64_t word : others) CHECK(Holds(after, word));
    CHECK_FALSE(Holds(after, cap_subject));  // caps never had it
    // The money of what was shown to her is still right: her bids settle as they would have.
    REQUIRE(engine.Record({open.id, 0, OutcomeKind::kImpression}).ok());
    CHECK(engine.GetStats().caps.counted == 2);
  }
  const std::string closed = BytesOf(path);
  for (const uint64_t word : hers) CHECK_FALSE(Holds(closed, word));
  CHECK_FALSE(Holds(closed, cap_subject));
}

TEST_CASE("what has expired or ended is overwritten in the region as time goes by") {
  const Folder folder;
  const std::string path = folder / "region";
  testing::VirtualClock clock;
  auto region = Region::Open(path, {.bytes = 8 << 20, .clock = &clock});
  REQUIRE(region.ok());
  SessionsOptions options;
  options.sessions = 1000;
  options.hash_key = {7, 8};
  options.region = &*region;
  auto sessions = Sessions::Create(options, &clock);
  REQUIRE(sessions.ok());
  PlaybackEvent e;
  e.session = "s";
  e.at = clock.WallNow();
  ListenEvent out;
  REQUIRE(*(*sessions)->Admit(e, &out));
  REQUIRE(region->Sync().ok());
  REQUIRE(Holds(BytesOf(path), out.session));
  for (int minute = 0; minute < 60; ++minute) {
    clock.Advance(absl::Minutes(1));
    (*sessions)->Sweep();
  }
  REQUIRE(region->Sync().ok());
  CHECK_FALSE(Holds(BytesOf(path), out.session));
}

TEST_CASE("sessions outlive the process in a region, and only with the same key and room") {
  const Folder folder;
  testing::VirtualClock clock;
  const auto open = [&](size_t room, std::array<uint64_t, 2> key, bool play) -> std::string {
    auto region = Region::Open(folder / "region", {.bytes = 8 << 20, .clock = &clock});
    if (!region.ok()) return std::string(Message(region.status()));
    EngineOptions options = WithListener();
    options.runtime.clock = &clock;
    options.runtime.inline_scheduler = InlineScheduler{};
    options.relevance.rows = 64;
    options.listener->sessions.region = &*region;
    options.listener->sessions.sessions = room;
    options.listener->sessions.hash_key = key;
    auto engine = Engine::Create(std::move(options));
    if (!engine.ok()) return std::string(Message(engine.status()));
    Listener found;
    const bool known = (*engine)->sessions()->Find(*RequestOf("ann"), &found);
    if (play) {
      PlaybackEvent e;
      e.session = e.listener = "ann";
      e.at = clock.WallNow();
      REQUIRE((*engine)->Play(e).ok());
    }
    return known ? "known" : "unknown";
  };
  CHECK(open(1000, {}, true) ==
        "listener.hash_key must be given when listener.region outlives the process");
  CHECK(open(1000, {7, 8}, true) == "unknown");
  CHECK(open(1000, {7, 8}, false) == "known");
  CHECK(open(1000, {7, 9}, false) == "unknown");
  CHECK(open(5000, {7, 8}, false).find("sessions") != std::string::npos);
}

/// Anything that an event may say, and some that it may not.
PlaybackEvent AnyEvent(Random& random, absl::Time now, std::string_view session) {
  const auto unit = [&] { return static_cast<float>(random.Uniform() * 1.2 - 0.1); };
  const auto ms = [&] {
    constexpr int32_t kMillis[] = {-1, 0, 1, 1'000, 200'000, 10'000'000, INT32_MAX, INT32_MIN};
    return kMillis[random.Below(8)];
  };
  constexpr std::string_view kWords[] = {"", "jazz", "calm", "sleep", "happy", "pop, rock", " "};
  PlaybackEvent e;
  e.session = e.listener = session;
  e.kind = static_cast<PlaybackKind>(random.Below(11));
  e.at = now + absl::Seconds(30 - static_cast<int64_t>(random.Below(600)));
  e.content = random.Chance(0.3) ? ContentKind::kPodcast : ContentKind::kMusic;
  e.genre = kWords[random.Below(7)];
  e.mood = kWords[random.Below(7)];
  e.energy = unit();
  e.volume = unit();
  e.position_ms = ms();
  e.duration_ms = ms();
  e.screen = static_cast<int8_t>(random.Below(3)) - 1;
  e.devicetype = static_cast<int32_t>(random.Below(8));
  e.utcoffset = static_cast<int32_t>(random.Below(1500)) - 700;
  return e;
}

TEST_CASE("whatever is played in whatever order, sessions stay sane and decisions are made") {
  TestEngine engine({AudioCampaign("a", 5)}, WithListener());
  Random random(11);
  int kept = 0, decided = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = fmt::format("listener {}", random.Below(5));
    kept += engine->Play(AnyEvent(random, engine.clock->WallNow(), id)).ok() ? 1 : 0;
    const auto startdelay = static_cast<int32_t>(random.Below(4)) - 2;
    const Decision d = engine.Decide(RequestOf(id, startdelay));
    if (d.bids.empty()) {
      CHECK(d.nbr == Nbr::kNotTheMoment);
    } else {
      ++decided;
      CHECK(d.bids[0].value.value > 0);
      CHECK(d.bids[0].value.units() <= 5.0);
      CHECK(d.bids[0].in_ms >= 0);
      (void)engine->Record({d.id, 0, OutcomeKind::kImpression});
      if (random.Chance(0.5)) (void)engine->Record({d.id, 0, OutcomeKind::kCompletion});
    }
    engine.clock->Advance(absl::Seconds(static_cast<int64_t>(random.Below(60))));
    engine->sessions()->ForEach([&](uint64_t, const SessionState& s) {
      const Intents intents = IntentsOf(s, absl::ToUnixMillis(engine.clock->WallNow()), 12);
      float sum = 0;
      for (const float p : intents.p) sum += p;
      const bool sane = (!intents.known || std::abs(sum - 1) < 1e-3f) && s.skips >= 0 &&
                        s.skips < 1e4f && s.likes >= 0 && s.ads >= 0 && s.touches >= 0 &&
                        std::isfinite(s.attention[0]) && s.duration_ms >= 0;
      REQUIRE(sane);
    });
  }
  CHECK(kept > 5'000);
  CHECK(decided > 2'000);
}

TEST_CASE("many threads play, decide and erase at once") {
  auto engine = ThreadedEngine({AudioCampaign("a", 5)}, WithListener());
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string id = fmt::format("listener-{}", i % 7);
        PlaybackEvent e;
        e.session = e.listener = id;
        e.kind = static_cast<PlaybackKind>((i + t) % 11);
        e.at = Noon().WallNow();
        if (!engine->Play(e).ok()) ++failed;
        const Decision d = engine->Decide(RequestOf(id)).value;
        if (d.bids.empty() && d.nbr != Nbr::kNotTheMoment) ++failed;  // it may be paused
        if (i % 50 == t && !engine->Erase(id).ok()) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(engine->Shutdown(absl::Seconds(5)).clean());
}

}  // namespace
}  // namespace adagents::ads::test
