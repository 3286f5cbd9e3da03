// What the relevance model takes: scoring candidates spread over a catalog of 10,000 campaigns,
// hashing a request's features, and learning from one outcome.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/relevance_model.h"

namespace adagents::ads::bench {
namespace {

struct World {
  std::unique_ptr<Catalog> catalog;
  std::vector<RequestPtr> requests;
};

const World& TheWorld() {
  static const World& world = *[] {
    auto* w = new World;
    w->catalog = GenerateCatalog({.campaigns = 10'000, .seed = 1});
    Random random(99);
    for (int i = 0; i < 256; ++i) w->requests.push_back(GenerateRequest(random));
    return w;
  }();
  return world;
}

/// Scoring range(0) creatives spread over a catalog of 10,000 campaigns, after some learning.
void BM_Score(benchmark::State& state) {
  const World& w = TheWorld();
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
  const World& w = TheWorld();
  size_t i = 0;
  for (auto _ : state) {
    const Request& r = *w.requests[i++ % w.requests.size()];
    benchmark::DoNotOptimize(RequestFeatures::Of(r, r.imps[0], 17));
  }
}

void BM_Learn(benchmark::State& state) {
  const World& w = TheWorld();
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

BENCHMARK(BM_Score)->Arg(50)->Arg(500)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_RequestFeatures);
BENCHMARK(BM_Learn);

}  // namespace
}  // namespace adagents::ads::bench
