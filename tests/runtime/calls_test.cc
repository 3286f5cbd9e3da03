// Cancelling, refusing, counting.
#include <atomic>
#include <memory>
#include <new>
#include <set>
#include <stop_token>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

const std::vector<NodeSpec> kTwoAgents{{.name = "a", .in = {"ask"}, .out = "x"},
                                       {.name = "b", .in = {"x"}, .out = "say"}};

TEST_CASE("a call that was cancelled before it came is answered empty, and runs no agent") {
  for (const int workers : {1, 2, 4}) {
    RuntimeOptions options;
    options.workers = workers;
    auto team = MakeTeam(kTwoAgents, options);
    std::stop_source stop;
    stop.request_stop();
    for (const Way way : kWays) {
      INFO(Name(way));
      for (int i = 0; i < 20; ++i) {
        const Answer<int> answer = Ask(*team, way, 1, {.stop = stop.get_token()});
        CHECK(answer.verdict == Verdict::kCancelled);
        CHECK(answer.value == 0);
      }
    }
    CHECK(CountOf(team->GetStats(), "a", Outcome::kRan) == 0);
    CHECK(CountOf(team->GetStats(), Verdict::kCancelled) == 60);
  }
}

TEST_CASE("a call that is cancelled midway is answered at once, and its agents can see it") {
  for (const Way way : kWays) {
    INFO(Name(way));
    std::stop_source stop;
    std::atomic<bool> saw{false};
    std::atomic<int> reached{0};
    Door door;
    const OpenAtEnd open(door);
    RuntimeOptions options;
    options.workers = 1;
    options.deadline = absl::Seconds(30);
    auto team = MakeTeam({{.name = "a",
                           .in = {"ask"},
                           .out = "x",
                           .body =
                               [&](Context& ctx, Node&) {
                                 const bool before = ctx.cancelled();
                                 stop.request_stop();
                                 saw = !before && ctx.cancelled();
                                 if (way != Way::kTrusted) door.Wait();
                                 return absl::OkStatus();
                               }},
                          {.name = "b",
                           .in = {"x"},
                           .out = "say",
                           .body =
                               [&](Context&, Node&) {
                                 ++reached;
                                 return absl::OkStatus();
                               }}},
                         options);
    const auto start = SteadyClock::now();
    const Answer<int> answer = Ask(*team, way, 1, {.stop = stop.get_token()});
    CHECK(answer.verdict == Verdict::kCancelled);
    CHECK(SteadyClock::now() - start < std::chrono::seconds(10));
    door.Open();
    CHECK(LeftBehind(*team) == "");
    CHECK(saw);
    CHECK(reached == 0);
  }
}

TEST_CASE("cancelling after the answer changes nothing") {
  auto team = MakeTeam(kTwoAgents);
  for (int i = 0; i < 200; ++i) {
    std::stop_source stop;
    const Answer<int> answer =
        Ask(*team, kWays[static_cast<size_t>(i) % 3], i, {.stop = stop.get_token()});
    CHECK(answer.verdict == Verdict::kDecided);
    stop.request_stop();
    CHECK(Ask(*team, kWays[static_cast<size_t>(i + 1) % 3], i).value == i + 2);
  }
  CHECK(CountOf(team->GetStats(), Verdict::kCancelled) == 0);
}

TEST_CASE("one stop for many calls cancels each once or not at all") {
  RuntimeOptions options;
  options.workers = 2;
  auto team = MakeTeam(kTwoAgents, options);
  for (int round = 0; round < (LongRun() ? 3'000 : 200); ++round) {
    auto stop = std::make_unique<std::stop_source>();
    std::atomic<int> answered{0}, wrong{0};
    constexpr int kCalls = 40;
    std::thread stopper([&] {
      while (answered < round % kCalls) std::this_thread::yield();
      stop->request_stop();
    });
    for (int i = 0; i < kCalls; ++i) {
      team->DecideAsync(i, {.stop = stop->get_token()}, [&, i](Answer<int> answer) {
        const bool decided = answer.verdict == Verdict::kDecided && answer.value == i + 2;
        const bool cancelled = answer.verdict == Verdict::kCancelled && answer.value == 0;
        wrong += !decided && !cancelled;
        ++answered;
      });
    }
    stopper.join();
    stop.reset();  // tokens outlive their source
    REQUIRE(Eventually([&] { return answered == kCalls; }));
    REQUIRE(wrong == 0);
  }
  CHECK(LeftBehind(*team) == "");
}

TEST_CASE("a call with too little time left is refused at once") {
  auto team = MakeTeam(kTwoAgents);
  for (const Way way : kWays) {
    CHECK(Ask(*team, way, 1, {.tmax = absl::Microseconds(400)}).verdict == Verdict::kNoTime);
    CHECK(Ask(*team, way, 1, {.tmax = -absl::InfiniteDuration()}).verdict == Verdict::kNoTime);
    const int64_t now = SystemClock::Get().Now();
    CHECK(Ask(*team, way, 1, {.arrival_nanos = now - 60'000'000}).verdict == Verdict::kNoTime);
    CHECK(Ask(*team, way, 1, {.arrival_nanos = now - 1'000'000}).verdict == Verdict::kDecided);
  }
  CHECK(CountOf(team->GetStats(), "a", Outcome::kRan) == 3);
}

/// A request that cannot be copied or moved where it says so, as when memory has run out.
struct Large {
  int ask = 0;
  bool too_large = false;
  Large() = default;
  Large(const Large&) = default;
  Large& operator=(const Large& other) {
    if (other.too_large) throw std::bad_alloc();
    ask = other.ask;
    return *this;
  }
};
constexpr Key<Large> kLarge{"large"};

class AnswersLarge final : public Agent {
  In<Large> large_{this, kLarge};
  Out<int> say_{this, kSay};

 public:
  AnswersLarge() : Agent({.name = "answers_large"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[say_] = ctx[large_].ask;
    return absl::OkStatus();
  }
};

TEST_CASE("a request that cannot be kept is refused as overload, and takes nobody's place") {
  RuntimeOptions options;
  options.workers = 1;
  options.max_in_flight = 4;
  auto team =
      *Runtime<Large, int>::Builder(kLarge, kSay).Add<AnswersLarge>().Options(options).Build();
  Large large;
  large.ask = 7;
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    large.too_large = true;
    for (int i = 0; i < 10; ++i) {
      CHECK(Ask(*team, way, large).verdict == Verdict::kOverloaded);
    }
    large.too_large = false;
    CHECK(Ask(*team, way, large).value == 7);
  }
  CHECK(CountOf(team->GetStats(), Verdict::kOverloaded) == 20);
  CHECK(team->GetStats().in_flight == 0);
  CHECK(team->Shutdown(absl::Seconds(5)).clean());
}

TEST_CASE("more decisions in flight than agreed are refused as overload, and later ones are not") {
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 1;
  options.max_in_flight = 4;
  options.deadline = absl::Seconds(30);
  auto team = MakeTeam({{.name = "waits",
                         .in = {"ask"},
                         .out = "say",
                         .body =
                             [&](Context& ctx, Node& node) {
                               door.Wait();
                               node.out(ctx) = 1;
                               return absl::OkStatus();
                             }}},
                       options);
  std::atomic<int> decided{0}, overloaded{0};
  for (int i = 0; i < 10; ++i) {
    team->DecideAsync(1, {}, [&](Answer<int> answer) {
      decided += answer.verdict == Verdict::kDecided;
      overloaded += answer.verdict == Verdict::kOverloaded;
    });
  }
  CHECK(Eventually([&] { return overloaded == 6; }));
  CHECK(team->Decide(1).verdict == Verdict::kOverloaded);
  CHECK(team->GetStats().in_flight == 4);
  door.Open();
  CHECK(Eventually([&] { return decided == 4; }));
  CHECK(Eventually([&] { return team->Decide(1).verdict == Verdict::kDecided; }));
  CHECK(team->GetStats().in_flight == 0);
}

TEST_CASE("every call is counted under exactly one verdict, and every agent under one outcome") {
  for (const int workers : {1, 2, 4}) {
    RuntimeOptions options;
    options.workers = workers;
    options.max_in_flight = 8;
    options.reserve = absl::ZeroDuration();
    auto team =
        MakeTeam({{.name = "a",
                   .in = {"ask"},
                   .out = "x",
                   .body =
                       [](Context& ctx, Node& node) {
                         node.out(ctx) = 1;
                         const int ask = node.in(ctx, 0);
                         if (ask % 5 == 0) return absl::InternalError("five");
                         if (ask % 7 == 0) {
                           const int64_t due = ctx.deadline().nanos();
                           while (!ctx.cancelled() && SystemClock::Get().Now() < due + 1000) {
                           }
                         }
                         return absl::OkStatus();
                       }},
                  {.name = "b", .in = {"x"}, .out = "say"}},
                 options);
    std::array<std::atomic<uint64_t>, kVerdicts> seen{};
    std::atomic<int> pending{0};
    std::vector<std::thread> callers;
    constexpr int kEach = 600;
    for (size_t c = 0; c < 3; ++c) {
      callers.emplace_back([&, c] {
        for (int i = 0; i < kEach; ++i) {
          CallOptions call;
          call.tmax = absl::Microseconds(i % 50 == 0 ? 0 : 300);
          call.explain = i % 11 == 0;
          call.trusted = c == 1;
          if (c == 2) {
            ++pending;
            team->DecideAsync(i, call, [&](Answer<int> answer) {
              ++seen[static_cast<size_t>(answer.verdict)];
              --pending;
            });
          } else {
            ++seen[static_cast<size_t>(team->Decide(i, call).verdict)];
          }
        }
      });
    }
    for (auto& caller : callers) caller.join();
    REQUIRE(Eventually([&] { return pending == 0; }));
    CHECK(LeftBehind(*team) == "");
    const Stats stats = team->GetStats();
    uint64_t refused = 0;
    for (size_t v = 0; v < kVerdicts; ++v) {
      INFO(workers << " workers, " << Name(static_cast<Verdict>(v)));
      CHECK(stats.verdicts[v] == seen[v]);
    }
    for (const Verdict v : {Verdict::kNoTime, Verdict::kOverloaded}) refused += CountOf(stats, v);
    CHECK(stats.decisions() == 3 * kEach);
    for (const AgentStats& agent : stats.agents) {
      uint64_t sum = 0;
      for (const uint64_t count : agent.outcomes) sum += count;
      CHECK(agent.outcomes[static_cast<size_t>(Outcome::kPending)] == 0);
      CHECK(sum <= 3 * kEach - refused);  // those that expired before a worker came count nowhere
      CHECK(sum + CountOf(stats, Verdict::kExpired) >= 3 * kEach - refused);
    }
  }
}

TEST_CASE("runtimes of one process share no decision ids") {
  std::set<uint64_t> ids;
  auto one = MakeTeam(kTwoAgents), other = MakeTeam(kTwoAgents);
  for (int i = 0; i < 200; ++i) {
    for (const Way way : kWays) {
      CHECK(ids.insert(Ask(*one, way, 1).id).second);
      CHECK(ids.insert(Ask(*other, way, 1).id).second);
    }
  }
}

}  // namespace
}  // namespace adagents::testing
