// Interleavings of the handshake between a running thread and the watchdog.
#include "adagents/runtime/internal/watch_word.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

struct State {
  internal::WatchWord<ModelAtomics> watch;
  ModelAtomics::Atomic<uint64_t> due{0};   // of the run, written before Begin()
  ModelAtomics::Plain<uint64_t> notes{0};  // of the watchdog, for whoever ends a marked run
  uint64_t marked = 0, ended_marked = 0;

  void Run(uint64_t n) {
    due.store(n, kRelaxed);
    watch.Begin();
    if (watch.End()) {
      Ensure(notes == n, "another run's notes");
      ++ended_marked;
    }
  }
  // Every run but the first is overdue.
  void Look() {
    const uint64_t run = watch.Running();
    if (run == 0) return;
    const uint64_t seen = due.load(kRelaxed);
    const uint64_t number = run / 2;
    Ensure(seen >= number, "an earlier run's due time");
    if (seen < 2) return;
    notes = number;
    if (watch.MarkOverdue(run)) {
      ++marked;
      Ensure(seen == number, "marked a run by a later one's due time");
    }
  }
};

void RunsAndLooks(Program& p) {
  auto s = std::make_shared<State>();
  p.Thread([s] {
    for (uint64_t n = 1; n <= 4; ++n) s->Run(n);
  });
  p.Thread([s] {
    for (int i = 0; i < 5; ++i) s->Look();
  });
  p.Finally([s] {
    Ensure(s->marked == s->ended_marked, "a mark that nobody saw");
    Ensure(s->watch.Running() == 0, "still running");
  });
}

// A drainer of shards whose run is marked has lost its shard to whoever the watchdog gives it: each
// shard has one owner at any time and is never lost. The watchdog reads which shard it is before it
// marks; read afterwards, it may be the next one (Events::TakeOver did that once).
struct Shards {
  internal::WatchWord<ModelAtomics> watch;
  ModelAtomics::Atomic<uint32_t> draining{0};  // plus 1
  int owners[3] = {1, 1, 1};

  void Drain(uint32_t shard) {
    draining.store(shard + 1, kRelaxed);
    watch.Begin();
    const bool lost = watch.End();
    draining.store(0, kRelaxed);
    if (lost) --owners[shard];
  }
  void Look() {
    const uint64_t run = watch.Running();
    if (run == 0) return;
    const uint32_t shard = draining.load(kRelaxed);
    if (!watch.MarkOverdue(run)) return;
    Ensure(shard != 0, "a marked run without its shard");
    ++owners[shard - 1];
  }
};

void TakeOver(Program& p) {
  auto s = std::make_shared<Shards>();
  p.Thread([s] {
    for (uint32_t shard = 0; shard < 3; ++shard) s->Drain(shard);
  });
  p.Thread([s] {
    for (int i = 0; i < 4; ++i) s->Look();
  });
  p.Finally([s] {
    for (int owners : s->owners) Ensure(owners == 1, "a shard lost or with two owners");
  });
}

TEST_CASE("a run that the watchdog marks is told so at its end, and no other run is") {
  CheckPrograms({RunsAndLooks, TakeOver});
}

TEST_CASE("every order of the watch word is needed") { CheckMutants({RunsAndLooks, TakeOver}); }

}  // namespace
}  // namespace adagents::testing
