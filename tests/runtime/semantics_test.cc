// What agents see of each other, and what one agent's failure means for the others and for the
// decision; in each way of deciding.
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

using Body = std::function<absl::Status(Context&, Node&)>;

const Body kFails = [](Context& ctx, Node& node) {
  node.out(ctx) = 999;  // must not be seen
  return absl::InternalError("broken");
};
const Body kThrows = [](Context& ctx, Node& node) -> absl::Status {
  node.out(ctx) = 999;
  throw std::runtime_error("broken");
};
const Body kThrowsInt = [](Context& ctx, Node& node) -> absl::Status {
  node.out(ctx) = 999;
  throw 42;
};

absl::StatusOr<std::unique_ptr<Team>> WithFallback(const std::vector<NodeSpec>& nodes,
                                                   int workers) {
  RuntimeOptions options;
  options.workers = workers;
  options.breaker.failed_in_a_row = 1'000'000;
  return TeamOf(nodes, options)
      .Fallback([](const int& ask, const Board& board) {
        const int* x = board.Find(IntKey("x"));
        return -ask - (x == nullptr ? 0 : 1000 + *x);
      })
      .Build();
}

TEST_CASE("whatever way an optional agent fails, its default stands and the decision goes on") {
  for (const Body& body : {kFails, kThrows, kThrowsInt}) {
    for (const int workers : {1, 2, 4}) {
      auto team =
          WithFallback({{.name = "x", .in = {"ask"}, .out = "x", .otherwise = 5, .body = body},
                        {.name = "says", .in = {"ask", "x"}, .out = "say"}},
                       workers);
      REQUIRE(team.ok());
      for (const Way way : kWays) {
        INFO(Name(way) << ", " << workers << " workers");
        const Answer<int> answer = Ask(**team, way, 10);
        CHECK(answer.value == 16);
        CHECK(answer.verdict == Verdict::kDecided);
        CHECK(answer.defaulted == 1);
        CHECK(answer.late == 0);
        CHECK(answer.degraded());
      }
      const Stats stats = (*team)->GetStats();
      CHECK(CountOf(stats, "x", Outcome::kFailed) == 3);
      CHECK(CountOf(stats, "says", Outcome::kRan) == 3);
    }
  }
}

TEST_CASE(
    "a required agent that fails is skipped by those that need it, and the fallback decides") {
  for (const Body& body : {kFails, kThrows, kThrowsInt}) {
    auto team = WithFallback({{.name = "x", .in = {"ask"}, .out = "x"},
                              {.name = "y", .in = {"ask"}, .out = "y", .body = body},
                              {.name = "z", .in = {"y"}, .out = "z"},
                              {.name = "says", .in = {"z"}, .out = "say"}},
                             2);
    REQUIRE(team.ok());
    for (const Way way : kWays) {
      INFO(Name(way));
      const Answer<int> answer = Ask(**team, way, 10);
      CHECK(answer.value == -10 - 1000 - 11);  // the fallback sees what was published
      CHECK(answer.verdict == Verdict::kFallback);
    }
    const Stats stats = (*team)->GetStats();
    CHECK(CountOf(stats, "y", Outcome::kFailed) == 3);
    CHECK(CountOf(stats, "z", Outcome::kSkipped) == 3);
    CHECK(CountOf(stats, "says", Outcome::kSkipped) == 3);
    CHECK(CountOf(stats, Verdict::kFallback) == 3);
  }
}

TEST_CASE("an absent value stands in for a required writer that failed, and for a missing one") {
  auto team = WithFallback(
      {{.name = "x", .in = {"ask"}, .out = "x", .body = kFails},
       {.name = "says", .in = {"ask"}, .in_or = {{"x", 30}, {"nobody", 400}}, .out = "say"}},
      2);
  REQUIRE(team.ok());
  for (const Way way : kWays) CHECK(Ask(**team, way, 1).value == 432);
}

TEST_CASE("an optional agent whose input is missing defaults") {
  auto team = WithFallback({{.name = "x", .in = {"ask"}, .out = "x", .body = kFails},
                            {.name = "y", .in = {"x"}, .out = "y", .otherwise = 50},
                            {.name = "says", .in = {"ask", "y"}, .out = "say"}},
                           2);
  REQUIRE(team.ok());
  for (const Way way : kWays) {
    const Answer<int> answer = Ask(**team, way, 1);
    CHECK(answer.value == 52);
    CHECK(answer.defaulted == 1);
  }
  CHECK(CountOf((*team)->GetStats(), "y", Outcome::kDefaulted) == 3);
}

TEST_CASE("a must-run agent that fails empties the answer, whatever the others say") {
  for (const Body& body : {Body([](Context&, Node&) { return absl::InternalError("no consent"); }),
                           Body([](Context&, Node&) -> absl::Status { throw 1; })}) {
    auto team = WithFallback(
        {{.name = "says", .in = {"ask"}, .out = "say"},
         {.name = "guard", .in = {"ask"}, .body = body, .options = {.name = {}, .must_run = true}}},
        2);
    REQUIRE(team.ok());
    for (const Way way : kWays) {
      INFO(Name(way));
      const Answer<int> answer = Ask(**team, way, 10);
      CHECK(answer.value == 0);
      CHECK(answer.verdict == Verdict::kVetoed);
    }
  }
}

TEST_CASE("a must-run agent that is switched off is no excuse") {
  auto team =
      WithFallback({{.name = "says", .in = {"ask"}, .out = "say"},
                    {.name = "guard", .in = {"ask"}, .options = {.name = {}, .must_run = true}}},
                   2);
  REQUIRE(team.ok());
  CHECK((*team)->Decide(1).verdict == Verdict::kDecided);
  REQUIRE((*team)->SetSwitchedOff("guard", true).ok());
  for (const Way way : kWays) CHECK(Ask(**team, way, 1).verdict == Verdict::kVetoed);
  REQUIRE((*team)->SetSwitchedOff("guard", false).ok());
  for (const Way way : kWays) CHECK(Ask(**team, way, 1).verdict == Verdict::kDecided);
}

TEST_CASE("the kill switch works from the next call on, and back") {
  auto team = WithFallback({{.name = "x", .in = {"ask"}, .out = "x", .otherwise = 100},
                            {.name = "y", .in = {"ask"}, .out = "y"},
                            {.name = "says", .in = {"x"}, .in_or = {{"y", 7000}}, .out = "say"}},
                           2);
  REQUIRE(team.ok());
  for (const Way way : kWays) {
    INFO(Name(way));
    CHECK(Ask(**team, way, 1).value == 5);
    REQUIRE((*team)->SetSwitchedOff("x", true).ok());
    CHECK(Ask(**team, way, 1).value == 103);
    REQUIRE((*team)->SetSwitchedOff("y", true).ok());
    CHECK(Ask(**team, way, 1).value == 7101);
    CHECK(StatsOf((*team)->GetStats(), "y").switched_off);
    REQUIRE((*team)->SetSwitchedOff("x", false).ok());
    REQUIRE((*team)->SetSwitchedOff("y", false).ok());
  }
  CHECK((*team)->SetSwitchedOff("nobody", true).code() == absl::StatusCode::kNotFound);
  CHECK(CountOf((*team)->GetStats(), "x", Outcome::kDefaulted) == 6);
  CHECK(CountOf((*team)->GetStats(), "y", Outcome::kSkipped) == 3);
}

// Votes.

constexpr ListKey<std::string> kOpinions{"opinions"};

class Voter final : public Agent {
  In<int> ask_{this, kAsk};
  Vote<std::string> vote_{this, kOpinions};

 public:
  explicit Voter(std::string name) : Agent({.name = name}) {}
  absl::Status Run(Context& ctx) override {
    const std::string mine(options().name);
    const int ask = ctx[ask_];
    if (ask == 1 && mine == "b") return absl::OkStatus();  // casts nothing
    ctx.Cast(vote_, mine + "?");
    ctx.Cast(vote_, mine + std::to_string(ask));                    // the last one counts
    if (ask == 2 && mine == "c") return absl::InternalError("no");  // failed: not counted
    return absl::OkStatus();
  }
};

constexpr Key<std::string> kMinutes{"minutes"};

class Teller final : public Agent {
  InAll<std::string> votes_{this, kOpinions};
  Out<std::string> out_{this, kMinutes};

 public:
  Teller() : Agent({.name = "teller"}) {}
  absl::Status Run(Context& ctx) override {
    for (const auto& ballot : ctx[votes_]) {
      ctx[out_] += std::string(ballot.by()) + "=" + *ballot + ";";
    }
    return absl::OkStatus();
  }
};

TEST_CASE("ballots come in the order of adding, and who failed or cast nothing is not among them") {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    RuntimeOptions options;
    if (seed > 0) options.inline_scheduler = InlineScheduler{seed};
    auto runtime = Runtime<int, std::string>::Builder(kAsk, kMinutes)
                       .Add<Teller>()
                       .Add<Voter>(std::string("b"))
                       .Add<Voter>(std::string("c"))
                       .Add<Voter>(std::string("a"))
                       .Options(options)
                       .Build();
    REQUIRE(runtime.ok());
    for (const Way way : kWays) {
      INFO(Name(way) << ", seed " << seed);
      CHECK(Ask(**runtime, way, 0).value == "b=b0;c=c0;a=a0;");
      CHECK(Ask(**runtime, way, 1).value == "c=c1;a=a1;");
      CHECK(Ask(**runtime, way, 2).value == "b=b2;a=a2;");
      CHECK(Ask(**runtime, way, 3).value == "b=b3;c=c3;a=a3;");
    }
  }
}

// State.

struct Tally {
  explicit Tally(int start) : sum(start) {}
  std::atomic<int> sum;
};
constexpr StateKey<Tally> kTally{"tally"};

class AddsUp final : public Agent {
  In<int> ask_{this, kAsk};
  State<Tally> tally_{this, kTally};
  Out<int> out_{this, kSay};

 public:
  AddsUp() : Agent({.name = "adds"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_] = (*tally_).sum.fetch_add(ctx[ask_]) + ctx[ask_];
    return absl::OkStatus();
  }
};

TEST_CASE("state outlives decisions and is one for all replicas") {
  RuntimeOptions options;
  options.workers = 2;
  auto team = Team::Builder(kAsk, kSay).Add<AddsUp>().Share(kTally, 100).Options(options).Build();
  REQUIRE(team.ok());
  int sum = 100;
  for (int i = 1; i <= 30; ++i) {
    sum += i;
    CHECK(Ask(**team, kWays[static_cast<size_t>(i) % 3], i).value == sum);
  }
  auto mine = std::make_shared<Tally>(0);
  auto other = Team::Builder(kAsk, kSay).Add<AddsUp>().ShareObject(kTally, mine).Build();
  REQUIRE(other.ok());
  (void)(*other)->Decide(5);
  CHECK(mine->sum == 5);
}

// Randomness.

TEST_CASE("random numbers repeat by decision and agent, and differ between them") {
  std::vector<uint64_t> drawn;
  std::mutex mutex;
  const Body draw = [&](Context& ctx, Node& node) {
    const std::lock_guard<std::mutex> lock(mutex);
    drawn.push_back(ctx.random()());
    drawn.push_back(ctx.random()());
    node.out(ctx) = 1;
    return absl::OkStatus();
  };
  for (const int workers : {1, 2, 4}) {
    RuntimeOptions options;
    options.workers = workers;
    options.share_work = false;
    auto team = MakeTeam({{.name = "a", .in = {"ask"}, .out = "a", .body = draw},
                          {.name = "b", .in = {"a"}, .out = "say", .body = draw}},
                         options);
    drawn.clear();
    for (const Way way : kWays) (void)Ask(*team, way, 1, {.id = 77});
    (void)team->Decide(1, {.id = 78});
    REQUIRE(drawn.size() == 16);
    for (size_t i = 0; i < 4; ++i) {
      CHECK(drawn[i] == drawn[i + 4]);
      CHECK(drawn[i] == drawn[i + 8]);
      for (size_t j = 0; j < i; ++j) CHECK(drawn[i] != drawn[j]);
      CHECK(drawn[i] != drawn[i + 12]);
    }
  }
}

TEST_CASE("decisions that are given no id get different ones") {
  auto team = MakeTeam({{.name = "says", .in = {"ask"}, .out = "say"}});
  const uint64_t first = team->Decide(1).id;
  CHECK(first != 0);
  CHECK(team->Decide(1).id != first);
  CHECK(Ask(*team, Way::kAsync, 1).id != first);
  CHECK(Ask(*team, Way::kTrusted, 1, {.id = 5}).id == 5);
}

TEST_CASE("values that are not numbers pass through the runtime untouched") {
  auto runtime = Runtime<double, double>::Builder(Key<double>{"in"}, Key<double>{"out"})
                     .AddFactory([] {
                       class Same final : public Agent {
                         In<double> in_{this, Key<double>{"in"}};
                         Out<double> out_{this, Key<double>{"out"}};

                        public:
                         Same() : Agent({.name = "same"}) {}
                         absl::Status Run(Context& ctx) override {
                           ctx[out_] = ctx[in_];
                           return absl::OkStatus();
                         }
                       };
                       return std::make_unique<Same>();
                     })
                     .Build();
  REQUIRE(runtime.ok());
  for (const Way way : kWays) {
    CHECK(std::isnan(Ask(**runtime, way, std::nan("")).value));
    CHECK(std::isinf(Ask(**runtime, way, -HUGE_VAL).value));
  }
}

}  // namespace
}  // namespace adagents::testing
