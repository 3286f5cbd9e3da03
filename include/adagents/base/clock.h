// Time, injected. Every part of the library that needs the time takes a Clock, so tests and
// simulations run on a virtual one (testing/virtual_clock.h) at any speed.
//
// Two times, never mixed: Now() is steady and drives deadlines, costs and TTLs; WallNow() is
// civil time for flights, dayparts and logs, and may jump at any moment without harm.
#pragma once

#include <chrono>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace adagents {

/// Thread safety: implementations must allow concurrent calls of every const function.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Steady time in nanoseconds since an arbitrary fixed origin; never decreases.
  virtual int64_t Now() const = 0;

  /// Civil time. May jump forwards or backwards.
  virtual absl::Time WallNow() const = 0;
};

/// The machine's own clocks. Thread-safe, stateless.
class SystemClock final : public Clock {
 public:
  int64_t Now() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  absl::Time WallNow() const override { return absl::Now(); }

  /// One shared instance that lives for ever.
  static const SystemClock& Get() {
    static const SystemClock clock;
    return clock;
  }
};

}  // namespace adagents
