// Frequency caps: 10,000,000 listeners with five capped windows each.
//   memory               must be below 1 GiB
//   check and reserve    at random keys, beside sharded absl::flat_hash_maps under mutexes with the
//                        same windows in the same words; must be 1.7 times faster. All do the same
//                        work by the same rules with the same arithmetic (CapWord), on the same
//                        random windows in the same loop, and are asked the time by nobody. The
//                        maps never grow, so nothing is copied, and where we prefetch, so do they
//   the agent            per request, by candidates
//   substitution         what is delivered beside plain blocking
// Run: caps_bench [listeners in millions, 10]. Prints a line per bar, and ends with 1 if one fails.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "adagents/base/random.h"
#include "ads/agents/cap_rules.h"
#include "ads/big_memory.h"
#include "ads/cap_table.h"
#include "cap_population.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

using internal::BigAllocator;
using internal::CapPeriod;
using internal::CapPlace;
using internal::CapShape;
using internal::CapTable;
using internal::CapTaken;
using internal::CapWord;

constexpr uint64_t kWindows = 5;
constexpr uint32_t kSeconds[kWindows] = {3600, 86'400, 7 * 86'400, 86'400, 31 * 86'400};
// How they are cut up: known with the rule, on both sides.
constexpr CapShape kShapes[kWindows] = {CapShape::Of(kSeconds[0]), CapShape::Of(kSeconds[1]),
                                        CapShape::Of(kSeconds[2]), CapShape::Of(kSeconds[3]),
                                        CapShape::Of(kSeconds[4])};
constexpr uint32_t kLimit = 3, kNow = 1'000'000;
constexpr CapPeriod kTtl(225);

int64_t Nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
/// Of this thread alone: what others take of the machine meanwhile is not in it.
int64_t CpuNanos() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}
uint64_t ListenerHash(uint64_t listener) { return Mix64(listener + 0x9e3779b97f4a7c15ULL); }

struct Ours {
  explicit Ours(uint64_t windows) : table(CapTable<>::LinesFor(windows), kTtl.units) {}
  bool Fill(uint64_t listener, uint64_t w) {
    const CapShape& shape = kShapes[w];
    return table.Settle(table.PlaceOf(ListenerHash(listener), w, shape), 0, true, kNow);
  }
  bool Reserve(uint64_t listener, uint64_t w) {
    const CapShape& shape = kShapes[w];
    const CapPlace place = table.PlaceOf(ListenerHash(listener), w, shape);
    return table.Reserve(place, kLimit, shape, kNow) == CapTaken::kYes;
  }
  uint64_t ReserveAll(uint64_t listener) {
    CapPlace places[kWindows];
    for (uint64_t w = 0; w < kWindows; ++w) {
      places[w] = table.PlaceOf(ListenerHash(listener), w, kShapes[w]);
      table.Prefetch(places[w]);
    }
    uint64_t yes = 0;
    for (uint64_t w = 0; w < kWindows; ++w) {
      yes += table.Reserve(places[w], kLimit, kShapes[w], kNow) == CapTaken::kYes ? 1 : 0;
    }
    return yes;
  }
  size_t bytes() const { return table.bytes(); }
  CapTable<> table;
};

/// The same counts by the same rules, in maps that grow no more. Value: CapWord as it is, or packed
/// into a word like ours, which is the least that a map can store.
template <class Value, class Allocator>
struct Peer {
  using Map = absl::flat_hash_map<uint64_t, Value, absl::Hash<uint64_t>, std::equal_to<uint64_t>,
                                  Allocator>;
  static constexpr size_t kShards = 256;
  struct alignas(64) Shard {
    std::mutex mutex;
    Map map;
  };
  explicit Peer(uint64_t windows) : shards(kShards) {
    for (Shard& s : shards) s.map.reserve(windows / kShards + windows / kShards / 50);
  }
  static uint64_t KeyOf(uint64_t listener, uint64_t w) {
    return CombineHash(ListenerHash(listener), CombineHash(w, kSeconds[w]));
  }
  static CapWord Unpacked(CapWord word, const CapPeriod& width) {
    word.MoveOn(kNow, width, kTtl);
    return word;
  }
  static CapWord Unpacked(uint64_t word, const CapPeriod& width) {
    return CapWord::At(word, kNow, width, kTtl);
  }
  static void Store(const CapWord& word, CapWord* to) { *to = word; }
  static void Store(const CapWord& word, uint64_t* to) { *to = word.Packed(); }

  Shard& Of(uint64_t key) { return shards[key >> 56 & (kShards - 1)]; }
  bool Fill(uint64_t listener, uint64_t w) {
    const uint64_t key = KeyOf(listener, w);
    CapWord word{kNow, 0, 0, 0};
    (void)word.Count();
    Store(word, &Of(key).map[key]);
    return true;
  }
  bool Reserve(uint64_t listener, uint64_t w) { return ReserveKey(KeyOf(listener, w), w); }
  uint64_t ReserveAll(uint64_t listener) {
    uint64_t keys[kWindows];
    for (uint64_t w = 0; w < kWindows; ++w) {
      keys[w] = KeyOf(listener, w);
      Of(keys[w]).map.prefetch(keys[w]);  // without the lock: the maps never grow
    }
    uint64_t yes = 0;
    for (uint64_t w = 0; w < kWindows; ++w) yes += ReserveKey(keys[w], w) ? 1 : 0;
    return yes;
  }
  bool ReserveKey(uint64_t key, uint64_t w) {
    const CapShape& shape = kShapes[w];
    Shard& shard = Of(key);
    const std::lock_guard<std::mutex> lock(shard.mutex);
    Value& there = shard.map[key];
    CapWord word = Unpacked(there, shape.width);
    if (!word.HasRoom(kLimit, shape)) return false;
    word.Reserve();
    Store(word, &there);
    return true;
  }
  size_t bytes() const {
    size_t bytes = 0;
    for (const Shard& s : shards) {
      bytes += s.map.capacity() * (sizeof(typename Map::value_type) + 1);
    }
    return bytes;
  }
  std::vector<Shard> shards;
};
template <class Value>
using PlainPeer = Peer<Value, std::allocator<std::pair<const uint64_t, Value>>>;
template <class Value>
using BigPeer = Peer<Value, BigAllocator<std::pair<const uint64_t, Value>>>;

struct Row {
  double nanos_each = 0;  // of one thread, in the loop
  double together = 0;    // the same, when a listener's windows are reserved together
  int64_t p50 = 0, p99 = 0;
};

/// Random windows, each thread its own; first as fast as it goes, then one by one by the clock.
/// Then all windows of random listeners, as a decision does it: all are on their way into the cache
/// before the first is waited for, on both sides.
template <class Store>
Row Measure(Store& store, uint64_t listeners, int threads, uint64_t seed) {
  constexpr uint64_t kLoop = 3'000'000, kTimed = 300'000, kTogether = 200'000;
  std::vector<std::vector<int64_t>> times(static_cast<size_t>(threads));
  std::vector<double> each(static_cast<size_t>(threads)), together(each);
  std::atomic<int> ready{0};
  std::atomic<int64_t> got{0};
  std::vector<std::thread> crew;
  for (int t = 0; t < threads; ++t) {
    crew.emplace_back([&, t] {
      Random random(seed * 100 + static_cast<uint64_t>(t));
      const auto listener = [&](uint64_t r) {
        return static_cast<uint64_t>(static_cast<unsigned __int128>(r) * listeners >> 64);
      };
      const auto once = [&] {
        const uint64_t r = random();
        return store.Reserve(listener(r), (r & 0xffff) % kWindows);
      };
      int64_t yes = 0;
      for (int i = 0; i < 100'000; ++i) yes += once();
      ++ready;
      while (ready < threads) {
      }
      const int64_t start = CpuNanos();
      for (uint64_t i = 0; i < kLoop; ++i) yes += once();
      each[static_cast<size_t>(t)] = static_cast<double>(CpuNanos() - start) / kLoop;
      std::vector<int64_t>& mine = times[static_cast<size_t>(t)];
      mine.reserve(kTimed);
      for (uint64_t i = 0; i < kTimed; ++i) {
        const int64_t before = Nanos();
        yes += once();
        mine.push_back(Nanos() - before);
      }
      const int64_t begin = CpuNanos();
      for (uint64_t i = 0; i < kTogether; ++i) {
        yes += static_cast<int64_t>(store.ReserveAll(listener(random())));
      }
      together[static_cast<size_t>(t)] =
          static_cast<double>(CpuNanos() - begin) / (kTogether * kWindows);
      got += yes;
    });
  }
  for (std::thread& t : crew) t.join();
  if (got == 0) fmt::print("nothing was reserved\n");
  std::vector<int64_t> all;
  for (const auto& mine : times) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  Row row;
  for (const double e : each) row.nanos_each += e / threads;
  for (const double e : together) row.together += e / threads;
  row.p50 = all[all.size() / 2];
  row.p99 = all[all.size() * 99 / 100];
  return row;
}

Row Median(std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.nanos_each < b.nanos_each; });
  return rows[rows.size() / 2];
}

int failed = 0;
void Bar(bool ok, const std::string& what) {
  fmt::print("{}  {}\n", ok ? "pass" : "FAIL", what);
  failed += ok ? 0 : 1;
}

struct Result {
  double bytes = 0, full = 0;
  Row rows[2];  // one thread, two
};

template <class Store>
Result MeasureAll(const char* name, uint64_t listeners) {
  Result result;
  auto store = std::make_unique<Store>(listeners * kWindows);
  const int64_t start = Nanos();
  uint64_t full = 0;
  for (uint64_t l = 0; l < listeners; ++l) {
    for (uint64_t w = 0; w < kWindows; ++w) full += store->Fill(l, w) ? 0 : 1;
  }
  const double fill =
      static_cast<double>(Nanos() - start) / static_cast<double>(listeners * kWindows);
  result.bytes = static_cast<double>(store->bytes());
  result.full = static_cast<double>(full);
  for (int threads = 1; threads <= 2; ++threads) {
    std::vector<Row> rounds;
    for (uint64_t round = 0; round < 3; ++round) {
      rounds.push_back(Measure(*store, listeners, threads, round + 10 * threads));
    }
    result.rows[threads - 1] = Median(rounds);
  }
  fmt::print("{:<34} {:6.3f} GiB {:6.1f} {:7.1f} {:7.1f} {:7.1f} {:7.1f} {:6} {:6} {:6} {:6}\n",
             name, result.bytes / (1 << 30), fill, result.rows[0].nanos_each,
             result.rows[1].nanos_each, result.rows[0].together, result.rows[1].together,
             result.rows[0].p50, result.rows[0].p99, result.rows[1].p50, result.rows[1].p99);
  return result;
}

void CheckAndReserve(uint64_t listeners) {
  fmt::print(
      "{} listeners, {} windows each; ns, medians of 3 rounds; p50 and p99 with the clock's own "
      "time\n",
      listeners, kWindows);
  fmt::print("{:<34} {:>10} {:>6} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6}\n", "", "memory",
             "fill", "1 thr", "2 thr", "all/1", "all/2", "p50/1", "p99/1", "p50/2", "p99/2");
  const Result ours = MeasureAll<Ours>("capped windows", listeners);
  const Result plain = MeasureAll<PlainPeer<CapWord>>("256 flat_hash_maps", listeners);
  const Result packed = MeasureAll<PlainPeer<uint64_t>>("256, values packed", listeners);
  const Result big = MeasureAll<BigPeer<uint64_t>>("256, packed, in large pages", listeners);
  Bar(ours.bytes < double{1 << 30} || listeners > 10'000'000, "less than 1 GiB");
  Bar(ours.full <= static_cast<double>(listeners * kWindows) / 100'000,
      fmt::format("{} windows found no room, at most one in 100,000 may", ours.full));
  for (int t = 0; t < 2; ++t) {
    const auto ratio = [&](const Result& peer) {
      return peer.rows[t].nanos_each / ours.rows[t].nanos_each;
    };
    Bar(ratio(plain) >= 1.7,
        fmt::format("{:.2f} times faster than flat_hash_maps, {} thread(s); 1.7 wanted",
                    ratio(plain), t + 1));
    const double all = plain.rows[t].together / ours.rows[t].together;
    Bar(all >= 1.7,
        fmt::format("{:.2f} times faster when all windows of a listener are reserved together",
                    all));
    fmt::print("      one by one, at the median: {:.2f} times faster\n",
               static_cast<double>(plain.rows[t].p50) / static_cast<double>(ours.rows[t].p50));
    fmt::print(
        "      {:.2f} than those with packed values, {:.2f} than those in large pages as well; "
        "together {:.2f}, {:.2f}\n",
        ratio(packed), ratio(big), packed.rows[t].together / ours.rows[t].together,
        big.rows[t].together / ours.rows[t].together);
  }
}

/// What one request costs: every candidate has a cap on its campaign and one on its creative.
void AgentCost() {
  constexpr int kCampaigns = 1000, kRuns = 4000;
  std::vector<Campaign> campaigns;
  for (int i = 0; i < kCampaigns; ++i) {
    Campaign c;
    c.id = fmt::format("c{}", i);
    c.advertiser = fmt::format("advertiser {}", i / 3);
    c.budget.daily = Micros{Micros::kUnit};
    c.bid.max_cpm = Micros{Micros::kUnit};
    c.adomain = {"a.example"};
    c.caps = {{CapPer::kListener, 2, absl::Hours(24)}};
    Creative creative;
    creative.id = "k";
    creative.media_url = "https://cdn.example/a.png";
    creative.caps = {{CapPer::kDevice, 1, absl::Hours(1)}};
    c.creatives = {creative};
    campaigns.push_back(c);
  }
  auto catalog = Catalog::Build(std::move(campaigns));
  if (!catalog.ok()) return;
  Snapshot<Catalog> snapshot(std::unique_ptr<const Catalog>(*std::move(catalog)));
  FrequencyCaps counts({.windows = 5'000'000});
  FrequencyCapPolicy policy;
  internal::Capper capper(policy);
  CapVerdicts verdicts;
  Random random(1);
  fmt::print("\nthe agent, ns a request with two caps on each candidate, 1,000,000 listeners\n");
  for (const uint32_t n : {1u, 10u, 100u, 1000u}) {
    Candidates candidates;
    candidates.catalog = snapshot.Pin();
    for (uint32_t k = 0; k < n; ++k) candidates.items.push_back({.campaign = k});
    candidates.imps.push_back({.begin = 0, .end = n, .nbr = Nbr::kNone, .left_out = {}});
    NewRequest made = MakeRequest();
    int64_t spent = 0;
    for (int i = 0; i < kRuns; ++i) {
      const std::string id = fmt::format("listener {}", random.Below(1'000'000));
      made.request->user.id = id;
      made.request->device.ifa = id;
      verdicts.clear();
      const int64_t start = Nanos();
      capper.Run(*made.request, candidates, counts, start, &verdicts, nullptr);
      spent += Nanos() - start;
      (void)counts.Reserve(static_cast<uint64_t>(i) + 1, n, verdicts.WindowsOf(random.Below(n)));
      (void)counts.Count(static_cast<uint64_t>(i) + 1, n);
    }
    fmt::print("{:5} candidates {:10}\n", n, spent / kRuns);
  }
}

void Substitution(const char* what, PopulationOptions options) {
  fmt::print(
      "\nsubstitution: {} brands of 2 campaigns of {} creatives; per listener a creative once in 2 "
      "h, a campaign\n{} times and a brand {} times a day: {}\n{:<12} {:>4} {:>9} {:>9} {:>7} "
      "{:>11} {:>20}\n",
      options.brands, options.creatives, options.campaign_a_day, options.brand_a_day, what, "",
      "seed", "requests", "shown", "filled", "same again", "over (c/camp/brand)");
  double least = 1e9;
  int64_t over = 0;
  const auto percent = [](int64_t part, int64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  for (options.seed = 1; options.seed <= 10; ++options.seed) {
    int64_t shown[2] = {0, 0};
    for (const bool substitute : {false, true}) {
      options.substitute = substitute;
      Population population(options);
      if (!population.ok()) return Bar(false, "no population");
      const PopulationResult r = population.Run();
      shown[substitute ? 1 : 0] = r.shown;
      over += r.over_creative + r.over_campaign + r.over_brand;
      if (options.seed > 1) continue;
      fmt::print("{:<12} {:4} {:9} {:9} {:6.1f}% {:10.1f}% {:16}/{}/{}\n",
                 substitute ? "substituted" : "blocked", options.seed, r.requests, r.shown,
                 percent(r.shown, r.requests), percent(r.same_again, r.shown), r.over_creative,
                 r.over_campaign, r.over_brand);
    }
    least = std::min(least, static_cast<double>(shown[1]) / static_cast<double>(shown[0]));
  }
  options.capped = false;
  options.seed = 1;
  Population uncapped(options);
  if (uncapped.ok()) {
    const PopulationResult r = uncapped.Run();
    fmt::print("{:<12} {:4} {:9} {:9} {:6.1f}%\n", "no caps", 1, r.requests, r.shown,
               percent(r.shown, r.requests));
  }
  Bar(least > 1.0,
      fmt::format("substitution delivers at least {:.3f} times as much, the least of 10 seeds",
                  least));
  Bar(over == 0, fmt::format("{} impressions beyond a cap", over));
}

int Main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const double millions = argc > 1 ? std::atof(argv[1]) : 10;
  if (!(millions > 0 && millions <= 100)) {
    fmt::print("caps_bench [listeners in millions, up to 100]\n");
    return 2;
  }
  CheckAndReserve(static_cast<uint64_t>(millions * 1e6));
  AgentCost();
  Substitution("creatives bind",
               {.listeners = 200, .brands = 2, .campaign_a_day = 12, .brand_a_day = 24});
  Substitution("days bind too", {.listeners = 200});
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace adagents::ads

int main(int argc, char** argv) { return adagents::ads::Main(argc, argv); }
