// The team changes while it serves.
#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

const NodeSpec kFirst{.name = "first", .in = {"ask"}, .out = "x"};
const NodeSpec kSays{.name = "says", .in = {"x"}, .in_or = {{"extra", 0}}, .out = "say"};

NodeSpec Plus(int plus, std::string name = "first") {
  return {
      .name = std::move(name), .in = {"ask"}, .out = "x", .body = [plus](Context& ctx, Node& node) {
        node.out(ctx) = node.in(ctx, 0) + plus;
        return absl::OkStatus();
      }};
}

TEST_CASE("agents are added, replaced and removed between two decisions") {
  for (const int workers : {1, 2, 4}) {
    RuntimeOptions options;
    options.workers = workers;
    auto team = MakeTeam({kFirst, kSays}, options);
    for (const Way way : kWays) CHECK(Ask(*team, way, 10).value == 12);
    const uint64_t version = team->GetStats().plan_version;
    REQUIRE(team->Edit()
                .Add<Node>(NodeSpec{.name = "more", .in = {"ask"}, .out = "extra"})
                .Commit()
                .ok());
    CHECK(team->GetStats().plan_version == version + 1);
    for (const Way way : kWays) CHECK(Ask(*team, way, 10).value == 23);
    REQUIRE(team->Edit().Replace<Node>("first", Plus(1000)).Commit().ok());
    for (const Way way : kWays) CHECK(Ask(*team, way, 10).value == 1022);
    REQUIRE(team->Edit().Remove("more").Commit().ok());
    for (const Way way : kWays) CHECK(Ask(*team, way, 10).value == 1011);
    CHECK(LeftBehind(*team) == "");
    CHECK(team->Edit().Remove("first").Commit().code() == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("a change that fails says why, and the old team serves on") {
  auto team = MakeTeam({kFirst, kSays});
  const uint64_t version = team->GetStats().plan_version;
  const auto unchanged = [&] {
    for (const Way way : kWays) CHECK(Ask(*team, way, 10).value == 12);
    CHECK(team->GetStats().plan_version == version);
    CHECK(team->GetStats().agents.size() == 2);
  };
  const absl::Status missing = team->Edit().Remove("nobody").Commit();
  CHECK(Message(missing) == "no agent is named 'nobody'");
  CHECK(missing.code() == absl::StatusCode::kNotFound);
  unchanged();
  CHECK(Message(team->Edit().Remove("first").Commit()) ==
        "agent 'says' reads 'x', which nobody writes: add its writer or give the In an absent "
        "value");
  unchanged();
  CHECK(Message(team->Edit().Remove("says").Commit()) == "nobody writes the result 'say'");
  unchanged();
  CHECK(Message(team->Edit().Add<Node>(kFirst).Commit()) == "two agents are named 'first'");
  unchanged();
  CHECK(!team->Edit()
             .Replace<Node>("first", Plus(5))
             .Add<Node>(NodeSpec{.name = "circle", .in = {"circle"}, .out = "circle"})
             .Commit()
             .ok());
  unchanged();
  struct Throws final : Agent {
    explicit Throws(int) : Agent({.name = "throws"}) { throw std::runtime_error("no"); }
    absl::Status Run(Context&) override { return absl::OkStatus(); }
  };
  CHECK(!team->Edit().Replace<Node>("first", Plus(5)).Add<Throws>(1).Commit().ok());
  unchanged();
}

struct Counted final : Agent {
  In<int> in{this, kAsk};
  Out<int> out;
  std::atomic<int>* alive;
  std::atomic<int>* made;
  Counted(std::string name, std::string key, std::atomic<int>* a, std::atomic<int>* m)
      : Agent({.name = name}), out(this, IntKey(key)), alive(a), made(m) {
    ++*alive;
    ++*made;
  }
  ~Counted() override { --*alive; }
  absl::Status Run(Context& ctx) override {
    ctx[out] = ctx[in];
    return absl::OkStatus();
  }
};

TEST_CASE(
    "replicas of unchanged agents survive a change, and those of removed ones are destroyed") {
  for (const bool inline_mode : {false, true}) {
    INFO("inline " << inline_mode);
    std::atomic<int> stays_alive{0}, stays_made{0}, goes_alive{0}, goes_made{0};
    RuntimeOptions options;
    options.workers = 2;
    if (inline_mode) options.inline_scheduler.emplace();
    auto team =
        Team::Builder(kAsk, kSay)
            .Add<Counted>(std::string("stays"), std::string("say"), &stays_alive, &stays_made)
            .Options(options)
            .Build();
    REQUIRE(team.ok());
    const int replicas = stays_made;
    for (int round = 0; round < 20; ++round) {
      REQUIRE((*team)
                  ->Edit()
                  .Add<Counted>(std::string("goes"), std::string("y"), &goes_alive, &goes_made)
                  .Commit()
                  .ok());
      for (const Way way : kWays) CHECK(Ask(**team, way, round).value == round);
      REQUIRE((*team)->Edit().Remove("goes").Commit().ok());
    }
    CHECK(stays_made == replicas);
    CHECK(stays_alive == replicas);
    CHECK(goes_made == 20 * replicas);
    CHECK(Eventually([&] { return goes_alive == 0; }));  // without a further decision
    team->reset();
    CHECK(Eventually([&] { return stays_alive == 0; }));
  }
}

TEST_CASE("an agent that was measured goes away when it is replaced, without a further decision") {
  std::atomic<int> alive{0}, made{0};
  RuntimeOptions options;
  options.workers = 2;
  auto team = Team::Builder(kAsk, kSay)
                  .Add<Counted>(std::string("says"), std::string("say"), &alive, &made)
                  .Options(options)
                  .Build();
  REQUIRE(team.ok());
  const int replicas = made;
  // Several looks of the timer, which plans how decisions would be shared.
  const auto until = SteadyClock::now() + std::chrono::milliseconds(100);
  for (int i = 0; SteadyClock::now() < until; ++i) CHECK((*team)->Decide(i).value == i);
  REQUIRE((*team)
              ->Edit()
              .Replace<Counted>("says", std::string("says"), std::string("say"), &alive, &made)
              .Commit()
              .ok());
  CHECK(Eventually([&] { return alive == replicas; }));
  CHECK(made == 2 * replicas);
}

TEST_CASE("what a caller held while the team changed goes away, although it never calls again") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Door entered, door;
    const OpenAtEnd open(door);
    std::atomic<int> alive{0}, made{0};
    RuntimeOptions options;
    options.workers = 2;
    options.deadline = absl::Seconds(20);
    NodeSpec says = kSays;
    says.body = [&](Context& ctx, Node& node) {
      entered.Open();
      door.Wait();
      node.out(ctx) = 7;
      return absl::OkStatus();
    };
    auto team = TeamOf({Plus(1), says}, options)
                    .Add<Counted>(std::string("goes"), std::string("y"), &alive, &made)
                    .Build();
    REQUIRE(team.ok());
    Answer<int> answer;
    std::thread caller([&] { answer = Ask(**team, way, 1); });
    entered.Wait();
    REQUIRE((*team)->Edit().Remove("goes").Commit().ok());
    CHECK(alive > 0);  // the decision in flight has it still
    door.Open();
    caller.join();
    CHECK(answer.value == 7);
    CHECK(Eventually([&] { return alive == 0; }));
  }
}

TEST_CASE("a replaced agent goes away, however many decisions have used its team at once") {
  Door door;
  const OpenAtEnd open(door);
  std::atomic<int> alive{0}, made{0}, entered{0}, answered{0};
  RuntimeOptions options;
  options.workers = options.max_in_flight = 4;
  options.deadline = absl::Seconds(20);
  NodeSpec says = kSays;
  says.body = [&](Context& ctx, Node& node) {
    ++entered;
    door.Wait();
    node.out(ctx) = 7;
    return absl::OkStatus();
  };
  auto team = TeamOf({Plus(1), says}, options)
                  .Add<Counted>(std::string("goes"), std::string("y"), &alive, &made)
                  .Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 4; ++i) (*team)->DecideAsync(i, {}, [&](Answer<int>) { ++answered; });
  REQUIRE(Eventually([&] { return entered == 4; }));
  door.Open();
  REQUIRE(Eventually([&] { return answered == 4; }));
  REQUIRE((*team)->Edit().Remove("goes").Commit().ok());
  CHECK(Eventually([&] { return alive == 0; }));
}

TEST_CASE("a decision in flight ends with the team it began with") {
  Door entered, door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::Seconds(20);
  NodeSpec first = Plus(1);
  first.body = [&](Context& ctx, Node& node) {
    entered.Open();
    door.Wait();
    node.out(ctx) = node.in(ctx, 0) + 1;
    return absl::OkStatus();
  };
  auto team = MakeTeam({first, kSays}, options);
  Door answered;
  int value = 0;
  team->DecideAsync(10, {}, [&](Answer<int> answer) {
    value = answer.value;
    answered.Open();
  });
  entered.Wait();
  REQUIRE(team->Edit().Replace<Node>("first", Plus(1000)).Commit().ok());
  CHECK(team->Decide(10).value == 1011);
  CHECK(team->Decide(10, {.trusted = true}).value == 1011);
  door.Open();
  answered.Wait();
  CHECK(value == 12);
}

TEST_CASE("a replacement takes its predecessor's place in the order of ballots") {
  static constexpr ListKey<int> kVotes{"votes"};
  struct Voter final : Agent {
    In<int> in{this, kAsk};
    Vote<int> vote{this, kVotes};
    int value;
    Voter(std::string name, int v) : Agent({.name = name}), value(v) {}
    absl::Status Run(Context& ctx) override {
      ctx.Cast(vote, value);
      return absl::OkStatus();
    }
  };
  struct Reader final : Agent {
    InAll<int> votes{this, kVotes};
    Out<int> out{this, kSay};
    Reader() : Agent({.name = "reader"}) {}
    absl::Status Run(Context& ctx) override {
      for (const auto& ballot : ctx[votes]) ctx[out] = ctx[out] * 10 + *ballot;
      return absl::OkStatus();
    }
  };
  auto team = Team::Builder(kAsk, kSay)
                  .Add<Reader>()
                  .Add<Voter>(std::string("a"), 1)
                  .Add<Voter>(std::string("b"), 2)
                  .Add<Voter>(std::string("c"), 3)
                  .Build();
  REQUIRE(team.ok());
  CHECK((*team)->Decide(0).value == 123);
  REQUIRE((*team)->Edit().Replace<Voter>("b", std::string("b"), 7).Commit().ok());
  CHECK((*team)->Decide(0).value == 173);
  REQUIRE((*team)->Edit().Remove("a").Add<Voter>(std::string("d"), 4).Commit().ok());
  CHECK((*team)->Decide(0).value == 734);
}

TEST_CASE("counts go on through changes, by the agent's name") {
  RuntimeOptions options;
  options.workers = 2;
  auto team = MakeTeam({kFirst, kSays}, options);
  for (int round = 0; round < 10; ++round) {
    for (const Way way : kWays) (void)Ask(*team, way, 1);
    REQUIRE(team->Edit().Replace<Node>("first", Plus(round)).Commit().ok());
  }
  CHECK(CountOf(team->GetStats(), "first", Outcome::kRan) == 30);
  CHECK(CountOf(team->GetStats(), "says", Outcome::kRan) == 30);
  CHECK(team->GetStats().decisions() == 30);
}

TEST_CASE("listeners change while events flow, and none is lost by those that stay") {
  struct Tick {};
  struct Hears final : Agent {
    On<Tick> on{this};
    std::atomic<int>* heard;
    Hears(std::string name, std::atomic<int>* h) : Agent({.name = name}), heard(h) {}
    absl::Status Run(Context&) override {
      ++*heard;
      return absl::OkStatus();
    }
  };
  RuntimeOptions options;
  options.workers = 2;
  std::atomic<int> stays{0}, comes{0}, failed{0};
  auto team = TeamOf({kFirst, kSays}, options).Add<Hears>(std::string("stays"), &stays).Build();
  REQUIRE(team.ok());
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    while (!stop) {
      failed += !(*team)->Edit().Add<Hears>(std::string("comes"), &comes).Commit().ok();
      failed += !(*team)->Edit().Remove("comes").Commit().ok();
    }
  });
  constexpr int kEvents = 5'000;
  for (int i = 0; i < kEvents; ++i) {
    while (!(*team)->Publish(Tick{}, static_cast<uint64_t>(i)).ok()) std::this_thread::yield();
  }
  CHECK(Eventually([&] { return (*team)->GetStats().events == kEvents; }));
  stop = true;
  changer.join();
  CHECK(failed == 0);
  CHECK(stays == kEvents);
}

}  // namespace
}  // namespace adagents::testing
