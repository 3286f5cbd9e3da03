// Reserving, committing and releasing touch the heap nowhere. An executable of its own, because it
// replaces operator new.
#include "ads/ledger_kit.h"
#include "allocations.h"

namespace adagents::ads {
namespace {

TEST_CASE("reserve, commit and release allocate nothing") {
  LedgerKit kit;
  kit.Account({100'000'000});
  REQUIRE(kit.Reserve(1).ok());
  REQUIRE(kit.Commit(2).capped);  // the list of events has its memory, too
  const long before = testing::thread_allocations;
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
  const long allocated = testing::thread_allocations - before;
  CHECK(allocated == 0);
  CHECK(reserved == 300);
  CHECK(committed == 200);
  CHECK(late == 100);
}

}  // namespace
}  // namespace adagents::ads
