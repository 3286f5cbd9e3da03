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
    // Whether they are shared is up to the machine's other load; what they decide is not.
    (void)(Eventually([&] {
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
    if (team->GetStats().shared_decisions < 100) WARN("too busy a machine: hardly any was shared");
    CHECK(LeftBehind(*team) == "");
  }
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
