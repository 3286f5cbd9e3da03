#include "adagents/blackboard/table.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/blackboard/region.h"
#include "adagents/testing/virtual_clock.h"
#include "blackboard/support.h"
#include "catch.h"
#include "temporary_folder.h"

namespace adagents {
namespace {

using Numbers = Table<uint64_t, uint64_t>;

uint64_t Get(const Numbers& table, uint64_t key) {
  uint64_t value = 0;
  return table.Find(key, &value) ? value : 0;
}

// Three words, so that an update of all of them leaves the old copy behind in another slot.
struct Secret {
  uint64_t a = 0, b = 0, c = 0;
};

TEST_CASE("what is purged leaves no byte behind, and what is not is still there") {
  const Folder folder;
  testing::VirtualClock clock;
  const std::string path = folder / "region";
  const auto key = [](uint64_t i) { return 0x5ec4e70000000000 + i; };
  const uint64_t kMark = 0xfeedfacecafebeef, kKept = 0x600d600d600d600d;
  const auto holds = [&](uint64_t word) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    return bytes.find(std::string(reinterpret_cast<const char*>(&word), sizeof(word))) !=
           std::string::npos;
  };
  {
    auto region = Region::Open(path, {.bytes = 4 << 20, .clock = &clock});
    REQUIRE(region.ok());
    Table<uint64_t, Secret> table({.capacity = 650,
                                   .ttl = absl::Minutes(10),
                                   .clock = &clock,
                                   .region = &*region,
                                   .name = "secrets"});
    REQUIRE(region->status().ok());
    table.Put(key(9), {kMark + 9, kMark + 9, 0});  // expires before the others
    clock.Advance(absl::Minutes(9));
    for (uint64_t round = 0; round < 5; ++round) {
      for (uint64_t i = 100; i < 700; ++i) table.Put(i, {kKept, round, i});  // overflow sets too
      for (uint64_t i = 0; i < 3; ++i) table.Put(key(i), {kMark, round, kMark + i});
    }
    table.Erase(key(2));
    clock.Advance(absl::Minutes(2));
    const auto listed = [&](uint64_t k, const Secret&) { return k == key(0) || k == key(1); };
    CHECK(table.PurgeKey(key(0)));
    CHECK_FALSE(table.PurgeKey(key(0)));
    CHECK(table.Purge(listed) == 1);
    CHECK(table.Purge(listed) == 0);
    for (uint64_t i = 0; i < 10; ++i) CHECK_FALSE(table.Contains(key(i)));
    Secret found;
    for (uint64_t i = 600; i < 700; ++i) {
      REQUIRE(table.Find(i, &found));
      CHECK((found.a == kKept && found.b == 4 && found.c == i));
    }
    REQUIRE(region->Sync().ok());
  }
  CHECK(holds(kKept));
  for (uint64_t i = 0; i < 10; ++i) {
    CHECK_FALSE(holds(key(i)));
    CHECK_FALSE(holds(kMark + i));
  }
}

TEST_CASE("a table finds what was put, updates in place and erases") {
  Numbers table({.capacity = 100});
  CHECK(table.Put(1, 10) == Upserted::kInserted);
  CHECK(table.Put(1, 11) == Upserted::kUpdated);
  CHECK(Get(table, 1) == 11);
  CHECK_FALSE(table.Contains(2));
  CHECK(table.Upsert(1, [](uint64_t& v, bool existed) { v += existed ? 1 : 100; }) ==
        Upserted::kUpdated);
  CHECK(Get(table, 1) == 12);
  CHECK(table.Erase(1));
  CHECK_FALSE(table.Erase(1));
  CHECK(Get(table, 1) == 0);
  CHECK(table.SizeGuess() == 0);
}

TEST_CASE("an entry is gone when its time to live is over, and a new one starts from nothing") {
  testing::VirtualClock clock;
  Numbers table({.capacity = 100, .ttl = absl::Seconds(10), .clock = &clock});
  table.Put(1, 10);
  clock.Advance(absl::Seconds(9));
  CHECK(Get(table, 1) == 10);
  table.Put(1, 11);  // renews
  clock.Advance(absl::Seconds(9));
  CHECK(Get(table, 1) == 11);
  clock.Advance(absl::Seconds(1));
  CHECK_FALSE(table.Contains(1));
  CHECK_FALSE(table.Erase(1));
  table.Put(2, 20);
  clock.Advance(absl::Seconds(11));
  CHECK(table.Upsert(2, [](uint64_t& v, bool existed) {
    CHECK_FALSE(existed);
    CHECK(v == 0);
    v = 1;
  }) == Upserted::kInserted);
}

TEST_CASE("a window that counts from creation is not renewed by writes") {
  testing::VirtualClock clock;
  Numbers table({.ttl = absl::Seconds(10), .expiry = Expiry::kAfterCreation, .clock = &clock});
  table.Put(1, 1);
  clock.Advance(absl::Seconds(6));
  table.Put(1, 2);
  clock.Advance(absl::Seconds(4));
  CHECK_FALSE(table.Contains(1));
}

TEST_CASE("a full set evicts the entry that expires first, or refuses if caps must stay") {
  testing::VirtualClock clock;
  TableOptions options{.capacity = 1, .ttl = absl::Seconds(100), .clock = &clock};
  Numbers sessions(options);  // one set
  options.when_full = WhenFull::kRefuse;
  Numbers caps(options);
  for (uint64_t key = 1; key <= Numbers::kWays; ++key) {
    CHECK(sessions.Put(key, key) == Upserted::kInserted);
    CHECK(caps.Put(key, key) == Upserted::kInserted);
    clock.Advance(absl::Seconds(1));
  }
  sessions.Put(1, 1);  // now key 2 expires first
  CHECK(sessions.Put(100, 1) == Upserted::kInserted);
  CHECK(sessions.Contains(1));
  CHECK_FALSE(sessions.Contains(2));
  CHECK(sessions.evicted() == 1);

  bool called = false;
  CHECK(caps.Upsert(100, [&](uint64_t&, bool) { called = true; }) == Upserted::kFull);
  CHECK_FALSE(called);
  CHECK(caps.refused() == 1);
  CHECK(caps.Put(1, 5) == Upserted::kUpdated);  // what is there can still be written
  for (uint64_t key = 1; key <= Numbers::kWays; ++key) CHECK(caps.Contains(key));
  clock.Advance(absl::Seconds(95));  // key 2 and more have expired
  CHECK(caps.Put(100, 1) == Upserted::kInserted);
  CHECK(caps.evicted() == 0);
}

TEST_CASE("without a time to live a full set evicts its entries in turn") {
  Numbers table({.capacity = 1});
  for (uint64_t key = 1; key <= 100; ++key) {
    table.Put(key, key);
    CHECK(Get(table, key) == key);
  }
  CHECK(table.SizeGuess() == Numbers::kWays);
  for (uint64_t key = 88; key <= 100; ++key) CHECK(Get(table, key) == key);
}

TEST_CASE("an upsert whose functor throws changes nothing and leaves the set usable") {
  Numbers table({.capacity = 1});
  table.Put(1, 10);
  CHECK_THROWS_AS(table.Upsert(1,
                               [](uint64_t& v, bool) {
                                 v = 99;
                                 throw std::runtime_error("user error");
                               }),
                  std::runtime_error);
  CHECK(Get(table, 1) == 10);
  CHECK(table.Put(1, 11) == Upserted::kUpdated);
}

TEST_CASE("keys and values of any trivially copyable type") {
  struct Key {
    uint32_t campaign, listener;
    bool operator==(const Key&) const = default;
  };
  struct Value {
    char text[21];
  };
  Table<Key, Value> table({.capacity = 10});
  table.Put({1, 2}, Value{"twenty characters ok"});
  Value value{};
  REQUIRE(table.Find({1, 2}, &value));
  CHECK(std::string(value.text) == "twenty characters ok");
  CHECK_FALSE(table.Contains({2, 1}));
}

TEST_CASE("a table agrees with a map under random operations, as long as nothing is evicted") {
  const uint64_t seed = 20240607;
  INFO("seed " << seed);
  Random random(seed);
  Numbers table({.capacity = 4000});
  std::unordered_map<uint64_t, uint64_t> model;
  for (int i = 0; i < 100000; ++i) {
    const uint64_t key = random.Below(1500);
    switch (random.Below(4)) {
      case 0:
        REQUIRE(table.Erase(key) == (model.erase(key) == 1));
        break;
      case 1: {
        const uint64_t value = random();
        REQUIRE(table.Put(key, value) != Upserted::kFull);
        model[key] = value;
        break;
      }
      default: {
        uint64_t value = 0;
        const auto it = model.find(key);
        REQUIRE(table.Find(key, &value) == (it != model.end()));
        if (it != model.end()) REQUIRE(value == it->second);
      }
    }
  }
  REQUIRE(table.evicted() == 0);
  std::map<uint64_t, uint64_t> seen;
  table.ForEach([&](uint64_t key, uint64_t value) { CHECK(seen.emplace(key, value).second); });
  CHECK(seen == std::map<uint64_t, uint64_t>(model.begin(), model.end()));
  CHECK(table.SizeGuess() == model.size());
}

TEST_CASE("at capacity nearly all random keys fit") {
  for (const size_t capacity : {13, 50, 1000, 200'000}) {
    INFO("capacity " << capacity);
    uint64_t refused = 0, keys = 0;
    for (uint64_t round = 0; keys < 400'000; ++round) {
      Numbers table({.capacity = capacity, .when_full = WhenFull::kRefuse});
      for (uint64_t i = 0; i < capacity; ++i, ++keys) table.Put(keys * 7919, i + 1);
      CHECK(table.SizeGuess() + static_cast<size_t>(table.refused()) == capacity);
      refused += static_cast<uint64_t>(table.refused());
      const uint64_t first = keys - capacity;
      uint64_t found = 0;
      for (uint64_t i = 0; i < capacity; ++i) found += Get(table, (first + i) * 7919) == i + 1;
      REQUIRE(found + static_cast<uint64_t>(table.refused()) == capacity);
    }
    CHECK(refused <= keys / (capacity < 1000 ? 2'000 : 200'000));
  }
}

TEST_CASE("a full home's keys go away, are found, changed, erased and replaced there") {
  testing::VirtualClock clock;
  Numbers table({.capacity = 26, .ttl = absl::Seconds(100), .clock = &clock});  // 3 homes
  std::map<uint64_t, uint64_t> model;
  Random random(5);
  // More than fits at home, again and again, with everything that can become of an entry.
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t key = random.Below(80);
    if (random.Below(3) == 0) {
      REQUIRE(table.Erase(key) == (model.erase(key) == 1));
    } else {
      const auto evicted = table.evicted();
      const bool existed = model.count(key) == 1;
      REQUIRE(table.Put(key, key * 1000 + static_cast<uint64_t>(i)) ==
              (existed ? Upserted::kUpdated : Upserted::kInserted));
      model[key] = key * 1000 + static_cast<uint64_t>(i);
      if (table.evicted() != evicted) {  // somebody had to go: find out who
        for (auto it = model.begin(); it != model.end();) {
          it = table.Contains(it->first) ? std::next(it) : model.erase(it);
        }
      }
    }
    if (random.Below(20'000) == 0) {
      clock.Advance(absl::Seconds(101));
      model.clear();
    }
    if (i % 16 != 0) continue;
    std::map<uint64_t, uint64_t> seen;
    table.ForEach([&](uint64_t k, uint64_t v) { REQUIRE(seen.emplace(k, v).second); });
    REQUIRE(seen == model);
    for (const auto& [k, v] : model) REQUIRE(Get(table, k) == v);
    if (i % 1024 == 0) table.Recover();
  }
  CHECK(table.evicted() > 0);
}

TEST_CASE("ten million sessions of 128 bytes need less than 2 GiB") {
  const Table<uint64_t, std::array<char, 128>> table({.capacity = 10'000'000});
  CHECK(table.bytes() < size_t{2} << 30);
}

TEST_CASE("counts on real threads: no increment lost, no torn value, no duplicate") {
  struct Pair {
    uint64_t a, b;
  };
  constexpr uint64_t kKeys = 64;
  constexpr int kEach = 20000;
  Table<uint64_t, Pair> table({.capacity = 200});
  std::atomic<uint64_t> torn{0}, missed{0};
  for (uint64_t key = 0; key < kKeys; ++key) table.Put(key, {0, 0});
  RunThreads(4, [&](int me) {
    Random random(static_cast<uint64_t>(me));
    for (int i = 0; i < kEach; ++i) {
      const uint64_t key = random.Below(kKeys);
      if (me < 2) {
        table.Upsert(key, [](Pair& v, bool) { ++v.a, ++v.b; });
      } else {
        Pair value{};
        missed += table.Find(key, &value) ? 0 : 1;
        torn += value.a != value.b ? 1 : 0;
      }
    }
  });
  CHECK(torn == 0);
  CHECK(missed == 0);
  uint64_t sum = 0;
  std::set<uint64_t> keys;
  table.ForEach([&](uint64_t key, const Pair& v) {
    sum += v.a;
    CHECK(keys.insert(key).second);
  });
  CHECK(sum == 2 * kEach);
  CHECK(keys.size() == kKeys);
}

TEST_CASE("a table is visited in parts, each entry in one of them") {
  Table<uint64_t, uint64_t> table({.capacity = 1000});
  for (uint64_t key = 0; key < 500; ++key) table.Put(key, key + 1);
  for (const size_t part : {size_t{1}, size_t{7}, table.sets(), table.sets() + 5}) {
    std::vector<int> seen(500, 0);
    bool right = true;
    for (size_t first = 0; first < table.sets(); first += part) {
      table.ForEachIn(first, part, [&](uint64_t key, uint64_t value) {
        right = right && key < 500 && value == key + 1;
        if (key < 500) ++seen[key];
      });
    }
    CHECK(right);
    CHECK(std::count(seen.begin(), seen.end(), 1) == 500);
  }
  table.ForEachIn(table.sets() + 3, 5, [](uint64_t, uint64_t) { FAIL("there is nothing there"); });
}

TEST_CASE("an entry is visited once though updates move it meanwhile") {
  testing::VirtualClock clock;
  Table<int, int> table({.capacity = 10, .ttl = absl::Minutes(1), .clock = &clock});
  for (int key = 0; key < 10; ++key) table.Put(key, 0);
  for (int round = 0; round < 100; ++round) {
    std::vector<int> seen;
    table.ForEach([&](const int& key, const int&) {
      seen.push_back(key);
      clock.Advance(absl::Nanoseconds(1));  // another expiry: each update takes another slot
      for (int other = 0; other < 10; ++other) table.Put(other, round);
    });
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<int>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  }
}

TEST_CASE("a set that changes all the while is visited all the same, each entry once") {
  Table<int, std::array<int, 2>> table({.capacity = 10, .ttl = absl::Hours(1)});
  for (int key = 0; key < 10; ++key) table.Put(key, {});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int n = 1; !stop; ++n) table.Put(n % 10, {n, -n});
  });
  for (int round = 0; round < 2000; ++round) {
    std::array<int, 10> times{};
    table.ForEach([&](const int& key, const std::array<int, 2>& v) {
      CHECK(v[0] == -v[1]);
      ++times[static_cast<size_t>(key)];
    });
    CHECK(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; }));
  }
  stop = true;
  writer.join();
}

TEST_CASE("a key that finds no room finds it when what is beside it has gone") {
  Numbers table({.capacity = 200, .when_full = WhenFull::kRefuse});
  uint64_t key = 0;
  while (table.Put(key, key) != Upserted::kFull) ++key;
  std::vector<uint64_t> beside;
  table.ForEachBeside(key, [&](uint64_t other, uint64_t value) {
    CHECK(value == other);
    beside.push_back(other);
  });
  CHECK(beside.size() == 2 * Numbers::kWays);
  CHECK(beside.size() < key);
  CHECK(table.Erase(beside.back()));
  CHECK(table.Put(key, key) == Upserted::kInserted);
}

TEST_CASE(
    "an update changes only what is there, and a conditional erasure only what it describes") {
  testing::VirtualClock clock;
  Numbers table({.capacity = 100, .ttl = absl::Seconds(10), .clock = &clock});
  const auto plus_one = [](uint64_t& v) { ++v; };
  CHECK_FALSE(table.Update(1, plus_one));
  CHECK_FALSE(table.Contains(1));
  table.Put(1, 5);
  clock.Advance(absl::Seconds(6));
  CHECK(table.Update(1, plus_one));
  clock.Advance(absl::Seconds(6));  // it lives on
  uint64_t value = 0;
  CHECK(table.Find(1, &value));
  CHECK(value == 6);
  CHECK_FALSE(table.EraseIf(1, [](const uint64_t& v) { return v == 5; }));
  CHECK(table.Contains(1));
  CHECK(table.EraseIf(1, [](const uint64_t& v) { return v == 6; }));
  CHECK_FALSE(table.Contains(1));
  CHECK_FALSE(table.EraseIf(1, [](const uint64_t&) { return true; }));
  table.Put(2, 7);
  clock.Advance(absl::Seconds(10));
  CHECK_FALSE(table.Update(2, plus_one));
  CHECK_FALSE(table.EraseIf(2, [](const uint64_t&) { return true; }));
  // A crowded table: those that are away from home are updated and erased, too.
  Numbers crowded({.capacity = 100, .when_full = WhenFull::kRefuse});
  uint64_t kept = 0;
  for (uint64_t key = 0; key < 120; ++key) kept += crowded.Put(key, key) != Upserted::kFull;
  uint64_t updated = 0, erased = 0;
  for (uint64_t key = 0; key < 120; ++key) updated += crowded.Update(key, plus_one);
  for (uint64_t key = 0; key < 120; ++key) {
    erased += crowded.EraseIf(key, [key](const uint64_t& v) { return v == key + 1; });
  }
  CHECK(updated == kept);
  CHECK(erased == kept);
  CHECK(crowded.SizeGuess() == 0);
}

}  // namespace
}  // namespace adagents
