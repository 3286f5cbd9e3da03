// What the blackboard's tests share.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace adagents {

/// Runs body(0) ... body(n - 1) on n threads that start together, and waits for all.
inline void RunThreads(int n, const std::function<void(int)>& body) {
  std::atomic<int> waiting{n};
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      waiting.fetch_sub(1);
      while (waiting.load() > 0) std::this_thread::yield();
      body(i);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace adagents
