// The one type for "by when": a point on a Clock's steady time, with saturating arithmetic, so
// that an infinite deadline stays infinite and nothing overflows.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "adagents/base/clock.h"

namespace adagents {

/// A value type; thread-compatible (const calls may run concurrently).
class Deadline {
 public:
  /// Never reached.
  static constexpr Deadline Infinite() { return Deadline(kForever); }
  /// `nanos` on the clock's steady time.
  static constexpr Deadline At(int64_t nanos) { return Deadline(nanos); }
  /// `after` from `now` (both nanoseconds); saturates at Infinite() and at the far past.
  static constexpr Deadline After(int64_t now, int64_t after) {
    int64_t sum = 0;
    if (__builtin_add_overflow(now, after, &sum)) {
      return Deadline(after > 0 ? kForever : std::numeric_limits<int64_t>::min());
    }
    return Deadline(sum);
  }
  /// `after` from the clock's now; absl::InfiniteDuration() gives Infinite().
  static Deadline In(const Clock& clock, absl::Duration after) {
    return After(clock.Now(), absl::ToInt64Nanoseconds(after));
  }

  constexpr Deadline() = default;  // Infinite

  /// Nanoseconds on the steady time; the largest int64_t when infinite.
  constexpr int64_t nanos() const { return at_; }
  constexpr bool infinite() const { return at_ == kForever; }
  constexpr bool Passed(int64_t now) const { return now >= at_ && !infinite(); }

  /// Nanoseconds left at `now`; negative once passed, the largest int64_t when infinite.
  constexpr int64_t Left(int64_t now) const {
    if (infinite()) return kForever;
    int64_t left = 0;
    if (__builtin_sub_overflow(at_, now, &left)) return now > 0 ? -kForever : kForever;
    return left;
  }
  absl::Duration Remaining(const Clock& clock) const {
    return infinite() ? absl::InfiniteDuration() : absl::Nanoseconds(Left(clock.Now()));
  }

  /// This deadline, `nanos` earlier; infinite stays infinite.
  constexpr Deadline Minus(int64_t nanos) const {
    if (infinite()) return *this;
    int64_t at = 0;
    if (__builtin_sub_overflow(at_, nanos, &at)) {
      at = nanos > 0 ? std::numeric_limits<int64_t>::min() : kForever;
    }
    return Deadline(at);
  }

  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  static constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  explicit constexpr Deadline(int64_t at) : at_(at) {}
  int64_t at_ = kForever;
};

}  // namespace adagents
