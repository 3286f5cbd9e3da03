// Decisions of the ad team with its models: a trunk that reads each playback event and five heads
// that score the candidates, in ads::Engine, on one core.
//
//   bench/run.sh models_bench [MODEL] [--decisions N]
//
// MODEL is a file of `examples/train --world`; without one weights are random, which costs the
// same. Sixteen campaigns fit each request, half of them paid for clicks and half for completions,
// so that both heads have candidates; each session plays an event before each second decision.
// Beside it the floors: the same engine, events and requests without models, and a loop of memory
// reads, which says what the machine itself adds. Then memory and threads over N decisions (200,000
// when left out) with a new model every tenth of them.
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/ads_models/team_models.h"
#include "adagents/base/random.h"
#include "bars.h"
#include "fmt/format.h"

namespace {

using namespace adagents;  // NOLINT: an application
using bench::Seconds;

constexpr size_t kSessions = 10'000, kCandidates = 16;
constexpr int kWorkers = 1;

template <class T>
T Value(absl::StatusOr<T> made) {
  if (made.ok()) return *std::move(made);
  std::fprintf(stderr, "models_bench: %s\n", made.status().ToString().c_str());
  std::exit(1);
}
void Need(const absl::Status& status) {
  if (!status.ok()) Value<int>(status);
}

/// A line of /proc/self/status, in its unit.
int64_t Of(std::string_view what) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(what)) return std::atoll(line.c_str() + what.size() + 1);
  }
  return 0;
}

std::unique_ptr<const model::Model> SomeModel(uint64_t seed) {
  const model::TokenSchema& tokens = ads_models::Tokens();
  Random random(seed);
  const auto some = [&](size_t n) {
    std::vector<float> out(n);
    for (float& x : out) x = static_cast<float>(random.Uniform() - 0.5) * 0.2f;
    return out;
  };
  auto trunk = Value(model::Encoder::Create(tokens, {}, some(model::EncoderWeights(tokens, {}))));
  model::Model::Heads heads;
  for (size_t t = 0; t < ads_models::kTasks; ++t) {
    const auto task = static_cast<ads_models::Task>(t);
    const model::HeadSchema& facts = ads_models::Facts(task);
    const model::HeadShape shape;
    const auto width = static_cast<size_t>(shape.width), hidden = static_cast<size_t>(shape.hidden);
    model::HeadWeights weights{some(facts.rows() * (hidden + 1)), some(hidden * width),
                               some(hidden), some(hidden)};
    std::fill_n(weights.table.begin(), hidden + 1, 0.0f);
    heads.emplace(std::string(ads_models::Name(task)),
                  Value(model::Head::Create(facts, shape, std::move(weights), trunk.id())));
  }
  return Value(model::Model::Create(std::move(trunk), std::move(heads)));
}

std::unique_ptr<const ads::Catalog> Campaigns() {
  std::vector<ads::Campaign> campaigns;
  for (size_t i = 0; i < kCandidates; ++i) {
    ads::Campaign c;
    c.id = c.name = c.advertiser = fmt::format("campaign-{}", i);
    c.budget.daily = Micros{1'000'000 * Micros::kUnit};
    c.bid.max_cpm = Micros{(5 + static_cast<int64_t>(i)) * Micros::kUnit};
    c.bid.action = i % 2 == 0 ? ads::Action::kClick : ads::Action::kCompletion;
    c.bid.value_per_action = Micros{Micros::kUnit};
    c.adomain = {c.id + ".example"};
    c.cat = {"IAB3"};
    ads::Creative ad;
    ad.id = c.id + "-a";
    ad.format = ads::MarkupType::kAudio;
    ad.mimes = {"audio/mpeg"};
    ad.duration_ms = 15'000;
    ad.media_url = "https://cdn.example/a.mp3";
    ad.click_through = "https://example.com";
    ad.tone = i % 3 == 0 ? "calm" : "upbeat";
    ad.pace = i % 2 == 0 ? "slow" : "fast";
    c.creatives.push_back(std::move(ad));
    campaigns.push_back(std::move(c));
  }
  return Value(ads::Catalog::Build(std::move(campaigns)));
}

ads::RequestPtr RequestOf(const std::string& session) {
  ads::NewRequest made = ads::MakeRequest();
  ads::Request& r = *made.request;
  ads::Audio audio;
  audio.mimes = made.arena->Copy<ads::Text>({"audio/mpeg"});
  audio.startdelay = 0;
  ads::Imp imp;
  imp.id = "1";
  imp.audio = made.arena->New(audio);
  r.id = "r";
  r.at = 1;
  r.channel.kind = ads::ChannelKind::kApp;
  r.channel.bundle = "fm.radio";
  r.user.id = made.arena->Copy(session);
  r.imps = made.arena->Copy({imp});
  r.consent = ads::ComputeConsent(r);
  return made.ptr;
}

class Server {
 public:
  explicit Server(bool with_models) {
    ads::EngineOptions options;
    options.catalog = Campaigns();
    options.runtime.workers = kWorkers;
    options.runtime.spin = absl::ZeroDuration();  // it would spin on the core that its caller needs
    options.listener.emplace();
    options.listener->sessions.sessions = kSessions;
    options.listener->sessions.ttl = absl::Hours(12);
    if (with_models) models_ = Value(ads_models::TeamModels::AddTo(&options));
    engine_ = Value(ads::Engine::Create(std::move(options)));
    for (size_t i = 0; i < kSessions; ++i) {
      ids_.push_back(fmt::format("session-{:08x}", Mix64(i)));
      if (i < 512) requests_.push_back(RequestOf(ids_[i]));
      Play(i, ads::PlaybackKind::kStart);
    }
  }
  void Play(size_t i, ads::PlaybackKind kind) {
    ads::PlaybackEvent e;
    e.session = e.listener = ids_[i];
    e.kind = kind;
    e.at = absl::Now();
    e.genre = i % 2 == 0 ? "jazz" : "pop";
    e.mood = "calm";
    e.energy = 0.3f;
    e.position_ms = 1000;
    e.duration_ms = 200'000;
    refused_ += engine_->Play(e).ok() ? 0 : 1;
  }
  void Decide() {
    const size_t i = next_++ % requests_.size();
    if (next_ % 2 == 0) {
      Play(i, next_ % 4 == 0 ? ads::PlaybackKind::kEnd : ads::PlaybackKind::kStart);
    }
    const auto answer = engine_->Decide(requests_[i]);
    degraded_ += answer.degraded() ? 1 : 0;
    bids_ += static_cast<int64_t>(answer.value.bids.size());
  }
  [[nodiscard]] ads_models::TeamModels* models() { return models_.get(); }
  [[nodiscard]] ads::Engine& engine() { return *engine_; }
  [[nodiscard]] int64_t refused() const { return refused_; }
  [[nodiscard]] int64_t degraded() const { return degraded_; }
  [[nodiscard]] int64_t bids() const { return bids_; }

 private:
  std::shared_ptr<ads_models::TeamModels> models_;
  std::unique_ptr<ads::Engine> engine_;
  std::vector<std::string> ids_;
  std::vector<ads::RequestPtr> requests_;
  size_t next_ = 0;
  int64_t refused_ = 0, degraded_ = 0, bids_ = 0;
};

struct Measured {
  double rate, p50_us, p99_us;
};
/// Does it as fast as it can, then half as often: at even times, and what waits for what was before
/// has waited.
template <class Work>
Measured Measure(Work work) {
  for (int i = 0; i < 5'000; ++i) work();
  const double begun = Seconds();
  int64_t done = 0;
  while (Seconds() - begun < 3) {
    for (int i = 0; i < 50; ++i) work();
    done += 50;
  }
  const double rate = static_cast<double>(done) / (Seconds() - begun);
  const Clock& clock = SystemClock::Get();
  std::vector<int64_t> nanos;
  const int64_t start = clock.Now();
  for (double due = 0; due < 3e9; due += 2e9 / rate) {
    const int64_t at = start + static_cast<int64_t>(due);
    while (clock.Now() < at) sched_yield();
    work();
    nanos.push_back(clock.Now() - at);
  }
  std::sort(nanos.begin(), nanos.end());
  const auto at = [&](double share) {
    const auto place = static_cast<size_t>(share * static_cast<double>(nanos.size() - 1));
    return static_cast<double>(nanos[place]) / 1e3;
  };
  return {rate, at(0.5), at(0.99)};
}

/// What the machine adds: as many reads here and there in 64 MiB as take about 50 us. So much
/// memory is given back to the system, and is not in what follows.
Measured MeasureReads() {
  std::vector<uint64_t> memory(size_t{8} << 20, 1);
  volatile uint64_t at = 1;
  const auto reads = [&](int count) {
    for (int i = 0; i < count; ++i) at = Mix64(at) + memory[at % memory.size()];
  };
  const double begun = Seconds();
  reads(1'000'000);
  const int count = std::max(1, static_cast<int>(50e-6 * 1e6 / (Seconds() - begun)));
  return Measure([&] { reads(count); });
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  int64_t decisions = 200'000;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--decisions") == 0 && i + 1 < argc) {
      decisions = std::max<int64_t>(1000, std::atoll(argv[++i]));
    } else if (file.empty() && argv[i][0] != '-') {
      file = argv[i];
    } else {
      std::fprintf(stderr, "usage: models_bench [MODEL] [--decisions N]\n");
      return 2;
    }
  }
  const bench::Others others;
  cpu_set_t one;  // for callers, workers and whatever else
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  const bool pinned = sched_setaffinity(0, sizeof(one), &one) == 0;
  const int64_t threads_before = Of("Threads:");
  bench::Bars bars;
  const Measured floor = [] {
    Server plain(false);
    return Measure([&] { plain.Decide(); });
  }();
  Server server(true);
  Need(file.empty() ? server.models()->store().Publish(SomeModel(1)) : server.models()->Load(file));
  const Measured with = Measure([&] { server.Decide(); });
  const Measured machine = MeasureReads();
  fmt::print(
      "Decisions of ads::Engine over {} candidates, an event for each two, {};\n"
      "p50 and p99 at half of each rate\n",
      kCandidates, pinned ? "on one core" : "on all cores (the core could not be kept)");
  fmt::print("{:<28}{:>12}{:>12}{:>12}\n", "", "a second", "p50 us", "p99 us");
  fmt::print("{:<28}{:>12.0f}{:>12.1f}{:>12.1f}\n", "without models", floor.rate, floor.p50_us,
             floor.p99_us);
  fmt::print("{:<28}{:>12.0f}{:>12.1f}{:>12.1f}\n", "trunk and five heads", with.rate, with.p50_us,
             with.p99_us);
  fmt::print("{:<28}{:>12.0f}{:>12.1f}{:>12.1f}\n", "reads alone, nothing of ours", machine.rate,
             machine.p50_us, machine.p99_us);
  for (const AgentStats& agent : server.engine().GetStats().runtime.agents) {
    if (agent.name == "heads" || agent.name == "session_trunk") {
      fmt::print("  {:<26}{:>12} ns\n", agent.name, agent.mean_nanos);
    }
  }
  const model::ModelStoreStats stats = server.models()->stats();
  fmt::print("  passes not begun {}, degraded decisions {}, events refused {}\n", stats.not_begun,
             server.degraded(), server.refused());

  // Memory and threads, with models replaced meanwhile.
  int64_t first = 0, most = 0, threads = 0;
  std::string said, names;
  const int64_t step = decisions / 10;
  for (int64_t i = 0; i < decisions; ++i) {
    if (i % step == step / 2)
      Need(server.models()->store().Publish(SomeModel(static_cast<uint64_t>(i))));
    server.Decide();
    if (i % step != step - 1) continue;
    const int64_t now = Of("VmRSS:");
    said += fmt::format(" {}", now);
    if (first == 0) first = now;
    most = std::max(most, now);
    threads = std::max(threads, Of("Threads:"));
  }
  fmt::print("memory over {} decisions, 10 models: {} KiB after a tenth, {} KiB at most\n",
             decisions, first, most);
  fmt::print("  KiB after each tenth:{}\n", said);
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file_of(task.path() / "comm");
    std::string name;
    std::getline(file_of, name);
    names += " " + name;
  }
  fmt::print("threads: {} (before the engines {}):{}\n", threads, threads_before, names);
  fmt::print("other processes used {:.0f} % of the machine meanwhile\n", 100 * others.Share());
  bars.AtLeast("decisions a second", with.rate, 4'000);
  bars.AtMost("p99 at half that rate, ms", with.p99_us / 1e3, 10);
  bars.AtMost("degraded decisions", static_cast<double>(server.degraded()), 0);
  bars.AtMost("growth of memory after a tenth, KiB", static_cast<double>(most - first), 2'048);
  // Of the engine with models; the other has ended. RuntimeOptions says which there are, and
  // EngineOptions::background one more.
  const int64_t configured = kWorkers + RuntimeOptions{}.spares + 2 + 1;
  bars.AtMost("threads beyond those configured",
              static_cast<double>(threads - threads_before - configured), 0,
              fmt::format("{} configured", configured));
  bars.Print();
  return bars.failed() == 0 ? 0 : 1;
}
