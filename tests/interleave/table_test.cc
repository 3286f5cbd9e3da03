// Interleavings of one set of the table, and of a home with its overflow set.
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

/// a goes ahead of b by one, then b follows: each step changes one word, where it is.
void Step(TestTable& table) {
  const bool there = table.Update(1, [](Pair& v) { ++(v.a == v.b ? v.a : v.b); });
  Ensure(there, "lost");
}
uint64_t FindStepped(const TestTable& table) {
  Pair value{};
  Ensure(table.Find(1, &value), "missed");
  Ensure(value.a == value.b || value.a == value.b + 1, "two updates mixed");
  return value.a + value.b;
}

// No copy is of one update in its first word and of a later one in its second.
void OneWordAtATime(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(100));
  p.Thread([table] { Step(*table), Step(*table), Step(*table); });
  p.Thread([table] { Step(*table), Update(*table, 2), Step(*table); });
  p.Thread([table] {
    uint64_t last = 200;
    for (int i = 0; i < 2; ++i) {
      const uint64_t now = FindStepped(*table);
      Ensure(now >= last, "went back");
      last = now;
    }
  });
  p.Finally([table] {
    Ensure(FindStepped(*table) == 205, "an update was lost");
    Ensure(FindWhole(*table, 2) == 201, "an insert was lost");
  });
}

// A writer that dies in such an update has done it, or not.
void DeadInPlace(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(100));
  p.MortalThread([table] { Step(*table), Step(*table); });
  p.Thread([table] { FindStepped(*table), FindStepped(*table); });
  p.Finally([table] { FindStepped(*table); });
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

// What is purged is gone, copies that updates left behind included; nobody reads half of it.
void PurgeBesideAll(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(101));
  table->Put(2, Both(201));
  p.Thread([table] {
    const size_t erased = table->Purge([](uint64_t key, const Pair&) { return key == 1; });
    Ensure(erased == 1, "purged something else");
  });
  p.Thread([table] { Update(*table, 2), Update(*table, 3); });
  p.Thread([table] {
    const uint64_t first = FindWhole(*table, 1);
    Ensure(first == 0 || first == 101, "another value");
    Ensure(FindWhole(*table, 2) >= 201, "missed what was not purged");
    CountOf(*table, 1);
  });
  p.Finally([table] {
    Ensure(FindWhole(*table, 1) == 0, "found what was purged");
    Ensure(FindWhole(*table, 2) == 202 && FindWhole(*table, 3) == 301, "an update was lost");
  });
}

// Update() makes nothing, and between EraseIf()'s look and its deed nobody comes.
void OnlyIf(Program& p) {
  auto table = OneSet();
  table->Put(1, Both(101));
  auto updated = std::make_shared<int>(0), erased = std::make_shared<int>(0);
  p.Thread([table, updated] {
    *updated = table->Update(1, [](Pair& v) { v = Both(v.a + 1); }) ? 1 : 0;
    Ensure(!table->Update(2, [](Pair&) {}), "updated what was not there");
  });
  p.Thread([table, erased] {
    *erased = table->EraseIf(1, [](const Pair& v) { return v.a == 101; }) ? 1 : 0;
  });
  p.Thread([table] { FindWhole(*table, 1); });
  p.Finally([table, updated, erased] {
    Ensure(*updated + *erased == 1, "both, or neither");
    Ensure(FindWhole(*table, 1) == (*updated == 1 ? 102u : 0u), "not as was said");
    Ensure(CountOf(*table, 2) == 0, "made by an update");
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

// Two homes and an overflow set; these keys are all of the first home, which the setup fills.
constexpr uint64_t kOfHome = 3;
std::vector<uint64_t> KeysOfFirstHome() {
  std::vector<uint64_t> keys;
  for (uint64_t key = 1; keys.size() < TestTable::kWays + kOfHome; ++key) {
    if (StableHash<uint64_t>()(key) >> 63 == 0) keys.push_back(key);
  }
  return keys;
}
std::shared_ptr<TestTable> FullHome(const std::vector<uint64_t>& keys) {
  auto table = std::make_shared<TestTable>(TableOptions{.capacity = 13});
  for (size_t i = 0; i < TestTable::kWays; ++i) table->Put(keys[i], Both(keys[i] * 100 + 1));
  return table;
}

enum Told : int { kTell, kHear };

// A key that is away is found by whoever knows of it, once, however it got there.
void Away(Program& p) {
  static const std::vector<uint64_t> keys = KeysOfFirstHome();
  auto table = FullHome(keys);
  const uint64_t a = keys[TestTable::kWays], b = keys[TestTable::kWays + 1];
  auto told = std::make_shared<ModelAtomics::Atomic<uint64_t>>(0);
  p.Thread([table, a, told] {
    Update(*table, a);
    told->store(1, ModelAtomics::At(kTell, std::memory_order_release));
    Update(*table, a);
  });
  p.Thread([table, a, b] {
    Update(*table, b);
    Update(*table, a);
  });
  p.Thread([table, a, told] {
    const bool known = told->load(ModelAtomics::At(kHear, std::memory_order_acquire)) == 1;
    const uint64_t first = FindWhole(*table, a);
    Ensure(!known || first != 0, "missed");
    Ensure(first == 0 || FindWhole(*table, a) >= first, "went back or missed");
  });
  p.Finally([table, a, b] {
    Ensure(FindWhole(*table, a) == a * 100 + 3, "an update was lost");
    Ensure(FindWhole(*table, b) == b * 100 + 1, "an insert was lost");
    Ensure(CountOf(*table, a) == 1 && CountOf(*table, b) == 1, "a duplicate");
    Ensure(table->SizeGuess() == TestTable::kWays + 2 && table->evicted() == 0, "wrong size");
  });
}

// The home gets room while a key is away: it is written where it is, or anew at home, never twice.
void AwayAndBack(Program& p) {
  static const std::vector<uint64_t> keys = KeysOfFirstHome();
  auto table = FullHome(keys);
  const uint64_t a = keys[TestTable::kWays];
  Update(*table, a);
  p.Thread([table] { table->Erase(keys[0]); });
  p.Thread([table, a] { Update(*table, a); });
  p.Thread([table, a] { table->Erase(a), Update(*table, a); });
  p.Thread([table, a] { FindWhole(*table, a); });
  p.Finally([table, a] {
    Ensure(CountOf(*table, a) == 1, "a duplicate, or lost");
    Ensure(FindWhole(*table, a) != 0, "not found");
    Ensure(FindWhole(*table, keys[0]) == 0, "found after it was erased");
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

const std::vector<ProgramMaker> kPrograms = {SameKey, OneWordAtATime, InsertAndErase, Eviction};

TEST_CASE("a table tears, loses and doubles nothing, and dead writers block no reader") {
  CheckPrograms({SameKey, OneWordAtATime, InsertAndErase, OnlyIf, PurgeBesideAll, Eviction, Away,
                 AwayAndBack, DeadWriter, DeadInPlace});
}

TEST_CASE("every order of the table is needed") { CheckMutants(kPrograms); }

}  // namespace
}  // namespace adagents::testing
