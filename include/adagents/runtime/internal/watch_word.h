// The handshake between a thread that runs agents and the watchdog that looks for stuck ones.
//
// The word is idle or run number | overdue bit. Invariant: for each run, either the watchdog's
// MarkOverdue() succeeds and then End() returns true, or neither happens. What the watchdog writes
// before a successful MarkOverdue() is seen after that End(); what the thread does after End() is
// never mistaken for being stuck.
// Memory orders: Begin() releases what describes the run (its deadline); Running() acquires it.
// MarkOverdue() releases the watchdog's notes; End() acquires them. Progress: wait-free but for
// MarkOverdue(), which fails at most once per run.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Thread-safe between one running thread and one watchdog.
template <class Atomics = StdAtomics>
class WatchWord {
 public:
  enum Site : int { kBegin, kEnd, kLook, kMark };

  void Begin() {
    run_ += 2;
    word_.store(run_ | kActive, Atomics::At(kBegin, std::memory_order_release));
  }
  /// True when the watchdog marked this run.
  [[nodiscard]] bool End() {
    return (word_.exchange(0, Atomics::At(kEnd, std::memory_order_acquire)) & kOverdue) != 0;
  }
  /// The run in progress that is not marked yet; 0 when there is none.
  [[nodiscard]] uint64_t Running() const {
    const uint64_t word = word_.load(Atomics::At(kLook, std::memory_order_acquire));
    return (word & kOverdue) != 0 ? 0 : word;
  }
  [[nodiscard]] bool MarkOverdue(uint64_t run) {
    return word_.compare_exchange_strong(run, run | kOverdue,
                                         Atomics::At(kMark, std::memory_order_release),
                                         std::memory_order_relaxed);
  }

 private:
  static constexpr uint64_t kOverdue = uint64_t{1} << 63;
  static constexpr uint64_t kActive = 1;

  typename Atomics::template Atomic<uint64_t> word_{0};
  uint64_t run_ = 0;  // the running thread's own
};

}  // namespace adagents::internal
