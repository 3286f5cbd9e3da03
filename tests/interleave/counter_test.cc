// Interleavings of the counters. All their orders are relaxed, so there is nothing to weaken.
#include "adagents/blackboard/counter.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

void Striped(Program& p) {
  auto counter = std::make_shared<BasicCounter<ModelAtomics>>();
  for (int t = 0; t < 3; ++t) {
    p.Thread([counter] { counter->Add(1), counter->Add(2); });
  }
  p.Thread([counter] {
    const int64_t first = counter->Sum();
    const int64_t second = counter->Sum();
    Ensure(0 <= first && first <= second && second <= 9, "went back");
  });
  p.Finally([counter] { Ensure(counter->Sum() == 9, "an addition was lost"); });
}

struct Bounded {
  BasicBoundedCounter<ModelAtomics> counter{5};
  int64_t net[4] = {};
};

void NeverCrossed(Program& p) {
  auto s = std::make_shared<Bounded>();
  for (int t = 0; t < 3; ++t) {
    p.Thread([s, t] {
      for (int64_t n : {2, 1, 3}) {
        if (s->counter.TryAdd(n)) s->net[t] += n;
      }
      if (s->net[t] > 0) {
        Ensure(s->counter.Release(1), "nothing to release");
        --s->net[t];
      }
    });
  }
  p.Thread([s] {
    for (int i = 0; i < 4; ++i) {
      const int64_t value = s->counter.value();
      Ensure(value >= 0 && value <= 5, "the limit was crossed");
    }
  });
  p.Finally(
      [s] { Ensure(s->counter.value() == s->net[0] + s->net[1] + s->net[2], "lost or invented"); });
}

TEST_CASE("a counter loses no addition and a bounded one never crosses its limit") {
  CheckPrograms({Striped, NeverCrossed});
}

}  // namespace
}  // namespace adagents::testing
