// Which atomics an algorithm runs on. Every lock-free structure of the library is a template on
// such a policy: StdAtomics in production; in the tests a policy whose loads may return stale
// values and whose every access is a scheduling point, so that interleavings are searched.
#pragma once

#include <atomic>

namespace adagents {

/// The production policy: std::atomic itself. A policy has `template <class T> using Atomic` with
/// load, store, exchange, compare_exchange_strong, compare_exchange_weak, fetch_add, fetch_sub,
/// fetch_or and fetch_and (each with explicit std::memory_order); `Plain<T>`, ordinary memory that
/// the atomics guard; `Pause()`, called in every spinning loop; and `At(site, order)`, through which
/// a structure names each memory order it depends on, so that a test can weaken one of them and see
/// the structure break. Sites are enumerators of the structure. Thread safety: as std::atomic.
struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
  template <class T>
  using Plain = T;

  static constexpr std::memory_order At(int /*site*/, std::memory_order order) { return order; }

  static void Pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
};

/// Bytes that cores exchange as one; what different threads write is kept this far apart.
inline constexpr int kCacheLine = 64;

}  // namespace adagents
