// Pacing over simulated days whose traffic was forecast wrong, in scale and in shape: the library
// beside greedy, even share, a PID and two oracles that know the day. See world.h for the ground
// truth and policies.h for the rivals, which see the same and were tuned like the library, on odd
// seeds.
//
//   bench/run.sh pacing_bench [--seeds N] [--first SEED] [--campaigns N] [--days N] [--right]
//
// Even seeds are the worlds that nothing was tuned on, and the default. --right: a forecast that is
// right. A day counts when the oracle spends 98 % of the budget. Three things have to hold of it:
// the budget is spent to 2 %; the hours' |spent - planned|, summed, are at most 10 % of the budget;
// at most 5 % of the budget goes in the last hundredth of the day. The plan of an hour is the
// budget times the hour's share of the forecast: the one that was made before the day.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "run.h"
#include "shared/estimate.h"

namespace pacing_bench {
namespace {

struct Options {
  int seeds = 10, campaigns = 60, days = 3;
  uint64_t first = 2;
  bool right = false;
};

constexpr size_t kRows = 6;
constexpr std::array<const char*, kRows> kNames = {"greedy",   "even share",      "PID",
                                                   "adagents", "oracle, on plan", "oracle"};
constexpr size_t kOurs = 3, kOnPlan = 4, kOracle = 5;

/// Sums over the days of one seed that count.
struct Sum {
  double days = 0, kept = 0, spend = 0, hourly = 0, last = 0;
  double error = 0, worst = 0, spent = 0, value = 0;
  double plan = 0, plan_kept = 0;  // days on which the oracle that keeps to the plan spends 98 %
  double can = 0, can_kept = 0;    // and on which it keeps all three bounds
  double over = 0;                 // of all days
};
using Seed = std::array<Sum, kRows>;

void Add(const CampaignWorld& c, const DayResult& r, double best, const DayErrors& on_plan,
         Sum* s) {
  const DayErrors e = ErrorsOf(c, r);
  s->days += 1;
  s->kept += Kept(e);
  s->spend += e.spend <= 0.02;
  s->hourly += e.hourly <= 0.10;
  s->last += e.last <= 0.05;
  s->error += e.hourly;
  s->worst += e.worst_hour;
  s->spent += r.spent / c.budget;
  s->value += r.value / best;
  const bool plan = on_plan.spend <= 0.02, can = Kept(on_plan);
  s->plan += plan;
  s->plan_kept += plan && Kept(e);
  s->can += can;
  s->can_kept += can && Kept(e);
}

Seed RunSeed(const Options& o, uint64_t seed) {
  Seed sums;
  const double wrong = o.right ? 1 : 3;
  const World world(
      {.seed = seed, .campaigns = o.campaigns, .days = o.days, .scale = wrong, .shape = wrong});
  std::vector<Auction> day;
  for (size_t i = 0; i < world.campaigns().size(); ++i) {
    const CampaignWorld& c = world.campaigns()[i];
    const std::array<std::unique_ptr<Policy>, kOnPlan> policies = {MakeGreedy(), MakeEvenShare(c),
                                                                   MakePid(c, {}), MakeLibrary(c)};
    for (int d = 0; d < o.days; ++d) {
      world.Day(static_cast<int>(i), d, &day);
      std::array<DayResult, kRows> results;
      for (size_t p = 0; p < kOnPlan; ++p) results[p] = Play(c, day, d, *policies[p]);
      results[kOnPlan] = PlayPlanOracle(c, day);
      results[kOracle] = PlayOracle(c, day);
      for (size_t p = 0; p < kRows; ++p) sums[p].over += results[p].spent > c.budget;
      if (results[kOracle].spent < 0.98 * c.budget) continue;
      const DayErrors on_plan = ErrorsOf(c, results[kOnPlan]);
      for (size_t p = 0; p < kRows; ++p) {
        Add(c, results[p], results[kOracle].value, on_plan, &sums[p]);
      }
    }
  }
  return sums;
}

using adagents::bench::Estimate;

/// Over seeds.
template <class F>
Estimate Over(const std::vector<Seed>& seeds, F&& of) {
  std::vector<double> values;
  for (const Seed& s : seeds) values.push_back(of(s));
  return adagents::bench::EstimateOf(values);
}

void Print(const Options& o, const std::vector<Seed>& seeds) {
  const auto total = [&](double Sum::*what) {
    double sum = 0;
    for (const Seed& s : seeds) sum += s[kOurs].*what;
    return sum;
  };
  std::printf(
      "%zu seeds from %llu, %d campaigns, %d days; forecast %s\n"
      "On %.0f of %d days an oracle that knows the day spends 98 %% of the budget; on %.0f one "
      "that\n"
      "keeps to the plan does (\"on plan\"); on %.0f that one keeps all three bounds (\"if "
      "can\").\n"
      "Value is a share of the first oracle's. +-: half of the 95 %% interval over seeds.\n\n",
      seeds.size(), static_cast<unsigned long long>(o.first), o.campaigns, o.days,
      o.right ? "right" : "wrong by up to 3, in scale and between hours", total(&Sum::days),
      o.campaigns * o.days * static_cast<int>(seeds.size()), total(&Sum::plan), total(&Sum::can));
  std::printf("%-16s %13s %13s %7s %8s %8s %8s %7s %8s %7s %14s %5s\n", "% of days", "all kept",
              "on plan", "if can", "spend 2%", "hour 10%", "last 5%", "hourly", "worst h", "spent",
              "value", "over");
  for (size_t p = 0; p < kRows; ++p) {
    const auto share = [&](double Sum::*what, double Sum::*of) {
      return Over(seeds, [&](const Seed& s) { return 100 * s[p].*what / (s[p].*of); });
    };
    const Estimate kept = share(&Sum::kept, &Sum::days);
    const Estimate plan = share(&Sum::plan_kept, &Sum::plan);
    const Estimate value = share(&Sum::value, &Sum::days);
    double over = 0;
    for (const Seed& s : seeds) over += s[p].over;
    std::printf(
        "%-16s %6.1f +-%4.1f %6.1f +-%4.1f %7.1f %8.1f %8.1f %8.1f %7.1f %8.1f %7.2f %6.2f +-%5.2f "
        "%5.0f\n",
        kNames[p], kept.mean, kept.half, plan.mean, plan.half,
        share(&Sum::can_kept, &Sum::can).mean, share(&Sum::spend, &Sum::days).mean,
        share(&Sum::hourly, &Sum::days).mean, share(&Sum::last, &Sum::days).mean,
        share(&Sum::error, &Sum::days).mean, share(&Sum::worst, &Sum::days).mean,
        share(&Sum::spent, &Sum::days).mean, value.mean, value.half, over);
  }
  std::printf("\nadagents less the other, paired by seed, in points:\n");
  for (size_t p = 0; p < kRows; ++p) {
    if (p == kOurs) continue;
    const auto less = [&](double Sum::*what) {
      return Over(seeds, [&](const Seed& s) {
        return 100 * (s[kOurs].*what / s[kOurs].days - s[p].*what / s[p].days);
      });
    };
    const Estimate kept = less(&Sum::kept), error = less(&Sum::error), value = less(&Sum::value);
    std::printf(
        "  %-16s all kept %+7.2f +-%5.2f   hourly error %+8.2f +-%5.2f   value %+7.2f +-%5.2f\n",
        kNames[p], kept.mean, kept.half, error.mean, error.half, value.mean, value.half);
  }
}

bool Parse(int argc, char** argv, Options* o) {
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--right") {
      o->right = true;
      continue;
    }
    char* end = nullptr;
    const long n = i + 1 < argc ? std::strtol(argv[i + 1], &end, 10) : -1;
    if (n < 1 || *end != '\0') return false;
    ++i;
    if (arg == "--seeds") {
      o->seeds = static_cast<int>(n);
    } else if (arg == "--first") {
      o->first = static_cast<uint64_t>(n);
    } else if (arg == "--campaigns") {
      o->campaigns = static_cast<int>(n);
    } else if (arg == "--days") {
      o->days = static_cast<int>(n);
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  Options o;
  if (!Parse(argc, argv, &o)) {
    std::fprintf(stderr,
                 "pacing_bench [--seeds N] [--first SEED] [--campaigns N] [--days N] [--right]\n");
    return 2;
  }
  std::vector<Seed> seeds(static_cast<size_t>(o.seeds));
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t) {
    threads.emplace_back([&] {
      for (size_t i; (i = next.fetch_add(1)) < seeds.size();)
        seeds[i] = RunSeed(o, o.first + 2 * i);
    });
  }
  for (std::thread& t : threads) t.join();
  Print(o, seeds);
  return 0;
}

}  // namespace
}  // namespace pacing_bench

int main(int argc, char** argv) { return pacing_bench::Main(argc, argv); }
