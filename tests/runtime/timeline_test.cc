// Where and when decisions ran, as it is handed to the host.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

using Kind = Timeline::Kind;

/// Keeps what the sink is handed.
class Kept {
 public:
  void Add(const Timeline& timeline) {
    const std::lock_guard<std::mutex> lock(mutex_);
    timelines_.push_back(timeline);
  }
  std::vector<Timeline> all() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return timelines_;
  }
  size_t size() const { return all().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Timeline> timelines_;
};

RuntimeOptions Recorded(Kept& kept, uint32_t every = 1) {
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::Seconds(30);
  options.trace_every = every;
  options.trace_sink = [&kept](const Timeline& timeline) { kept.Add(timeline); };
  return options;
}

size_t Count(const Timeline& t, Kind kind) {
  return static_cast<size_t>(std::count_if(t.spans.begin(), t.spans.end(),
                                           [&](const auto& span) { return span.kind == kind; }));
}
const Timeline::Span& Of(const Timeline& t, std::string_view agent) {
  for (const Timeline::Span& span : t.spans) {
    if (span.agent == agent && span.kind != Kind::kReplica) return span;
  }
  FAIL("no span of " << agent);
  return t.spans[0];
}
const Timeline::Span& Of(const Timeline& t, Kind kind) {
  for (const Timeline::Span& span : t.spans) {
    if (span.kind == kind) return span;
  }
  FAIL("no span of kind " << Name(kind));
  return t.spans[0];
}

/// What holds for every timeline.
void CheckShape(const Timeline& t) {
  CHECK(t.arrival <= t.admitted);
  CHECK(t.admitted <= t.settled);
  CHECK(t.settled <= t.ended);
  CHECK(t.spans_dropped == 0);
  std::map<uint32_t, std::vector<Timeline::Span>> by_thread;
  for (const Timeline::Span& span : t.spans) {
    CHECK(span.begin <= span.end);
    CHECK(span.begin >= t.admitted);
    CHECK(span.end <= t.ended);
    if (span.kind == Kind::kReplica) continue;
    CHECK(std::count_if(t.threads.begin(), t.threads.end(),
                        [&](const auto& thread) { return thread.id == span.thread; }) == 1);
    by_thread[span.thread].push_back(span);
  }
  // On one thread two spans are apart, or one lies within the other.
  for (const auto& [thread, spans] : by_thread) {
    for (const auto& a : spans) {
      for (const auto& b : spans) {
        const bool apart = a.end <= b.begin || b.end <= a.begin;
        const bool within =
            (a.begin <= b.begin && b.end <= a.end) || (b.begin <= a.begin && a.end <= b.end);
        CHECK((apart || within));
      }
    }
  }
}

std::vector<NodeSpec> Chain() {
  return {{.name = "first", .in = {"ask"}, .out = "x"},
          {.name = "second", .in = {"x"}, .out = "say"}};
}

TEST_CASE("every so many decisions are recorded, whichever way they are asked for") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Kept kept;
    auto team = MakeTeam(Chain(), Recorded(kept, 4));
    for (int i = 0; i < 10; ++i) {
      CHECK(Ask(*team, way, i, {.lane = Lane::kPremium, .id = 100u + static_cast<uint64_t>(i)})
                .value == i + 2);
    }
    CHECK(LeftBehind(*team) == "");
    const Stats stats = team->GetStats();
    CHECK(stats.traces == 3);
    CHECK(stats.traces_dropped == 0);
    auto all = kept.all();
    REQUIRE(all.size() == 3);
    // They are finished by whoever leaves them last, so not always in order.
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (size_t i = 0; i < 3; ++i) {
      const Timeline& t = all[i];
      CheckShape(t);
      CHECK(t.id == 100 + 4 * i);
      CHECK(t.mode == Name(way));
      CHECK(t.lane == Lane::kPremium);
      CHECK(t.verdict == Verdict::kDecided);
      CHECK(t.begun >= t.admitted);
      CHECK(t.deadline - t.arrival == absl::ToInt64Nanoseconds(absl::Seconds(30)) - 500'000);
      CHECK(t.settled_by != 0);
      CHECK(Count(t, Kind::kRun) == 1);
      CHECK(Count(t, Kind::kCaller) == (way == Way::kStrict ? 1 : 0));
      CHECK(Count(t, Kind::kCallback) == (way == Way::kAsync ? 1 : 0));
      CHECK(Of(t, "first").outcome == Outcome::kRan);
      CHECK(Of(t, "first").end <= Of(t, "second").begin);
      CHECK(Of(t, Kind::kRun).begin <= Of(t, "first").begin);
      CHECK(Of(t, Kind::kRun).end >= t.settled);
    }
  }
}

TEST_CASE("without a sink, or with every set to 0, nothing is recorded") {
  Kept kept;
  RuntimeOptions options = Recorded(kept, 0);
  auto none = MakeTeam(Chain(), options);
  options.trace_every = 1;
  options.trace_sink = nullptr;
  auto nowhere = MakeTeam(Chain(), options);
  for (const auto& team : {none.get(), nowhere.get()}) {
    for (const Way way : kWays) CHECK(Ask(*team, way, 1).value == 3);
    CHECK(LeftBehind(*team) == "");
    CHECK(team->GetStats().traces == 0);
  }
  CHECK(kept.size() == 0);
}

TEST_CASE("agents that fail or are left out say so, and those of a loop in which round") {
  Kept kept;
  RuntimeOptions options = Recorded(kept);
  VirtualClock clock;
  options.inline_scheduler.emplace();
  options.clock = &clock;
  auto built = TeamOf({{.name = "off", .in = {"ask"}, .out = "w", .otherwise = 1},
                       {.name = "fails",
                        .in = {"ask"},
                        .out = "x",
                        .otherwise = 5,
                        .body = [](auto&, auto&) { return absl::InternalError("no model"); }},
                       {.name = "offers",
                        .in = {"demand"},
                        .out = "offer",
                        .body =
                            [&](Context& ctx, Node& node) {
                              clock.Advance(absl::Microseconds(3));
                              node.out(ctx) = std::min(node.in(ctx, 0) + 1, 3);
                              return absl::OkStatus();
                            }},
                       {.name = "demands", .in_or = {{"offer", 0}}, .out = "demand"},
                       {.name = "says", .in = {"offer", "x", "w"}, .out = "say"}},
                      options)
                   .Loop(IntKey("offer"), 10)
                   .Build();
  INFO(built.status().ToString());
  REQUIRE(built.ok());
  auto& team = **built;
  REQUIRE(team.SetSwitchedOff("off", true).ok());
  (void)team.Decide(0);
  REQUIRE(kept.size() == 1);
  const Timeline t = kept.all()[0];
  CheckShape(t);
  CHECK(Of(t, "off").kind == Kind::kNotRun);
  CHECK(Of(t, "off").outcome == Outcome::kDefaulted);
  CHECK(Of(t, "off").cause == Cause::kSwitchedOff);
  CHECK(Of(t, "fails").kind == Kind::kAgent);
  CHECK(Of(t, "fails").outcome == Outcome::kFailed);
  CHECK(Of(t, "fails").cause == Cause::kError);
  std::vector<uint32_t> rounds;
  for (const auto& span : t.spans) {
    if (span.agent != "offers") continue;
    rounds.push_back(span.round);
    CHECK(span.end - span.begin == 3000);
  }
  REQUIRE(rounds.size() >= 2);
  for (uint32_t i = 0; i < rounds.size(); ++i) CHECK(rounds[i] == i);
  CHECK(t.defaulted == 2);
}

TEST_CASE("a sink may decide, throw, and be slow: decisions go on, what has no room is counted") {
  Kept kept;
  RuntimeOptions options = Recorded(kept);
  SECTION("inline, it decides in turn") {
    options.inline_scheduler.emplace();
    Team* deciding = nullptr;
    int calls = 0;
    options.trace_sink = [&](const Timeline&) {
      if (++calls < 5) (void)deciding->Decide(1);
    };
    auto team = MakeTeam(Chain(), options);
    deciding = team.get();
    CHECK(team->Decide(1).value == 3);
    CHECK(calls == 5);
  }
  SECTION("it throws") {
    options.trace_sink = [&](const Timeline& timeline) {
      kept.Add(timeline);
      throw std::runtime_error("disk full");
    };
    auto team = MakeTeam(Chain(), options);
    for (int i = 0; i < 5; ++i) CHECK(team->Decide(i).value == i + 2);
    CHECK(LeftBehind(*team) == "");
    CHECK(kept.size() == 5);
  }
  SECTION("it is stuck") {
    Door door;
    const OpenAtEnd open(door);
    options.trace_sink = [&](const Timeline& timeline) {
      door.Wait();
      kept.Add(timeline);
    };
    auto team = MakeTeam(Chain(), options);
    for (int i = 0; i < 1000; ++i) CHECK(team->Decide(i, {.trusted = true}).value == i + 2);
    CHECK(team->GetStats().traces_dropped >= 1000 - 128);
    door.Open();
    CHECK(LeftBehind(*team) == "");
    const Stats stats = team->GetStats();
    CHECK(stats.traces + stats.traces_dropped == 1000);
    CHECK(kept.size() == stats.traces);
  }
}

TEST_CASE("the time in the lane and in the queue for a replica is told apart") {
  Kept kept;
  RuntimeOptions options = Recorded(kept);
  Door door;
  std::atomic<int> inside{0};
  auto team = MakeTeam({{.name = "single",
                         .in = {"ask"},
                         .out = "x",
                         .body =
                             [&](Context& ctx, Node& node) {
                               ++inside;
                               door.Wait();
                               node.out(ctx) = node.Sum(ctx) + 1;
                               return absl::OkStatus();
                             },
                         .options = {.name = {}, .budget = absl::Seconds(30), .replicas = 1}},
                        {.name = "says", .in = {"x"}, .out = "say"}},
                       options);
  std::atomic<int> answers{0};
  const auto decide = [&] {
    team->DecideAsync(1, {}, [&](Answer<int> answer) {
      CHECK(answer.value == 3);
      ++answers;
    });
  };
  decide();
  REQUIRE(Eventually([&] { return inside == 1; }));
  decide();
  REQUIRE(Eventually([&] { return team->GetStats().queued_decisions == 1; }));
  door.Open();
  REQUIRE(Eventually([&] { return answers == 2; }));
  CHECK(LeftBehind(*team) == "");
  const auto all = kept.all();
  REQUIRE(all.size() == 2);
  for (const Timeline& t : all) {
    CheckShape(t);
    if (Count(t, Kind::kReplica) == 0) continue;
    const Timeline::Span& wait = Of(t, Kind::kReplica);
    CHECK(wait.agent == "single");
    CHECK(wait.thread == 0);
    CHECK(wait.begin >= t.begun);
    CHECK(wait.end <= Of(t, "single").begin);
    CHECK(Count(t, Kind::kRun) == 2);  // before and after
  }
  CHECK(Count(all[0], Kind::kReplica) + Count(all[1], Kind::kReplica) == 1);
}

TEST_CASE("a straggler's decision is recorded when it has returned, with all it did") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Kept kept;
    RuntimeOptions options = Recorded(kept);
    options.deadline = absl::Milliseconds(20);
    Door door;
    std::atomic<uint64_t> entered{0};  // the decision in which the agent was called
    auto team = MakeTeam({{.name = "hangs",
                           .in = {"ask"},
                           .out = "say",
                           .body =
                               [&](Context& ctx, Node& node) {
                                 entered = ctx.decision_id();
                                 door.Wait();
                                 node.out(ctx) = 7;
                                 return absl::OkStatus();
                               }}},
                         options);
    const OpenAtEnd open(door);
    // On a busy machine the deadline may come before the agent's turn.
    uint64_t id = 0;
    REQUIRE(Eventually([&] {
      return Ask(*team, way, 1, {.id = ++id}).verdict == Verdict::kExpired && entered != 0;
    }));
    const auto recorded = [&] {
      const auto all = kept.all();
      return std::count_if(all.begin(), all.end(),
                           [&](const Timeline& t) { return t.id == entered; });
    };
    CHECK(recorded() == 0);  // the agent may still write to it
    door.Open();
    REQUIRE(Eventually([&] { return recorded() == 1; }));
    const auto all = kept.all();
    const Timeline& t = *std::find_if(all.begin(), all.end(),
                                      [&](const Timeline& each) { return each.id == entered; });
    CheckShape(t);
    CHECK(t.verdict == Verdict::kExpired);
    CHECK(t.late == 1);
    CHECK(t.settled >= t.deadline);
    CHECK(Of(t, "hangs").end > t.settled);
    CHECK(Count(t, Kind::kEnding) == 1);
    CHECK(Of(t, Kind::kEnding).thread != Of(t, "hangs").thread);
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE("a shared decision's record has the strands of all its threads") {
  if (std::thread::hardware_concurrency() < 2) {
    WARN("skipped: there is one core, so nothing to share");
    return;
  }
  for (const int width : {3, 40}) {  // by the claim word, and as a flow graph
    INFO("width " << width);
    std::atomic<int> most_threads{0}, strands{0}, wrong{0};
    Kept kept;
    RuntimeOptions options = Recorded(kept);
    options.keep_one_hot = true;
    options.trace_sink = [&](const Timeline& t) {
      if (kept.size() < 200) kept.Add(t);
      most_threads = std::max<int>(most_threads, static_cast<int>(t.threads.size()));
      strands += static_cast<int>(Count(t, Kind::kStrand));
    };
    std::vector<NodeSpec> nodes{{.name = "first", .in = {"ask"}, .out = "x"}};
    NodeSpec last{.name = "last", .out = "say"};
    for (int i = 0; i < width; ++i) {
      last.in.push_back(Numbered("y", i));
      nodes.push_back({.name = Numbered("side", i),
                       .in = {"x"},
                       .out = Numbered("y", i),
                       .body = [width](Context& ctx, Node& node) {
                         const auto until =
                             SteadyClock::now() + std::chrono::microseconds(600 / width);
                         while (SteadyClock::now() < until) {
                         }
                         node.out(ctx) = node.Sum(ctx);
                         return absl::OkStatus();
                       }});
    }
    nodes.push_back(last);
    auto team = MakeTeam(nodes, options);
    (void)Eventually([&] {
      for (int i = 0; i < 20; ++i) {
        wrong += team->Decide(1, {.trusted = true}).value != 2 * width + 1;
      }
      return team->GetStats().shared_decisions >= 100 && most_threads >= 2;
    });
    CHECK(LeftBehind(*team) == "");
    CHECK(wrong == 0);
    for (const Timeline& t : kept.all()) CheckShape(t);
    if (team->GetStats().shared_decisions == 0) {
      WARN("too busy a machine: none was shared");
    } else {
      CHECK(strands > 0);
      if (most_threads < 2) WARN("too busy a machine: no helper came in time");
    }
  }
}

// As Eventually(), for what a busy machine may never bring about: a helper in time.
template <class Condition>
bool Soon(const Condition& condition) {
  const auto until = SteadyClock::now() + std::chrono::seconds(2);
  while (!condition()) {
    if (SteadyClock::now() > until) return false;
  }
  return true;
}

TEST_CASE("a decision that its owner leaves to a stuck helper is recorded when that has returned") {
  if (std::thread::hardware_concurrency() < 2) {
    WARN("skipped: there is one core, so nothing to share");
    return;
  }
  for (const int width : {3, 20}) {  // by the claim word, and as a flow graph
    for (const Way way : {Way::kTrusted, Way::kStrict}) {
      INFO("width " << width << ", " << Name(way));
      Kept kept;
      RuntimeOptions options = Recorded(kept);
      options.keep_one_hot = true;
      options.deadline = absl::Milliseconds(50);
      constexpr uint64_t kAsked = 1'000'000;  // the others' ids are far beyond
      options.trace_sink = [&kept](const Timeline& timeline) {
        if (timeline.id < kAsked) kept.Add(timeline);
      };
      Door door;
      const OpenAtEnd open(door);
      std::atomic<uint64_t> stuck{0};  // the decision in which a helper is
      std::atomic<std::thread::id> owner{std::thread::id()};
      std::vector<NodeSpec> nodes{
          {.name = "first", .in = {"ask"}, .out = "x", .body = [&](Context& ctx, Node& node) {
             owner = std::this_thread::get_id();
             node.out(ctx) = node.Sum(ctx) + 1;
             return absl::OkStatus();
           }}};
      NodeSpec last{.name = "last", .out = "say"};
      for (int i = 0; i < width; ++i) {
        last.in.push_back(Numbered("y", i));
        nodes.push_back(
            {.name = Numbered("side", i),
             .in = {"x"},
             .out = Numbered("y", i),
             .body = [&, width](Context& ctx, Node& node) {
               const auto until = SteadyClock::now() + std::chrono::microseconds(600 / width);
               while (SteadyClock::now() < until) {
               }
               uint64_t none = 0;
               if (ctx.decision_id() < kAsked && owner.load() != std::this_thread::get_id() &&
                   stuck.compare_exchange_strong(none, ctx.decision_id())) {
                 door.Wait();
               }
               node.out(ctx) = node.Sum(ctx);
               return absl::OkStatus();
             }});
      }
      nodes.push_back(last);
      auto team = MakeTeam(nodes, options);
      if (!Soon([&] {
            (void)Ask(*team, way, 1);
            return team->GetStats().shared_decisions >= 20;
          })) {
        WARN("too busy a machine: hardly any was shared");
        continue;
      }
      uint64_t next = 0;
      if (!Soon([&] {
            (void)Ask(*team, way, 1, {.id = ++next});
            return stuck != 0;
          })) {
        WARN("too busy a machine: no helper came in time");
        continue;
      }
      const uint64_t id = stuck;
      const auto recorded = [&] {
        for (const Timeline& t : kept.all()) {
          if (t.id == id) return true;
        }
        return false;
      };
      const uint64_t later = team->GetStats().traces;
      REQUIRE(Eventually([&] {  // others are recorded meanwhile, this one is not
        (void)Ask(*team, way, 1);
        return team->GetStats().traces > later;
      }));
      CHECK(!recorded());
      door.Open();
      REQUIRE(Eventually(recorded));
      CHECK(LeftBehind(*team) == "");
      for (const Timeline& t : kept.all()) {
        if (t.id != id) continue;
        CheckShape(t);
        CHECK(t.verdict == Verdict::kExpired);
        CHECK(t.ended > t.deadline);
        CHECK(Count(t, Kind::kRun) >= 1);
        CHECK(std::any_of(t.spans.begin(), t.spans.end(), [&](const auto& span) {
          return span.kind == Kind::kAgent && span.end > t.deadline;
        }));
      }
    }
  }
}

TEST_CASE("more spans than are kept for one decision are counted") {
  Kept kept;
  RuntimeOptions options = Recorded(kept);
  options.inline_scheduler.emplace();
  auto built = TeamOf({{.name = "counts", .in_or = {{"count", 0}}, .out = "count"},
                       {.name = "says", .in = {"count"}, .out = "say"}},
                      options)
                   .Loop(IntKey("count"), 1000)
                   .Build();
  INFO(built.status().ToString());
  REQUIRE(built.ok());
  CHECK((*built)->Decide(0).value == 1001);
  REQUIRE(kept.size() == 1);
  const Timeline t = kept.all()[0];
  CHECK(t.spans.size() == 512);
  CHECK(t.spans_dropped == 1000 + 1 + 1 - 512);  // rounds, says, and the run itself
}

}  // namespace
}  // namespace adagents::testing
