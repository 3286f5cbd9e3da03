// Interleavings of the word that settles a decision.
#include "adagents/runtime/internal/settle_gate.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using internal::End;

struct State {
  internal::SettleGate<ModelAtomics> gate;
  uint32_t generation = gate.Open();
  ModelAtomics::Plain<int> hold[2];  // written before Register, read by whoever settles
  ModelAtomics::Plain<int> answer{0};
  int winners = 0;
  bool registered[2] = {};
  uint32_t seen = 0;

  void Hold(int i) {
    hold[i] = 7;
    registered[i] = gate.Register(generation, i);
    if (!registered[i]) hold[i] = 0;  // undone by its owner
  }
  void Settle(End end) {
    uint32_t holds = 0;
    if (!gate.Settle(generation, end, &holds)) return;
    ++winners;
    seen = holds;
    for (int i = 0; i < 2; ++i) {
      if ((holds & (1u << i)) != 0) Ensure(hold[i] == 7, "a hold without its entry");
    }
  }
};

void HoldsAndSettlers(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Hold(0); });
  p.Thread([s] { s->Hold(1); });
  p.Thread([s] { s->Settle(End::kCompleted); });
  p.Thread([s] { s->Settle(End::kExpired); });
  p.Finally([s] {
    Ensure(s->winners == 1, "not settled exactly once");
    for (int i = 0; i < 2; ++i) {
      Ensure(s->registered[i] == ((s->seen & (1u << i)) != 0), "a hold lost or invented");
    }
    Ensure(s->gate.Read(s->generation) != End::kOpen, "still open");
  });
}

// Whoever completes has prepared the answer; a reader that sees the end reads it.
void AnswerIsPublished(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    s->answer = 42;
    s->Settle(End::kCompleted);
  });
  p.Thread([s] {
    const End end = s->gate.Read(s->generation);
    Ensure(end == End::kOpen || end == End::kCompleted, "an end that nobody wrote");
    if (end == End::kCompleted) Ensure(s->answer == 42, "an end without its answer");
  });
}

// The handshake with the timer: the owner opens and then reads when the timer will next look; the
// timer says when it will next look and then reads the gate. One of them must see the other.
void TimerHandshake(Program& p) {
  struct Timed {
    enum Site : int { kNextWake };
    internal::SettleGate<ModelAtomics> gate;
    ModelAtomics::Atomic<uint32_t> sleeps{0};
    bool owner_sees = false, timer_sees = false;
  };
  auto s = std::make_shared<Timed>();
  p.Thread([s] {
    (void)s->gate.Open();
    s->owner_sees =
        s->sleeps.load(ModelAtomics::At(Timed::kNextWake, std::memory_order_seq_cst)) == 1;
  });
  p.Thread([s] {
    s->sleeps.store(1, ModelAtomics::At(Timed::kNextWake, std::memory_order_seq_cst));
    s->timer_sees = s->gate.OpenGeneration() >= 0;
  });
  p.Finally([s] { Ensure(s->owner_sees || s->timer_sees, "the timer sleeps over a deadline"); });
}

TEST_CASE("a decision is settled once, with exactly the holds that were registered") {
  CheckPrograms({HoldsAndSettlers, AnswerIsPublished, TimerHandshake});
}

TEST_CASE("every order of the settle gate is needed") {
  CheckMutants({HoldsAndSettlers, AnswerIsPublished, TimerHandshake});
}

}  // namespace
}  // namespace adagents::testing
