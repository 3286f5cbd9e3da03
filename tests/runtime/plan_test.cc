// The plan as a picture, and how it is cut anew while it serves.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
size_t Times(const std::string& text, std::string_view part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST_CASE("a plan's picture has its agents, what they hand on, and what they cost") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto built =
      TeamOf({{.name = "guard \"g\"", .in = {"ask"}, .options = {.name = {}, .must_run = true}},
              {.name = "features", .in = {"ask"}, .out = "x"},
              {.name = "hint", .in = {"x"}, .out = "h", .otherwise = 0},
              {.name = "offers", .in = {"x"}, .in_or = {{"demand", 0}}, .out = "offer"},
              {.name = "demands", .in = {"offer"}, .out = "demand"},
              {.name = "says", .in = {"demand", "offer", "x"}, .in_or = {{"h", 1}}, .out = "say"}},
             options)
          .Loop(IntKey("demand"), 3)
          .Build();
  INFO(built.status().ToString());
  REQUIRE(built.ok());
  std::string dot = (*built)->PlanDot();
  INFO(dot);
  CHECK(Times(dot, "not measured yet") == 7);  // agents, and their sum
  for (int i = 0; i < 3; ++i) (void)(*built)->Decide(1);
  dot = (*built)->PlanDot();
  INFO(dot);
  CHECK(dot.rfind("digraph plan {", 0) == 0);
  CHECK(Times(dot, "{") == Times(dot, "}"));
  CHECK(Has(dot, "plan 1: 6 agents"));
  CHECK(Has(dot, "runs as one loop"));
  CHECK(Has(dot, "label=\"guard \\\"g\\\"\\nmean "));
  CHECK(Times(dot, "mean ") == 6);
  CHECK(Times(dot, "must run") == 1);
  CHECK(Times(dot, "tooltip=\"optional\"") == 1);
  CHECK(Times(dot, "tooltip=\"required\"") == 4);
  CHECK(Has(dot, "loop, at most 3 rounds"));
  CHECK(Has(dot, "a4 -> a3 [label=\"demand\", color="));  // carried over to the next round
  CHECK(Has(dot, "a3 -> a4 [label=\"offer\"]"));
  CHECK(Has(dot, "a2 -> a5 [label=\"h\", style=dashed]"));
  CHECK(Has(dot, "a1 -> a5 [label=\"x\"]"));
  CHECK(Has(dot, "a5 -> answer"));
  CHECK(!Has(dot, "cluster_strand"));
}

TEST_CASE("a plan is cut anew in the background as costs drift and agents are replaced") {
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::Seconds(30);
  std::atomic<int> micros{0};
  const auto side = [&](std::string name, std::string out) {
    return NodeSpec{.name = std::move(name),
                    .in = {"x"},
                    .out = std::move(out),
                    .body = [&micros](Context& ctx, Node& node) {
                      const auto until =
                          SteadyClock::now() + std::chrono::microseconds(micros.load());
                      while (SteadyClock::now() < until) {
                      }
                      node.out(ctx) = node.Sum(ctx);
                      return absl::OkStatus();
                    }};
  };
  auto team = MakeTeam({{.name = "first", .in = {"ask"}, .out = "x"},
                        side("left", "l"),
                        side("right", "r"),
                        {.name = "last", .in = {"l", "r"}, .out = "say"}},
                       options);
  std::string dot;
  // Whether it came to that in the end; how soon is the machine's business.
  const auto comes_to = [&](auto condition) {
    return Eventually([&] {
      for (int i = 0; i < 20; ++i) {
        if (team->Decide(1, {.trusted = true}).value != 5) return false;
      }
      dot = team->PlanDot();
      return condition(dot);
    });
  };
  const auto apart = [](const std::string& text) { return Has(text, "cluster_strand1"); };
  const auto one_loop = [](const std::string& text) { return Has(text, "runs as one loop"); };

  // Nothing to gain at first.
  REQUIRE(comes_to([&](const auto& text) { return one_loop(text) && !Has(text, "not measured"); }));
  // Two that take long may run side by side,
  micros = 300;
  REQUIRE(comes_to(apart));
  CHECK(Has(dot, "strands,"));
  const uint64_t before = team->GetStats().recuts;
  CHECK(before > 0);
  // until they do not any more,
  micros = 0;
  REQUIRE(comes_to(one_loop));
  // and again when they do.
  micros = 300;
  REQUIRE(comes_to(apart));
  REQUIRE(comes_to([&](const auto&) { return team->GetStats().recuts > before; }));
  // One that is replaced is another: what the old one cost says nothing of it.
  micros = 300;
  REQUIRE(comes_to(apart));
  REQUIRE(team->Edit().Replace<Node>("left", side("left", "l")).Commit().ok());
  REQUIRE(comes_to([&](const auto& text) { return Has(text, "plan 2") && apart(text); }));
  // One that joins them is cut in.
  REQUIRE(team->Edit().Add<Node>(side("third", "t")).Commit().ok());
  REQUIRE(comes_to(
      [&](const auto& text) { return Has(text, "plan 3") && apart(text) && Has(text, "third"); }));
  REQUIRE(team->Edit().Remove("third").Commit().ok());
  REQUIRE(comes_to(
      [&](const auto& text) { return Has(text, "plan 4") && apart(text) && !Has(text, "third"); }));
  CHECK(LeftBehind(*team) == "");
}

TEST_CASE("agents are timed where decisions are few, too") {
  RuntimeOptions options;
  options.workers = 1;
  options.deadline = absl::Seconds(30);
  auto team = MakeTeam({{.name = "says", .in = {"ask"}, .out = "say"}}, options);
  const auto timed = [&] { return StatsOf(team->GetStats(), "says").timed; };
  // The first ones all are, then one in a thousand when they follow each other.
  for (int i = 0; i < 200; ++i) (void)team->Decide(1, {.trusted = true});
  const uint64_t before = timed();
  CHECK(before >= 32);
  CHECK(before < 199);  // an interrupted call may have it look closely for a while
  for (int i = 0; i < 3; ++i) {
    const auto until = SteadyClock::now() + std::chrono::milliseconds(101);
    while (SteadyClock::now() < until) std::this_thread::yield();
    (void)team->Decide(1, {.trusted = true});
  }
  CHECK(timed() == before + 3);
}

}  // namespace
}  // namespace adagents::testing
