// A flag that says "look before you go on", summing up switches that are written elsewhere.
//
//   switched_off.store(true, relaxed);
//   flag.Update([&] { return switched_off.load(relaxed); });
//
// Invariant: once all calls are over, the flag is raised if the switches say so. An Update() that
// is interrupted may leave it lowered for as long, and raises it as it goes on.
//
// Memory orders: what lowers the flag acquires every Raise() before it, and with each the switch
// that it stands for, so that the look afterwards cannot miss one. For that Raise() is an exchange
// and not a store, which would end the release sequence of an earlier Raise(). Progress: wait-free.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Thread-safe.
template <class Atomics = StdAtomics>
class LookFlag {
 public:
  enum Site : int { kRaise, kLower };

  /// A moment old, which is what a decision may act on.
  [[nodiscard]] bool raised() const { return raised_.load(std::memory_order_relaxed) != 0; }
  /// After what it stands for was written.
  void Raise() { raised_.exchange(1, Atomics::At(kRaise, std::memory_order_release)); }
  /// As the switches say; `needed` reads them all, in any order, relaxed.
  template <class Needed>
  void Update(Needed needed) {
    if (needed()) {
      Raise();
      return;
    }
    raised_.exchange(0, Atomics::At(kLower, std::memory_order_acquire));
    if (needed()) Raise();
  }

 private:
  typename Atomics::template Atomic<uint8_t> raised_{0};
};

}  // namespace adagents::internal
