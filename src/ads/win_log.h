// Wins on their way from the threads that take notices to the one that makes them durable: a
// bounded first-in-first-out queue whose places have numbers, so that "durable up to here" is one
// number.
//
// Source: D. Vyukov, "Bounded MPMC queue" (1024cores), with one consumer. Each cell carries a
// sequence number that says whose turn it is: `pos` for the producer of place pos, `pos + 1` for
// the consumer. Invariants: a value is written only by the thread that moved tail_ past its place;
// places come out in order, so one whose producer is stopped midway holds back those behind it, and
// none that has come out has one before it that has not. Progress: TryPush() is lock-free, TryPop()
// wait-free. Memory orders: `sequence` is stored with release by whoever finished with the cell and
// loaded with acquire by whoever wants it next, which carries the value over. tail_ only hands out
// places: relaxed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "adagents/base/atomics.h"

namespace adagents::ads::internal {

/// Any number of threads may push, one at a time pops.
template <class T, class Atomics = StdAtomics>
class WinLog {
 public:
  enum Site : int { kProducerSees, kConsumerSees, kPublish, kHandOn };

  /// Capacity is rounded up to a power of two, at least 2.
  explicit WinLog(size_t capacity) {
    size_t size = 2;
    while (size < capacity) size *= 2;
    mask_ = size - 1;
    cells_ = std::make_unique<Cell[]>(size);
    for (size_t i = 0; i < size; ++i) cells_[i].sequence.store(i, std::memory_order_relaxed);
  }

  /// The number of the place, from 1; 0 when the log is full.
  [[nodiscard]] uint64_t TryPush(const T& value) {
    uint64_t pos = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[pos & mask_];
      const uint64_t sequence =
          cell.sequence.load(Atomics::At(kProducerSees, std::memory_order_acquire));
      if (sequence == pos) {
        if (tail_.compare_exchange_weak(pos, pos + 1, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
          cell.value = value;
          cell.sequence.store(pos + 1, Atomics::At(kPublish, std::memory_order_release));
          return pos + 1;
        }
      } else if (static_cast<int64_t>(sequence - pos) < 0) {
        return 0;
      } else {
        pos = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// False when there is none, or the next one is still being written.
  [[nodiscard]] bool TryPop(T* value) {
    Cell& cell = cells_[head_ & mask_];
    const uint64_t sequence =
        cell.sequence.load(Atomics::At(kConsumerSees, std::memory_order_acquire));
    if (sequence != head_ + 1) return false;
    *value = cell.value;
    cell.sequence.store(head_ + mask_ + 1, Atomics::At(kHandOn, std::memory_order_release));
    ++head_;
    return true;
  }

  /// How many have come out, which is also the number of the last one. For the consumer.
  [[nodiscard]] uint64_t popped() const { return head_; }
  /// The last place that was handed out: all pushes that happened before are at most this.
  [[nodiscard]] uint64_t pushed() const { return tail_.load(std::memory_order_relaxed); }

 private:
  struct Cell {
    typename Atomics::template Atomic<uint64_t> sequence;
    typename Atomics::template Plain<T> value{};  // guarded by sequence
  };

  size_t mask_ = 0;
  std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLine) typename Atomics::template Atomic<uint64_t> tail_{0};
  alignas(kCacheLine) uint64_t head_ = 0;  // the consumer's
};

}  // namespace adagents::ads::internal
