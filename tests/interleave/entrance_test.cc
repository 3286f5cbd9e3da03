// Interleavings of owners and helpers who enter and leave one place.
#include "adagents/runtime/internal/entrance.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

constexpr int kMost = 2;

struct Place {
  internal::Entrance<ModelAtomics> entrance;
  ModelAtomics::Plain<int> decision{0};
  ModelAtomics::Atomic<uint32_t> inside[kMost];  // by helper's number

  ModelAtomics::Atomic<bool> closed{false};  // at least one decision is over

  void Own(int number) {
    if (!entrance.EnterAsOwner()) return;
    decision = number;
    entrance.Open();
    Ensure(decision == number, "two owners");
    entrance.Close();
    closed.store(true, std::memory_order_relaxed);
    Ensure(decision == number, "two owners");
    entrance.LeaveAsOwner();
  }
  void Help(bool stays) {
    const int number = entrance.EnterAsHelper(kMost);
    if (number < 0) return;
    Ensure(number < kMost, "more helpers than there is room for");
    Ensure(inside[number].exchange(1, std::memory_order_relaxed) == 0, "one number twice");
    const int before = decision;
    while (stays && !closed.load(std::memory_order_relaxed)) ModelAtomics::Pause();
    Ensure(decision == before, "the decision changed under a helper");
    inside[number].store(0, std::memory_order_relaxed);
    entrance.LeaveAsHelper(number);
  }
};

void OwnersAndHelpers(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] { s->Own(1), s->Own(2); });
  p.Thread([s] { s->Own(3); });
  p.Thread([s] { s->Help(true); });
  p.Thread([s] { s->Help(true); });
  p.Thread([s] { s->Help(false), s->Help(false); });
  p.Finally([s] { Ensure(s->entrance.EnterAsOwner(), "somebody was left inside"); });
}

TEST_CASE("what an owner wrote stays valid for whoever is inside") {
  CheckPrograms({OwnersAndHelpers});
}

TEST_CASE("every order of the entrance is needed") { CheckMutants({OwnersAndHelpers}); }

}  // namespace
}  // namespace adagents::testing
