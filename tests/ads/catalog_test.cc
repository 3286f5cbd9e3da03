#include "adagents/ads/catalog.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::ads {
namespace {

Campaign Valid(std::string id) {
  Campaign c;
  c.id = std::move(id);
  c.advertiser = "Acme";
  c.adomain = {"www.Acme.example"};
  c.cat = {"IAB2-3"};
  c.budget.daily = {5'000'000};
  c.bid.max_cpm = {2'000'000};
  Creative creative;
  creative.id = "k1";
  creative.format = MarkupType::kAudio;
  creative.duration_ms = 30'000;
  creative.media_url = "https://cdn.acme.example/k1.mp3";
  creative.mimes = {"Audio/MPEG"};
  creative.attr = {1, 13};
  creative.language = "en-US";
  c.creatives = {creative};
  return c;
}

std::string FaultsOf(std::vector<Campaign> campaigns) {
  const auto built = Catalog::Build(std::move(campaigns));
  return built.ok() ? "" : std::string(Message(built.status()));
}

TEST_CASE("Guaranteed lines rank before all others and house lines after them, whatever they pay") {
  std::vector<Campaign> in = {Valid("house"), Valid("open"), Valid("promised")};
  in[0].line = Line::kHouse;
  in[0].bid.max_cpm = {90'000'000};
  in[0].priority = 100;
  in[2].line = Line::kGuaranteed;
  in[2].priority = -100;
  const auto catalog = Catalog::Build(in);
  REQUIRE(catalog.ok());
  std::vector<std::string> order;
  for (uint32_t i = 0; i < 3; ++i) order.push_back((*catalog)->campaign(i).id);
  CHECK(order == std::vector<std::string>{"promised", "open", "house"});
  in[0].line = Line::kOpen;
  CHECK((*Catalog::Build(in))->fingerprint() != (*catalog)->fingerprint());
}

TEST_CASE("Tiers of lines, deals and priorities never overlap") {
  for (const int priority : {-100, -1, 0, 1, 100}) {
    const int16_t open = TierOf(Line::kOpen, priority), house = TierOf(Line::kHouse, priority);
    const int16_t promised = TierOf(Line::kGuaranteed, priority);
    CHECK((IsHouse(house) && !IsHouse(open) && !IsReserved(open) && IsReserved(promised)));
    CHECK(TierWithDeal(house, true) == house);
    CHECK(TierWithDeal(promised, false) == promised);
    CHECK(TierWithDeal(open, true) == promised);
    CHECK(TierWithDeal(open, false) == promised - 1);
    CHECK(TierWithDeal(TierOf(Line::kOpen, priority + 1), false) > promised);
  }
  CHECK(TierOf(Line::kGuaranteed, -100) > TierOf(Line::kOpen, 100));
  CHECK(TierOf(Line::kOpen, -100) > TierOf(Line::kHouse, 100));
}

TEST_CASE("Campaigns are ranked by priority, then by price, then by id") {
  std::vector<Campaign> in = {Valid("b"), Valid("a"), Valid("rich"), Valid("first")};
  in[2].bid.max_cpm = {9'000'000};
  in[3].priority = 1;
  const auto catalog = Catalog::Build(in);
  REQUIRE(catalog.ok());
  std::vector<std::string> order;
  for (uint32_t i = 0; i < (*catalog)->index_end(); ++i) {
    order.push_back((*catalog)->campaign(i).id);
  }
  CHECK(order == std::vector<std::string>{"first", "rich", "a", "b"});
  CHECK((*catalog)->Find("rich") == 1u);
  CHECK((*catalog)->FindKey(StableHash64("b")) == 3u);
  CHECK(!(*catalog)->Find("absent"));
}

TEST_CASE("Facts repeat what deciding needs of the texts") {
  Campaign c = Valid("c");
  c.start = absl::FromUnixSeconds(1000);
  c.end = absl::FromUnixSeconds(2000);
  c.targeting.Include(Attribute::kGenre, {" Jazz", "jazz", "Blues"});
  const auto built = Catalog::Build({c});
  REQUIRE(built.ok());
  const Catalog& catalog = **built;
  const CampaignFacts& f = catalog.facts(0);
  CHECK(f.key == StableHash64("c"));
  CHECK(!f.InFlight(999));
  CHECK(f.InFlight(1000));
  CHECK(!f.InFlight(2000));
  REQUIRE(catalog.creative_facts(0).size() == 1);
  const CreativeFacts& k = catalog.creative_facts(0)[0];
  CHECK(k.attr_bits == ((uint64_t{1} << 1) | (uint64_t{1} << 13)));
  CHECK(k.mime_bits == Catalog::MimeBit("audio/mp3; rate=44100"));
  CHECK(k.language == PackLanguage("EN"));
  CHECK(&catalog.creative(k) == &catalog.campaign(0).creatives[0]);
  REQUIRE(catalog.adomain_keys(0).size() == 1);
  CHECK(catalog.adomain_keys(0)[0] == StableHash64("acme.example"));
  REQUIRE(catalog.cat_keys(0).size() == 2);
  CHECK(catalog.cat_keys(0)[0] == StableHash64("iab2-3"));
  CHECK(catalog.cat_keys(0)[1] == StableHash64("iab2"));
  REQUIRE(catalog.campaign(0).targeting.conditions.size() == 1);
  CHECK(catalog.campaign(0).targeting.conditions[0].values ==
        std::vector<std::string>{"blues", "jazz"});
}

TEST_CASE("Flights without an end never end") {
  const auto built = Catalog::Build({Valid("c")});
  REQUIRE(built.ok());
  CHECK((*built)->facts(0).InFlight(-4'000'000'000));
  CHECK((*built)->facts(0).InFlight(4'000'000'000));
}

TEST_CASE("All faults are listed, each with its place") {
  std::vector<Campaign> in = {Valid("a"), Valid("a"), Valid("c")};
  in[1].bid.max_cpm = {-2'000'000};
  in[1].creatives.push_back(in[1].creatives[0]);
  in[2].creatives[0].duration_ms = 0;
  in[2].budget = {};
  in[2].end = in[2].start = absl::UnixEpoch();
  in[2].targeting.Include(Attribute::kOs, {"iPhone"});
  in[2].targeting.Exclude(Attribute::kOs, {"ios"});
  in[2].targeting.Include(Attribute::kAge, {"30"});
  CHECK(FaultsOf(in) ==
        "campaigns[1].bid.max_cpm: must be > 0, got -2\n"
        "campaigns[1].creatives[1].id: \"k1\" repeats the id of creatives[0]\n"
        "campaigns[2].budget: must have daily or lifetime, above 0\n"
        "campaigns[2].flight.end: must be after flight.start\n"
        "campaigns[2].targeting.age.include[0]: must be one of 13-17, 18-24, 25-34, 35-44, 45-54, "
        "55-64, 65+, got \"30\"\n"
        "campaigns[2].targeting.os: \"ios\" is both included and excluded\n"
        "campaigns[2].creatives[0].duration_ms: must be given for audio and video, in "
        "milliseconds\n"
        "campaigns[1].id: \"a\" repeats the id of campaigns[0]");
}

TEST_CASE("Fields that would break a response are refused") {
  const auto with = [](auto change) {
    Campaign c = Valid("c");
    change(&c);
    return FaultsOf({c});
  };
  CHECK(with([](Campaign* c) { c->id = ""; }) == "campaigns[0].id: must not be empty");
  CHECK(with([](Campaign* c) { c->id = std::string(129, 'x'); }) ==
        "campaigns[0].id: must have at most 128 bytes, has 129");
  CHECK(with([](Campaign* c) { c->adomain = {"not a domain"}; }) ==
        "campaigns[0].adomain[0]: must be a domain such as \"example.com\", got \"not a domain\"");
  CHECK(with([](Campaign* c) { c->creatives[0].media_url = "/relative"; }) ==
        "campaigns[0].creatives[0].media_url: must be an absolute URL such as "
        "\"https://example.com/ad\", got \"/relative\"");
  CHECK(with([](Campaign* c) { c->creatives[0].attr = {64}; }) ==
        "campaigns[0].creatives[0].attr[0]: must be from 1 to 63, got 64");
  CHECK(with([](Campaign* c) { c->creatives[0].w = -1; }) ==
        "campaigns[0].creatives[0].w: must be from 0 to 32767, got -1");
  CHECK(with([](Campaign* c) { c->creatives.clear(); }) ==
        "campaigns[0].creatives: must have at least one creative");
  CHECK(with([](Campaign* c) { c->bid.action = Action::kClick; }) ==
        "campaigns[0].bid.value_per_action: must be > 0, got 0");
  CHECK(with([](Campaign* c) {
          c->targeting.Include(Attribute::kMake, {std::string(300, 'y')});
        }).starts_with("campaigns[0].targeting.make.include[0]: must have from 1 to 255 bytes"));
}

TEST_CASE("The list of faults has an end") {
  std::vector<Campaign> in;
  for (int i = 0; i < 500; ++i) {
    in.push_back(Valid(std::to_string(i)));
    in.back().advertiser.clear();
  }
  const std::string faults = FaultsOf(in);
  CHECK(std::count(faults.begin(), faults.end(), '\n') == 100);
  CHECK(faults.ends_with("\nand 400 more"));
}

TEST_CASE("Equal contents have equal fingerprints in any order, others differ") {
  const auto a = Catalog::Build({Valid("a"), Valid("b")});
  const auto b = Catalog::Build({Valid("b"), Valid("a")});
  Campaign changed = Valid("b");
  changed.creatives[0].tone = "calm";
  const auto c = Catalog::Build({Valid("a"), changed});
  REQUIRE((a.ok() && b.ok() && c.ok()));
  CHECK((*a)->fingerprint() == (*b)->fingerprint());
  CHECK((*a)->fingerprint() != (*c)->fingerprint());
}

TEST_CASE("An empty catalog serves") {
  const auto empty = Catalog::Build({});
  REQUIRE(empty.ok());
  CHECK((*empty)->size() == 0);
  Request r;
  TargetingQuery query;
  std::vector<uint32_t> found;
  (*empty)->targeting().Read(r, absl::UnixEpoch(), &query);
  CHECK((*empty)->targeting().Match(query, &found) == 0);
}

TEST_CASE("The generator makes the same valid catalog for the same seed") {
  const auto a = GenerateCatalog({.campaigns = 2'000, .seed = 9});
  const auto b = GenerateCatalog({.campaigns = 2'000, .seed = 9});
  const auto c = GenerateCatalog({.campaigns = 2'000, .seed = 10});
  REQUIRE((a != nullptr && b != nullptr && c != nullptr));
  CHECK(a->size() == 2'000);
  CHECK(a->fingerprint() == b->fingerprint());
  CHECK(a->fingerprint() != c->fingerprint());
}

TEST_CASE("Generated campaigns are half open, some exclude, and all formats occur") {
  const std::vector<Campaign> campaigns = GenerateCampaigns({.campaigns = 4'000, .seed = 2});
  size_t no_genre = 0, excludes = 0, conditions = 0;
  std::vector<size_t> formats(5);
  for (const Campaign& c : campaigns) {
    bool genre = false;
    for (const Condition& condition : c.targeting.conditions) {
      ++conditions;
      excludes += condition.exclude;
      genre |= condition.attribute == Attribute::kGenre;
    }
    no_genre += !genre;
    ++formats[static_cast<size_t>(c.creatives[0].format)];
  }
  CHECK(static_cast<double>(no_genre) / 4'000 == Approx(0.55).margin(0.03));
  CHECK(static_cast<double>(excludes) / static_cast<double>(conditions) ==
        Approx(0.125).margin(0.02));
  for (size_t f = 1; f <= 4; ++f) CHECK(formats[f] > 300);
}

TEST_CASE("a creative is secure when all that it makes a player fetch is https") {
  Creative c;
  c.media_url = "https://cdn.example/a.mp3";
  c.click_through = "http://example.com/";
  c.companions.push_back({300, 250, "image/png", "HTTPS://cdn.example/a.png", "http://x.example"});
  CHECK(IsSecure(c));
  Creative http = c;
  http.media_url = "http://cdn.example/a.mp3";
  CHECK_FALSE(IsSecure(http));
  http = c;
  http.companions.push_back({320, 50, "image/png", "http://cdn.example/b.png", ""});
  CHECK_FALSE(IsSecure(http));
  const auto with_markup = [&](std::string_view markup) {
    Creative banner = c;
    banner.markup = markup;
    return IsSecure(banner);
  };
  CHECK(with_markup("<img src='//cdn.example/a.png'><a href='https://x.example'>"));
  CHECK(with_markup("<svg xmlns='http://www.w3.org/2000/svg'><image href='https://x.example'/>"));
  CHECK(with_markup("<img src='https://x.example/?to=http%3A%2F%2Fy.example'>"));
  CHECK_FALSE(with_markup("<img src='http://cdn.example/a.png'>"));
  CHECK_FALSE(with_markup("<img src='HTTP://cdn.example/a.png'>"));
  CHECK_FALSE(with_markup(R"(<script>new Image().src = "http:\/\/t.example\/1"</script>)"));
  CHECK_FALSE(with_markup("<svg xmlns='http://www.w3.org/2000/svg'><image href='http://x'/>"));
  CHECK_FALSE(with_markup("<img src='http:"));
}

TEST_CASE("the facts of a creative say whether it is secure, after changes and rebuilds too") {
  Campaign first = Valid("a");
  first.creatives[0].media_url = "http://cdn.example/a.mp3";
  auto catalog = Catalog::Build({first});
  REQUIRE(catalog.ok());
  CHECK_FALSE((*catalog)->creative_facts(0)[0].secure);
  first.creatives[0].media_url = "https://cdn.example/a.mp3";
  auto changed = (*catalog)->With({.put = {first}, .remove = {}});
  REQUIRE(changed.ok());
  const auto secure = [](const Catalog& c, std::string_view id) {
    return c.creative_facts(*c.Find(id))[0].secure;
  };
  CHECK(secure(**changed, first.id));
  CHECK(secure(*(*changed)->Rebuilt(), first.id));
}

}  // namespace
}  // namespace adagents::ads
