// Interleavings of the bounded queue.
#include "adagents/runtime/internal/mpmc_ring.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using Ring = internal::MpmcRing<int, ModelAtomics>;

struct State {
  Ring ring{2};
  int popped[8] = {};  // how often each value came out
  void Push(int value) {
    while (!ring.TryPush(value)) ModelAtomics::Pause();
  }
  void Pop() {
    int value = 0;
    while (!ring.TryPop(&value)) ModelAtomics::Pause();
    Ensure(value > 0 && value < 8, "a value that nobody pushed");
    ++popped[value];
  }
  void CheckOnce(int n) const {
    for (int v = 1; v <= n; ++v) Ensure(popped[v] == 1, "a value was lost or came twice");
  }
};

void TwoByTwo(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Push(1), s->Push(2); });
  p.Thread([s] { s->Push(3), s->Push(4); });
  p.Thread([s] { s->Pop(), s->Pop(); });
  p.Thread([s] { s->Pop(), s->Pop(); });
  p.Finally([s] { s->CheckOnce(4); });
}

void Fifo(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    for (int v = 1; v <= 5; ++v) s->Push(v);
  });
  p.Thread([s] {
    for (int v = 1; v <= 5; ++v) {
      int value = 0;
      while (!s->ring.TryPop(&value)) ModelAtomics::Pause();
      Ensure(value == v, "out of order");
    }
  });
}

TEST_CASE("a ring hands every value to exactly one consumer, in order") {
  CheckPrograms({TwoByTwo, Fifo});
}

TEST_CASE("every order of the ring is needed") { CheckMutants({TwoByTwo, Fifo}); }

}  // namespace
}  // namespace adagents::testing
