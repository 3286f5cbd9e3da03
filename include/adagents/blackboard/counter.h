// Two counters: Counter for statistics, never in anybody's way; BoundedCounter for what must not
// exceed a limit.
//
//   Counter seen;                     BoundedCounter budget(/*limit=*/1'000'000);
//   seen.Add(1);                      if (budget.TryAdd(price)) { ... budget.Release(price); }
//   int64_t n = seen.Sum();
//
// Both hold no pointers: Region::Place<Counter>("seen") puts one into a region.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "adagents/base/atomics.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

/// A sum that many threads add to. Thread-safe.
///
/// Each thread adds to one of kStripes words, each on its own cache line, picked by its thread
/// index. Progress: Add() and Sum() are wait-free. Memory orders: all relaxed, for a count
/// publishes nothing else; each stripe alone never goes back, so with additions of one sign a
/// thread's successive sums do not either.
template <class Atomics = StdAtomics>
class BasicCounter {
 public:
  static constexpr uint32_t kStripes = internal::CounterLayout::kStripes;

  BasicCounter() = default;
  BasicCounter(const BasicCounter&) = delete;
  BasicCounter& operator=(const BasicCounter&) = delete;

  /// Wraps around at 64 bits.
  void Add(int64_t n = 1) {
    stripes_[Atomics::ThreadIndex() % kStripes].sum.fetch_add(n, std::memory_order_relaxed);
  }

  /// All additions that happened before this call, and possibly some that run during it.
  [[nodiscard]] int64_t Sum() const {
    uint64_t sum = 0;
    for (const Stripe& stripe : stripes_) {
      sum += static_cast<uint64_t>(stripe.sum.load(std::memory_order_relaxed));
    }
    return static_cast<int64_t>(sum);
  }

  /// For Region. A thread that died has added or has not.
  void Recover() {}
  static RegionObject Describe(std::string_view name) {
    static_assert(Atomics::kModelled || sizeof(Stripe) == internal::CounterLayout::kStripeBytes);
    return internal::DescribeObject(ObjectKind::kCounter, name, 1, internal::FactsOf<int64_t>());
  }

 private:
  struct alignas(kCacheLine) Stripe {
    typename Atomics::template Atomic<int64_t> sum{0};
  };
  Stripe stripes_[kStripes];
};
using Counter = BasicCounter<>;

/// A value from 0 to a limit that is never crossed, not even for a moment. Thread-safe.
///
/// Progress: lock-free; a compare-and-swap fails only when another one succeeded. A wait-free
/// fetch_add would overshoot and come back, and whoever reads in between would refuse money that
/// is there. Memory orders: all relaxed. The value is one word, whose changes are totally ordered
/// by themselves, and it guards no other memory: what is reserved by it is published elsewhere.
template <class Atomics = StdAtomics>
class BasicBoundedCounter {
 public:
  /// A negative limit counts as 0, an initial value outside [0, limit] as the nearest inside.
  explicit BasicBoundedCounter(int64_t limit, int64_t initial = 0)
      : limit_(limit < 0 ? 0 : limit),
        value_(initial < 0 ? 0 : (initial > limit ? (limit < 0 ? 0 : limit) : initial)) {}
  BasicBoundedCounter(const BasicBoundedCounter&) = delete;
  BasicBoundedCounter& operator=(const BasicBoundedCounter&) = delete;

  /// Adds n >= 0 unless that would cross the limit; false, and nothing added, if it would or if n
  /// is negative.
  [[nodiscard]] bool TryAdd(int64_t n) {
    if (n < 0) return false;
    const int64_t limit = limit_.load(std::memory_order_relaxed);
    int64_t value = value_.load(std::memory_order_relaxed);
    while (value <= limit && n <= limit - value) {
      if (value_.compare_exchange_weak(value, value + n, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  /// Takes n >= 0 back. False, and nothing taken, if there is less than n or n is negative: that
  /// is a caller's error, a release of what was not added.
  bool Release(int64_t n) {
    if (n < 0) return false;
    int64_t value = value_.load(std::memory_order_relaxed);
    while (value >= n) {
      if (value_.compare_exchange_weak(value, value - n, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  /// Changes the limit (negative counts as 0). A value above a lowered limit stays until released;
  /// a TryAdd() that runs at the same time may still go by the old limit.
  void SetLimit(int64_t limit) { limit_.store(limit < 0 ? 0 : limit, std::memory_order_relaxed); }

  [[nodiscard]] int64_t value() const { return value_.load(std::memory_order_relaxed); }
  [[nodiscard]] int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  /// limit - value, at least 0, at some moment.
  [[nodiscard]] int64_t left() const {
    const int64_t left = limit() - value();
    return left < 0 ? 0 : left;
  }

  /// For Region. A thread that died has added or has not; what it meant to release is still held.
  void Recover() {}
  static RegionObject Describe(std::string_view name) {
    static_assert(Atomics::kModelled ||
                  sizeof(BasicBoundedCounter) == internal::BoundedCounterLayout::kBytes);
    return internal::DescribeObject(ObjectKind::kBoundedCounter, name, 1,
                                    internal::FactsOf<int64_t>());
  }

 private:
  typename Atomics::template Atomic<int64_t> limit_;
  typename Atomics::template Atomic<int64_t> value_;
};
using BoundedCounter = BasicBoundedCounter<>;

}  // namespace adagents
