#include "adagents/ads/catalog_loader.h"

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "adagents/ads/targeting.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::ads {
namespace {

const std::string kGood = R"({"campaigns": [
  {
    "id": "acme",
    "advertiser": "Acme",
    "objective": "direct_response",
    "currency": "eur",
    "budget": {"daily": 500, "lifetime": 9000.5},
    "flight": {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01"},
    "bid": {"max_cpm": 4.5, "action": "click", "value_per_action": 0.8},
    "priority": 3, "line": "guaranteed",
    "adomain": ["acme.example"],
    "cat": ["IAB8-5"],
    "targeting": {
      "country": ["US", "CAN"],
      "genre": {"include": ["Jazz"], "exclude": ["news"]},
      "hours": [{"days": ["sun"], "from": 22, "to": 2}]
    },
    "creatives": [
      {
        "id": "a1",
        "format": "audio",
        "duration_ms": 30000,
        "mimes": ["audio/mpeg"],
        "media_url": "https://acme.example/a1.mp3",
        "attr": [1, 13],
        "companions": [{"w": 300, "h": 250, "media_url": "https://acme.example/c.png"}]
      }
    ]
  }
]})";

/// kGood with the first `from` replaced.
std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string ErrorOf(const std::string& text) {
  const auto loaded = LoadCatalog(text);
  return loaded.ok() ? "" : std::string(Message(loaded.status()));
}

TEST_CASE("A catalog is loaded with every field") {
  const auto loaded = LoadCatalog(kGood);
  INFO((loaded.ok() ? "" : loaded.status().ToString()));
  REQUIRE(loaded.ok());
  REQUIRE((*loaded)->size() == 1);
  const Campaign& c = (*loaded)->campaign(0);
  CHECK(c.id == "acme");
  CHECK(c.objective == Objective::kDirectResponse);
  CHECK(c.currency.code() == "EUR");
  CHECK(c.budget == Budget{{500'000'000}, {9'000'500'000}});
  CHECK(c.start == absl::FromCivil(absl::CivilDay(2026, 3, 1), absl::UTCTimeZone()));
  CHECK(c.end == absl::FromCivil(absl::CivilDay(2026, 4, 1), absl::UTCTimeZone()));
  CHECK(c.bid == BidStrategy{{4'500'000}, Action::kClick, {800'000}});
  CHECK(c.priority == 3);
  CHECK(c.line == Line::kGuaranteed);
  const std::vector<Condition> wanted = {{Attribute::kCountry, false, {"CAN", "USA"}},
                                         {Attribute::kGenre, false, {"jazz"}},
                                         {Attribute::kGenre, true, {"news"}}};
  CHECK(c.targeting.conditions == wanted);
  std::set<size_t> hours;
  for (size_t h = 0; h < 168; ++h) {
    if (c.targeting.hours[h]) hours.insert(h);
  }
  CHECK(hours == std::set<size_t>{166, 167, 0, 1});  // from Sunday into Monday
  REQUIRE(c.creatives.size() == 1);
  CHECK(c.creatives[0].format == MarkupType::kAudio);
  CHECK(c.creatives[0].attr == std::vector<uint8_t>{1, 13});
  CHECK(c.creatives[0].companions.size() == 1);
}

TEST_CASE("Each fault is named with line, path and what is wrong") {
  CHECK(ErrorOf(With("4.5", "-2")) == "line 9, campaigns[0].bid.max_cpm: must be > 0, got -2");
  CHECK(ErrorOf(With("\"max_cpm\": 4.5", "\"max_cpm\": \"4.5\"")) ==
        "line 9, campaigns[0].bid.max_cpm: must be a number, got text");
  CHECK(ErrorOf(With("\"audio\"", "\"audoi\"")) ==
        "line 21, campaigns[0].creatives[0].format: unknown \"audoi\", did you mean \"audio\"?");
  CHECK(ErrorOf(With("\"duration_ms\"", "\"duration\"")) ==
        "line 22, campaigns[0].creatives[0].duration: unknown key, did you mean \"duration_ms\"?\n"
        "line 19, campaigns[0].creatives[0].duration_ms: must be given for audio and video, in "
        "milliseconds");
  CHECK(ErrorOf(With("\"country\"", "\"contry\"")) ==
        "line 14, campaigns[0].targeting.contry: unknown key, did you mean \"country\"?");
  CHECK(ErrorOf(With("\"US\"", "\"Utopia\"")) ==
        "line 14, campaigns[0].targeting.country.include[0]: must be an ISO 3166-1 code such as "
        "\"USA\", got \"Utopia\"");
  CHECK(ErrorOf(With("\"news\"", "\"jazz\"")) ==
        "line 15, campaigns[0].targeting.genre: \"jazz\" is both included and excluded");
  CHECK(ErrorOf(With("\"from\": 22", "\"from\": 24")) ==
        "line 16, campaigns[0].targeting.hours[0].from: must be a whole number from 0 to 23, got "
        "24");
  CHECK(ErrorOf(With("[\"sun\"]", "[\"sunday\"]")) ==
        "line 16, campaigns[0].targeting.hours[0].days: must be \"weekdays\", \"weekend\", "
        "\"all\" or a list of mon, tue, wed, thu, fri, sat, sun");
  CHECK(ErrorOf(With("2026-04-01", "soon")) ==
        "line 8, campaigns[0].flight.end: must be a time such as \"2026-03-01T00:00:00Z\" or a "
        "date, got \"soon\"");
  CHECK(ErrorOf(With("[1, 13]", "[1, 1.5]")) ==
        "line 25, campaigns[0].creatives[0].attr[1]: must be a whole number from 1 to 63");
  CHECK(ErrorOf(With("\"eur\"", "\"euro\"")) ==
        "line 6, campaigns[0].currency: must be an ISO 4217 code such as \"USD\", got \"euro\"");
  CHECK(ErrorOf(With("500,", "1e300,")) ==
        "line 7, campaigns[0].budget.daily: is no amount of money: 1e+300");
  CHECK(ErrorOf(With("\"priority\": 3", "\"priority\": 101")) ==
        "line 10, campaigns[0].priority: must be from -100 to 100, got 101");
  CHECK(ErrorOf(With("\"guaranteed\"", "\"hous\"")) ==
        "line 10, campaigns[0].line: unknown \"hous\", did you mean \"house\"?");
  CHECK(ErrorOf(With("\"advertiser\": \"Acme\",", "")) ==
        "line 2, campaigns[0].advertiser: is missing");
}

TEST_CASE("How a budget is paced is read and checked") {
  const auto pacing = [](const std::string& json) {
    return With("\"priority\": 3", "\"pacing\": " + json + ", \"priority\": 3");
  };
  const auto terms = [&](const std::string& json) {
    const auto loaded = LoadCatalog(pacing(json));
    INFO((loaded.ok() ? "" : loaded.status().ToString()));
    REQUIRE(loaded.ok());
    return (*loaded)->campaign(0).pacing;
  };
  CHECK(terms("{}") == PacingTerms{Pace::kEven, {}, Action::kNone});
  CHECK(terms(R"({"strategy": "front_loaded"})") == PacingTerms{Pace::kFrontLoaded});
  CHECK(terms(R"({"strategy": "asap", "target_cpm": 2.5})") ==
        PacingTerms{Pace::kAsap, {2'500'000}, Action::kNone});
  CHECK(terms(R"({"target_cpc": 0.5})") == PacingTerms{Pace::kEven, {500'000}, Action::kClick});
  CHECK(terms(R"({"target_cpcv": 0.01})").per == Action::kCompletion);
  CHECK(terms(R"({"target_cpa": 12})").per == Action::kConversion);
  CHECK(ErrorOf(pacing(R"({"strategy": "evn"})")) ==
        "line 10, campaigns[0].pacing.strategy: unknown \"evn\", did you mean \"even\"?");
  CHECK(ErrorOf(pacing(R"({"target_cpa": 0})")) ==
        "line 10, campaigns[0].pacing.target_cpa: must be > 0, got 0: leave it out when there is "
        "no target");
  CHECK(ErrorOf(pacing(R"({"target_cpc": "1"})")) ==
        "line 10, campaigns[0].pacing.target_cpc: must be a number, got text");
  CHECK(ErrorOf(pacing(R"({"target_cpm": 1, "target_cpa": 2})")) ==
        "line 10, campaigns[0].pacing.target_cpa: there is a target_cpm already, and only one "
        "target can be kept");
  CHECK(ErrorOf(pacing(R"({"target": 1})")).find("campaigns[0].pacing.target: unknown key") !=
        std::string::npos);
  CHECK(ErrorOf(With("9000.5}", "9000.5, \"time_zone\": \"Mars/Base\"}")) ==
        "line 7, campaigns[0].budget.time_zone: there is no time zone \"Mars/Base\"");
}

TEST_CASE("All faults are found in one go") {
  const std::string text = R"({
    "campaign": [],
    "campaigns": [
      7,
      {"id": "a", "budget": {}, "creatives": [{"id": "x", "format": "banner"}]},
      {"id": "a", "nmae": "typo"}
    ]
  })";
  const std::string error = ErrorOf(text);
  INFO(error);
  for (const char* line :
       {"line 2, campaign: unknown key; only \"campaigns\" and \"brands\" may be here",
        "line 4, campaigns[0]: must be an object, got a number",
        "line 5, campaigns[1].budget: must have daily or lifetime, above 0",
        "line 5, campaigns[1].creatives[0].media_url: a banner needs a media_url or a markup",
        "line 6, campaigns[2].nmae: unknown key, did you mean \"name\"?",
        "line 6, campaigns[2].bid: is missing",
        "line 6, campaigns[2].id: \"a\" repeats the id of campaigns[1] in line 5"}) {
    INFO(line);
    CHECK(error.find(line) != std::string::npos);
  }
  CHECK(error.find("campaigns[2].bid.max_cpm") == std::string::npos);  // said once
}

TEST_CASE("Text that is no catalog has one fault with its line") {
  CHECK(ErrorOf("").starts_with("line 1: not JSON: "));
  CHECK(
      ErrorOf("{\n\"campaigns\": [\n{\"id\": }]}").starts_with("line 3, campaigns[0]: not JSON: "));
  CHECK(ErrorOf("[]") == "line 1: must be an object with a list \"campaigns\"");
  CHECK(ErrorOf("7") == "line 1: must be an object with a list \"campaigns\"");
  CHECK(ErrorOf("{}") == "line 1: the list \"campaigns\" is missing");
  CHECK(ErrorOf("{\"campaigns\": {}}") == "line 1, campaigns: must be a list, got an object");
  CHECK(ErrorOf("{\"campaigns\": [], \"campaigns\": []}") ==
        "line 1: the key \"campaigns\" stands twice in one object");
  CHECK(ErrorOf(With("\"priority\": 3", "\"priority\": 3, \"priority\": 4")) ==
        "line 10, campaigns[0]: the key \"priority\" stands twice in one object");
  CHECK(ErrorOf(With("4.5", "NaN")).starts_with("line 9, campaigns[0]: not JSON: "));
  CHECK(ErrorOf(With("4.5", "1e999")).starts_with("line 9, campaigns[0]: not JSON: "));
  CHECK(ErrorOf(With("\"acme\"", "\"ac\xff\"")).starts_with("line 3, campaigns[0]: not JSON: "));
  CHECK(ErrorOf(kGood + "x").find("not JSON") != std::string::npos);
  CHECK(ErrorOf("{\"campaigns\": []}").empty());
}

TEST_CASE("A value's line is right wherever the line ends stand") {
  CHECK(ErrorOf(With("\"priority\": 3,", "\"priority\":\n\n101\n,")) ==
        "line 12, campaigns[0].priority: must be from -100 to 100, got 101");
  CHECK(ErrorOf(With("\"priority\": 3,", "\"priority\": 101 ,\n\n\n\"nope\": 1,")) ==
        "line 13, campaigns[0].nope: unknown key\n"
        "line 10, campaigns[0].priority: must be from -100 to 100, got 101");
}

TEST_CASE("Hostile texts are refused quickly and safely") {
  std::string deep = "{\"campaigns\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  CHECK(ErrorOf(deep) == "line 1, campaigns[0]: nested deeper than 32");
  std::string wide = "{\"campaigns\": [{";
  for (int i = 0; i < 100'000; ++i) wide += "\"k" + std::to_string(i) + "\": 1,";
  CHECK(ErrorOf(wide) == "line 1, campaigns[0]: more than 256 members in one object");
  std::string many = "{\"campaigns\": [";
  for (int i = 0; i < 5'000; ++i) many += i == 0 ? "{}" : ",{}";
  const std::string error = ErrorOf(many + "]}");
  CHECK(std::count(error.begin(), error.end(), '\n') == 100);
  CHECK(error.find("\nand ") != std::string::npos);
  const std::string long_key(1 << 20, 'k');
  CHECK(ErrorOf("{\"campaigns\": [{\"" + long_key + "\": 1}]}").size() < 2'000);
}

TEST_CASE("Texts damaged at random never crash the loader") {
  const uint64_t seed = 20260301;
  INFO("seed " << seed);
  Random random(seed);
  size_t refused = 0;
  for (int i = 0; i < 3'000; ++i) {
    std::string text = kGood;
    for (size_t n = 1 + random.Below(4); n > 0; --n) {
      const size_t at = random.Below(text.size());
      switch (random.Below(4)) {
        case 0:
          text[at] = static_cast<char>(random.Below(256));
          break;
        case 1:
          text.erase(at, 1 + random.Below(20));
          break;
        case 2:
          text.insert(at, text.substr(random.Below(text.size()), random.Below(40)));
          break;
        default:
          text.insert(at, 1, "{}[]\",:-9e"[random.Below(10)]);
      }
      if (text.empty()) text.push_back('x');
    }
    const std::string error = ErrorOf(text);
    refused += !error.empty();
    REQUIRE((error.empty() || error.starts_with("line ")));
  }
  CHECK(refused > 2'000);
}

TEST_CASE("The sample campaigns of the ad server load, and audio finds several brands") {
  std::ifstream file(ADAGENTS_SOURCE_DIR "/examples/ad_server/sample-campaigns.json");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto loaded = LoadCatalog(text);
  INFO((loaded.ok() ? "" : loaded.status().ToString()));
  REQUIRE(loaded.ok());
  CHECK((*loaded)->size() == 12);
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  r.device.geo.country = "USA";
  r.device.geo.utcoffset = -300;
  r.device.devicetype = 4;
  r.device.os_kind = Os::kIos;
  r.channel.kind = ChannelKind::kApp;
  r.channel.content.genre = "pop";
  Imp imp;
  imp.audio = made.arena->New(Audio{});
  const TargetingIndex& index = (*loaded)->targeting();
  TargetingQuery query;
  std::vector<uint32_t> found;
  // A Monday, 8 in the morning in New York.
  index.Read(r, absl::FromCivil(absl::CivilHour(2026, 3, 2, 13), absl::UTCTimeZone()), &query);
  index.ReadImp(imp, &query);
  index.Match(query, &found);
  std::set<std::string> brands;
  for (uint32_t i : found) brands.emplace((*loaded)->campaign(i).brand_or_advertiser());
  CHECK(brands == std::set<std::string>{"Evergreen Radio", "Lumen Run", "Northwind Coffee"});
}

}  // namespace
}  // namespace adagents::ads
