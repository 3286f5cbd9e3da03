// Interleavings of calling idle workers.
#include "adagents/runtime/internal/worker_bell.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

// Pieces of work that all have to be under way at the same time, as requests behind a hung one:
// each worker that has one waits for the others, so work that is left while a worker sleeps is a
// deadlock.
struct State {
  explicit State(uint32_t pieces) : all(pieces) {}
  const uint32_t all;
  internal::WorkerBell<ModelAtomics> bell;
  ModelAtomics::Atomic<uint32_t> work{0};
  ModelAtomics::Atomic<uint32_t> under_way{0};

  bool HasWork() const { return work.load(std::memory_order_relaxed) > 0; }
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
  void Idle() {
    if (bell.BeginLooking()) {
      bool found = false;
      for (int look = 0; look < 2 && !found; ++look) found = HasWork();
      bell.EndLooking();
      if (found) return;
    }
    const uint32_t ticket = bell.parker().Announce();
    if (HasWork()) {
      bell.parker().Cancel();
    } else {
      bell.parker().Park(ticket);
    }
  }
  void Worker() {
    while (!TakeOne()) Idle();
    bell.WakeNext([&] { return HasWork(); });
    uint32_t now = under_way.fetch_add(1, std::memory_order_relaxed) + 1;
    ModelAtomics::Wake(under_way, 8);
    for (; now < all; now = under_way.load(std::memory_order_relaxed)) {
      ModelAtomics::Wait(under_way, now);
    }
  }
  void Produce() {
    work.fetch_add(1, std::memory_order_relaxed);
    bell.Ring();
  }
};

void OneProducer(Program& p) {
  auto s = std::make_shared<State>(2);
  p.Thread([s] { s->Worker(); });
  p.Thread([s] { s->Worker(); });
  p.Thread([s] { s->Produce(), s->Produce(); });
}

void TwoProducers(Program& p) {
  auto s = std::make_shared<State>(2);
  p.Thread([s] { s->Worker(); });
  p.Thread([s] { s->Worker(); });
  p.Thread([s] { s->Produce(); });
  p.Thread([s] { s->Produce(); });
}

void OneOfEach(Program& p) {
  auto s = std::make_shared<State>(1);
  p.Thread([s] { s->Worker(); });
  p.Thread([s] { s->Produce(); });
}

TEST_CASE("no work waits while a worker sleeps") {
  CheckPrograms({OneOfEach, OneProducer, TwoProducers});
}

TEST_CASE("every order of the worker bell is needed") {
  CheckMutants({OneOfEach, OneProducer, TwoProducers});
}

}  // namespace
}  // namespace adagents::testing
