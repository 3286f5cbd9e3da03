#include "adagents/blackboard/stream.h"

#include <array>
#include <atomic>
#include <cstdint>

#include "blackboard/support.h"
#include "catch.h"

namespace adagents {
namespace {

TEST_CASE("every subscriber gets every event from its own start, in order") {
  Stream<int> stream(8);
  auto first = stream.Subscribe();
  CHECK(stream.Publish(1));
  CHECK(stream.Publish(2));
  auto second = stream.Subscribe();
  auto from_oldest = stream.SubscribeFromOldest();
  CHECK(stream.Publish(3));
  int event = 0;
  for (int want : {1, 2, 3}) {
    REQUIRE(first.Next(&event));
    CHECK(event == want);
    REQUIRE(from_oldest.Next(&event));
    CHECK(event == want);
  }
  REQUIRE(second.Next(&event));
  CHECK(event == 3);
  CHECK_FALSE(first.Next(&event));
  CHECK_FALSE(second.Next(&event));
}

TEST_CASE("a subscriber that is lapped loses the oldest events and knows how many") {
  Stream<int> stream(4);
  auto slow = stream.Subscribe();
  for (int i = 0; i < 10; ++i) CHECK(stream.Publish(i));
  int event = 0;
  for (int want : {6, 7, 8, 9}) {
    REQUIRE(slow.Next(&event));
    CHECK(event == want);
  }
  CHECK_FALSE(slow.Next(&event));
  CHECK(slow.dropped() == 6);
  CHECK(slow.position() == 10);
  CHECK(stream.published() == 10);
}

TEST_CASE("a stream's capacity is rounded up to a power of two within its range") {
  CHECK(Stream<int>(0).capacity() == 2);
  CHECK(Stream<int>(5).capacity() == 8);
  CHECK(Stream<char>(SIZE_MAX).capacity() == uint64_t{1} << 23);
}

TEST_CASE("a stream lives in a region that has room for it") {
  Region region(1 << 20);
  const uint64_t before = region.header().used;
  Stream<int> stream(64, &region);
  CHECK(region.header().used > before);
  CHECK(stream.Publish(1));
}

TEST_CASE("producers and subscribers on real threads: whole, in order, all accounted for") {
  constexpr int kProducers = 3;
  constexpr uint64_t kEach = 20000;
  using Event = std::array<uint64_t, 6>;
  Stream<Event> stream(256);
  std::atomic<uint64_t> torn{0}, disordered{0}, unaccounted{0};
  RunThreads(kProducers + 2, [&](int me) {
    if (me < kProducers) {
      for (uint64_t n = 1; n <= kEach; ++n) {
        Event event;
        event.fill(n * kProducers + static_cast<uint64_t>(me));
        stream.Publish(event);
      }
      return;
    }
    auto reader = stream.SubscribeFromOldest();
    uint64_t got = reader.position();
    uint64_t last[kProducers] = {};
    while (got + reader.dropped() < kEach * kProducers) {
      Event event;
      if (!reader.Next(&event)) {
        std::this_thread::yield();
        continue;
      }
      ++got;
      for (uint64_t word : event) torn += word != event[0] ? 1 : 0;
      uint64_t& previous = last[event[0] % kProducers];
      disordered += event[0] <= previous ? 1 : 0;
      previous = event[0];
    }
    unaccounted += got + reader.dropped() - kEach * kProducers;
  });
  CHECK(torn == 0);
  CHECK(disordered == 0);
  CHECK(unaccounted == 0);
  CHECK(stream.rejected() == 0);
}

}  // namespace
}  // namespace adagents
