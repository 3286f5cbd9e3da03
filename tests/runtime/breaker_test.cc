// Circuit breakers and predictions, on a virtual clock: to the nanosecond, without waiting.
#include <atomic>
#include <string>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

struct World {
  VirtualClock clock;
  std::vector<std::string> log;
  int calls = 0;
  absl::Duration takes = absl::ZeroDuration();
  bool fails = false;

  RuntimeOptions Options() {
    RuntimeOptions options;
    options.clock = &clock;
    options.inline_scheduler.emplace();
    options.log = [this](const LogEntry& entry) {
      log.push_back(std::string(entry.agent) + ": " + std::string(entry.text));
    };
    return options;
  }
  NodeSpec Moody(std::optional<int> otherwise = 50) {
    return {.name = "moody",
            .in = {"ask"},
            .out = "x",
            .otherwise = otherwise,
            .body = [this](Context& ctx, Node& node) {
              ++calls;
              clock.Advance(takes);
              node.out(ctx) = 1;
              return fails ? absl::InternalError("a bad day") : absl::OkStatus();
            }};
  }
};
const NodeSpec kSays{.name = "says", .in = {"x"}, .out = "say"};

TEST_CASE("an agent that is late three times in a row is tried again after doubling times") {
  World world;
  auto team = MakeTeam({world.Moody(), kSays}, world.Options());
  CHECK(team->Decide(1).value == 2);
  world.takes = absl::Milliseconds(6);  // its budget is 5
  for (int i = 0; i < 2; ++i) CHECK(team->Decide(1).value == 2);
  CHECK(!StatsOf(team->GetStats(), "moody").quarantined);
  CHECK(team->Decide(1).value == 2);
  CHECK(StatsOf(team->GetStats(), "moody").quarantined);
  CHECK(world.log.back() == "moody: quarantined: late 3 times in a row; next try in 100 ms");
  CHECK(world.calls == 4);
  CHECK(team->Decide(1).value == 51);

  int64_t wait = 100;
  for (int round = 0; round < 12; ++round) {
    INFO("round " << round);
    world.clock.Advance(absl::Milliseconds(wait) - absl::Nanoseconds(1));
    CHECK(team->Decide(1).value == 51);
    CHECK(world.calls == 4 + round);
    world.clock.Advance(absl::Nanoseconds(1));
    const Answer<int> probe = team->Decide(1);
    CHECK(probe.value == 2);
    CHECK(world.calls == 5 + round);
    wait = std::min<int64_t>(wait * 2, 30'000);
  }
  CHECK(StatsOf(team->GetStats(), "moody").quarantines == 13);

  world.takes = absl::ZeroDuration();
  world.clock.Advance(absl::Milliseconds(wait));
  CHECK(team->Decide(1).value == 2);
  CHECK(!StatsOf(team->GetStats(), "moody").quarantined);
  CHECK(world.log.back() == "moody: called again after its quarantine");
  for (int i = 0; i < 20; ++i) CHECK(team->Decide(1).value == 2);

  world.takes = absl::Milliseconds(6);  // and the times start afresh
  for (int i = 0; i < 3; ++i) (void)team->Decide(1);
  CHECK(world.log.back() == "moody: quarantined: late 3 times in a row; next try in 100 ms");
}

TEST_CASE("an agent that fails sixteen times in a row is quarantined, one less is forgiven") {
  World world;
  world.fails = true;
  auto team = MakeTeam({world.Moody(), kSays}, world.Options());
  for (int round = 0; round < 3; ++round) {
    world.fails = true;
    for (int i = 0; i < 15; ++i) CHECK(team->Decide(1).value == 51);
    world.fails = false;
    CHECK(team->Decide(1).value == 2);
  }
  CHECK(!StatsOf(team->GetStats(), "moody").quarantined);
  world.fails = true;
  for (int i = 0; i < 16; ++i) (void)team->Decide(1);
  CHECK(StatsOf(team->GetStats(), "moody").quarantined);
  CHECK(world.log.back() ==
        "moody: quarantined: failed 16 times in a row, last: a bad day; next try in 100 ms");
  const int calls = world.calls;
  (void)team->Decide(1);
  CHECK(world.calls == calls);
  CHECK(CountOf(team->GetStats(), "moody", Outcome::kQuarantined) == 1);
}

TEST_CASE("a required agent in quarantine leaves the decision to the fallback") {
  World world;
  world.fails = true;
  auto team = TeamOf({world.Moody(std::nullopt), kSays}, world.Options())
                  .Fallback([](const int& ask, const Board&) { return -ask; })
                  .Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 20; ++i) {
    const Answer<int> answer = (*team)->Decide(8, {.explain = true});
    CHECK(answer.value == -8);
    CHECK(answer.verdict == Verdict::kFallback);
    CHECK((answer.trace->agents[0].outcome == (i < 16 ? Outcome::kFailed : Outcome::kQuarantined)));
    CHECK((answer.trace->agents[0].cause == (i < 16 ? Cause::kError : Cause::kBreakerOpen)));
  }
}

NodeSpec Broken(int i) {
  return {.name = Numbered("broken", i),
          .in = {"ask"},
          .out = Numbered("b", i),
          .otherwise = 0,
          .body = [](auto&, auto&) { return absl::InternalError("no"); }};
}

int Quarantined(Team& team) {
  int count = 0;
  for (const AgentStats& agent : team.GetStats().agents) count += agent.quarantined;
  return count;
}

TEST_CASE("at most the stated share of the team is quarantined at once") {
  for (const double share : {0.0, 0.3, 0.5, 1.0}) {
    World world;
    RuntimeOptions options = world.Options();
    options.breaker.max_quarantined_share = share;
    std::vector<NodeSpec> nodes{{.name = "says", .in = {"ask"}, .out = "say"}};
    for (int i = 0; i < 9; ++i) nodes.push_back(Broken(i));
    auto team = MakeTeam(nodes, options);
    for (int i = 0; i < 50; ++i) (void)team->Decide(1);
    CHECK(Quarantined(*team) == std::min(9, std::max(1, static_cast<int>(share * 10))));
  }
}

TEST_CASE("replacing or removing quarantined agents makes room for others") {
  World world;
  RuntimeOptions options = world.Options();
  options.breaker.max_quarantined_share = 0.4;  // two of five
  auto team = MakeTeam(
      {{.name = "says", .in = {"ask"}, .out = "say"}, Broken(0), Broken(1), Broken(2), Broken(3)},
      options);
  for (int i = 0; i < 40; ++i) (void)team->Decide(1);
  CHECK(Quarantined(*team) == 2);
  for (int round = 0; round < 5; ++round) {
    auto change = team->Edit();
    for (const char* name : {"broken0", "broken1"}) {
      change.Replace<Node>(name, NodeSpec{.name = name, .in = {"ask"}, .out = name});
    }
    REQUIRE(change.Commit().ok());
    (void)team->Decide(1);
    for (int i = 0; i < 40; ++i) (void)team->Decide(1);
    CHECK(StatsOf(team->GetStats(), "broken2").quarantined);
    CHECK(StatsOf(team->GetStats(), "broken3").quarantined);
    auto back = team->Edit();
    for (int i = 0; i < 2; ++i) back.Replace<Node>(Broken(i).name, Broken(i));
    for (int i = 2; i < 4; ++i) back.Remove(Broken(i).name);
    REQUIRE(back.Commit().ok());
    for (int i = 0; i < 40; ++i) (void)team->Decide(1);
    CHECK(Quarantined(*team) == 1);  // 0.4 of three
    auto again = team->Edit();
    for (int i = 0; i < 2; ++i) again.Replace<Node>(Broken(i).name, Broken(i));
    for (int i = 2; i < 4; ++i) again.Add<Node>(Broken(i));
    REQUIRE(again.Commit().ok());
    for (int i = 0; i < 40; ++i) (void)team->Decide(1);
    CHECK(Quarantined(*team) == 2);
  }
}

TEST_CASE("an optional agent that would not make it is left out, and tried again when it is fast") {
  World world;
  RuntimeOptions options = world.Options();
  options.breaker.late_in_a_row = 1'000'000;
  auto team = MakeTeam({world.Moody(), kSays}, options);
  world.takes = absl::Milliseconds(60);  // of 50
  for (int i = 0; i < 40; ++i) (void)team->Decide(1);
  CHECK(world.calls < 40);
  const Answer<int> left_out = team->Decide(1, {.explain = true});
  CHECK(left_out.value == 51);
  CHECK((left_out.trace->agents[0].cause == Cause::kNoTime));
  world.takes = absl::ZeroDuration();
  for (int i = 0; i < 2'000; ++i) (void)team->Decide(1);
  const int calls = world.calls;
  for (int i = 0; i < 100; ++i) CHECK(team->Decide(1).value == 2);
  CHECK(world.calls == calls + 100);
}

TEST_CASE("a change that fails leaves quarantines as they were") {
  World world;
  world.fails = true;
  auto team = MakeTeam({world.Moody(), kSays}, world.Options());
  for (int i = 0; i < 16; ++i) (void)team->Decide(1);
  REQUIRE(StatsOf(team->GetStats(), "moody").quarantined);
  auto change = team->Edit();
  change.Replace<Node>("moody", world.Moody());
  CHECK(!change.Add<Node>(NodeSpec{.name = "needs", .in = {"nowhere"}}).Commit().ok());
  CHECK(StatsOf(team->GetStats(), "moody").quarantined);
}

/// The system's clock, which an agent can turn forwards.
class TurnedClock final : public Clock {
 public:
  int64_t Now() const override { return SystemClock::Get().Now() + turned; }
  absl::Time WallNow() const override { return absl::UnixEpoch(); }
  std::atomic<int64_t> turned{0};
};

TEST_CASE("calls beyond the budget are noticed one by one once one was, though few are timed") {
  for (const Way way : kWays) {
    INFO(Name(way));
    TurnedClock clock;
    std::atomic<int> late{0};
    std::atomic<bool> slow{false};
    RuntimeOptions options;
    options.clock = &clock;
    options.workers = 1;
    auto team = MakeTeam({{.name = "slow",
                           .in = {"ask"},
                           .out = "x",
                           .otherwise = 50,
                           .body =
                               [&](Context& ctx, Node& node) {
                                 node.out(ctx) = 1;
                                 if (!slow) return absl::OkStatus();
                                 ++late;
                                 clock.turned += 10'000'000;  // its budget is 5 ms
                                 return absl::OkStatus();
                               }},
                          {.name = "says", .in = {"x"}, .out = "say"}},
                         options);
    for (int i = 0; i < 3'000; ++i) (void)Ask(*team, way, 1);  // so that few are timed
    slow = true;
    for (int i = 0; i < 100 && !StatsOf(team->GetStats(), "slow").quarantined; ++i) {
      (void)Ask(*team, way, 1);
    }
    CHECK(StatsOf(team->GetStats(), "slow").quarantined);
    CHECK(late <= 13);  // one is timed every 100 ms at least, then two more
  }
}

}  // namespace
}  // namespace adagents::testing
