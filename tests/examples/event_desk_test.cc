// What examples/ad_server's desk does with events when the engine has no room for them.
#include "event_desk.h"

#include <thread>

#include "adagents/ads/ledger.h"
#include "ads/engine_kit.h"

namespace adagents::ads::test {
namespace {

constexpr uint64_t kRefusals = 5;

/// Is at its first event until so many others were refused.
class SlowListener final : public Agent {
  On<OutcomeEvent> on_{this};
  Engine* const* engine_;
  bool first_ = true;

 public:
  explicit SlowListener(Engine* const* engine)
      : Agent({.name = "slow_listener"}), engine_(engine) {}
  absl::Status Run(Context&) override {
    const auto dropped = [this] { return (*engine_)->runtime().GetStats().events_dropped; };
    const uint64_t until = dropped() + (first_ ? kRefusals : 0);
    first_ = false;
    while (dropped() < until) std::this_thread::yield();
    return absl::OkStatus();
  }
};

TEST_CASE("an event that is offered again is not taken for a win that came twice") {
  testing::VirtualClock clock{absl::FromUnixSeconds(1'780'000'000)};
  const auto source = MemoryLeaseSource::Create(9);
  LedgerOptions money;
  money.background = false;
  money.clock = &clock;
  auto ledger = Ledger::Create(source.get(), money);
  REQUIRE(ledger.ok());
  const std::shared_ptr<Ledger> books = *std::move(ledger);

  Engine* listened = nullptr;
  EngineOptions options;
  options.catalog = MakeCatalog({AudioCampaign("a", 100)});
  options.ledger = books;
  options.background = false;
  options.runtime.clock = &clock;
  options.runtime.workers = 1;
  options.runtime.max_events = 2;
  options.customize = [&listened](AdRuntime::Builder& builder) {
    builder.Add<SlowListener>(&listened);
  };
  auto made = Engine::Create(std::move(options));
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  const std::unique_ptr<Engine> engine = *std::move(made);
  listened = engine.get();
  auto signer = openrtb::NoticeSigner::Create(
      {.base_url = "https://ads.example.com/notice", .keys = {{"k", "a-secret-of-sixteen-bytes"}}});
  REQUIRE(signer.ok());

  TestRequest request;
  const Decision d = engine->Decide(request.Done(), {.trusted = true}).value;
  REQUIRE(d.bids.size() == 1);
  ad_server::EventDesk desk(*engine, *signer, clock, /*inline_scheduler=*/false);
  ad_server::EventLine line;
  line.name = "click";
  line.outcome = OutcomeEvent{d.id, 0, OutcomeKind::kClick, d.bids[0].campaign->key};
  for (int i = 0; i < 3; ++i) desk.Take("test", 1, line);  // one is being heard, two wait
  line.name = "impression";
  line.outcome->kind = OutcomeKind::kImpression;
  line.outcome->price = d.bids[0].price;
  line.outcome->cur = d.bids[0].cur;
  desk.Take("test", 2, line);

  CHECK(desk.counts().refused == 0);
  CHECK(engine->runtime().GetStats().events_dropped >= kRefusals);
  CHECK(books->Report()[0].committed.count == 1);
  CHECK(books->Report()[0].duplicate.count == 0);
  desk.Take("test", 3, line);  // and one that did come twice is
  CHECK(books->Report()[0].duplicate.count == 1);
  CHECK(engine->Shutdown(absl::Seconds(5)).clean());
}

}  // namespace
}  // namespace adagents::ads::test
