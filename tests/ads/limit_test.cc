// The limit on candidates: what it must not change, and what it says about what it left out. And
// catalogs that change while decisions are made.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/base/random.h"
#include "engine_kit.h"

namespace adagents::ads::test {
namespace {

/// What the auction goes by, for the candidates of the first imp that may bid.
struct Offer {
  int16_t tier = 0;
  Micros value{};
  std::string campaign;
};

int16_t Tier(const Campaign& c, bool deal) {
  const int16_t tier = TierOf(c.line, c.priority);
  return deal ? TierWithDeal(tier, /*guaranteed=*/false) : tier;
}

/// Keeps what was known about the last decision.
struct Seen {
  std::vector<LeftOut> left_out;
  size_t candidates = 0;
  std::vector<Offer> offers;
};
constexpr StateKey<Seen> kSeen{"limit_test_seen"};
class Watch final : public Agent {
  In<Candidates> candidates_{this, kCandidates};
  In<Prices> prices_{this, kPrices};
  State<Seen> seen_{this, kSeen};

 public:
  Watch() : Agent({.name = "watch"}) {}
  absl::Status Run(Context& ctx) override {
    const Candidates& candidates = ctx[candidates_];
    const Prices& prices = ctx[prices_];
    *seen_ = Seen();
    for (const ImpRange& range : candidates.imps) seen_->left_out.push_back(range.left_out);
    seen_->candidates = candidates.items.size();
    for (size_t i = 0; i < prices.value.size(); ++i) {
      if (prices.value[i].value <= 0 || prices.value[i] < prices.floor[i]) continue;
      const Candidate& c = candidates.items[i];
      const Campaign& campaign = candidates.catalog->campaign(c.campaign);
      seen_->offers.push_back({Tier(campaign, c.deal >= 0), prices.value[i], campaign.id});
    }
    return absl::OkStatus();
  }
};

/// The best offer of a campaign that is not `winner`.
std::optional<Offer> RunnerUp(const Seen& seen, std::string_view winner) {
  std::optional<Offer> best;
  for (const Offer& o : seen.offers) {
    const auto order = [](const Offer& x) { return std::tuple(x.tier, x.value); };
    if (o.campaign != winner && (!best || order(*best) < order(o))) best = o;
  }
  return best;
}

std::string Numbered(std::string prefix, int number) {
  prefix += std::to_string(number);
  return prefix;
}

struct Limited {
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  TestEngine engine;
  Limited(std::vector<Campaign> campaigns, size_t most, bool stop_when_certain = false,
          AuctionPricing pricing = AuctionPricing::kAsRequested)
      : engine(std::move(campaigns), With(most, stop_when_certain, pricing)) {}
  EngineOptions With(size_t most, bool stop_when_certain, AuctionPricing pricing) const {
    EngineOptions options;
    options.auction.pricing = pricing;
    options.availability.max_candidates = most;
    options.availability.stop_when_certain = stop_when_certain;
    options.rates = {{*Currency::Parse("EUR"), 0.9}, {*Currency::Parse("JPY"), 150.0}};
    options.customize = [seen = seen](AdRuntime::Builder& builder) {
      builder.ShareObject(kSeen, seen).Add<Watch>();
    };
    return options;
  }
};

/// Generated ones with several currencies, more priorities and more deals, seldom the same twice.
std::vector<Campaign> Mixed(uint64_t seed, bool currencies) {
  Random random(seed);
  std::vector<Campaign> campaigns =
      GenerateCampaigns({.campaigns = 400, .seed = seed, .open = 0.92});
  for (Campaign& c : campaigns) {
    if (random.Chance(0.2)) c.priority = static_cast<int32_t>(random.Below(3)) - 1;
    if (random.Chance(0.1)) c.line = random.Chance(0.2) ? Line::kGuaranteed : Line::kHouse;
    if (random.Chance(0.05)) {
      c.targeting.Include(Attribute::kDeal, {random.Chance(0.5) ? "deal-0" : "deal-1"});
    }
    if (!currencies) continue;
    const double u = random.Uniform();
    const double factor = u < 0.3 ? 0.9 : u < 0.6 ? 150.0 : 1.0;
    c.currency = *Currency::Parse(u < 0.3 ? "EUR" : u < 0.6 ? "JPY" : "USD");
    const auto scale = [&](Micros* m) {
      m->value = static_cast<int64_t>(static_cast<double>(m->value) * factor);
    };
    scale(&c.bid.max_cpm);
    scale(&c.bid.value_per_action);
  }
  return campaigns;
}

RequestPtr WithDeals(const RequestPtr& like, Random& random) {
  NewRequest made = MakeRequest();
  *made.request = *like;  // texts stay in the arena of `like`, which outlives it
  Imp imp = like->imps[0];
  made.request->at = random.Chance(0.5) ? 1 : 2;
  if (random.Chance(0.3)) {
    Deal deal;
    deal.id = "deal-0";
    imp.deals = made.arena->Copy<Deal>({deal});
    imp.private_auction = random.Chance(0.2);
  }
  made.request->imps = made.arena->Copy({imp});
  return made.ptr;
}

void CompareWithAll(uint64_t seed, bool currencies) {
  INFO("seed " << seed);
  const std::vector<Campaign> campaigns = Mixed(seed, currencies);
  const Limited all(campaigns, 1'000'000);
  int certain = 0, cut = 0, same_price = 0, decisions = 0;
  for (const size_t most : {size_t{1}, size_t{4}, size_t{30}, size_t{2'000}}) {
    INFO("at most " << most);
    const Limited limited(campaigns, most);
    Random random(seed);
    for (int i = 0; i < 150; ++i) {
      const RequestPtr generated = GenerateRequest(random);
      const RequestPtr request = WithDeals(generated, random);
      const Decision wanted = all.engine.Decide(request);
      const Decision got = limited.engine.Decide(request);
      REQUIRE(limited.seen->candidates <= most);
      REQUIRE_FALSE(all.seen->left_out[0].any);
      const LeftOut& left = limited.seen->left_out[0];
      REQUIRE((left.any || all.seen->candidates == limited.seen->candidates));
      ++decisions;
      if (!left.any) {
        REQUIRE(Winner(got) == Winner(wanted));
        if (!got.bids.empty()) REQUIRE(got.bids[0].price == wanted.bids[0].price);
        continue;
      }
      ++cut;
      if (got.bids.empty()) continue;
      const Bid& bid = got.bids[0];
      if (!left.CannotBeat(Tier(*bid.campaign, bid.deal >= 0), bid.value)) continue;
      ++certain;
      REQUIRE(Winner(got) == Winner(wanted));
      REQUIRE(got.bids[0].creative->id == wanted.bids[0].creative->id);
      const std::optional<Offer> next = RunnerUp(*limited.seen, bid.campaign->id);
      if (request->at == 1 || (next && left.CannotBeat(next->tier, next->value))) {
        ++same_price;
        REQUIRE(bid.price == wanted.bids[0].price);
      }
    }
  }
  INFO(decisions << " decisions, " << cut << " cut, " << certain << " certain, " << same_price);
  CHECK(cut > 100);
  CHECK(certain > cut / 10);
  CHECK(same_price > cut / 20);
}

TEST_CASE("A winner that nothing left out can beat is the one that all candidates would have had") {
  for (const uint64_t seed : {201u, 202u}) CompareWithAll(seed, /*currencies=*/false);
}

TEST_CASE("The same with campaigns that pay in several currencies") {
  for (const uint64_t seed : {211u, 212u}) CompareWithAll(seed, /*currencies=*/true);
}

TEST_CASE("Stopping when the rest cannot win changes neither winners nor prices") {
  size_t fewer = 0, decisions = 0, bids = 0;
  for (const uint64_t seed : {221u, 222u, 223u}) {
    INFO("seed " << seed);
    const std::vector<Campaign> campaigns = Mixed(seed, /*currencies=*/seed == 223);
    const AuctionPricing pricing =
        seed == 222 ? AuctionPricing::kSecondPrice : AuctionPricing::kAsRequested;
    const Limited all(campaigns, 1'000'000, /*stop_when_certain=*/false, pricing);
    const Limited stopping(campaigns, 1'000'000, /*stop_when_certain=*/true, pricing);
    Random random(seed);
    for (int i = 0; i < 300; ++i) {
      const RequestPtr generated = GenerateRequest(random);
      RequestPtr request = WithDeals(generated, random);
      if (random.Chance(0.3)) {  // block what the first candidates are
        NewRequest made = MakeRequest();
        *made.request = *request;
        const Campaign& blocked = campaigns[random.Below(campaigns.size())];
        made.request->bcat = made.arena->Copy<Text>({Text(blocked.cat[0])});
        const Decision free = all.engine.Decide(request);
        if (!free.bids.empty()) {
          made.request->badv =
              made.arena->Copy<Text>({made.arena->Copy(free.bids[0].campaign->adomain[0])});
        }
        made.request->imps = made.arena->Copy({request->imps[0]});
        const Decision wanted = all.engine.Decide(made.ptr);
        const Decision got = stopping.engine.Decide(made.ptr);
        REQUIRE(Winner(got) == Winner(wanted));
        if (!got.bids.empty()) REQUIRE(got.bids[0].price == wanted.bids[0].price);
      }
      const Decision wanted = all.engine.Decide(request);
      const Decision got = stopping.engine.Decide(request);
      REQUIRE(Winner(got) == Winner(wanted));
      ++decisions;
      fewer += stopping.seen->candidates < all.seen->candidates ? 1 : 0;
      if (got.bids.empty()) continue;
      ++bids;
      REQUIRE(got.bids[0].price == wanted.bids[0].price);
      REQUIRE(got.bids[0].creative->id == wanted.bids[0].creative->id);
    }
  }
  INFO(decisions << " decisions, " << bids << " bids, " << fewer << " stopped");
  CHECK(bids > decisions / 2);
  CHECK(fewer > decisions / 5);
}

TEST_CASE("A limit keeps the dearest in the request's currency, not in their own") {
  Campaign yen = AudioCampaign("yen", 300);  // 2 USD
  yen.currency = *Currency::Parse("JPY");
  const Campaign dollar = AudioCampaign("dollar", 3);
  const Limited limited({yen, dollar}, 1);
  TestRequest request;
  CHECK(Winner(limited.engine.Decide(request.Done())) == "dollar");
  CHECK(limited.seen->left_out[0].value == Units(2));
}

TEST_CASE("A campaign with a deal is a candidate however many rank before it") {
  std::vector<Campaign> campaigns;
  for (int i = 0; i < 50; ++i) campaigns.push_back(AudioCampaign(Numbered("open", i), 9));
  campaigns.push_back(AudioCampaign("cheap", 1));
  campaigns.back().targeting.Include(Attribute::kDeal, {"d"});
  const Limited limited(campaigns, 3);
  TestRequest request;
  Deal deal;
  deal.id = "d";
  request.imp.deals = request.List_<Deal>({deal});
  CHECK(Winner(limited.engine.Decide(request.Done())) == "cheap");
  const LeftOut& left = limited.seen->left_out[0];
  CHECK((left.any && !left.deals && left.CannotBeat(TierWithDeal(0, false), Units(1))));
}

TEST_CASE("Campaigns that fit the imp are found behind very many that do not") {
  std::vector<Campaign> campaigns;
  for (int i = 0; i < 3'000; ++i) {
    campaigns.push_back(AudioCampaign(Numbered("long", i), 9, /*seconds=*/60));
  }
  campaigns.push_back(AudioCampaign("short", 1, /*seconds=*/15));
  const Limited limited(campaigns, 2);
  TestRequest request;
  request.audio.maxduration = 30;
  CHECK(Winner(limited.engine.Decide(request.Done())) == "short");
  CHECK_FALSE(limited.seen->left_out[0].any);
}

TEST_CASE("A changed campaign bids as changed from the next decision on") {
  const TestEngine engine({AudioCampaign("a", 2), AudioCampaign("b", 1)});
  TestRequest request;
  const RequestPtr r = request.Done();
  CHECK(Winner(engine.Decide(r)) == "a");
  REQUIRE(engine->ChangeCatalog({{AudioCampaign("b", 3)}, {}}).ok());
  CHECK(Winner(engine.Decide(r)) == "b");
  REQUIRE(engine->ChangeCatalog({{AudioCampaign("c", 4)}, {}}).ok());
  const Decision held = engine.Decide(r);
  CHECK(Winner(held) == "c");
  REQUIRE(engine->ChangeCatalog({{}, {"c"}}).ok());
  CHECK(Winner(engine.Decide(r)) == "b");
  CHECK(Winner(held) == "c");  // what it points to is still there
  CHECK(engine->GetStats().campaigns == 2);
  CHECK(engine->GetStats().catalog_changes > 0);
  CHECK(engine->WhyNot(r, "c").find("not in the catalog") != std::string::npos);
  CHECK(engine->WhyNot(r, "a").find("outbid") != std::string::npos);
  REQUIRE(engine->SetCampaignEnabled("b", false).ok());
  CHECK(Winner(engine.Decide(r)) == "a");
  REQUIRE(engine->SetCampaignEnabled("b", true).ok());
  REQUIRE(engine->MergeCatalog().ok());
  CHECK(engine->GetStats().catalog_changes == 0);
  CHECK(Winner(engine.Decide(r)) == "b");
  CHECK_FALSE(engine->ChangeCatalog({{Campaign()}, {}}).ok());
  CHECK(Winner(engine.Decide(r)) == "b");
}

TEST_CASE("Changes and merges at once lose no change and disturb no decision") {
  std::vector<Campaign> first;
  for (int i = 0; i < 300; ++i) first.push_back(AudioCampaign(Numbered("c", i), 1));
  const auto engine = ThreadedEngine(first);
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::thread merger([&] {
    while (!stop.load()) failures += engine->MergeCatalog().ok() ? 0 : 1;
  });
  TestRequest request;
  const RequestPtr r = request.Done();
  for (int i = 0; i < 300; ++i) {
    const double cpm = 2 + i;
    const std::string id = Numbered("c", i * 7 % 300);
    const absl::Status status = engine->ChangeCatalog({{AudioCampaign(id, cpm)}, {}});
    REQUIRE(status.ok());
    const Answer<Decision> answer = engine->Decide(r, {.trusted = true});
    CHECK(Winner(answer.value) == id);
    CHECK(answer.value.bids[0].value == Units(cpm));
  }
  stop.store(true);
  merger.join();
  CHECK(failures.load() == 0);
  REQUIRE(engine->MergeCatalog().ok());
  const CatalogPin catalog = engine->PinCatalog();
  CHECK(catalog->changed() == 0);
  CHECK(catalog->size() == 300);
  for (int i = 0; i < 300; ++i) {
    const auto at = catalog->Find(Numbered("c", i * 7 % 300));
    REQUIRE(at);
    CHECK(catalog->facts(*at).max_cpm == Units(2 + i));
  }
}

}  // namespace
}  // namespace adagents::ads::test
