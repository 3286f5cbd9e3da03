// Interleavings of the free list of indices.
#include "adagents/runtime/internal/index_stack.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using Stack = internal::IndexStack<ModelAtomics>;

struct State {
  explicit State(uint32_t n) : stack(n) {}
  Stack stack;
  ModelAtomics::Plain<int> owned[4];  // written by whoever owns the index
  void UseOne() {
    const uint32_t index = stack.Pop();
    if (index == Stack::kNone) return;
    Ensure(index < 4, "an index that was never there");
    owned[index] = 1;
    stack.Push(index);
  }
  void UseTwo() {
    const uint32_t a = stack.Pop();
    const uint32_t b = stack.Pop();
    Ensure(a == Stack::kNone || a != b, "one index, two owners");
    if (a != Stack::kNone) owned[a] = 1;
    if (b != Stack::kNone) owned[b] = 1;
    if (a != Stack::kNone) stack.Push(a);
    if (b != Stack::kNone) stack.Push(b);
  }
  void CheckAll(uint32_t n) {
    bool seen[4] = {};
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t index = stack.Pop();
      Ensure(index < n && !seen[index], "an index was lost or doubled");
      seen[index] = true;
    }
    Ensure(stack.Pop() == Stack::kNone, "too many indices");
  }
};

ProgramMaker Users(uint32_t indices) {
  return [indices](Program& p) {
    auto s = std::make_shared<State>(indices);
    p.Thread([s] { s->UseTwo(), s->UseOne(); });
    p.Thread([s] { s->UseTwo(), s->UseOne(); });
    p.Thread([s] { s->UseOne(), s->UseOne(); });
    p.Finally([s, indices] { s->CheckAll(indices); });
  };
}

TEST_CASE("an index on the free list has one owner at a time and none is lost") {
  CheckPrograms({Users(1), Users(3)});
}

TEST_CASE("every order of the free list is needed") { CheckMutants({Users(1), Users(3)}); }

}  // namespace
}  // namespace adagents::testing
