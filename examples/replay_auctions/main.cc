// Replays a log of auctions under budgets, and compares bidders: what each wins, clicks and pays.
//
//   replay_auctions --generate 200000 > log.txt
//   replay_auctions log.txt --budget-fraction 0.0625
//
// See --help; log.h has the format, episodes.h the rules, bidders.h the bidders.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "bidders.h"
#include "episodes.h"
#include "fmt/format.h"
#include "log.h"
#include "shared/output.h"

namespace replay_auctions {
namespace {

constexpr int kBadFile = 1, kBadUsage = 2;

struct Options {
  std::string file, train;
  double train_share = 0.5;
  double budget_fraction = 0;
  int64_t episode = 1000;
  double max_bid = 300;
  std::vector<std::string> bidders;
  bool json = false;
  int64_t generate = 0;
  uint64_t seed = 1;
};

int Complain(const absl::Status& status, int code) {
  fmt::print(stderr, "replay_auctions: {}\n", adagents::Message(status));
  return code;
}

absl::Status ReadBoth(const Options& o, Log* train, Log* test) {
  auto log = ReadLog(o.file);
  if (!log.ok()) return log.status();
  *test = *std::move(log);
  if (!o.train.empty()) {
    auto other = ReadLog(o.train);
    if (!other.ok()) return other.status();
    *train = *std::move(other);
    return absl::OkStatus();
  }
  const auto cut = static_cast<std::ptrdiff_t>(static_cast<double>(test->size()) * o.train_share);
  train->assign(test->begin(), test->begin() + cut);
  test->erase(test->begin(), test->begin() + cut);
  if (train->empty() || test->empty()) {
    return adagents::InvalidArgument(
        o.file + ": has too few auctions to train on some and replay the others");
  }
  return absl::OkStatus();
}

double CostPerClick(const Result& r) {
  return r.clicks > 0 ? r.cost / static_cast<double>(r.clicks) : 0;
}

void PrintTable(const Log& train, const Rules& rules,
                const std::vector<std::pair<std::string, Result>>& results) {
  const Result& first = results.front().second;
  const double budget =
      rules.budget * static_cast<double>(first.auctions) / static_cast<double>(rules.episode);
  fmt::print("{} auctions in episodes of {}, {:.1f} to spend in each; trained on {}\n\n",
             first.auctions, rules.episode, rules.budget, train.size());
  fmt::print("{:<10} {:>11} {:>8} {:>15} {:>12} {:>11} {:>14}\n", "bidder", "impressions", "clicks",
             "expected clicks", "cost", "of budget", "cost per click");
  for (const auto& [name, r] : results) {
    fmt::print("{:<10} {:>11} {:>8} {:>15.1f} {:>12.0f} {:>10.1f}% {:>14.1f}\n", name,
               r.impressions, r.clicks, r.expected_clicks, r.cost,
               budget > 0 ? 100 * r.cost / budget : 0, CostPerClick(r));
  }
}

void PrintJson(const Log& train, const Rules& rules,
               const std::vector<std::pair<std::string, Result>>& results) {
  nlohmann::json out;
  out["episode"] = rules.episode;
  out["episode_budget"] = rules.budget;
  out["max_bid"] = rules.max_bid;
  out["trained_on"] = train.size();
  out["bidders"] = nlohmann::json::array();
  for (const auto& [name, r] : results) {
    out["bidders"].push_back({{"bidder", name},
                              {"auctions", r.auctions},
                              {"impressions", r.impressions},
                              {"clicks", r.clicks},
                              {"expected_clicks", r.expected_clicks},
                              {"cost", r.cost}});
  }
  fmt::print("{}\n", out.dump());
}

int Replay(const Options& o) {
  Log train, test;
  if (const absl::Status status = ReadBoth(o, &train, &test); !status.ok()) {
    return Complain(status, kBadFile);
  }
  Rules rules;
  rules.episode = static_cast<size_t>(o.episode);
  rules.max_bid = o.max_bid;
  rules.budget = AveragePrice(train) * o.budget_fraction * static_cast<double>(o.episode);
  std::vector<std::pair<std::string, Result>> results;
  for (const std::string& name : o.bidders.empty() ? BidderNames() : o.bidders) {
    auto bidder = MakeBidder(name, train, rules);
    if (!bidder.ok()) return Complain(bidder.status(), kBadUsage);
    results.emplace_back(name, Play(test, rules, **bidder));
  }
  o.json ? PrintJson(train, rules, results) : PrintTable(train, rules, results);
  return 0;
}

int Main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Replays a log of auctions, one `click price predicted_ctr` a line, under budgets.\n"
      "An auction is won when the bid is at least the price, and the price is paid. Each episode\n"
      "of N auctions may spend N times the average price in training times the budget fraction."};
  auto* file = app.add_option("file", o.file, "The log; .xz is unpacked");
  auto* fraction = app.add_option("--budget-fraction", o.budget_fraction,
                                  "Of what all auctions would cost, as 0.125")
                       ->check(CLI::Range(1e-6, 1e3));
  app.add_option("--train", o.train, "A log of its own to tune bidders on");
  app.add_option("--train-share", o.train_share,
                 "Without --train: the share of the file, from its beginning, that is for tuning")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--episode", o.episode, "Auctions in an episode")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--max-bid", o.max_bid, "No bid is higher")
      ->check(CLI::Range(1e-6, 1e9))
      ->capture_default_str();
  app.add_option("--bidder", o.bidders,
                 "constant, linear or adagents; all three when none is named")
      ->check(CLI::IsMember(BidderNames()));
  app.add_flag("--json", o.json, "Print one JSON object");
  auto* generate =
      app.add_option("--generate", o.generate, "Print a made-up log of so many auctions instead")
          ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  app.add_option("--seed", o.seed, "Of --generate")->needs(generate);
  generate->excludes(file)->excludes(fraction);
  app.footer("Exit codes: 0 done; 1 a file cannot be read or is wrong; 2 wrong usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  if (o.generate > 0) {
    fmt::print("{}", GenerateLog(o.generate, o.seed));
    return 0;
  }
  if (o.file.empty() || fraction->count() == 0) {
    fmt::print(
        stderr,
        "replay_auctions: name a log and a --budget-fraction, or --generate one; see --help\n");
    return kBadUsage;
  }
  return Replay(o);
}

}  // namespace
}  // namespace replay_auctions

int main(int argc, char** argv) {
  return examples::WithOutput("replay_auctions", [&] { return replay_auctions::Main(argc, argv); });
}
