// Decisions that several threads run together: by the claim word, and as a flow graph.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

// Takes so long on whichever thread it runs.
void Burn(std::chrono::microseconds time) {
  const auto until = SteadyClock::now() + time;
  while (SteadyClock::now() < until) {
  }
}

// One that all wait for, `width` that could run side by side, and one that waits for them.
std::vector<NodeSpec> Fan(int width, std::function<void(int)> body) {
  std::vector<NodeSpec> nodes{{.name = "first", .in = {"ask"}, .out = "x"}};
  NodeSpec last{.name = "last", .out = "say"};
  for (int i = 0; i < width; ++i) {
    const std::string out = Numbered("y", i);
    last.in.push_back(out);
    nodes.push_back({.name = Numbered("side", i),
                     .in = {"x"},
                     .out = out,
                     .otherwise = 0,
                     .body = [body, i](Context& ctx, Node& node) {
                       body(i);
                       node.out(ctx) = node.Sum(ctx) + i;
                       return absl::OkStatus();
                     }});
  }
  nodes.push_back(last);
  return nodes;
}

int Expected(int width, int ask) { return width * (ask + 1) + width * (width - 1) / 2 + 1; }

RuntimeOptions Hot() {
  RuntimeOptions options;
  options.workers = 2;
  options.keep_one_hot = true;
  options.deadline = absl::Seconds(30);
  return options;
}

TEST_CASE("decisions are shared by the claim word, or as a flow graph, with the same results") {
  if (std::thread::hardware_concurrency() < 2) {
    WARN("skipped: there is one core, so nothing to share");
    return;
  }
  for (const int width : {4, 40}) {  // 40 strands are more than the claim word has room for
    auto team =
        MakeTeam(Fan(width, [width](int) { Burn(std::chrono::microseconds(600 / width)); }), Hot());
    std::atomic<int> ask{0};
    CHECK(Eventually([&] {
      for (int i = 0; i < 20; ++i, ++ask) {
        const Answer<int> answer = team->Decide(ask, {.trusted = true});
        if (answer.value != Expected(width, ask) || answer.degraded()) return true;
      }
      return team->GetStats().shared_decisions >= 100;
    }));
    INFO("width " << width << ", decision " << ask);
    const Answer<int> answer = team->Decide(ask, {.trusted = true});
    CHECK(answer.value == Expected(width, ask));
    CHECK_FALSE(answer.degraded());
    CHECK(team->GetStats().shared_decisions >= 100);
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE("an agent that hangs on a helper costs its output, not the answer") {
  if (std::thread::hardware_concurrency() < 2) {
    WARN("skipped: there is one core, so nothing to share");
    return;
  }
  constexpr int kWidth = 6;
  std::atomic<bool> armed{false};
  std::atomic<int> hung{0};
  std::thread::id caller = std::this_thread::get_id();
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options = Hot();
  options.deadline = absl::Milliseconds(60);
  auto team =
      MakeTeam(Fan(kWidth,
                   [&](int) {
                     Burn(std::chrono::microseconds(200));
                     // Only on a helper: the caller must come back.
                     if (armed && std::this_thread::get_id() != caller && hung.fetch_add(1) == 0) {
                       door.Wait();
                     }
                   }),
               options);
  CHECK(Eventually([&] {
    (void)team->Decide(1, {.trusted = true});
    return team->GetStats().shared_decisions >= 20;
  }));
  // The caller waits for the helper: trusted callers are bounded by their agents, and counted.
  armed = true;
  std::thread watcher([&] {
    CHECK(Eventually([&] { return team->GetStats().callers_stuck == 1; }));
    CHECK(team->GetStats().workers_stuck == 1);  // a spare has taken the helper's place
    int stuck = 0;
    for (const AgentStats& agent : team->GetStats().agents) stuck += agent.stuck;
    CHECK(stuck == 1);  // the watchdog knows which one
    door.Open();
  });
  CHECK(Eventually([&] {
    (void)team->Decide(1, {.trusted = true});
    return hung > 0;
  }));
  watcher.join();
  CHECK(Eventually([&] {
    const Stats stats = team->GetStats();
    return stats.callers_stuck == 0 && stats.workers_stuck == 0;
  }));
  const Answer<int> answer = team->Decide(2, {.trusted = true});
  CHECK(answer.verdict == Verdict::kDecided);
  CHECK(LeftBehind(*team) == "");
}

TEST_CASE("decisions in a lane do not wait for helpers that always have something to help with") {
  RuntimeOptions options = Hot();
  auto team = MakeTeam(Fan(4, [](int) { Burn(std::chrono::microseconds(50)); }), options);
  std::atomic<bool> stop{false};
  std::thread trusted([&] {
    while (!stop) (void)team->Decide(1, {.trusted = true});
  });
  for (int i = 0; i < 200; ++i) {
    const Answer<int> answer = team->Decide(i);
    REQUIRE(answer.value == Expected(4, i));
  }
  stop = true;
  trusted.join();
  CHECK(LeftBehind(*team) == "");
}

}  // namespace
}  // namespace adagents::testing
