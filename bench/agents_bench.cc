// What each agent of the ad team costs a request, by the number of candidates of each imp: one
// audio imp in a second-price auction, a pod of two minutes, and a pod of sixty slots, which is
// sixty imps, among campaigns that all match. Half of these pay per impression, the others per
// click or completion, and each has one creative that fits.
//
//   bench/run.sh agents_bench [--rounds N]
//
// Microseconds, medians of the rounds. The four agents' rows are what they do by themselves; agents
// that are in the team besides have a row with a "~", of what the runtime says of them (a mean,
// from buckets of 19 % width, that a slow first call raises). `decision` is the whole call on the
// caller's thread, with all that is between the agents; "of known listeners" with the agents that
// understand listeners, each of whom has played and skipped some tracks.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/engine.h"
#include "ads/agents/auctioneer.h"
#include "ads/agents/matcher.h"
#include "ads/agents/scorer.h"
#include "ads/agents/worth.h"
#include "bars.h"
#include "fmt/format.h"

namespace {

using namespace adagents;  // NOLINT: an application

constexpr size_t kCandidates[] = {1, 10, 100, 1'000};
constexpr size_t kRequests = 64;
constexpr int64_t kWarmUpNanos = 30'000'000, kRoundNanos = 150'000'000;

/// Generated ones that are for everybody, with one audio ad each.
std::vector<ads::Campaign> Matching(size_t n) {
  std::vector<ads::Campaign> campaigns = ads::GenerateCampaigns({.campaigns = n, .open = 1.0});
  for (size_t i = 0; i < n; ++i) {
    constexpr int32_t kMillis[] = {15'000, 30'000, 20'000, 60'000};
    ads::Campaign& c = campaigns[i];
    c.targeting = {};
    c.creatives.resize(1);
    ads::Creative& ad = c.creatives[0];
    ad.format = ads::MarkupType::kAudio;
    ad.mimes = {"audio/mpeg"};
    ad.duration_ms = kMillis[i % 4];
    ad.bitrate_kbps = 0;
    ad.language.clear();
    if (ad.media_url.empty()) ad.media_url = "https://cdn.example/" + ad.id + ".mp3";
    constexpr ads::Action kActions[] = {ads::Action::kNone, ads::Action::kClick, ads::Action::kNone,
                                        ads::Action::kCompletion};
    c.bid.action = kActions[i % 4];
    c.bid.value_per_action = {};
    if (c.bid.action == ads::Action::kClick) c.bid.value_per_action = {1'500'000};
    if (c.bid.action == ads::Action::kCompletion) c.bid.value_per_action = {8'000};
  }
  return campaigns;
}

enum class Sells { kOneAd, kMinutes, kSlots };
constexpr size_t kSlots = 60;

/// Different listeners and contents, the same imps.
std::vector<ads::RequestPtr> Requests(Sells sells, std::vector<ads::RequestPtr>* alive) {
  Random random(1);
  std::vector<ads::RequestPtr> requests;
  for (size_t i = 0; i < kRequests; ++i) {
    alive->push_back(ads::GenerateRequest(random));  // holds the texts
    ads::NewRequest made = ads::MakeRequest();
    *made.request = *alive->back();
    made.request->at = 2;
    made.request->wlang = {};
    ads::Imp imp;
    imp.id = "1";
    ads::Audio audio;
    audio.mimes = made.arena->Copy<ads::Text>({"audio/mpeg"});
    if (sells == Sells::kMinutes) {
      audio.poddur = 120;
      audio.maxseq = 6;
    }
    if (sells == Sells::kSlots) audio.podid = "pod";
    imp.audio = made.arena->New(audio);
    const std::vector<ads::Imp> imps(sells == Sells::kSlots ? kSlots : 1, imp);
    made.request->imps = made.arena->Copy(ads::List<ads::Imp>(imps));
    requests.push_back(std::move(made.ptr));
  }
  return requests;
}

/// Microseconds by row, of one round.
using Column = std::vector<std::pair<std::string, double>>;

template <class T>
T Value(absl::StatusOr<T> made) {
  if (made.ok()) return *std::move(made);
  std::fprintf(stderr, "agents_bench: %s\n", made.status().ToString().c_str());
  std::exit(1);
}

/// Microseconds for each of the requests, of doing `work` with all of them again and again.
template <class Work>
double Each(Work work) {
  const Clock& clock = SystemClock::Get();
  for (const int64_t nanos : {kWarmUpNanos, kRoundNanos}) {
    int64_t rounds = 0, spent = 0;
    for (const int64_t begun = clock.Now(); spent < nanos; spent = clock.Now() - begun) {
      for (size_t i = 0; i < kRequests; ++i) work(i);
      ++rounds;
    }
    if (nanos == kRoundNanos) {
      return static_cast<double>(spent) / static_cast<double>(rounds) / kRequests / 1e3;
    }
  }
  return 0;
}

/// What the four do by themselves, each on what the one before it wrote.
Column Alone(size_t candidates, const std::vector<ads::RequestPtr>& requests) {
  Snapshot<ads::Catalog> catalog(Value(ads::Catalog::Build(Matching(candidates))));
  const ads::CurrencyRates rates = Value(ads::CurrencyRates::Create({}, {}));
  const ads::KillSwitches switches(ads::KillSwitches::kDefaultCapacity);
  ads::RelevanceModels models({.rows = 1 << 14});
  const ads::AvailabilityOptions availability;
  const ads::AuctionOptions auction;
  const absl::Time now = absl::Now();
  std::vector<ads::Candidates> found(kRequests);
  std::vector<ads::Scores> scores(kRequests);
  std::vector<ads::Prices> prices(kRequests);
  std::vector<uint32_t> winners;
  ads::internal::Matcher matcher;
  ads::internal::Scorer scorer;
  ads::internal::Auctioneer auctioneer(auction);
  Column column;
  column.emplace_back("availability", Each([&](size_t i) {
                        found[i].clear();
                        found[i].catalog = catalog.Pin();
                        matcher.Run(*requests[i], switches, now, availability, &rates, &found[i],
                                    nullptr);
                      }));
  column.emplace_back("relevance", Each([&](size_t i) {
                        scores[i].clear();
                        scorer.Run(*requests[i], found[i], models, &scores[i]);
                      }));
  column.emplace_back("pricing", Each([&](size_t i) {
                        prices[i].clear();
                        ads::internal::PriceAll(*requests[i], found[i], scores[i], {}, rates,
                                                &prices[i],
                                                [](const ReasonCode&, uint64_t, Micros, Micros) {});
                      }));
  size_t bids = 0, auctions = 0, all = 0;
  column.emplace_back("auction", Each([&](size_t i) {
                        ads::Decision decision;
                        auctioneer.Run(*requests[i], found[i], scores[i], prices[i], &decision,
                                       &winners, {});
                        bids += decision.bids.size();
                        all += found[i].items.size();
                        ++auctions;
                      }));
  const auto mean = [&](size_t sum) {
    return static_cast<double>(sum) / static_cast<double>(auctions);
  };
  column.emplace_back("(candidates)", mean(all));
  column.emplace_back("(bids)", mean(bids));
  return column;
}

/// The whole decision with the agents that understand listeners, which it adds to `others`.
double KnownListeners(size_t candidates, const std::vector<ads::RequestPtr>& requests,
                      const Column* there, Column* others) {
  ads::EngineOptions options;
  options.catalog = Value(ads::Catalog::Build(Matching(candidates)));
  options.listener.emplace();
  options.listener->sessions.session_of = [](const ads::Request& r) { return r.id; };
  const auto engine = Value(ads::Engine::Create(std::move(options)));
  for (const ads::RequestPtr& request : requests) {
    for (int i = 0; i < 6; ++i) {
      ads::PlaybackEvent e;
      e.session = request->id;
      e.at = absl::Now();
      e.genre = "jazz";
      e.mood = "happy";
      e.energy = 0.6f;
      e.kind = i % 2 == 0 ? ads::PlaybackKind::kStart : ads::PlaybackKind::kSkip;
      if (!engine->Play(e).ok()) std::exit(1);
    }
  }
  const double decision =
      Each([&](size_t i) { (void)engine->Decide(requests[i], {.trusted = true}); });
  const auto in = [](const Column& column, const std::string& name) {
    return std::any_of(column.begin(), column.end(),
                       [&](const auto& row) { return row.first == name; });
  };
  for (const AgentStats& agent : engine->GetStats().runtime.agents) {
    const std::string row = agent.name + " ~";
    if (agent.mean_nanos == 0 || in(*there, agent.name) || in(*others, row)) continue;
    others->emplace_back(row, static_cast<double>(agent.mean_nanos) / 1e3);
  }
  return decision;
}

/// The whole decision, and agents that are in the team besides.
Column Measure(size_t candidates, const std::vector<ads::RequestPtr>& requests) {
  Column column = Alone(candidates, requests);
  ads::EngineOptions options;
  options.catalog = Value(ads::Catalog::Build(Matching(candidates)));
  const auto engine = Value(ads::Engine::Create(std::move(options)));
  const double decision =
      Each([&](size_t i) { (void)engine->Decide(requests[i], {.trusted = true}); });
  const auto is_there = [&](const std::string& name) {
    return std::any_of(column.begin(), column.end(),
                       [&](const auto& row) { return row.first == name; });
  };
  Column others;
  for (const AgentStats& agent : engine->GetStats().runtime.agents) {
    if (agent.mean_nanos == 0 || is_there(agent.name)) continue;
    others.emplace_back(agent.name + " ~", static_cast<double>(agent.mean_nanos) / 1e3);
  }
  const double known = KnownListeners(candidates, requests, &column, &others);
  column.insert(column.end() - 2, others.begin(), others.end());
  column.emplace(column.end() - 2, "decision", decision);
  column.emplace(column.end() - 2, "of known listeners", known);
  return column;
}

void PrintTable(const char* title, Sells sells, int rounds) {
  std::vector<ads::RequestPtr> alive;
  const std::vector<ads::RequestPtr> requests = Requests(sells, &alive);
  std::vector<std::string> rows;  // as the plan has them
  std::map<std::string, std::map<size_t, std::vector<double>>> cells;
  for (int round = 0; round < rounds; ++round) {
    for (const size_t n : kCandidates) {
      for (const auto& [row, us] : Measure(n, requests)) {
        if (!cells.contains(row)) rows.push_back(row);
        cells[row][n].push_back(us);
      }
    }
  }
  fmt::print("\n{}, us a request\n", title);
  fmt::print("  {:<20}", "candidates");
  for (const size_t n : kCandidates) fmt::print("{:>10}", n);
  for (const std::string& row : rows) {
    fmt::print("\n  {:<20}", row);
    for (const size_t n : kCandidates) {
      const std::vector<double>& values = cells[row][n];
      if (values.empty()) {
        fmt::print("{:>10}", "-");
      } else {
        fmt::print("{:>10.2f}", bench::Median(values));
      }
    }
  }
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 5;
  if (argc == 3 && std::strcmp(argv[1], "--rounds") == 0) {
    rounds = std::max(1, std::atoi(argv[2]));
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: agents_bench [--rounds N]\n");
    return 2;
  }
  fmt::print("medians of {} rounds\n", rounds);
  PrintTable("one imp", Sells::kOneAd, rounds);
  PrintTable("a pod of 120 s and up to 6 ads", Sells::kMinutes, rounds);
  PrintTable("a pod of 60 slots", Sells::kSlots, rounds);
}
