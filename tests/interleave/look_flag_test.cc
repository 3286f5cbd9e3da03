// Interleavings of those who flip switches with those who tidy up the flag that sums them up.
#include "adagents/runtime/internal/look_flag.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

struct State {
  internal::LookFlag<ModelAtomics> flag;
  ModelAtomics::Atomic<uint8_t> off{0}, late{0};

  void Update() {
    flag.Update([&] { return off.load(kRelaxed) != 0 || late.load(kRelaxed) != 0; });
  }
  void Ended() {
    Ensure(flag.raised() == (off.load(kRelaxed) != 0 || late.load(kRelaxed) != 0),
           "a flag that is not what the switches say");
  }
};

void OneSwitch(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    s->off.store(1, kRelaxed);
    s->Update();
  });
  for (int i = 0; i < 2; ++i) {
    p.Thread([s] { s->Update(), s->Update(); });
  }
  p.Finally([s] { s->Ended(); });
}

// One switches off, on, and off again; another raises the flag of its own.
void TwoSwitches(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    for (const uint8_t value : {1, 0, 1}) {
      s->off.store(value, kRelaxed);
      s->Update();
    }
  });
  p.Thread([s] {
    s->late.store(1, kRelaxed);
    s->flag.Raise();
    s->late.store(0, kRelaxed);
    s->Update();
  });
  p.Thread([s] { s->Update(); });
  p.Finally([s] { s->Ended(); });
}

TEST_CASE("a switch is not lost among those who tidy up behind it") {
  CheckPrograms({OneSwitch, TwoSwitches});
}

TEST_CASE("every order of the look flag is needed") { CheckMutants({OneSwitch, TwoSwitches}); }

}  // namespace
}  // namespace adagents::testing
