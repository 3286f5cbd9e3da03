// Candidates for a request among N campaigns: the index beside two scans without branches, over an
// array of 64-byte structs and over the same in columns, with identical results (checked before
// anything is measured). Then the best 200 by rank, and by a score that each request multiplies by
// 0.5 to 2; what reading a request costs; and scoring and learning of the relevance model.
//
//   targeting_bench                              # up to 100,000 campaigns
//   ADAGENTS_BENCH_CAMPAIGNS=1000000 targeting_bench --benchmark_filter=/1000000
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/relevance_model.h"
#include "adagents/ads/targeting.h"
#include "targeting_scan.h"

namespace adagents::ads::bench {
namespace {

const absl::Time kNow = absl::FromCivil(absl::CivilHour(2026, 3, 3, 15), absl::UTCTimeZone());

/// The same campaigns, one column per field. Categories are two columns, hours 168.
struct Columns {
  std::vector<uint64_t> region, city;
  std::vector<uint32_t> genre, category, not_category, keyword;
  std::vector<uint8_t> device, os, language, no_deal;
  std::vector<uint16_t> country, shapes;
  std::array<std::vector<uint8_t>, 21> hours;

  explicit Columns(const std::vector<Flat>& flat) {
    for (const Flat& f : flat) {
      region.push_back(f.region);
      city.push_back(f.city);
      genre.push_back(f.genre);
      category.push_back(f.category);
      not_category.push_back(f.not_category);
      keyword.push_back(f.keyword);
      country.push_back(f.country);
      device.push_back(f.device);
      os.push_back(f.os);
      language.push_back(f.language);
      no_deal.push_back(f.no_deal);
      shapes.push_back(f.shapes);
      for (size_t i = 0; i < hours.size(); ++i) hours[i].push_back(f.hours[i]);
    }
  }
};

/// Blocks small enough for the first cache, each column a loop that the compiler vectorises.
size_t ScanColumns(const Columns& c, const FlatRequest& r, std::vector<uint32_t>* out) {
  constexpr size_t kBlock = 2048;
  const size_t n = c.region.size();
  size_t found = 0;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t m = std::min(kBlock, n - begin);
    uint8_t ok[kBlock];
    const auto first = [&](const auto& column, auto mask) {
      for (size_t i = 0; i < m; ++i) ok[i] = static_cast<uint8_t>((column[begin + i] & mask) != 0);
    };
    const auto both = [&](const auto& column, auto mask, bool wanted) {
      for (size_t i = 0; i < m; ++i) {
        ok[i] &= static_cast<uint8_t>(((column[begin + i] & mask) != 0) == wanted);
      }
    };
    first(c.shapes, r.shapes);
    both(c.hours[r.hour_byte], r.hour_bit, true);
    both(c.country, r.country, true);
    both(c.device, r.device, true);
    both(c.os, r.os, true);
    both(c.language, r.language, true);
    both(c.no_deal, uint8_t{1}, true);
    both(c.genre, r.genre, true);
    both(c.category, r.category, true);
    both(c.not_category, r.category, false);
    both(c.keyword, r.keyword, true);
    both(c.region, r.region, true);
    both(c.city, r.city, true);
    out->resize(found + m);
    uint32_t* to = out->data();
    for (size_t i = 0; i < m; ++i) {
      to[found] = static_cast<uint32_t>(begin + i);
      found += ok[i];
    }
  }
  out->resize(found);
  return found;
}

size_t ScanStructs(const std::vector<Flat>& flat, const FlatRequest& r, size_t k,
                   std::vector<uint32_t>* out) {
  out->resize(flat.size() + 1);
  uint32_t* to = out->data();
  size_t found = 0;
  for (size_t i = 0; i < flat.size() && found < k; ++i) {
    to[found] = static_cast<uint32_t>(i);
    found += Accepts(flat[i], r);
  }
  out->resize(found);
  return found;
}

struct World {
  std::unique_ptr<Catalog> catalog;
  std::vector<Flat> flat;
  std::unique_ptr<Columns> columns;
  std::vector<RequestPtr> requests;
  std::vector<TargetingQuery> queries;
  std::vector<FlatRequest> flat_requests;
  double mean = 0;
};

/// `n` campaigns and 256 requests in all three forms, checked to find the same.
const World& WorldOf(size_t n) {
  static auto& worlds = *new std::map<size_t, World>;
  const auto [at, fresh] = worlds.try_emplace(n);
  World& w = at->second;
  if (!fresh) return w;
  w.catalog = GenerateCatalog({.campaigns = n, .seed = 1, .open = 0.5});
  const Values values(*w.catalog);
  for (const Campaign& c : w.catalog->campaigns()) w.flat.push_back(Flatten(c, values));
  w.columns = std::make_unique<Columns>(w.flat);
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
    if (a != b || a != c) {
      std::fprintf(stderr, "index and scans differ: %zu, %zu, %zu\n", a.size(), b.size(), c.size());
      std::exit(1);
    }
    total += a.size();
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

constexpr size_t kBest = 200;

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

/// A factor of 0.5 to 2, different for each request and campaign.
double ScoreOf(const Catalog& catalog, size_t request, uint32_t id) {
  const double u = static_cast<double>(Mix64(request << 32 | id) >> 40) * 0x1.0p-24;
  return (0.5 + 1.5 * u) * static_cast<double>(catalog.facts(id).max_cpm.value);
}

void BM_Best200ByScore(benchmark::State& state) {
  std::vector<uint32_t> out;
  Run(state, [&](const World& w, size_t i) {
    const auto score = [&](uint32_t id) { return ScoreOf(*w.catalog, i, id); };
    benchmark::DoNotOptimize(
        w.catalog->targeting().MatchTopKByScore(w.queries[i], kBest, 2.0, score, &out));
  });
}

/// The same early end as the index has, campaign by campaign.
void BM_Best200ByScore_ScanStructs(benchmark::State& state) {
  const World& w = WorldOf(static_cast<size_t>(state.range(0)));
  std::vector<double> best_from(w.flat.size() + 1, 0.0);
  for (size_t i = w.flat.size(); i-- > 0;) {
    const auto price =
        static_cast<double>(w.catalog->facts(static_cast<uint32_t>(i)).max_cpm.value);
    best_from[i] = std::max(best_from[i + 1], price);
  }
  std::vector<std::pair<double, uint32_t>> heap;
  std::vector<uint32_t> out, wanted;
  const auto scan = [&](size_t r) {
    heap.clear();
    for (size_t i = 0; i < w.flat.size(); ++i) {
      if (heap.size() == kBest && best_from[i] * 2.0 <= -heap.front().first) break;
      if (!Accepts(w.flat[i], w.flat_requests[r])) continue;
      const auto id = static_cast<uint32_t>(i);
      const std::pair<double, uint32_t> entry{-ScoreOf(*w.catalog, r, id), id};
      if (heap.size() == kBest) {
        if (!(entry < heap.front())) continue;
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
      }
      heap.push_back(entry);
      std::push_heap(heap.begin(), heap.end());
    }
    std::sort_heap(heap.begin(), heap.end());
    out.clear();
    for (const auto& entry : heap) out.push_back(entry.second);
  };
  for (size_t r = 0; r < 8; ++r) {
    scan(r);
    const auto score = [&](uint32_t id) { return ScoreOf(*w.catalog, r, id); };
    w.catalog->targeting().MatchTopKByScore(w.queries[r], kBest, 2.0, score, &wanted);
    if (out != wanted) state.SkipWithError("the best by score differ");
  }
  size_t r = 0;
  for (auto _ : state) {
    scan(r++ % w.flat_requests.size());
    benchmark::DoNotOptimize(out.data());
  }
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
    benchmark::DoNotOptimize(TargetingIndex::Build(w.catalog->campaigns()));
  }
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
          {"Build", &BM_Build}}) {
      benchmark::RegisterBenchmark(name, function)->Arg(n)->Unit(benchmark::kMicrosecond);
    }
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
