// The one word that decides how a decision ends.
//
// A decision is opened once and settled once: completed by whoever ran it, expired by whoever
// noticed the deadline, cancelled by the caller. Exactly one Settle() of a generation succeeds.
// Side effects pass the same word: a hold (a reservation of budget, say) is registered only while
// the decision is open, and whoever settles learns in the same compare-and-swap which holds it has
// to keep or release. A straggler whose Register() fails undoes its side effect itself.
//
// Word: generation (24 bits) | registered holds (32 bits) | end (8 bits; 0 = open).
// Invariants: end goes from open to one value per generation; hold bits are set only while open;
// a new generation starts only after the last user of the old one has left (the owner's contract),
// so the 24 bits guard against late timers and cancellers, which remember the generation.
// Progress: wait-free reads, lock-free transitions.
// Memory orders: Settle() is acq_rel: it publishes the answer that was prepared before it to
// whoever sees the end, and acquires the holds that others registered (their Register() releases
// the hold entry). Open() is seq_cst because it is one half of a store-load handshake with the
// timer: open, then read the timer's next wake-up; the timer stores its next wake-up, then reads
// the words.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"

namespace adagents::internal {

enum class End : uint8_t { kOpen = 0, kCompleted = 1, kExpired = 2, kCancelled = 3 };

/// Thread-safe, but for Open(), which belongs to the decision's owner.
template <class Atomics = StdAtomics>
class SettleGate {
 public:
  enum Site : int { kOpenSite, kSettle, kRegister, kRead, kSweep };
  static constexpr int kMaxHolds = 32;

  /// What Open() will return: for what others may read once it is open. Only the owner.
  [[nodiscard]] uint32_t Next() const {
    return static_cast<uint32_t>(((word_.load(std::memory_order_relaxed) >> kGenShift) + 1) &
                                 kGenMask);
  }
  /// Starts the next generation and returns it. Only the owner, with no other user left.
  uint32_t Open() {
    const uint32_t next = Next();
    word_.store(uint64_t{next} << kGenShift, Atomics::At(kOpenSite, std::memory_order_seq_cst));
    return next;
  }

  /// True for exactly one caller per generation; `*holds` then has bit i set for each registered
  /// hold i.
  [[nodiscard]] bool Settle(uint32_t generation, End end, uint32_t* holds) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    while (IsOpen(word, generation)) {
      if (word_.compare_exchange_weak(word, word | static_cast<uint64_t>(end),
                                      Atomics::At(kSettle, std::memory_order_acq_rel),
                                      std::memory_order_relaxed)) {
        *holds = static_cast<uint32_t>(word >> kHoldShift);
        return true;
      }
    }
    return false;
  }

  /// False once settled (or of another generation). Publishes hold entry `index` (0..31), which the
  /// caller has written before.
  [[nodiscard]] bool Register(uint32_t generation, int index) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    while (IsOpen(word, generation)) {
      const uint64_t with = word | (uint64_t{1} << (kHoldShift + index));
      if (word_.compare_exchange_weak(word, with, Atomics::At(kRegister, std::memory_order_release),
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  /// How this generation ended, kOpen if it has not; kCancelled for a generation that is over.
  [[nodiscard]] End Read(uint32_t generation) const {
    const uint64_t word = word_.load(Atomics::At(kRead, std::memory_order_acquire));
    if ((word >> kGenShift) != generation) return End::kCancelled;
    return static_cast<End>(word & kEndMask);
  }

  /// The current generation if it is open, for the timer's sweep; -1 otherwise.
  [[nodiscard]] int64_t OpenGeneration() const {
    const uint64_t word = word_.load(Atomics::At(kSweep, std::memory_order_seq_cst));
    return (word & kEndMask) == 0 ? static_cast<int64_t>(word >> kGenShift) : -1;
  }

 private:
  static constexpr int kHoldShift = 8;
  static constexpr int kGenShift = 40;
  static constexpr uint64_t kEndMask = 0xff;
  static constexpr uint64_t kGenMask = 0xffffff;

  static bool IsOpen(uint64_t word, uint32_t generation) {
    return (word >> kGenShift) == generation && (word & kEndMask) == 0;
  }

  // Starts settled, so that a sweep passes by what was never opened.
  typename Atomics::template Atomic<uint64_t> word_{static_cast<uint64_t>(End::kCancelled)};
};

}  // namespace adagents::internal
