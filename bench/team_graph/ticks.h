// Time in ticks of the processor's counter where it is steady (x86 with an invariant TSC), else in
// nanoseconds of steady_clock: reading it costs 10 ns instead of 25, which matters where the thing
// that is measured takes 40.
#pragma once

#include <chrono>
#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace adagents::bench {

class Ticks {
 public:
  /// Finds out whether the counter can be used, its rate and the cost of a read. Call once, first.
  static void Calibrate();

  /// Now, after all earlier instructions and before all later ones.
  static uint64_t Now() {
#if defined(__x86_64__)
    if (tsc_) [[likely]] {
      unsigned core = 0;
      const uint64_t now = __rdtscp(&core);
      _mm_lfence();
      return now;
    }
#endif
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
  }
  static double ToMicroseconds(double ticks) { return ticks / per_us_; }
  static uint64_t FromMicroseconds(double us) { return static_cast<uint64_t>(us * per_us_); }
  /// The least that two reads in a row are apart.
  static uint64_t read_cost() { return read_cost_; }
  static bool uses_tsc() { return tsc_; }

 private:
  static inline bool tsc_ = false;
  static inline double per_us_ = 1e3;
  static inline uint64_t read_cost_ = 0;
};

/// Tells the core that this is a spinning loop.
inline void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Processor time used so far, in nanoseconds.
int64_t ProcessCpuNanos();
int64_t ThreadCpuNanos();

/// Processor time that the whole machine has used so far, in nanoseconds (to a hundredth of a
/// second); negative where it cannot be known.
int64_t MachineCpuNanos();

}  // namespace adagents::bench
