// Which campaign wins, and what it pays: the team as a whole, without threads.
#include "adagents/ads/reasons.h"
#include "ads/engine_kit.h"

namespace adagents::ads::test {
namespace {

TEST_CASE("the campaign that is worth most wins a first-price auction and pays what it is worth") {
  const TestEngine engine({AudioCampaign("low", 2), AudioCampaign("high", 5)});
  const Decision d = engine.Decide(TestRequest().Done());
  REQUIRE(d.bids.size() == 1);
  CHECK(d.bids[0].campaign->id == "high");
  CHECK(d.bids[0].creative->id == "high-1");
  CHECK(d.bids[0].price == Units(5));
  CHECK(d.bids[0].mtype == MarkupType::kAudio);
  CHECK(d.bids[0].dur == 30);
  CHECK(d.bids[0].cur.code() == "USD");
  CHECK(d.nbr == Nbr::kNone);
  CHECK(d.id != 0);
}

TEST_CASE("a second-price auction charges a cent more than the next campaign is worth") {
  Campaign high = AudioCampaign("high", 5);
  high.creatives.push_back(AudioAd("high-2"));  // its own second creative sets no price
  const TestEngine engine({AudioCampaign("low", 2), high});
  TestRequest request;
  request.request.at = 2;
  SECTION("with a runner-up") {
    const Decision d = engine.Decide(request.Done());
    CHECK(Winner(d) == "high");
    CHECK(d.bids[0].price == Units(2.01));
    CHECK(d.bids[0].value == Units(5));
  }
  SECTION("with a floor above the runner-up") {
    request.imp.bidfloor = Units(3);
    CHECK(engine.Decide(request.Done()).bids[0].price == Units(3));
  }
  SECTION("where the runner-up is blocked") {
    request.request.badv = request.List_<Text>({"low.example"});
    CHECK(engine.Decide(request.Done()).bids[0].price == Units(0.01));
  }
}

TEST_CASE("behind an exchange that reduces prices itself the value is bid") {
  EngineOptions options;
  options.auction.pricing = AuctionPricing::kFirstPrice;
  const TestEngine engine({AudioCampaign("low", 2), AudioCampaign("high", 5)}, std::move(options));
  TestRequest request;
  request.request.at = 2;
  CHECK(engine.Decide(request.Done()).bids[0].price == Units(5));
}

TEST_CASE("equals are decided by catalog rank, not by the order in which campaigns were given") {
  std::vector<Campaign> campaigns = {AudioCampaign("b", 3), AudioCampaign("a", 3)};
  CHECK(Winner(TestEngine(campaigns).Decide(TestRequest().Done())) == "a");
  std::swap(campaigns[0], campaigns[1]);
  CHECK(Winner(TestEngine(campaigns).Decide(TestRequest().Done())) == "a");
}

TEST_CASE("a higher priority goes before a higher price") {
  Campaign urgent = AudioCampaign("urgent", 2);
  urgent.priority = 5;
  CHECK(Winner(TestEngine({AudioCampaign("rich", 9), urgent}).Decide(TestRequest().Done())) ==
        "urgent");
}

TEST_CASE("a guaranteed line goes before the open auction, and a house ad after it") {
  Campaign promised = AudioCampaign("promised", 1), house = AudioCampaign("house", 50);
  promised.line = Line::kGuaranteed;
  house.line = Line::kHouse;
  house.priority = 100;
  const Campaign open = AudioCampaign("open", 9);
  TestRequest request;
  request.request.at = 2;
  SECTION("whatever they are worth") {
    const TestEngine engine({open, house, promised});
    const Decision d = engine.Decide(request.Done());
    CHECK(Winner(d) == "promised");
    CHECK(d.bids[0].price == Units(1));
  }
  SECTION("a house ad sets no price") {
    const TestEngine engine({open, house});
    const Decision d = engine.Decide(request.Done());
    CHECK(Winner(d) == "open");
    CHECK(d.bids[0].price == Units(0.01));
  }
  SECTION("and is charged the floor when nobody buys, also in a first-price auction") {
    request.request.at = GENERATE(1, 2);
    request.imp.bidfloor = Units(10);
    const TestEngine engine({open, house});
    const Decision d = engine.Decide(request.Done());
    CHECK(Winner(d) == "house");
    CHECK(d.bids[0].price == Units(10));
  }
  SECTION("a house ad keeps the open auction's candidates within the limit") {
    EngineOptions options;
    options.availability.max_candidates = 1;
    CHECK(Winner(TestEngine({open, house}, std::move(options)).Decide(request.Done())) == "open");
  }
}

TEST_CASE("deals and guaranteed lines go by priority, and a guarantee before a private deal") {
  Campaign promised = AudioCampaign("promised", 1), dealer = AudioCampaign("dealer", 5);
  promised.line = Line::kGuaranteed;
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  Deal deal;
  deal.id = "d1";
  const auto winner = [&] {
    TestRequest request;
    request.imp.deals = request.List_<Deal>({deal});
    return Winner(TestEngine({promised, dealer}).Decide(request.Done()));
  };
  CHECK(winner() == "promised");
  promised.priority = dealer.priority = 3;
  CHECK(winner() == "promised");
  deal.guar = true;  // then value decides
  CHECK(winner() == "dealer");
  promised.priority = 4;
  CHECK(winner() == "promised");
  deal.guar = false;
  dealer.priority = 5;
  CHECK(winner() == "dealer");
}

TEST_CASE(
    "a host's own rule of prices goes before what the request says, agreed prices before it") {
  Campaign dealer = AudioCampaign("dealer", 3);
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  const auto price = [&](AuctionPricing pricing, int32_t at, Int deal_at) {
    EngineOptions options;
    options.auction.pricing = pricing;
    const TestEngine engine({AudioCampaign("low", 2), AudioCampaign("high", 5), dealer},
                            std::move(options));
    TestRequest request;
    request.request.at = at;
    Deal deal;
    deal.id = "d1";
    deal.bidfloor = Units(1.5);
    deal.at = deal_at;
    if (deal_at) request.imp.deals = request.List_<Deal>({deal});
    return engine.Decide(request.Done()).bids[0].price;
  };
  using enum AuctionPricing;
  CHECK(price(kAsRequested, 1, {}) == Units(5));
  CHECK(price(kAsRequested, 2, {}) == Units(2.01));
  CHECK(price(kAsRequested, 501, {}) == Units(2.01));
  CHECK(price(kSecondPrice, 1, {}) == Units(2.01));
  CHECK(price(kGeneralizedSecondPrice, 1, {}) == Units(2.01));
  CHECK(price(kFirstPrice, 2, {}) == Units(5));
  CHECK(price(kFirstPrice, 2, 3) == Units(1.5));
  CHECK(price(kSecondPrice, 2, 3) == Units(1.5));
  CHECK(price(kAsRequested, 2, 1) == Units(3));
}

TEST_CASE("below the floor there is no bid") {
  const TestEngine engine({AudioCampaign("a", 2)});
  TestRequest request;
  request.imp.bidfloor = Units(2.01);
  SECTION("and the no-bid code says so") {
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kBelowFloor);
  }
  SECTION("but at the floor there is") {
    request.imp.bidfloor = Units(2);
    CHECK(Winner(engine.Decide(request.Done())) == "a");
  }
  SECTION("unless a floor for its duration replaces it") {
    request.audio.durfloors = request.List_<DurFloor>({{15, 60, Units(1)}});
    CHECK(Winner(engine.Decide(request.Done())) == "a");
  }
  SECTION("and mincpmpersec raises it with the duration") {
    request.imp.bidfloor = Units(0);
    request.audio.mincpmpersec = Units(0.07);  // 2.10 for 30 s
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kBelowFloor);
  }
}

TEST_CASE("amounts are converted at the host's rates, and without a rate there is no bid") {
  const Currency eur = *Currency::Parse("EUR");
  EngineOptions options;
  options.rates = {{eur, 0.5}};  // a dollar buys half a euro
  const TestEngine engine({AudioCampaign("a", 2)}, std::move(options));
  TestRequest request;
  SECTION("the bid comes in the currency that the request allows") {
    request.request.cur = request.List_<Currency>({eur});
    const Decision d = engine.Decide(request.Done());
    REQUIRE(Winner(d) == "a");
    CHECK(d.bids[0].cur == eur);
    CHECK(d.bids[0].price == Units(1));
  }
  SECTION("the floor may be in another one") {
    request.imp.bidfloorcur = eur;
    request.imp.bidfloor = Units(1.01);  // 2.02 dollars
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kBelowFloor);
  }
  SECTION("so may that of a deal, and of a duration, each rounded up once") {
    request.request.at = 2;
    request.imp.bidfloorcur = eur;
    request.audio.durfloors = request.List_<DurFloor>({{15, 60, Micros{500'001}}});
    CHECK(engine.Decide(request.Done()).bids[0].price == Micros{1'000'002});
    request.audio.durfloors = {};
    request.audio.mincpmpersec = Micros{10'000};  // 0.30 euros for 30 s, 0.60 dollars
    CHECK(engine.Decide(request.Done()).bids[0].price == Units(0.6));
  }
  SECTION("a currency without a rate is refused") {
    request.request.cur = request.List_<Currency>({*Currency::Parse("JPY")});
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kUnsupportedCurrency);
  }
  SECTION("so is a floor without one") {
    request.imp.bidfloorcur = *Currency::Parse("JPY");
    request.imp.bidfloor = Units(1);
    CHECK(engine.Decide(request.Done()).nbr == Nbr::kUnsupportedCurrency);
  }
}

TEST_CASE("deals go before the open auction, at their own floor and price") {
  Campaign dealer = AudioCampaign("dealer", 3);
  dealer.targeting.Include(Attribute::kDeal, {"d1"});
  const TestEngine engine({AudioCampaign("rich", 9), dealer});
  TestRequest request;
  request.imp.bidfloor = Units(5);  // of the open auction, not of the deal
  Deal deal;
  deal.id = "d1";
  deal.bidfloor = Units(2);
  SECTION("first price") {
    request.imp.deals = request.List_<Deal>({deal});
    const Decision d = engine.Decide(request.Done());
    REQUIRE(Winner(d) == "dealer");
    CHECK(d.bids[0].deal == 0);
    CHECK(d.bids[0].price == Units(3));
  }
  SECTION("an agreed price") {
    deal.at = 3;
    request.imp.deals = request.List_<Deal>({deal});
    CHECK(engine.Decide(request.Done()).bids[0].price == Units(2));
  }
  SECTION("that invites other seats is none for it") {
    deal.wseat = request.List_<Text>({"other"});
    request.imp.deals = request.List_<Deal>({deal});
    CHECK(Winner(engine.Decide(request.Done())) == "rich");
  }
  SECTION("that the campaign is not worth is none for it either") {
    deal.bidfloor = Units(4);
    request.imp.deals = request.List_<Deal>({deal});
    CHECK(Winner(engine.Decide(request.Done())) == "rich");
  }
  SECTION("in a private auction nobody else may bid") {
    deal.id = "d2";
    request.imp.deals = request.List_<Deal>({deal});
    request.imp.private_auction = true;
    CHECK(engine.Decide(request.Done()).bids.empty());
  }
}

TEST_CASE("what a request blocks is not shown") {
  Campaign cars = AudioCampaign("cars", 5);
  cars.cat = {"IAB2-3"};
  cars.adomain = {"shop.cars.example"};
  cars.seat = "seat-1";
  cars.creatives[0].click_through = "https://play.example/store/apps/details?id=com.cars.app&x=1";
  cars.creatives[0].attr = {6};
  const TestEngine engine({cars});
  TestRequest request;
  const auto nbr = [&] { return engine.Decide(request.Done()).nbr; };
  SECTION("a category") {
    request.request.bcat = request.List_<Text>({"IAB2-3"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("the category above it") {
    request.request.bcat = request.List_<Text>({"IAB2"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("an advertiser's domain") {
    request.request.badv = request.List_<Text>({"SHOP.cars.example"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("the domain above it") {
    request.request.badv = request.List_<Text>({"cars.example"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("an app") {
    request.request.bapp = request.List_<Text>({"com.cars.app"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("a seat") {
    request.request.bseat = request.List_<Text>({"seat-1"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("all seats but some") {
    request.request.wseat = request.List_<Text>({"seat-2"});
    CHECK(nbr() == Nbr::kBlockedByRequest);
  }
  SECTION("a creative attribute") {
    request.audio.battr = request.List_<int32_t>({6});
    CHECK(nbr() == Nbr::kUnsupportedImp);
  }
}

TEST_CASE("what only looks like a blocked thing is shown") {
  Campaign cars = AudioCampaign("cars", 5);
  cars.cat = {"IAB20"};
  cars.adomain = {"mycars.example"};
  cars.creatives[0].click_through = "https://play.example/details?id=com.cars.app.pro";
  TestRequest request;
  request.request.bcat = request.List_<Text>({"IAB2"});
  request.request.badv = request.List_<Text>({"cars.example"});
  request.request.bapp = request.List_<Text>({"com.cars.app"});
  CHECK(Winner(TestEngine({cars}).Decide(request.Done())) == "cars");
}

TEST_CASE("a creative that the imp does not take is not shown") {
  const TestEngine engine({AudioCampaign("a", 5, 30)});
  TestRequest request;
  const auto nbr = [&] { return engine.Decide(request.Done()).nbr; };
  SECTION("too long") {
    request.audio.maxduration = 15;
    CHECK(nbr() == Nbr::kUnsupportedImp);
  }
  SECTION("too short") {
    request.audio.minduration = 31;
    CHECK(nbr() == Nbr::kUnsupportedImp);
  }
  SECTION("not one of the required durations") {
    request.audio.rqddurs = request.List_<int32_t>({15, 60});
    CHECK(nbr() == Nbr::kUnsupportedImp);
  }
  SECTION("another media type") {
    request.audio.mimes = request.List_<Text>({"audio/ogg"});
    CHECK(nbr() == Nbr::kUnsupportedImp);
  }
}

TEST_CASE("a campaign that pays per action is worth its rate, and never more than its limit") {
  Campaign completion = AudioCampaign("listens", 20);
  completion.bid.action = Action::kCompletion;
  completion.bid.value_per_action = Units(0.01);
  SECTION("value times predicted rate times a thousand") {
    const TestEngine engine({completion});
    const Decision d = engine.Decide(TestRequest().Done());
    REQUIRE(Winner(d) == "listens");
    CHECK(d.bids[0].value.units() == Approx(8.0).epsilon(0.01));  // the prior: four in five
  }
  SECTION("at most max_cpm") {
    completion.bid.max_cpm = Units(6);
    CHECK(TestEngine({completion}).Decide(TestRequest().Done()).bids[0].value == Units(6));
  }
}

}  // namespace
}  // namespace adagents::ads::test
