// The trunk's forward pass (width 32, 2 layers, 16 tokens) beside LibTorch's, eager and as
// TorchScript, and beside what one core can compute at most; and decisions of five models with 16
// candidates each, on one core, through the runtime.
//
//   bench/run.sh encoder_bench [--rounds N]
//
// The limit is the trunk's additions and multiplications at the rate of a product of 1,024 x 1,024
// matrices, in LibTorch's BLAS. Times are microseconds a call, the best of the rounds for the limit
// and medians for the rest; all in one thread, on tokens and tensors that were made before.
// OpenBLAS 0.3.21 does not know newer processors and takes AVX2 there: where there is AVX-512 this
// program starts itself again with OPENBLAS_CORETYPE=SkylakeX, unless that is set, for the sake of
// the limit and of LibTorch.
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/blackboard/cell.h"
#include "adagents/model/model_store.h"
#include "adagents/runtime/runtime.h"
#include "bars.h"
#include "fmt/format.h"
#ifdef ADAGENTS_BENCH_TORCH
#include "model/torch_reference.h"
#endif

namespace {

using namespace adagents;         // NOLINT: an application
using namespace adagents::bench;  // NOLINT
using namespace adagents::model;  // NOLINT

template <class T>
T Value(absl::StatusOr<T> made) {
  if (made.ok()) return *std::move(made);
  std::fprintf(stderr, "encoder_bench: %s\n", made.status().ToString().c_str());
  std::exit(1);
}

TokenSchema Schema() {
  return TokenSchema(
      {{"kind", 12}, {"genre", 64}, {"mood", 16}, {"hour", 25}, {"device", 8}, {"content", 3}},
      {{"energy", 0, 1}, {"volume", 0, 1}, {"position", 0, 1}});
}
HeadSchema Facts() {
  return HeadSchema({{"genre", 64},
                     {"brand", 1'000},
                     {"format", 8},
                     {"campaign", 10'000},
                     {"placement", 8},
                     {"hour", 25}});
}
constexpr size_t kModels = 5, kCandidates = 16, kFacts = 6;

std::vector<float> Weights(size_t count, Random& random) {
  std::vector<float> weights(count);
  for (float& w : weights) w = static_cast<float>((random.Uniform() - 0.5) * 0.3);
  return weights;
}

Encoder MakeEncoder(uint64_t seed) {
  Random random(seed);
  return Value(Encoder::Create(Schema(), {}, Weights(EncoderWeights(Schema(), {}), random)));
}

Head MakeHead(uint64_t trunk, uint64_t seed) {
  Random random(seed);
  const HeadSchema facts = Facts();
  const HeadShape shape;
  const auto hidden = static_cast<size_t>(shape.hidden), width = static_cast<size_t>(shape.width);
  HeadWeights w;
  w.table = Weights(facts.rows() * (hidden + 1), random);
  std::fill_n(w.table.begin(), hidden + 1, 0.0f);
  w.session = Weights(hidden * width, random);
  w.bias = Weights(hidden, random);
  w.out = Weights(hidden, random);
  return Value(Head::Create(facts, shape, std::move(w), trunk));
}

std::vector<TokenWindow> Windows(size_t count) {
  Random random(5);
  std::vector<TokenWindow> windows(count);
  for (TokenWindow& window : windows) {
    for (int t = 0; t < kMaxTokens; ++t) {
      Token token;
      for (size_t f = 0; f < Schema().categories().size(); ++f) {
        token.category[f] = static_cast<uint16_t>(
            random.Below(static_cast<uint64_t>(Schema().categories()[f].size)));
      }
      for (size_t f = 0; f < 3; ++f) token.number[f] = static_cast<float>(random.Uniform());
      window.Push(token);
    }
  }
  return windows;
}

/// Median of the rounds, each of some 20 ms.
template <class Work>
double Each(int rounds, Work work) {
  for (int i = 0; i < 20; ++i) work();
  const double once = std::max(0.1, TimeUs(work));
  const int times = std::max(1, static_cast<int>(20'000 / once));
  std::vector<double> us;
  for (int round = 0; round < rounds; ++round) {
    us.push_back(TimeUs([&] {
                   for (int i = 0; i < times; ++i) work();
                 }) /
                 times);
  }
  return Median(us);
}

void Encoders(int rounds, [[maybe_unused]] Bars* bars) {
  const Encoder encoder = MakeEncoder(1);
  const auto flops = static_cast<double>(encoder.FlopsPerWindow());
  fmt::print("One trunk of {} weights, {:.0f} thousand operations a window; ours runs {} code\n",
             encoder.weights().size(), flops / 1e3, KernelName());
#ifdef ADAGENTS_BENCH_TORCH
  SetTorchThreads(1);
  const double gflops = TorchProductGflops(1'024, 5 * rounds);
  fmt::print(
      "Large matrix products: {:.0f} billion operations a second (OPENBLAS_CORETYPE={})\n", gflops,
      std::getenv("OPENBLAS_CORETYPE") != nullptr ? std::getenv("OPENBLAS_CORETYPE") : "not set");
#else
  fmt::print("Built without LibTorch: neither its rows nor the limit\n");
#endif
  fmt::print("\n{:<28}{:>12}{:>12}{:>12}\n", "us a call, windows:", 1, 16, 256);
  const std::vector<TokenWindow> windows = Windows(256);
  const size_t counts[] = {1, 16, 256};
  const auto row = [](const char* name, const std::vector<double>& us) {
    fmt::print("{:<28}", name);
    for (const double value : us) fmt::print("{:>12}", Us(value));
    fmt::print("\n");
  };
  EncoderScratch scratch;
  std::vector<SessionVector> out(256);
  std::vector<double> ours;
  for (const size_t n : counts) {
    ours.push_back(Each(rounds, [&] { encoder.Encode({windows.data(), n}, &scratch, out); }));
  }
#ifdef ADAGENTS_BENCH_TORCH
  std::vector<double> limit;
  for (const size_t n : counts) limit.push_back(flops * static_cast<double>(n) / gflops / 1e3);
  row("limit of one core", limit);
  row("adagents", ours);
  std::vector<std::vector<double>> peers;
  for (const auto& [name, mode] :
       {std::pair("LibTorch, eager", TorchReference::Mode::kEager),
        std::pair("LibTorch, TorchScript", TorchReference::Mode::kScript)}) {
    TorchReference torch = Value(TorchReference::Create(encoder, mode));
    std::vector<double> us;
    for (const size_t n : counts) {
      torch.Set({windows.data(), n});
      us.push_back(Each(rounds, [&] { torch.Run(); }));
    }
    row(name, us);
    peers.push_back(us);
  }
  const auto ratios = [&](const char* name, const std::vector<double>& above,
                          const std::vector<double>& below) {
    fmt::print("{:<28}", name);
    for (size_t i = 0; i < above.size(); ++i) fmt::print("{:>12.2f}", above[i] / below[i]);
    fmt::print("\n");
  };
  ratios("ours / limit", ours, limit);
  ratios("eager / ours", peers[0], ours);
  ratios("TorchScript / ours", peers[1], ours);
  bars->AtMost("one window, times the limit of one core", ours[0] / limit[0], 4);
  bars->AtMost("16 windows, times the limit of one core", ours[1] / limit[1], 2);
#else
  row("adagents", ours);
#endif
}

// Decisions.

struct Ask {
  TokenWindow window;
  HeadEntry entries[kCandidates * kFacts];
};
struct Scores {
  float probability[kCandidates] = {};
};
struct Best {
  uint32_t candidate = 0;
  float worth = 0;
};
constexpr Key<Ask> kAsk{"ask"};
constexpr Key<Best> kBest{"best"};
constexpr const char* kNames[kModels] = {"click", "completion", "attention", "intent", "fatigue"};
/// Each agent has a model of its own, trunk and head.
using Stores = std::vector<std::unique_ptr<ModelStore>>;
constexpr StateKey<std::shared_ptr<Stores>> kStores{"stores"};
/// What the playback event before the request left: the vectors of all five trunks.
struct SessionVectors {
  SessionVector of[kModels];
};
constexpr StateKey<Cell<SessionVectors>> kSession{"session"};

class ModelAgent final : public Agent {
  In<Ask> ask_{this, kAsk};
  State<std::shared_ptr<Stores>> stores_{this, kStores};
  State<Cell<SessionVectors>> session_{this, kSession};
  Out<Scores> scores_;

 public:
  ModelAgent(size_t which, bool encodes)
      : Agent({.name = kNames[which]}),
        scores_(this, Key<Scores>{kNames[which]}),
        which_(which),
        encodes_(encodes) {}
  absl::Status Run(Context& ctx) override {
    const ModelStore::Use use = (**stores_)[which_]->Pin();
    SessionVector vector;
    if (encodes_) {
      absl::Status status = use.Encode(ctx[ask_].window, ctx.deadline(), &scratch_, &vector);
      if (!status.ok()) return status;
    } else {
      vector = session_->Read().of[which_];
    }
    return use.Score(0, vector, ctx[ask_].entries, kFacts, ctx.deadline(),
                     ctx[scores_].probability);
  }

 private:
  const size_t which_;
  const bool encodes_;
  EncoderScratch scratch_;
};

class Chooser final : public Agent {
  In<Scores> a_{this, Key<Scores>{kNames[0]}}, b_{this, Key<Scores>{kNames[1]}},
      c_{this, Key<Scores>{kNames[2]}}, d_{this, Key<Scores>{kNames[3]}},
      e_{this, Key<Scores>{kNames[4]}};
  Out<Best> best_{this, kBest};

 public:
  Chooser() : Agent({.name = "chooser"}) {}
  absl::Status Run(Context& ctx) override {
    for (uint32_t i = 0; i < kCandidates; ++i) {
      const float worth = ctx[a_].probability[i] * ctx[b_].probability[i] * ctx[c_].probability[i] *
                          ctx[d_].probability[i] * (1 - ctx[e_].probability[i]);
      if (worth > ctx[best_].worth) ctx[best_] = {i, worth};
    }
    return absl::OkStatus();
  }
};

using Team = Runtime<Ask, Best>;

void Decisions(Bars* bars) {
  // One core for callers, workers and whatever else.
  cpu_set_t before, one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  const bool pinned = sched_getaffinity(0, sizeof(before), &before) == 0 &&
                      sched_setaffinity(0, sizeof(one), &one) == 0;
  auto stores = std::make_shared<Stores>();
  for (size_t m = 0; m < kModels; ++m) {
    Encoder encoder = MakeEncoder(m);
    Model::Heads heads;
    heads.emplace(kNames[m], MakeHead(encoder.id(), m));
    stores->push_back(Value(ModelStore::Create(
        {.token_schema = Schema().Hash(), .heads = {{kNames[m], Facts().Hash()}}})));
    const absl::Status status =
        stores->back()->Publish(Value(Model::Create(std::move(encoder), std::move(heads))));
    if (!status.ok()) Value<int>(status);
  }
  const std::vector<TokenWindow> windows = Windows(64);
  Random random(8);
  std::vector<Ask> asks(64);
  for (size_t i = 0; i < asks.size(); ++i) {
    asks[i].window = windows[i];
    for (HeadEntry& entry : asks[i].entries) {
      entry.row = static_cast<uint32_t>(1 + random.Below(Facts().rows() - 1));
    }
  }
  fmt::print("\nDecisions of five models with {} candidates of {} facts, {}\n", kCandidates, kFacts,
             pinned ? "on one core" : "on all cores (the core could not be kept)");
  fmt::print("{:<44}{:>12}{:>12}{:>12}{:>12}\n", "", "a second", "at half:", "p50 us", "p99 us");
  double least = 1e18, worst = 0;
  for (const bool encodes : {false, true}) {
    for (const bool trusted : {true, false}) {
      RuntimeOptions options;
      options.workers = 1;
      options.spin = absl::ZeroDuration();  // it would spin on the core that its caller needs
      auto session = std::make_shared<Cell<SessionVectors>>();
      auto builder = Team::Builder(kAsk, kBest);
      for (size_t m = 0; m < kModels; ++m) builder.Add<ModelAgent>(m, encodes);
      auto team = Value(builder.Add<Chooser>()
                            .Share(kStores, stores)
                            .ShareObject(kSession, session)
                            .Options(std::move(options))
                            .Build());
      SessionVectors vectors;
      EncoderScratch scratch;
      for (size_t m = 0; m < kModels; ++m) {
        (*stores)[m]->Pin().model().encoder()->Encode(windows[0], &scratch, &vectors.of[m]);
      }
      session->Write(vectors);
      const CallOptions call{.trusted = trusted};
      int64_t bad = 0;
      size_t next = 0;
      const auto decide = [&] { bad += team->Decide(asks[next++ % asks.size()], call).degraded(); };
      for (int i = 0; i < 2'000; ++i) decide();
      const double begun = Seconds();
      int64_t decided = 0;
      while (Seconds() - begun < 1.5) {
        for (int i = 0; i < 50; ++i) decide();
        decided += 50;
      }
      const double rate = static_cast<double>(decided) / (Seconds() - begun);
      // Requests come when they come: what one waits for another is part of its time.
      const Clock& clock = SystemClock::Get();
      const double gap = 2e9 / rate;
      std::vector<int64_t> nanos;
      const int64_t start = clock.Now();
      for (double due = 0; due < 2e9; due += gap) {
        const int64_t at = start + static_cast<int64_t>(due);
        while (clock.Now() < at) StdAtomics::Pause();
        decide();
        nanos.push_back(clock.Now() - at);
      }
      const double p50 = Percentile(&nanos, 0.5) / 1e3, p99 = Percentile(&nanos, 0.99) / 1e3;
      fmt::print(
          "{:<44}{:>12.0f}{:>12}{:>12}{:>12}\n",
          fmt::format("{}, {}", encodes ? "trunks and heads per request" : "heads per request",
                      trusted ? "trusted" : "strict"),
          rate, "", Us(p50), Us(p99));
      if (bad > 0) fmt::print("   {} of them were degraded\n", bad);
      bars->AtMost(fmt::format("degraded decisions, {}{}", encodes ? "with trunks, " : "",
                               trusted ? "trusted" : "strict"),
                   static_cast<double>(bad), 0);
      least = std::min(least, rate);
      worst = std::max(worst, p99);
    }
  }
  bars->AtLeast("decisions a second, the slowest row", least, 4'000);
  bars->AtMost("p99 at half that rate, the slowest row, ms", worst / 1e3, 10);
  if (pinned) (void)sched_setaffinity(0, sizeof(before), &before);
}

}  // namespace

int main(int argc, char** argv) {
#if defined(ADAGENTS_BENCH_TORCH) && defined(__x86_64__)
  if (std::getenv("OPENBLAS_CORETYPE") == nullptr && __builtin_cpu_supports("avx512dq") &&
      setenv("OPENBLAS_CORETYPE", "SkylakeX", 1) == 0) {
    execv("/proc/self/exe", argv);  // goes on as it is if that fails
  }
#endif
  int rounds = 15;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: encoder_bench [--rounds N]\n");
      return 2;
    }
  }
  const Others others;
  Bars bars;
  Encoders(rounds, &bars);
  Decisions(&bars);
  bars.Print();
  fmt::print("\nOther processes used {:.0f} % of the machine.\n", 100 * others.Share());
  return bars.failed() > 0 ? 1 : 0;
}
