// Frequency caps in the team as a whole: who is shown how often, what stands in, and what is said.
#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "adagents/ads/agents/frequency_cap.h"
#include "adagents/ads/catalog_loader.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "ads/engine_kit.h"
#include "fmt/format.h"
#include "temporary_folder.h"

namespace adagents::ads::test {
namespace {

FrequencyCap Cap(int32_t count, absl::Duration window, CapPer per = CapPer::kListener) {
  return {.per = per, .count = count, .window = window};
}

RequestPtr From(Text listener, Text device = {}) {
  TestRequest request;
  request.request.user.id = listener;
  request.request.device.ifa = device;
  return request.Done();
}

Campaign Capped(const std::string& id, double cpm, FrequencyCap cap) {
  Campaign c = AudioCampaign(id, cpm);
  c.caps = {cap};
  return c;
}

/// Decides, and reports the impression of what won.
std::string Play(TestEngine& engine, const RequestPtr& request) {
  const Decision d = engine.Decide(request);
  for (uint32_t b = 0; b < d.bids.size(); ++b) {
    REQUIRE(engine->Record({d.id, b, OutcomeKind::kImpression}).ok());
  }
  engine->runtime().RunPending();
  return d.bids.empty() ? Winner(d) : d.bids[0].creative->id;
}

TEST_CASE("a listener hears a campaign as often as its cap allows, and others meanwhile") {
  TestEngine engine({Capped("rich", 9, Cap(2, absl::Hours(24))), AudioCampaign("poor", 1)});
  for (int i = 0; i < 2; ++i) CHECK(Play(engine, From("ann")) == "rich-1");
  CHECK(Play(engine, From("ann")) == "poor-1");
  CHECK(Play(engine, From("bob")) == "rich-1");
  engine.clock->Advance(absl::Hours(28));
  CHECK(Play(engine, From("ann")) == "rich-1");
  CHECK(engine->GetStats().caps.counted == 4);
}

TEST_CASE("where all is capped the no-bid code says so, and words say which cap and until when") {
  TestEngine engine({Capped("a", 5, Cap(1, absl::Hours(24)))});
  CHECK(Play(engine, From("ann")) == "a-1");
  CallOptions call;
  call.explain = true;
  const auto answer = engine->Decide(From("ann"), call);
  CHECK(answer.value.nbr == Nbr::kFrequencyCapped);
  const std::string chain = engine->Explain(answer);
  INFO(chain);
  CHECK(chain.find("'Campaign a' (a): 1 of 1 impressions of it reached the listener") !=
        std::string::npos);
  CHECK(chain.find("that cap is on any 86400 s; a place is free in") != std::string::npos);
  const std::string why = engine->WhyNot(From("ann"), "a");
  INFO(why);
  CHECK(why.find("frequency cap on the campaign: 1 of 1 for this listener in 24h, a place is free "
                 "in ") != std::string::npos);
  CHECK(engine->WhyNot(From("bob"), "a").find("it is shown") != std::string::npos);
}

TEST_CASE("decisions in flight do not exceed a cap together, and a lost bid gives its place back") {
  TestEngine engine({Capped("a", 5, Cap(2, absl::Hours(24)))});
  const Decision first = engine.Decide(From("ann"));
  const Decision second = engine.Decide(From("ann"));
  CHECK(Winner(first) == "a");
  CHECK(Winner(second) == "a");
  CHECK(engine.Decide(From("ann")).nbr == Nbr::kFrequencyCapped);
  SECTION("released") {
    CHECK(engine->frequency_caps().Release(first.id, 0));
    CHECK(Winner(engine.Decide(From("ann"))) == "a");
  }
  SECTION("never heard of again") {
    engine.clock->Advance(2 * engine->frequency_caps().ttl());
    CHECK(Winner(engine.Decide(From("ann"))) == "a");
  }
  SECTION("reported twice") {
    for (int i = 0; i < 3; ++i) {
      REQUIRE(engine->Record({first.id, 0, OutcomeKind::kImpression}).ok());
    }
    engine->runtime().RunPending();
    CHECK(engine->GetStats().caps.counted == 1);
    CHECK(engine.Decide(From("ann")).nbr == Nbr::kFrequencyCapped);
  }
}

Creative Variant(const std::string& id, const std::string& tone, const std::string& voice) {
  Creative c = AudioAd(id);
  c.tone = tone;
  c.voice = voice;
  return c;
}

TEST_CASE("another creative stands in for a capped one: the most different of its campaign") {
  Campaign c = AudioCampaign("a", 5);
  c.creatives = {Variant("calm", "calm", "female"), Variant("twin", "calm", "female"),
                 Variant("near", "upbeat", "female"), Variant("far", "upbeat", "male")};
  c.creatives[0].caps = {Cap(1, absl::Hours(1))};
  c.creatives[3].caps = {Cap(1, absl::Hours(1))};
  TestEngine engine({c});
  CHECK(Play(engine, From("ann")) == "calm");
  CallOptions call;
  call.explain = true;
  const auto answer = engine->Decide(From("ann"), call);
  const std::string chain = engine->Explain(answer);
  INFO(chain);
  CHECK(chain.find("another creative of it stands in for the capped one, different in 2 of 5") !=
        std::string::npos);
  // The twin is the same ad to the listener, so it is none of those that may win.
  CHECK(answer.value.bids.at(0).creative->id != "twin");
  const std::string why = engine->WhyNot(From("ann"), "a");
  INFO(why);
  CHECK(why.find("creative 'twin': held back") != std::string::npos);
  CHECK(
      why.find("creative 'calm': frequency cap on this creative: 1 of 1 for this listener in 1h") !=
      std::string::npos);
}

TEST_CASE("a capped creative without a variant takes nobody else's place, and blocks only itself") {
  Campaign c = AudioCampaign("a", 5);
  c.creatives = {AudioAd("one"), AudioAd("two")};
  c.creatives[0].caps = {Cap(1, absl::Hours(1))};
  SECTION("its twin is offered when there is nothing else of the brand") {
    TestEngine engine({c, AudioCampaign("rival", 1)});
    CHECK(Play(engine, From("ann")) == "one");
    CHECK(Play(engine, From("ann")) == "two");
  }
  SECTION("with substitution off the campaign sits it out") {
    EngineOptions options;
    options.cap_policy.substitute = false;
    TestEngine engine({c, AudioCampaign("rival", 1)}, std::move(options));
    CHECK(Play(engine, From("ann")) == "one");
    CHECK(Play(engine, From("ann")) == "rival-1");
  }
}

TEST_CASE("another campaign of the brand stands in when the campaign itself is capped") {
  Campaign first = Capped("first", 5, Cap(1, absl::Hours(1)));
  Campaign second = AudioCampaign("second", 4);
  first.brand = "Acme";
  second.brand = "ACME";
  TestEngine engine({first, second, AudioCampaign("rival", 1)});
  CHECK(Play(engine, From("ann")) == "first-1");
  CallOptions call;
  call.explain = true;
  const auto answer = engine->Decide(From("ann"), call);
  CHECK(Winner(answer.value) == "second");
  CHECK(engine->Explain(answer).find("(second) stands in for a capped one of the same brand") !=
        std::string::npos);
}

TEST_CASE("a brand's cap counts all its campaigns together, also those added later") {
  Campaign first = AudioCampaign("first", 5), second = AudioCampaign("second", 9);
  first.brand = second.brand = "Acme";
  TestEngine engine({AudioCampaign("rival", 1)});
  auto catalog = Catalog::Build({first, AudioCampaign("rival", 1)},
                                {{.brand = "acme", .caps = {Cap(2, absl::Hours(1))}}});
  REQUIRE(catalog.ok());
  REQUIRE(engine->SwapCatalog(*std::move(catalog)).ok());
  CHECK(Play(engine, From("ann")) == "first-1");
  REQUIRE(engine->ChangeCatalog({.put = {second}, .remove = {}}).ok());
  CHECK(Play(engine, From("ann")) == "second-1");
  CHECK(Play(engine, From("ann")) == "rival-1");
  REQUIRE(engine->MergeCatalog().ok());
  CHECK(Play(engine, From("ann")) == "rival-1");
  CHECK(Play(engine, From("bob")) == "second-1");
}

TEST_CASE("caps count per listener, household, session or device, as they say") {
  EngineOptions options;
  options.cap_policy.household_sources = {"home.example"};
  options.cap_policy.stand_ins = {};
  options.cap_policy.network_stands_in = false;
  TestEngine engine(
      {Capped("home", 9, Cap(1, absl::Hours(1), CapPer::kHousehold)),
       Capped("device", 5, Cap(1, absl::Hours(1), CapPer::kDevice)), AudioCampaign("rest", 1)},
      std::move(options));
  const auto request = [](Text listener, Text home, Text device) {
    TestRequest r;
    r.request.user.id = listener;
    r.request.device.ifa = device;
    const List<Uid> uids = r.List_<Uid>({Uid{.id = home, .atype = {}}});
    r.request.user.eids = r.List_<Eid>({Eid{.source = "home.example", .uids = uids}});
    return r.Done();
  };
  CHECK(Play(engine, request("ann", "h1", "d1")) == "home-1");
  CHECK(Play(engine, request("bob", "h1", "d1")) == "device-1");
  CHECK(Play(engine, request("bob", "h1", "d1")) == "rest-1");
  CHECK(Play(engine, request("bob", "h1", "d2")) == "device-1");
  CHECK(Play(engine, request("ann", "h2", "d1")) == "home-1");
}

TEST_CASE("an identifier is its giver's, and zeros are nobody's") {
  SECTION("of listeners") {
    TestEngine engine({Capped("a", 5, Cap(1, absl::Hours(24)))});
    const auto play = [&](const char* source) {
      TestRequest request;
      const Uid uid{"1000017", {}};
      request.request.user.eids =
          request.made.arena->Copy({Eid{source, request.made.arena->Copy({uid})}});
      return Play(engine, request.Done());
    };
    const std::string shown = play("one.example");
    CHECK(play("one.example") != shown);
    CHECK(play("other.example") == shown);
    CHECK(play("other.example") != shown);
  }
  SECTION("of devices") {
    TestEngine engine({Capped("a", 5, Cap(1, absl::Hours(24), CapPer::kDevice))});
    const auto play = [&](const char* ifa, const char* ip) {
      TestRequest request;
      request.request.device.ifa = ifa;
      request.request.device.ip = ip;
      return Play(engine, request.Done());
    };
    const char *zeros = "00000000-0000-0000-0000-000000000000",
               *phone = "6d92078a-8246-4ba4-ae5b-76104861e7dc";
    const std::string shown = play(zeros, "192.0.2.1");
    CHECK(play(zeros, "192.0.2.1") != shown);  // its network stands in
    CHECK(play(zeros, "198.51.100.1") == shown);
    CHECK(play(phone, "203.0.113.1") == shown);
    CHECK(play(phone, "203.0.114.1") != shown);
  }
}

TEST_CASE("without an identifier the policy decides") {
  const std::vector<Campaign> campaigns = {Capped("capped", 9, Cap(1, absl::Hours(1))),
                                           AudioCampaign("free", 1)};
  EngineOptions options;
  SECTION("the device stands in for the listener") {
    TestEngine engine(campaigns, std::move(options));
    CHECK(Play(engine, From("", "d1")) == "capped-1");
    CHECK(Play(engine, From("", "d1")) == "free-1");
    CHECK(Play(engine, From("", "d2")) == "capped-1");
  }
  SECTION("then the network, where consent allows") {
    const auto from = [](Text ip, bool limited) {
      TestRequest r;
      r.request.device.ip = ip;
      r.request.device.ua = "radio/1.0";
      r.request.device.lmt = limited;
      return r.Done();
    };
    TestEngine engine(campaigns, std::move(options));
    CHECK(Play(engine, from("203.0.113.7", false)) == "capped-1");
    CHECK(Play(engine, from("203.0.113.99", false)) == "free-1");
    CHECK(Play(engine, from("203.0.114.7", false)) == "capped-1");
    for (int i = 0; i < 3; ++i) CHECK(Play(engine, from("203.0.113.7", true)) == "capped-1");
  }
  SECTION("nobody: it is blocked") {
    options.cap_policy.without_id = WithoutId::kBlock;
    TestEngine engine(campaigns, std::move(options));
    CHECK(Play(engine, From("")) == "free-1");
    CHECK(engine->WhyNot(From(""), "capped").find("does not say for whom") != std::string::npos);
  }
  SECTION("nobody: it is shown so many times in one request") {
    options.cap_policy.per_request = 2;
    Campaign capped = campaigns[0];
    capped.caps = {Cap(9, absl::Hours(1))};
    TestEngine engine({capped}, std::move(options));
    TestRequest r;
    r.imp.audio = r.made.arena->New(r.audio);
    std::vector<Imp> imps(4, r.imp);
    r.request.imps = r.made.arena->Copy(List<Imp>(imps));
    r.request.consent = ComputeConsent(r.request);
    CHECK(engine.Decide(r.made.ptr).bids.size() == 2);
  }
  SECTION("the host knows better") {
    options.cap_policy.identify = [](const Request& r, CapPer) { return r.channel.bundle; };
    TestEngine engine(campaigns, std::move(options));
    CHECK(Play(engine, From("")) == "capped-1");
    CHECK(Play(engine, From("ann")) == "free-1");
  }
}

TEST_CASE("one request's bids count against one cap") {
  TestEngine engine({Capped("a", 9, Cap(3, absl::Hours(1))), AudioCampaign("b", 1)});
  TestRequest r;
  r.request.user.id = "ann";
  r.imp.audio = r.made.arena->New(r.audio);
  std::vector<Imp> imps(5, r.imp);
  r.request.imps = r.made.arena->Copy(List<Imp>(imps));
  r.request.consent = ComputeConsent(r.request);
  std::map<std::string, int> shown;
  for (const Bid& bid : engine.Decide(r.made.ptr).bids) ++shown[bid.campaign->id];
  CHECK(shown == std::map<std::string, int>{{"a", 3}, {"b", 2}});
}

/// Fails, so that caps are unknown to the auction.
class NoCaps final : public Agent {
  Out<CapVerdicts> caps_{this, kCaps, CapVerdicts{}};

 public:
  NoCaps() : Agent({.name = "frequency_cap"}) {}
  absl::Status Run(Context&) override { return Unavailable("out of order"); }
};

/// Fails, so that the fallback decides.
class NoAuction final : public Agent {
  In<Prices> prices_{this, kPrices};
  In<CapVerdicts> caps_{this, kCaps};
  Out<Decision> decision_{this, kDecision};

 public:
  NoAuction() : Agent({.name = "auction"}) {}
  absl::Status Run(Context&) override { return Unavailable("out of order"); }
};

TEST_CASE(
    "when the agent fails nothing that is capped is sold, and when the auction does, caps hold") {
  TestEngine engine({Capped("capped", 9, Cap(1, absl::Hours(1))), AudioCampaign("free", 1)});
  SECTION("the agent") {
    REQUIRE(engine->runtime().Edit().Replace<NoCaps>("frequency_cap").Commit().ok());
    CHECK(Winner(engine.Decide(From("ann"))) == "free");
  }
  SECTION("the auction") {
    REQUIRE(engine->runtime().Edit().Replace<NoAuction>("auction").Commit().ok());
    const Decision d = engine.Decide(From("ann"));
    CHECK(d.fallback);
    CHECK(Winner(d) == "capped");
    CHECK(engine->GetStats().caps.reserved == 1);
    CHECK(Winner(engine.Decide(From("ann"))) == "free");
  }
}

TEST_CASE("a test takes no place under a cap, sees those that are taken, and teaches nothing") {
  TestEngine engine({Capped("capped", 9, Cap(1, absl::Hours(1))), AudioCampaign("free", 1)});
  const bool fallback = GENERATE(false, true);
  if (fallback) REQUIRE(engine->runtime().Edit().Replace<NoAuction>("auction").Commit().ok());
  const auto winner_of_test = [&] {
    TestRequest request;
    request.request.user.id = "ann";
    request.request.test = true;
    const Decision d = engine.Decide(request.Done());
    CHECK(d.fallback == fallback);
    REQUIRE(engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
    engine->runtime().RunPending();
    return Winner(d);
  };
  for (int i = 0; i < 3; ++i) CHECK(winner_of_test() == "capped");
  CHECK(engine->GetStats().caps.reserved == 0);
  CHECK(engine->GetStats().outcomes_waiting == 0);  // of what to learn from
  CHECK(Play(engine, From("ann")) == "capped-1");
  CHECK(engine->GetStats().outcomes_waiting == (fallback ? 0 : 1));
  CHECK(winner_of_test() == "free");
}

TEST_CASE("a decision that is cut gives its places back") {
  const auto engine = ThreadedEngine({Capped("a", 5, Cap(1, absl::Hours(1)))});
  CallOptions call;
  call.tmax = absl::ZeroDuration();
  CHECK(engine->Decide(From("ann"), call).value.bids.empty());
  CHECK(Winner(engine->Decide(From("ann")).value) == "a");
}

TEST_CASE("many threads that decide at once do not exceed a cap together") {
  const auto engine =
      ThreadedEngine({Capped("a", 5, Cap(5, absl::Hours(1))), AudioCampaign("rest", 1)});
  constexpr int kThreads = 4, kListeners = 10, kDecisions = 300;
  std::atomic<int> shown[kListeners] = {};
  std::vector<std::thread> crew;
  for (int t = 0; t < kThreads; ++t) {
    crew.emplace_back([&, t] {
      for (int i = 0; i < kDecisions; ++i) {
        const int who = (i + t) % kListeners;
        const auto answer =
            engine->Decide(From(fmt::format("l{}", who)), {.trusted = (i + t) % 2 == 0});
        if (Winner(answer.value) != "a") continue;
        ++shown[who];
        (void)engine->Record({answer.value.id, 0, OutcomeKind::kImpression});
      }
    });
  }
  for (std::thread& t : crew) t.join();
  for (const auto& times : shown) CHECK(times == 5);
}

TEST_CASE("counts that outlive the process need a key of their own") {
  const Folder folder;
  auto region = Region::Open(folder / "caps", {.bytes = size_t{1} << 20});
  REQUIRE(region.ok());
  EngineOptions options;
  options.caps.region = &*region;
  const auto engine = Engine::Create(std::move(options));
  REQUIRE_FALSE(engine.ok());
  CHECK(std::string(Message(engine.status())).find("hash_key") != std::string::npos);
}

// --- The catalog --------------------------------------------------------------------------------

std::string Json(const std::string& campaign_caps, const std::string& creative_caps,
                 const std::string& brands) {
  return fmt::format(R"({{"brands": {},
"campaigns": [{{"id": "a", "advertiser": "Acme", "budget": {{"daily": 5}}, "bid": {{"max_cpm": 2}},
"adomain": ["acme.example"],
"caps": {},
"creatives": [{{"id": "a1", "format": "audio", "duration_ms": 30000,
"media_url": "https://acme.example/a.mp3",
"caps": {}
}}]}}]}})",
                     brands, campaign_caps, creative_caps);
}

TEST_CASE("caps stand in the catalog, on campaigns, creatives and brands") {
  const auto catalog = LoadCatalog(Json(R"([{"count": 3, "window": "24h"}])",
                                        R"([{"count": 1, "window": "90s", "per": "session"}])",
                                        R"([{"brand": "Acme", "caps": [{"count": 6,
                                            "window": "1w", "per": "household"}]}])"));
  INFO(catalog.status().ToString());
  REQUIRE(catalog.ok());
  const Campaign& c = (*catalog)->campaign(0);
  CHECK(c.caps == std::vector<FrequencyCap>{Cap(3, absl::Hours(24))});
  CHECK(c.creatives[0].caps ==
        std::vector<FrequencyCap>{Cap(1, absl::Seconds(90), CapPer::kSession)});
  const CreativeFacts& facts = (*catalog)->creative_facts(0)[0];
  CHECK(facts.capped);
  REQUIRE((*catalog)->brand_caps(facts.brand).size() == 1);
  CHECK((*catalog)->brand_caps(facts.brand)[0] == Cap(6, absl::Hours(168), CapPer::kHousehold));
  const auto other = LoadCatalog(Json("[]", "[]", "[]"));
  REQUIRE(other.ok());
  CHECK_FALSE((*other)->creative_facts(0)[0].capped);
  CHECK((*other)->fingerprint() != (*catalog)->fingerprint());
}

TEST_CASE("a wrong cap is named with its line and path") {
  const auto error = [](const std::string& caps, const std::string& creative = "[]",
                        const std::string& brands = "[]") {
    const auto loaded = LoadCatalog(Json(caps, creative, brands));
    return loaded.ok() ? "" : std::string(Message(loaded.status()));
  };
  CHECK(error(R"([{"count": 0, "window": "1d"}])") ==
        "line 4, campaigns[0].caps[0].count: must be from 1 to 100, got 0");
  CHECK(error(R"([{"window": "1d"}])") == "line 4, campaigns[0].caps[0].count: is missing");
  CHECK(error(R"([{"count": 1, "window": "1 day"}])")
            .find("line 4, campaigns[0].caps[0].window: must be a length of time") == 0);
  CHECK(error(R"([{"count": 1, "window": "32d"}])")
            .find("line 4, campaigns[0].caps[0].window: must be from a minute") == 0);
  CHECK(error(R"([{"count": 1, "window": "59s"}])").find("from a minute") != std::string::npos);
  CHECK(error(R"([{"count": 1, "window": "1h", "per": "planet"}])")
            .find("line 4, campaigns[0].caps[0].per: ") == 0);
  CHECK(error(R"([{"count": 1, "window": "1h"}, {"count": 2, "window": "60m"}])")
            .find("line 4, campaigns[0].caps[1].window: repeats the window of caps[0]") == 0);
  CHECK(error("[]", R"([{"count": 101, "window": "1h"}])")
            .find("line 7, campaigns[0].creatives[0].caps[0].count: ") == 0);
  CHECK(error("[]", "[]", R"([{"brand": "x", "caps": [{"count": 0, "window": "1h"}]}])")
            .find("line 1, brands[0].caps[0].count: must be from 1") == 0);
  CHECK(error("[]", "[]", R"([{"brand": "x", "caps": []}, {"brand": "X", "caps": []}])")
            .find("line 1, brands[1].brand: \"X\" repeats the brand of brands[0]") == 0);
  CHECK(error("[]", "[]", R"([{"brnd": "x", "caps": []}])").find("brands[0].brnd: unknown key") !=
        std::string::npos);
}

}  // namespace
}  // namespace adagents::ads::test
