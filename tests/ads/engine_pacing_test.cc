// An engine with a ledger and a pacer: who sets goals, who reports spend, who ticks.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adagents/ads/agents/pacing.h"
#include "adagents/ads/ledger.h"
#include "adagents/ads/pacer.h"
#include "ads/engine_kit.h"

namespace adagents::ads::test {
namespace {

const absl::Time kMonday = absl::FromCivil(absl::CivilDay(2026, 6, 1), absl::UTCTimeZone());

Campaign Paced(const std::string& id, double daily, double cpm, PacingTerms terms = {}) {
  Campaign c = AudioCampaign(id, cpm);
  c.budget.daily = Units(daily);
  c.pacing = terms;
  return c;
}

/// On a virtual clock that begins on Monday; what is in `source` outlives the engine.
struct Server {
  testing::VirtualClock clock{kMonday};
  std::unique_ptr<MemoryLeaseSource> source = MemoryLeaseSource::Create(9);
  std::shared_ptr<Ledger> ledger;
  std::shared_ptr<Pacer> pacer;
  std::unique_ptr<Engine> engine;
  double forecast = 60'000;  // requests an hour
  size_t outcomes = 1 << 13;

  void Start(std::vector<Campaign> campaigns) {
    LedgerOptions money;
    money.background = false;
    money.clock = &clock;
    money.max_accounts = 64;
    money.max_reservations = 1 << 14;
    auto made = Ledger::Create(source.get(), money);
    REQUIRE(made.ok());
    ledger = *std::move(made);
    PacerOptions pacing;
    pacing.forecast = TrafficForecast::Flat(forecast);
    pacing.capacity = 16;
    pacer = std::make_shared<Pacer>(pacing);
    EngineOptions options;
    options.ledger = ledger;
    options.pacer = pacer;
    options.catalog = MakeCatalog(std::move(campaigns));
    options.relevance.rows = 64;
    options.outcomes.capacity = outcomes;
    options.auction.pricing = AuctionPricing::kFirstPrice;  // the exchange reduces second prices
    options.runtime.clock = &clock;
    options.runtime.inline_scheduler = InlineScheduler{};
    auto built = Engine::Create(std::move(options));
    INFO(built.status().ToString());
    REQUIRE(built.ok());
    engine = *std::move(built);
  }
  Decision Decide() { return engine->Decide(TestRequest().Done()).value; }
  PaceReport Of(const std::string& id) {
    const auto report = pacer->Report(StableHash64(id));
    REQUIRE(report.has_value());
    return *report;
  }
  OutcomeEvent Of(const Decision& d, OutcomeKind kind) const {
    const Bid& bid = d.bids[0];
    return {d.id, 0, kind, bid.campaign->key, bid.price, bid.cur, clock.WallNow()};
  }
  absl::Status Record(const OutcomeEvent& outcome) {
    const absl::Status status = engine->Record(outcome);
    engine->runtime().RunPending();
    return status;
  }
  absl::Status Record(const Decision& d, OutcomeKind kind) { return Record(Of(d, kind)); }
  Micros Spent(const std::string& id) {
    for (const AccountReport& report : ledger->Report()) {
      if (report.campaign == StableHash64(id)) return report.spent;
    }
    return {};
  }
};

TEST_CASE("goals are what the catalog says, and follow it") {
  Server server;
  Campaign berlin = Paced("berlin", 24, 4, {Pace::kFrontLoaded, Units(1), Action::kClick});
  berlin.budget.time_zone = "Europe/Berlin";
  server.Start({Paced("a", 24, 5), berlin});
  CHECK(server.pacer->size() == 2);
  CHECK(server.Of("a").budget == Units(24));
  CHECK(server.Of("a").period_end == kMonday + absl::Hours(24));
  CHECK(server.Of("berlin").period_end == kMonday + absl::Hours(22));
  // The first multipliers are there before the first decision.
  CHECK_FALSE(server.Of("a").pace.sits_out);
  CHECK_FALSE(server.Decide().bids.empty());

  CatalogChange change;
  change.put = {Paced("a", 48, 5), Paced("c", 10, 7)};
  change.remove = {"berlin"};
  REQUIRE(server.engine->ChangeCatalog(std::move(change)).ok());
  CHECK(server.pacer->size() == 2);
  CHECK(server.Of("c").pace.sits_out);
  const std::string why = server.engine->WhyNot(TestRequest().Done(), "c");
  INFO(why);
  CHECK(why.find("its budget was set since the pacer's last tick, and is planned at the next") !=
        std::string::npos);
  CHECK(why.find("infinite") == std::string::npos);
  server.clock.Advance(absl::Seconds(20));
  REQUIRE(server.engine->Tick().ok());
  CHECK(server.Of("a").budget == Units(48));
  CHECK_FALSE(server.Of("c").pace.sits_out);
  REQUIRE(server.engine->SwapCatalog(MakeCatalog({Paced("a", 48, 5)})).ok());
  CHECK(server.pacer->size() == 1);
}

TEST_CASE("a goal that cannot be set leaves goals and accounts as they were") {
  Server server;
  server.Start({Paced("a", 24, 5)});
  std::vector<Campaign> many = {Paced("a", 48, 5)};
  for (int i = 0; i < 40; ++i)
    many.push_back(Paced(std::string("m").append(std::to_string(i)), 1, 1));
  const absl::Status status = server.engine->SwapCatalog(MakeCatalog(std::move(many)));
  INFO(status.ToString());
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(status.ToString().find("the budget of campaign 'm") != std::string::npos);
  CHECK(server.pacer->size() == 1);
  CHECK(server.ledger->MaxOpen(StableHash64("a")) == Units(2.4));
  server.clock.Advance(absl::Seconds(20));
  REQUIRE(server.engine->Tick().ok());
  CHECK(server.Of("a").budget == Units(24));
}

TEST_CASE("a catalog for which there is no room leaves goals and accounts as they were") {
  Server server;
  server.Start({Paced("a", 24, 5)});
  std::vector<CatalogPin> pins = {server.engine->PinCatalog()};
  absl::Status status;
  while (pins.size() < 100) {
    status = server.engine->SwapCatalog(MakeCatalog({Paced("a", 24, 5)}));
    if (!status.ok()) break;
    pins.push_back(server.engine->PinCatalog());
  }
  CHECK(pins.size() == 16);
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  const auto refused = [&](const absl::Status& is) {
    CHECK(is.code() == absl::StatusCode::kResourceExhausted);
    server.clock.Advance(absl::Seconds(20));
    REQUIRE(server.engine->Tick().ok());
    CHECK(server.pacer->size() == 1);
    CHECK(server.Of("a").budget == Units(24));
    CHECK(server.ledger->MaxOpen(StableHash64("a")) == Units(2.4));
    CHECK(server.ledger->Report().size() == 1);
  };
  refused(server.engine->SwapCatalog(MakeCatalog({Paced("a", 48, 5), Paced("b", 24, 5)})));
  CatalogChange change;
  change.put = {Paced("a", 48, 5), Paced("b", 24, 5)};
  refused(server.engine->ChangeCatalog(change));
  pins.erase(pins.begin());
  REQUIRE(server.engine->ChangeCatalog(change).ok());
  CHECK(server.pacer->size() == 2);
}

TEST_CASE("an engine that cannot be made leases no money and sets no goals") {
  testing::VirtualClock clock{kMonday};
  const auto source = MemoryLeaseSource::Create(9);
  auto ledger = Ledger::Create(
      source.get(),
      {.max_accounts = 64, .max_reservations = 1024, .background = false, .clock = &clock});
  REQUIRE(ledger.ok());
  EngineOptions options;
  options.ledger = *std::move(ledger);
  options.pacer = std::make_shared<Pacer>(PacerOptions{.capacity = 16});
  options.catalog = MakeCatalog({Paced("a", 24, 5)});
  options.relevance.rows = 64;
  options.runtime.clock = &clock;
  options.runtime.inline_scheduler = InlineScheduler{};
  const std::shared_ptr<Ledger> money = options.ledger;
  const std::shared_ptr<Pacer> pacer = options.pacer;
  const auto refused = [&] {
    CHECK_FALSE(Engine::Create(std::move(options)).ok());
    CHECK(pacer->size() == 0);
    CHECK(money->Report().empty());
  };
  SECTION("for a policy") {
    options.cap_policy.per_request = 0;
    refused();
  }
  SECTION("for its team") {
    options.customize = [](AdRuntime::Builder& team) { team.Add<PacingLearner>(); };
    refused();
  }
}

TEST_CASE("what is charged reaches the plan, once, and who is ahead of it sits out") {
  Server server;
  server.Start({Paced("a", 24, 50), Paced("b", 24, 1)});
  Decision d;
  int shown = 0;
  for (; shown < 1000; ++shown) {
    d = server.Decide();
    if (Winner(d) != "a") break;
    REQUIRE(server.Record(d, OutcomeKind::kImpression).ok());
    REQUIRE(server.Record(d, OutcomeKind::kImpression).ok());
    REQUIRE(server.ledger->Tick().ok());
  }
  CHECK(shown > 0);
  CHECK(shown < 100);
  CHECK(Winner(d) == "b");
  CHECK(server.Of("a").pace.sits_out);
  CHECK(server.Of("a").spent == server.Spent("a"));
  const std::string why = server.engine->WhyNot(TestRequest().Done(), "a");
  INFO(why);
  CHECK(why.find("sits this one out to keep to its plan: ") != std::string::npos);
  CHECK(why.find("of a budget of 24.00 USD until 2026-06-02") != std::string::npos);
  CHECK(why.find("(loss 1000)") != std::string::npos);
  const auto answer = server.engine->Decide(TestRequest().Done(), {.explain = true});
  CHECK(server.engine->Explain(answer).find("sits this one out") != std::string::npos);
  // Ticks come by the clock, however often it is asked.
  REQUIRE(server.engine->Tick().ok());
  CHECK(server.Of("a").pace.sits_out);
  server.clock.Advance(absl::Minutes(30));
  REQUIRE(server.engine->Tick().ok());
  CHECK_FALSE(server.Of("a").pace.sits_out);
}

TEST_CASE("WhyNot says which share of its value a paced campaign bids") {
  Server server;
  server.forecast = 6e6;
  server.Start({Paced("a", 24, 5), Paced("b", 1000, 4, {Pace::kAsap})});
  CHECK(server.Of("a").pace.multiplier < 0.9f);
  const std::string why = server.engine->WhyNot(TestRequest().Done(), "a");
  INFO(why);
  CHECK(why.find("% of it bid to keep to the plan") != std::string::npos);
}

using Kinds = std::vector<OutcomeKind>;

/// The multiplier after an hour of one bid a minute at 0.05 an impression, of which each gets
/// `kinds`, under a target of 0.01 a click.
float AfterAnHourOf(const Kinds& kinds) {
  Server server;
  server.Start({Paced("a", 1000, 50, {Pace::kAsap, Units(0.01), Action::kClick})});
  for (int minute = 0; minute < 60; ++minute) {
    const Decision d = server.Decide();
    if (!d.bids.empty()) {
      for (const OutcomeKind kind : kinds) REQUIRE(server.Record(d, kind).ok());
    }
    server.clock.Advance(absl::Minutes(1));
    REQUIRE(server.engine->Tick().ok());
  }
  CHECK(server.engine->GetStats().actions_unknown == 0);
  return server.Of("a").pace.multiplier;
}

TEST_CASE("a target hears of its actions, each once, and of no others") {
  using enum OutcomeKind;
  const float none = AfterAnHourOf({kImpression});
  const float click = AfterAnHourOf({kImpression, kClick});
  CHECK(none < click);
  CHECK(click < 1.0f);  // five times too dear
  CHECK(AfterAnHourOf({kImpression, kCompletion, kConversion}) == none);
  CHECK(AfterAnHourOf({kImpression, kClick, kCompletion}) == click);
  CHECK(AfterAnHourOf({kImpression, kClick, kClick, kClick}) == click);
}

/// The multiplier after 1,000 bids whose clicks come when the relevance memory has forgotten them.
/// `naming`: what the clicks say whose they are.
float AfterLateClicks(Server& server, uint64_t naming, bool click = true) {
  server.outcomes = 64;
  server.forecast = 6e6;
  server.Start(
      {Paced("a", 1000, 50, {Pace::kAsap, Units(0.01), Action::kClick}), Paced("b", 1000, 1)});
  std::vector<Decision> made;
  for (int i = 0; i < 1000; ++i) {
    made.push_back(server.Decide());
    REQUIRE(server.ledger->Tick().ok());  // leases
  }
  for (const Decision& d : made) {
    REQUIRE(Winner(d) == "a");
    REQUIRE(server.Record(d, OutcomeKind::kImpression).ok());
  }
  if (click) {
    for (const Decision& d : made) {
      REQUIRE(server.engine->Record({d.id, 0, OutcomeKind::kClick, naming}).ok());
      server.engine->runtime().RunPending();
    }
  }
  server.clock.Advance(absl::Seconds(20));
  REQUIRE(server.engine->Tick().ok());
  return server.Of("a").pace.multiplier;
}

TEST_CASE("a target hears of each action, however many bids are out") {
  Server quiet, clicked, other;
  const float none = AfterLateClicks(quiet, 0, /*click=*/false);
  CHECK(AfterLateClicks(clicked, StableHash64("a")) > none);
  CHECK(clicked.engine->GetStats().actions_unknown == 0);
  // Those of another campaign are not its own, and show.
  CHECK(AfterLateClicks(other, StableHash64("b")) == none);
  CHECK(other.engine->GetStats().actions_unknown == 1000);
}

TEST_CASE("an action that names no campaign is that of the remembered bid, once") {
  Server server;
  server.Start({Paced("a", 1000, 50)});
  const Decision d = server.Decide();
  REQUIRE(Winner(d) == "a");
  using enum OutcomeKind;
  REQUIRE(server.engine->Record({d.id, 0, kClick}).ok());
  CHECK(server.engine->GetStats().actions_unknown == 0);
  const uint64_t a = StableHash64("a");
  CHECK(server.ledger->NoteAction(d.id, 0, a, Action::kClick) == ActionResult::kAgain);
  CHECK(server.ledger->NoteAction(d.id, 0, a, Action::kConversion) == ActionResult::kFirst);
  CHECK(server.ledger->NoteAction(d.id, 0, a, Action::kConversion) == ActionResult::kAgain);
  CHECK(server.ledger->NoteAction(d.id, 0, 7, Action::kClick) == ActionResult::kUnknown);
  // The bits are the record's own: its money is settled as ever, and its actions outlive that.
  REQUIRE(server.Record(d, kImpression).ok());
  CHECK(server.Spent("a") == CostOfImpression(d.bids[0].price));
  CHECK(server.ledger->NoteAction(d.id, 0, a, Action::kClick) == ActionResult::kAgain);
  // Those that nobody remembers are counted, and those of other processes.
  REQUIRE(server.engine->Record({d.id + 1, 0, kClick}).ok());
  CHECK(server.engine->GetStats().actions_unknown == 1);
  CHECK(server.ledger->NoteAction(d.id - (uint64_t{1} << 40), 0, a, Action::kClick) ==
        ActionResult::kUnknown);
}

TEST_CASE("a server that restarts in the middle of the day plans what is left of it") {
  Server server;
  server.forecast = 600;
  const std::vector<Campaign> campaigns = {Paced("a", 24, 50)};
  server.Start(campaigns);
  // 0.05 an impression, ten a minute: enough for 720 a day.
  Micros spent;
  const auto run_to = [&](absl::Time until) {
    const Micros before = server.Spent("a");
    while (server.clock.WallNow() < until) {
      const Decision d = server.Decide();
      if (!d.bids.empty()) REQUIRE(server.Record(d, OutcomeKind::kImpression).ok());
      server.clock.Advance(absl::Seconds(6));
      REQUIRE(server.engine->Tick().ok());
    }
    spent = spent + (server.Spent("a") - before);
    return spent.units();
  };
  CHECK(run_to(kMonday + absl::Hours(12)) == Approx(12).epsilon(0.02));
  const auto restart = [&] {
    server.engine.reset();
    REQUIRE(server.ledger->Shutdown().ok());
    server.source->Restart(absl::ToUnixNanos(server.clock.WallNow()));
    server.Start(campaigns);
  };
  restart();
  CHECK(server.Of("a").spent == spent);
  CHECK(server.Of("a").budget == Units(24));
  CHECK(run_to(kMonday + absl::Hours(18)) == Approx(18).epsilon(0.02));
  CHECK(run_to(kMonday + absl::Hours(24)) == Approx(24).epsilon(0.02));
  CHECK(spent <= Units(24));
  restart();
  CHECK(server.Of("a").spent.value == 0);  // another day
}

TEST_CASE("bids that are open at a restart are no spend, and the whole day's budget is planned") {
  Server server;
  server.forecast = 6;
  const std::vector<Campaign> campaigns = {Paced("a", 24, 50)};
  server.Start(campaigns);
  int open = 0;
  for (int i = 0; i < 20; ++i) {
    open += server.Decide().bids.empty() ? 0 : 1;
    REQUIRE(server.engine->Tick().ok());
  }
  CHECK(open > 10);  // at 0.05
  server.engine.reset();
  REQUIRE(server.ledger->Shutdown().ok());
  server.source->Restart(absl::ToUnixNanos(server.clock.WallNow()));
  CHECK(server.source->Totals(StableHash64("a"))->open >= 500'000);
  server.Start(campaigns);
  CHECK(server.Of("a").spent.value == 0);
  CHECK(server.Of("a").budget == Units(24));
}

TEST_CASE("what an earlier process sold and is shown after a restart reaches the plan, once") {
  Server server;
  server.forecast = 6;
  const std::vector<Campaign> campaigns = {Paced("a", 24, 50)};
  server.Start(campaigns);
  const OutcomeEvent shown = [&server] {  // the decision must be gone before the engine is
    const Decision d = server.Decide();
    REQUIRE(d.bids.size() == 1);
    return server.Of(d, OutcomeKind::kImpression);
  }();
  const bool crashes = GENERATE(false, true);
  server.engine.reset();
  if (!crashes) REQUIRE(server.ledger->Shutdown().ok());
  const std::shared_ptr<Ledger> dead = server.ledger;  // which says nothing more to the source
  server.source->Restart(absl::ToUnixNanos(server.clock.WallNow()));
  server.Start(campaigns);
  const Micros before = server.Of("a").spent;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(server.Record(shown).ok());
    server.clock.Advance(absl::Seconds(20));
    REQUIRE(server.engine->Tick().ok());
  }
  REQUIRE(server.ledger->Report().size() == 1);
  CHECK(server.ledger->Report()[0].carried_over.count == 1);
  // What a crash had left open was taken for spent from the start.
  const Micros paid = CostOfImpression(shown.price);
  CHECK(server.Of("a").spent - before == (crashes ? Micros() : paid));
  CHECK((before.value > 0) == crashes);
  CHECK(server.ledger->TakeCarriedOver().empty());
}

TEST_CASE("a thread of the engine's own ticks the pacer and a ledger without one") {
  const auto source = MemoryLeaseSource::Create(9);
  auto ledger = Ledger::Create(source.get(), {.max_accounts = 8,
                                              .max_reservations = 1024,
                                              .background = false,
                                              .tick = absl::Milliseconds(1)});
  REQUIRE(ledger.ok());
  EngineOptions options;
  options.ledger = *std::move(ledger);
  PacerOptions pacing;
  pacing.tick = absl::Milliseconds(20);
  pacing.capacity = 8;
  options.pacer = std::make_shared<Pacer>(pacing);
  const std::shared_ptr<Ledger> money = options.ledger;
  const std::shared_ptr<Pacer> pacer = options.pacer;
  const auto engine = ThreadedEngine({Paced("a", 24, 5)}, std::move(options));
  // Spend becomes durable, and a campaign that is added gets its turn, without any call.
  const Decision d = engine->Decide(TestRequest().Done()).value;
  REQUIRE(Winner(d) == "a");
  REQUIRE(engine
              ->Record({d.id, 0, OutcomeKind::kImpression, d.bids[0].campaign->key, d.bids[0].price,
                        d.bids[0].cur})
              .ok());
  CatalogChange change;
  change.put = {Paced("b", 24, 9)};
  REQUIRE(engine->ChangeCatalog(std::move(change)).ok());
  const auto durable = [&] {
    const auto totals = source->Totals(StableHash64("a"));
    return totals && totals->spent == CostOfImpression(d.bids[0].price).value;
  };
  while (!durable() || pacer->Read(StableHash64("b")).sits_out) std::this_thread::yield();
  (void)engine->Shutdown(absl::Seconds(10));
  CHECK(money->Shutdown().ok());
}

}  // namespace
}  // namespace adagents::ads::test
