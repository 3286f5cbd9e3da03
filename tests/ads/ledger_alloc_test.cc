// Reserving, committing and releasing touch the heap nowhere. An executable of its own, because it
// replaces operator new.
#include <cstdlib>
#include <new>

#include "ads/ledger_kit.h"

namespace {
thread_local long allocations = 0;
}  // namespace

// Not inlined, or g++ sees malloc() meet operator delete.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t align) {
  ++allocations;
  const auto to = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace adagents::ads {
namespace {

TEST_CASE("reserve, commit and release allocate nothing") {
  LedgerKit kit;
  kit.Account({100'000'000});
  REQUIRE(kit.Reserve(1).ok());
  REQUIRE(kit.Commit(2).capped);  // the list of events has its memory, too
  const long before = allocations;
  int reserved = 0, committed = 0, late = 0;
  for (int i = 0; i < 300; ++i) {
    const Reservation reservation = kit.Try(1000);
    reserved += reservation.ok();
    if (i % 3 == 0) {
      kit.ledger->Release(reservation.id, ReleaseCause::kLoss);
      late += kit.Commit(1000).outcome == CommitOutcome::kLate;
    } else {
      committed += kit.Commit(900).outcome == CommitOutcome::kCommitted;
      kit.Commit(900);  // a duplicate
    }
  }
  const long allocated = allocations - before;
  CHECK(allocated == 0);
  CHECK(reserved == 300);
  CHECK(committed == 200);
  CHECK(late == 100);
}

}  // namespace
}  // namespace adagents::ads
