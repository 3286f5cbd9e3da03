#include "adagents/testing/virtual_clock.h"

#include <thread>
#include <vector>

#include "catch.h"

namespace adagents::testing {
namespace {

TEST_CASE("a virtual clock stands still until it is advanced") {
  VirtualClock clock;
  const int64_t start = clock.Now();
  CHECK(start > 0);
  CHECK(clock.Now() == start);
  clock.Advance(absl::Milliseconds(7));
  CHECK(clock.Now() == start + 7'000'000);
}

TEST_CASE("advancing moves civil time by as much as steady time") {
  const absl::Time noon = absl::FromUnixSeconds(1'700'000'000);
  VirtualClock clock(noon);
  CHECK(clock.WallNow() == noon);
  clock.Advance(absl::Hours(3));
  CHECK(clock.WallNow() == noon + absl::Hours(3));
}

TEST_CASE("a jump of civil time leaves steady time alone") {
  VirtualClock clock;
  const int64_t start = clock.Now();
  const absl::Time wall = clock.WallNow();
  clock.JumpWall(absl::Hours(-1));
  CHECK(clock.WallNow() == wall - absl::Hours(1));
  clock.SetWall(wall + absl::Hours(24));
  CHECK(clock.WallNow() == wall + absl::Hours(24));
  CHECK(clock.Now() == start);
  clock.Advance(absl::Seconds(1));
  CHECK(clock.WallNow() == wall + absl::Hours(24) + absl::Seconds(1));
}

TEST_CASE("steady time never decreases") {
  VirtualClock clock;
  const int64_t start = clock.Now();
  clock.Advance(absl::Seconds(-5));
  CHECK(clock.Now() == start);
  clock.Advance(absl::InfiniteDuration());
  CHECK(clock.Now() == std::numeric_limits<int64_t>::max());
  clock.Advance(absl::Seconds(1));
  CHECK(clock.Now() == std::numeric_limits<int64_t>::max());
}

TEST_CASE("advances from many threads all count, and each thread sees time grow") {
  VirtualClock clock;
  const int64_t start = clock.Now();
  constexpr int kThreads = 4;
  constexpr int kSteps = 10'000;
  std::atomic<int> backwards{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      int64_t last = 0;
      for (int i = 0; i < kSteps; ++i) {
        clock.Advance(absl::Nanoseconds(3));
        const int64_t now = clock.Now();
        if (now <= last) ++backwards;
        last = now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(backwards == 0);
  CHECK(clock.Now() == start + int64_t{3} * kThreads * kSteps);
}

}  // namespace
}  // namespace adagents::testing
