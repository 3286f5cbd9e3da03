// Interleavings of one set of the table.
#include "adagents/blackboard/table.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

struct Pair {
  uint64_t a, b;
};
using TestTable = Table<uint64_t, Pair, ModelAtomics>;

Pair Both(uint64_t v) { return {v, v}; }
std::shared_ptr<TestTable> OneSet(TableOptions options = {}) {
  options.capacity = 1;
  return std::make_shared<TestTable>(options);
}

// 0 when absent.
uint64_t FindWhole(const TestTable& table, uint64_t key) {
  Pair value{};
  if (!table.Find(key, &value)) return 0;
  Ensure(value.a == value.b, "torn");
  Ensure(value.a / 100 == key, "another key's value");
  return value.a;
}

void Update(TestTable& table, uint64_t key) {
  const Upserted result = table.Upsert(key, [key](Pair& v, bool existed) {
    Ensure(v.a == v.b, "torn");
    v = Both(existed ? v.a + 1 : key * 100 + 1);
  });
  Ensure(result != Upserted::kFull, "full");
}

size_t CountOf(const TestTable& table, uint64_t key) {
  size_t count = 0;
  table.ForEach([&](uint64_t k, const Pair& v) {
    Ensure(v.a == v.b, "torn");
    count += k == key ? 1 : 0;
  });
  return count;
}

// Two writers of one key and one of another, all in one set; a present key is never missed.
void SameKey(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(101));
  p.Thread([table] { Update(*table, 1), Update(*table, 1); });
  p.Thread([table] { Update(*table, 1), Update(*table, 2); });
  p.Thread([table] {
    uint64_t last = 101;
    for (int i = 0; i < 3; ++i) {
      const uint64_t now = FindWhole(*table, 1);
      Ensure(now >= last, "went back or missed");
      last = now;
    }
  });
  p.Finally([table] {
    Ensure(FindWhole(*table, 1) == 104, "an update was lost");
    Ensure(FindWhole(*table, 2) == 201, "an insert was lost");
    Ensure(CountOf(*table, 1) == 1, "a duplicate");
  });
}

void InsertAndErase(Program& p) {
  auto table = OneSet();
  p.Thread([table] { Update(*table, 3), table->Erase(3), Update(*table, 4); });
  p.Thread([table] { Update(*table, 3), Update(*table, 5); });
  p.Thread([table] {
    for (uint64_t key : {3, 4, 5}) FindWhole(*table, key);
    CountOf(*table, 3);
  });
  p.Finally([table] {
    Ensure(CountOf(*table, 3) <= 1, "a duplicate");
    Ensure(FindWhole(*table, 4) == 401 && FindWhole(*table, 5) == 501, "an insert was lost");
  });
}

// A full set: new keys push out old ones under readers.
void Eviction(Program& p) {
  auto table = OneSet();
  for (uint64_t key = 1; key <= TestTable::kWays; ++key) table->Put(key, Both(key * 100 + 1));
  p.Thread([table] {
    for (uint64_t key = 20; key < 23; ++key) Update(*table, key);
  });
  p.Thread([table] {
    for (uint64_t key = 1; key <= 3; ++key) FindWhole(*table, key);
  });
  p.Finally([table] {
    Ensure(table->SizeGuess() == TestTable::kWays && table->evicted() == 3, "wrong size");
    for (uint64_t key = 20; key < 23; ++key) Ensure(FindWhole(*table, key) != 0, "lost");
  });
}

// Readers get past a writer that died; only writers of its set would wait for it.
void DeadWriter(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(101));
  p.MortalThread([table] { Update(*table, 1), Update(*table, 2); });
  p.Thread([table] {
    for (int i = 0; i < 3; ++i) Ensure(FindWhole(*table, 1) != 0, "missed");
  });
  p.Finally([table] { Ensure(FindWhole(*table, 1) != 0, "missed"); });
}

const std::vector<ProgramMaker> kPrograms = {SameKey, InsertAndErase, Eviction};

TEST_CASE("a table tears, loses and doubles nothing, and dead writers block no reader") {
  CheckPrograms({SameKey, InsertAndErase, Eviction, DeadWriter});
}

TEST_CASE("every order of the table is needed") { CheckMutants(kPrograms); }

}  // namespace
}  // namespace adagents::testing
