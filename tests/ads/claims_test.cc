// Auctions in which a chosen ad may be refused what it needs: a place under a frequency cap.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "ads/agents/auctioneer.h"
#include "ads/agents/matcher.h"
#include "ads/agents/worth.h"
#include "ads/engine_kit.h"

namespace adagents::ads::test {
namespace {

const FrequencyCap kOnce{.count = 1, .window = absl::Hours(1)};

std::string Numbered(std::string prefix, uint64_t number) {
  prefix += std::to_string(number);
  return prefix;
}

/// In a category of its own.
Campaign Ad(const std::string& id, double cpm, int32_t seconds = 30) {
  static std::map<std::string, size_t> numbers;
  Campaign c = AudioCampaign(id, cpm, seconds);
  c.cat = {Numbered("IAB", 100 + numbers.try_emplace(id, numbers.size()).first->second)};
  return c;
}

Campaign House(const std::string& id, const std::string& brand, int32_t seconds = 30) {
  Campaign c = Ad(id, 1, seconds);
  c.line = Line::kHouse;
  c.creatives[0].brand = brand;
  return c;
}

RequestPtr PodOf(int32_t seconds) {
  TestRequest request;
  request.request.user.id = "ann";
  request.audio.poddur = seconds;
  return request.Done();
}

/// As many imps as there are seconds; 0: one ad of any length, else a pod.
RequestPtr Imps(const std::vector<int32_t>& seconds) {
  TestRequest request;
  request.request.user.id = "ann";
  const RequestPtr done = request.Done();
  std::vector<Imp> imps;
  for (size_t i = 0; i < seconds.size(); ++i) {
    Imp& imp = imps.emplace_back(request.imp);
    imp.id = request.made.arena->Copy(Text(std::to_string(i + 1)));
    if (seconds[i] > 0) request.audio.poddur = seconds[i];
    imp.audio = request.made.arena->New(request.audio);
    request.audio.poddur.reset();
  }
  request.request.imps = request.made.arena->Copy(List<Imp>(imps));
  return done;
}

std::string Played(const Decision& d) {
  std::string text;
  for (const Bid& bid : d.bids) text += (text.empty() ? "" : " ") + bid.creative->id;
  return text;
}

TestEngine EngineWith(std::vector<Campaign> campaigns, std::vector<BrandCaps> brands,
                      EngineOptions options = {}) {
  TestEngine engine({}, std::move(options));
  auto catalog = Catalog::Build(std::move(campaigns), std::move(brands));
  INFO(catalog.status().ToString());
  REQUIRE(catalog.ok());
  REQUIRE(engine->SwapCatalog(*std::move(catalog)).ok());
  return engine;
}

int64_t Held(const TestEngine& engine) {
  const FrequencyCaps::Counts counts = engine->GetStats().caps;
  return counts.reserved - counts.released - counts.counted;
}

TEST_CASE("two ads of one brand do not share a pod when the brand may be heard once") {
  const std::vector<BrandCaps> brands = {{.brand = "News", .caps = {kOnce}}};
  SECTION("another takes the second one's time") {
    const TestEngine engine = EngineWith(
        {Ad("a", 5), House("h1", "News"), House("h2", "news"), House("h3", "Weather", 20)}, brands);
    const auto answer = engine->Decide(PodOf(90), {.explain = true});
    CHECK(Played(answer.value) == "a-1 h1-1 h3-1");
    for (int b = 0; b < 3; ++b) CHECK(answer.value.bids[static_cast<size_t>(b)].sequence == b + 1);
    const std::string chain = engine->Explain(answer);
    INFO(chain);
    const std::string why = "(h2): the last place under a frequency cap was taken meanwhile";
    const size_t said = chain.find(why);
    REQUIRE(said != std::string::npos);
    CHECK(chain.find(why, said + 1) == std::string::npos);
    CHECK(Held(engine) == 1);
  }
  SECTION("however many there are of the brand") {
    std::vector<Campaign> campaigns = {House("w", "Weather", 20)};
    for (uint64_t i = 1; i < 10; ++i) campaigns.push_back(House(Numbered("h", i), "News", 10));
    const TestEngine engine = EngineWith(std::move(campaigns), brands);
    CHECK(Played(engine.Decide(PodOf(30))) == "h1-1 w-1");
    CHECK(Held(engine) == 1);
  }
  SECTION("without another it stays empty") {
    const TestEngine engine = EngineWith({House("h1", "News"), House("h2", "News")}, brands);
    CHECK(Played(engine.Decide(PodOf(60))) == "h1-1");
    CHECK(Held(engine) == 1);
    CHECK(engine.Decide(PodOf(60)).nbr == Nbr::kFrequencyCapped);
  }
  SECTION("nor do two imps that are none of a pod's") {
    const TestEngine engine = EngineWith({Ad("a", 5), Ad("b", 4)}, {{"a", {kOnce}}});
    CHECK(Played(engine.Decide(Imps({0, 0, 0}))) == "a-1 b-1 b-1");
    CHECK(Held(engine) == 1);
  }
}

TEST_CASE("when a creative is refused, another one of its campaign still has its turn") {
  Campaign c = Ad("a", 5);
  c.creatives.push_back(AudioAd("a-2"));
  c.creatives[0].caps = {kOnce};
  const bool second_price = GENERATE(false, true);
  EngineOptions options;
  if (second_price) options.auction.pricing = AuctionPricing::kSecondPrice;
  const TestEngine engine = EngineWith({c, Ad("b", 4)}, {}, std::move(options));
  CHECK(Played(engine.Decide(Imps({0, 0}))) == "a-1 a-2");
}

TEST_CASE("a decision that is not sent holds no place of its pod") {
  EngineOptions options;
  class Veto final : public Agent {
   public:
    Veto() : Agent({.name = "veto", .must_run = true}) {}
    absl::Status Run(Context& ctx) override {
      return ctx[decision_].bids.empty() ? absl::OkStatus() : absl::InternalError("as asked");
    }

   private:
    In<Decision> decision_{this, kDecision};
  };
  options.customize = [](AdRuntime::Builder& builder) { builder.Add<Veto>(); };
  const TestEngine engine =
      EngineWith({House("h1", "News"), House("h2", "Weather")},
                 {{.brand = "News", .caps = {kOnce}}, {.brand = "Weather", .caps = {kOnce}}},
                 std::move(options));
  CHECK(engine.Decide(PodOf(60)).bids.empty());
  CHECK(Held(engine) == 0);
}

/// Refuses some candidates always, and some claims by chance.
class Moody final : public internal::Claims {
 public:
  std::set<uint32_t> refused;
  double chance = 0;
  Random random{1};
  std::map<uint32_t, uint32_t> held;  // candidate by bid

  internal::Refusal Take(uint32_t candidate, uint32_t bid, Micros price) override {
    CHECK(price.value > 0);
    CHECK(held.count(bid) == 0);
    if (refused.count(candidate) != 0 || random.Uniform() < chance) {
      return {&reasons::kCapTaken, Nbr::kFrequencyCapped};
    }
    held[bid] = candidate;
    return {};
  }
  internal::Refusal Look(uint32_t candidate, Micros) override {
    if (refused.count(candidate) == 0 || blind) return {};
    return {&reasons::kCapTaken, Nbr::kFrequencyCapped};
  }
  bool blind = false;  // only taking tells
  void Undo(uint32_t bid) override { CHECK(held.erase(bid) == 1); }
};

/// All that an auction works on, made without an engine.
struct Table {
  std::unique_ptr<Snapshot<Catalog>> catalog;
  Candidates candidates;
  Scores scores;
  Prices prices;

  Table(const Request& request, std::vector<Campaign> campaigns)
      : catalog(std::make_unique<Snapshot<Catalog>>(MakeCatalog(std::move(campaigns)))) {
    const KillSwitches switches(16);
    const CurrencyRates rates;
    candidates.catalog = catalog->Pin();
    internal::Matcher().Run(request, switches, absl::Now(), {}, &rates, &candidates, nullptr);
    internal::PriceAll(request, candidates, scores, {}, rates, &prices,
                       [](const ReasonCode&, uint64_t, Micros, Micros) {});
  }
  static std::vector<Campaign> Make(Random& random) {
    std::vector<Campaign> campaigns;
    const uint64_t n = 1 + random.Below(24);
    for (uint64_t i = 0; i < n; ++i) {
      Campaign c = Ad(Numbered("c", i), static_cast<double>(1 + random.Below(9)),
                      static_cast<int32_t>(5 * (1 + random.Below(6))));
      if (random.Below(3) == 0) c.creatives.push_back(AudioAd(c.id + "-2", 10));
      if (random.Below(5) == 0) c.line = Line::kHouse;
      campaigns.push_back(std::move(c));
    }
    return campaigns;
  }
};

/// Refuses each candidate for a reason of its own; kNone: grants.
class Refusing final : public internal::Claims {
 public:
  explicit Refusing(std::vector<Nbr> nbrs) : nbrs_(std::move(nbrs)) {}
  internal::Refusal Take(uint32_t candidate, uint32_t, Micros) override {
    if (nbrs_[candidate] == Nbr::kNone) return {};
    return {&reasons::kLedgerRefused, nbrs_[candidate]};
  }
  internal::Refusal Look(uint32_t candidate, Micros price) override {
    return Take(candidate, 0, price);
  }
  void Undo(uint32_t) override {}

 private:
  std::vector<Nbr> nbrs_;
};

TEST_CASE("of several reasons for no bid, the answer is that of the ad that was nearest to one") {
  // From the farthest from a bid to the nearest.
  const std::vector<Nbr> order = {Nbr::kBlockedByRequest, Nbr::kFrequencyCapped,
                                  Nbr::kBudgetExhausted, Nbr::kTechnicalError};
  const bool pod = GENERATE(false, true);
  const AuctionPricing pricing = GENERATE(AuctionPricing::kFirstPrice, AuctionPricing::kSecondPrice,
                                          AuctionPricing::kGeneralizedSecondPrice);
  for (size_t a = 0; a < order.size(); ++a) {
    for (size_t b = 0; b < order.size(); ++b) {
      TestRequest test;
      test.request.bcat = test.List_<Text>({"IAB7"});
      if (pod) test.audio.poddur = 60;
      const RequestPtr request = test.Done();
      std::vector<Campaign> campaigns = {Ad("first", 5), Ad("second", 4)};
      std::vector<Nbr> refusals = {order[a], order[b]};
      for (size_t i = 0; i < refusals.size(); ++i) {
        if (refusals[i] != Nbr::kBlockedByRequest) continue;
        campaigns[i].cat = {"IAB7"};
        refusals[i] = Nbr::kNone;
      }
      const Table table(*request, std::move(campaigns));
      REQUIRE(table.candidates.items.size() == 2);
      Refusing claims(refusals);
      AuctionOptions options;
      options.pricing = pricing;
      Decision decision;
      std::vector<uint32_t> winners;
      internal::Auctioneer(options).Run(*request, table.candidates, table.scores, table.prices,
                                        &decision, &winners, {.claims = &claims});
      INFO(NbrText(order[a]) << " and " << NbrText(order[b]));
      CHECK(decision.bids.empty());
      CHECK(decision.nbr == order[std::max(a, b)]);
    }
  }
}

TEST_CASE("a cap that was reached before is outranked by a budget, and outranks a block") {
  TestRequest test;
  test.request.bcat = test.List_<Text>({"IAB7"});
  const RequestPtr request = test.Done();
  Campaign other = Ad("other", 4);
  const bool blocked = GENERATE(false, true);
  if (blocked) other.cat = {"IAB7"};
  const Table table(*request, {Ad("capped", 5), other});
  CapVerdicts caps;
  caps.state = {CapState::kCapped, CapState::kFree};
  Refusing claims({Nbr::kNone, Nbr::kBudgetExhausted});
  Decision decision;
  std::vector<uint32_t> winners;
  internal::Auctioneer(AuctionOptions())
      .Run(*request, table.candidates, table.scores, table.prices, &decision, &winners,
           {.caps = &caps, .claims = &claims});
  CHECK(decision.nbr == (blocked ? Nbr::kFrequencyCapped : Nbr::kBudgetExhausted));
}

TEST_CASE("what is refused is as if it were not there, and only what is sold is held") {
  Random random(7);
  for (int round = 0; round < 400; ++round) {
    std::vector<int32_t> imps(1 + random.Below(3));
    for (int32_t& seconds : imps) {
      seconds = random.Below(4) == 0 ? 0 : static_cast<int32_t>(15 * (1 + random.Below(8)));
    }
    const RequestPtr request = Imps(imps);
    const Table table(*request, Table::Make(random));
    AuctionOptions options;
    options.pricing = AuctionPricing::kGeneralizedSecondPrice;
    internal::Auctioneer auctioneer(options);
    Moody moody;
    CapVerdicts caps;
    caps.state.resize(table.candidates.items.size(), CapState::kFree);
    for (uint32_t k = 0; k < caps.state.size(); ++k) {
      if (random.Below(3) != 0) continue;
      moody.refused.insert(k);
      caps.state[k] = CapState::kCapped;
    }
    Decision sold, without;
    std::vector<uint32_t> winners, others;
    std::multiset<std::pair<uint32_t, std::string_view>> said;
    const auto note = [&](uint32_t subject, const ReasonCode& code, double, double) {
      said.emplace(subject, code.name);
    };
    const internal::Because because = note;
    auctioneer.Run(*request, table.candidates, table.scores, table.prices, &sold, &winners,
                   {.because = &because, .claims = &moody});
    auctioneer.Run(*request, table.candidates, table.scores, table.prices, &without, &others,
                   {.caps = &caps});
    INFO(round);
    REQUIRE(winners == others);
    REQUIRE(moody.held.size() == winners.size());
    for (uint32_t b = 0; b < winners.size(); ++b) {
      CHECK(moody.held[b] == winners[b]);
      CHECK(sold.bids[b].price == without.bids[b].price);
      CHECK(sold.bids[b].sequence == without.bids[b].sequence);
    }
    for (const auto& what : said) CHECK(said.count(what) == 1);
    // Where only taking tells, and by chance: less may be sold, but never without its claim, and
    // none is left over.
    moody.held.clear();
    moody.chance = 0.3;
    moody.blind = true;
    Decision some;
    auctioneer.Run(*request, table.candidates, table.scores, table.prices, &some, &winners,
                   {.claims = &moody});
    REQUIRE(some.bids.size() == winners.size());
    REQUIRE(moody.held.size() == winners.size());
    for (uint32_t b = 0; b < winners.size(); ++b) {
      CHECK(moody.held[b] == winners[b]);
      CHECK(moody.refused.count(winners[b]) == 0);
    }
  }
}

}  // namespace
}  // namespace adagents::ads::test
