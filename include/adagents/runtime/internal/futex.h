// StdAtomics with a futex: the policy of whatever parks threads. Linux only.
#pragma once

#include <atomic>
#include <cstdint>

#include "adagents/base/atomics.h"
#include "adagents/base/deadline.h"

namespace adagents::internal {

struct FutexAtomics : StdAtomics {
  /// Sleeps while `word` is `expected`, until woken or the deadline (system steady clock). May wake
  /// early. Thread-safe.
  static void Wait(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline);
  /// Wakes up to `count` threads that sleep on `word`.
  static void Wake(const std::atomic<uint32_t>& word, int count);
};

}  // namespace adagents::internal
