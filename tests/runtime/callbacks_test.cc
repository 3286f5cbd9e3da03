// The host's code (callbacks, executors, fallbacks, hold rules, log sinks) misbehaves: every
// callback still comes exactly once, and nothing else is harmed.
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

const std::vector<NodeSpec> kOneAgent{{.name = "one", .in = {"ask"}, .out = "say"}};

TEST_CASE("a refused asynchronous call is answered once, after a shutdown too") {
  for (const bool inline_mode : {false, true}) {
    INFO("inline " << inline_mode);
    RuntimeOptions options;
    options.workers = 1;
    if (inline_mode) options.inline_scheduler.emplace();
    auto team = MakeTeam(kOneAgent, options);
    CHECK(LeftBehind(*team) == "");
    std::atomic<int> calls{0};
    for (int i = 0; i < 3; ++i) {
      team->DecideAsync(i, {}, [&](Answer<int> answer) {
        calls += answer.verdict == Verdict::kShutDown ? 1 : 100;
      });
    }
    (void)team->RunPending();
    CHECK(Eventually([&] { return calls.load() == 3; }));
    CHECK(team->Decide(1).verdict == Verdict::kShutDown);
    CHECK(team->Decide(1, {.trusted = true}).verdict == Verdict::kShutDown);
    CHECK(CountOf(team->GetStats(), Verdict::kShutDown) == 5);
  }
}

TEST_CASE("asynchronous calls during a shutdown are all answered once") {
  for (int round = 0; round < (LongRun() ? 500 : 40); ++round) {
    RuntimeOptions options;
    options.workers = 1 + round % 3;
    auto team = MakeTeam(kOneAgent, options);
    constexpr int kCallers = 3;
    std::array<std::atomic<int>, kCallers> asked{}, answered{};
    std::atomic<bool> stop{false};
    std::vector<std::thread> callers;
    for (size_t c = 0; c < kCallers; ++c) {
      callers.emplace_back([&, c] {
        while (!stop.load()) {
          ++asked[c];
          team->DecideAsync(1, {}, [&, c](Answer<int>) { ++answered[c]; });
          if (c == 0) (void)team->Decide(2);
        }
      });
    }
    REQUIRE(Eventually([&] { return answered[0] > 3 && answered[1] > 3 && answered[2] > 3; }));
    (void)team->Shutdown(round % 2 == 0 ? absl::ZeroDuration() : absl::Milliseconds(5));
    stop.store(true);
    for (auto& caller : callers) caller.join();
    for (size_t c = 0; c < kCallers; ++c) {
      CHECK(Eventually([&] { return answered[c].load() == asked[c].load(); }));
    }
  }
}

TEST_CASE("callbacks come once whether the host's executor runs, throws, drops or delays them") {
  enum Host { kRuns, kThrowsBefore, kThrowsAfter, kDrops, kDelays };
  for (const Host host : {kRuns, kThrowsBefore, kThrowsAfter, kDrops, kDelays}) {
    INFO("host " << host);
    std::mutex mutex;
    std::vector<absl::AnyInvocable<void()>> delayed;
    auto executor = [&](absl::AnyInvocable<void()> function) {
      if (host == kThrowsBefore) throw std::runtime_error("executor");
      if (host == kDrops) return;
      if (host == kDelays) {
        const std::lock_guard<std::mutex> lock(mutex);
        delayed.push_back(std::move(function));
        return;
      }
      function();
      if (host == kThrowsAfter) throw 1;
    };
    RuntimeOptions options;
    options.workers = 1;
    auto team = TeamOf(kOneAgent, options).Callbacks(executor).Build();
    REQUIRE(team.ok());
    constexpr int kCalls = 50;
    std::array<std::atomic<int>, kCalls> calls{};
    for (size_t i = 0; i < kCalls; ++i) {
      CallOptions call;
      if (i % 5 == 4) call.tmax = absl::ZeroDuration();  // refused
      (*team)->DecideAsync(1, call, [&, i](Answer<int> answer) {
        calls[i] += (answer.verdict == Verdict::kNoTime) == (i % 5 == 4) ? 1 : 100;
      });
    }
    CHECK(Eventually([&] {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        for (auto& function : delayed) function();
        delayed.clear();
      }
      for (const auto& count : calls) {
        if (count.load() == 0) return false;
      }
      return true;
    }));
    CHECK(LeftBehind(**team) == "");
    for (const auto& count : calls) CHECK(count.load() == 1);
  }
}

TEST_CASE("callbacks and fallbacks that throw harm nobody") {
  for (const Way way : kWays) {
    INFO(Name(way));
    RuntimeOptions options;
    options.workers = 1;
    auto team = TeamOf({{.name = "fails",
                         .in = {"ask"},
                         .out = "say",
                         .body = [](Context&, Node&) { return absl::InternalError("no"); }}},
                       options)
                    .Fallback([](const int& ask, const Board&) -> int {
                      if (ask == 1) throw std::runtime_error("fallback");
                      if (ask == 2) throw 2;
                      return ask;
                    })
                    .Build();
    REQUIRE(team.ok());
    for (int ask = 1; ask <= 3; ++ask) {
      const Answer<int> answer = Ask(**team, way, ask);
      CHECK(answer.verdict == Verdict::kFallback);
      CHECK(answer.value == (ask == 3 ? 3 : 0));
    }
  }
  RuntimeOptions options;
  options.workers = 1;
  auto team = MakeTeam(kOneAgent, options);
  team->DecideAsync(1, {}, [](Answer<int>) { throw std::runtime_error("callback"); });
  team->DecideAsync(1, {}, [](Answer<int>) { throw 1; });
  team->DecideAsync(1, {}, nullptr);
  team->DecideAsync(1, {.tmax = absl::ZeroDuration()}, nullptr);
  CHECK(Ask(*team, Way::kAsync, 4).value == 5);
  CHECK(LeftBehind(*team) == "");
}

// Can be moved, and throws when it is copied.
struct Prickly {
  int value = 0;
  Prickly() = default;
  explicit Prickly(int v) : value(v) {}
  Prickly(Prickly&&) noexcept = default;
  Prickly& operator=(Prickly&&) noexcept = default;
  Prickly(const Prickly&) { throw std::runtime_error("copied"); }
  Prickly& operator=(const Prickly&) { throw std::runtime_error("copied"); }
};
constexpr Key<Prickly> kPrickly{"prickly"};

TEST_CASE("a result that throws as it is copied at the deadline is the fallback's to replace") {
  struct Writes final : Agent {
    In<int> in{this, kAsk};
    Out<Prickly> out{this, kPrickly};
    Writes() : Agent({.name = "writes"}) {}
    absl::Status Run(Context& ctx) override {
      ctx[out].value = ctx[in];
      return absl::OkStatus();
    }
  };
  struct Slow final : Agent {
    In<Prickly> in{this, kPrickly};
    Out<int> out{this, kSay, 0};
    VirtualClock* clock;
    explicit Slow(VirtualClock* c) : Agent({.name = "slow"}), clock(c) {}
    absl::Status Run(Context& ctx) override {
      if (ctx[in].value < 0) clock->Advance(absl::Seconds(1));
      return absl::OkStatus();
    }
  };
  VirtualClock clock;
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  options.clock = &clock;
  auto team = Runtime<int, Prickly>::Builder(kAsk, kPrickly)
                  .Add<Writes>()
                  .Add<Slow>(&clock)
                  .Fallback([](const int&, const Board&) { return Prickly(7); })
                  .Options(options)
                  .Build();
  REQUIRE(team.ok());
  for (const Way way : kWays) {
    CHECK(Ask(**team, way, 3).value.value == 3);
    const auto late = Ask(**team, way, -3);
    CHECK(late.verdict == Verdict::kExpired);
    CHECK(late.value.value == 7);
  }
}

TEST_CASE("a log sink that throws does not take a decision down") {
  RuntimeOptions options;
  options.workers = 1;
  options.log = [](const LogEntry&) { throw std::runtime_error("sink"); };
  auto team = MakeTeam({{.name = "fails",
                         .in = {"ask"},
                         .out = "extra",
                         .otherwise = 1,
                         .body = [](Context&, Node&) -> absl::Status { throw 1; }},
                        {.name = "says", .in = {"ask", "extra"}, .out = "say"}},
                       options);
  for (const Way way : kWays) {
    for (int i = 0; i < 40; ++i) CHECK(Ask(*team, way, 5).value == 7);
  }
  CHECK(StatsOf(team->GetStats(), "fails").quarantined);
}

TEST_CASE("a decision may be made inside a callback, an agent or a listener") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  Team* inner = nullptr;
  Answer<int> nested;
  auto team = MakeTeam({{.name = "asks",
                         .in = {"ask"},
                         .out = "say",
                         .body =
                             [&](Context& ctx, Node& node) {
                               node.out(ctx) = node.Sum(ctx);
                               if (node.in(ctx, 0) == 9) nested = inner->Decide(1);
                               return absl::OkStatus();
                             }}},
                       options);
  inner = team.get();
  CHECK(team->Decide(9).value == 9);
  CHECK(nested.verdict == Verdict::kOverloaded);  // the one thread there is decides already
  int from_callback = 0;
  team->DecideAsync(1, {}, [&](Answer<int>) { from_callback = inner->Decide(7).value; });
  CHECK(team->RunPending() == 1);
  CHECK(from_callback == 7);
}

TEST_CASE(
    "inline, a decision may be made inside a callback that the host's executor calls in place") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = TeamOf(kOneAgent, options).Callbacks([](auto function) { function(); }).Build();
  REQUIRE(team.ok());
  Answer<int> nested;
  (*team)->DecideAsync(1, {}, [&](Answer<int>) { nested = (*team)->Decide(7); });
  CHECK((*team)->RunPending() == 1);
  CHECK(nested.verdict == Verdict::kDecided);
  CHECK(nested.value == 8);
}

// It keeps the only worker from the decision that it waits for.
TEST_CASE("a decision in a callback that runs in place on the only worker is answered in time") {
  for (const int spares : {0, 1}) {
    for (const Way way : kWays) {
      INFO(Name(way) << ", " << spares << " spares");
      RuntimeOptions options;
      options.workers = 1;
      options.spares = spares;
      options.deadline = absl::Seconds(5);
      auto team = TeamOf(kOneAgent, options)
                      .Callbacks([](auto function) { function(); })
                      .Fallback([](const int& ask, const Board&) { return -ask; })
                      .Build();
      REQUIRE(team.ok());
      Door door;
      Answer<int> nested;
      (*team)->DecideAsync(1, {}, [&](Answer<int>) {
        CallOptions call{.tmax = absl::Milliseconds(20)};
        if (way == Way::kAsync) {  // cannot wait for it in here
          (*team)->DecideAsync(7, call, [&](Answer<int> answer) {
            nested = std::move(answer);
            door.Open();
          });
          return;
        }
        call.trusted = way == Way::kTrusted;
        nested = (*team)->Decide(7, call);
        door.Open();
      });
      REQUIRE(door.WaitFor(std::chrono::seconds(4)));  // by its own deadline, not by the outer one
      if (way == Way::kStrict) {
        CHECK(nested.verdict == Verdict::kExpired);
        CHECK(nested.value == -7);
      } else {
        CHECK((nested.verdict == Verdict::kDecided || nested.verdict == Verdict::kExpired));
        CHECK(nested.value == (nested.verdict == Verdict::kDecided ? 8 : -7));
      }
      CHECK(Ask(**team, Way::kStrict, 3).value == 4);  // nothing is broken
      CHECK(LeftBehind(**team) == "");
    }
  }
}

TEST_CASE("callers of an inline scheduler on several threads take turns") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = MakeTeam(kOneAgent, options);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 2'000; ++i) wrong += team->Decide(c * i).value != c * i + 1;
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(wrong == 0);
  CHECK(CountOf(team->GetStats(), Verdict::kDecided) == 8'000);
}

}  // namespace
}  // namespace adagents::testing
