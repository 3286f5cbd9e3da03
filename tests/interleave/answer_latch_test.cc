// Interleavings of a strict caller with whoever settles its decision.
#include "adagents/runtime/internal/answer_latch.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using Latch = internal::AnswerLatch<ModelAtomics>;

// A decision that a worker completes, somebody else may hand back, and the caller may expire.
struct Call {
  ModelAtomics::Atomic<uint32_t> settled{0};
  Latch latch;
  ModelAtomics::Plain<int> answer{0};
  bool answered = false;

  bool Settle() { return settled.exchange(1, std::memory_order_relaxed) == 0; }
  void Work() {
    if (!Settle()) return;
    answer = 1;
    latch.Answer();
  }
  void CutShort() {
    if (!Settle()) return;
    answer = 2;
    latch.HandBack();
  }
  void Await(bool expires) {
    bool lost = false;
    for (;;) {
      const Latch::State state = latch.Look();
      if (state == Latch::State::kAnswered) {
        Ensure(answer == 1, "not the answer");
        break;
      }
      if (state == Latch::State::kHandedBack) {
        Ensure(answer == 2, "not what was handed back");
        break;
      }
      if (expires && !lost) {
        if (Settle()) {
          answer = 3;
          break;
        }
        lost = true;
      }
      latch.Sleep(Deadline::Infinite());
    }
    answered = true;
  }
};

void Answers(Program& p) {
  auto s = std::make_shared<Call>();
  p.Thread([s] { s->Await(false); });
  p.Thread([s] { s->Work(); });
  p.Thread([s] { s->CutShort(); });
  p.Finally([s] { Ensure(s->answered, "no answer"); });
}

void AnswersAndExpiry(Program& p) {
  auto s = std::make_shared<Call>();
  p.Thread([s] { s->Await(true); });
  p.Thread([s] { s->Work(); });
  p.Thread([s] { s->CutShort(); });
  p.Finally([s] { Ensure(s->answered, "no answer"); });
}

TEST_CASE("a strict caller always gets its answer, whole") {
  CheckPrograms({Answers, AnswersAndExpiry});
}

TEST_CASE("every order of the answer latch is needed") {
  CheckMutants({Answers, AnswersAndExpiry});
}

}  // namespace
}  // namespace adagents::testing
