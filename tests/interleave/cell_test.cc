// Interleavings of the cell.
#include "adagents/blackboard/cell.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

struct Pair {
  uint64_t a, b;
};
using TestCell = Cell<Pair, ModelAtomics>;

Pair Both(uint64_t v) { return {v, v}; }

uint64_t ReadWhole(const TestCell& cell) {
  const Pair value = cell.Read();
  Ensure(value.a == value.b, "torn");
  return value.a;
}

// Each writer reads its own write or something newer; a reader never goes back.
void ManyWrites(Program& p) {
  auto cell = std::make_shared<TestCell>(Both(0));
  p.Thread([cell] {
    for (uint64_t i = 1; i <= 4; ++i) cell->Write(Both(i));
  });
  for (int reader = 0; reader < 2; ++reader) {
    p.Thread([cell] {
      uint64_t last = 0;
      for (int i = 0; i < 3; ++i) {
        const uint64_t now = ReadWhole(*cell);
        Ensure(now >= last && now <= 4, "went back");
        last = now;
      }
    });
  }
  p.Finally([cell] { Ensure(ReadWhole(*cell) == 4 && cell->version() == 4, "lost"); });
}

void ConcurrentWriters(Program& p) {
  auto cell = std::make_shared<TestCell>(Both(0));
  for (uint64_t writer = 1; writer <= 4; ++writer) {  // one more than there are free slots
    p.Thread([cell, writer] {
      for (uint64_t i = 1; i <= 2; ++i) cell->Write(Both(writer * 10 + i));
    });
  }
  p.Thread([cell] { ReadWhole(*cell), ReadWhole(*cell); });
  p.Finally([cell] {
    const uint64_t last = ReadWhole(*cell);
    Ensure(last % 10 == 2 && last / 10 >= 1 && last / 10 <= 4, "not a writer's last value");
    Ensure(cell->version() == 8, "a write that did not count");
  });
}

void Updates(Program& p) {
  auto cell = std::make_shared<TestCell>(Both(0));
  for (int writer = 0; writer < 3; ++writer) {
    p.Thread([cell] {
      for (int i = 0; i < 2; ++i) {
        cell->Update([](Pair v) {
          Ensure(v.a == v.b, "torn");
          return Both(v.a + 1);
        });
      }
    });
  }
  p.Finally([cell] { Ensure(ReadWhole(*cell) == 6, "an update was lost"); });
}

void DeadWriters(Program& p) {
  auto cell = std::make_shared<TestCell>(Both(0));
  p.MortalThread([cell] { cell->Write(Both(1)); });
  p.MortalThread([cell] { cell->Write(Both(2)); });
  p.Thread([cell] {
    for (uint64_t i = 3; i <= 5; ++i) cell->Write(Both(i));
  });
  p.Thread([cell] { ReadWhole(*cell), ReadWhole(*cell); });
  p.Finally([cell] { ReadWhole(*cell); });
}

TEST_CASE("a cell is never torn, loses no write and is not blocked by dead writers") {
  CheckPrograms({ManyWrites, ConcurrentWriters, Updates, DeadWriters});
}

TEST_CASE("every order of the cell is needed") {
  CheckMutants({ManyWrites, ConcurrentWriters, Updates});
}

}  // namespace
}  // namespace adagents::testing
