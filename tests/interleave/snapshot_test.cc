// Interleavings of the snapshot: pins against publishes.
#include "adagents/blackboard/snapshot.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

// Plain members: reading them after they were freed, or before they were made, is reported.
struct Value {
  explicit Value(int v) : a(v), b(v) {}
  ModelAtomics::Plain<int> a, b;
};
using Snap = Snapshot<Value, ModelAtomics>;

int ReadWhole(const Value& value) {
  const int a = value.a, b = value.b;
  Ensure(a == b, "torn");
  return a;
}

void Publish(Snap& snap, int v) {
  Ensure(snap.Publish(std::make_unique<const Value>(v)).ok(), "no slot");
}

void PinWhilePublishing(Program& p) {
  auto snap = std::make_shared<Snap>(std::make_unique<const Value>(0));
  p.Thread([snap] {
    for (int v = 1; v <= 3; ++v) Publish(*snap, v);
  });
  for (int reader = 0; reader < 2; ++reader) {
    p.Thread([snap] {
      int last = 0;
      for (int i = 0; i < 2; ++i) {
        const auto pin = snap->Pin();
        const int now = ReadWhole(*pin);
        Ensure(now >= last, "went back");
        last = now;
        Ensure(pin.version() == static_cast<uint64_t>(now) + 1, "another version's value");
      }
    });
  }
  p.Finally([snap] {
    snap->Collect();
    Ensure(snap->versions_alive() == 1, "an old version is still there");
    Ensure(ReadWhole(*snap->Pin()) == 3, "lost");
  });
}

void CopiedPins(Program& p) {
  auto snap = std::make_shared<Snap>(std::make_unique<const Value>(0));
  p.Thread([snap] {
    Publish(*snap, 1);
    snap->Collect();
  });
  p.Thread([snap] {
    auto pin = snap->Pin();
    auto copy = pin;
    pin = Snap::Pinned();
    ReadWhole(*copy);
    auto moved = std::move(copy);
    ReadWhole(*moved);
  });
  p.Finally([snap] {
    snap->Collect();
    Ensure(snap->versions_alive() == 1, "a copy was not counted back");
  });
}

void TwoPublishers(Program& p) {
  auto snap = std::make_shared<Snap>(std::make_unique<const Value>(0));
  for (int publisher = 1; publisher <= 2; ++publisher) {
    p.Thread([snap, publisher] {
      Publish(*snap, 10 * publisher + 1);
      Publish(*snap, 10 * publisher + 2);
    });
  }
  p.Thread([snap] {
    ReadWhole(*snap->Pin());
    snap->Collect();
  });
  p.Finally([snap] {
    snap->Collect();
    Ensure(snap->versions_alive() == 1 && snap->version() == 5, "a version was lost");
    Ensure(ReadWhole(*snap->Pin()) % 10 == 2, "not a publisher's last");
  });
}

TEST_CASE("a pinned version is whole and alive, and every old one is freed once") {
  CheckPrograms({PinWhilePublishing, CopiedPins, TwoPublishers});
}

TEST_CASE("every order of the snapshot is needed") {
  CheckMutants({PinWhilePublishing, CopiedPins, TwoPublishers});
}

}  // namespace
}  // namespace adagents::testing
