// A clock that stands still until it is told to move, for tests and simulations:
//
//   VirtualClock clock;
//   RuntimeOptions options;
//   options.clock = &clock;
//   options.inline_scheduler.emplace();
//   ...
//   clock.Advance(absl::Milliseconds(49));     // both times
//   clock.JumpWall(absl::Hours(-1));           // civil time alone, as when an operator corrects it
//
// The steady time starts at one second and not at zero, which CallOptions::arrival_nanos reads as
// "now". The civil time starts at 2026-01-01 00:00 UTC unless the constructor says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "adagents/base/clock.h"

namespace adagents::testing {

/// Thread-safe: any thread may read, advance or set it; who sees a new time also sees what its
/// setter had written before. Nothing blocks.
class VirtualClock final : public Clock {
 public:
  static constexpr int64_t kStartNanos = 1'000'000'000;

  VirtualClock() : VirtualClock(absl::FromUnixSeconds(1'767'225'600)) {}
  explicit VirtualClock(absl::Time wall) { SetWall(wall); }

  int64_t Now() const override { return now_.load(std::memory_order_acquire); }
  /// To the nanosecond, between the years 1678 and 2262; clamped beyond.
  absl::Time WallNow() const override {
    return absl::FromUnixNanos(Sum(Now(), wall_minus_now_.load(std::memory_order_acquire)));
  }

  /// Moves steady and civil time forwards. Steady time never decreases: a negative duration does
  /// nothing. Saturates at the largest int64_t.
  void Advance(absl::Duration by) {
    const int64_t nanos = absl::ToInt64Nanoseconds(by);  // saturates
    if (nanos <= 0) return;
    int64_t now = now_.load(std::memory_order_relaxed);
    // Release: who reads the new time sees what happened before it here.
    while (!now_.compare_exchange_weak(now, Sum(now, nanos), std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
    }
  }

  /// Sets civil time; steady time does not notice.
  void SetWall(absl::Time wall) {
    wall_minus_now_.store(Sum(absl::ToUnixNanos(wall), -Now()), std::memory_order_release);
  }
  /// Moves civil time, backwards when negative; steady time does not notice.
  void JumpWall(absl::Duration by) {
    const int64_t nanos = absl::ToInt64Nanoseconds(by);
    int64_t offset = wall_minus_now_.load(std::memory_order_relaxed);
    while (!wall_minus_now_.compare_exchange_weak(
        offset, Sum(offset, nanos), std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
  }

 private:
  static int64_t Sum(int64_t a, int64_t b) {
    int64_t sum = 0;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return a > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  }

  std::atomic<int64_t> now_{kStartNanos};
  std::atomic<int64_t> wall_minus_now_{0};
};

}  // namespace adagents::testing
