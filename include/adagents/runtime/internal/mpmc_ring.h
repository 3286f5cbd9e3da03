// A bounded lock-free queue of small values, first in first out, many producers and consumers.
//
// Source: D. Vyukov, "Bounded MPMC queue" (1024cores). Each cell carries a sequence number that
// says whose turn it is: `pos` for the producer of turn pos, `pos + 1` for its consumer.
// Invariants: a value is written only by the thread that moved tail_ past its position, and read
// only by the one that moved head_ past it; a cell is reused only after its consumer has handed it
// on. Progress: lock-free as a queue (a producer stopped between claim and publish makes consumers
// see "empty" from that cell on, never a torn or lost value).
// Memory orders: `sequence` is stored with release by whoever finished with the cell and loaded
// with acquire by whoever wants it next: that pair carries the value over. tail_ and head_ only
// hand out positions and carry no data: relaxed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Thread-safe: any number of threads may push and pop. T must fit an atomic word.
template <class T, class Atomics = StdAtomics>
class MpmcRing {
 public:
  enum Site : int { kProducerSees, kConsumerSees, kPublish, kHandOn };

  /// Capacity is rounded up to a power of two, at least 2.
  explicit MpmcRing(size_t capacity) {
    size_t size = 2;
    while (size < capacity) size *= 2;
    mask_ = size - 1;
    cells_ = std::make_unique<Cell[]>(size);
    for (size_t i = 0; i < size; ++i) cells_[i].sequence.store(i, std::memory_order_relaxed);
  }

  size_t capacity() const { return mask_ + 1; }

  /// False when full, or when the consumer of the cell's last turn has not handed it on yet. That
  /// may be so while the ring is nearly empty: a thread that is stopped between claim and hand-on
  /// holds up whoever comes round the ring to its cell.
  [[nodiscard]] bool TryPush(T value) {
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
          return true;
        }
      } else if (static_cast<int64_t>(sequence - pos) < 0) {
        return false;
      } else {
        pos = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// For rings with a place for every value there is: waits, if need be, for a consumer that has
  /// been stopped midway. Nothing else can make it wait.
  void Push(T value) {
    while (!TryPush(value)) {
      Atomics::Pause();
      if constexpr (!Atomics::kModelled) std::this_thread::yield();
    }
  }

  /// False when empty.
  [[nodiscard]] bool TryPop(T* value) {
    uint64_t pos = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[pos & mask_];
      const uint64_t sequence =
          cell.sequence.load(Atomics::At(kConsumerSees, std::memory_order_acquire));
      if (sequence == pos + 1) {
        if (head_.compare_exchange_weak(pos, pos + 1, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
          *value = cell.value;
          cell.sequence.store(pos + mask_ + 1, Atomics::At(kHandOn, std::memory_order_release));
          return true;
        }
      } else if (static_cast<int64_t>(sequence - (pos + 1)) < 0) {
        return false;
      } else {
        pos = head_.load(std::memory_order_relaxed);
      }
    }
  }

  /// A moment's guess, for heuristics only.
  [[nodiscard]] size_t SizeGuess() const {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? static_cast<size_t>(tail - head) : 0;
  }

 private:
  struct Cell {
    typename Atomics::template Atomic<uint64_t> sequence;
    typename Atomics::template Plain<T> value{};  // guarded by sequence
  };

  size_t mask_ = 0;
  std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLine) typename Atomics::template Atomic<uint64_t> tail_{0};
  alignas(kCacheLine) typename Atomics::template Atomic<uint64_t> head_{0};
};

}  // namespace adagents::internal
