#include "adagents/ads/targeting.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads {
namespace {

const absl::Time kMonday = absl::FromCivil(absl::CivilHour(2026, 3, 2, 12), absl::UTCTimeZone());

// ---- The meaning of targeting, spelled out slowly, for comparison.

struct Said {
  std::set<std::pair<Attribute, std::string>> values;
  std::vector<Shape> shapes;
  int hour = 0;
  bool private_auction = false;
};

Said Listen(const Request& request, const Imp& imp, absl::Time now) {
  Said said;
  TargetingFacts::ForEachValue(request, now, [&](Attribute a, std::string_view v) {
    said.values.emplace(a, std::string(v));
  });
  TargetingFacts::ForEachDeal(
      imp, [&](std::string_view d) { said.values.emplace(Attribute::kDeal, std::string(d)); });
  TargetingFacts::ForEachShape(imp, [&](const Shape& s) { said.shapes.push_back(s); });
  said.hour = TargetingFacts::HourOfWeek(request, now);
  said.private_auction = imp.private_auction;
  return said;
}

bool Fits(const Creative& c, const Shape& s) {
  if (c.format != s.format) return false;
  if (c.format != MarkupType::kBanner || s.w == 0 || c.w == 0) return true;
  return c.w == s.w && c.h == s.h;
}

bool MatchesSlowly(const Campaign& c, const Said& said) {
  const auto says = [&](const Condition& condition) {
    return std::any_of(condition.values.begin(), condition.values.end(), [&](const std::string& v) {
      return said.values.count({condition.attribute, v}) > 0;
    });
  };
  bool has_deals = false;
  for (const Condition& condition : c.targeting.conditions) {
    if (says(condition) == condition.exclude) return false;
    has_deals |= condition.attribute == Attribute::kDeal && !condition.exclude;
  }
  if (said.private_auction && !has_deals) return false;
  if (c.targeting.hours.any() && !c.targeting.hours[static_cast<size_t>(said.hour)]) return false;
  return std::any_of(c.creatives.begin(), c.creatives.end(), [&](const Creative& creative) {
    return std::any_of(said.shapes.begin(), said.shapes.end(),
                       [&](const Shape& s) { return Fits(creative, s); });
  });
}

// ---- Random catalogs that use everything there is to use, with few values, so that they meet.

Campaign RandomCampaign(Random& random, size_t i) {
  Campaign c;
  c.id = std::to_string(i);
  c.advertiser = "A";
  c.adomain = {"a.example"};
  c.budget.daily = {1'000'000};
  c.bid.max_cpm = {static_cast<int64_t>(1 + random.Below(50)) * 100'000};
  c.priority = static_cast<int32_t>(random.Below(3));
  for (int a = 0; a < kAttributeCount; ++a) {
    for (bool exclude : {false, true}) {
      if (!random.Chance(exclude ? 0.1 : 0.15)) continue;
      std::set<std::string> values;
      static const std::map<Attribute, std::vector<std::string>> kFixed = {
          {Attribute::kCountry, {"USA", "CAN", "DEU"}},
          {Attribute::kRegion, {"on", "usa-ny", "ny", "x-9"}},
          {Attribute::kDeviceType, {"phone", "tablet", "mobile", "pc", "ctv"}},
          {Attribute::kOs, {"ios", "android", "beos"}},
          {Attribute::kChannel, {"app", "site", "dooh"}},
          {Attribute::kCategory, {"iab1", "iab1-2", "iab1-2-3", "iab9"}},
          {Attribute::kLanguage, {"en", "fr"}},
          {Attribute::kDomain, {"x.example", "www2.x.example", "y.example"}},
          {Attribute::kAge, {"13-17", "18-24", "65+"}},
          {Attribute::kGender, {"m", "f"}}};
      const auto fixed = kFixed.find(static_cast<Attribute>(a));
      for (size_t n = 1 + random.Below(3); n > 0; --n) {
        // Odd values are included, even ones excluded: nothing is both.
        const size_t pick = random.Below(4) * 2 + (exclude ? 0 : 1);
        if (fixed == kFixed.end()) {
          values.insert("v" + std::to_string(pick));
        } else if (pick < fixed->second.size()) {
          values.insert(fixed->second[pick]);
        }
      }
      if (values.empty()) continue;
      c.targeting.conditions.push_back(
          {static_cast<Attribute>(a), exclude, {values.begin(), values.end()}});
    }
  }
  if (random.Chance(0.3)) {
    for (size_t h = 0; h < 168; ++h) c.targeting.hours[h] = random.Chance(0.4);
  }
  for (size_t n = 1 + random.Below(2); n > 0; --n) {
    Creative creative;
    creative.id = std::to_string(n);
    creative.title = "T";
    creative.format = static_cast<MarkupType>(1 + random.Below(4));
    creative.duration_ms = 30'000;
    creative.media_url = "https://a.example/m";
    if (random.Chance(0.7)) {
      creative.w = random.Chance(0.5) ? 300 : 728;
      creative.h = 250;
    }
    c.creatives.push_back(creative);
  }
  return c;
}

template <class T>
T OneOf(Random& random, std::initializer_list<T> items) {
  return items.begin()[random.Below(items.size())];
}

RequestPtr RandomRequest(Random& random) {
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  Arena& arena = *made.arena;
  const auto free_value = [&] { return OneOf<Text>(random, {"", "v1", "V3", "v0", "v2", "w"}); };
  r.device.geo.country = OneOf<Text>(random, {"", "USA", "us", "CAN", "DEU", "FRA"});
  r.device.geo.region = OneOf<Text>(random, {"", "NY", "ON", "x-9", "zz"});
  r.device.geo.city = free_value();
  r.device.geo.metro = free_value();
  if (random.Chance(0.5)) r.device.geo.utcoffset = static_cast<int32_t>(random.Below(3000)) - 1200;
  if (random.Chance(0.8)) r.device.devicetype = static_cast<int32_t>(random.Below(10));
  r.device.os = OneOf<Text>(random, {"", "BeOS", "iPhone", "android"});
  r.device.make = free_value();
  r.device.language = OneOf<Text>(random, {"", "en-US", "fr", "de"});
  Channel& c = r.channel;
  c.kind = static_cast<ChannelKind>(random.Below(4));
  c.content.genre = OneOf<Text>(random, {"", "v1", "v3, v0 ,", "v5,v7"});
  c.cat = arena.Copy<Text>({OneOf<Text>(random, {"IAB1-2", "IAB9", "IAB1-2-3", "IAB1", "q"})});
  c.content.cat = arena.Copy<Text>({OneOf<Text>(random, {"IAB1-2", "IAB9", ""})});
  c.content.language = OneOf<Text>(random, {"", "", "en", "FR"});
  c.keywords = OneOf<Text>(random, {"", "v1,v2", "V0 , v3,v3", ",,", "w"});
  r.user.keywords = OneOf<Text>(random, {"", "v5", "v4"});
  c.publisher.id = free_value();
  c.bundle = free_value();
  c.id = "v7";
  c.domain = OneOf<Text>(random, {"", "www.x.example", "www2.x.example", "y.example", "example"});
  c.page = OneOf<Text>(random, {"", "https://a@Y.example:80/p?q", "y.example/x", "//"});
  if (random.Chance(0.5)) r.user.yob = static_cast<int32_t>(1940 + random.Below(90));
  r.user.gender = OneOf<Text>(random, {"", "M", "f", "O"});
  Imp imp;
  imp.id = "1";
  if (random.Chance(0.6)) {
    Banner b;
    Format f;
    f.w = OneOf<int32_t>(random, {300, 728, 0, 1});
    f.h = OneOf<int32_t>(random, {250, 250, 0});
    if (random.Chance(0.7)) b.format = arena.Copy<Format>({f, Format{}});
    b.w = f.w;
    b.h = f.h;
    imp.banner = arena.New(b);
  }
  if (random.Chance(0.3)) imp.audio = arena.New(Audio{});
  if (random.Chance(0.3)) imp.video = arena.New(Video{});
  if (random.Chance(0.3)) imp.native = arena.New(Native{});
  if (random.Chance(0.5)) {
    Deal deal;
    deal.id = free_value();
    Deal other;
    other.id = free_value();
    imp.deals = arena.Copy<Deal>({deal, other});
    imp.private_auction = random.Chance(0.4);
  }
  r.imps = arena.Copy({imp});
  return std::move(made.ptr);
}

void CompareWithScan(uint64_t seed, size_t campaigns, int requests) {
  INFO("seed " << seed << ", campaigns " << campaigns);
  Random random(seed);
  std::vector<Campaign> made;
  for (size_t i = 0; i < campaigns; ++i) made.push_back(RandomCampaign(random, i));
  const auto built = Catalog::Build(made);
  INFO((built.ok() ? "" : built.status().ToString()));
  REQUIRE(built.ok());
  const Catalog& catalog = **built;
  const TargetingIndex& index = catalog.targeting();
  TargetingQuery query;
  std::vector<uint32_t> found, wanted;
  size_t total = 0;
  for (int i = 0; i < requests; ++i) {
    const RequestPtr request = RandomRequest(random);
    const absl::Time now = kMonday + absl::Hours(random.Below(400));
    const Imp& imp = request->imps[0];
    index.Read(*request, now, &query);
    index.ReadImp(imp, &query);
    const Said said = Listen(*request, imp, now);
    wanted.clear();
    for (uint32_t c = 0; c < catalog.size(); ++c) {
      if (MatchesSlowly(catalog.campaign(c), said)) wanted.push_back(c);
    }
    index.Match(query, &found);
    REQUIRE(found == wanted);
    total += found.size();
    const size_t k = random.Below(10);
    index.MatchTopK(query, k, &found);
    REQUIRE(found == std::vector<uint32_t>(
                         wanted.begin(),
                         wanted.begin() + static_cast<std::ptrdiff_t>(std::min(k, wanted.size()))));
    for (int probes = 0; probes < 20 && catalog.size() > 0; ++probes) {
      const auto c = static_cast<uint32_t>(random.Below(catalog.size()));
      const bool matches = std::binary_search(wanted.begin(), wanted.end(), c);
      REQUIRE(index.Explain(query, c).empty() == matches);
    }
  }
  if (campaigns >= 1000) CHECK(total > 0);  // else nothing was compared
}

TEST_CASE("The index finds exactly what a scan of all campaigns finds") {
  for (const uint64_t seed : {11u, 12u, 13u, 14u}) CompareWithScan(seed, 1'000, 300);
  CompareWithScan(21, 9'000, 100);  // several blocks, lists beside bitmaps
  for (const uint64_t seed : {31u, 32u, 33u}) CompareWithScan(seed, seed - 31, 20);  // 0, 1, 2
  for (const size_t n : {63u, 64u, 65u, 2047u, 2048u, 2049u}) CompareWithScan(n, n, 30);
}

TEST_CASE("Generated catalogs and requests agree with the scan as well") {
  const auto catalog = GenerateCatalog({.campaigns = 5'000, .seed = 3, .open = 0.6});
  REQUIRE(catalog != nullptr);
  Random random(77);
  TargetingQuery query;
  std::vector<uint32_t> found, wanted;
  size_t total = 0;
  for (int i = 0; i < 200; ++i) {
    const RequestPtr request = GenerateRequest(random);
    catalog->targeting().Read(*request, kMonday, &query);
    catalog->targeting().ReadImp(request->imps[0], &query);
    const Said said = Listen(*request, request->imps[0], kMonday);
    wanted.clear();
    for (uint32_t c = 0; c < catalog->size(); ++c) {
      if (MatchesSlowly(catalog->campaign(c), said)) wanted.push_back(c);
    }
    catalog->targeting().Match(query, &found);
    REQUIRE(found == wanted);
    total += found.size();
  }
  CHECK(total > 200u * 20);
}

TEST_CASE("Few campaigns with one of many deals, or of a rare size, are found among all others") {
  Random random(41);
  std::vector<Campaign> made;
  for (size_t i = 0; i < 9'000; ++i) {
    Campaign c = RandomCampaign(random, i);
    std::erase_if(c.targeting.conditions,
                  [](const Condition& t) { return t.attribute == Attribute::kDeal; });
    if (random.Chance(0.1)) {
      const std::string deal = "rare" + std::to_string(random.Below(60));  // lists, not bitmaps
      c.targeting.Include(Attribute::kDeal, {deal});
    }
    if (random.Chance(0.005)) {
      c.creatives[0].format = MarkupType::kBanner;
      c.creatives[0].w = 41;
      c.creatives[0].h = 43;
    }
    made.push_back(std::move(c));
  }
  const auto built = Catalog::Build(made);
  REQUIRE(built.ok());
  const Catalog& catalog = **built;
  TargetingQuery query;
  std::vector<uint32_t> found;
  const auto has_deal = [](const Campaign& c) {
    return std::any_of(c.targeting.conditions.begin(), c.targeting.conditions.end(),
                       [](const Condition& t) { return t.attribute == Attribute::kDeal; });
  };
  std::array<size_t, 3> total{};
  for (int i = 0; i < 150; ++i) {
    const RequestPtr made_up = RandomRequest(random);
    Request request = *made_up;
    Imp imp = request.imps[0];
    const Text deals[] = {"RARE7", "rare21", "rare58", "nobody's"};
    std::array<Deal, 3> offered;
    for (Deal& d : offered) d.id = deals[random.Below(4)];
    imp.deals = List<Deal>(offered.data(), 1 + random.Below(3));
    Banner banner;
    banner.w = 41;
    banner.h = 43;
    if (random.Chance(0.5)) {
      imp.audio = nullptr;
      imp.video = nullptr;
      imp.native = nullptr;
      imp.banner = &banner;
    }
    imp.private_auction = false;
    const Said said = Listen(request, imp, kMonday);
    catalog.targeting().Read(request, kMonday, &query);
    catalog.targeting().ReadImp(imp, &query);
    using Deals = TargetingQuery::Deals;
    for (const Deals kind : {Deals::kAll, Deals::kWithDeal, Deals::kWithout}) {
      query.set_deals(kind);
      std::vector<uint32_t> wanted;
      for (uint32_t c = 0; c < catalog.size(); ++c) {
        const Campaign& campaign = catalog.campaign(c);
        if (kind != Deals::kAll && has_deal(campaign) != (kind == Deals::kWithDeal)) continue;
        if (MatchesSlowly(campaign, said)) wanted.push_back(c);
      }
      catalog.targeting().Match(query, &found);
      REQUIRE(found == wanted);
      total[static_cast<size_t>(kind)] += found.size();
    }
  }
  for (const size_t n : total) CHECK(n > 0);
}

TEST_CASE("The best by a request's own score are those a full sort would give") {
  const auto catalog = GenerateCatalog({.campaigns = 20'000, .seed = 5, .open = 0.7});
  Random random(5);
  TargetingQuery query;
  std::vector<uint32_t> all, best;
  for (int i = 0; i < 50; ++i) {
    const RequestPtr request = GenerateRequest(random);
    catalog->targeting().Read(*request, kMonday, &query);
    catalog->targeting().ReadImp(request->imps[0], &query);
    const uint64_t salt = random();
    const auto score = [&](uint32_t id) {
      const double factor =
          0.5 + 1.5 * static_cast<double>(CombineHash(salt, id) >> 11) * 0x1.0p-53;
      return factor * static_cast<double>(catalog->facts(id).max_cpm.value);
    };
    catalog->targeting().Match(query, &all);
    std::stable_sort(all.begin(), all.end(),
                     [&](uint32_t a, uint32_t b) { return score(a) > score(b); });
    if (all.size() > 40) all.resize(40);
    catalog->targeting().MatchTopKByScore(query, 40, 2.0, score, &best);
    REQUIRE(best == all);
  }
}

TEST_CASE("A filter decides which of the best are taken") {
  const auto catalog = GenerateCatalog({.campaigns = 3'000, .seed = 6, .open = 1.0});
  Random random(6);
  const RequestPtr request = GenerateRequest(random);
  TargetingQuery query;
  std::vector<uint32_t> all, odd;
  catalog->targeting().Read(*request, kMonday, &query);
  catalog->targeting().ReadImp(request->imps[0], &query);
  catalog->targeting().Match(query, &all);
  catalog->targeting().MatchTopK(
      query, 10, [](uint32_t id) { return id % 2 == 1; }, &odd);
  all.erase(std::remove_if(all.begin(), all.end(), [](uint32_t id) { return id % 2 == 0; }),
            all.end());
  REQUIRE(all.size() > 10);
  all.resize(10);
  CHECK(odd == all);
}

TEST_CASE("A query that was read by another index finds nothing") {
  const auto a = GenerateCatalog({.campaigns = 100, .seed = 1, .open = 1.0});
  const auto b = GenerateCatalog({.campaigns = 100, .seed = 1, .open = 1.0});
  Random random(1);
  const RequestPtr request = GenerateRequest(random);
  TargetingQuery query;
  std::vector<uint32_t> found = {1, 2, 3};
  CHECK(a->targeting().Match(query, &found) == 0);
  a->targeting().Read(*request, kMonday, &query);
  CHECK(a->targeting().Match(query, &found) == 100);
  CHECK(b->targeting().Match(query, &found) == 0);
  CHECK(found.empty());
}

// ---- What a request is taken to say.

std::vector<std::string> Values(const Request& r, Attribute wanted) {
  std::vector<std::string> out;
  TargetingFacts::ForEachValue(r, kMonday, [&](Attribute a, std::string_view v) {
    if (a == wanted) out.emplace_back(v);
  });
  return out;
}
using Strings = std::vector<std::string>;

TEST_CASE("Places are said alone and with their country") {
  Request r;
  r.device.geo.country = "us";
  r.device.geo.region = "CA";
  r.user.geo.city = "Oakland";
  CHECK(Values(r, Attribute::kCountry) == Strings{"USA"});
  CHECK(Values(r, Attribute::kRegion) == Strings{"ca", "usa-ca"});
  CHECK(Values(r, Attribute::kCity) == Strings{"oakland", "usa-oakland"});
  CHECK(Canonical(Attribute::kRegion, "US-CA") == "usa-ca");
}

TEST_CASE("A phone is also a mobile device, and an iPad runs ios") {
  Request r;
  r.device.devicetype = 4;
  r.device.os = "iPad";
  CHECK(Values(r, Attribute::kDeviceType) == Strings{"phone", "mobile"});
  CHECK(Values(r, Attribute::kOs) == Strings{"ios"});
  r.device.os_kind = Os::kAndroid;
  CHECK(Values(r, Attribute::kOs) == Strings{"android"});
}

TEST_CASE("Categories hold for their parents and domains for those they lie in") {
  Request r;
  const Text cats[] = {"IAB1-3"};
  r.channel.cat = cats;
  r.channel.page = "https://m.news.example.com:8080/a?b=c";
  CHECK(Values(r, Attribute::kCategory) == Strings{"iab1-3", "iab1"});
  CHECK(Values(r, Attribute::kDomain) ==
        Strings{"m.news.example.com", "news.example.com", "example.com"});
  r.channel.domain = "www.Other.example";
  CHECK(Values(r, Attribute::kDomain) == Strings{"other.example"});
}

TEST_CASE("Content's language goes before the device's, and age comes in bands") {
  Request r;
  r.device.language = "de";
  CHECK(Values(r, Attribute::kLanguage) == Strings{"de"});
  r.channel.content.language = "en-GB";
  CHECK(Values(r, Attribute::kLanguage) == Strings{"en"});
  r.user.yob = 2026 - 30;
  CHECK(Values(r, Attribute::kAge) == Strings{"25-34"});
  r.user.yob = 1;
  CHECK(Values(r, Attribute::kAge) == Strings{});
}

TEST_CASE("Overlong and blank values are left out") {
  Request r;
  const std::string longer(256, 'x'), longest_ok(255, 'x');
  r.device.make = longer;
  r.device.geo.city = " \t ";
  CHECK(Values(r, Attribute::kMake).empty());
  CHECK(Values(r, Attribute::kCity).empty());
  r.device.make = longest_ok;
  CHECK(Values(r, Attribute::kMake) == Strings{longest_ok});
}

int HourAt(absl::Time now, Text country, Int utcoffset) {
  Request r;
  r.device.geo.country = country;
  r.device.geo.utcoffset = utcoffset;
  return TargetingFacts::HourOfWeek(r, now);
}

TEST_CASE("The hour is the listener's, by offset, else by the country's main zone, else UTC") {
  CHECK(HourAt(kMonday, "", {}) == 12);
  CHECK(HourAt(kMonday, "", 90) == 13);
  CHECK(HourAt(kMonday, "", -13 * 60) == 12);  // no such offset
  CHECK(HourAt(kMonday, "XXX", {}) == 12);
  CHECK(HourAt(kMonday, "USA", {}) == 7);  // New York in winter
  CHECK(HourAt(kMonday + absl::Hours(24 * 120), "USA", {}) == (120 % 7) * 24 + 8);  // in summer
  CHECK(HourAt(kMonday, "USA", -480) == 4);                                         // Los Angeles
  CHECK(HourAt(kMonday, "USA", 480) == 4);                         // the same, sign turned round
  CHECK(HourAt(kMonday, "IND", {}) == 17);                         // half past
  CHECK(HourAt(kMonday - absl::Hours(12), "USA", {}) == 168 - 5);  // still Sunday there
  CHECK(HourAt(absl::UnixEpoch(), "", {}) == 72);                  // a Thursday
  CHECK(HourAt(absl::UnixEpoch() - absl::Seconds(1), "", {}) == 71);
  for (const absl::Time odd : {absl::InfinitePast(), absl::InfiniteFuture()}) {
    const int hour = HourAt(odd, "USA", {});
    CHECK((hour >= 0 && hour < 168));
  }
}

// ---- Why not.

Campaign Simple(std::string id) {
  Campaign c;
  c.id = std::move(id);
  c.advertiser = "A";
  c.adomain = {"a.example"};
  c.budget.daily = {1'000'000};
  c.bid.max_cpm = {1'000'000};
  Creative creative;
  creative.id = "k";
  creative.format = MarkupType::kAudio;
  creative.duration_ms = 30'000;
  creative.media_url = "https://a.example/k.mp3";
  c.creatives = {creative};
  return c;
}

TEST_CASE("Every reason why a campaign does not match is given") {
  Campaign c = Simple("c");
  c.targeting.Include(Attribute::kGenre, {"Jazz"});
  c.targeting.Include(Attribute::kCountry, {"DE"});
  c.targeting.Exclude(Attribute::kOs, {"android"});
  c.targeting.hours.set(3);
  const auto catalog = Catalog::Build({c});
  REQUIRE(catalog.ok());
  const TargetingIndex& index = (*catalog)->targeting();
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  r.device.geo.country = "USA";
  r.device.os = "Android";
  Imp imp;
  imp.banner = made.arena->New(Banner{});
  imp.private_auction = true;
  TargetingQuery query;
  std::vector<uint32_t> found;
  index.Read(r, kMonday, &query);
  index.ReadImp(imp, &query);
  CHECK(index.Match(query, &found) == 0);
  std::set<std::string> reasons;
  for (const Mismatch& m : index.Explain(query, 0)) reasons.insert(ToString(m));
  CHECK(reasons ==
        std::set<std::string>{"format: no creative of a format and size that the imp takes",
                              "daypart: not in this hour of the listener's week",
                              "genre: the request has none of the targeted values",
                              "country: the request has none of the targeted values",
                              "os: the request has an excluded value",
                              "deal: a private auction, and the campaign has none of its deals"});

  Request fine = r;
  fine.device.geo.country = "DEU";
  fine.device.geo.utcoffset = -9 * 60;
  fine.device.os = "ios";
  fine.channel.content.genre = "Blues, jazz";
  Imp audio;
  audio.audio = made.arena->New(Audio{});
  index.Read(fine, kMonday, &query);
  index.ReadImp(audio, &query);
  CHECK(index.Explain(query, 0).empty());
  CHECK(index.Match(query, &found) == 1);
}

TEST_CASE("A campaign with deals buys only through them, and only it buys in a private auction") {
  Campaign open = Simple("open"), deal = Simple("deal");
  deal.targeting.Include(Attribute::kDeal, {"D1"});
  const auto catalog = Catalog::Build({open, deal});
  REQUIRE(catalog.ok());
  const TargetingIndex& index = (*catalog)->targeting();
  NewRequest made = MakeRequest();
  Imp imp;
  imp.audio = made.arena->New(Audio{});
  TargetingQuery query;
  std::vector<uint32_t> found;
  const auto match = [&] {
    index.Read(*made.request, kMonday, &query);
    index.ReadImp(imp, &query);
    index.Match(query, &found);
    std::set<std::string> ids;
    for (uint32_t i : found) ids.insert((*catalog)->campaign(i).id);
    return ids;
  };
  CHECK(match() == std::set<std::string>{"open"});
  Deal d;
  d.id = "D1";
  imp.deals = made.arena->Copy<Deal>({d});
  CHECK(match() == std::set<std::string>{"open", "deal"});
  imp.private_auction = true;
  CHECK(match() == std::set<std::string>{"deal"});
}

}  // namespace
}  // namespace adagents::ads
