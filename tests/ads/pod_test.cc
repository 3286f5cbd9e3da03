// Which ads fill a pod, in which order, at which price, and what the losers are told.
#include <algorithm>
#include <map>
#include <set>

#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "ads/engine_kit.h"

namespace adagents::ads::test {
namespace {

std::string Numbered(std::string prefix, uint64_t number) {
  prefix += std::to_string(number);
  return prefix;
}

/// In a category of its own.
Campaign Ad(const std::string& id, double cpm, int32_t seconds = 30) {
  static std::map<std::string, uint64_t> numbers;
  Campaign c = AudioCampaign(id, cpm, seconds);
  c.cat = {Numbered("IAB", 100 + numbers.try_emplace(id, numbers.size()).first->second)};
  return c;
}

Campaign House(const std::string& id, int32_t seconds) {
  Campaign c = Ad(id, 1, seconds);
  c.line = Line::kHouse;
  c.advertiser = "the station";
  c.adomain = {"station.example"};
  c.cat = {"IAB1"};
  return c;
}

/// A pod of `seconds` that one imp fills, or of several imps with one slot each.
struct PodRequest : TestRequest {
  explicit PodRequest(int32_t seconds) { audio.poddur = seconds; }
  explicit PodRequest(std::vector<int32_t> slots) : slotinpod(std::move(slots)) {
    audio.podid = "p";
  }
  RequestPtr Done() {
    const RequestPtr done = TestRequest::Done();
    if (slotinpod.empty()) return done;
    std::vector<Imp> imps;
    for (size_t i = 0; i < slotinpod.size(); ++i) {
      audio.slotinpod = slotinpod[i];
      Imp& next = imps.emplace_back(imp);
      next.id = made.arena->Copy(Text(std::to_string(i + 1)));
      next.audio = made.arena->New(audio);
    }
    request.imps = made.arena->Copy(List<Imp>(imps));
    return done;
  }
  std::vector<int32_t> slotinpod;
};

/// "a c b": who plays, in order.
std::string Played(const Decision& d) {
  std::string text;
  for (size_t i = 0; i < d.bids.size(); ++i) {
    text += (text.empty() ? "" : " ") + d.bids[i].campaign->id;
    REQUIRE(d.bids[i].sequence == static_cast<int>(i) + 1);
  }
  return text;
}

std::vector<double> PricesOf(const Decision& d) {
  std::vector<double> prices;
  for (const Bid& bid : d.bids) prices.push_back(bid.price.units());
  return prices;
}

/// The loss codes of an explained decision, by campaign.
std::map<std::string, std::set<int>> Losses(const TestEngine& engine, const RequestPtr& request) {
  std::map<std::string, std::set<int>> losses;
  const auto answer = engine->Decide(request, {.explain = true});
  REQUIRE(answer.trace != nullptr);
  const CatalogPin catalog = engine->PinCatalog();
  for (const auto& entry : answer.trace->reasons) {
    const auto index = catalog->FindKey(entry.reason.subject);
    if (!index || entry.reason.code->number == 0) continue;
    losses[catalog->campaign(*index).id].insert(entry.reason.code->number);
  }
  return losses;
}

TEST_CASE("a dynamic pod is filled with the ads that are worth most together") {
  const TestEngine engine({Ad("a", 5, 30), Ad("b", 4, 60), Ad("c", 3, 15), Ad("d", 2, 15)});
  SECTION("as many as fit") {
    CHECK(Played(engine.Decide(PodRequest(60).Done())) == "a c d");  // 10, not 4 or 5 + 3
  }
  SECTION("not the one that is worth most alone") {
    CHECK(Played(engine.Decide(PodRequest(30).Done())) == "a");  // 5 = 3 + 2: better rank first
    CHECK(Played(TestEngine({Ad("a", 5, 30), Ad("c", 3, 15), Ad("d", 2.5, 15)})
                     .Decide(PodRequest(30).Done())) == "c d");
  }
  SECTION("no more than it takes") {
    PodRequest request(60);
    request.audio.maxseq = 2;
    CHECK(Played(engine.Decide(request.Done())) == "a c");
    request.audio.maxseq = 1;
    CHECK(Played(engine.Decide(request.Done())) == "a");
  }
  SECTION("only of the durations that it asks for") {
    PodRequest request(60);
    request.audio.rqddurs = request.List_<int32_t>({15, 60});
    CHECK(Played(engine.Decide(request.Done())) == "c d");
  }
  SECTION("at no less than its seconds cost") {
    PodRequest request(60);
    request.audio.mincpmpersec = Units(0.15);  // 4.50, 9.00, 2.25, 2.25
    CHECK(Played(engine.Decide(request.Done())) == "a c");
  }
}

TEST_CASE("deals and guaranteed lines come into a pod before others, house ads after them") {
  Campaign promised = Ad("promised", 1, 30), dealer = Ad("dealer", 2, 30);
  promised.line = Line::kGuaranteed;
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  PodRequest request(90);
  Deal deal;
  deal.id = "d1";
  request.imp.deals = request.List_<Deal>({deal});
  const TestEngine engine({Ad("a", 9, 30), Ad("b", 8, 30), promised, dealer, House("h", 30)});
  CHECK(Played(engine.Decide(request.Done())) == "promised dealer a");
}

TEST_CASE("what nobody buys is filled with house ads, as well as their lengths allow") {
  std::vector<Campaign> campaigns = {Ad("a", 5, 30), House("h10", 10), House("h20", 20),
                                     House("h25", 25), House("h40", 40)};
  campaigns[4].priority = 9;
  const TestEngine engine(campaigns);
  SECTION("to the second") {
    const Decision d = engine.Decide(PodRequest(60).Done());
    CHECK(Played(d) == "a h10 h20");  // 30 = 10 + 20, though h25 would leave less room for others
  }
  SECTION("of one brand and category, which does not matter among house ads") {
    CHECK(Played(engine.Decide(PodRequest(85).Done())) == "a h10 h20 h25");
  }
  SECTION("each creative once; what stays empty is said") {
    const auto answer = engine->Decide(PodRequest(200).Done(), {.explain = true});
    CHECK(Played(answer.value) == "a h40 h10 h20 h25");
    CHECK(engine->Explain(answer).find("nothing fills 75 s of its 200 s") != std::string::npos);
  }
  SECTION("and they neither set prices nor keep payers out") {
    PodRequest request(60);
    request.request.at = 2;
    CHECK(PricesOf(engine.Decide(request.Done())) == std::vector<double>{0.01, 0.01, 0.01});
  }
}

TEST_CASE("no brand and no advertiser domain plays twice in a pod") {
  Campaign a = Ad("a", 5), b = Ad("b", 4), c = Ad("c", 3);
  SECTION("whichever campaigns they are in") {
    b.brand = "Fizz";
    a.creatives[0].brand = " FIZZ ";
    CHECK(Played(TestEngine({a, b, c}).Decide(PodRequest(90).Done())) == "a c");
  }
  SECTION("by domain") {
    b.adomain = {"other.example", "a.example"};
    CHECK(Played(TestEngine({a, b, c}).Decide(PodRequest(90).Done())) == "a c");
  }
  SECTION("unless the pod is worth more with the others") {
    a.adomain = {"b.example", "c.example"};
    CHECK(Played(TestEngine({a, b, c}).Decide(PodRequest(90).Done())) == "b c");
  }
  SECTION("and outside of pods it does not matter") {
    b.adomain = a.adomain;
    PodRequest request(std::vector<int32_t>{0, 0});
    request.audio.podid = {};
    const TestEngine engine({a, b});
    const Decision d = engine.Decide(request.Done());
    CHECK((d.bids.size() == 2 && d.bids[1].campaign->id == "a" && d.bids[1].sequence == 0));
  }
}

TEST_CASE("competitors do not share a pod") {
  Campaign a = Ad("a", 5), b = Ad("b", 4), c = Ad("c", 3);
  a.cat = {"IAB2-1"};
  b.cat = {"IAB2-3"};
  c.cat = {"IAB20"};
  EngineOptions options;
  SECTION("of one category of IAB's first tier") {
    CHECK(Played(TestEngine({a, b, c}).Decide(PodRequest(90).Done())) == "a c");
  }
  SECTION("or of one of the host's groups") {
    options.auction.competitors = {{"IAB2-1", "IAB20"}, {"IAB7"}};
    CHECK(Played(TestEngine({a, b, c}, std::move(options)).Decide(PodRequest(90).Done())) == "a b");
  }
  SECTION("unless that is switched off") {
    options.auction.separate_competitors = false;
    CHECK(Played(TestEngine({a, b, c}, std::move(options)).Decide(PodRequest(90).Done())) ==
          "a b c");
  }
}

TEST_CASE("a video pod may ask for more separation, or for none") {
  const auto video = [](const std::string& id, double cpm, const std::string& url) {
    Campaign c = Ad(id, cpm);
    c.creatives[0].format = MarkupType::kVideo;
    c.creatives[0].mimes = {"video/mp4"};
    c.creatives[0].media_url = url;
    return c;
  };
  Campaign a = video("a", 5, "https://cdn.example/same.mp4");
  Campaign b = video("b", 4, "https://cdn.example/same.mp4");
  Campaign c = video("c", 3, "https://cdn.example/c.mp4");
  c.creatives[0].id = a.creatives[0].id;
  c.cat = b.cat;
  EngineOptions options;
  options.auction.separate_competitors = false;
  const TestEngine engine({a, b, c}, std::move(options));
  const auto played = [&](std::initializer_list<int32_t> poddedupe) {
    TestRequest request;
    Video v;
    v.poddur = 90;
    v.mimes = request.List_<Text>({"video/mp4"});
    v.poddedupe = request.List_<int32_t>(poddedupe);
    const RequestPtr done = request.Done();
    Imp imp = request.imp;
    imp.audio = nullptr;
    imp.video = request.made.arena->New(v);
    request.request.imps = request.List_<Imp>({imp});
    return Played(engine.Decide(done));
  };
  CHECK(played({}) == "a b c");
  CHECK(played({2}) == "a b");     // category
  CHECK(played({3}) == "a b");     // creative id
  CHECK(played({4}) == "a c");     // media file
  CHECK(played({3, 4}) == "b c");  // 4 + 3 is more than 5
}

TEST_CASE("slots of a pod are sold for the highest total and play in their order") {
  const TestEngine engine({Ad("a", 5), Ad("b", 4), Ad("c", 3), Ad("d", 2)});
  const auto imps = [](const Decision& d) {
    std::string text;
    for (const Bid& bid : d.bids) text += std::to_string(bid.imp + 1);
    return text;
  };
  SECTION("last, first or last, first, any") {
    const Decision d = engine.Decide(PodRequest({-1, 2, 1, 0}).Done());
    CHECK(imps(d) == "3421");  // 2 is not first any more, and nothing is later than -1
    CHECK(d.bids[0].slotinpod == 1);
    CHECK(d.bids[2].slotinpod == 2);
    CHECK(d.bids[3].slotinpod == -1);
  }
  SECTION("first or last is first when that is free") {
    CHECK(imps(engine.Decide(PodRequest({0, 2, 0}).Done())) == "213");
  }
  SECTION("no campaign twice") {
    const Decision d = engine.Decide(PodRequest({0, 0, 0}).Done());
    CHECK(Played(d) == "a b c");
    CHECK(imps(d) == "123");
  }
  SECTION("a slot that nobody can fill stays empty, which is said") {
    const TestEngine one({Ad("a", 5)});
    const auto answer = one->Decide(PodRequest({0, 0}).Done(), {.explain = true});
    CHECK(answer.value.bids.size() == 1);
    CHECK(one->Explain(answer).find("imp #1: this slot of the pod stays empty") !=
          std::string::npos);
  }
}

TEST_CASE("a slot that only one ad may take is not given to another that has a choice") {
  Campaign any = Ad("any", 5, 30), only = Ad("only", 4, 60);
  PodRequest request({1, 0});
  const RequestPtr done = request.Done();
  // The first slot takes up to a minute, the second half of it.
  std::vector<Imp> imps(request.request.imps.begin(), request.request.imps.end());
  Audio shorter = *imps[1].audio;
  shorter.maxduration = 30;
  imps[1].audio = request.made.arena->New(shorter);
  request.request.imps = request.made.arena->Copy(List<Imp>(imps));
  CHECK(Played(TestEngine({any, only}).Decide(done)) == "only any");
}

TEST_CASE("a hybrid pod has slots and a stretch of time, and nobody plays in both") {
  PodRequest request({1, 0});
  const RequestPtr done = request.Done();
  std::vector<Imp> imps(request.request.imps.begin(), request.request.imps.end());
  Audio dynamic = *imps[1].audio;
  dynamic.poddur = 60;
  imps[1].audio = request.made.arena->New(dynamic);
  request.request.imps = request.made.arena->Copy(List<Imp>(imps));
  const TestEngine engine({Ad("a", 5), Ad("b", 4), Ad("c", 3), Ad("d", 2)});
  const Decision d = engine.Decide(done);
  CHECK(Played(d) == "a b c");
  CHECK(d.bids[0].slotinpod == 1);
  CHECK(d.bids[1].slotinpod == 0);
}

TEST_CASE("in a pod winners pay by the rule of the auction") {
  const auto prices = [](AuctionPricing pricing, double floor) {
    EngineOptions options;
    options.auction.pricing = pricing;
    const TestEngine engine({Ad("a", 9), Ad("b", 6), Ad("c", 4), Ad("d", 2)}, std::move(options));
    PodRequest request(90);
    request.imp.bidfloor = Units(floor);
    return PricesOf(engine.Decide(request.Done()));
  };
  using enum AuctionPricing;
  using V = std::vector<double>;
  CHECK(prices(kFirstPrice, 0) == V{9, 6, 4});
  CHECK(prices(kSecondPrice, 0) == V{2.01, 2.01, 2.01});  // the best that is left out
  CHECK(prices(kGeneralizedSecondPrice, 0) == V{6.01, 4.01, 2.01});
  CHECK(prices(kSecondPrice, 3) == V{3, 3, 3});
  CHECK(prices(kGeneralizedSecondPrice, 5) == V{6.01, 5});
}

TEST_CASE("an ad of a pod pays for the combination that it keeps out") {
  EngineOptions options;
  options.auction.pricing = AuctionPricing::kSecondPrice;
  // Without the minute there would be 4 + 3; without either short one the other and nothing else.
  const TestEngine engine({Ad("minute", 9, 60), Ad("x", 4, 30), Ad("y", 3, 30)},
                          std::move(options));
  const Decision d = engine.Decide(PodRequest(60).Done());
  CHECK(Played(d) == "minute");
  CHECK(d.bids[0].price == Units(7.01));
}

TEST_CASE("prices of pods lie between floor and value, and ads with less would not have played") {
  Random random(5);
  for (int round = 0; round < 150; ++round) {
    INFO("round " << round);
    std::vector<Campaign> campaigns;
    const size_t n = 3 + random.Below(10);
    for (size_t i = 0; i < n; ++i) {
      constexpr int32_t kSeconds[] = {15, 20, 30, 45, 60};
      const double cpm = static_cast<double>(100 + random.Below(900)) / 100;
      campaigns.push_back(Ad(Numbered("c", i), cpm, kSeconds[random.Below(5)]));
      if (random.Chance(0.3)) campaigns.back().cat = {Numbered("IAB", random.Below(3))};
    }
    const double floor = static_cast<double>(random.Below(200)) / 100;
    const int32_t seconds = static_cast<int32_t>(30 + random.Below(120));
    const auto decide = [&](const std::vector<Campaign>& some, AuctionPricing pricing) {
      EngineOptions options;
      options.auction.pricing = pricing;
      PodRequest request(seconds);
      request.imp.bidfloor = Units(floor);
      const TestEngine engine(some, std::move(options));
      std::map<std::string, std::pair<Micros, Micros>> prices;
      for (const Bid& b : engine.Decide(request.Done()).bids) {
        prices[b.campaign->id] = {b.price, b.value};
      }
      return prices;
    };
    const auto second = decide(campaigns, AuctionPricing::kSecondPrice);
    const auto gsp = decide(campaigns, AuctionPricing::kGeneralizedSecondPrice);
    REQUIRE(second.size() == gsp.size());
    for (const auto& [id, paid] : second) {
      REQUIRE(paid.first >= Units(floor));
      REQUIRE(paid.first <= paid.second);
      REQUIRE(gsp.at(id).first >= paid.first);
      REQUIRE(gsp.at(id).first <= paid.second);
      // Two cents less than its price, and it is out; the price itself, and it is in.
      for (const int cents : {-2, 0}) {
        std::vector<Campaign> changed = campaigns;
        for (Campaign& c : changed) {
          if (c.id == id) c.bid.max_cpm = {paid.first.value + cents * 10'000};
        }
        if (cents < 0 && paid.first <= Units(std::max(floor, 0.02)))
          continue;  // for want of rivals
        const bool in = decide(changed, AuctionPricing::kSecondPrice).contains(id);
        REQUIRE(in == (cents == 0));
      }
    }
  }
}

TEST_CASE("every loser of a pod learns why, with OpenRTB's loss code") {
  Campaign brand = Ad("brand", 4, 15), rival = Ad("rival", 3, 15), long_one = Ad("long", 2, 60);
  brand.adomain = {"a.example"};
  Campaign a = Ad("a", 9, 30);
  a.creatives.push_back(AudioAd("a-2", 30));
  rival.cat = a.cat;
  Campaign blocked = Ad("blocked", 9, 15), cheap = Ad("cheap", 0.5, 15), dealer = Ad("dealer", 1);
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  const TestEngine engine({a, brand, rival, long_one, Ad("late", 1, 30), Ad("b", 6, 30), blocked,
                           cheap, dealer, House("house", 60)});
  PodRequest request(60);
  request.imp.bidfloor = Units(0.75);
  request.request.badv = request.List_<Text>({"blocked.example"});
  Deal deal;
  deal.id = "d1";
  deal.bidfloor = Units(2);
  request.imp.deals = request.List_<Deal>({deal});
  const RequestPtr done = request.Done();
  CHECK(Played(engine.Decide(done)) == "a b");
  auto losses = Losses(engine, done);
  using S = std::set<int>;
  CHECK(losses["a"] == S{205});  // its second creative
  CHECK(losses["brand"] == S{205});
  CHECK(losses["rival"] == S{209});
  CHECK(losses["long"] == S{102});
  CHECK(losses["late"] == S{102});
  CHECK(losses["house"] == S{102});
  CHECK(losses["blocked"] == S{205});
  CHECK(losses["cheap"] == S{100});
  CHECK(losses["dealer"] == S{101});
  CHECK(engine->WhyNot(done, "rival").find("(loss 209)") != std::string::npos);
}

TEST_CASE("every loser of a single imp learns why, with OpenRTB's loss code") {
  Campaign dealer = Ad("dealer", 3), urgent = Ad("urgent", 3);
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  urgent.priority = 5;
  TestRequest request;
  auto losses = Losses(TestEngine({Ad("a", 9), urgent, House("house", 30)}), request.Done());
  CHECK(losses["a"] == std::set<int>{102});
  CHECK(losses["house"] == std::set<int>{102});
  Deal deal;
  deal.id = "d1";
  request.imp.deals = request.List_<Deal>({deal});
  losses = Losses(TestEngine({Ad("a", 9), urgent, dealer}), request.Done());
  CHECK(losses["a"] == std::set<int>{103});
  CHECK(losses["urgent"] == std::set<int>{103});
}

TEST_CASE("a pod of very many candidates is filled to its end, equally each time") {
  std::vector<Campaign> campaigns;
  Random random(6);
  for (uint64_t i = 0; i < 800; ++i) {
    constexpr int32_t kSeconds[] = {15, 20, 30, 60};
    campaigns.push_back(Ad(Numbered("c", i), 1 + static_cast<double>(random.Below(800)) / 100,
                           kSeconds[random.Below(4)]));
    campaigns.back().cat = {Numbered("IAB", 1 + random.Below(40))};
  }
  const TestEngine engine(campaigns);
  PodRequest request(180);
  const RequestPtr done = request.Done();
  const auto answer = engine->Decide(done, {.explain = true});
  int32_t seconds = 0;
  std::set<std::string> categories;
  for (const Bid& bid : answer.value.bids) {
    seconds += bid.dur;
    CHECK(categories.insert(bid.campaign->cat[0]).second);
  }
  CHECK(seconds == 180);
  CHECK(engine->Explain(answer).find("candidates were combined") != std::string::npos);
  CHECK(Played(TestEngine(campaigns).Decide(done)) == Played(answer.value));
}

TEST_CASE("with one category for all but a few, the others are still found") {
  std::vector<Campaign> campaigns;
  for (uint64_t i = 0; i < 300; ++i) {
    campaigns.push_back(Ad(Numbered("car", i), 9));
    campaigns.back().cat = {"IAB2"};
  }
  campaigns.push_back(Ad("soap", 1));
  campaigns.push_back(Ad("bread", 2));
  CHECK(Played(TestEngine(campaigns).Decide(PodRequest(90).Done())) == "car0 bread soap");
}

TEST_CASE("who was left out of the combination is still the next in line") {
  for (const auto pricing :
       {AuctionPricing::kSecondPrice, AuctionPricing::kGeneralizedSecondPrice}) {
    for (const uint64_t top : {50, 63, 64, 70, 200}) {
      std::vector<Campaign> campaigns;
      for (uint64_t i = 0; i < top; ++i) {
        Campaign& c = campaigns.emplace_back(Ad(Numbered("top", i), 10));
        c.cat = {"IAB1"};
      }
      for (uint64_t i = 0; i < 8; ++i) campaigns.push_back(Ad(Numbered("other", i), 5));
      EngineOptions options;
      options.auction.pricing = pricing;
      TestEngine e(std::move(campaigns), std::move(options));
      PodRequest request(60);
      request.request.at = 2;
      request.audio.maxseq = 2;
      const Decision d = e.engine->Decide(request.Done()).value;
      INFO(top << " of one category: " << Played(d));
      REQUIRE(d.bids.size() == 2);
      const Bid& other = d.bids[0].value.units() < 7 ? d.bids[0] : d.bids[1];
      CHECK(other.value.units() == Approx(5));
      CHECK(other.price.units() == Approx(5).margin(0.02));
    }
  }
}

TEST_CASE("a pod whose best combination is not found within the limit is filled, and says so") {
  // All lengths even, the pod's odd, and every second worth the same: no bound ever says that the
  // best is found (Chvatal: "Hard knapsack problems", 1980).
  std::vector<Campaign> campaigns;
  Random random(8);
  for (uint64_t i = 0; i < 64; ++i) {
    const auto seconds = static_cast<int32_t>(2 * (10 + random.Below(20)));
    campaigns.push_back(Ad(Numbered("c", i), seconds, seconds));
  }
  const TestEngine engine(campaigns);
  PodRequest pod(307);
  const RequestPtr request = pod.Done();
  const auto answer = engine->Decide(request, {.explain = true});
  CHECK(engine->Explain(answer).find("ended at its limit of 4096 steps") != std::string::npos);
  int32_t seconds = 0;
  for (const Bid& bid : answer.value.bids) seconds += bid.dur;
  CHECK(seconds <= 307);
  CHECK(seconds >= 300);  // of 306 at best, in time and in value
  CHECK(Played(TestEngine(campaigns).Decide(request)) == Played(answer.value));
}

}  // namespace
}  // namespace adagents::ads::test
