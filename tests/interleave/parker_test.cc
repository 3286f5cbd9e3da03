// Interleavings of parking idle threads.
#include "adagents/runtime/internal/parker.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

struct State {
  enum Site : int { kTake };
  internal::Parker<ModelAtomics> parker;
  ModelAtomics::Atomic<uint32_t> work{0};

  bool TakeOne() {
    uint32_t left = work.load(std::memory_order_relaxed);
    while (left > 0) {
      if (work.compare_exchange_strong(left, left - 1, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  void Consume() {
    for (;;) {
      if (TakeOne()) return;
      const uint32_t ticket = parker.Announce();
      if (TakeOne()) {
        parker.Cancel();
        return;
      }
      parker.Park(ticket);
    }
  }
  void Produce() {
    work.fetch_add(1, std::memory_order_relaxed);
    parker.Notify();
  }
};

void OneEach(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Consume(); });
  p.Thread([s] { s->Produce(); });
}

void TwoEach(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Consume(), s->Consume(); });
  p.Thread([s] { s->Consume(); });
  p.Thread([s] { s->Produce(), s->Produce(); });
  p.Thread([s] { s->Produce(); });
}

TEST_CASE("whoever parks is woken when there is work") { CheckPrograms({OneEach, TwoEach}); }

TEST_CASE("every order of the parker is needed") { CheckMutants({OneEach, TwoEach}); }

}  // namespace
}  // namespace adagents::testing
