// Interleavings of the log of wins.
#include "ads/win_log.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using Log = ads::internal::WinLog<int, ModelAtomics>;

struct State {
  Log log{2};
  int popped[8] = {};
  uint64_t number[8] = {};  // that Push() was given

  void Push(int value) {
    for (;;) {
      number[value] = log.TryPush(value);
      if (number[value] != 0) return;
      ModelAtomics::Pause();
    }
  }
  void Pop(int n) {
    for (int i = 0; i < n; ++i) {
      int value = 0;
      while (!log.TryPop(&value)) ModelAtomics::Pause();
      Ensure(value > 0 && value < 8, "a value that nobody pushed");
      ++popped[value];
      at[value] = log.popped();
    }
  }
  uint64_t at[8] = {};  // popped() when it came out
  void CheckOnce(int n) const {
    for (int v = 1; v <= n; ++v) {
      Ensure(popped[v] == 1, "a win was lost or came twice");
      Ensure(number[v] == at[v], "a number does not say when it comes out");
    }
  }
};

void ThreeProducers(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Push(1), s->Push(2); });
  p.Thread([s] { s->Push(3), s->Push(4); });
  p.Thread([s] { s->Push(5); });
  p.Thread([s] { s->Pop(5); });
  p.Finally([s] { s->CheckOnce(5); });
}

void InOrder(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    for (int v = 1; v <= 5; ++v) s->Push(v);
  });
  p.Thread([s] {
    for (int v = 1; v <= 5; ++v) {
      int value = 0;
      while (!s->log.TryPop(&value)) ModelAtomics::Pause();
      Ensure(value == v, "out of order");
    }
  });
}

/// What makes "durable up to here" one number: none comes out before one of a smaller number.
void NumbersSayWhatIsOut(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] { s->Push(1); });
  p.Thread([s] { s->Push(2); });
  p.Thread([s] {
    int value = 0;
    for (int i = 0; i < 4 && s->log.popped() < 2; ++i) {
      if (s->log.TryPop(&value)) s->at[value] = s->log.popped();
    }
  });
  p.Finally([s] {
    for (int v = 1; v <= 2; ++v) {
      if (s->number[v] <= s->log.popped()) {
        Ensure(s->at[v] == s->number[v], "counted as out, and is not");
      }
    }
  });
}

TEST_CASE("every win comes out once, in order, and its number says when") {
  CheckPrograms({ThreeProducers, InOrder, NumbersSayWhatIsOut});
}

TEST_CASE("every order of the log of wins is needed") { CheckMutants({ThreeProducers, InOrder}); }

}  // namespace
}  // namespace adagents::testing
