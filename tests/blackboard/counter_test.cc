#include "adagents/blackboard/counter.h"

#include <cstdint>
#include <limits>

#include "blackboard/support.h"
#include "catch.h"

namespace adagents {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST_CASE("a counter sums what all threads added") {
  Counter counter;
  RunThreads(8, [&](int me) {
    for (int i = 0; i < 10000; ++i) counter.Add(me % 2 == 0 ? 3 : -1);
  });
  CHECK(counter.Sum() == 80000);
}

TEST_CASE("a bounded counter refuses what would cross the limit, and only that") {
  BoundedCounter counter(10, 4);
  CHECK(counter.left() == 6);
  CHECK_FALSE(counter.TryAdd(7));
  CHECK(counter.TryAdd(6));
  CHECK(counter.value() == 10);
  CHECK_FALSE(counter.TryAdd(1));
  CHECK(counter.TryAdd(0));
  CHECK(counter.Release(10));
  CHECK(counter.value() == 0);
}

TEST_CASE("a bounded counter does not release what was not added, nor take negative amounts") {
  BoundedCounter counter(10, 4);
  CHECK_FALSE(counter.Release(5));
  CHECK_FALSE(counter.Release(-1));
  CHECK_FALSE(counter.TryAdd(-1));
  CHECK(counter.value() == 4);
}

TEST_CASE("a bounded counter neither overflows nor starts out of range") {
  BoundedCounter whole(kMax);
  CHECK(whole.TryAdd(kMax));
  CHECK_FALSE(whole.TryAdd(1));
  CHECK(BoundedCounter(-5).limit() == 0);
  CHECK(BoundedCounter(5, 9).value() == 5);
  CHECK(BoundedCounter(5, -9).value() == 0);
  CHECK(BoundedCounter(-5, 9).value() == 0);
}

TEST_CASE("a lowered limit stops additions until enough is released") {
  BoundedCounter counter(10, 8);
  counter.SetLimit(5);
  CHECK(counter.left() == 0);
  CHECK_FALSE(counter.TryAdd(0));
  CHECK(counter.Release(4));
  CHECK(counter.TryAdd(1));
  CHECK_FALSE(counter.TryAdd(1));
}

TEST_CASE("a bounded counter on real threads gives out exactly its limit") {
  BoundedCounter counter(10007);
  Counter given;
  RunThreads(8, [&](int) {
    for (int i = 0; i < 10000; ++i) {
      if (counter.TryAdd(3)) given.Add(3);
    }
  });
  CHECK(given.Sum() == 10005);
  CHECK(counter.value() == 10005);
}

}  // namespace
}  // namespace adagents
