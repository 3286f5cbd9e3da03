// Where idle threads sleep until there is work: an event count.
//
// A consumer announces itself, looks for work once more, and only then sleeps; a producer makes the
// work visible and then looks for sleepers. Invariant (no lost wake-up): waiters_ is changed and
// read only by read-modify-writes, which are totally ordered. Either the producer's comes after the
// consumer's announcement, so it sees a waiter and bumps epoch_, on which that waiter sleeps; or it
// comes before, and the consumer's acquires it and the second look finds the work.
// Progress: Notify() is wait-free unless somebody sleeps, and then makes one system call.
// Memory orders: the producer's look at waiters_ releases its work and the consumer's announcement
// acquires it; nothing flows the other way, so neither needs to be acq_rel. epoch_ is bumped with
// release and the ticket read with acquire: a consumer whose ticket is already new must see the
// work, for nobody will wake it again.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"
#include "adagents/base/deadline.h"

namespace adagents::internal {

/// Thread-safe. `Atomics::Wait(word, expected, deadline)` and `Atomics::Wake(word, count)` are a
/// futex's; deadlines are on the system's steady clock.
template <class Atomics>
class Parker {
 public:
  enum Site : int { kAnnounce, kLook, kBump, kTicket };

  /// Announces a sleeper; the ticket for Park(). Look for work again before parking.
  [[nodiscard]] uint32_t Announce() {
    waiters_.fetch_add(1, Atomics::At(kAnnounce, std::memory_order_acquire));
    return epoch_.load(Atomics::At(kTicket, std::memory_order_acquire));
  }
  /// Found work after all.
  void Cancel() { waiters_.fetch_sub(1, std::memory_order_relaxed); }
  /// Sleeps until a Notify() after the ticket was drawn, or the deadline. May wake without either.
  void Park(uint32_t ticket, Deadline deadline = Deadline::Infinite()) {
    Atomics::Wait(epoch_, ticket, deadline);
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// Whether anybody sleeps or is about to; orders the producer's work before the look.
  [[nodiscard]] bool HasWaiters() {
    return waiters_.fetch_add(0, Atomics::At(kLook, std::memory_order_release)) > 0;
  }
  /// A moment's guess that orders nothing, for heuristics.
  [[nodiscard]] bool HasWaitersGuess() const {
    return waiters_.load(std::memory_order_relaxed) > 0;
  }
  /// Wakes up to `count` sleepers.
  void Notify(int count = 1) {
    if (HasWaiters()) Wake(count);
  }
  /// Wakes without looking; for a caller that has just called HasWaiters().
  void Wake(int count) {
    epoch_.fetch_add(1, Atomics::At(kBump, std::memory_order_release));
    Atomics::Wake(epoch_, count);
  }

 private:
  alignas(kCacheLine) typename Atomics::template Atomic<uint32_t> waiters_{0};
  typename Atomics::template Atomic<uint32_t> epoch_{0};
};

}  // namespace adagents::internal
