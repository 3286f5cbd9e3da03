// What pacing costs a decision: the factors of 1 to 1,000 candidates of different campaigns among
// 10,000 that are paced, beside the same numbers in a plain array by index (the floor) and in a
// hash map behind a reader's lock, as one would write it; and what one Tick() costs a campaign.
#include <benchmark/benchmark.h>

#include <shared_mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "adagents/ads/pacer.h"
#include "adagents/base/random.h"

namespace adagents::ads {
namespace {

constexpr size_t kCampaigns = 10'000;
const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);

uint64_t KeyOf(size_t campaign) { return Mix64(campaign + 1); }

/// Candidates of many requests, as indices of campaigns.
std::vector<uint32_t> Candidates(size_t n) {
  Random random(1);
  std::vector<uint32_t> out(n * 64);
  for (uint32_t& c : out) c = static_cast<uint32_t>(random.Below(kCampaigns));
  return out;
}

template <class F>
void Run(benchmark::State& state, F&& request) {
  const auto n = static_cast<size_t>(state.range(0));
  const std::vector<uint32_t> all = Candidates(n);
  uint64_t decision = 0;
  for (auto _ : state) {
    const uint32_t* first = &all[(decision % 64) * n];
    benchmark::DoNotOptimize(request(first, n, ++decision));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

std::unique_ptr<Pacer> Filled() {
  PacerOptions options;
  options.capacity = kCampaigns;
  auto pacer = std::make_unique<Pacer>(options);
  for (size_t c = 0; c < kCampaigns; ++c) {
    (void)pacer->Set(KeyOf(c), {.daily = Micros{100'000'000}});
  }
  pacer->Tick(kMonday);
  return pacer;
}

void BM_Pacer(benchmark::State& state) {
  const auto pacer = Filled();
  Run(state, [&](const uint32_t* c, size_t n, uint64_t decision) {
    pacer->OnRequest();
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += pacer->Factor(KeyOf(c[i]), decision);
    return sum;
  });
}

void BM_PlainArray(benchmark::State& state) {
  const std::vector<double> factors(kCampaigns, 0.5);
  Run(state, [&](const uint32_t* c, size_t n, uint64_t) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += factors[c[i]];
    return sum;
  });
}

void BM_LockedMap(benchmark::State& state) {
  absl::flat_hash_map<uint64_t, double> factors;
  for (size_t c = 0; c < kCampaigns; ++c) factors[KeyOf(c)] = 0.5;
  std::shared_mutex mutex;
  Run(state, [&](const uint32_t* c, size_t n, uint64_t decision) {
    const std::shared_lock<std::shared_mutex> lock(mutex);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) {
      // It varies its factors too.
      sum += factors.find(KeyOf(c[i]))->second *
             (1 + 0.05 * (2 * Random(decision, KeyOf(c[i])).Uniform() - 1));
    }
    return sum;
  });
}

void BM_Tick(benchmark::State& state) {
  const auto pacer = Filled();
  absl::Time now = kMonday;
  for (auto _ : state) pacer->Tick(now += absl::Seconds(20));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kCampaigns));
}

BENCHMARK(BM_PlainArray)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(BM_Pacer)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(BM_LockedMap)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(BM_Tick)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace adagents::ads
