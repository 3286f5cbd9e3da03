// An engine whose budgets a ledger bounds: what is spent, given back, and decided without money.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "adagents/ads/ledger.h"
#include "ads/engine_kit.h"
#include "fmt/format.h"

namespace adagents::ads::test {
namespace {

const Currency kUsd, kEur = *Currency::Parse("EUR");

/// Pays a tenth of a unit for each impression, up to a daily bound.
Campaign Budgeted(const std::string& id, double daily, double cpm = 100) {
  Campaign c = AudioCampaign(id, cpm);
  c.budget.daily = Units(daily);
  return c;
}

RequestPtr Imps(int n) {
  TestRequest request;
  const RequestPtr done = request.Done();
  std::vector<Imp> imps(static_cast<size_t>(n), request.request.imps[0]);
  for (size_t i = 0; i < imps.size(); ++i) {
    imps[i].id = request.made.arena->Copy(Text(std::to_string(i + 1)));
  }
  request.request.imps = request.made.arena->Copy(List<Imp>(imps));
  return done;
}

OutcomeEvent EventOf(const Decision& d, uint32_t b, OutcomeKind kind) {
  const Bid& bid = d.bids[b];
  return {d.id, b, kind, bid.campaign->key, bid.price, bid.cur};
}

/// On a virtual clock, with a ledger that is told when to do its work.
struct Shop {
  testing::VirtualClock clock{absl::FromUnixSeconds(1'780'000'000)};
  std::unique_ptr<MemoryLeaseSource> source = MemoryLeaseSource::Create(9);
  std::shared_ptr<Ledger> ledger;
  std::unique_ptr<Engine> engine;

  explicit Shop(std::vector<Campaign> campaigns, EngineOptions options = {}) {
    LedgerOptions money;
    money.background = false;
    money.clock = &clock;
    money.max_accounts = 512;
    money.max_reservations = 4096;
    auto made = Ledger::Create(source.get(), money);
    REQUIRE(made.ok());
    ledger = *std::move(made);
    options.ledger = ledger;
    options.catalog = MakeCatalog(std::move(campaigns));
    options.relevance.rows = 64;
    options.outcomes.capacity = 1024;
    options.runtime.clock = &clock;
    options.runtime.inline_scheduler = InlineScheduler{};
    auto built = Engine::Create(std::move(options));
    INFO(built.status().ToString());
    REQUIRE(built.ok());
    engine = *std::move(built);
  }
  /// Money is leased when more of it is first asked for. What is sold meanwhile is given back.
  void Lease() { Record(Decide(4), OutcomeKind::kLoss); }
  Decision Decide(int imps = 1) {
    const Decision d = engine->Decide(Imps(imps)).value;
    REQUIRE(ledger->Tick().ok());
    return d;
  }
  void Record(const Decision& d, OutcomeKind kind = OutcomeKind::kImpression) {
    for (uint32_t b = 0; b < d.bids.size(); ++b) {
      const absl::Status status = engine->Record(EventOf(d, b, kind));
      INFO(status.ToString());
      REQUIRE(status.ok());
    }
    engine->runtime().RunPending();
  }
  AccountReport Of(const std::string& id) {
    for (const AccountReport& report : ledger->Report()) {
      if (report.campaign != StableHash64(id)) continue;
      CHECK(report.Balanced());
      return report;
    }
    return {};
  }
};

TEST_CASE("a campaign bids until its budget is reserved, then the next has its turn") {
  Shop shop({Budgeted("rich", 1), Budgeted("poor", 0.2, 50)});
  std::vector<Decision> decisions;
  for (int i = 0; i < 10; ++i) {
    decisions.push_back(shop.Decide());
    REQUIRE(Winner(decisions.back()) == "rich");
    CHECK(decisions.back().bids[0].reservation != 0);
  }
  for (int i = 0; i < 4; ++i) {
    decisions.push_back(shop.Decide());
    REQUIRE(Winner(decisions.back()) == "poor");
  }
  CHECK(shop.Decide().nbr == Nbr::kBudgetExhausted);
  CHECK(shop.Of("rich").reserved == Units(1));
  for (const Decision& d : decisions) shop.Record(d);
  for (const Decision& d : decisions) shop.Record(d);  // as notices are: twice
  CHECK(shop.Of("rich").spent == Units(1));
  CHECK(shop.Of("rich").duplicate.count == 10);
  CHECK(shop.Of("poor").spent == Units(0.2));
  for (int i = 0; i < 3; ++i) CHECK(shop.Decide().nbr == Nbr::kBudgetExhausted);
  const auto answer = shop.engine->Decide(Imps(1), {.explain = true});
  const std::string chain = shop.engine->Explain(answer);
  INFO(chain);
  CHECK(chain.find("'Campaign rich' (rich): its budget is spent or reserved (loss 1000)") !=
        std::string::npos);
  CHECK(shop.engine->WhyNot(Imps(1), "rich").find("budget is spent") != std::string::npos);
  shop.clock.Advance(absl::Hours(24));
  shop.Lease();
  CHECK(Winner(shop.Decide()) == "rich");
}

TEST_CASE("a campaign's first lease is there before its first decision") {
  Shop shop({Budgeted("a", 10)});
  CHECK(Winner(shop.engine->Decide(Imps(1)).value) == "a");
  CatalogChange change;
  change.put = {Budgeted("b", 10, 200)};
  REQUIRE(shop.engine->ChangeCatalog(std::move(change)).ok());
  CHECK(Winner(shop.engine->Decide(Imps(1)).value) == "b");
  REQUIRE(shop.engine->SwapCatalog(MakeCatalog({Budgeted("c", 10, 300)})).ok());
  CHECK(Winner(shop.engine->Decide(Imps(1)).value) == "c");
  // What nobody uses goes back after a while, and comes again with the first bid that is lost.
  shop.clock.Advance(absl::Minutes(40));
  REQUIRE(shop.engine->Tick().ok());
  shop.clock.Advance(absl::Seconds(20));
  REQUIRE(shop.engine->Tick().ok());
  CHECK(shop.Of("a").returned.value > 0);
  CHECK(shop.Of("c").free.value == 0);
  CHECK(shop.engine->Decide(Imps(1)).value.bids.empty());
  REQUIRE(shop.engine->Tick().ok());
  CHECK(Winner(shop.engine->Decide(Imps(1)).value) == "c");
}

TEST_CASE("what is lost or never heard of again comes back to the budget") {
  Shop shop({Budgeted("a", 0.1)});
  const Decision d = shop.Decide();
  REQUIRE(Winner(d) == "a");
  CHECK(shop.Decide().nbr == Nbr::kBudgetExhausted);
  SECTION("lost") {
    shop.Record(d, OutcomeKind::kLoss);
    CHECK(shop.Of("a").reserved.value == 0);
    CHECK(Winner(shop.Decide()) == "a");
  }
  SECTION("expired") {
    shop.clock.Advance(absl::Minutes(33));
    REQUIRE(shop.ledger->Tick().ok());
    CHECK(shop.Of("a").expired.count == 1);
    shop.Lease();
    CHECK(Winner(shop.Decide()) == "a");
  }
  SECTION("charged less than was reserved") {
    OutcomeEvent cheaper = EventOf(d, 0, OutcomeKind::kImpression);
    cheaper.price = Units(40);
    REQUIRE(shop.engine->Record(cheaper).ok());
    CHECK(shop.Of("a").spent == Units(0.04));
    CHECK(shop.Decide().nbr == Nbr::kBudgetExhausted);  // 0.06 are not enough
  }
}

TEST_CASE("an event that says too little about money is refused, and charges nothing") {
  Shop shop({Budgeted("a", 1)});
  const Decision d = shop.Decide();
  REQUIRE(d.bids.size() == 1);
  CHECK(shop.engine->Record({d.id, 0, OutcomeKind::kImpression}).code() ==
        absl::StatusCode::kInvalidArgument);
  OutcomeEvent foreign = EventOf(d, 0, OutcomeKind::kImpression);
  foreign.cur = kEur;
  CHECK(shop.engine->Record(foreign).code() == absl::StatusCode::kInvalidArgument);
  CHECK(shop.Of("a").spent.value == 0);
  CHECK(shop.engine->Record({d.id, 0, OutcomeKind::kClick}).ok());
}

TEST_CASE("imps and pods of one request share a budget, and hold only what they sell") {
  Shop shop({Budgeted("a", 0.2), Budgeted("b", 10, 90)});
  SECTION("imps") {
    const Decision d = shop.Decide(3);
    REQUIRE(d.bids.size() == 3);
    CHECK(d.bids[0].campaign->id == "a");
    CHECK(d.bids[1].campaign->id == "a");
    CHECK(d.bids[2].campaign->id == "b");
    CHECK(shop.Of("a").reserved == Units(0.2));
    CHECK(shop.Of("b").reserved == Units(0.09));
  }
  SECTION("a pod") {
    TestRequest request;
    request.audio.poddur = 60;
    const Decision d = shop.engine->Decide(request.Done()).value;
    REQUIRE(d.bids.size() == 1);  // both are of one category
    CHECK(shop.Of("a").reserved == Units(0.1));
    CHECK(shop.Of("b").reserved.value == 0);
  }
}

TEST_CASE("a budget is charged in its own currency, whatever is bid in") {
  EngineOptions options;
  options.currency = kEur;
  options.rates = {{kUsd, 2.0}};
  Shop shop({Budgeted("a", 0.1)}, std::move(options));
  TestRequest request;
  request.request.cur = request.List_<Currency>({kEur});
  const Decision d = shop.engine->Decide(request.Done()).value;
  REQUIRE(d.bids.size() == 1);
  CHECK(d.bids[0].cur == kEur);
  CHECK(d.bids[0].price == Units(50));
  CHECK(shop.Of("a").reserved == Units(0.1));
  shop.Record(d);
  CHECK(shop.Of("a").spent == Units(0.1));
}

TEST_CASE("accounts follow the catalog") {
  Shop shop({Budgeted("a", 0.1), Budgeted("b", 10, 50)});
  const Decision d = shop.Decide();
  REQUIRE(Winner(d) == "a");
  REQUIRE(Winner(shop.Decide()) == "b");
  SECTION("a bound that is raised holds at once") {
    CatalogChange change;
    change.put = {Budgeted("a", 0.2)};
    REQUIRE(shop.engine->ChangeCatalog(std::move(change)).ok());
    shop.Lease();
    CHECK(Winner(shop.Decide()) == "a");
  }
  SECTION("what a removed campaign has sold is still charged") {
    if (GENERATE(false, true)) {
      CatalogChange change;
      change.remove = {"a"};
      REQUIRE(shop.engine->ChangeCatalog(std::move(change)).ok());
    } else {
      REQUIRE(shop.engine->SwapCatalog(MakeCatalog({Budgeted("b", 10, 50)})).ok());
    }
    CHECK(Winner(shop.Decide()) == "b");
    shop.Record(d);
    CHECK(shop.Of("a").spent == Units(0.1));
  }
  SECTION("a currency cannot change; then nothing does") {
    Campaign other = Budgeted("b", 10, 50);
    other.currency = kEur;
    const absl::Status status =
        shop.engine->SwapCatalog(MakeCatalog({Budgeted("a", 0.3), other, Budgeted("c", 9)}));
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(status.ToString().find("campaign 'b'") != std::string::npos);
    CHECK(shop.engine->PinCatalog()->size() == 2);
    CHECK(Winner(shop.Decide()) == "b");  // a's bound is what it was
  }
}

/// Lets no decision with bids out.
class Veto final : public Agent {
 public:
  Veto() : Agent({.name = "veto", .must_run = true}) {}
  absl::Status Run(Context& ctx) override {
    return ctx[decision_].bids.empty() ? absl::OkStatus() : absl::InternalError("as asked");
  }

 private:
  In<Decision> decision_{this, kDecision};
};

TEST_CASE("the fallback reserves too, and a decision that is not sent holds nothing") {
  SECTION("fallback") {
    Shop shop({Budgeted("a", 0.1)});
    REQUIRE(shop.engine->runtime().SetSwitchedOff("auction", true).ok());
    const Decision d = shop.Decide();
    REQUIRE(d.fallback);
    REQUIRE(Winner(d) == "a");
    CHECK(d.bids[0].reservation != 0);
    CHECK(shop.Of("a").reserved == Units(0.1));
    CHECK(shop.Decide().nbr == Nbr::kBudgetExhausted);
    shop.Record(d);
    CHECK(shop.Of("a").spent == Units(0.1));
  }
  SECTION("vetoed") {
    EngineOptions options;
    options.customize = [](AdRuntime::Builder& builder) { builder.Add<Veto>(); };
    Shop shop({Budgeted("a", 0.1)}, std::move(options));
    CHECK(shop.Decide().bids.empty());
    CHECK(shop.Of("a").reserved.value == 0);
  }
}

TEST_CASE("a test is answered like any other request, and no money is held for it") {
  Shop shop({Budgeted("a", 0.1)});
  const bool fallback = GENERATE(false, true);
  REQUIRE(shop.engine->runtime().SetSwitchedOff("auction", fallback).ok());
  const auto decide_test = [&] {
    TestRequest request;
    request.request.test = true;
    return shop.engine->Decide(request.Done()).value;
  };
  for (int i = 0; i < 3; ++i) {  // the budget is for one
    const Decision d = decide_test();
    CHECK(d.fallback == fallback);
    REQUIRE(Winner(d) == "a");
    CHECK(d.bids[0].reservation == 0);
    CHECK(shop.Of("a").reserved.value == 0);
  }
  CHECK(Winner(shop.Decide()) == "a");
  CHECK(shop.Of("a").reserved == Units(0.1));
  CHECK(decide_test().nbr == Nbr::kBudgetExhausted);  // it looks
}

TEST_CASE("a request with more imps than a decision has holds is sold whole, and paid for") {
  const int imps = GENERATE(24, 25, 40, 64, 65, 200);
  INFO(imps << " imps");
  const Campaign a = Budgeted("a", 10'000);
  SECTION("sent") {
    Shop shop({a});
    const Decision d = shop.Decide(imps);
    REQUIRE(static_cast<int>(d.bids.size()) == imps);
    for (const Bid& bid : d.bids) CHECK(bid.reservation != 0);
    CHECK(shop.Of("a").reserved == Units(0.1 * imps));
    shop.Record(d);
    CHECK(shop.Of("a").spent == Units(0.1 * imps));
    CHECK(shop.Of("a").reserved.value == 0);
  }
  SECTION("not sent") {
    EngineOptions options;
    options.customize = [](AdRuntime::Builder& builder) { builder.Add<Veto>(); };
    Shop shop({a}, std::move(options));
    CHECK(shop.Decide(imps).bids.empty());
    CHECK(shop.Of("a").reserved.value == 0);
  }
}

TEST_CASE("a pod of seventy slots is filled, and each has its budget and its place under caps") {
  constexpr size_t kSlots = 70;
  std::vector<Campaign> campaigns;
  for (int i = 0; i < 80; ++i) {
    Campaign c = Budgeted(fmt::format("c{}", i), 10, 50 + i);
    c.cat = {fmt::format("IAB{}", 100 + i)};
    c.caps = {{CapPer::kListener, 2, absl::Hours(1)}};
    campaigns.push_back(std::move(c));
  }
  TestRequest request;
  request.audio.podid = "p";
  request.request.user.id = "ann";
  const RequestPtr done = request.Done();
  std::vector<Imp> slots(kSlots, request.request.imps[0]);
  for (size_t i = 0; i < slots.size(); ++i) {
    slots[i].id = request.made.arena->Copy(Text(std::to_string(i + 1)));
  }
  request.request.imps = request.made.arena->Copy(List<Imp>(slots));
  EngineOptions options;
  const bool sent = GENERATE(true, false);
  if (!sent) options.customize = [](AdRuntime::Builder& builder) { builder.Add<Veto>(); };
  Shop shop(std::move(campaigns), std::move(options));
  // Money is leased when it is first asked for, and a pod asks for its best four times.
  for (int i = 0; i < 20; ++i) {
    shop.Record(shop.engine->Decide(done).value, OutcomeKind::kLoss);
    REQUIRE(shop.ledger->Tick().ok());
  }
  const Decision d = shop.engine->Decide(done).value;
  REQUIRE(d.bids.size() == (sent ? kSlots : 0));
  int64_t sold = 0, reserved = 0;
  for (const Bid& bid : d.bids) {
    CHECK(bid.reservation != 0);
    sold += CostOfImpression(bid.price).value;
  }
  for (const AccountReport& report : shop.ledger->Report()) reserved += report.reserved.value;
  CHECK(reserved == sold);
  const FrequencyCaps::Counts caps = shop.engine->GetStats().caps;
  CHECK(caps.reserved > static_cast<int64_t>(kSlots));
  CHECK(caps.reserved - caps.released == static_cast<int64_t>(d.bids.size()));
}

TEST_CASE("an engine's decisions carry its ledger's epoch, or it is not made") {
  Shop shop({Budgeted("a", 1)});
  CHECK(EpochOf(shop.Decide().id) == 9);
  EngineOptions options;
  options.ledger = shop.ledger;
  options.epoch = 8;
  CHECK(Engine::Create(std::move(options)).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("threads that decide and report at once never spend more than the budget") {
  const auto source = MemoryLeaseSource::Create(9);
  auto made = Ledger::Create(source.get(), {.max_accounts = 64,
                                            .max_reservations = 1 << 14,
                                            .block_share = 0.25,
                                            .max_open_share = 1,
                                            .background = false});
  REQUIRE(made.ok());
  EngineOptions options;
  options.ledger = *std::move(made);
  const std::shared_ptr<Ledger> ledger = options.ledger;
  const auto engine =
      ThreadedEngine({Budgeted("a", 20), Budgeted("b", 10, 90)}, std::move(options));
  std::atomic<int64_t> shown{0}, lost{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const Answer<Decision> answer = engine->Decide(Imps(2));
        if (i % 8 == 0) (void)ledger->Tick();
        for (uint32_t b = 0; b < answer.value.bids.size(); ++b) {
          const bool loses = (answer.id + b) % 4 == 0;
          const OutcomeEvent event =
              EventOf(answer.value, b, loses ? OutcomeKind::kLoss : OutcomeKind::kImpression);
          while (!engine->Record(event).ok()) std::this_thread::yield();
          (loses ? lost : shown).fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  (void)engine->Shutdown(absl::Seconds(10));
  int64_t committed = 0;
  for (const AccountReport& report : ledger->Report()) {
    CHECK(report.Balanced());
    CHECK(report.reserved.value == 0);
    const bool a = report.campaign == StableHash64("a");
    CHECK(report.spent <= Units(a ? 20 : 10));
    CHECK(report.spent.value == report.committed.count * Units(a ? 0.1 : 0.09).value);
    committed += report.committed.count;
  }
  CHECK(committed == shown.load());
  CHECK(shown.load() > 100);
  CHECK(lost.load() > 0);
  REQUIRE(ledger->Shutdown().ok());
}

TEST_CASE("an engine and its ledger may be shut down by several threads at once") {
  for (int round = 0; round < 40; ++round) {
    const auto source = MemoryLeaseSource::Create(9);
    auto made = Ledger::Create(
        source.get(),
        {.max_accounts = 64, .max_reservations = 1 << 10, .background = round % 2 == 0});
    REQUIRE(made.ok());
    EngineOptions options;
    options.ledger = *std::move(made);
    const std::shared_ptr<Ledger> ledger = options.ledger;
    const auto engine = ThreadedEngine({Budgeted("a", 20)}, std::move(options));
    std::atomic<int> ready{0}, unclean{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (++ready; ready < 3;) {
        }
        (void)engine->Shutdown(absl::Seconds(10));
        unclean += !ledger->Shutdown().ok();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(unclean == 0);
  }
}

TEST_CASE("a campaign that has left the catalog is charged in its account's currency, and counts") {
  EngineOptions options;
  options.rates = {{kEur, 0.5}};
  Campaign c = Budgeted("a", 100);
  c.currency = kEur;
  Shop shop({c, Budgeted("b", 100, 1)}, std::move(options));
  shop.Lease();
  const Decision d = shop.Decide();
  REQUIRE(d.bids.size() == 1);
  REQUIRE(d.bids[0].campaign->id == "a");
  REQUIRE(d.bids[0].cur == kUsd);
  REQUIRE(shop.engine->SwapCatalog(MakeCatalog({Budgeted("b", 100, 1)})).ok());
  shop.Record(d);
  for (const AccountReport& report : shop.ledger->Report()) {
    if (report.currency != kEur) continue;
    CHECK(report.committed.count == 1);
    CHECK(report.committed.amount.units() ==
          Approx(d.bids[0].price.units() / 1000 * 0.5).margin(1e-5));
  }
}

TEST_CASE("what cannot be charged was heard all the same") {
  Campaign c = Budgeted("a", 100);
  c.caps = {{CapPer::kListener, 1, absl::Hours(24)}};
  Shop shop({c});
  shop.Lease();
  TestRequest request;
  request.request.user.id = "carl";
  const RequestPtr asked = request.Done();
  const Decision d = shop.engine->Decide(asked).value;
  REQUIRE(d.bids.size() == 1);
  OutcomeEvent heard = EventOf(d, 0, OutcomeKind::kImpression);
  heard.cur = *Currency::Parse("JPY");  // for which there is no rate
  CHECK(absl::IsInvalidArgument(shop.engine->Record(heard)));
  shop.engine->runtime().RunPending();
  shop.clock.Advance(absl::Hours(3));  // its reservation is over
  CHECK(shop.engine->Decide(asked).value.bids.empty());
}

}  // namespace
}  // namespace adagents::ads::test
