// The inline scheduler and its virtual clock: deterministic, for simulations and tests.
#include <string>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

struct Diary {
  std::vector<std::string> ran;
  NodeSpec Entry(std::string name, std::vector<std::string> in, std::string out) {
    return {.name = name,
            .in = std::move(in),
            .out = std::move(out),
            .body = [this, name](Context& ctx, Node& node) {
              ran.push_back(name);
              node.out(ctx) = node.Sum(ctx) + static_cast<int>(ctx.random().Below(1000));
              return absl::OkStatus();
            }};
  }
  std::vector<NodeSpec> Nodes() {
    std::vector<NodeSpec> nodes;
    NodeSpec says = Entry("says", {}, "say");
    for (int i = 0; i < 6; ++i) {
      const std::string a = Numbered("a", i), b = Numbered("b", i);
      nodes.push_back(Entry(a, {"ask"}, a));
      nodes.push_back(Entry(b, {a}, b));
      says.in.push_back(b);
    }
    nodes.push_back(says);
    return nodes;
  }
};

TEST_CASE("seeds shuffle the order of agents within their ports, but not what they decide") {
  std::set<std::vector<std::string>> orders;
  std::set<int> answers;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Diary diary;
    RuntimeOptions options;
    options.inline_scheduler = InlineScheduler{seed};
    auto team = MakeTeam(diary.Nodes(), options);
    answers.insert(team->Decide(3, {.id = 99}).value);
    REQUIRE(diary.ran.size() == 13);
    CHECK(diary.ran.back() == "says");
    for (int i = 0; i < 6; ++i) {
      const auto at = [&](const std::string& name) {
        return std::find(diary.ran.begin(), diary.ran.end(), name);
      };
      CHECK(at(Numbered("a", i)) < at(Numbered("b", i)));
    }
    const std::vector<std::string> first = std::exchange(diary.ran, {});
    (void)team->Decide(3);
    CHECK(diary.ran == first);  // one seed, one order
    orders.insert(first);
  }
  CHECK(answers.size() == 1);
  CHECK(orders.size() > 15);
}

TEST_CASE("the inline scheduler decides as the threads do") {
  Diary diary;
  RuntimeOptions threads;
  threads.workers = 1;
  threads.share_work = false;
  auto one = MakeTeam(diary.Nodes(), threads);
  RuntimeOptions alone;
  alone.inline_scheduler = InlineScheduler{5};
  auto two = MakeTeam(diary.Nodes(), alone);
  for (uint64_t id = 1; id < 50; ++id) {
    for (const Way way : kWays) {
      CHECK(Ask(*one, way, 3, {.id = id}).value == Ask(*two, way, 3, {.id = id}).value);
    }
  }
}

TEST_CASE("two runs of one seed and one clock are alike to the letter") {
  std::vector<std::string> texts;
  for (int run = 0; run < 2; ++run) {
    Diary diary;
    VirtualClock clock;
    RuntimeOptions options;
    options.clock = &clock;
    options.inline_scheduler = InlineScheduler{3};
    auto nodes = diary.Nodes();
    nodes[2].body = [&](Context& ctx, Node& node) {
      clock.Advance(absl::Microseconds(ctx.random().Below(3'000)));
      node.out(ctx) = 1;
      return ctx.random().Chance(0.2) ? absl::InternalError("unlucky") : absl::OkStatus();
    };
    auto team = MakeTeam(nodes, options);
    std::string text;
    for (int i = 0; i < 200; ++i) {
      const Answer<int> answer = Ask(*team, kWays[static_cast<size_t>(i) % 3], i,
                                     {.tmax = absl::Milliseconds(2), .explain = true});
      text += std::to_string(answer.value) + "\n" + answer.trace->InWords();
      clock.Advance(absl::Milliseconds(i % 7));
    }
    texts.push_back(text);
  }
  CHECK(texts[0] == texts[1]);
  CHECK(texts[0].find("unlucky") != std::string::npos);
  CHECK(texts[0].find("expired") != std::string::npos);
}

TEST_CASE("asynchronous calls wait for RunPending, which says how many it ran") {
  Diary diary;
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = MakeTeam({{.name = "says", .in = {"ask"}, .out = "say"}}, options);
  std::vector<int> answers;
  for (int i = 0; i < 5; ++i) {
    team->DecideAsync(i, {.lane = i == 3 ? Lane::kPremium : Lane::kBackground},
                      [&](Answer<int> answer) { answers.push_back(answer.value); });
  }
  team->DecideAsync(9, {.tmax = absl::ZeroDuration()}, [&](Answer<int> answer) {
    answers.push_back(answer.verdict == Verdict::kNoTime ? -1 : -2);
  });
  CHECK(answers.empty());
  CHECK(team->RunPending() == 6);
  CHECK(answers == std::vector<int>{4, 1, 2, 3, 5, -1});
  CHECK(team->RunPending() == 0);
}

TEST_CASE("on a virtual clock the deadline falls exactly where the time passes it") {
  VirtualClock clock;
  int64_t takes = 0;
  RuntimeOptions options;
  options.clock = &clock;
  options.inline_scheduler.emplace();
  options.reserve = absl::Milliseconds(1);
  options.breaker.late_in_a_row = 1'000'000;
  auto team = TeamOf({{.name = "first", .in = {"ask"}, .out = "x"},
                      {.name = "slow",
                       .in = {"x"},
                       .out = "y",
                       .body =
                           [&](Context& ctx, Node& node) {
                             clock.Advance(absl::Nanoseconds(takes));
                             node.out(ctx) = 1;
                             return absl::OkStatus();
                           }},
                      {.name = "says", .in = {"y"}, .out = "say"}},
                     options)
                  .Fallback([](const int&, const Board& board) {
                    return board.Find(IntKey("x")) != nullptr && board.Find(IntKey("y")) == nullptr
                               ? -1
                               : -2;
                  })
                  .Build();
  REQUIRE(team.ok());
  for (const Way way : kWays) {
    INFO(Name(way));
    takes = 49'000'000 - 1;
    CHECK(Ask(**team, way, 1).value == 2);
    takes = 49'000'000;
    const Answer<int> answer = Ask(**team, way, 1, {.explain = true});
    CHECK(answer.value == -1);
    CHECK(answer.verdict == Verdict::kExpired);
    CHECK(answer.late == 2);
    CHECK((answer.trace->agents[1].outcome == Outcome::kLate));
    CHECK((answer.trace->agents[2].outcome == Outcome::kPending));
    CHECK(answer.trace->latency_nanos == 49'000'000);
  }
  // What waited in the queue beyond its deadline runs no agent but those that had begun.
  std::vector<Verdict> verdicts;
  takes = 0;
  (*team)->DecideAsync(1, {}, [&](Answer<int> answer) { verdicts.push_back(answer.verdict); });
  clock.Advance(absl::Milliseconds(60));
  (void)(*team)->RunPending();
  CHECK(verdicts == std::vector<Verdict>{Verdict::kExpired});
}

TEST_CASE("events run inside Publish, in the order of their keys") {
  struct Tick {
    int number;
  };
  struct Hears final : Agent {
    On<Tick> on{this};
    std::vector<int>* heard;
    explicit Hears(std::vector<int>* h) : Agent({.name = "hears"}), heard(h) {}
    absl::Status Run(Context& ctx) override {
      heard->push_back(ctx[on].number);
      return absl::OkStatus();
    }
  };
  std::vector<int> heard;
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team =
      TeamOf({{.name = "says", .in = {"ask"}, .out = "say"}}, options).Add<Hears>(&heard).Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 5; ++i) {
    CHECK((*team)->Publish(Tick{i}, static_cast<uint64_t>(i % 2)).ok());
    CHECK(heard.size() == static_cast<size_t>(i) + 1);
  }
  CHECK(heard == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("civil time may jump without any decision noticing") {
  VirtualClock clock;
  RuntimeOptions options;
  options.clock = &clock;
  options.inline_scheduler.emplace();
  auto team = MakeTeam({{.name = "says",
                         .in = {"ask"},
                         .out = "say",
                         .body =
                             [&](Context& ctx, Node& node) {
                               clock.JumpWall(absl::Hours(node.in(ctx, 0)));
                               node.out(ctx) = 1;
                               return absl::OkStatus();
                             }}},
                       options);
  for (const int hours : {1, -1, 1'000, -1'000}) {
    CHECK(team->Decide(hours).verdict == Verdict::kDecided);
  }
}

TEST_CASE("time that was spent before the call is not given to an agent that would need it") {
  VirtualClock clock;
  RuntimeOptions options;
  options.clock = &clock;
  options.inline_scheduler.emplace();
  int calls = 0;
  auto team = MakeTeam({{.name = "slow",
                         .in = {"ask"},
                         .out = "extra",
                         .otherwise = 1,
                         .body =
                             [&](Context& ctx, Node& node) {
                               clock.Advance(absl::Milliseconds(20));
                               node.out(ctx) = 5;
                               ++calls;
                               return absl::OkStatus();
                             },
                         .options = {.name = "slow", .budget = absl::Milliseconds(30)}},
                        {.name = "says", .in = {"ask", "extra"}, .out = "say"}},
                       options);
  for (int i = 0; i < 64; ++i) CHECK(team->Decide(1).value == 7);
  REQUIRE(calls == 64);
  CallOptions call;
  call.arrival_nanos = clock.Now() - 40'000'000;  // 10 ms are left
  const Answer<int> answer = team->Decide(1, call);
  CHECK(answer.verdict == Verdict::kDecided);
  CHECK(answer.value == 3);  // with the default
  CHECK(calls == 64);
}

TEST_CASE("inline, what comes after the shutdown is called back at once") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = MakeTeam({{.name = "says", .in = {"ask"}, .out = "say"}}, options);
  CHECK(team->Shutdown(absl::ZeroDuration()).clean());
  int called = 0;
  team->DecideAsync(1, {},
                    [&](Answer<int> answer) { called += answer.verdict == Verdict::kShutDown; });
  CHECK(called == 1);
}

TEST_CASE("an arrival that is yet to come gives no more time") {
  VirtualClock clock;
  RuntimeOptions options;
  options.clock = &clock;
  options.inline_scheduler.emplace();
  auto team = MakeTeam({{.name = "slow",
                         .in = {"ask"},
                         .out = "x",
                         .body =
                             [&](Context& ctx, Node& node) {
                               clock.Advance(absl::Milliseconds(60));
                               node.out(ctx) = 1;
                               return absl::OkStatus();
                             }},
                        {.name = "says", .in = {"x"}, .out = "say"}},
                       options);
  const int64_t later = clock.Now() + 3'600'000'000'000;
  CHECK(team->Decide(1, {.arrival_nanos = later}).verdict == Verdict::kExpired);
}

}  // namespace
}  // namespace adagents::testing
