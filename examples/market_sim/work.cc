#include "work.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace market_sim {
namespace {

/// One line that is written over and over. Thread-safe.
class Progress {
 public:
  explicit Progress(size_t total)
      : total_(total), shown_(isatty(STDERR_FILENO) != 0), began_(Clock::now()) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r{:78}\r", "");
  }
  void Done(const RunOptions& run) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    if (!shown_) return;
    const double spent = std::chrono::duration<double>(Clock::now() - began_).count();
    const double left = spent / static_cast<double>(done_) * static_cast<double>(total_ - done_);
    fmt::print(stderr, "\r{}/{} runs ({}, {}, seed {}), {:.0f} s, some {:.0f} s left{:8}", done_,
               total_, run.world, run.arm, run.seed, spent, left, "");
    std::fflush(stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const size_t total_;
  const bool shown_;
  const Clock::time_point began_;
  std::mutex mutex_;
  size_t done_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Result>> RunAll(const std::vector<RunOptions>& runs, size_t jobs) {
  std::vector<Result> results(runs.size());
  Progress progress(runs.size());
  std::atomic<size_t> next{0};
  std::mutex mutex;
  absl::Status failed;
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < runs.size();) {
      auto result = Simulate(runs[i]);
      if (!result.ok()) {
        const std::lock_guard<std::mutex> lock(mutex);
        failed =
            absl::Status(result.status().code(),
                         fmt::format("world {}, arm {}, seed {}: {}", runs[i].world, runs[i].arm,
                                     runs[i].seed, adagents::Message(result.status())));
        next = runs.size();
        return;
      }
      results[i] = *std::move(result);
      progress.Done(runs[i]);
    }
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < std::min(jobs, runs.size()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (!failed.ok()) return failed;
  return results;
}

}  // namespace market_sim
