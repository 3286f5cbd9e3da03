// Decisions that several threads share, with an agent that hangs on one of them.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adagents/base/clock.h"
#include "faults/rig.h"

namespace adagents::testing {
namespace {

// So long that it pays to wake a helper for it.
void Burn(int width) {
  const int64_t until = SystemClock::Get().Now() + 4'000'000 / width;
  while (SystemClock::Get().Now() < until) {
  }
}

constexpr int kAsked = 4711;

// A head, `width` agents side by side that are worth sharing, and one that adds them up. Agents on
// another thread than the owner's are a helper's. The owner of a trusted decision is who asks; of
// others it is taken to be where the head runs, which in a flow graph may be a helper.
struct Wide {
  explicit Wide(int agents, Way way = Way::kStrict)
      : width(agents),
        caller(way == Way::kTrusted ? std::this_thread::get_id() : std::thread::id()),
        owner(caller) {}

  const int width;
  const std::thread::id caller;  // of trusted decisions
  Door door;
  std::atomic<std::thread::id> owner;
  std::atomic<bool> hangs_on_helper{false};
  std::atomic<int> suspect{-1};  // the only one to hang, wherever it runs
  std::atomic<int> hung{0}, returned{0}, helped{0};
  std::atomic<int> tried{0}, refused{0}, kept{0}, undone{0};  // reservations of those that hang
  std::atomic<int> odd{0};  // requests that were not kAsked any more

  std::vector<NodeSpec> Nodes() {
    std::vector<NodeSpec> nodes;
    nodes.push_back(
        {.name = "head", .in = {"ask"}, .out = "head", .body = [this](Context& ctx, Node& node) {
           if (caller == std::thread::id()) owner = std::this_thread::get_id();
           node.out(ctx) = node.Sum(ctx);
           return absl::OkStatus();
         }});
    NodeSpec says{.name = "says", .out = "say"};
    // None is late for want of a core: one late call is too many for some tests.
    nodes.back().options.budget = says.options.budget = absl::Seconds(1);
    for (int i = 0; i < width; ++i) {
      const std::string name = Numbered("w", i);
      nodes.push_back({.name = name,
                       .in = {"head", "ask"},
                       .out = name,
                       .otherwise = 0,
                       .body = [this, i](Context& ctx, Node& node) { return Work(ctx, node, i); },
                       .options = {.name = "", .budget = absl::Seconds(1)}});
      says.in.push_back(name);
    }
    nodes.push_back(says);
    return nodes;
  }

  bool Take(Context& ctx) {
    const auto settle = [](const Hold& hold, bool keep) {
      auto* wide = static_cast<Wide*>(hold.object);
      ++(keep ? wide->kept : wide->undone);
    };
    ++tried;
    return ctx.Take({.settle = settle, .object = this}).ok();
  }
  // With a reservation, unless this thread had no core until the deadline.
  bool Hangs(Context& ctx, int i, bool helper) {
    if (suspect == i) return true;
    if (!helper || !hangs_on_helper.exchange(false)) return false;
    if (Take(ctx)) return true;
    hangs_on_helper = true;
    return false;
  }

  absl::Status Work(Context& ctx, Node& node, int i) {
    Burn(width);
    const bool helper = owner.load() != std::this_thread::get_id();
    helped += helper;
    const bool hangs = Hangs(ctx, i, helper);
    if (hangs) {
      ++hung;
      door.Wait();
      refused += !Take(ctx);
    }
    odd += node.in(ctx, 1) != kAsked;
    node.out(ctx) = 1;
    returned += hangs;
    return absl::OkStatus();
  }
};

RuntimeOptions Workers(int workers, int spares) {
  RuntimeOptions options;
  options.workers = workers;
  options.spares = spares;
  return options;
}

// With a request that is gone afterwards.
Answer<int> Decide(Team& team, Way way = Way::kStrict, CallOptions call = {}) {
  int request = kAsked;
  const Answer<int> answer = Ask(team, way, request, std::move(call));
  *const_cast<volatile int*>(&request) = 0;
  return answer;
}

bool IsHelped(Team& team, Wide& wide, Way way) {
  const int before = wide.helped;
  const bool helped = Eventually([&] {
    Burn(4);  // idle workers sleep by now
    (void)Decide(team, way);
    return wide.helped > before;
  });
  if (helped) return true;
  const Stats stats = team.GetStats();
  std::string why =
      fmt::format("{} decided, {} fallback, {} shared, {} left, {} workers stuck",
                  CountOf(stats, Verdict::kDecided), CountOf(stats, Verdict::kFallback),
                  stats.shared_decisions, stats.shared_left, stats.workers_stuck);
  for (const AgentStats& agent : stats.agents) {
    why += fmt::format("; {}: {} ns{}{}", agent.name, agent.mean_nanos,
                       agent.quarantined ? ", quarantined" : "", agent.stuck > 0 ? ", stuck" : "");
  }
  WARN(why);
  return false;
}

int StuckCalls(Team& team) {
  int stuck = 0;
  for (const AgentStats& agent : team.GetStats().agents) stuck += agent.stuck;
  return stuck;
}

TEST_CASE("an agent that hangs on a helper costs its decision the deadline, and one thread") {
  for (const int width : {2, 20}) {  // by claims, and as a flow graph
    for (const Way way : kWays) {
      INFO("width " << width << ", " << Name(way));
      Wide wide(width, way);
      const OpenAtEnd open(wide.door);
      Sentinel sentinel;
      auto team = MakeTeam(wide.Nodes(), Workers(3, 0));
      REQUIRE(IsHelped(*team, wide, way));
      wide.hangs_on_helper = true;
      // Also of a trusted caller: it is the owner, and no agent hangs on its thread. Also where the
      // timer would look later by itself.
      const int64_t millis = width == 2 ? 50 : 8;
      REQUIRE(Eventually([&] {
        const int64_t due = Sentinel::Now() + millis * 1'000'000;
        (void)Decide(*team, way, {.tmax = absl::Milliseconds(millis)});
        const int64_t at = Sentinel::Now();
        CHECK(at - due - 5'000'000 <= sentinel.OversleptIn(due - 2'000'000, at));
        return wide.hung == 1;
      }));
      CHECK(Eventually([&] { return StuckCalls(*team) == 1; }));
      // Whoever waited for it has left; it goes on deciding, and does not go to wait in there
      // again.
      CHECK(Eventually([&] {
        const Stats stats = team->GetStats();
        return stats.workers_stuck == 1 && stats.callers_stuck == 0;
      }));
      if (way == Way::kTrusted || width == 2) CHECK(team->GetStats().shared_left == 1);
      for (int i = 0; i < 5; ++i) {
        CHECK(Eventually([&] { return Decide(*team, way).verdict == Verdict::kDecided; }));
      }
      CHECK(Eventually([&] { return team->GetStats().workers_stuck == 1; }));
      wide.door.Open();
      CHECK(Eventually([&] {
        const Stats stats = team->GetStats();
        return stats.workers_stuck == 0 && stats.shared_left == 0;
      }));
      CHECK(StuckCalls(*team) == 0);
      CHECK(wide.odd == 0);  // the straggler's request, too
      CHECK(wide.refused == 1);
      CHECK(wide.tried >= 2);
      CHECK(wide.undone == wide.tried);
      CHECK(wide.kept == 0);
      CHECK(LeftBehind(*team) == "");
    }
  }
}

TEST_CASE("an agent that hangs in shared decisions costs one thread each time, until quarantined") {
  for (const int width : {2, 20}) {
    for (const Way way : {Way::kStrict, Way::kAsync}) {
      INFO("width " << width << ", " << Name(way));
      Wide wide(width, way);
      const OpenAtEnd open(wide.door);
      auto team = MakeTeam(wide.Nodes(), Workers(2, 4));
      REQUIRE(IsHelped(*team, wide, way));
      wide.suspect = width - 1;
      const std::string name = Numbered("w", width - 1);
      CHECK(Eventually([&] {
        (void)Decide(*team, way);
        return StatsOf(team->GetStats(), name).quarantined;
      }));
      CHECK(wide.hung <= 5);
      CHECK(Eventually([&] { return team->GetStats().workers_stuck == wide.hung; }));
      CHECK(Eventually([&] { return Decide(*team, way).verdict == Verdict::kDecided; }));
      CHECK(CountOf(team->GetStats(), Verdict::kSaturated) == 0);
      wide.door.Open();
      CHECK(Eventually([&] {
        const Stats stats = team->GetStats();
        return stats.workers_stuck == 0 && stats.shared_left == 0;
      }));
      CHECK(LeftBehind(*team) == "");
    }
  }
}

TEST_CASE("a shutdown does not wait for an agent that hangs on a helper") {
  constexpr auto kGrace = std::chrono::milliseconds(50);
  for (const int width : {2, 20}) {
    for (const Way way : kWays) {
      INFO("width " << width << ", " << Name(way));
      Wide wide(width, way);
      Sentinel sentinel;
      const OpenAtEnd open(wide.door);
      auto team = MakeTeam(wide.Nodes(), Workers(2, 1));
      REQUIRE(IsHelped(*team, wide, way));
      wide.hangs_on_helper = true;
      REQUIRE(Eventually([&] { return Decide(*team, way).late >= 0 && wide.hung == 1; }));
      const int64_t from = Sentinel::Now();
      const ShutdownReport report = team->Shutdown(absl::FromChrono(kGrace));
      const int64_t took = Sentinel::Now() - from;
      const int64_t overslept = sentinel.OversleptIn(from, from + took);
      CHECK(took <= 150'000'000 + overslept);
      CHECK((report.threads_left == 1 || (report.threads_left > 1 && overslept > 10'000'000)));
      CHECK(report.callers_left == 0);
      team.reset();
      wide.door.Open();
      CHECK(Eventually([&] { return wide.returned == 1; }));
    }
  }
}

TEST_CASE("decisions are shared on while a quarantined agent hangs on a helper") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Wide wide(3, way);
    const OpenAtEnd open(wide.door);
    RuntimeOptions options = Workers(2, 4);
    options.breaker.late_in_a_row = 1;
    auto team = MakeTeam(wide.Nodes(), options);
    REQUIRE(IsHelped(*team, wide, way));
    wide.hangs_on_helper = true;
    REQUIRE(Eventually([&] {
      (void)Decide(*team, way);
      return StuckCalls(*team) == 1;
    }));
    for (int i = 0; i < 3; ++i) CHECK(IsHelped(*team, wide, way));
    wide.door.Open();
    CHECK(LeftBehind(*team) == "");
  }
}

// As Node, counted while it lives.
class Counted final : public Agent {
 public:
  Counted(Wide* wide, int number, std::atomic<int>* alive)
      : Agent({.name = Intern(Numbered("w", number)), .budget = absl::Seconds(1)}),
        out_(this, IntKey(Numbered("w", number)), 0),
        wide_(wide),
        alive_(alive) {
    ++*alive_;
  }
  ~Counted() override { --*alive_; }
  absl::Status Run(Context& ctx) override {
    Burn(wide_->width);
    wide_->helped += wide_->owner.load() != std::this_thread::get_id();
    ctx[out_] = ctx[head_] + 1;
    return absl::OkStatus();
  }

 private:
  In<int> head_{this, IntKey("head")};
  Out<int> out_;
  Wide* wide_;
  std::atomic<int>* alive_;
};

TEST_CASE("what shared decisions used of a replaced team goes away without a further decision") {
  for (const int width : {2, 20}) {
    INFO("width " << width);
    Wide wide(width);
    std::atomic<int> alive{0};
    std::vector<NodeSpec> nodes = wide.Nodes();
    Team::Builder builder(kAsk, kSay);
    builder.Add<Node>(nodes.front());
    NodeSpec says{.name = "says", .out = "say"};
    for (int i = 0; i < width; ++i) {
      builder.Add<Counted>(&wide, i, &alive);
      says.in.push_back(Numbered("w", i));
    }
    auto team = builder.Add<Node>(says).Options(Workers(2, 1)).Build();
    REQUIRE(team.ok());
    REQUIRE(IsHelped(**team, wide, Way::kStrict));
    auto edit = (*team)->Edit();
    for (int i = 0; i < width; ++i) {
      NodeSpec quick{.name = Numbered("w", i), .in = {"head"}, .out = Numbered("w", i)};
      quick.otherwise = 0;
      edit.Replace<Node>(quick.name, quick);
    }
    REQUIRE(edit.Commit().ok());
    CHECK(Eventually([&] { return alive == 0; }));
    CHECK(LeftBehind(**team) == "");
  }
}

}  // namespace
}  // namespace adagents::testing
