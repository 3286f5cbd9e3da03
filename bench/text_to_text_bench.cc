// From OpenRTB text to OpenRTB text on one core: read, decide, write with signed notices. The
// bundled requests, and recorded web auctions where they are found (ADAGENTS_DATA, else
// ../shared/data), meet 10,000 generated campaigns and then many:
//
//   text_to_text_bench [MANY_CAMPAIGNS]     # 1,000,000 when left out
//
// For each: how many candidates are scored, requests a second and the share of each stage, of
// which those between reading and writing are the agents' own means; and the 99th percentile of
// the time from a request's scheduled arrival to its response, at half of the rate demanded. At
// last the decisions among the many while another thread changes campaigns.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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
#include "adagents/testing/noon_clock.h"
#include "bars.h"
#include "recording.h"

namespace {

using namespace adagents;  // NOLINT: an application
using ad_server::Recording;
using adagents::bench::Bars;
using adagents::bench::Median;
using adagents::bench::Percentile;
using adagents::bench::Us;

constexpr int kRounds = 5;
constexpr int64_t kRoundNanos = 1'500'000'000;
constexpr double kFewRate = 50'000, kManyRate = 30'000;  // demanded, requests a second

/// How many campaigns match depends on the hour.
const Clock& Noon() {
  static const testing::NoonClock clock;
  return clock;
}

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
  std::shared_ptr<Scored> scored = std::make_shared<Scored>();
  std::unique_ptr<ads::Engine> engine;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

/// An engine over `campaigns` of which the share `open` leaves an attribute open, which sets how
/// many creatives are found, and that scores at most `limit` of them for an imp.
World MakeWorld(size_t campaigns, double open, size_t limit) {
  World world;
  ads::EngineOptions options;
  options.catalog = ads::GenerateCatalog({.campaigns = campaigns, .open = open});
  options.availability.max_candidates = limit;
  options.runtime.clock = &Noon();
  options.rates = {{*Currency::Parse("EUR"), 0.9}, {*Currency::Parse("GBP"), 0.8}};
  options.customize = [scored = world.scored](ads::AdRuntime::Builder& builder) {
    builder.ShareObject(kScored, scored).Add<CountScored>();
  };
  auto engine = ads::Engine::Create(std::move(options));
  if (!engine.ok()) Fail("cannot make the engine: " + engine.status().ToString());
  world.engine = *std::move(engine);
  return world;
}

/// One thread's way of a request.
class Server {
 public:
  explicit Server(ads::Engine* engine) : engine_(engine) {
    auto signer = openrtb::NoticeSigner::Create(
        {.base_url = "https://ads.example.com/n", .keys = {{"bench", "0123456789abcdef"}}});
    if (!signer.ok()) Fail("cannot make the signer: " + signer.status().ToString());
    signer_ = std::make_unique<openrtb::NoticeSigner>(*std::move(signer));
    writer_ = std::make_unique<openrtb::Writer>(openrtb::WriterOptions{.signer = signer_.get()});
  }

  /// False when the text is refused.
  bool Serve(std::string_view json) {
    const int64_t begun = clock_.Now();
    const auto request = reader_.ReadPadded(json);
    if (!request.ok()) return false;
    const int64_t read = clock_.Now();
    const auto answer = engine_->Decide(*request, {.trusted = true});
    const int64_t decided = clock_.Now();
    out_.clear();
    writer_->Write(**request, answer.value, clock_.WallNow(), &out_);
    read_ns += read - begun;
    decide_ns += decided - read;
    write_ns += clock_.Now() - decided;
    late += answer.verdict == Verdict::kDecided ? 0 : 1;
    return true;
  }

  int64_t read_ns = 0, decide_ns = 0, write_ns = 0, late = 0;

 private:
  const Clock& clock_ = Noon();
  ads::Engine* const engine_;
  openrtb::Reader reader_;
  std::unique_ptr<openrtb::NoticeSigner> signer_;
  std::unique_ptr<openrtb::Writer> writer_;
  std::string out_;
};

/// Goes round and round through a recording.
class Requests {
 public:
  explicit Requests(const Recording& recording) : lines_(recording.lines()) {}
  std::string_view Next() {
    const std::string_view json = lines_[at_].json;
    at_ = at_ + 1 == lines_.size() ? 0 : at_ + 1;
    return json;
  }

 private:
  const std::vector<Recording::Line>& lines_;
  size_t at_ = 0;
};

struct Result {
  double scored = 0, per_second = 0, p99_us = 0;
};

/// Back to back, the median of some rounds, each stage's mean over all of them.
Result Throughput(World& world, const Recording& recording, const std::string& name) {
  const Clock& clock = SystemClock::Get();
  Server server(world.engine.get());
  Requests requests(recording);
  std::vector<double> rates;
  int64_t served = 0, refused = 0, scored_before = 0;
  for (int round = -1; round < kRounds; ++round) {
    if (round == 0) {  // the first is to warm up
      server.read_ns = server.decide_ns = server.write_ns = 0;
      served = refused = 0;
      scored_before = world.scored->candidates.Sum();
    }
    int64_t here = 0;
    const int64_t begun = clock.Now();
    int64_t now = begun;
    for (; now - begun < kRoundNanos; now = clock.Now()) {
      for (int i = 0; i < 64; ++i) (server.Serve(requests.Next()) ? here : refused) += 1;
    }
    served += here;
    rates.push_back(static_cast<double>(here) * 1e9 / static_cast<double>(now - begun));
  }
  rates.erase(rates.begin());
  Result result;
  result.per_second = Median(rates);
  const auto n = static_cast<double>(served);
  result.scored = static_cast<double>(world.scored->candidates.Sum() - scored_before) / n;
  const auto each = [&](int64_t nanos) { return static_cast<double>(nanos) / n / 1000; };
  fmt::print("{:<44} {:>6.0f} {:>9.0f} {:>6} {:>6}", name, result.scored, result.per_second,
             Us(1e6 / result.per_second), Us(each(server.read_ns)));
  for (const char* agent : {"availability", "relevance", "pricing", "auction"}) {
    for (const AgentStats& stats : world.engine->GetStats().runtime.agents) {
      if (stats.name != agent) continue;
      fmt::print(" {:>6}", Us(static_cast<double>(stats.mean_nanos) / 1000));
    }
  }
  fmt::print(" {:>6} {:>7} {:>5}\n", Us(each(server.write_ns)), Us(each(server.decide_ns)),
             server.late + refused);
  std::fflush(stdout);
  return result;
}

/// The 99th percentile from scheduled arrival to response, microseconds, at `rate` a second.
double PacedP99(World& world, const Recording& recording, double rate) {
  const Clock& clock = SystemClock::Get();
  Server server(world.engine.get());
  Requests requests(recording);
  std::vector<int64_t> nanos;
  const auto gap = static_cast<int64_t>(1e9 / rate);
  int64_t due = clock.Now();
  for (const int64_t end = due + 5 * int64_t{1'000'000'000}; due < end; due += gap) {
    while (clock.Now() < due) {
    }
    server.Serve(requests.Next());
    nanos.push_back(clock.Now() - due);
  }
  const double p50 = Percentile(&nanos, 0.5), p99 = Percentile(&nanos, 0.99);
  fmt::print("   at {:.0f} a second: p50 {} us, p99 {}, p99.9 {}, slowest {}\n", rate,
             Us(p50 / 1000), Us(p99 / 1000), Us(Percentile(&nanos, 0.999) / 1000),
             Us(Percentile(&nanos, 1.0) / 1000));
  std::fflush(stdout);
  return p99 / 1000;
}

void StayOnCore(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  (void)::sched_setaffinity(0, sizeof set, &set);  // else the kernel moves us: slower, not wrong
}

/// How long this thread was ready to run and had no core, ns; 0 where the kernel does not count it.
int64_t WaitedForCore() {
  std::ifstream file("/proc/thread-self/schedstat");
  int64_t ran = 0, waited = 0;
  file >> ran >> waited;
  return file ? waited : 0;
}

/// Decisions, on this core, while a thread on another one changes `rate` campaigns a second, one
/// after the other, and merges the changes at last. A change counts until a decision that begins
/// afterwards would see it. Where every core has a thread of ours, other programs take their turns
/// from us: how long decisions waited for a core stands beside their slowest.
void DuringChanges(World& world, const Recording& recording, int64_t rate, bool merge, Bars* bars) {
  const Clock& clock = SystemClock::Get();
  std::atomic<bool> stop{false};
  std::vector<int64_t> changes, decisions;
  double merge_ms = 0;
  adagents::bench::Others others;
  std::thread changer([&] {
    if (std::thread::hardware_concurrency() > 1) StayOnCore(1);
    if (merge) {
      const int64_t begun = clock.Now();
      if (!world.engine->MergeCatalog().ok()) Fail("merging failed");
      merge_ms = static_cast<double>(clock.Now() - begun) / 1e6;
      stop.store(true, std::memory_order_relaxed);
    }
    if (rate == 0) return;
    const std::vector<ads::Campaign> others =
        ads::GenerateCampaigns({.campaigns = 2'000, .seed = 2});
    for (size_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      ads::CatalogChange change{{others[i % others.size()]}, {}};
      const int64_t begun = clock.Now();
      if (!world.engine->ChangeCatalog(std::move(change)).ok()) Fail("a change failed");
      changes.push_back(clock.Now() - begun);
      std::this_thread::sleep_for(std::chrono::nanoseconds(1'000'000'000 / rate));
    }
  });
  openrtb::Reader reader;
  Requests requests(recording);
  const int64_t waited_before = WaitedForCore();
  const int64_t end = clock.Now() + (merge ? int64_t{120'000'000'000} : int64_t{8'000'000'000});
  while (clock.Now() < end && !(merge && stop.load(std::memory_order_relaxed))) {
    const auto request = reader.ReadPadded(requests.Next());
    if (!request.ok()) continue;
    const int64_t begun = clock.Now();
    (void)world.engine->Decide(*request, {.trusted = true});
    decisions.push_back(clock.Now() - begun);
  }
  const double waited = static_cast<double>(WaitedForCore() - waited_before) / 1e6;
  stop.store(true, std::memory_order_relaxed);
  changer.join();
  const double busy = others.Share();
  const std::string what = merge ? fmt::format("while changes are merged ({:.0f} ms)", merge_ms)
                                 : fmt::format("with {} changes", changes.size());
  fmt::print("   {:<40} p50 {} us, p99 {}, p99.9 {}, slowest {}", what,
             Us(Percentile(&decisions, 0.5) / 1000), Us(Percentile(&decisions, 0.99) / 1000),
             Us(Percentile(&decisions, 0.999) / 1000), Us(Percentile(&decisions, 1) / 1000));
  if (!changes.empty()) {
    double mean = 0;
    for (const int64_t c : changes) mean += static_cast<double>(c);
    mean /= static_cast<double>(changes.size()) * 1000;
    fmt::print("; a change: mean {}, slowest {}", Us(mean), Us(Percentile(&changes, 1) / 1000));
    bars->AtMost("many: changing one campaign while serving, mean us", mean, 1'000);
  }
  fmt::print("; waited {:.0f} ms for a core, others {:.0f} %\n", waited, 100 * busy);
  std::fflush(stdout);
}

std::unique_ptr<Recording> ReadRecording(const std::string& path) {
  auto recording = Recording::ReadFile(path);
  if (!recording.ok() || recording->lines().empty()) return nullptr;
  return std::make_unique<Recording>(*std::move(recording));
}

std::unique_ptr<Recording> WebAuctions() {
  const char* data = std::getenv("ADAGENTS_DATA");
  const std::filesystem::path folder = data != nullptr ? data : ADAGENTS_SHARED_DATA;
  return ReadRecording(folder / "openrtb" / "web-auctions-2012.ndjson.xz");
}

}  // namespace

int main(int argc, char** argv) {
  const size_t many = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (many == 0) Fail(std::string("usage: ") + argv[0] + " [MANY_CAMPAIGNS]");
  StayOnCore(0);
  const std::unique_ptr<Recording> samples = ReadRecording(ADAGENTS_SAMPLE_REQUESTS);
  if (samples == nullptr) Fail("cannot read " ADAGENTS_SAMPLE_REQUESTS);
  const std::unique_ptr<Recording> web = WebAuctions();
  if (web == nullptr) fmt::print("SKIPPED: recorded web auctions, which are not there\n");
  Bars bars;
  adagents::bench::Others others;
  fmt::print("OpenRTB text to text on one core; medians of {} rounds; stages in us\n", kRounds);
  fmt::print("{:<44} {:>6} {:>9} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>5}\n", "",
             "scored", "a second", "us", "read", "avail", "relev", "price", "auct", "write",
             "decide", "not");
  // The samples say less of the listener than the auctions do, so they find more.
  const auto few = [&](const Recording& recording, const std::string& name, double open,
                       double open_wide) {
    {
      World world = MakeWorld(10'000, open, 1'000);
      const Result r = Throughput(world, recording, "10,000 campaigns, " + name);
      bars.AtLeast("10,000, " + name + ": candidates scored", r.scored, 50);
      bars.AtLeast("10,000, " + name + ": requests a second", r.per_second, kFewRate);
      bars.AtMost("10,000, " + name + ": p99 at half that rate, us",
                  PacedP99(world, recording, kFewRate / 2), 1'000);
    }
    World world = MakeWorld(10'000, open_wide, 1'000);
    const Result r = Throughput(world, recording, "10,000 campaigns that ask less, " + name);
    PacedP99(world, recording, r.per_second / 2);
  };
  few(*samples, "samples", 0.29, 0.6);
  if (web != nullptr) few(*web, "web auctions", 0.52, 0.8);
  {
    World lots = MakeWorld(many, 0.55, 200);
    const auto run = [&](const Recording& recording, const std::string& name) {
      const Result r = Throughput(lots, recording, fmt::format("{} campaigns, {}", many, name));
      bars.AtLeast(fmt::format("{}, {}: requests a second", many, name), r.per_second, kManyRate);
      PacedP99(lots, recording, kManyRate / 2);
    };
    run(*samples, "samples");
    if (web != nullptr) run(*web, "web auctions");
    fmt::print("Decisions among {} campaigns on the samples\n", many);
    DuringChanges(lots, *samples, 0, false, &bars);
    DuringChanges(lots, *samples, 100, false, &bars);
    DuringChanges(lots, *samples, 0, true, &bars);
  }
  fmt::print("other processes used {:.0f} % of the machine meanwhile\n", 100 * others.Share());
  bars.Print();
  return bars.failed() == 0 ? 0 : 1;
}
