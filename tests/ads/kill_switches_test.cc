#include "adagents/ads/kill_switches.h"

#include <atomic>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads {
namespace {

TEST_CASE("A kill switch acts at once, survives, and can be undone") {
  KillSwitches switches(64);
  CHECK(!switches.Killed(7));
  CHECK(switches.Kill(7).ok());
  CHECK(switches.Kill(7).ok());
  CHECK(switches.Killed(7));
  CHECK(!switches.Killed(8));
  CHECK(switches.size() == 1);
  CHECK(switches.Revive(7));
  CHECK(!switches.Revive(7));
  CHECK(!switches.Killed(7));
  for (uint64_t special : {uint64_t{0}, uint64_t{1}}) {
    CHECK(!switches.Killed(special));
    CHECK(switches.Kill(special).ok());
    CHECK(switches.Killed(special));
    CHECK(switches.Revive(special));
  }
}

TEST_CASE("Kill switches agree with a set through many changes, and say when they are full") {
  KillSwitches switches(32);
  Random random(4);
  std::vector<bool> killed(48);
  size_t count = 0, refused = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t key = random.Below(48);
    if (random.Chance(0.6)) {
      const bool ok = switches.Kill(key * 1000).ok();
      REQUIRE(ok == (killed[key] || count < 32));
      refused += !ok;
      if (ok && !killed[key]) ++count, killed[key] = true;
    } else {
      REQUIRE(switches.Revive(key * 1000) == killed[key]);
      if (killed[key]) --count, killed[key] = false;
    }
    const uint64_t probe = random.Below(48);
    REQUIRE(switches.Killed(probe * 1000) == killed[probe]);
    REQUIRE(switches.size() == count);
  }
  CHECK(refused > 0);
}

TEST_CASE("Readers of kill switches never miss a campaign that stays killed") {
  KillSwitches switches(256);
  for (uint64_t key = 1'000; key < 1'050; ++key) REQUIRE(switches.Kill(key).ok());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> missed{0}, reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        for (uint64_t key = 1'000; key < 1'050; ++key) {
          missed.fetch_add(switches.Killed(key) ? 0 : 1, std::memory_order_relaxed);
        }
        reads.fetch_add(50, std::memory_order_relaxed);
      }
    });
  }
  Random random(8);
  for (int i = 0; i < 100'000 || reads.load(std::memory_order_relaxed) == 0; ++i) {
    const uint64_t key = random.Below(150);  // never the fifty
    if (random.Chance(0.5)) {
      REQUIRE(switches.Kill(key).ok());
    } else {
      switches.Revive(key);
    }
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& t : readers) t.join();
  CHECK(missed.load() == 0);
}

}  // namespace
}  // namespace adagents::ads
