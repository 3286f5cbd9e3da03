// How a strict caller waits for its answer.
//
// Word: pending, pending while the caller sleeps, answered, or handed back: settled by another, and
// the caller itself has to finish the answer.
// Invariants: after Reset() exactly one of Answer() and HandBack() is called, or the caller settles
// the decision itself and neither is; a caller that sleeps is woken by either.
// Memory orders: Answer() and HandBack() release what they announce, the caller's looks acquire it.
// Sleeping needs no order: it only fails when there is news, which is then looked at anew.
#pragma once

#include <cstdint>

#include "adagents/base/atomics.h"
#include "adagents/base/deadline.h"
#include "adagents/runtime/internal/futex.h"

namespace adagents::internal {

/// Thread-safe: one caller, any number of others.
template <class Atomics = FutexAtomics>
class AnswerLatch {
 public:
  enum Site : int { kTell, kLook };
  enum class State : uint32_t { kPending, kSleeping, kAnswered, kHandedBack };

  /// Before anybody else knows of it.
  void Reset() { word_.store(kPending, std::memory_order_relaxed); }

  void Answer() { Tell(kAnswered); }
  void HandBack() { Tell(kHandedBack); }

  [[nodiscard]] State Look() const {
    return static_cast<State>(word_.load(Atomics::At(kLook, std::memory_order_acquire)));
  }
  /// The caller's: sleeps while there is no news, until the deadline. May wake early.
  void Sleep(Deadline deadline) {
    uint32_t now = kPending;
    if (word_.compare_exchange_strong(now, kSleeping, std::memory_order_relaxed,
                                      std::memory_order_relaxed) ||
        now == kSleeping) {
      Atomics::Wait(word_, kSleeping, deadline);
    }
  }

 private:
  static constexpr auto kPending = static_cast<uint32_t>(State::kPending);
  static constexpr auto kSleeping = static_cast<uint32_t>(State::kSleeping);
  static constexpr auto kAnswered = static_cast<uint32_t>(State::kAnswered);
  static constexpr auto kHandedBack = static_cast<uint32_t>(State::kHandedBack);

  void Tell(uint32_t news) {
    if (word_.exchange(news, Atomics::At(kTell, std::memory_order_release)) == kSleeping) {
      Atomics::Wake(word_, 1);
    }
  }

  typename Atomics::template Atomic<uint32_t> word_{kPending};
};

}  // namespace adagents::internal
