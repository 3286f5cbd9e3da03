// Candidates for a request among N campaigns: the index beside two scans without branches, over an
// array of 64-byte structs and over the same in columns, with identical results (checked for every
// request before anything is measured). Then the best 200 by rank, and by a score that each request
// multiplies by 0.5 to 2, beside the scan of structs that stops at the same point; what building,
// changing one campaign and merging changes take; what reading a request costs; and scoring and
// learning of the relevance model.
//
//   targeting_bench                              # up to 100,000 campaigns
//   ADAGENTS_BENCH_CAMPAIGNS=1000000 targeting_bench --benchmark_filter=/1000000
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/relevance_model.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/clock.h"
#include "targeting_flat.h"
#include "targeting_scan.h"

namespace adagents::ads::bench {
namespace {

const absl::Time kNow = absl::FromCivil(absl::CivilHour(2026, 3, 3, 15), absl::UTCTimeZone());

struct World {
  std::unique_ptr<Catalog> catalog;
  std::vector<Flat> flat;
  std::unique_ptr<Columns> columns;
  std::vector<RequestPtr> requests;
  std::vector<TargetingQuery> queries;
  std::vector<FlatRequest> flat_requests;
  std::vector<double> price, best_from;  // by rank; the highest from there on
  double mean = 0;
};

constexpr size_t kBest = 200;

[[noreturn]] void Differ(const char* what, size_t a, size_t b) {
  std::fprintf(stderr, "index and scans differ in %s: %zu, %zu\n", what, a, b);
  std::exit(1);
}

/// `n` campaigns and 256 requests in all three forms, checked to find the same.
const World& WorldOf(size_t n) {
  static auto& worlds = *new std::map<size_t, World>;
  const auto [at, fresh] = worlds.try_emplace(n);
  World& w = at->second;
  if (!fresh) return w;
  w.catalog = GenerateCatalog({.campaigns = n, .seed = 1, .open = 0.5});
  const Values values(*w.catalog);
  for (uint32_t i = 0; i < n; ++i) w.flat.push_back(Flatten(w.catalog->campaign(i), values));
  w.columns = std::make_unique<Columns>(w.flat);
  w.price.resize(n);
  w.best_from.resize(n + 1);
  for (size_t i = n; i-- > 0;) {
    w.price[i] = static_cast<double>(w.catalog->facts(static_cast<uint32_t>(i)).max_cpm.value);
    w.best_from[i] = std::max(w.best_from[i + 1], w.price[i]);
  }
  Random random(99);
  std::vector<uint32_t> a, b, c;
  size_t total = 0;
  for (int i = 0; i < 256; ++i) {
    w.requests.push_back(GenerateRequest(random));
    const Request& request = *w.requests.back();
    TargetingQuery query;
    w.catalog->targeting().Read(request, kNow, &query);
    w.catalog->targeting().ReadImp(request.imps[0], &query);
    w.queries.push_back(query);
    w.flat_requests.push_back(Flatten(request, kNow, values));
    w.catalog->targeting().Match(query, &a);
    ScanStructs(w.flat, w.flat_requests.back(), n + 1, &b);
    ScanColumns(*w.columns, w.flat_requests.back(), &c);
    if (a != b || a != c) Differ("all matches", a.size(), b.size());
    total += a.size();
    const auto r = static_cast<size_t>(i);
    w.catalog->targeting().MatchTopK(query, kBest, &a);
    ScanStructs(w.flat, w.flat_requests.back(), kBest, &b);
    if (a != b) Differ("the best by rank", a.size(), b.size());
    const auto score = [&](uint32_t id) { return FactorOf(r, id) * w.price[id]; };
    w.catalog->targeting().MatchTopKByScore(query, kBest, 2.0, score, &a);
    BestByScore(w.flat, w.flat_requests.back(), kBest, w.price, w.best_from, r, &b);
    if (a != b) Differ("the best by score", a.size(), b.size());
  }
  w.mean = static_cast<double>(total) / 256.0;
  return w;
}

/// Runs `body(world, which request)` and reports the mean number of matches.
template <class Body>
void Run(benchmark::State& state, Body body) {
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  size_t i = 0;
  for (auto _ : state) body(w, i++ % w.queries.size());
  state.counters["matches"] = w.mean;
}

void BM_Match(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    benchmark::DoNotOptimize(w.catalog->targeting().Match(w.queries[i], &out));
  });
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  state.counters["bytes/campaign"] = static_cast<double>(w.catalog->targeting().memory_bytes()) /
                                     static_cast<double>(state.range(0));
}

void BM_Match_ScanStructs(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    benchmark::DoNotOptimize(ScanStructs(w.flat, w.flat_requests[i], w.flat.size() + 1, &out));
  });
}

void BM_Match_ScanColumns(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    benchmark::DoNotOptimize(ScanColumns(*w.columns, w.flat_requests[i], &out));
  });
}

void BM_Best200(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    benchmark::DoNotOptimize(w.catalog->targeting().MatchTopK(w.queries[i], kBest, &out));
  });
}

void BM_Best200_ScanStructs(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    benchmark::DoNotOptimize(ScanStructs(w.flat, w.flat_requests[i], kBest, &out));
  });
}

void BM_Best200ByScore(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    const auto score = [&](uint32_t id) { return FactorOf(i, id) * w.price[id]; };
    benchmark::DoNotOptimize(
        w.catalog->targeting().MatchTopKByScore(w.queries[i], kBest, 2.0, score, &out));
  });
}

void BM_Best200ByScore_ScanStructs(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    BestByScore(w.flat, w.flat_requests[i], kBest, w.price, w.best_from, i, &out);
    benchmark::DoNotOptimize(out.data());
  });
}

void BM_ReadRequest(benchmark::State& state) {
  TargetingQuery query;
  Run(state, [&](const World& w, size_t i) {
    const Request& request = *w.requests[i];
    w.catalog->targeting().Read(request, kNow, &query);
    w.catalog->targeting().ReadImp(request.imps[0], &query);
    benchmark::DoNotOptimize(query.hour_of_week());
  });
}

void BM_Build(benchmark::State& state) {
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(TargetingIndex::Build(
        w.catalog->size(), [&](uint32_t i) -> const Campaign& { return w.catalog->campaign(i); }));
  }
}

/// One campaign changed after the other among range(0), up to the moment in which the new catalog
/// can be published: the mean, and the slowest. The more changes, the slower, up to
/// Catalog::kMostPut.
void BM_ChangeOne(benchmark::State& state) {
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  static const std::vector<Campaign>& others = *new std::vector<Campaign>(
      GenerateCampaigns({.campaigns = Catalog::kMostPut, .seed = 2, .open = 0.5}));
  std::unique_ptr<const Catalog> catalog = w.catalog->Rebuilt();
  size_t i = 0;
  int64_t slowest = 0;
  for (auto _ : state) {
    const int64_t begun = SystemClock::Get().Now();
    auto next = catalog->With({{others[i++ % others.size()]}, {}});
    if (!next.ok()) {
      state.SkipWithError("a change failed");
      break;
    }
    slowest = std::max(slowest, SystemClock::Get().Now() - begun);
    catalog = *std::move(next);
  }
  state.counters["slowest_us"] = static_cast<double>(slowest) / 1000.0;
}

/// What folds changes in: a new catalog of the same campaigns, texts and all.
void BM_Merge(benchmark::State& state) {
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(w.catalog->Rebuilt());
}

/// Scoring range(0) creatives spread over a catalog of 10,000 campaigns, after some learning.
void BM_Score(benchmark::State& state) {
  const World& w = WorldOf(10'000);
  static RelevanceModel& model = *new RelevanceModel;
  const std::span<const CreativeFeatures> all = w.catalog->relevance_features();
  Random random(5);
  std::vector<RequestFeatures> contexts;
  for (const RequestPtr& r : w.requests) {
    contexts.push_back(RequestFeatures::Of(*r, r->imps[0], static_cast<int>(random.Below(168))));
  }
  for (int i = 0; i < 100'000 && model.metrics().examples < 100'000; ++i) {
    model.Learn(contexts[random.Below(contexts.size())], all[random.Below(all.size())],
                random.Chance(0.02));
  }
  const auto count = static_cast<size_t>(state.range(0));
  // Candidates come in rank order, different ones for each request.
  std::vector<std::vector<uint32_t>> which(contexts.size(), std::vector<uint32_t>(count));
  for (auto& list : which) {
    for (uint32_t& i : list) i = static_cast<uint32_t>(random.Below(all.size()));
    std::sort(list.begin(), list.end());
  }
  std::vector<float> out(count);
  RelevanceScratch scratch;
  size_t i = 0;
  for (auto _ : state) {
    model.Score(contexts[i], all, which[i], &scratch, out);
    benchmark::DoNotOptimize(out.data());
    i = (i + 1) % contexts.size();
  }
  state.counters["s/candidate"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate |
                                                         benchmark::Counter::kInvert);
}

void BM_RequestFeatures(benchmark::State& state) {
  const World& w = WorldOf(10'000);
  size_t i = 0;
  for (auto _ : state) {
    const Request& r = *w.requests[i++ % w.requests.size()];
    benchmark::DoNotOptimize(RequestFeatures::Of(r, r.imps[0], 17));
  }
}

void BM_Learn(benchmark::State& state) {
  const World& w = WorldOf(10'000);
  RelevanceModel model;
  const std::span<const CreativeFeatures> all = w.catalog->relevance_features();
  Random random(6);
  std::vector<RequestFeatures> contexts;
  for (const RequestPtr& r : w.requests) {
    contexts.push_back(RequestFeatures::Of(*r, r->imps[0], static_cast<int>(random.Below(168))));
  }
  size_t i = 0;
  for (auto _ : state) {
    ++i;
    model.Learn(contexts[i % contexts.size()], all[i * 7919 % all.size()], i % 50 == 0);
  }
}

void Register() {
  const char* wish = std::getenv("ADAGENTS_BENCH_CAMPAIGNS");
  const int64_t most = wish == nullptr ? 100'000 : std::atoll(wish);
  for (int64_t n = 1'000; n <= most; n *= 10) {
    for (const auto& [name, function] :
         {std::pair{"Match", &BM_Match},
          {"Match, scan of structs", &BM_Match_ScanStructs},
          {"Match, scan of columns", &BM_Match_ScanColumns},
          {"Best 200", &BM_Best200},
          {"Best 200, scan of structs", &BM_Best200_ScanStructs},
          {"Best 200 by score", &BM_Best200ByScore},
          {"Best 200 by score, scan of structs", &BM_Best200ByScore_ScanStructs},
          {"ReadRequest", &BM_ReadRequest},
          {"Build", &BM_Build},
          {"Merge", &BM_Merge}}) {
      benchmark::RegisterBenchmark(name, function)->Arg(n)->Unit(benchmark::kMicrosecond);
    }
    // As many as there is room for without a merge.
    benchmark::RegisterBenchmark("Change one", &BM_ChangeOne)
        ->Arg(n)
        ->Unit(benchmark::kMicrosecond)
        ->Iterations(std::min<int64_t>(n / 5, 4'000));
  }
  benchmark::RegisterBenchmark("Score", &BM_Score)
      ->Arg(50)
      ->Arg(500)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("RequestFeatures", &BM_RequestFeatures);
  benchmark::RegisterBenchmark("Learn", &BM_Learn);
}

const int kRegistered = (Register(), 0);

}  // namespace
}  // namespace adagents::ads::bench
