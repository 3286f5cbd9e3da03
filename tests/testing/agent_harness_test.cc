#include "adagents/testing/agent_harness.h"

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"

namespace adagents::testing {
namespace {

struct Request {
  int hour = 0;
};
struct Calm {
  float score = 0;
};
struct Sessions {
  int seen = 0;
};
struct SongStarted {
  int beats = 0;
};

constexpr Key<Request> kRequest{"request"};
constexpr Key<Calm> kCalm{"calm"};
constexpr Key<std::vector<int>> kHours{"hours"};
constexpr Key<std::unique_ptr<int>> kOwned{"owned"};
constexpr ListKey<int> kBids{"bids"};
constexpr ListKey<std::string> kNames{"names"};
constexpr StateKey<Sessions> kSessions{"sessions"};
constexpr ReasonCode kLateHour{"late_hour", "{subject} is at or after {threshold}"};
constexpr ReasonCode kEarlyHour{"early_hour", "it is early"};

class Bedtime final : public Agent {
  In<Request> request_{this, kRequest};
  Out<Calm> calm_{this, kCalm, Calm{0.5f}};
  const int from_;

 public:
  explicit Bedtime(int from = 22) : Agent({.name = "bedtime"}), from_(from) {}
  absl::Status Run(Context& ctx) override {
    const int hour = ctx[request_].hour;
    if (hour < 0) return InvalidArgument("an hour before midnight");
    if (hour > 99) throw std::runtime_error("a century");
    ctx[calm_].score = hour >= from_ ? 1.0f : 0.0f;
    ctx.Because({.code = &kLateHour,
                 .subject = static_cast<uint64_t>(hour),
                 .threshold = static_cast<double>(from_)});
    return absl::OkStatus();
  }
};

TEST_CASE("an agent runs alone on the inputs that the test chose") {
  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = 23});
  const AgentRun run = harness.Run<Bedtime>();
  CHECK(run.status.ok());
  CHECK(run.outcome == Outcome::kRan);
  CHECK(run.cause == Cause::kNone);
  CHECK(run.Get(kCalm).score == 1.0f);
}

TEST_CASE("an input that is set again replaces the earlier one, and arguments reach the agent") {
  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = 23}).Set(kRequest, Request{.hour = 21});
  CHECK(harness.Run<Bedtime>().Get(kCalm).score == 0.0f);
  CHECK(harness.Run<Bedtime>(20).Get(kCalm).score == 1.0f);
}

TEST_CASE("the reasons that an agent leaves are those of its run alone") {
  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = 23});
  const AgentRun run = harness.Run<Bedtime>();
  REQUIRE(run.reasons.size() == 1);
  CHECK(run.reasons[0].subject == 23);
  CHECK(run.HasReason(kLateHour));
  CHECK_FALSE(run.HasReason(kEarlyHour));
  CHECK(InWords(run.reasons[0]) == "23 is at or after 22");
}

TEST_CASE("an input that nobody set is named with its type and what to call") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Bedtime>();
  CHECK(run.status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(run.outcome == Outcome::kPending);
  const std::string message(Message(run.status));
  CHECK(message.find("agent 'bedtime' reads 'request' (") != std::string::npos);
  CHECK(message.find("Request)") != std::string::npos);
  CHECK(message.find("Set()") != std::string::npos);
  CHECK(run.Find(kCalm) == nullptr);
  CHECK_THROWS_AS(run.Get(kCalm), std::logic_error);
}

TEST_CASE("an input of another type is refused with both types") {
  AgentHarness harness;
  harness.Set(Key<int>{"request"}, 23);
  const std::string message(Message(harness.Run<Bedtime>().status));
  CHECK(message.find("Request, but the test sets it as int") != std::string::npos);
}

TEST_CASE("an agent's own error comes back as it is, and its default stands") {
  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = -1});
  const AgentRun run = harness.Run<Bedtime>();
  CHECK(run.status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(Message(run.status) == "an hour before midnight");
  CHECK(run.outcome == Outcome::kFailed);
  CHECK(run.cause == Cause::kError);
  CHECK(run.Get(kCalm).score == 0.5f);
}

TEST_CASE("what an agent throws is reported and goes no further") {
  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = 100});
  const AgentRun run = harness.Run<Bedtime>();
  CHECK(run.status.code() == absl::StatusCode::kInternal);
  CHECK(Message(run.status) == "threw: a century");
  CHECK(run.outcome == Outcome::kFailed);
  CHECK(run.cause == Cause::kThrew);
}

TEST_CASE("an agent whose input's writer produced nothing is not called") {
  AgentHarness harness;
  harness.SetAbsent(kRequest);
  const AgentRun run = harness.Run<Bedtime>();
  CHECK(Message(run.status) == "agent 'bedtime' was not called: missing input");
  CHECK(run.outcome == Outcome::kDefaulted);
  CHECK(run.cause == Cause::kMissingInput);
  CHECK(run.Get(kCalm).score == 0.5f);
}

/// Required: no default. Reads an input that may be missing.
class Planner final : public Agent {
  In<Calm> calm_{this, kCalm, Calm{0.25f}};
  Out<std::vector<int>> hours_{this, kHours};

 public:
  Planner() : Agent({.name = "planner"}) {}
  absl::Status Run(Context& ctx) override {
    if (ctx[calm_].score > 1) return InvalidArgument("more than calm");
    ctx[hours_].assign(3, static_cast<int>(ctx[calm_].score * 100));
    return absl::OkStatus();
  }
};

TEST_CASE("an input with an absent value needs no setting") {
  AgentHarness harness;
  CHECK(harness.Run<Planner>().Get(kHours) == std::vector<int>{25, 25, 25});
  harness.SetAbsent(kCalm);
  CHECK(harness.Run<Planner>().Get(kHours) == std::vector<int>{25, 25, 25});
  harness.Set(kCalm, Calm{1});
  CHECK(harness.Run<Planner>().Get(kHours) == std::vector<int>{100, 100, 100});
}

TEST_CASE("a required agent that fails publishes nothing, and Get says why") {
  AgentHarness harness;
  harness.Set(kCalm, Calm{2});
  const AgentRun run = harness.Run<Planner>();
  CHECK(run.outcome == Outcome::kFailed);
  CHECK(run.Find(kHours) == nullptr);
  std::string message;
  try {
    (void)run.Get(kHours);
  } catch (const std::logic_error& error) {
    message = error.what();
  }
  CHECK(message ==
        "agent 'planner' published no 'hours': its outcome is 'failed' (more than calm)");
}

TEST_CASE("asking for an output by a wrong type or name says what the agent writes") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Planner>();
  const auto why = [&](auto key) -> std::string {
    try {
      (void)run.Get(key);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(why(Key<int>{"hours"}).find("not as int") != std::string::npos);
  CHECK(why(Key<int>{"days"}) == "agent 'planner' published no 'days': it has no Out port for it");
}

class Owner final : public Agent {
  Out<std::unique_ptr<int>> owned_{this, kOwned};

 public:
  Owner() : Agent({.name = "owner"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[owned_] = std::make_unique<int>(7);
    return absl::OkStatus();
  }
};

TEST_CASE("an output that cannot be copied is said to be so") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Owner>();
  CHECK(run.status.ok());
  std::string message;
  try {
    (void)run.Get(kOwned);
  } catch (const std::logic_error& error) {
    message = error.what();
  }
  CHECK(message.find("cannot be copied") != std::string::npos);
}

/// Casts one bid more than the best it sees in the list of names' owners.
class Bidder final : public Agent {
  InAll<std::string> names_{this, kNames};
  Vote<int> bid_{this, kBids};

 public:
  Bidder() : Agent({.name = "bidder"}) {}
  absl::Status Run(Context& ctx) override {
    const auto names = ctx[names_];
    if (names.empty()) return absl::OkStatus();
    int sum = 0;
    for (const Ballot<std::string>& name : names) {
      sum = sum * 10 + static_cast<int>(name->size() + name.by().size());
    }
    ctx.Cast(bid_, sum);
    return absl::OkStatus();
  }
};

TEST_CASE("ballots are read in the order of their voters, and a vote comes back") {
  AgentHarness harness;
  harness.Cast(kNames, "x", "a").Cast(kNames, "yy", "bc").Cast(kNames, "x", "abcd");
  CHECK(harness.Run<Bidder>().Votes(kBids) == std::vector<int>{54});
}

TEST_CASE("who casts nothing has no vote") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Bidder>();
  CHECK(run.status.ok());
  CHECK(run.Votes(kBids).empty());
}

TEST_CASE("the votes of others in the agent's own list are not taken for its own") {
  AgentHarness harness;
  harness.Cast(kNames, "x", "a").Cast(kBids, "x", 99);
  CHECK(harness.Run<Bidder>().Votes(kBids) == std::vector<int>{2});
}

class Counting final : public Agent {
  State<Sessions> sessions_{this, kSessions};
  Out<Calm> calm_{this, kCalm};
  int calls_ = 0;

 public:
  Counting() : Agent({.name = "counting"}) {}
  absl::Status Run(Context& ctx) override {
    ++sessions_->seen;
    ctx[calm_].score = static_cast<float>(++calls_);
    return absl::OkStatus();
  }
};

TEST_CASE("state is the test's own object, and a passed agent keeps its members") {
  AgentHarness harness;
  Sessions sessions;
  harness.SetState(kSessions, sessions);
  Counting counting;
  CHECK(harness.Run(counting).Get(kCalm).score == 1);
  CHECK(harness.Run(counting).Get(kCalm).score == 2);
  CHECK(harness.Run<Counting>().Get(kCalm).score == 1);
  CHECK(sessions.seen == 3);
}

TEST_CASE("state that the test does not set is named") {
  AgentHarness harness;
  const std::string message(Message(harness.Run<Counting>().status));
  CHECK(message.find("uses state 'sessions'") != std::string::npos);
  CHECK(message.find("SetState()") != std::string::npos);
}

class Listener final : public Agent {
  On<SongStarted> song_{this};
  State<Sessions> sessions_{this, kSessions};

 public:
  Listener() : Agent({.name = "listener"}) {}
  absl::Status Run(Context& ctx) override {
    if (ctx[song_].beats < 0) return InvalidArgument("a song backwards");
    if (ctx[song_].beats == 0) throw 0;
    sessions_->seen += ctx[song_].beats;
    return absl::OkStatus();
  }
};

TEST_CASE("an event reaches an agent that listens") {
  AgentHarness harness;
  const auto sessions = std::make_shared<Sessions>();
  harness.SetState(kSessions, sessions);
  const AgentRun run = harness.Send<Listener>(SongStarted{.beats = 90});
  CHECK(run.status.ok());
  CHECK(run.outcome == Outcome::kRan);
  CHECK(sessions->seen == 90);
}

TEST_CASE("a failure on an event comes back like one in a decision") {
  AgentHarness harness;
  Sessions sessions;
  harness.SetState(kSessions, sessions);
  const AgentRun failed = harness.Send<Listener>(SongStarted{.beats = -1});
  CHECK(Message(failed.status) == "a song backwards");
  CHECK(failed.outcome == Outcome::kFailed);
  CHECK(failed.cause == Cause::kError);
  const AgentRun threw = harness.Send<Listener>(SongStarted{.beats = 0});
  CHECK(Message(threw.status) == "threw: an exception that is no std::exception");
  CHECK(threw.cause == Cause::kThrew);
}

TEST_CASE("running a listener, or sending to an agent that does not listen, says what to call") {
  AgentHarness harness;
  Sessions sessions;
  harness.SetState(kSessions, sessions).Set(kRequest, Request{});
  CHECK(Message(harness.Run<Listener>().status).find("call Send()") != std::string::npos);
  CHECK(Message(harness.Send<Bedtime>(SongStarted{}).status).find("does not listen to") !=
        std::string::npos);
}

/// Works in steps and gives up when its time is over or nobody waits any more.
class Stepwise final : public Agent {
  Out<int> steps_{this, Key<int>{"steps"}};

 public:
  Stepwise() : Agent({.name = "stepwise"}) {}
  absl::Status Run(Context& ctx) override {
    for (int& steps = ctx[steps_]; steps < 1000; ++steps) {
      if (ctx.cancelled()) return MakeStatus(absl::StatusCode::kCancelled, "nobody waits");
      if (ctx.deadline().Remaining(ctx.clock()) < absl::Milliseconds(10)) break;
    }
    return absl::OkStatus();
  }
};

TEST_CASE("time stands still unless it ticks") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Stepwise>();
  CHECK(run.Get(Key<int>{"steps"}) == 1000);
  CHECK(run.took == absl::ZeroDuration());
}

TEST_CASE("an agent that watches its deadline gives up in time") {
  AgentHarness harness;
  harness.SetTick(absl::Milliseconds(1)).SetDeadline(absl::Milliseconds(100));
  const AgentRun run = harness.Run<Stepwise>();
  CHECK(run.outcome == Outcome::kRan);
  CHECK(run.Get(Key<int>{"steps"}) > 50);
  CHECK(run.Get(Key<int>{"steps"}) < 90);
  CHECK(run.took > absl::Milliseconds(50));
}

TEST_CASE("an agent sees that it was cancelled") {
  AgentHarness harness;
  harness.SetCancelled(true);
  const AgentRun run = harness.Run<Stepwise>();
  CHECK(run.status.code() == absl::StatusCode::kCancelled);
  CHECK(run.Find(Key<int>{"steps"}) == nullptr);
}

class Sleepy final : public Agent {
  Out<Calm> calm_{this, kCalm};
  VirtualClock* clock_;

 public:
  explicit Sleepy(VirtualClock* clock) : Agent({.name = "sleepy"}), clock_(clock) {}
  absl::Status Run(Context& ctx) override {
    ctx[calm_].score = 1;
    clock_->Advance(absl::Seconds(1));
    return absl::OkStatus();
  }
};

TEST_CASE("an agent that overruns the deadline is late and its output is not seen") {
  AgentHarness harness;
  const AgentRun run = harness.Run<Sleepy>(&harness.clock());
  CHECK(run.status.ok());
  CHECK(run.outcome == Outcome::kLate);
  CHECK(run.took == absl::Seconds(1));
  CHECK(run.Find(kCalm) == nullptr);
}

class Dice final : public Agent {
  Out<uint64_t> roll_{this, Key<uint64_t>{"roll"}};

 public:
  Dice() : Agent({.name = "dice"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[roll_] = ctx.random()();
    return absl::OkStatus();
  }
};

TEST_CASE("equal ids give equal random numbers, different ids different ones") {
  constexpr Key<uint64_t> kRoll{"roll"};
  AgentHarness harness;
  const uint64_t first = harness.SetId(5).Run<Dice>().Get(kRoll);
  CHECK(harness.SetId(6).Run<Dice>().Get(kRoll) != first);
  CHECK(harness.SetId(5).Run<Dice>().Get(kRoll) == first);
}

struct Budget {
  int64_t reserved = 0;
  int64_t spent = 0;
};

class Reserving final : public Agent {
  Out<Calm> calm_{this, kCalm};
  Budget* budget_;

 public:
  explicit Reserving(Budget* budget) : Agent({.name = "reserving"}), budget_(budget) {}
  absl::Status Run(Context& ctx) override {
    budget_->reserved += 5;
    const auto settle = [](const Hold& hold, bool kept) {
      auto& budget = *static_cast<Budget*>(hold.object);
      budget.reserved -= hold.amount;
      if (kept) budget.spent += hold.amount;
    };
    ctx[calm_].score = 1;
    return ctx.Take({.settle = settle, .object = budget_, .amount = 5});
  }
};

TEST_CASE("a reservation is kept or undone as the test says") {
  AgentHarness harness;
  Budget budget;
  CHECK(harness.Run<Reserving>(&budget).status.ok());
  CHECK(budget.spent == 5);
  CHECK(harness.SetKeepsHolds(false).Run<Reserving>(&budget).status.ok());
  CHECK(budget.spent == 5);
  CHECK(budget.reserved == 0);
}

TEST_CASE("setting what the agent writes itself is a mistake that is named") {
  AgentHarness harness;
  harness.Set(kRequest, Request{}).Set(kCalm, Calm{});
  CHECK(Message(harness.Run<Bedtime>().status) ==
        "agent 'bedtime' writes 'calm', which the test sets as an input");
}

}  // namespace
}  // namespace adagents::testing
