// Bounded replicas, reentrant agents, lanes.
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

// Counts how many calls overlap.
struct Overlap {
  std::atomic<int> now{0}, most{0};
  void Enter() {
    const int count = now.fetch_add(1) + 1;
    int seen = most.load();
    while (count > seen && !most.compare_exchange_weak(seen, count)) {
    }
  }
  void Leave() { now.fetch_sub(1); }
};

NodeSpec Heavy(Overlap& overlap, AgentOptions options, std::optional<int> otherwise = {}) {
  return {.name = "heavy",
          .in = {"ask"},
          .out = "x",
          .otherwise = otherwise,
          .body =
              [&overlap](Context& ctx, Node& node) {
                overlap.Enter();
                ++node.calls;
                for (int i = 0; i < 20; ++i) std::this_thread::yield();
                node.out(ctx) = node.in(ctx, 0) + 100;
                overlap.Leave();
                return absl::OkStatus();
              },
          .options = options};
}
const NodeSpec kSays{.name = "says", .in = {"x"}, .out = "say"};

void AskFromMany(Team& team, int callers, int rounds, std::atomic<int>& wrong,
                 const std::function<bool(const Answer<int>&, int)>& right) {
  std::vector<std::thread> threads;
  for (int c = 0; c < callers; ++c) {
    threads.emplace_back([&, c] {
      for (int i = 0; i < rounds; ++i) {
        const Way way = kWays[static_cast<size_t>(c + i) % 3];
        CallOptions call;
        call.tmax = absl::Seconds(20);
        wrong += !right(Ask(team, way, i, call), i);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_CASE("a required agent with one replica is waited for, and never called twice at once") {
  for (const int workers : {1, 2, 4}) {
    Overlap overlap;
    RuntimeOptions options;
    options.workers = workers;
    options.deadline = absl::Seconds(20);
    auto team = MakeTeam(
        {Heavy(overlap, {.name = {}, .budget = absl::Seconds(10), .replicas = 1}), kSays}, options);
    std::atomic<int> wrong{0};
    AskFromMany(*team, 6, 200, wrong, [](const Answer<int>& answer, int i) {
      return answer.value == i + 101 && answer.verdict == Verdict::kDecided;
    });
    INFO(workers << " workers");
    CHECK(wrong == 0);
    CHECK(overlap.most == 1);
    CHECK(CountOf(team->GetStats(), "heavy", Outcome::kRan) == 1'200);
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE("an optional agent whose replicas are busy takes its default instead of waiting") {
  Door entered, door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::Seconds(20);
  auto team = MakeTeam({{.name = "heavy",
                         .in = {"ask"},
                         .out = "x",
                         .otherwise = 7,
                         .body =
                             [&](Context& ctx, Node& node) {
                               entered.Open();
                               door.Wait();
                               node.out(ctx) = 100;
                               return absl::OkStatus();
                             },
                         .options = {.name = {}, .budget = absl::Seconds(10), .replicas = 1}},
                        kSays},
                       options);
  Door first;
  int first_value = 0;
  team->DecideAsync(1, {}, [&](Answer<int> answer) {
    first_value = answer.value;
    first.Open();
  });
  entered.Wait();
  const Answer<int> second = team->Decide(1);
  CHECK(second.value == 8);
  CHECK(second.defaulted == 1);
  door.Open();
  first.Wait();
  CHECK(first_value == 101);
}

TEST_CASE("decisions that wait for a stuck replica are answered, and their places are free again") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Door door;
    const OpenAtEnd open(door);
    std::atomic<int> calls{0};
    RuntimeOptions options;
    options.workers = 2;
    options.max_in_flight = 16;
    options.deadline = absl::Milliseconds(4);
    auto team = MakeTeam({{.name = "heavy",
                           .in = {"ask"},
                           .out = "x",
                           .body =
                               [&](Context& ctx, Node& node) {
                                 if (++calls == 1) door.Wait();
                                 node.out(ctx) = 1;
                                 return absl::OkStatus();
                               },
                           .options = {.name = {}, .replicas = 1}},
                          kSays},
                         options);
    int overloaded = 0;
    for (int i = 0; i < 60; ++i) {
      overloaded += Ask(*team, way, 1).verdict == Verdict::kOverloaded;
    }
    CHECK(overloaded == 0);
    CHECK(calls == 1);
    // Nobody waits any more for a replica that does not come back.
    CHECK(Ask(*team, way, 1).verdict == Verdict::kFallback);
    CHECK(CountOf(team->GetStats(), "heavy", Outcome::kQuarantined) > 0);
    door.Open();
    CHECK(Eventually([&] { return Ask(*team, way, 1).verdict == Verdict::kDecided; }));
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE("a decision that waits for a replica can be cancelled") {
  Door entered, door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::Seconds(20);
  auto team = MakeTeam({{.name = "heavy",
                         .in = {"ask"},
                         .out = "x",
                         .body =
                             [&](Context& ctx, Node& node) {
                               entered.Open();
                               door.Wait();
                               node.out(ctx) = 1;
                               return absl::OkStatus();
                             },
                         .options = {.name = {}, .budget = absl::Seconds(10), .replicas = 1}},
                        kSays},
                       options);
  std::atomic<int> decided{0}, cancelled{0};
  const auto count = [&](const Answer<int>& answer) {
    decided += answer.verdict == Verdict::kDecided;
    cancelled += answer.verdict == Verdict::kCancelled;
  };
  team->DecideAsync(1, {}, count);
  entered.Wait();
  std::stop_source stop;
  for (int i = 0; i < 10; ++i) team->DecideAsync(1, {.stop = stop.get_token()}, count);
  for (int i = 0; i < 10; ++i) team->DecideAsync(1, {}, count);
  REQUIRE(Eventually([&] { return team->GetStats().queued_decisions == 20; }));
  stop.request_stop();
  CHECK(Eventually([&] { return cancelled == 10; }));
  CHECK(decided == 0);
  door.Open();
  CHECK(Eventually([&] { return decided == 11; }));
  CHECK(LeftBehind(*team) == "");
}

TEST_CASE("replicas of an agent keep to one call at a time, one per executing thread") {
  std::atomic<int> made{0}, torn{0};
  struct Private final : Agent {
    In<int> in{this, kAsk};
    Out<int> out{this, kSay};
    std::atomic<int>* torn;
    int scratch = 0;  // unguarded on purpose
    Private(std::atomic<int>* made, std::atomic<int>* t)
        : Agent({.name = "private", .budget = absl::Seconds(20)}), torn(t) {
      ++*made;
    }
    absl::Status Run(Context& ctx) override {
      const int mine = ctx[in];
      scratch = mine;
      for (int i = 0; i < 5; ++i) std::this_thread::yield();
      *torn += scratch != mine;
      ctx[out] = mine + 101;
      return absl::OkStatus();
    }
  };
  RuntimeOptions options;
  options.workers = 3;
  options.spares = 2;
  options.callers = 4;
  options.deadline = absl::Seconds(20);
  auto team = Team::Builder(kAsk, kSay).Add<Private>(&made, &torn).Options(options).Build();
  REQUIRE(team.ok());
  CHECK(made == 3 + 2 + 4);
  std::atomic<int> wrong{0};
  AskFromMany(**team, 6, 300, wrong,
              [](const Answer<int>& answer, int i) { return answer.value == i + 101; });
  CHECK(wrong == 0);
  CHECK(torn == 0);
}

TEST_CASE("a reentrant agent is one instance for all threads") {
  Overlap overlap;
  std::atomic<int> made{0};
  RuntimeOptions options;
  options.workers = 4;
  options.deadline = absl::Seconds(20);
  NodeSpec heavy = Heavy(overlap, {.name = {}, .budget = absl::Seconds(10), .reentrant = true});
  heavy.body = [&, body = heavy.body](Context& ctx, Node& node) {
    overlap.Enter();
    const auto until = SteadyClock::now() + std::chrono::seconds(5);
    while (overlap.most < 2 && SteadyClock::now() < until) std::this_thread::yield();
    node.out(ctx) = node.in(ctx, 0) + 100;
    overlap.Leave();
    return absl::OkStatus();
  };
  auto team = TeamOf({kSays}, options)
                  .AddFactory([&] {
                    ++made;
                    return std::make_unique<Node>(heavy);
                  })
                  .Build();
  REQUIRE(team.ok());
  std::atomic<int> wrong{0};
  AskFromMany(**team, 4, 50, wrong,
              [](const Answer<int>& answer, int i) { return answer.value == i + 101; });
  CHECK(wrong == 0);
  CHECK(made == 1);
  CHECK(overlap.most >= 2);
}

TEST_CASE("lanes are served 16:4:1 when all have work, and none starves") {
  Door door, entered;
  const OpenAtEnd open(door);
  std::vector<int> order;
  RuntimeOptions options;
  options.workers = 1;
  options.deadline = absl::Seconds(60);
  options.share_work = false;
  auto team = MakeTeam({{.name = "says",
                         .in = {"ask"},
                         .out = "say",
                         .body =
                             [&](Context& ctx, Node& node) {
                               const int ask = node.in(ctx, 0);
                               if (ask < 0) {
                                 entered.Open();
                                 door.Wait();
                               } else {
                                 order.push_back(ask);
                               }
                               return absl::OkStatus();
                             }}},
                       options);
  team->DecideAsync(-1, {}, [](Answer<int>) {});
  entered.Wait();
  std::atomic<int> answered{0};
  constexpr int kEach = 84;
  for (int i = 0; i < kEach; ++i) {
    for (const Lane lane : {Lane::kBackground, Lane::kNormal, Lane::kPremium}) {
      team->DecideAsync(static_cast<int>(lane), {.lane = lane}, [&](Answer<int>) { ++answered; });
    }
  }
  door.Open();
  REQUIRE(Eventually([&] { return answered == 3 * kEach; }));
  std::array<int, 3> first{};
  for (size_t i = 0; i < 84; ++i) ++first[static_cast<size_t>(order[i])];
  CHECK(std::abs(first[0] - 64) <= 2);
  CHECK(std::abs(first[1] - 16) <= 2);
  CHECK(std::abs(first[2] - 4) <= 1);
  CHECK(order.size() == 3 * kEach);
}

TEST_CASE("a bounded agent has no more instances than it may have") {
  struct Counts final : public Agent {
    In<int> ask{this, kAsk};
    Out<int> say{this, kSay};
    std::shared_ptr<std::atomic<int>> alive;
    Counts(int replicas, std::shared_ptr<std::atomic<int>> count)
        : Agent({.name = "counts", .replicas = replicas}), alive(std::move(count)) {
      ++*alive;
    }
    ~Counts() override { --*alive; }
    absl::Status Run(Context& ctx) override {
      ctx[say] = ctx[ask];
      return absl::OkStatus();
    }
  };
  for (const int replicas : {1, 3}) {
    const auto alive = std::make_shared<std::atomic<int>>(0);
    RuntimeOptions options;
    options.workers = 4;
    auto team = *Team::Builder(kAsk, kSay).Add<Counts>(replicas, alive).Options(options).Build();
    for (int i = 0; i < 20; ++i) CHECK(team->Decide(i).value == i);
    CHECK(*alive == replicas);
  }
}

TEST_CASE("what hangs of a replaced agent is not held against its successor") {
  // Replaced once the watchdog has noticed, and before.
  for (const bool noticed : {true, false}) {
    INFO("noticed " << noticed);
    Door entered, door;
    const OpenAtEnd open(door);
    std::atomic<bool> fails{false};
    RuntimeOptions options;
    options.workers = 2;
    options.deadline = absl::Milliseconds(noticed ? 5 : 300);
    const auto says = [](std::function<absl::Status(Context&, Node&)> body) {
      return NodeSpec{.name = "says",
                      .in = {"ask"},
                      .out = "say",
                      .body = std::move(body),
                      .options = {.name = {}, .budget = absl::Seconds(10), .replicas = 1}};
    };
    auto team = MakeTeam({says([&](Context&, Node&) {
                           entered.Open();
                           door.Wait();
                           return absl::OkStatus();
                         })},
                         options);
    team->DecideAsync(1, {}, nullptr);
    entered.Wait();
    const auto stuck = [&] { return team->GetStats().workers_stuck == 1; };
    if (noticed) REQUIRE(Eventually(stuck));
    REQUIRE(team->Edit()
                .Replace<Node>("says", says([&](Context& ctx, Node& node) {
                                 node.out(ctx) = 2;
                                 return fails ? absl::InternalError("once") : absl::OkStatus();
                               }))
                .Commit()
                .ok());
    REQUIRE(Eventually(stuck));
    CHECK(StatsOf(team->GetStats(), "says").stuck == 0);
    CHECK(Eventually([&] { return team->Decide(1).value == 2; }));
    fails = true;
    CHECK(team->Decide(1).verdict == Verdict::kFallback);
    fails = false;
    CHECK(Eventually([&] { return team->Decide(1).value == 2; }));
    CHECK(CountOf(team->GetStats(), "says", Outcome::kFailed) == 1);
  }
}

}  // namespace
}  // namespace adagents::testing
