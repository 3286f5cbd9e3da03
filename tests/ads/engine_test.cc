// The facade: how decisions end, what may be changed while it serves, and what it says about them.
#include "adagents/ads/engine.h"

#include <atomic>
#include <future>
#include <limits>
#include <thread>

#include "ads/engine_kit.h"
#include "fmt/format.h"

namespace adagents::ads::test {
namespace {

TEST_CASE("every answer without a bid says why") {
  TestEngine engine({AudioCampaign("a", 5)});
  TestRequest request;
  SECTION("nobody is looking for this listener") {
    request.audio.mimes = {};
    Campaign c = AudioCampaign("a", 5);
    c.targeting.Include(Attribute::kCountry, {"fra"});
    CHECK(TestEngine({c}).Decide(request.Done()).nbr == Nbr::kNoEligibleCampaign);
  }
  SECTION("no campaigns") {
    CHECK(TestEngine({}).Decide(request.Done()).nbr == Nbr::kNoEligibleCampaign);
  }
  SECTION("out of flight") {
    Campaign c = AudioCampaign("a", 5);
    c.start = engine.clock->WallNow() + absl::Hours(1);
    TestEngine later({c});
    CHECK(later.Decide(request.Done()).nbr == Nbr::kNoEligibleCampaign);
    later.clock->Advance(absl::Hours(1));
    CHECK(Winner(later.Decide(request.Done())) == "a");
  }
  SECTION("no request") {
    CHECK(engine.Decide(RequestPtr()).nbr == Nbr::kInvalidRequest);
    CHECK(engine.Decide(MakeRequest().ptr).nbr == Nbr::kInvalidRequest);
  }
  SECTION("too late already") {
    CallOptions call;
    call.arrival_nanos = engine.clock->Now();
    engine.clock->Advance(absl::Milliseconds(60));
    CHECK(engine->Decide(request.Done(), call).value.nbr == Nbr::kInsufficientAuctionTime);
  }
  SECTION("the request's own tmax has passed") {
    request.request.tmax = 20;
    CallOptions call;
    call.arrival_nanos = engine.clock->Now();
    engine.clock->Advance(absl::Milliseconds(30));
    CHECK(engine->Decide(request.Done(), call).value.nbr == Nbr::kInsufficientAuctionTime);
  }
  SECTION("shut down") {
    (void)engine->Shutdown(absl::Seconds(1));
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kShuttingDown);
  }
  SECTION("cancelled") {
    std::stop_source stop;
    stop.request_stop();
    CallOptions call;
    call.stop = stop.get_token();
    CHECK(engine->Decide(request.Done(), call).value.nbr == Nbr::kCancelled);
  }
}

TEST_CASE("a campaign that is switched off is out of the very next decision") {
  TestEngine engine({AudioCampaign("a", 5), AudioCampaign("b", 3)});
  const RequestPtr request = TestRequest().Done();
  CHECK(Winner(engine.Decide(request)) == "a");
  REQUIRE(engine->SetCampaignEnabled("a", false).ok());
  CHECK(Winner(engine.Decide(request)) == "b");
  REQUIRE(engine->SetCampaignEnabled("b", false).ok());
  CHECK(engine.Decide(request).nbr == Nbr::kDisabled);
  REQUIRE(engine->SwapCatalog(MakeCatalog({AudioCampaign("a", 9)})).ok());
  CHECK(engine.Decide(request).nbr == Nbr::kDisabled);  // the switch outlives the catalog
  REQUIRE(engine->SetCampaignEnabled("a", true).ok());
  CHECK(Winner(engine.Decide(request)) == "a");
  CHECK(engine->GetStats().switched_off == 1);
}

/// Notes what agents may see of the listener.
struct Seen {
  std::atomic<int> calls{0};
  std::atomic<bool> id{false}, gender{false}, ifa{false};
  std::string ip;
};
constexpr StateKey<Seen> kSeen{"test_seen"};
class Spy final : public Agent {
  In<Request> request_{this, kRequest};
  State<Seen> seen_{this, kSeen};

 public:
  Spy() : Agent({.name = "spy"}) {}
  absl::Status Run(Context& ctx) override {
    const Request& r = ctx[request_];
    ++seen_->calls;
    seen_->id = !r.user.id.empty();
    seen_->gender = !r.user.gender.empty();
    seen_->ifa = !r.device.ifa.empty();
    seen_->ip = std::string(r.device.ip);
    return absl::OkStatus();
  }
};

TEST_CASE("no agent sees what the listener has not consented to, in requests made by hand too") {
  auto seen = std::make_shared<Seen>();
  EngineOptions options;
  options.customize = [&](AdRuntime::Builder& b) { b.ShareObject(kSeen, seen).Add<Spy>(); };
  const TestEngine engine({AudioCampaign("a", 5)}, std::move(options));
  TestRequest request;
  request.request.user.id = "u1";
  request.request.user.gender = "F";
  request.request.device.ifa = "ifa-1";
  request.request.device.ip = "192.0.2.77";
  SECTION("with consent it is there") {
    CHECK(Winner(engine.Decide(request.Done())) == "a");
    CHECK(seen->id);
    CHECK(seen->ip == "192.0.2.77");
  }
  SECTION("without it is gone, though the caller said otherwise") {
    switch (GENERATE(0, 1, 2)) {
      case 0:  // GDPR without a consent string
        request.request.regs.gdpr = true;
        break;
      case 1:
        request.request.regs.coppa = true;
        break;
      default:  // opted out of sale
        request.request.regs.us_privacy = "1YYN";
    }
    const RequestPtr done = request.Done();
    request.request.consent = Consent{};  // everything allowed, it claims
    CHECK(Winner(engine.Decide(done)) == "a");
    CHECK(seen->calls == 1);
    CHECK_FALSE(seen->id);
    CHECK_FALSE(seen->gender);
    CHECK_FALSE(seen->ifa);
    CHECK(seen->ip == "192.0.2.0");
    CHECK(done->user.id == "u1");  // the caller's own request is left alone
  }
  SECTION("and a consent that was computed but not applied is applied") {
    request.request.device.lmt = true;
    CHECK(Winner(engine.Decide(request.Done())) == "a");
    CHECK_FALSE(seen->id);
    CHECK_FALSE(seen->ifa);
  }
}

TEST_CASE("one recording, one seed: two engines decide byte for byte alike") {
  const auto run = [] {
    std::vector<Campaign> campaigns;
    for (int i = 0; i < 50; ++i) {
      Campaign c = AudioCampaign(fmt::format("c{}", i), 1 + i % 7);
      if (i % 3 == 0) {
        c.bid.action = Action::kClick;
        c.bid.value_per_action = Units(1 + i % 5);
      }
      campaigns.push_back(std::move(c));
    }
    TestEngine engine(std::move(campaigns));
    std::string text;
    for (int i = 0; i < 200; ++i) {
      TestRequest request;
      request.request.at = 1 + i % 2;
      request.imp.bidfloor = Units(0.1 * (i % 40));
      CallOptions call;
      call.explain = true;
      const auto answer = engine->Decide(request.Done(), call);
      text += engine->Explain(answer);
      for (const Bid& b : answer.value.bids) {
        text += b.creative->id + " " + std::to_string(b.price.value) + "\n";
        (void)engine->Record({answer.value.id, 0, OutcomeKind::kImpression});
        if (i % 5 == 0) (void)engine->Record({answer.value.id, 0, OutcomeKind::kClick});
      }
      engine->runtime().RunPending();
    }
    return text;
  };
  const std::string first = run();
  CHECK(first.size() > 10'000);
  CHECK(first == run());
}

TEST_CASE("what came of bids changes what the next ones are worth") {
  Campaign clicks = AudioCampaign("clicks", 50);
  clicks.bid.action = Action::kClick;
  clicks.bid.value_per_action = Units(1);
  TestEngine engine({clicks});
  const RequestPtr request = TestRequest().Done();
  const Micros before = engine.Decide(request).bids.at(0).value;
  SECTION("clicks raise it") {
    for (int i = 0; i < 30; ++i) {
      const Decision d = engine.Decide(request);
      REQUIRE(engine->Record({d.id, 0, OutcomeKind::kImpression}).ok());
      REQUIRE(engine->Record({d.id, 0, OutcomeKind::kClick}).ok());
    }
    engine->runtime().RunPending();
    CHECK(engine.Decide(request).bids.at(0).value.value > 2 * before.value);
    CHECK(engine->relevance_models().click.metrics().happened == 30);
  }
  SECTION("a click that is reported twice counts once, and one of nobody's bid not at all") {
    const Decision d = engine.Decide(request);
    for (int i = 0; i < 3; ++i) REQUIRE(engine->Record({d.id, 0, OutcomeKind::kClick}).ok());
    REQUIRE(engine->Record({d.id + 1, 0, OutcomeKind::kClick}).ok());
    engine->runtime().RunPending();
    CHECK(engine->relevance_models().click.metrics().examples == 1);
  }
}

TEST_CASE("impressions that nobody acted upon lower the price, once their time has passed") {
  Campaign listens = AudioCampaign("listens", 50);
  listens.bid.action = Action::kCompletion;
  listens.bid.value_per_action = Units(0.01);
  TestEngine engine({listens});
  const RequestPtr request = TestRequest().Done();
  const int64_t before = engine.Decide(request).bids.at(0).value.value;
  for (int i = 0; i < 30; ++i) {
    REQUIRE(engine->Record({engine.Decide(request).id, 0, OutcomeKind::kImpression}).ok());
  }
  engine->runtime().RunPending();
  CHECK(engine.Decide(request).bids.at(0).value.value == before);
  CHECK(engine->GetStats().outcomes_waiting == 30);
  engine.clock->Advance(absl::Minutes(30));
  CHECK(engine->SettleOutcomes() == 30);
  CHECK(engine.Decide(request).bids.at(0).value.value < before / 2);
}

TEST_CASE("without the relevance agent the prior rates are assumed, and the answer says so") {
  Campaign clicks = AudioCampaign("clicks", 50);
  clicks.bid.action = Action::kClick;
  clicks.bid.value_per_action = Units(1);
  TestEngine engine({clicks});
  REQUIRE(engine->runtime().SetSwitchedOff("relevance", true).ok());
  const auto answer = engine->Decide(TestRequest().Done());
  REQUIRE(Winner(answer.value) == "clicks");
  CHECK(answer.value.bids[0].value == Units(2));  // two in a thousand, a unit each
  CHECK(answer.value.defaulted == 1);
  CHECK(answer.degraded());
}

TEST_CASE("when a required agent is out, the fallback decides from what there is") {
  TestEngine engine({AudioCampaign("a", 5), AudioCampaign("b", 3)});
  const RequestPtr request = TestRequest().Done();
  for (const char* agent : {"pricing", "auction"}) {
    INFO(agent);
    REQUIRE(engine->runtime().SetSwitchedOff(agent, true).ok());
    const auto answer = engine->Decide(request);
    CHECK(answer.verdict == Verdict::kFallback);
    CHECK(Winner(answer.value) == "a");
    CHECK(answer.value.fallback);
    REQUIRE(engine->runtime().SetSwitchedOff(agent, false).ok());
  }
  REQUIRE(engine->runtime().SetSwitchedOff("availability", true).ok());
  CHECK(engine.Decide(request).nbr == Nbr::kTechnicalError);
}

/// Predicts nonsense.
class WildRelevance final : public Agent {
  In<Candidates> candidates_{this, kCandidates};
  Out<Scores> scores_{this, kScores, Scores{}};
  const float rate_;

 public:
  explicit WildRelevance(float rate) : Agent({.name = "relevance"}), rate_(rate) {}
  absl::Status Run(Context& ctx) override {
    ctx[scores_].rate.assign(ctx[candidates_].items.size(), rate_);
    return absl::OkStatus();
  }
};

TEST_CASE("an agent of one's own may take a built-in one's place, and its nonsense is refused") {
  Campaign clicks = AudioCampaign("clicks", 50);
  clicks.bid.action = Action::kClick;
  clicks.bid.value_per_action = Units(1);
  TestEngine engine({clicks, AudioCampaign("plain", 1)});
  const RequestPtr request = TestRequest().Done();
  const auto replace = [&](float rate) {
    return engine->runtime().Edit().Replace<WildRelevance>("relevance", rate).Commit();
  };
  REQUIRE(replace(0.01f).ok());
  CHECK(engine.Decide(request).bids.at(0).value.units() == Approx(10));
  for (const float rate : {std::numeric_limits<float>::quiet_NaN(),
                           std::numeric_limits<float>::infinity(), -1.0f, 2.0f}) {
    REQUIRE(replace(rate).ok());
    CHECK(Winner(engine.Decide(request)) == "plain");
  }
}

TEST_CASE("a team that cannot be wired is refused with the reason") {
  EngineOptions options;
  options.customize = [](AdRuntime::Builder& b) { b.Add<WildRelevance>(0.5f); };
  const auto engine = Engine::Create(std::move(options));
  REQUIRE_FALSE(engine.ok());
  CHECK(std::string(Message(engine.status())).find("relevance") != std::string::npos);

  EngineOptions rates;
  rates.rates = {{*Currency::Parse("EUR"), -1.0}};
  const auto wrong = Engine::Create(std::move(rates));
  REQUIRE_FALSE(wrong.ok());
  CHECK(std::string(Message(wrong.status())).find("EUR") != std::string::npos);
}

TEST_CASE("WhyNot says in plain words what kept a campaign out") {
  Campaign shy = AudioCampaign("shy", 1);
  shy.targeting.Include(Attribute::kCountry, {"fra"});
  Campaign longer = AudioCampaign("long", 1, 90);
  Campaign cheap = AudioCampaign("cheap", 0.5);
  TestEngine engine({AudioCampaign("winner", 5), AudioCampaign("second", 3), shy, longer, cheap});
  TestRequest request;
  request.imp.bidfloor = Units(1);
  request.audio.maxduration = 60;
  request.request.device.geo.country = "USA";
  const RequestPtr done = request.Done();
  const auto says = [&](const char* campaign, const char* what) {
    const std::string text = engine->WhyNot(done, campaign);
    INFO(text);
    return text.find(what) != std::string::npos;
  };
  CHECK(says("winner", "it is shown, at 5.00 USD"));
  CHECK(says("second", "outbid: 3 against 5"));
  CHECK(says("second", "'Campaign winner' (winner) is shown"));
  CHECK(says("shy", "country"));
  CHECK(says("long", "the duration is outside what the imp allows"));
  CHECK(says("cheap", "below the floor of 1.00 USD"));
  CHECK(says("nobody", "is not in the catalog"));
  REQUIRE(engine->SetCampaignEnabled("second", false).ok());
  CHECK(says("second", "switched off"));
  CHECK(engine->GetStats().bids == 0);  // asking decides nothing
}

TEST_CASE("WhyNot says that it asks no agents of one's own") {
  class Veto final : public Agent {
    In<Decision> decision_{this, kDecision};

   public:
    Veto() : Agent({.name = "veto", .must_run = true}) {}
    absl::Status Run(Context&) override { return absl::PermissionDeniedError("never"); }
  };
  const auto why = [](EngineOptions options) {
    const TestEngine engine({AudioCampaign("a", 5)}, std::move(options));
    return engine->WhyNot(TestRequest().Done(), "a");
  };
  CHECK(why({}).find("were not asked") == std::string::npos);
  EngineOptions options;
  options.customize = [](AdRuntime::Builder& builder) { builder.Add<Veto>(); };
  CHECK(why(std::move(options)).find("agents of EngineOptions::customize were not asked") !=
        std::string::npos);
}

TEST_CASE("an imp that is secure gets nothing that would be fetched over http") {
  Campaign plain = AudioCampaign("plain", 5);
  plain.creatives[0].media_url = "http://cdn.example/plain.mp3";
  Campaign secure = AudioCampaign("secure", 3);
  secure.creatives[0].click_through = "http://secure.example/";  // a page, not a part of the ad
  TestEngine engine({plain, secure});
  const auto winner = [&](std::optional<bool> asks) {
    TestRequest request;
    request.imp.secure = asks;
    return Winner(engine.Decide(request.Done()));
  };
  CHECK(winner(std::nullopt) == "plain");
  CHECK(winner(false) == "plain");
  CHECK(winner(true) == "secure");

  TestRequest request;
  request.imp.secure = true;
  const RequestPtr done = request.Done();
  const std::string why = engine->WhyNot(done, "plain");
  INFO(why);
  CHECK(why.find("the imp takes only https (secure), and not all of it is (loss 207)") !=
        std::string::npos);
  TestEngine alone({plain});
  CallOptions call;
  call.explain = true;
  const auto answer = alone->Decide(done, call);
  CHECK(Winner(answer.value) == "no bid: unsupported imp");
  const std::string chain = alone->Explain(answer);
  INFO(chain);
  CHECK(chain.find("takes only https, and not all of them is (loss 207)") != std::string::npos);
}

TEST_CASE("an imp gets no audio in a VAST or by a delivery that it does not take") {
  TestEngine engine({AudioCampaign("a", 5)});
  const auto request = [](std::initializer_list<int32_t> protocols,
                          std::initializer_list<int32_t> delivery) {
    TestRequest made;
    made.audio.protocols = made.List_<int32_t>(protocols);
    made.audio.delivery = made.List_<int32_t>(delivery);
    return made.Done();
  };
  constexpr int32_t kVast3 = 3, kVast3Wrapper = 6, kDaast = 9;
  constexpr int32_t kStreaming = 1, kProgressive = 2, kDownload = 3;
  CHECK(Winner(engine.Decide(request({}, {}))) == "a");
  CHECK(Winner(engine.Decide(request({kVast3Wrapper, kVast3}, {kStreaming, kProgressive}))) == "a");
  CHECK(Winner(engine.Decide(request({kVast3}, {kDownload}))) == "a");
  const RequestPtr wrappers = request({kVast3Wrapper, kDaast}, {});
  CHECK(Winner(engine.Decide(wrappers)) == "no bid: unsupported imp");
  CHECK(engine->WhyNot(wrappers, "a").find("(protocols) (loss 204)") != std::string::npos);
  const RequestPtr streams = request({kVast3}, {kStreaming});
  CHECK(Winner(engine.Decide(streams)) == "no bid: unsupported imp");
  CHECK(engine->WhyNot(streams, "a").find("(delivery) (loss 204)") != std::string::npos);
}

TEST_CASE("an explained decision names its agents, its campaigns and their reasons") {
  TestEngine engine({AudioCampaign("winner", 5), AudioCampaign("loser", 3)});
  CallOptions call;
  call.explain = true;
  const auto answer = engine->Decide(TestRequest().Done(), call);
  const std::string text = engine->Explain(answer);
  INFO(text);
  for (const char* part :
       {"availability ran", "auction ran", "'Campaign winner' (winner) wins at 5",
        "'Campaign loser' (loser) is outbid: 3 against 5",
        "2 of 2 campaigns are for this listener"}) {
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(engine->Explain(engine->Decide(TestRequest().Done())).find("no trace") == 0);
}

TEST_CASE("catalogs are swapped while many decide, and every decision is of one catalog") {
  const auto engine = ThreadedEngine({AudioCampaign("v0", 1), AudioCampaign("w0", 1)});
  std::atomic<bool> stop{false};
  std::atomic<int> decided{0}, wrong{0};
  std::vector<std::thread> threads;
  for (const bool trusted : {true, false}) {
    threads.emplace_back([&, trusted] {
      while (!stop) {
        TestRequest request;
        request.request.at = 2;
        const auto answer = engine->Decide(request.Done(), {.trusted = trusted});
        ++decided;
        // Both campaigns of a version are worth the same, so the second price is the first plus a
        // cent, bounded by the value: prices of mixed versions would differ.
        if (answer.value.bids.size() != 1) {
          if (answer.verdict == Verdict::kDecided) ++wrong;
          continue;
        }
        const Bid& bid = answer.value.bids[0];
        const int version = std::stoi(bid.campaign->id.substr(1));
        if (bid.price != Units(1 + version % 5) || bid.creative->id != bid.campaign->id + "-1") {
          ++wrong;
        }
      }
    });
  }
  int refused = 0;
  for (int v = 1; v <= 300 || decided < 200; ++v) {
    const double cpm = 1 + v % 5;
    if (!engine
             ->SwapCatalog(MakeCatalog({AudioCampaign(fmt::format("v{}", v), cpm),
                                        AudioCampaign(fmt::format("w{}", v), cpm)}))
             .ok()) {
      ++refused;
    }
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
  CHECK(refused == 0);
  CHECK(decided >= 200);
  CHECK_FALSE(engine->SwapCatalog(nullptr).ok());
}

TEST_CASE("asynchronous decisions come once each, with their numbers") {
  const auto engine = ThreadedEngine({AudioCampaign("a", 5)});
  constexpr int kCalls = 100;
  std::atomic<int> came{0}, bids{0};
  std::promise<void> all;
  for (int i = 0; i < kCalls; ++i) {
    engine->DecideAsync(TestRequest().Done(), {}, [&](Answer<Decision> answer) {
      if (!answer.value.bids.empty() && answer.value.id != 0) ++bids;
      if (++came == kCalls) all.set_value();
    });
  }
  REQUIRE(all.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  CHECK(bids == kCalls);
  const EngineStats stats = engine->GetStats();
  CHECK(stats.bids == kCalls);
  CHECK(stats.decisions_with_bids == kCalls);
  CHECK(stats.campaigns == 1);
  CHECK(stats.catalog_version == 1);
}

TEST_CASE("without a request an asynchronous decision says so too") {
  const auto engine = ThreadedEngine({AudioCampaign("a", 5)});
  std::promise<Nbr> nbr;
  engine->DecideAsync(RequestPtr(), {}, [&](Answer<Decision> a) { nbr.set_value(a.value.nbr); });
  CHECK(nbr.get_future().get() == Nbr::kInvalidRequest);
}

}  // namespace
}  // namespace adagents::ads::test
