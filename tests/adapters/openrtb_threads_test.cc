// Requests held by threads that the reader knows nothing of.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

std::string Json(int i) {
  return R"({"id":"r","imp":[{"id":"1","audio":{"mimes":["audio/mpeg"]}}],"user":{"id":")" +
         std::to_string(i) + "\"}}";
}

TEST_CASE("buffers that come back from other threads are used again, and never too early") {
  Reader reader;
  std::atomic<int> wrong{0};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::thread> threads;
    {
      const ads::RequestPtr request = *reader.Read(Json(round));
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&wrong, held = request, want = std::to_string(round)] {
          const ads::RequestPtr copy = held;
          if (copy->user.id != want) wrong.fetch_add(1, std::memory_order_relaxed);
        });
      }
    }
    // The next are read while the threads still hold the last.
    for (int i = 0; i < 3; ++i) {
      const ads::RequestPtr next = *reader.Read(Json(-round));
      if (next->user.id != std::to_string(-round)) wrong.fetch_add(1, std::memory_order_relaxed);
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(wrong.load() == 0);
}

TEST_CASE("a reader may go while threads hold its requests") {
  std::atomic<int> wrong{0};
  for (int round = 0; round < 100; ++round) {
    std::vector<std::thread> threads;
    {
      Reader reader;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&wrong, held = *reader.Read(Json(i)), want = std::to_string(i)] {
          if (held->user.id != want) wrong.fetch_add(1, std::memory_order_relaxed);
        });
      }
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(wrong.load() == 0);
}

}  // namespace
}  // namespace adagents::openrtb
