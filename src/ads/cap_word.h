// One capped window in one 64-bit word, so that "is there a place, then take it" is one
// compare-and-swap. How it counts:
//
// A sliding window as counters of sub-windows (Arasu, Manku: "Approximate counts and quantiles over
// sliding windows", PODS 2004, keep such blocks; rate limiters call it a sliding window counter).
// Time is cut into slices of at least a seventh of the window; every slice that the window ending
// now touches is counted whole, never in part. So an impression counts for at least the window and
// less than one slice longer: no window of that length, wherever it begins, holds more than the
// limit, and a place frees up at most a slice late.
//
// A reservation counts like an impression, but in one of two generations of the reservations' time
// to live: it stops counting between one and two of them after it was made, by itself, when its
// impression or release never comes.
//
// Bits: time 24 | 8 slices of 4 | reserved in this generation 4 | in the one before 4.
// All counts are as of `time` (units since the region's beginning, modulo 2^24: two years of 4 s);
// whoever looks later moves them on by the slices and generations that have passed. An entry that
// nobody touched for two years may be taken for a fresh one: then it blocks for a while.
// No branch here depends on what a word holds, except for whether there is room: such a branch is
// guessed wrong, and that is found out only when the word has come from memory.
// Invariant: the newest slice and all reservations together are at most kMost, so that every
// reservation can become an impression in the newest slice without overflow.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace adagents::ads::internal {

/// Seconds in one unit of a window's time. Times are floored, widths are rounded up.
inline constexpr uint32_t kCapUnitSeconds = 4;

/// A length of time, by which times are divided without a division (Granlund, Montgomery: "Division
/// by invariant integers using multiplication", 1994).
struct CapPeriod {
  uint32_t units = 1;
  uint64_t reciprocal = ~uint64_t{0};  ///< rounded down

  constexpr CapPeriod() = default;
  constexpr explicit CapPeriod(uint32_t length)
      : units(length < 1 ? 1 : length), reciprocal(~uint64_t{0} / units) {}
  /// How many of them have passed at `time`; as time / units, exactly. With the reciprocal rounded
  /// down, (time + 1) * reciprocal is too small by less than the 1 / units that time + 1 adds.
  [[nodiscard]] constexpr uint32_t At(uint32_t time) const {
    const auto product = static_cast<unsigned __int128>(uint64_t{time} + 1) * reciprocal;
    return static_cast<uint32_t>(product >> 64);
  }
};

/// A window, and how it is cut up.
struct CapShape {
  uint32_t span = 1;  ///< of the window, units
  CapPeriod width;    ///< of a slice; at most CapWord::kSlices - 1 of them cover the span
  uint32_t code = 1;  ///< of the width, 8 bits

  /// Of a window of `seconds`.
  static constexpr CapShape Of(uint32_t seconds);
  static constexpr uint32_t WidthOf(uint32_t code) {
    const uint32_t whole = uint32_t{code >= 16};
    return std::max((16 * whole + code % 16) << (code / 16 - whole), 1u);
  }
  /// The least width that has a code and is at least `units`.
  static constexpr uint32_t CodeOf(uint32_t units) {
    const uint32_t shift = ShiftOf(units);
    return 16 * shift + TimesOf(units, shift);
  }

 private:
  // A width is 1 to 31 times 2^shift; what does not divide is rounded up.
  static constexpr uint32_t ShiftOf(uint32_t units) {
    const uint32_t least = std::max(static_cast<uint32_t>(std::bit_width(units)), 5u) - 5;
    return least + uint32_t{units > 31u << least};
  }
  static constexpr uint32_t TimesOf(uint32_t units, uint32_t shift) {
    return (std::max(units, 1u) + (1u << shift) - 1) >> shift;
  }
};

/// The widths that there are, by their codes.
inline constexpr auto kCapWidths = [] {
  std::array<CapPeriod, 256> widths;
  for (uint32_t code = 0; code < widths.size(); ++code) {
    widths[code] = CapPeriod(CapShape::WidthOf(code));
  }
  return widths;
}();

/// A word, taken apart and moved on to a moment. Plain value.
struct CapWord {
  static constexpr int kSlices = 8;
  static constexpr uint32_t kMost = 15;               ///< of one slice, reservations included
  static constexpr uint64_t kFree = 0;                ///< never used
  static constexpr uint64_t kClaimed = ~uint64_t{0};  ///< changes hands; no counts look like it

  uint32_t time = 0;    ///< units; of the last change, or of `now`
  uint32_t slices = 0;  ///< newest lowest
  uint32_t fresh = 0;   ///< reserved in the generation of `time`
  uint32_t aging = 0;   ///< reserved in the one before

  [[gnu::always_inline]] static CapWord At(uint64_t word, uint32_t now, const CapPeriod& width,
                                           const CapPeriod& ttl) {
    CapWord w;
    w.time = TimeOf(word, now);
    w.slices = static_cast<uint32_t>(word >> 8);
    w.fresh = static_cast<uint32_t>(word & 15);
    w.aging = static_cast<uint32_t>(word >> 4 & 15);
    w.MoveOn(now, width, ttl);
    return w;
  }
  /// To `now`, unless another thread was there already.
  [[gnu::always_inline]] void MoveOn(uint32_t now, const CapPeriod& width, const CapPeriod& ttl) {
    if (now <= time) return;
    slices = Shifted(slices, width.At(now) - width.At(time));
    const uint32_t generations = ttl.At(now) - ttl.At(time);
    aging = generations == 0 ? aging : generations == 1 ? fresh : 0;
    fresh = generations == 0 ? fresh : 0;
    time = now;
  }
  [[gnu::always_inline]] [[nodiscard]] uint64_t Packed() const {
    const uint64_t word =
        uint64_t{time & kTimeMask} << 40 | uint64_t{slices} << 8 | aging << 4 | fresh;
    return word == kFree ? uint64_t{1} << 40 : word;
  }

  /// Whether another key may have the place of `word`: nothing in it counts any more, and two
  /// generations have passed since it was touched. The second half sees to it that the same bits
  /// never come back in the same place while somebody who has read them could still be at work.
  static bool IsOver(uint64_t word, uint32_t now, const CapPeriod& width, const CapPeriod& ttl) {
    if (word == kFree) return true;
    if (word == kClaimed) return false;
    const uint32_t then = TimeOf(word, now);
    if (then >= now || ttl.At(now) - ttl.At(then) < 2) return false;
    return Shifted(static_cast<uint32_t>(word >> 8), width.At(now) - width.At(then)) == 0;
  }

  [[nodiscard]] uint32_t Reserved() const { return fresh + aging; }
  /// Impressions in the slices that the window which ends at `time` touches.
  [[gnu::always_inline]] [[nodiscard]] uint32_t Counted(const CapShape& shape) const {
    const uint32_t start = time - std::min(shape.span, time);
    const uint32_t before = shape.width.At(time) - shape.width.At(start);
    const uint32_t touched = std::min(before + 1, uint32_t{kSlices});
    const auto in = static_cast<uint32_t>(slices & ((uint64_t{1} << (4 * touched)) - 1));
    const uint32_t pairs = (in & 0x0f0f0f0f) + (in >> 4 & 0x0f0f0f0f);
    return pairs * 0x01010101 >> 24;
  }
  [[gnu::always_inline]] [[nodiscard]] bool HasRoom(uint32_t limit, const CapShape& shape) const {
    // Not &&: one outcome to guess instead of two.
    const int under_limit = Counted(shape) + Reserved() < limit;
    const int countable = (slices & 15) + Reserved() < kMost;
    return (under_limit & countable) != 0;
  }
  /// Only when HasRoom().
  void Reserve() { ++fresh; }
  /// Takes back one reservation of the moment `reserved_at`; one that has expired is gone already.
  void Unreserve(uint32_t reserved_at, const CapPeriod& ttl) {
    const uint32_t generations = ttl.At(time) - ttl.At(std::min(reserved_at, time));
    if (generations > 1) return;
    // Clocks of two threads may straddle a generation's end, so either may hold it.
    if ((generations == 1 && aging > 0) || (fresh == 0 && aging > 0)) {
      --aging;
    } else if (fresh > 0) {
      --fresh;
    }
  }
  /// One impression. False, and nothing, when the room of a slice is taken, by impressions or for
  /// those that are reserved: only one whose own reservation had expired meets that.
  [[nodiscard]] bool Count() {
    if ((slices & 15) + Reserved() >= kMost) return false;
    ++slices;
    return true;
  }
  /// From when on there is room, if nothing else happens; `time` when there is.
  [[nodiscard]] uint32_t FreeFrom(uint32_t limit, const CapShape& shape,
                                  const CapPeriod& ttl) const;

 private:
  static constexpr uint32_t kTimeMask = (1u << 24) - 1;
  // How far ahead another thread's clock may have read: beyond, a time counts as long past.
  static constexpr uint32_t kAhead = 3600 / kCapUnitSeconds;

  /// All slices, `by` slices later.
  static uint32_t Shifted(uint32_t slices, uint32_t by) {
    return static_cast<uint32_t>(uint64_t{slices} << (4 * std::min(by, uint32_t{kSlices})));
  }
  static uint32_t TimeOf(uint64_t word, uint32_t now) {
    const auto low = static_cast<uint32_t>(word >> 40);
    const uint32_t age = (now - low) & kTimeMask;
    if (age > kTimeMask - kAhead) return now + (kTimeMask + 1 - age);
    return now - std::min(age, now);
  }
};

inline constexpr CapShape CapShape::Of(uint32_t seconds) {
  CapShape shape;
  shape.span = std::max((seconds + kCapUnitSeconds - 1) / kCapUnitSeconds, 1u);
  const uint32_t least = (shape.span + CapWord::kSlices - 2) / (CapWord::kSlices - 1);
  const uint32_t shift = ShiftOf(least), times = TimesOf(least, shift);
  shape.code = 16 * shift + times;
  shape.width = kCapWidths[shape.code & 0xff];
  return shape;
}

inline uint32_t CapWord::FreeFrom(uint32_t limit, const CapShape& shape,
                                  const CapPeriod& ttl) const {
  CapWord later = *this;
  // A place frees when the window leaves a slice behind, a generation ends, or (for what one slice
  // may hold) a slice does. After so many of these no count is left.
  for (int step = 0; step < 3 * kSlices + 4 && !later.HasRoom(limit, shape); ++step) {
    const uint32_t generation_end = (ttl.At(later.time) + 1) * ttl.units;
    uint32_t next = generation_end;
    if (later.slices != 0) {
      const uint32_t width = shape.width.units;
      const uint32_t slice_end = (shape.width.At(later.time) + 1) * width;
      const uint32_t start = later.time - std::min(shape.span, later.time);
      const uint32_t left = later.time + width - start % width;
      next = std::min(slice_end, left);
      if (later.Reserved() > 0) next = std::min(next, generation_end);
    }
    later.MoveOn(next, shape.width, ttl);
  }
  return later.time;
}

}  // namespace adagents::ads::internal
