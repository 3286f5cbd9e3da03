// Which atomics an algorithm runs on. Every lock-free structure of the library is a template on
// such a policy: StdAtomics in production; in the tests testing::ModelAtomics
// (testing/interleave.h), whose loads may return stale values and whose every access is a
// scheduling point, so that interleavings are searched.
//
// How a structure is written against it:
//   template <class T, class Atomics = StdAtomics>
//   class Thing {
//     enum Site { kPublish, kRead };
//     typename Atomics::template Atomic<uint64_t> word_{0};
//     typename Atomics::template Plain<int> guarded_{};  // its races are reported by the tests
//     ... word_.store(1, Atomics::At(kPublish, std::memory_order_release));
//   };
// Every order stronger than relaxed goes through At() with a name of its own. The tests weaken
// one named order at a time and must catch each such mutant; relaxed needs no name. No fences:
// ThreadSanitizer does not model them, and neither do the tests.
#pragma once

#include <atomic>
#include <cstdint>

namespace adagents {

/// The production policy: std::atomic itself. A policy has `template <class T> using Atomic` with
/// load, store, exchange, compare_exchange_strong, compare_exchange_weak, fetch_add, fetch_sub,
/// fetch_or and fetch_and (each with explicit std::memory_order), and the functions below.
/// Thread safety: as std::atomic.
struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;

  /// Ordinary memory that the structure's atomics guard.
  template <class T>
  using Plain = T;

  /// True in tests only: objects must then be constructed even where zeroed memory would do.
  static constexpr bool kModelled = false;

  /// The order itself; a test's policy may return a weaker one for the `site` (an enumerator of
  /// the structure) under test. Costs nothing once compiled.
  template <class Site>
  static constexpr std::memory_order At(Site /*site*/, std::memory_order order) {
    return order;
  }

  /// Called in every spinning loop.
  static void Pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  /// A small number for the calling thread, dense from 0 in order of first use and never reused:
  /// picks a stripe, modulo the number of stripes. Two threads may share a stripe.
  static uint32_t ThreadIndex() {
    static std::atomic<uint32_t> next{0};
    static constinit thread_local uint32_t mine = 0;  // index + 1; 0 until first use
    if (mine == 0) mine = next.fetch_add(1, std::memory_order_relaxed) + 1;
    return mine - 1;
  }
};

/// Bytes that cores exchange as one; what different threads write is kept this far apart.
inline constexpr int kCacheLine = 64;

}  // namespace adagents
