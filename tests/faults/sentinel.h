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

/// One thread per core that wakes every millisecond and notes by how much it overslept: for so long
/// the machine was not giving out that core. Thread-safe.
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

  /// By how much the naps that touch [from, to] were overslept, in nanoseconds; of the core where
  /// that is most. Summed up, for an answer that takes two wake-ups can be held up twice.
  int64_t OversleptIn(int64_t from, int64_t to) {
    // What began in the window may not have been noted yet.
    while (!Covered(to)) std::this_thread::yield();
    const std::lock_guard<std::mutex> lock(mutex_);
    int64_t most = 0;
    for (const auto& naps : naps_) {
      int64_t sum = 0;
      for (const Nap& nap : naps) {
        if (nap.woke >= from && nap.due <= to) sum += nap.woke - nap.due;
      }
      most = std::max(most, sum);
    }
    return most;
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
      naps_.emplace_back();
    }
    while (!stop_.load(std::memory_order_relaxed)) {
      const int64_t due = Now() + kPeriod;
      std::this_thread::sleep_until(std::chrono::steady_clock::time_point(
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(
              std::chrono::nanoseconds(due))));
      const int64_t woke = Now();
      const std::lock_guard<std::mutex> lock(mutex_);
      latest_[mine] = woke;
      if (woke - due > kWorthNoting) naps_[mine].push_back({due, woke});
    }
  }

  std::mutex mutex_;
  std::vector<std::vector<Nap>> naps_;  // by core
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
      const int64_t overslept = sentinel.OversleptIn(each.due - 2'000'000, each.at);
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
