// Many threads on few windows for simulated weeks: no window is ever exceeded. What was shown is
// logged outside the counts, and checked against every window afterwards.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/ads/frequency_caps.h"
#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr absl::Duration kTtl = absl::Minutes(15);
constexpr uint64_t kListeners = 6;

/// Three caps on one campaign for each listener: the binding one changes with the hour.
std::vector<CapWindow> WindowsOf(uint64_t listener) {
  return {{.subject = listener, .target = 1, .seconds = 600, .limit = 1},
          {.subject = listener, .target = 2, .seconds = 3600, .limit = 3},
          {.subject = listener, .target = 3, .seconds = 7 * 86'400, .limit = 40}};
}

class Stress {
 public:
  Stress(int threads, int rounds, size_t windows)
      : threads_(threads),
        rounds_(rounds),
        caps_({.windows = windows, .bids = 50'000, .ttl = kTtl, .clock = &clock_}),
        round_(threads, Next{this}) {}

  void Run() {
    std::vector<std::thread> crew;
    for (int t = 0; t < threads_; ++t)
      crew.emplace_back([this, t] { Work(static_cast<uint64_t>(t)); });
    for (std::thread& t : crew) t.join();
  }
  /// The most impressions of any listener in any window beyond its limit; also counts all.
  int64_t Excess() {
    int64_t excess = 0;
    for (auto& [listener, times] : shown_) {
      std::sort(times.begin(), times.end());
      for (const CapWindow& w : WindowsOf(listener)) {
        std::deque<int64_t> in;
        for (const int64_t at : times) {
          in.push_back(at);
          while (in.front() <= at - w.seconds * int64_t{1'000'000'000}) in.pop_front();
          excess = std::max(excess, static_cast<int64_t>(in.size()) - w.limit);
        }
      }
    }
    return excess;
  }
  size_t shown() const {
    size_t n = 0;
    for (const auto& [listener, times] : shown_) n += times.size();
    return n;
  }
  FrequencyCaps& caps() { return caps_; }

 private:
  /// Between two rounds the clock moves, by less than a third of the time to live: a bid settles in
  /// the round after the one that made it, or is lost for good.
  struct Next {
    Stress* stress;
    void operator()() noexcept { stress->clock_.Advance(kTtl * 0.33 * stress->random_.Uniform()); }
  };

  void Work(uint64_t thread) {
    Random random(thread + 77);
    std::vector<std::pair<uint64_t, uint64_t>> before, now;  // bids and their listeners
    uint64_t decision = thread << 32;
    for (int r = 0; r < rounds_; ++r) {
      for (const auto& [bid, listener] : before) Settle(random, bid, listener);
      before.clear();
      for (int i = 0; i < 6; ++i) {
        const uint64_t listener = random.Below(kListeners);
        const std::vector<CapWindow> windows = WindowsOf(listener);
        if (caps_.Reserve(++decision, 0, windows).ok) now.emplace_back(decision, listener);
        // Windows of strangers come and go in the same lines.
        const CapWindow stranger{
            .subject = 100 + random.Below(20'000), .target = 1, .seconds = 60, .limit = 2};
        if (caps_.Reserve(++decision, 0, {&stranger, 1}).ok) (void)caps_.Count(decision, 0);
        (void)caps_.Look(windows[random.Below(3)]);
      }
      before.swap(now);
      round_.arrive_and_wait();
    }
  }
  void Settle(Random& random, uint64_t bid, uint64_t listener) {
    const uint64_t fate = random.Below(10);
    if (fate == 0) (void)caps_.Release(bid, 0);
    if (fate <= 1) return;  // 1: its impression is lost
    // Reported by two at once, it counts once.
    (void)caps_.Count(bid, 0);
    (void)caps_.Count(bid, 0);
    const std::lock_guard<std::mutex> lock(mutex_);
    shown_[listener].push_back(clock_.Now());
  }

  const int threads_, rounds_;
  testing::VirtualClock clock_;
  FrequencyCaps caps_;
  Random random_{5};
  std::barrier<Next> round_;
  std::mutex mutex_;
  std::map<uint64_t, std::vector<int64_t>> shown_;
};

TEST_CASE("no window is ever exceeded under many threads for simulated weeks") {
  const int threads = GENERATE(2, 4, 8);
  // Little memory, so that slots change hands all the time, and enough.
  const size_t windows = GENERATE(1, 5'000);
  Stress stress(threads, 6000 / threads, windows);
  stress.Run();
  const FrequencyCaps::Counts counts = stress.caps().counts();
  INFO(threads << " threads: " << stress.shown() << " shown, " << counts.refused << " refused, "
               << counts.full << " for want of room");
  CHECK(stress.Excess() <= 0);
  CHECK(stress.shown() > 100);
  CHECK(counts.refused > counts.full);
  CHECK(counts.late == 0);
  CHECK(counts.dropped == 0);
}

TEST_CASE("of many threads that report one impression, one counts it") {
  testing::VirtualClock clock;
  FrequencyCaps caps({.windows = 1000, .clock = &clock});
  const CapWindow w{.subject = 1, .target = 1, .seconds = 3600, .limit = 90};
  for (uint64_t d = 1; d <= 14; ++d) REQUIRE(caps.Reserve(d, 0, {&w, 1}).ok);
  std::vector<std::thread> crew;
  for (int t = 0; t < 4; ++t) {
    crew.emplace_back([&] {
      for (uint64_t d = 1; d <= 14; ++d) (void)caps.Count(d, 0);
    });
  }
  for (std::thread& t : crew) t.join();
  CHECK(caps.Look(w).shown == 14);
  CHECK(caps.Look(w).reserved == 0);
  CHECK(caps.counts().counted == 14);
  CHECK(caps.counts().again == 3 * 14);
}

TEST_CASE("of many threads that release one bid, one does, and the others' places stay") {
  constexpr int kThreads = 4, kRounds = 2'000;
  testing::VirtualClock clock;
  FrequencyCaps caps({.windows = 1000, .clock = &clock});
  const CapWindow w{.subject = 1, .target = 1, .seconds = 3600, .limit = 12};
  for (uint64_t other = 1; other <= 10; ++other) REQUIRE(caps.Reserve(other, 0, {&w, 1}).ok);
  std::atomic<uint64_t> released{0};
  uint64_t bid = 100;
  REQUIRE(caps.Reserve(bid, 0, {&w, 1}).ok);
  int32_t least = 10;
  std::barrier round(kThreads, [&]() noexcept {
    least = std::min(least, caps.Look(w).reserved);
    (void)caps.Reserve(++bid, 0, {&w, 1});
  });
  std::vector<std::thread> crew;
  for (int t = 0; t < kThreads; ++t) {
    crew.emplace_back([&] {
      for (int r = 0; r < kRounds; ++r) {
        if (caps.Release(bid, 0)) ++released;
        round.arrive_and_wait();
      }
    });
  }
  for (std::thread& t : crew) t.join();
  CHECK(least == 10);
  CHECK(released == kRounds);
}

}  // namespace
}  // namespace adagents::ads
