// Interleavings of one line of the table of capped windows.
#include "ads/cap_table.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using ads::internal::CapPeriod;
using ads::internal::CapPlace;
using ads::internal::CapShape;
using ads::internal::CapTable;
using ads::internal::CapTaken;
using ads::internal::CapWord;
using TestTable = CapTable<ModelAtomics, 2>;

// Slices and generations of one unit: what was counted at kThen is over at kNow.
constexpr uint32_t kThen = 1000, kNow = 1100, kTtl = 1;
constexpr CapShape kShape{.span = 7, .width = CapPeriod(1)};
constexpr uint32_t kOldCount = 5;  // of every window that is there at the start

/// All windows in one line, so that every slot is fought for.
CapPlace Window(uint32_t key) { return {{0, 0}, key << 8 | 1}; }

std::shared_ptr<TestTable> OneLine() { return std::make_shared<TestTable>(2, kTtl); }
/// Whose slots are all used, by windows 1 to 5, and all over at kNow: that of window 1 goes first.
std::shared_ptr<TestTable> FullLine() {
  auto table = OneLine();
  for (uint32_t key = 1; key <= TestTable::kSlots; ++key) {
    for (uint32_t i = 0; i < kOldCount; ++i) {
      Ensure(table->Settle(Window(key), kThen, true, kThen), "no room at the start");
    }
  }
  return table;
}
bool Take(TestTable& table, uint32_t key, uint32_t limit, uint32_t now) {
  const CapTaken taken = table.Reserve(Window(key), limit, kShape, now);
  Ensure(taken != CapTaken::kFull, "full");
  return taken == CapTaken::kYes;
}
uint32_t Total(const TestTable& table, uint32_t key, uint32_t now) {
  const CapWord w = table.Look(Window(key), now);
  return w.Counted(kShape) + w.Reserved();
}

// Three decisions want the two places of a window that has no slot yet.
void FirstPlaces(Program& p) {
  auto table = OneLine();
  auto taken = std::make_shared<std::array<bool, 3>>();
  for (size_t t = 0; t < 3; ++t) {
    p.Thread([=] { (*taken)[t] = Take(*table, 1, 2, kNow); });
  }
  p.Finally([=] {
    Ensure((*taken)[0] + (*taken)[1] + (*taken)[2] == 2, "not as many as the limit");
    Ensure(Total(*table, 1, kNow) == 2, "counted wrongly");
  });
}

// Reservations that are played or given back while others reserve: never above the limit.
void PlayedAndReleased(Program& p) {
  auto table = OneLine();
  auto played = std::make_shared<std::array<int, 2>>();
  Ensure(Take(*table, 1, 2, kNow), "no room at the start");
  p.Thread([=] { Ensure(table->Settle(Window(1), kNow, true, kNow), "lost"); });
  for (size_t t = 0; t < 2; ++t) {
    p.Thread([=] {
      for (int i = 0; i < 2; ++i) {
        if (!Take(*table, 1, 2, kNow)) continue;
        const bool plays = i == 1 || t == 0;
        Ensure(table->Settle(Window(1), kNow, plays, kNow), "lost");
        (*played)[t] += plays ? 1 : 0;
      }
    });
  }
  p.Finally([=] {
    Ensure((*played)[0] + (*played)[1] <= 1, "above the limit");
    const CapWord w = table->Look(Window(1), kNow);
    Ensure(w.Counted(kShape) == static_cast<uint32_t>(1 + (*played)[0] + (*played)[1]),
           "miscounted");
    Ensure(w.Reserved() == 0, "a reservation was left");
  });
}

// Slots change hands while their old windows are looked at and come back to life.
void HandOver(Program& p) {
  auto table = FullLine();
  auto taken = std::make_shared<std::array<bool, 2>>();
  p.Thread([=] { (*taken)[0] = Take(*table, 1, 1, kNow), (void)Take(*table, 7, 1, kNow); });
  p.Thread([=] { (*taken)[1] = Take(*table, 6, 1, kNow); });
  p.Thread([=] {
    for (const uint32_t key : {1u, 6u, 7u}) {
      // At kThen: the old counts are seen as long as the slot has not changed hands.
      const uint32_t total = Total(*table, key, kThen);
      if (key > TestTable::kSlots) Ensure(total <= 1, "another window's counts");
    }
    const uint32_t again = Total(*table, 1, kThen);
    Ensure(again <= 1 || again == kOldCount, "another window's counts");
  });
  p.Finally([=] {
    Ensure((*taken)[0] && (*taken)[1], "refused");
    Ensure(Total(*table, 1, kNow) == 1, "window 1 lost its reservation");
    Ensure(Total(*table, 6, kNow) == 1, "window 6 lost its reservation");
  });
}

// A window is looked at while its slot goes to another that counts on: its old counts, or none.
void LookedAtMeanwhile(Program& p) {
  auto table = FullLine();
  p.Thread([=] { (void)Take(*table, 6, 2, kNow), (void)Take(*table, 6, 2, kNow); });
  p.Thread([=] {
    for (int i = 0; i < 2; ++i) {
      const uint32_t total = Total(*table, 1, kThen);
      Ensure(total == 0 || total == kOldCount, "another window's counts");
    }
  });
}

// Two threads wake the same old window, and a third takes slots away.
void WokenTwice(Program& p) {
  auto table = FullLine();
  auto taken = std::make_shared<std::array<bool, 2>>();
  for (size_t t = 0; t < 2; ++t) p.Thread([=] { (*taken)[t] = Take(*table, 1, 1, kNow); });
  p.Thread([=] { (void)Take(*table, 8, 1, kNow), (void)Take(*table, 9, 1, kNow); });
  p.Finally([=] {
    Ensure((*taken)[0] + (*taken)[1] == 1, "one place was given twice, or to nobody");
    Ensure(Total(*table, 1, kNow) == 1, "counted wrongly");
  });
}

// Both lines of a window are full of what counts: it is opened beside them, once.
void OpenedBeside(Program& p) {
  auto table = OneLine();
  for (uint32_t key = 1; key <= TestTable::kSlots; ++key) {
    Ensure(table->Settle(Window(key), kNow, true, kNow), "no room at the start");
  }
  auto taken = std::make_shared<std::array<bool, 2>>();
  for (size_t t = 0; t < 2; ++t) p.Thread([=] { (*taken)[t] = Take(*table, 9, 1, kNow); });
  p.Thread([=] { Ensure(Total(*table, 1, kNow) == 1, "lost"), (void)Take(*table, 8, 1, kNow); });
  p.Finally([=] {
    Ensure((*taken)[0] + (*taken)[1] == 1, "one place was given twice, or to nobody");
    Ensure(Total(*table, 9, kNow) == 1 && Total(*table, 8, kNow) == 1, "counted wrongly");
  });
}

// The first line is full of what counts: a window is opened in its second line, once, and a window
// with the same tag whose first line that is shares its count.
void OpenedAway(Program& p) {
  auto table = OneLine();
  for (uint32_t key = 1; key <= TestTable::kSlots; ++key) {
    Ensure(table->Settle(Window(key), kNow, true, kNow), "no room at the start");
  }
  auto taken = std::make_shared<std::array<bool, 3>>();
  for (size_t t = 0; t < 2; ++t) {
    p.Thread([=] {
      const CapPlace place{{0, 1}, Window(9).tag};
      (*taken)[t] = table->Reserve(place, 2, kShape, kNow) == CapTaken::kYes;
    });
  }
  p.Thread([=] {
    const CapPlace twin{{1, 0}, Window(9).tag};
    (*taken)[2] = table->Reserve(twin, 2, kShape, kNow) == CapTaken::kYes;
  });
  p.Finally([=] {
    Ensure((*taken)[0] + (*taken)[1] + (*taken)[2] == 2, "not as many as the limit");
    Ensure(table->Look({{0, 1}, Window(9).tag}, kNow).Reserved() == 2, "counted wrongly");
    Ensure(table->Look({{1, 0}, Window(9).tag}, kNow).Reserved() == 2, "lost");
  });
}

// One that dies while it opens windows stops nobody who looks. When it has been cleaned up, nothing
// is lost, and every window can be changed and opened.
void DeadOpener(Program& p) {
  auto table = OneLine();
  Ensure(Take(*table, 1, 9, kNow), "no room at the start");
  p.MortalThread([=] {
    (void)Take(*table, 2, 1, kNow), (void)Take(*table, 3, 1, kNow), (void)Take(*table, 1, 9, kNow);
  });
  p.Thread([=] {
    const uint32_t total = Total(*table, 1, kNow);
    Ensure(total == 1 || total == 2, "another window's counts");
    Ensure(Total(*table, 2, kNow) <= 1, "another window's counts");
  });
  p.Finally([=] {
    const uint32_t total = Total(*table, 1, kNow);
    Ensure(total == 1 || total == 2, "counted wrongly");
    table->Recover();
    for (const uint32_t key : {1u, 2u, 4u, 5u}) {
      const uint32_t before = Total(*table, key, kNow);
      Ensure(Take(*table, key, 9, kNow), "refused");
      Ensure(Total(*table, key, kNow) == before + 1, "counted wrongly");
    }
  });
}

const std::vector<ProgramMaker> kPrograms = {LookedAtMeanwhile, FirstPlaces, PlayedAndReleased,
                                             HandOver,          WokenTwice,  OpenedBeside,
                                             OpenedAway};

TEST_CASE("a capped window never gives a place twice, loses none, and shows nobody else's") {
  CheckPrograms({LookedAtMeanwhile, FirstPlaces, PlayedAndReleased, HandOver, WokenTwice,
                 OpenedBeside, OpenedAway, DeadOpener});
}

TEST_CASE("every order of the table of capped windows is needed") { CheckMutants(kPrograms); }

}  // namespace
}  // namespace adagents::testing
