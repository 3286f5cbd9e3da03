// The blackboard's state types beside their floors and peers:
//   Cell            a bare seqlock over plain memory (undefined in C++, but what one would write)
//   Table           tbb::concurrent_hash_map, 1,000,000 entries
//   Snapshot's pin  std::atomic<std::shared_ptr>; a shared_ptr copied under a std::mutex
//   Counter         one shared std::atomic
// Run: blackboard_bench [--benchmark_filter=Cell]
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "adagents/base/random.h"
#include "adagents/blackboard/cell.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/snapshot.h"
#include "adagents/blackboard/stream.h"
#include "adagents/blackboard/table.h"
#include "bare_seqlock.h"
#include "tbb/concurrent_hash_map.h"

namespace {

using Block = std::array<uint64_t, 8>;  // 64 bytes

void CellRead_Bare64(benchmark::State& state) {
  static adagents::bench::BareSeqlock<Block> lock;
  for (auto _ : state) benchmark::DoNotOptimize(lock.Read());
}
BENCHMARK(CellRead_Bare64)->ThreadRange(1, 2);

void CellRead_Cell64(benchmark::State& state) {
  static adagents::Cell<Block> cell;
  for (auto _ : state) benchmark::DoNotOptimize(cell.Read());
}
BENCHMARK(CellRead_Cell64)->ThreadRange(1, 2);

void CellWrite_Cell64(benchmark::State& state) {
  static adagents::Cell<Block> cell;
  Block block{};
  for (auto _ : state) cell.Write(block);
}
BENCHMARK(CellWrite_Cell64)->ThreadRange(1, 2);

constexpr uint64_t kEntries = 1'000'000;
using Session = std::array<uint64_t, 4>;

struct Keys {  // random order, or the benchmark would measure the prefetcher
  explicit Keys(uint64_t seed) : random(seed) {}
  uint64_t Next(uint64_t below) { return random.Below(below) * 0x9e3779b97f4a7c15ULL; }
  adagents::Random random;
};

adagents::Table<uint64_t, Session>& Filled() {
  static auto* table = [] {
    auto* t = new adagents::Table<uint64_t, Session>({.capacity = kEntries * 5 / 4});
    for (uint64_t i = 0; i < kEntries; ++i) t->Put(i * 0x9e3779b97f4a7c15ULL, Session{i});
    return t;
  }();
  return *table;
}

using Peer = tbb::concurrent_hash_map<uint64_t, Session>;
Peer& FilledPeer() {
  static auto* map = [] {
    auto* m = new Peer(kEntries);
    for (uint64_t i = 0; i < kEntries; ++i) m->insert({i * 0x9e3779b97f4a7c15ULL, Session{i}});
    return m;
  }();
  return *map;
}

void TableFind_Tbb(benchmark::State& state) {
  Peer& map = FilledPeer();
  Keys keys(static_cast<uint64_t>(state.thread_index()));
  Session out{};
  for (auto _ : state) {
    Peer::const_accessor found;
    if (map.find(found, keys.Next(kEntries))) out = found->second;
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(TableFind_Tbb)->ThreadRange(1, 2)->UseRealTime();

void TableFind_Table(benchmark::State& state) {
  auto& table = Filled();
  Keys keys(static_cast<uint64_t>(state.thread_index()));
  Session out{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.Find(keys.Next(kEntries), &out));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(TableFind_Table)->ThreadRange(1, 2)->UseRealTime();

void TableMiss_Tbb(benchmark::State& state) {
  Peer& map = FilledPeer();
  Keys keys(7);
  for (auto _ : state) {
    Peer::const_accessor found;
    benchmark::DoNotOptimize(map.find(found, keys.Next(kEntries) + 1));
  }
}
BENCHMARK(TableMiss_Tbb);

void TableMiss_Table(benchmark::State& state) {
  auto& table = Filled();
  Keys keys(7);
  Session out{};
  for (auto _ : state) benchmark::DoNotOptimize(table.Find(keys.Next(kEntries) + 1, &out));
}
BENCHMARK(TableMiss_Table);

void TableUpdate_Tbb(benchmark::State& state) {
  Peer& map = FilledPeer();
  Keys keys(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) {
    Peer::accessor found;
    if (map.find(found, keys.Next(kEntries))) ++found->second[1];
  }
}
BENCHMARK(TableUpdate_Tbb)->ThreadRange(1, 2)->UseRealTime();

void TableUpdate_Table(benchmark::State& state) {
  auto& table = Filled();
  Keys keys(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) table.Upsert(keys.Next(kEntries), [](Session& s, bool) { ++s[1]; });
}
BENCHMARK(TableUpdate_Table)->ThreadRange(1, 2)->UseRealTime();

void Pin_AtomicSharedPtr(benchmark::State& state) {
  static std::atomic<std::shared_ptr<const int>> current{std::make_shared<const int>(1)};
  for (auto _ : state) {
    int value = *current.load();
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(Pin_AtomicSharedPtr)->ThreadRange(1, 2);

void Pin_SharedPtrUnderMutex(benchmark::State& state) {
  static std::mutex mutex;
  static const auto current = std::make_shared<const int>(1);
  for (auto _ : state) {
    std::shared_ptr<const int> copy;
    {
      const std::lock_guard lock(mutex);
      copy = current;
    }
    int value = *copy;
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(Pin_SharedPtrUnderMutex)->ThreadRange(1, 2);

void Pin_Snapshot(benchmark::State& state) {
  static adagents::Snapshot<int> snapshot(std::make_unique<const int>(1));
  for (auto _ : state) {
    int value = *snapshot.Pin();
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(Pin_Snapshot)->ThreadRange(1, 2);

void Count_SharedAtomic(benchmark::State& state) {
  static std::atomic<int64_t> count{0};
  for (auto _ : state) count.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(Count_SharedAtomic)->ThreadRange(1, 2);

void Count_Counter(benchmark::State& state) {
  static adagents::Counter counter;
  for (auto _ : state) counter.Add(1);
}
BENCHMARK(Count_Counter)->ThreadRange(1, 2);

void Count_Bounded(benchmark::State& state) {
  static adagents::BoundedCounter counter(1'000'000'000);
  for (auto _ : state) {
    if (counter.TryAdd(1)) counter.Release(1);
  }
}
BENCHMARK(Count_Bounded)->ThreadRange(1, 2);

void StreamPublish_48(benchmark::State& state) {
  using Event = std::array<uint64_t, 6>;
  static adagents::Stream<Event> stream(4096);
  for (auto _ : state) benchmark::DoNotOptimize(stream.Publish(Event{}));
}
BENCHMARK(StreamPublish_48)->ThreadRange(1, 2);

}  // namespace
