// From OpenRTB text to OpenRTB text on one core: read, decide, write with signed notices. The
// bundled requests meet 10,000 generated campaigns, then many (100,000, or as many as
// ADAGENTS_BENCH_CAMPAIGNS says). `open` is the share in percent of them that leave an attribute
// open, which sets how many creatives are found, `limit` how many of these are scored at most, 0
// meaning only until it is certain who wins. The other counters are the mean microseconds of each
// stage, and of each agent within `decide`. DuringChanges decides among the many while another
// thread changes campaigns.
//
//   ADAGENTS_BENCH_CAMPAIGNS=1000000 text_to_text_bench
//
// examples/run.sh FILE --generate-campaigns 10000 measures the same on a recording, paced too.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/engine.h"
#include "adagents/blackboard/counter.h"

namespace {

using namespace adagents;  // NOLINT: an application

struct Scored {
  Counter candidates;
};
constexpr StateKey<Scored> kScored{"bench_scored"};
class CountScored final : public Agent {
  In<ads::Candidates> candidates_{this, ads::kCandidates};
  State<Scored> scored_{this, kScored};

 public:
  CountScored() : Agent({.name = "count_scored"}) {}
  absl::Status Run(Context& ctx) override {
    scored_->candidates.Add(static_cast<int64_t>(ctx[candidates_].items.size()));
    return absl::OkStatus();
  }
};

struct World {
  std::vector<std::string> lines;
  std::shared_ptr<Scored> scored = std::make_shared<Scored>();
  std::unique_ptr<ads::Engine> engine;
};

/// An engine over range(0) campaigns of which range(1) percent leave an attribute open, that scores
/// at most range(2) candidates, or with 0 as many as make it certain who wins. The last one is
/// kept: a million campaigns take their time.
World& WorldOf(const benchmark::State& state) {
  static std::vector<int64_t> made_of;
  static std::unique_ptr<World> world;
  const std::vector<int64_t> wanted = {state.range(0), state.range(1), state.range(2)};
  if (world != nullptr && made_of == wanted) return *world;
  world.reset();
  world = std::make_unique<World>();
  made_of = wanted;
  std::ifstream file(ADAGENTS_SAMPLE_REQUESTS);
  for (std::string line; std::getline(file, line);) world->lines.push_back(line);
  ads::EngineOptions options;
  options.catalog = ads::GenerateCatalog({.campaigns = static_cast<size_t>(state.range(0)),
                                          .open = static_cast<double>(state.range(1)) / 100});
  options.availability.stop_when_certain = state.range(2) == 0;
  if (state.range(2) > 0) {
    options.availability.max_candidates = static_cast<size_t>(state.range(2));
  }
  options.rates = {{*Currency::Parse("EUR"), 0.9}, {*Currency::Parse("GBP"), 0.8}};
  options.customize = [scored = world->scored](ads::AdRuntime::Builder& builder) {
    builder.ShareObject(kScored, scored).Add<CountScored>();
  };
  auto engine = ads::Engine::Create(std::move(options));
  if (engine.ok() && !world->lines.empty()) world->engine = *std::move(engine);
  return *world;
}

const openrtb::NoticeSigner& Signer() {
  static const auto& signer = *new auto(openrtb::NoticeSigner::Create(
      {.base_url = "https://ads.example.com/n", .keys = {{"bench", "0123456789abcdef"}}}));
  return *signer;
}

void TextToText(benchmark::State& state) {
  World& world = WorldOf(state);
  if (world.engine == nullptr) {
    state.SkipWithError("cannot read " ADAGENTS_SAMPLE_REQUESTS " or make the engine");
    return;
  }
  const std::vector<std::string>& lines = world.lines;
  openrtb::Reader reader;
  const openrtb::Writer writer({.signer = &Signer()});
  const Clock& clock = SystemClock::Get();
  std::string out;
  int64_t read_ns = 0, decide_ns = 0, write_ns = 0;
  const int64_t scored_before = world.scored->candidates.Sum();
  size_t at = 0;
  for (auto _ : state) {
    const int64_t begun = clock.Now();
    const auto request = reader.Read(lines[at]);
    at = at + 1 == lines.size() ? 0 : at + 1;
    const int64_t read = clock.Now();
    if (!request.ok()) continue;
    const auto answer = world.engine->Decide(*request, {.trusted = true});
    const int64_t decided = clock.Now();
    out.clear();
    writer.Write(**request, answer.value, clock.WallNow(), &out);
    benchmark::DoNotOptimize(out.data());
    read_ns += read - begun;
    decide_ns += decided - read;
    write_ns += clock.Now() - decided;
  }
  state.SetItemsProcessed(state.iterations());
  const auto n = static_cast<double>(state.iterations());
  const auto each = [&](int64_t nanos) { return static_cast<double>(nanos) / n / 1000.0; };
  state.counters["scored"] =
      static_cast<double>(world.scored->candidates.Sum() - scored_before) / n;
  state.counters["read_us"] = each(read_ns);
  state.counters["decide_us"] = each(decide_ns);
  state.counters["write_us"] = each(write_ns);
  for (const AgentStats& agent : world.engine->GetStats().runtime.agents) {
    if (agent.mean_nanos > 0) {
      state.counters[agent.name + "_us"] = static_cast<double>(agent.mean_nanos) / 1000.0;
    }
  }
}

double Percentile(std::vector<int64_t>* nanos, double share) {
  if (nanos->empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(nanos->size() - 1));
  std::nth_element(nanos->begin(), nanos->begin() + at, nanos->end());
  return static_cast<double>((*nanos)[static_cast<size_t>(at)]) / 1000.0;
}

/// Decisions while another thread changes range(3) campaigns a second, one after the other, and
/// merges the changes when there are many (0: no changes). A change counts until a decision that
/// begins afterwards would see it.
void DuringChanges(benchmark::State& state) {
  World& world = WorldOf(state);
  if (world.engine == nullptr) {
    state.SkipWithError("cannot read " ADAGENTS_SAMPLE_REQUESTS " or make the engine");
    return;
  }
  const int64_t rate = state.range(3);
  const Clock& clock = SystemClock::Get();
  std::atomic<bool> stop{false};
  std::vector<int64_t> changes, decisions;
  std::thread changer([&] {
    if (rate == 0) return;
    const std::vector<ads::Campaign> others =
        ads::GenerateCampaigns({.campaigns = 2'000, .seed = 2, .open = 0.6});
    for (size_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      const int64_t begun = clock.Now();
      if (!world.engine->ChangeCatalog({{others[i % others.size()]}, {}}).ok()) return;
      changes.push_back(clock.Now() - begun);
      std::this_thread::sleep_for(std::chrono::nanoseconds(1'000'000'000 / rate));
    }
  });
  openrtb::Reader reader;
  size_t at = 0;
  for (auto _ : state) {
    const auto request = reader.Read(world.lines[at]);
    at = at + 1 == world.lines.size() ? 0 : at + 1;
    if (!request.ok()) continue;
    const int64_t begun = clock.Now();
    benchmark::DoNotOptimize(world.engine->Decide(*request, {.trusted = true}));
    decisions.push_back(clock.Now() - begun);
  }
  stop.store(true, std::memory_order_relaxed);
  changer.join();
  state.counters["p50_us"] = Percentile(&decisions, 0.5);
  state.counters["p99_us"] = Percentile(&decisions, 0.99);
  state.counters["p99.9_us"] = Percentile(&decisions, 0.999);
  state.counters["changes"] = static_cast<double>(changes.size());
  state.counters["change_p50_us"] = Percentile(&changes, 0.5);
  state.counters["change_max_us"] = Percentile(&changes, 1.0);
}

void Register() {
  using benchmark::RegisterBenchmark;
  for (const int64_t open : {35, 60}) {
    RegisterBenchmark("TextToText", &TextToText)
        ->ArgNames({"campaigns", "open", "limit"})
        ->Args({10'000, open, 1'000})
        ->Unit(benchmark::kMicrosecond);
  }
  const char* wish = std::getenv("ADAGENTS_BENCH_CAMPAIGNS");
  const int64_t many = wish == nullptr ? 100'000 : std::atoll(wish);
  for (const int64_t limit : {0, 200}) {
    RegisterBenchmark("TextToText", &TextToText)
        ->ArgNames({"campaigns", "open", "limit"})
        ->Args({many, 55, limit})
        ->Unit(benchmark::kMicrosecond);
  }
  for (const int64_t rate : {0, 100}) {
    RegisterBenchmark("DuringChanges", &DuringChanges)
        ->ArgNames({"campaigns", "open", "limit", "changes"})
        ->Args({many, 55, 200, rate})
        ->MinTime(5)
        ->Unit(benchmark::kMicrosecond);
  }
}

const int kRegistered = (Register(), 0);

}  // namespace
