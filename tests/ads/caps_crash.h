// What caps_writer.cc and caps_kill_test.cc agree on: who is capped how, the page on which the
// writer says what it does before it does it and after, and the clock, which stands on that page
// too and so goes on when the writer dies.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "adagents/ads/frequency_caps.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/region.h"

namespace adagents::crash {

inline constexpr size_t kThreads = 4;
inline constexpr int64_t kSecond = 1'000'000'000;
/// Every so long other listeners come, so that windows are opened all the time, in slots of some
/// that are over.
inline constexpr int64_t kShift = 300 * kSecond;
inline constexpr uint64_t kListeners = 24;  // of one shift
inline constexpr size_t kWindows = 3;       // of each listener
inline constexpr int64_t kLongest = 1200 * kSecond;
inline constexpr absl::Duration kTtl = absl::Seconds(60);
inline constexpr uint64_t kBids = 1 << 14;

using ListenerWindows = std::array<ads::CapWindow, kWindows>;

/// A campaign, a creative and a brand, of which the shortest binds first.
inline ListenerWindows WindowsOf(uint64_t listener) {
  const uint64_t subject = Mix64(listener + 1);
  return {{{subject, 1, 60, 2}, {subject, 2, 300, 5}, {subject, 3, 1200, 9}}};
}

/// One bid. Its writer stores what it is about to do, with release, before it does it, and what has
/// been done after.
struct Bid {
  enum Is : uint32_t {
    kFree,
    kReserving,  // nobody has been told: it will not be played
    kSent,       // from here on the ad can be played
    kCounting,   // it was played; not known whether that has been counted
    kCounted,
    kReleasing,
    kReleased,
    kGone  // left to expire, as far as it holds anything
  };
  std::atomic<uint32_t> is{kFree};
  std::atomic<uint32_t> reports{0};  // of its impression
  std::atomic<uint64_t> decision{0}, listener{0};
  std::atomic<int64_t> reserved_at{0};         // before it was
  std::atomic<int64_t> played_from{0}, by{0};  // its impression was counted in between
};

struct Acks {
  struct alignas(64) Thread {
    std::atomic<uint64_t> done{0};          // bids of this life
    std::atomic<int64_t> since{INT64_MAX};  // of its oldest open bid
    std::atomic<uint64_t> next{0};          // in `bids`, over all lives
    std::array<Bid, kBids> bids;            // the last so many
  };
  std::array<Thread, kThreads> threads;
  std::atomic<int64_t> now{1000 * kSecond};
  std::atomic<uint64_t> ready{0}, refused{0}, full{0};  // `ready`: in this life
};

class PageClock final : public Clock {
 public:
  explicit PageClock(Acks& acks) : acks_(acks) {}
  int64_t Now() const override { return acks_.now.load(std::memory_order_acquire); }
  absl::Time WallNow() const override { return absl::FromUnixNanos(Now() + kWall); }
  /// As far as bids are open, only so much: a thread that waits for its turn on a processor must
  /// not find its reservation expired. Whether it has moved.
  bool Advance(int64_t nanos) {
    int64_t since = INT64_MAX;
    for (const auto& t : acks_.threads) since = std::min(since, t.since.load());
    int64_t now = acks_.now.load();
    if (since != INT64_MAX && now + nanos - since > absl::ToInt64Nanoseconds(kTtl) / 2)
      return false;
    return acks_.now.compare_exchange_strong(now, now + nanos);
  }

 private:
  static constexpr int64_t kWall = 1'770'000'000 * kSecond;
  Acks& acks_;
};

inline RegionOptions Options(const Clock& clock) {
  return {.bytes = size_t{8} << 20, .clock = &clock};
}
inline ads::FrequencyCapsOptions CapsIn(Region& region, const Clock& clock) {
  return {.windows = 1000,
          .bids = 8192,
          .ttl = kTtl,
          .late = absl::ZeroDuration(),
          .clock = &clock,
          .region = &region};
}

}  // namespace adagents::crash
