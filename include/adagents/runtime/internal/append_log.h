// What several threads leave behind for one reader that comes after all of them.
//
// Invariants: each place is drawn by one thread, which alone writes it; nothing is read before
// every writer has left, in a way that makes its writes visible to the reader (for a decision: the
// claim word, the flow graph or RequestState::users). Progress: wait-free. Memory orders: relaxed
// throughout. The counter only hands out places and carries no data; that the reader sees all draws
// and what was written there follows from the writers' leaving.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Append() is thread-safe; the rest is for who has it alone.
template <class T, uint32_t kPlaces, class Atomics = StdAtomics>
class AppendLog {
 public:
  /// Beyond the last place it is only counted.
  void Append(const T& value) {
    const uint32_t place = next_.fetch_add(1, std::memory_order_relaxed);
    if (place < kPlaces) places_[place] = value;
  }

  [[nodiscard]] uint32_t size() const {
    return std::min(next_.load(std::memory_order_relaxed), kPlaces);
  }
  [[nodiscard]] uint32_t dropped() const { return next_.load(std::memory_order_relaxed) - size(); }
  [[nodiscard]] T At(uint32_t i) const { return places_[i]; }
  void Clear() { next_.store(0, std::memory_order_relaxed); }

 private:
  typename Atomics::template Atomic<uint32_t> next_{0};
  std::array<typename Atomics::template Plain<T>, kPlaces> places_;
};

}  // namespace adagents::internal
