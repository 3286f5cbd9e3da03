// A lock-free free list of the indices 0..n-1, last in first out so that the hot ones stay hot.
//
// Source: R. K. Treiber, "Systems programming: coping with parallelism" (1986), with a count in the
// head word against ABA. Invariants: an index is on the stack or owned by exactly one thread; the
// count in the head changes with every successful pop or push, so a compare-and-swap that saw an
// old head fails (32 bits of count: a thread would have to sleep through 4 billion operations).
// Progress: lock-free.
// Memory orders: push releases and pop acquires through head_, so the owner that pops an index sees
// all that the one who pushed it wrote. next_ is relaxed: a stale link is only used by a
// compare-and-swap that then fails.
#pragma once

#include <cstdint>
#include <memory>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Thread-safe.
template <class Atomics = StdAtomics>
class IndexStack {
 public:
  enum Site : int { kPush, kPop };
  static constexpr uint32_t kNone = 0xffffffffu;

  /// Starts with all of 0..size-1 free, 0 on top; or with none of them.
  explicit IndexStack(uint32_t size, bool full = true)
      : next_(std::make_unique<typename Atomics::template Atomic<uint32_t>[]>(size)) {
    for (uint32_t i = 0; i < size; ++i) {
      next_[i].store(i + 1 < size ? i + 1 : kNone, std::memory_order_relaxed);
    }
    head_.store(full && size > 0 ? 0 : kNone, std::memory_order_relaxed);
  }

  /// kNone when empty.
  [[nodiscard]] uint32_t Pop() {
    uint64_t head = head_.load(Atomics::At(kPop, std::memory_order_acquire));
    for (;;) {
      const uint32_t top = static_cast<uint32_t>(head);
      if (top == kNone) return kNone;
      const uint32_t below = next_[top].load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, Tagged(head, below),
                                      Atomics::At(kPop, std::memory_order_acquire),
                                      Atomics::At(kPop, std::memory_order_acquire))) {
        return top;
      }
    }
  }

  void Push(uint32_t index) {
    uint64_t head = head_.load(std::memory_order_relaxed);
    do {
      next_[index].store(static_cast<uint32_t>(head), std::memory_order_relaxed);
    } while (!head_.compare_exchange_weak(head, Tagged(head, index),
                                          Atomics::At(kPush, std::memory_order_release),
                                          std::memory_order_relaxed));
  }

 private:
  static uint64_t Tagged(uint64_t old_head, uint32_t index) {
    return (((old_head >> 32) + 1) << 32) | index;
  }

  std::unique_ptr<typename Atomics::template Atomic<uint32_t>[]> next_;
  alignas(kCacheLine) typename Atomics::template Atomic<uint64_t> head_;
};

}  // namespace adagents::internal
