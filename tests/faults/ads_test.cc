// The ad team under load: agents that make nonsense of rates and prices, and catalogs and teams
// that are swapped. No bid leaves that is none, and none that mixes two catalogs.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ads/engine_kit.h"
#include "faults/sentinel.h"
#include "fmt/format.h"
#include "runtime/support.h"

namespace adagents::ads::test {
namespace {

using adagents::testing::Eventually;
using adagents::testing::kWays;
using adagents::testing::Lateness;
using adagents::testing::LongRun;
using adagents::testing::Name;
using adagents::testing::Sentinel;
using adagents::testing::Way;

// Asks an engine in every way at once and has every answer judged. Not thread-safe.
class Buyers {
 public:
  using Right = std::function<bool(const Answer<Decision>&)>;

  Buyers(Engine& engine, Right right) : engine_(engine), right_(std::move(right)) {
    for (const Way way : kWays) threads_.emplace_back([this, way] { Ask(way); });
  }
  ~Buyers() { Finish(); }
  Buyers(const Buyers&) = delete;
  Buyers& operator=(const Buyers&) = delete;

  [[nodiscard]] uint64_t answered(Way way) const { return answered_[static_cast<size_t>(way)]; }
  /// Every way has had at least so many answers since the last such call.
  [[nodiscard]] bool Answered(uint64_t more) {
    std::array<uint64_t, 3> before;
    for (const Way way : kWays) before[static_cast<size_t>(way)] = answered(way);
    return Eventually([&] {
      return std::all_of(kWays.begin(), kWays.end(), [&](Way way) {
        return answered(way) >= before[static_cast<size_t>(way)] + more;
      });
    });
  }
  void Finish() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  std::atomic<uint64_t> wrong{0}, bids{0}, undecided{0};
  [[nodiscard]] uint64_t Late() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return lateness_.Count(sentinel_);
  }

 private:
  void Ask(Way way) {
    while (!stop_) {
      TestRequest request;
      const RequestPtr done = request.Done();
      const int64_t due = Sentinel::Now() + 50'000'000;
      const Answer<Decision> answer = AskOnce(way, done);
      const int64_t at = Sentinel::Now();
      if (way != Way::kTrusted) {
        const std::lock_guard<std::mutex> lock(mutex_);
        lateness_.Note(due, at);
      }
      wrong += !right_(answer);
      bids += answer.value.bids.size();
      undecided += answer.verdict != Verdict::kDecided;
      ++answered_[static_cast<size_t>(way)];
    }
  }

  Answer<Decision> AskOnce(Way way, const RequestPtr& request) {
    if (way != Way::kAsync) return engine_.Decide(request, {.trusted = way == Way::kTrusted});
    std::promise<Answer<Decision>> arrived;
    engine_.DecideAsync(request, {},
                        [&](Answer<Decision> answer) { arrived.set_value(std::move(answer)); });
    return arrived.get_future().get();
  }

  Engine& engine_;
  const Right right_;
  Sentinel sentinel_;
  std::atomic<bool> stop_{false};
  std::array<std::atomic<uint64_t>, 3> answered_{};
  std::mutex mutex_;
  Lateness lateness_;
  std::vector<std::thread> threads_;
};

// No two calls in a row with the same nonsense, and none that is a rate.
float Nonsense(uint32_t n) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr std::array<float, 6> kAll{kNan, kInfinity, -kInfinity, -kNan, -1.0f, 1e30f};
  return kAll[n % kAll.size()];
}

class WildRelevance final : public Agent {
  In<Candidates> candidates_{this, kCandidates};
  Out<Scores> scores_{this, kScores, Scores{}};
  uint32_t calls_ = 0;

 public:
  WildRelevance() : Agent({.name = "relevance"}) {}
  absl::Status Run(Context& ctx) override {
    std::vector<float>& rates = ctx[scores_].rate;
    for (size_t i = 0; i < ctx[candidates_].items.size(); ++i) rates.push_back(Nonsense(calls_++));
    return absl::OkStatus();
  }
};

// What a careless conversion makes of NaN and infinity, for all but the campaign that has the name.
class WildPricing final : public Agent {
  In<Candidates> candidates_{this, kCandidates};
  Out<Prices> prices_{this, kPrices};
  uint32_t calls_ = 0;

 public:
  WildPricing() : Agent({.name = "pricing"}) {}
  absl::Status Run(Context& ctx) override {
    const Candidates& candidates = ctx[candidates_];
    Prices& prices = ctx[prices_];
    for (const Candidate& c : candidates.items) {
      const bool plain = candidates.catalog->campaign(c.campaign).id == "plain";
      const int64_t wild = ++calls_ % 2 == 0 ? INT64_MAX : INT64_MIN;
      prices.value.push_back(plain ? Units(1) : Micros{wild});
      prices.floor.push_back({});
    }
    return absl::OkStatus();
  }
};

Campaign Clicks(const std::string& id) {
  Campaign clicks = AudioCampaign(id, 50);
  clicks.bid.action = Action::kClick;
  clicks.bid.value_per_action = Units(1);
  return clicks;
}

TEST_CASE("under load, no bid leaves that follows from NaN or infinity") {
  for (const bool pricing : {false, true}) {
    INFO((pricing ? "prices" : "rates"));
    const auto engine =
        ThreadedEngine({Clicks("one"), AudioCampaign("plain", 1), Clicks("another")});
    auto change = engine->runtime().Edit();
    if (pricing) {
      change.Replace<WildPricing>("pricing");
    } else {
      change.Replace<WildRelevance>("relevance");
    }
    REQUIRE(change.Commit().ok());
    Buyers buyers(*engine, [](const Answer<Decision>& answer) {
      const auto& bids = answer.value.bids;
      for (const Bid& bid : bids) {
        if (bid.price <= Micros{} || bid.price > bid.campaign->bid.max_cpm) return false;
      }
      if (answer.verdict != Verdict::kDecided) return bids.size() <= 1;
      return bids.size() == 1 && bids[0].campaign->id == "plain" && bids[0].price == Units(1) &&
             bids[0].value == Units(1);
    });
    CHECK(buyers.Answered(LongRun() ? 100'000 : 3'000));
    buyers.Finish();
    CHECK(buyers.wrong == 0);
    CHECK(buyers.bids >= 9'000 - buyers.undecided);
    CHECK(buyers.Late() == 0);
    CHECK(engine->Shutdown(absl::Seconds(10)).clean());
  }
}

// Both campaigns of version v are worth the same, which tells the version.
std::unique_ptr<const Catalog> CatalogOf(int version) {
  const double cpm = 1 + version % 7;
  return MakeCatalog({AudioCampaign(fmt::format("v{}", version), cpm),
                      AudioCampaign(fmt::format("w{}", version), cpm)});
}

// Passes the rates on; its version tells whether two teams are ever mixed.
class Rates final : public Agent {
  In<Candidates> candidates_{this, kCandidates};
  Out<Scores> scores_{this, kScores, Scores{}};
  std::atomic<int>* alive_;

 public:
  explicit Rates(std::atomic<int>* alive) : Agent({.name = "relevance"}), alive_(alive) {
    ++*alive_;
  }
  ~Rates() override { --*alive_; }
  absl::Status Run(Context& ctx) override {
    ctx[scores_].rate.assign(ctx[candidates_].items.size(), 0.5f);
    return absl::OkStatus();
  }
};

TEST_CASE("a thousand swaps of catalog and team under load: each decision is of one catalog") {
  std::atomic<int> alive{0};
  const auto engine = ThreadedEngine({AudioCampaign("v0", 1), AudioCampaign("w0", 1)});
  REQUIRE(engine->runtime().Edit().Replace<Rates>("relevance", &alive).Commit().ok());
  const int replicas = alive;
  int failed = 0;
  {
    Buyers buyers(*engine, [](const Answer<Decision>& answer) {
      if (answer.value.bids.empty()) return answer.verdict != Verdict::kDecided;
      const Bid& bid = answer.value.bids[0];
      const int version = std::stoi(bid.campaign->id.substr(1));
      return answer.value.bids.size() == 1 && bid.price == Units(1 + version % 7) &&
             bid.creative->id == bid.campaign->id + "-1";
    });
    const int swaps = LongRun() ? 10'000 : 1'000;
    for (int version = 1; version <= swaps; ++version) {
      failed += !engine->SwapCatalog(CatalogOf(version)).ok();
      failed += !engine->runtime().Edit().Replace<Rates>("relevance", &alive).Commit().ok();
      if (version % 20 == 0) failed += !buyers.Answered(1);
    }
    buyers.Finish();
    CHECK(failed == 0);
    CHECK(buyers.wrong == 0);
    CHECK(buyers.Late() == 0);
    CHECK(buyers.bids > 0);
    CHECK(engine->GetStats().catalog_version == static_cast<uint64_t>(swaps) + 1);
    CHECK(engine->GetStats().runtime.plan_version == static_cast<uint64_t>(swaps) + 2);
  }
  CHECK(Winner(engine->Decide(TestRequest().Done()).value) ==
        fmt::format("v{}", LongRun() ? 10'000 : 1'000));
  CHECK(Eventually([&] { return alive == replicas; }));  // of the last team alone
  CHECK(engine->Shutdown(absl::Seconds(10)).clean());
}

}  // namespace
}  // namespace adagents::ads::test
