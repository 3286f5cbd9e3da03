// Who is inside a place where one thread works and others may join it.
//
// Word: bit 0 while it is open to helpers, bit 1 for the owner, one bit for each helper.
// Invariants: the owner enters from 0 only, opens once all that helpers read is written, and closes
// before it leaves; helpers enter only while it is open, each with a number of its own; at 0 nobody
// is inside. So what the owner wrote stays valid for whoever is inside.
// Memory orders: opening releases what the owner wrote, a helper's entering acquires it; leaving
// releases the reads and the next owner's entering acquires them. Progress: lock-free.
#pragma once

#include <bit>
#include <cstdint>

#include "adagents/base/atomics.h"

namespace adagents::internal {

/// Thread-safe. Open() is the owner's; Close(), too, or another's who keeps the owner from leaving.
template <class Atomics = StdAtomics>
class Entrance {
 public:
  enum Site : int { kOwn, kOpening, kJoin, kLeave };
  static constexpr int kMaxHelpers = 30;
  static constexpr int kNone = -1;

  /// True when nobody was inside; the caller owns the place until it leaves. What helpers read may
  /// be changed from then on until it opens.
  [[nodiscard]] bool EnterAsOwner() {
    uint32_t free = 0;
    return word_.load(std::memory_order_relaxed) == 0 &&
           word_.compare_exchange_strong(free, kOwner, Atomics::At(kOwn, std::memory_order_acquire),
                                         std::memory_order_relaxed);
  }
  void Open() { word_.fetch_or(kOpen, Atomics::At(kOpening, std::memory_order_release)); }
  void Close() { word_.fetch_and(~kOpen, std::memory_order_relaxed); }
  void LeaveAsOwner() { Leave(kOwner); }

  /// The helper's number, from 0 and below `most`, unlike that of anybody inside; kNone when it is
  /// closed or full.
  [[nodiscard]] int EnterAsHelper(int most) {
    uint32_t now = word_.load(std::memory_order_relaxed);
    for (int number = Free(now, most); number != kNone; number = Free(now, most)) {
      if (word_.compare_exchange_weak(now, now | Helper(number),
                                      Atomics::At(kJoin, std::memory_order_acquire),
                                      std::memory_order_relaxed)) {
        return number;
      }
    }
    return kNone;
  }
  void LeaveAsHelper(int number) { Leave(Helper(number)); }

  /// A moment's guess.
  [[nodiscard]] bool HasRoom(int most) const {
    return Free(word_.load(std::memory_order_relaxed), most) != kNone;
  }

 private:
  static constexpr uint32_t kOpen = 1;
  static constexpr uint32_t kOwner = 2;

  static constexpr uint32_t Helper(int number) { return uint32_t{4} << number; }
  static int Free(uint32_t word, int most) {
    const int number = std::countr_one(word >> 2);
    return (word & kOpen) != 0 && number < most ? number : kNone;
  }
  void Leave(uint32_t who) {
    word_.fetch_and(~who, Atomics::At(kLeave, std::memory_order_release));
  }

  alignas(kCacheLine) typename Atomics::template Atomic<uint32_t> word_{0};
};

}  // namespace adagents::internal
