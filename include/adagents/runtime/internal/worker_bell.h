// What calls idle workers: some work is found by a worker that looks for it, the rest by one that
// is woken.
//
// Before it sleeps, one idle worker at a time looks for work for a while; a producer spares itself
// the system call while somebody looks. Invariant (no work waits while a worker sleeps, unless one
// that is awake goes on to look for it): looks_ is changed and read only by read-modify-writes. The
// producer's comes either before the looker's farewell, which acquires the work, so the looker
// finds it when it looks again; or after, and then the producer wakes a sleeper. A worker that has
// found work calls WakeNext() before it does it, for it may have been the one that others relied
// on. Progress: Ring() is wait-free unless somebody sleeps and nobody looks, and then makes one
// system call. Memory orders: Ring() releases the work, EndLooking() acquires it. BeginLooking()
// orders nothing: a ring that it comes after has woken somebody. That WakeNext() sees the sleepers
// whom a ring has left alone follows from the same pair: the ring has read their number before.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"
#include "adagents/runtime/internal/parker.h"

namespace adagents::internal {

/// Thread-safe.
template <class Atomics>
class WorkerBell {
 public:
  enum Site : int { kRing, kEndLooking };

  /// By who has made work visible.
  void Ring() {
    if (!parker_.HasWaiters()) return;
    if (looks_.fetch_add(0, Atomics::At(kRing, std::memory_order_release)) > 0) return;
    parker_.Wake(1);
  }
  /// By who has found work, before it does it; `more` tells whether there is other work.
  template <class More>
  void WakeNext(const More& more) {
    if (parker_.HasWaitersGuess() && more()) parker_.Wake(1);
  }

  /// True for the one who looks; it says EndLooking(), and looks once more.
  [[nodiscard]] bool BeginLooking() {
    uint32_t nobody = 0;
    return looks_.compare_exchange_strong(nobody, 1, std::memory_order_relaxed,
                                          std::memory_order_relaxed);
  }
  void EndLooking() { looks_.exchange(0, Atomics::At(kEndLooking, std::memory_order_acquire)); }
  /// Whether somebody looks, at this moment.
  [[nodiscard]] bool Looking() const { return looks_.load(std::memory_order_relaxed) > 0; }

  /// Where workers sleep.
  Parker<Atomics>& parker() { return parker_; }

 private:
  Parker<Atomics> parker_;
  typename Atomics::template Atomic<uint32_t> looks_{0};
};

}  // namespace adagents::internal
