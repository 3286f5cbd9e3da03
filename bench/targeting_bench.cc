// Candidates for a request among 1,000 to 1,000,000 campaigns: the index beside two scans without
// branches, over an array of 64-byte structs and over the same in columns, with identical results
// (checked for every request before anything is measured). Then the best 200 by rank, and by a
// score that each request multiplies by 0.5 to 2, beside the scan of structs that stops at the same
// point; and what reading a request, building, changing one campaign and merging changes take.
//
//   targeting_bench [MOST_CAMPAIGNS]
//
// Medians of five rounds, in each of which every row is measured after the other.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/clock.h"
#include "bars.h"
#include "targeting_flat.h"
#include "targeting_scan.h"

namespace adagents::ads::bench {
namespace {

using adagents::bench::Bars;
using adagents::bench::Median;
using adagents::bench::TimeUs;
using adagents::bench::Us;

const absl::Time kNow = absl::FromCivil(absl::CivilHour(2026, 3, 3, 15), absl::UTCTimeZone());
constexpr size_t kBest = 200, kRequests = 256;
constexpr int kRounds = 5;
constexpr double kMostFactor = 2.0;

struct World {
  std::unique_ptr<Catalog> catalog;
  std::vector<Flat> flat;
  std::unique_ptr<Columns> columns;
  std::vector<RequestPtr> requests;
  std::vector<TargetingQuery> queries;
  std::vector<FlatRequest> flat_requests;
  std::vector<double> price, best_from;  // by rank; the highest from there on
  double matches = 0;                    // mean
};

[[noreturn]] void Differ(const char* what, size_t a, size_t b) {
  std::fprintf(stderr, "index and scans differ in %s: %zu, %zu\n", what, a, b);
  std::exit(1);
}

/// What all rows measure, for one request.
struct Rows {
  const World& w;
  mutable std::vector<uint32_t> out{};
  mutable TargetingQuery query{};

  const TargetingIndex& index() const { return w.catalog->targeting(); }
  void Match(size_t i) const { index().Match(w.queries[i], &out); }
  void MatchStructs(size_t i) const {
    ScanStructs(w.flat, w.flat_requests[i], w.flat.size() + 1, &out);
  }
  void MatchColumns(size_t i) const { ScanColumns(*w.columns, w.flat_requests[i], &out); }
  void Best(size_t i) const { index().MatchTopK(w.queries[i], kBest, &out); }
  void BestStructs(size_t i) const { ScanStructs(w.flat, w.flat_requests[i], kBest, &out); }
  void BestScore(size_t i) const {
    const auto score = [&](uint32_t id) { return FactorOf(i, id) * w.price[id]; };
    index().MatchTopKByScore(w.queries[i], kBest, kMostFactor, score, &out);
  }
  void BestScoreStructs(size_t i) const {
    BestByScore(w.flat, w.flat_requests[i], kBest, w.price, w.best_from, i, &out);
  }
  void Read(size_t i) const {
    index().Read(*w.requests[i], kNow, &query);
    index().ReadImp(w.requests[i]->imps[0], &query);
  }
};

/// Exits where the index and the scans do not find the same.
void Check(World* w) {
  const Rows rows{*w};
  std::vector<uint32_t> first;
  size_t total = 0;
  for (size_t i = 0; i < kRequests; ++i) {
    const auto same = [&](const char* what) {
      if (first != rows.out) Differ(what, first.size(), rows.out.size());
    };
    rows.Match(i);
    first = rows.out;
    total += first.size();
    rows.MatchStructs(i);
    same("all matches");
    rows.MatchColumns(i);
    same("all matches");
    rows.Best(i);
    first = rows.out;
    rows.BestStructs(i);
    same("the best by rank");
    rows.BestScore(i);
    first = rows.out;
    rows.BestScoreStructs(i);
    same("the best by score");
  }
  w->matches = static_cast<double>(total) / static_cast<double>(kRequests);
}

/// `n` campaigns and some requests in all three forms, checked to find the same.
std::unique_ptr<World> MakeWorld(size_t n) {
  auto w = std::make_unique<World>();
  w->catalog = GenerateCatalog({.campaigns = n, .seed = 1});
  const Values values(*w->catalog);
  for (uint32_t i = 0; i < n; ++i) w->flat.push_back(Flatten(w->catalog->campaign(i), values));
  w->columns = std::make_unique<Columns>(w->flat);
  w->price.resize(n);
  w->best_from.resize(n + 1);
  for (size_t i = n; i-- > 0;) {
    w->price[i] = static_cast<double>(w->catalog->facts(static_cast<uint32_t>(i)).max_cpm.value);
    w->best_from[i] = std::max(w->best_from[i + 1], w->price[i]);
  }
  Random random(99);
  for (size_t i = 0; i < kRequests; ++i) {
    w->requests.push_back(GenerateRequest(random));
    const Request& request = *w->requests.back();
    TargetingQuery query;
    w->catalog->targeting().Read(request, kNow, &query);
    w->catalog->targeting().ReadImp(request.imps[0], &query);
    w->queries.push_back(query);
    w->flat_requests.push_back(Flatten(request, kNow, values));
  }
  Check(w.get());
  return w;
}

/// Of the eight attributes that the index is judged by: the share left open, and of the others the
/// share that excludes.
void PrintOpen(const Catalog& catalog) {
  size_t open = 0, excluded = 0;
  for (uint32_t i = 0; i < catalog.index_end(); ++i) {
    const Targeting& t = catalog.campaign(i).targeting;
    open += t.hours.none() ? 1 : 0;
    for (const Attribute a :
         {Attribute::kCountry, Attribute::kRegion, Attribute::kDeviceType, Attribute::kOs,
          Attribute::kCategory, Attribute::kGenre, Attribute::kLanguage}) {
      const auto hit = std::find_if(t.conditions.begin(), t.conditions.end(),
                                    [&](const Condition& c) { return c.attribute == a; });
      open += hit == t.conditions.end() ? 1 : 0;
      excluded += hit != t.conditions.end() && hit->exclude ? 1 : 0;
    }
  }
  const double all = 8.0 * static_cast<double>(catalog.size());
  fmt::print(
      "{:.0f} % of country, region, device, OS, category, genre, language and hour are open, "
      "{:.0f} % of the rest exclude\n",
      100 * static_cast<double>(open) / all,
      100 * static_cast<double>(excluded) / (all - static_cast<double>(open)));
}

/// Mean microseconds a request, over as many as take some 20 ms.
template <class Row>
double Measure(Row row) {
  size_t done = 0;
  double us = 0;
  do {
    us += TimeUs([&] {
      for (size_t i = 0; i < kRequests; ++i) row(i);
    });
    done += kRequests;
  } while (us < 20'000);
  return us / static_cast<double>(done);
}

struct Measured {
  std::vector<double> index, structs, columns;
  double ratio() const {  // within each round: a slow moment slows both
    std::vector<double> ratios;
    for (size_t i = 0; i < index.size(); ++i) ratios.push_back(structs[i] / index[i]);
    return Median(std::move(ratios));
  }
  void Print(const char* what) const {
    fmt::print("   {:<46} {:>10} {:>12} {:>7.1f}x", what, Us(Median(index)), Us(Median(structs)),
               ratio());
    if (columns.empty()) {
      fmt::print("\n");
    } else {
      fmt::print(" {:>12} {:>7.1f}x\n", Us(Median(columns)), Median(columns) / Median(index));
    }
  }
};

/// One campaign changed after the other, as many as there is room for without a merge, each up to
/// the moment in which the new catalog can be published.
void Changes(const Catalog& first, Bars* bars) {
  const size_t n = std::min<size_t>(first.size() / 5, 4'000);
  const std::vector<Campaign> others =
      GenerateCampaigns({.campaigns = Catalog::kMostPut, .seed = 2});
  std::unique_ptr<const Catalog> catalog;
  const double merge_us = TimeUs([&] { catalog = first.Rebuilt(); });
  std::vector<int64_t> nanos;
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    CatalogChange change{{others[i]}, {}};
    std::unique_ptr<const Catalog> next;
    const double us = TimeUs([&] {
      auto made = catalog->With(std::move(change));
      if (made.ok()) next = *std::move(made);
    });
    if (next == nullptr) {
      std::fprintf(stderr, "a change failed\n");
      std::exit(1);
    }
    catalog = std::move(next);
    nanos.push_back(static_cast<int64_t>(us * 1000));
    sum += us;
  }
  const double mean = sum / static_cast<double>(n);
  const double merge_after_us = TimeUs([&] { catalog = catalog->Rebuilt(); });
  fmt::print(
      "   changing one campaign, {:>5} one after the other: mean {} us, p99 {}, slowest {}; "
      "merging {:.0f} ms, with these {:.0f} ms\n",
      n, Us(mean), Us(adagents::bench::Percentile(&nanos, 0.99) / 1000),
      Us(adagents::bench::Percentile(&nanos, 1.0) / 1000), merge_us / 1000, merge_after_us / 1000);
  if (first.size() >= 1'000'000) {
    bars->AtMost("1,000,000: changing one campaign, mean us", mean, 1'000);
  }
}

void Run(size_t n, Bars* bars) {
  const std::unique_ptr<World> world = MakeWorld(n);
  const World& w = *world;
  const double bytes =
      static_cast<double>(w.catalog->targeting().memory_bytes()) / static_cast<double>(n);
  fmt::print("\n{} campaigns, of which {:.2f} % match, {:.1f} bytes each\n", n,
             100 * w.matches / static_cast<double>(n), bytes);
  PrintOpen(*w.catalog);
  fmt::print("   {:<46} {:>10} {:>12} {:>8} {:>12} {:>8}\n", "", "index us", "structs us", "",
             "columns us", "");
  const Rows rows{w};
  Measured all, best, by_score;
  std::vector<double> read;
  for (int round = 0; round < kRounds; ++round) {
    all.index.push_back(Measure([&](size_t i) { rows.Match(i); }));
    all.structs.push_back(Measure([&](size_t i) { rows.MatchStructs(i); }));
    all.columns.push_back(Measure([&](size_t i) { rows.MatchColumns(i); }));
    best.index.push_back(Measure([&](size_t i) { rows.Best(i); }));
    best.structs.push_back(Measure([&](size_t i) { rows.BestStructs(i); }));
    by_score.index.push_back(Measure([&](size_t i) { rows.BestScore(i); }));
    by_score.structs.push_back(Measure([&](size_t i) { rows.BestScoreStructs(i); }));
    read.push_back(Measure([&](size_t i) { rows.Read(i); }));
  }
  all.Print("all that match");
  best.Print("the best 200 by static score");
  by_score.Print("the best 200 by a score that requests multiply");
  fmt::print("   {:<46} {:>10}\n", "reading a request", Us(Median(read)));
  const double build_us = TimeUs([&] {
    TargetingIndex::Build(w.catalog->size(),
                          [&](uint32_t i) -> const Campaign& { return w.catalog->campaign(i); });
  });
  fmt::print("   building the index: {:.1f} ms\n", build_us / 1000);
  Changes(*w.catalog, bars);
  if (n < 1'000'000) return;
  bars->AtLeast("1,000,000: all that match, times faster", all.ratio(), 25);
  bars->AtMost("1,000,000: bytes a campaign", bytes, 64);
  bars->AtLeast("1,000,000: best 200 by static score, times faster", best.ratio(), 10);
  bars->AtLeast("1,000,000: best 200 by a request's score, times faster", by_score.ratio(), 5);
}

}  // namespace
}  // namespace adagents::ads::bench

int main(int argc, char** argv) {
  const size_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (most < 1'000) {
    fmt::print(stderr, "usage: {} [MOST_CAMPAIGNS]  (1,000 or more, 1,000,000 when left out)\n",
               argv[0]);
    return 2;
  }
  fmt::print("Candidates for a request; medians of {} rounds over {} requests\n",
             adagents::ads::bench::kRounds, adagents::ads::bench::kRequests);
  adagents::bench::Bars bars;
  adagents::bench::Others others;
  for (size_t n = 1'000; n <= most; n *= 10) {
    adagents::ads::bench::Run(n, &bars);
    std::fflush(stdout);
  }
  fmt::print("\nother processes used {:.0f} % of the machine meanwhile\n", 100 * others.Share());
  bars.Print();
  return 0;
}
