// In steady state no thread that decides touches the heap, recorded or not. An executable of its
// own, because it replaces operator new.
#include <atomic>

#include "allocations.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

TEST_CASE("deciding allocates nothing once warm, recorded or not") {
  for (const uint32_t every : {0, 1, 7}) {
    for (const bool trusted : {true, false}) {
      INFO("every " << every << (trusted ? ", trusted" : ", strict"));
      std::atomic<int> sunk{0};
      RuntimeOptions options;
      options.workers = 2;
      options.share_work = false;  // the timer would cut the plan, which takes memory
      options.deadline = absl::Seconds(30);
      options.trace_every = every;
      options.trace_sink = [&](const Timeline&) {
        uncounted = true;
        ++sunk;
      };
      auto team = MakeTeam({{.name = "first", .in = {"ask"}, .out = "x"},
                            {.name = "second", .in = {"x"}, .out = "say"}},
                           options);
      const auto decide = [&](int times) {
        int wrong = 0;
        for (int i = 0; i < times; ++i)
          wrong += team->Decide(i, {.trusted = trusted}).value != i + 2;
        return wrong;
      };
      REQUIRE(Eventually([&] { return decide(200) == 0 && (every == 0 || sunk > 0); }));
      // Warm is when each worker and each ticket has had its turn, which comes when it comes. What
      // every decision, or every recorded one, allocated would be there for ever.
      CHECK(Eventually([&] {
        const long before = all_allocations.load();
        return decide(1000) == 0 && all_allocations.load() == before;
      }));
    }
  }
}

}  // namespace
}  // namespace adagents::testing
