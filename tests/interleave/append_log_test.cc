// Interleavings of threads that leave something behind for the one who leaves last.
#include "adagents/runtime/internal/append_log.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

constexpr uint32_t kPlaces = 4;
using Log = internal::AppendLog<int, kPlaces, ModelAtomics>;

// As a decision: whoever leaves last reads, then it is used again.
struct Decision {
  enum Site : int { kLeave };

  Log log;
  ModelAtomics::Atomic<int> users{0};
  int read = 0;

  explicit Decision(int count) : users(count) {}

  void Work(int first, int count) {
    for (int i = 0; i < count; ++i) log.Append(first + i);
    const auto order = ModelAtomics::At(kLeave, std::memory_order_acq_rel);
    if (users.fetch_sub(1, order) == 1) Read();
  }
  void Read() {
    int seen[16] = {};
    for (uint32_t i = 0; i < log.size(); ++i) {
      const int value = log.At(i);
      Ensure(value > 0 && value < 16, "what nobody left");
      Ensure(++seen[value] == 1, "the same twice");
    }
    read = static_cast<int>(log.size() + log.dropped());
    log.Clear();
  }
};

template <int kThreads, int kEach>
void LeaveInTurn(Program& p) {
  auto d = std::make_shared<Decision>(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    p.Thread([d, thread] { d->Work(1 + thread * kEach, kEach); });
  }
  p.Finally([d] {
    Ensure(d->read == kThreads * kEach, "something was lost and not counted");
    Ensure(d->log.size() == 0, "not empty again");
  });
}

TEST_CASE("what several threads leave is read whole, once each, or counted as dropped") {
  CheckPrograms({LeaveInTurn<3, 1>, LeaveInTurn<2, 2>, LeaveInTurn<3, 2>});
}

TEST_CASE("the order by which threads leave is needed to read what they left") {
  CheckMutants({LeaveInTurn<3, 1>, LeaveInTurn<2, 2>});
}

}  // namespace
}  // namespace adagents::testing
