// Tells the library's lateness from the machine's.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace adagents::testing {

/// One thread per core that wakes every millisecond and notes by how much it overslept: in a window
/// in which a sentinel overslept, the machine was not giving out its cores. Thread-safe.
class Sentinel {
 public:
  Sentinel() {
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned core = 0; core < cores; ++core) {
      threads_.emplace_back([this, core] { Watch(core); });
    }
  }
  ~Sentinel() {
    stop_.store(true);
    for (auto& thread : threads_) thread.join();
  }
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;

  static int64_t Now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }

  /// The longest oversleep that touches [from, to], in nanoseconds.
  int64_t WorstIn(int64_t from, int64_t to) {
    // What began in the window may not have been noted yet.
    while (!Covered(to)) std::this_thread::yield();
    const std::lock_guard<std::mutex> lock(mutex_);
    int64_t worst = 0;
    for (const Nap& nap : naps_) {
      if (nap.woke >= from && nap.due <= to) worst = std::max(worst, nap.woke - nap.due);
    }
    return worst;
  }

 private:
  static constexpr int64_t kPeriod = 1'000'000;
  static constexpr int64_t kWorthNoting = 200'000;
  struct Nap {
    int64_t due, woke;
  };

  bool Covered(int64_t to) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::all_of(latest_.begin(), latest_.end(), [to](int64_t at) { return at > to; });
  }

  void Watch(unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);  // else it floats: still useful
    size_t mine = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      mine = latest_.size();
      latest_.push_back(0);
    }
    while (!stop_.load(std::memory_order_relaxed)) {
      const int64_t due = Now() + kPeriod;
      std::this_thread::sleep_until(std::chrono::steady_clock::time_point(
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(
              std::chrono::nanoseconds(due))));
      const int64_t woke = Now();
      const std::lock_guard<std::mutex> lock(mutex_);
      latest_[mine] = woke;
      if (woke - due > kWorthNoting) naps_.push_back({due, woke});
    }
  }

  std::mutex mutex_;
  std::vector<Nap> naps_;
  std::vector<int64_t> latest_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

/// The answers that came late: more than 5 ms past their deadline, by more than a sentinel
/// overslept in the same window. Not thread-safe.
class Lateness {
 public:
  void Note(int64_t due, int64_t at) {
    worst_ = std::max(worst_, at - due);
    if (at - due > kAllowance) suspicions_.push_back({due, at});
  }
  [[nodiscard]] uint64_t Count(Sentinel& sentinel) const {
    uint64_t late = 0;
    for (const Suspicion& each : suspicions_) {
      const int64_t overslept = sentinel.WorstIn(each.due - 2'000'000, each.at);
      late += each.at - each.due - kAllowance > overslept;
    }
    return late;
  }
  /// Nanoseconds past the deadline; negative when all were early.
  [[nodiscard]] int64_t worst() const { return worst_; }

 private:
  static constexpr int64_t kAllowance = 5'000'000;
  struct Suspicion {
    int64_t due, at;
  };
  int64_t worst_ = std::numeric_limits<int64_t>::min();
  std::vector<Suspicion> suspicions_;
};

}  // namespace adagents::testing
