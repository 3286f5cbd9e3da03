// What reading the blackboard costs beside what one would use without it, and whether that is what
// it has to be:
//   Cell   a read of 64 bytes beside a bare seqlock's
//   Table  finding one of 1,000,000 entries beside tbb::concurrent_hash_map, alone and while
//          another thread updates random entries as fast as it can
// Run: hot_state_bench [ROUNDS]
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>

#include "adagents/base/random.h"
#include "adagents/blackboard/cell.h"
#include "adagents/blackboard/table.h"
#include "bare_seqlock.h"
#include "bars.h"
#include "fmt/format.h"
#include "tbb/concurrent_hash_map.h"

namespace adagents::bench {
namespace {

using Block = std::array<uint64_t, 8>;    // 64 bytes
using Session = std::array<uint64_t, 4>;  // 32
constexpr uint64_t kEntries = 1'000'000;
constexpr uint64_t kFinds = 4'000'000;
constexpr int kReads = 50'000'000;

template <class T>
void Keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

uint64_t KeyOf(uint64_t i) { return i * 0x9e3779b97f4a7c15ULL; }

/// Nanoseconds of one of `n` calls.
template <class F>
double NanosOf(uint64_t n, F&& call) {
  const double start = Seconds();
  for (uint64_t i = 0; i < n; ++i) call();
  return (Seconds() - start) * 1e9 / static_cast<double>(n);
}

using Peer = tbb::concurrent_hash_map<uint64_t, Session>;
bool FindIn(const Peer& map, uint64_t key, Session* out) {
  Peer::const_accessor found;
  if (!map.find(found, key)) return false;
  *out = found->second;
  return true;
}
void UpdateIn(Peer& map, uint64_t key) {
  Peer::accessor found;
  if (map.find(found, key)) ++found->second[1];
}

using Ours = Table<uint64_t, Session>;
bool FindIn(const Ours& table, uint64_t key, Session* out) { return table.Find(key, out); }
void UpdateIn(Ours& table, uint64_t key) {
  table.Upsert(key, [](Session& s, bool) { ++s[1]; });
}

/// A thread that updates random entries, perhaps, for as long as it lives. What it writes besides
/// is on lines that the finding thread does not touch.
template <class Map>
class Updater {
 public:
  Updater(Map& map, bool on) {
    if (!on) return;
    thread_ = std::thread([this, &map] {
      Random random(99);
      uint64_t updates = 0;
      for (; !stop_.load(std::memory_order_relaxed); ++updates) {
        UpdateIn(map, KeyOf(random.Below(kEntries)));
      }
      updates_ = updates;
    });
  }
  ~Updater() { Stop(); }
  Updater(const Updater&) = delete;
  Updater& operator=(const Updater&) = delete;
  uint64_t Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return updates_;
  }

 private:
  std::atomic<bool> stop_{false};
  uint64_t updates_ = 0;  // written once, at the end
  std::thread thread_;
};

/// Nanoseconds of finding random entries, which all must be there. A function of its own: inlined
/// twice into one with the other map's, its loop keeps its variables in memory.
template <class Map>
[[gnu::noinline]] double FindNanos(Map& map, bool updated, double* updates_per_s) {
  Updater<Map> updater(map, updated);
  Random random(7);
  uint64_t found = 0;
  const double start = Seconds();
  const double nanos = NanosOf(kFinds, [&] {
    Session out{};
    found += FindIn(map, KeyOf(random.Below(kEntries)), &out) ? 1 : 0;
    Keep(out);
  });
  const double seconds = Seconds() - start;
  *updates_per_s = static_cast<double>(updater.Stop()) / seconds;
  if (found != kFinds) {
    fmt::print(stderr, "hot_state_bench: only {} of {} found\n", found, kFinds);
    std::exit(1);
  }
  return nanos;
}

void MeasureCell(int rounds, Bars& bars) {
  static BareSeqlock<Block> bare;
  static Cell<Block> cell;
  const Pair read = Paired(
      rounds, [] { return NanosOf(kReads, [] { Keep(bare.Read()); }); },
      [] { return NanosOf(kReads, [] { Keep(cell.Read()); }); });
  bars.AtMost("a 64-byte Cell's read / a bare seqlock's", read.ratio, 2,
              fmt::format("{:.2f} ns, {:.2f} ns", read.ours, read.floor));
}

void MeasureTable(int rounds, Bars& bars) {
  Ours table({.capacity = kEntries});
  Peer map(kEntries);
  for (uint64_t i = 0; i < kEntries; ++i) {
    table.Put(KeyOf(i), Session{i});
    map.insert({KeyOf(i), Session{i}});
  }
  for (const bool updated : {false, true}) {
    double peer_updates = 0, our_updates = 0;
    const Pair find = Paired(
        rounds, [&] { return FindNanos(map, updated, &peer_updates); },
        [&] { return FindNanos(table, updated, &our_updates); });
    if (!updated) {
      bars.AtMost("Table find / concurrent_hash_map, 1 M entries", find.ratio, 1,
                  fmt::format("{:.1f} ns, {:.1f} ns", find.ours, find.floor));
    } else {
      bars.AtLeast("concurrent_hash_map / Table find, with a writer", 1 / find.ratio, 3,
                   fmt::format("{:.1f} ns, {:.1f} ns; {:.1f} M and {:.1f} M updates a second",
                               find.floor, find.ours, peer_updates / 1e6, our_updates / 1e6));
    }
  }
}

}  // namespace
}  // namespace adagents::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  adagents::bench::Bars bars;
  adagents::bench::MeasureCell(rounds, bars);
  adagents::bench::MeasureTable(rounds, bars);
  bars.Print();
  return bars.failed() > 0 ? 1 : 0;
}
