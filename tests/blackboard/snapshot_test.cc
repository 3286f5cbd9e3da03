#include "adagents/blackboard/snapshot.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "blackboard/support.h"
#include "catch.h"

namespace adagents {
namespace {

struct Tracked {
  explicit Tracked(int v) : a(v), b(v) { ++alive; }
  ~Tracked() {
    a = b = -1;
    --alive;
  }
  int a, b;
  static inline std::atomic<int> alive{0};
};
using Snap = Snapshot<Tracked>;

TEST_CASE("a pin keeps its version while new ones are published") {
  {
    Snap snap(std::make_unique<const Tracked>(1));
    auto old = snap.Pin();
    CHECK(snap.Publish(std::make_unique<const Tracked>(2)).ok());
    CHECK(old->a == 1);
    CHECK(old.version() == 1);
    CHECK(snap.Pin()->a == 2);
    CHECK(snap.version() == 2);
    CHECK(snap.Collect() == 0);
    CHECK(snap.versions_alive() == 2);
    old = Snap::Pinned();
    CHECK(snap.Collect() == 1);
    CHECK(snap.versions_alive() == 1);
    CHECK(Tracked::alive == 1);
  }
  CHECK(Tracked::alive == 0);
}

TEST_CASE("an unpin frees nothing and the next publish does") {
  Snap snap(std::make_unique<const Tracked>(1));
  {
    const auto pin = snap.Pin();
    CHECK(snap.Publish(std::make_unique<const Tracked>(2)).ok());
  }
  CHECK(Tracked::alive == 2);
  CHECK(snap.Publish(std::make_unique<const Tracked>(3)).ok());
  CHECK(Tracked::alive == 1);
}

TEST_CASE("copies and moves of a pin each count once") {
  Snap snap(std::make_unique<const Tracked>(1));
  auto a = snap.Pin();
  auto b = a;
  auto c = std::move(a);
  CHECK_FALSE(a);
  CHECK(snap.Publish(std::make_unique<const Tracked>(2)).ok());
  b = Snap::Pinned();
  CHECK(snap.Collect() == 0);
  CHECK(c->a == 1);
  c = Snap::Pinned();
  CHECK(snap.Collect() == 1);
}

TEST_CASE("a snapshot starts empty if it is given nothing") {
  Snap snap;
  CHECK_FALSE(snap.Pin());
  CHECK(snap.Publish(std::make_unique<const Tracked>(5)).ok());
  CHECK(snap.Pin()->a == 5);
}

TEST_CASE("when readers hold every version a publish is refused, and works again after") {
  Snap snap(std::make_unique<const Tracked>(0));
  std::vector<Snap::Pinned> pins;
  for (uint32_t v = 1; v < Snap::kVersions; ++v) {
    pins.push_back(snap.Pin());
    CHECK(snap.Publish(std::make_unique<const Tracked>(static_cast<int>(v))).ok());
  }
  pins.push_back(snap.Pin());
  const auto refused = snap.Publish(std::make_unique<const Tracked>(99));
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(snap.Pin()->a == static_cast<int>(Snap::kVersions) - 1);
  pins.erase(pins.begin());
  CHECK(snap.Publish(std::make_unique<const Tracked>(100)).ok());
  CHECK(snap.Pin()->a == 100);
}

TEST_CASE("pins and publishes on real threads: every value is alive and whole") {
  {
    Snap snap(std::make_unique<const Tracked>(0));
    std::atomic<int> wrong{0};
    RunThreads(4, [&](int me) {
      if (me == 0) {
        for (int v = 1; v <= 3000; ++v) {
          while (!snap.Publish(std::make_unique<const Tracked>(v)).ok()) std::this_thread::yield();
        }
      } else {
        int last = 0;
        for (int i = 0; i < 20000; ++i) {
          const auto pin = snap.Pin();
          if (pin->a != pin->b || pin->a < last) ++wrong;
          last = pin->a;
        }
      }
    });
    CHECK(wrong == 0);
    snap.Collect();
    CHECK(snap.versions_alive() == 1);
    CHECK(snap.Pin()->a == 3000);
  }
  CHECK(Tracked::alive == 0);
}

}  // namespace
}  // namespace adagents
