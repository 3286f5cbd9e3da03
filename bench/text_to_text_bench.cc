// From OpenRTB text to OpenRTB text on one core: read, decide, write with signed notices. The
// bundled requests meet 10,000 generated campaigns; the argument is the share in percent of them
// that leave an attribute open, which sets how many creatives are scored (counter `scored`). The
// other counters are the mean microseconds of each stage, and of each agent within `decide`.
//
// examples/run.sh FILE --generate-campaigns 10000 measures the same on a recording, paced too.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>
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

void TextToText(benchmark::State& state) {
  std::ifstream file(ADAGENTS_SAMPLE_REQUESTS);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  auto scored = std::make_shared<Scored>();
  ads::EngineOptions options;
  options.catalog = ads::GenerateCatalog(
      {.campaigns = 10'000, .open = static_cast<double>(state.range(0)) / 100});
  options.rates = {{*Currency::Parse("EUR"), 0.9}, {*Currency::Parse("GBP"), 0.8}};
  options.customize = [&](ads::AdRuntime::Builder& builder) {
    builder.ShareObject(kScored, scored).Add<CountScored>();
  };
  auto engine = ads::Engine::Create(std::move(options));
  const auto signer = openrtb::NoticeSigner::Create(
      {.base_url = "https://ads.example.com/n", .keys = {{"bench", "0123456789abcdef"}}});
  if (lines.empty() || !engine.ok() || !signer.ok()) {
    state.SkipWithError("cannot read " ADAGENTS_SAMPLE_REQUESTS " or make the engine");
    return;
  }
  openrtb::Reader reader;
  const openrtb::Writer writer({.signer = &*signer});
  const Clock& clock = SystemClock::Get();
  std::string out;
  int64_t read_ns = 0, decide_ns = 0, write_ns = 0;
  size_t at = 0;
  for (auto _ : state) {
    const int64_t begun = clock.Now();
    const auto request = reader.Read(lines[at]);
    at = at + 1 == lines.size() ? 0 : at + 1;
    const int64_t read = clock.Now();
    if (!request.ok()) continue;
    const auto answer = (*engine)->Decide(*request, {.trusted = true});
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
  state.counters["scored"] = static_cast<double>(scored->candidates.Sum()) / n;
  state.counters["read_us"] = each(read_ns);
  state.counters["decide_us"] = each(decide_ns);
  state.counters["write_us"] = each(write_ns);
  for (const AgentStats& agent : (*engine)->GetStats().runtime.agents) {
    if (agent.mean_nanos > 0) {
      state.counters[agent.name + "_us"] = static_cast<double>(agent.mean_nanos) / 1000.0;
    }
  }
}
BENCHMARK(TextToText)->Arg(35)->Arg(60)->Unit(benchmark::kMicrosecond);

}  // namespace
