#include <nlohmann/json.hpp>
#include <string>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adapters/sample_campaign.h"
#include "adapters/xml.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

using ads::Bid, ads::Decision, ads::MarkupType;
using nlohmann::json;
using test::Xml;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
enum { kAudio, kVideo, kBanner, kNative };  // creatives of the sample campaign

ads::RequestPtr Request() {
  Reader reader;
  return *reader.Read(R"({"id":"r\"1","imp":[
      {"id":"a","audio":{"mimes":["audio/mpeg"],"companionad":[{"format":[{"w":300,"h":250}]}]},
       "pmp":{"deals":[{"id":"deal-1"}]}},
      {"id":"v","video":{"mimes":["video/mp4"]}},
      {"id":"b","banner":{"w":300,"h":250}},
      {"id":"n","native":{"request":"{\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":25}},{\"id\":2,\"img\":{\"type\":3}},{\"id\":3,\"data\":{\"type\":1}},{\"id\":4,\"data\":{\"type\":2}},{\"id\":5,\"data\":{\"type\":12}},{\"id\":6,\"data\":{\"type\":3}}],\"eventtrackers\":[{\"event\":1,\"methods\":[1]}]}"}}]})");
}

NoticeSigner Signer() {
  absl::StatusOr<NoticeSigner> signer = NoticeSigner::Create(
      {.base_url = "https://ads.example.com/n", .keys = {{"k1", "0123456789abcdef"}}});
  REQUIRE(signer.ok());
  return *std::move(signer);
}

Bid MakeBid(const ads::Campaign& campaign, uint32_t imp, int creative) {
  Bid bid;
  bid.imp = imp;
  bid.campaign = &campaign;
  bid.creative = &campaign.creatives[static_cast<size_t>(creative)];
  bid.price = Micros{2'500'000};
  return bid;
}

/// The response to a decision with these bids, parsed.
json Written(const std::vector<Bid>& bids, const NoticeSigner* signer = nullptr) {
  Decision decision;
  decision.id = 0xabc;
  for (const Bid& bid : bids) decision.bids.push_back(bid);
  std::string out;
  Writer({.seat = "house", .signer = signer}).Write(*Request(), decision, kNow, &out);
  INFO(out);
  REQUIRE(json::accept(out));
  return json::parse(out);
}

json OneBid(const Bid& bid, const NoticeSigner* signer = nullptr) {
  return Written({bid}, signer)["seatbid"][0]["bid"][0];
}

TEST_CASE("a bid says what it is, what it costs and whose it is") {
  const ads::Campaign campaign = test::SampleCampaign();
  Bid bid = MakeBid(campaign, 0, kAudio);
  bid.deal = 0;
  bid.price = Micros{3'000'001};
  bid.slotinpod = 1;
  const json response = Written({bid});
  CHECK(response["id"] == "r\"1");
  CHECK(response["cur"] == "USD");
  CHECK(response["bidid"] == "0000000000000abc");
  CHECK(response.count("nbr") == 0);
  CHECK(response["seatbid"][0]["seat"] == "house");
  const json& out = response["seatbid"][0]["bid"][0];
  CHECK(out["id"] == "0000000000000abc-0");
  CHECK(out["impid"] == "a");
  CHECK(out["price"] == 3.000001);
  CHECK(out["cid"] == "acme-spring");
  CHECK(out["crid"] == "a1");
  CHECK(out["adomain"] == json::array({"acme.example"}));
  CHECK(out["cat"] == json::array({"IAB8-5"}));
  CHECK(out["attr"] == json::array({1, 6}));
  CHECK(out["mtype"] == 3);
  CHECK(out["dealid"] == "deal-1");
  CHECK(out["dur"] == 30);
  CHECK(out["slotinpod"] == 1);
  CHECK(out["language"] == "en");
  CHECK(out.count("nurl") == 0);  // no signer
}

TEST_CASE("audio is VAST 4.2 with companions of the sizes asked for, and its turn in the pod") {
  const ads::Campaign campaign = test::SampleCampaign();
  const NoticeSigner signer = Signer();
  Bid second = MakeBid(campaign, 0, kAudio);
  second.slotinpod = -1;
  second.sequence = 2;
  const json bid = OneBid(second, &signer);
  const Xml vast = Xml::Parse(bid["adm"].get<std::string>());
  CHECK(vast.At("Ad").attributes.at("sequence") == "2");
  CHECK(vast.name == "VAST");
  CHECK(vast.attributes.at("version") == "4.2");
  CHECK(vast.At("Ad").attributes.at("adType") == "audio");
  const Xml& inline_ad = vast.At("Ad/InLine");
  CHECK(inline_ad.At("AdSystem").text == "adagents");
  CHECK(inline_ad.At("AdTitle").text == "Fresh & warm");
  CHECK(inline_ad.At("Advertiser").text == "Acme");
  CHECK(inline_ad.At("AdServingId").text == "0000000000000abc-0");
  const Xml& linear = inline_ad.At("Creatives/Creative/Linear");
  CHECK(inline_ad.At("Creatives/Creative/UniversalAdId").text == "a1");
  CHECK(linear.At("Duration").text == "00:00:30");
  const Xml& media = linear.At("MediaFiles/MediaFile");
  CHECK(media.text == "https://cdn.example.com/a1.mp3");
  CHECK(media.attributes.at("type") == "audio/mpeg");
  CHECK(media.attributes.at("bitrate") == "128");
  CHECK(media.attributes.at("delivery") == "progressive");
  CHECK(linear.At("VideoClicks/ClickThrough").text == "https://acme.example/?from=a1&x=1");
  const Xml& companion = inline_ad.At("Creatives").children[1].At("CompanionAds/Companion");
  CHECK(companion.attributes.at("width") == "300");
  CHECK(companion.At("StaticResource").text == "https://cdn.example.com/a1.png");

  // Every URL of ours verifies and is of its kind.
  const auto kind = [&](const std::string& url) {
    const absl::StatusOr<Notice> notice = signer.Verify(url, kNow);
    REQUIRE(notice.ok());
    CHECK(notice->decision == 0xabc);
    CHECK(notice->campaign == "acme-spring");
    CHECK(notice->creative == "a1");
    return static_cast<char>(notice->kind);
  };
  CHECK(kind(bid["nurl"]) == 'w');
  CHECK(kind(bid["burl"]) == 'b');
  CHECK(kind(bid["lurl"]) == 'l');
  CHECK(kind(inline_ad.At("Impression").text) == 'i');
  CHECK(kind(inline_ad.At("Error").text) == 'e');
  CHECK(kind(linear.At("VideoClicks/ClickTracking").text) == 'x');
  std::string events;
  for (const Xml& event : linear.At("TrackingEvents").children) {
    events += event.attributes.at("event") + "=" + kind(event.text) + " ";
  }
  CHECK(events == "start=s firstQuartile=f midpoint=m thirdQuartile=t complete=c ");
  CHECK(bid["nurl"].get<std::string>().find("${AUCTION_PRICE}") != std::string::npos);
  CHECK(bid["lurl"].get<std::string>().find("${AUCTION_LOSS}") != std::string::npos);
}

/// The VAST of the audio or video creative for an imp that takes only these protocols; empty:
/// there is no bid.
std::string Vast(bool audio, const std::string& protocols, const NoticeSigner* signer = nullptr) {
  const ads::Campaign campaign = test::SampleCampaign();
  Reader reader;
  const std::string media = audio ? R"("audio":{"mimes":["audio/mpeg"])" : R"("video":{"w":1)";
  const auto request = reader.Read(R"({"id":"r","imp":[{"id":"a",)" + media + R"(,"protocols":[)" +
                                   protocols + R"(],"companionad":[{"w":300,"h":250}]}}]})");
  REQUIRE(request.ok());
  Decision decision;
  decision.id = 0xabc;
  decision.bids.push_back(MakeBid(campaign, 0, audio ? kAudio : kVideo));
  decision.bids[0].sequence = 2;
  std::string out;
  Writer({.signer = signer}).Write(**request, decision, kNow, &out);
  const json response = json::parse(out);
  if (response.contains("nbr")) return "";
  return response["seatbid"][0]["bid"][0]["adm"];
}

std::string ChildrenOf(const Xml& element) {
  std::string names;
  for (const Xml& child : element.children) names += child.name + " ";
  return names;
}

TEST_CASE("VAST is of the highest version that the imp takes, without what it does not know") {
  struct Case {
    const char* protocols;
    const char* version;
    const char* ad;  // attributes
    const char* in_line;
    const char* linear;
    const char* creative;
  };
  constexpr const char* kOld = "Duration TrackingEvents VideoClicks MediaFiles ";
  constexpr const char* kNew = "TrackingEvents Duration MediaFiles VideoClicks ";
  constexpr const char* k4 = "AdSystem Error Impression AdTitle Advertiser Creatives ";
  constexpr const char* k41 = "AdSystem Error Impression AdServingId AdTitle Advertiser Creatives ";
  const Case kCases[] = {
      {"2", "2.0", "id ", "AdSystem AdTitle Error Impression Creatives ", kOld, "Linear "},
      {"1, 3, 2, 5", "3.0", "id sequence ",
       "AdSystem AdTitle Advertiser Error Impression Creatives ", kOld, "Linear "},
      {"7,2", "4.0", "id sequence ", k4, kNew, "Linear UniversalAdId "},
      {"3,11,8", "4.1", "adType id sequence ", k41, kNew, "Linear UniversalAdId "},
      {"2,3,7,13", "4.2", "adType id sequence ", k41, kNew, "Linear UniversalAdId "},
      {"", "4.2", "adType id sequence ", k41, kNew, "Linear UniversalAdId "},
  };
  const NoticeSigner signer = Signer();
  for (const Case& c : kCases) {
    for (const bool audio : {true, false}) {
      const Xml vast = Xml::Parse(Vast(audio, c.protocols, &signer));
      INFO(c.protocols << (audio ? " audio" : " video"));
      CHECK(vast.attributes.at("version") == c.version);
      CHECK(vast.attributes.count("xmlns") == (*c.version == '4' ? 1 : 0));
      std::string attributes;
      for (const auto& [name, value] : vast.At("Ad").attributes) attributes += name + " ";
      CHECK(attributes == c.ad);
      CHECK(ChildrenOf(vast.At("Ad/InLine")) == c.in_line);
      const Xml& creatives = vast.At("Ad/InLine/Creatives");
      REQUIRE(ChildrenOf(creatives) == "Creative Creative ");
      CHECK(ChildrenOf(creatives.children[1]) ==
            (*c.version == '4' ? "CompanionAds UniversalAdId " : "CompanionAds "));
      const Xml& creative = creatives.At("Creative");
      CHECK(ChildrenOf(creative) == c.creative);
      CHECK(creative.attributes.count(*c.version == '4' ? "adId" : "AdID") == 1);
      CHECK(ChildrenOf(creative.At("Linear")) == c.linear);
      CHECK(ChildrenOf(creative.At("Linear/VideoClicks")) ==
            (*c.version == '4' ? "ClickTracking ClickThrough " : "ClickThrough ClickTracking "));
      const std::string_view duration = audio                             ? "00:00:30"
                                        : c.version == std::string("2.0") ? "00:00:16"
                                                                          : "00:00:15.500";
      CHECK(creative.At("Linear/Duration").text == duration);
    }
  }
  const Xml with_value = Xml::Parse(Vast(true, "7"));  // only 4.0 has it twice
  CHECK(with_value.At("Ad/InLine/Creatives/Creative/UniversalAdId").attributes.at("idValue") ==
        "a1");
  // Wrappers, DAAST and versions that are not written.
  CHECK(Vast(true, "1,4,5,6,8,9,10,12,14") == "");
  CHECK(Vast(false, "6") == "");
}

TEST_CASE("video has its size, its duration to the millisecond, and no companions unasked") {
  const ads::Campaign campaign = test::SampleCampaign();
  const json bid = OneBid(MakeBid(campaign, 1, kVideo));
  CHECK(bid["mtype"] == 2);
  CHECK(bid["dur"] == 16);
  const Xml vast = Xml::Parse(bid["adm"].get<std::string>());
  const Xml& creatives = vast.At("Ad/InLine/Creatives");
  CHECK(creatives.children.size() == 1);
  CHECK(creatives.At("Creative/Linear/Duration").text == "00:00:15.500");
  const Xml& media = creatives.At("Creative/Linear/MediaFiles/MediaFile");
  CHECK(media.attributes.at("width") == "1280");
  CHECK(media.attributes.at("height") == "720");
  CHECK(vast.At("Ad/InLine/Impression").text == "about:blank");
}

TEST_CASE("a banner is a linked image, or the creative's own markup") {
  ads::Campaign campaign = test::SampleCampaign();
  const NoticeSigner signer = Signer();
  Bid bid = MakeBid(campaign, 2, kBanner);
  bid.w = 300;
  bid.h = 250;
  const json out = OneBid(bid, &signer);
  CHECK(out["mtype"] == 1);
  CHECK(out["w"] == 300);
  const Xml html = Xml::Parse("<div>" + out["adm"].get<std::string>() + "</div>", {"img"});
  CHECK(html.At("a").attributes.at("href") == "https://acme.example/?a=1&b=2");
  CHECK(html.At("a/img").attributes.at("src") == "https://cdn.example.com/b1.png");
  CHECK(html.At("a/img").attributes.at("alt") == "Fresh \"bread\"");
  CHECK(html.At("a/img").attributes.at("width") == "300");
  const absl::StatusOr<Notice> pixel = signer.Verify(html.At("img").attributes.at("src"), kNow);
  REQUIRE(pixel.ok());
  CHECK(pixel->kind == NoticeKind::kImpression);
  CHECK(signer.Verify(html.At("a").attributes.at("ping"), kNow)->kind == NoticeKind::kClick);

  campaign.creatives[kBanner].markup = "<script src=\"https://x\">\n\\</script>";
  CHECK(OneBid(bid)["adm"] == campaign.creatives[kBanner].markup);
}

TEST_CASE("native has the assets that were asked for and are there") {
  const ads::Campaign campaign = test::SampleCampaign();
  const NoticeSigner signer = Signer();
  const json bid = OneBid(MakeBid(campaign, 3, kNative), &signer);
  CHECK(bid["mtype"] == 4);
  const std::string adm = bid["adm"];
  REQUIRE(json::accept(adm));
  const json native = json::parse(adm);
  CHECK(native["ver"] == "1.2");
  CHECK(native["link"]["url"] == "https://acme.example/?a=1&b=2");
  REQUIRE(native["assets"].size() == 5);  // the rating, asset 6, it does not have
  CHECK(native["assets"][0]["required"] == 1);
  CHECK(native["assets"][0]["title"]["text"] == "Bread, fresh and warm, a\u2026");
  CHECK(native["assets"][1]["img"]["url"] == "https://cdn.example.com/b1.png");
  CHECK(native["assets"][2]["data"]["value"] == "Acme");
  CHECK(native["assets"][3]["data"]["value"] == "Say \"yes\" to \\ breakfast");
  CHECK(native["assets"][4]["data"]["value"] == "Order");
  CHECK(signer.Verify(native["eventtrackers"][0]["url"].get<std::string>(), kNow)->kind ==
        NoticeKind::kImpression);
  CHECK(signer.Verify(native["link"]["clicktrackers"][0].get<std::string>(), kNow)->kind ==
        NoticeKind::kClick);
}

TEST_CASE("whatever a catalog holds, the response is JSON, its VAST is XML, and texts survive") {
  ads::Campaign campaign = test::SampleCampaign();
  const std::string evil =
      "\"\\/\b\f\n\r\t\x01<>&']]>${X}\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\xB5 --><![CDATA[";
  campaign.id = campaign.advertiser = evil;
  campaign.adomain = {evil};
  ads::Creative& creative = campaign.creatives[kAudio];
  creative.id = creative.title = creative.media_url = creative.click_through = evil;
  const NoticeSigner signer = Signer();
  const json bid = OneBid(MakeBid(campaign, 0, kAudio), &signer);
  CHECK(bid["cid"] == evil);
  CHECK(bid["adomain"][0] == evil);
  const Xml vast = Xml::Parse(bid["adm"].get<std::string>());
  std::string readable = evil;  // XML has no \b, \f and \1
  for (const std::string bad : {"\b", "\f", "\x01"}) {
    readable.replace(readable.find(bad), 1, "\xEF\xBF\xBD");
  }
  CHECK(vast.At("Ad/InLine/AdTitle").text == readable);
  CHECK(vast.At("Ad").attributes.at("id") == readable);
  const std::string url = vast.At("Ad/InLine/Creatives/Creative/Linear/MediaFiles/MediaFile").text;
  for (char c : url) CHECK((c > ' ' && c < '\x7f' && c != '<' && c != '>' && c != '"'));
  CHECK(signer.Verify(bid["nurl"].get<std::string>(), kNow)->campaign == evil);

  campaign.id = "bad utf-8: \xff\xc0\xaf\xed\xa0\x80\xf5";
  const json repaired = OneBid(MakeBid(campaign, 0, kAudio));
  CHECK(repaired["cid"].get<std::string>().starts_with("bad utf-8: \xEF\xBF\xBD"));
}

TEST_CASE("bids are grouped by seat and keep their order") {
  ads::Campaign ours = test::SampleCampaign();
  ads::Campaign theirs = ours;
  theirs.seat = "agency";
  const json response = Written({MakeBid(ours, 0, kAudio), MakeBid(theirs, 1, kVideo),
                                 MakeBid(ours, 2, kBanner), MakeBid(theirs, 3, kNative)});
  REQUIRE(response["seatbid"].size() == 2);
  CHECK(response["seatbid"][0]["seat"] == "house");
  CHECK(response["seatbid"][0]["bid"][1]["impid"] == "b");
  CHECK(response["seatbid"][1]["seat"] == "agency");
  CHECK(response["seatbid"][1]["bid"][1]["id"] == "0000000000000abc-3");
}

TEST_CASE("the notices of a test request say that it was one") {
  const ads::Campaign campaign = test::SampleCampaign();
  const NoticeSigner signer = Signer();
  const auto is_test = [&](std::string_view members) {
    Reader reader;
    const auto request = reader.Read(R"({"id":"r","imp":[{"id":"b","banner":{"w":300,"h":250}}])" +
                                     std::string(members) + "}");
    REQUIRE(request.ok());
    Decision decision;
    decision.bids.push_back(MakeBid(campaign, 0, kBanner));
    std::string out;
    Writer({.signer = &signer}).Write(**request, decision, kNow, &out);
    const json bid = json::parse(out)["seatbid"][0]["bid"][0];
    const Xml html = Xml::Parse("<div>" + bid["adm"].get<std::string>() + "</div>", {"img"});
    const auto billing = signer.Verify(bid["burl"].get<std::string>(), kNow);
    const auto pixel = signer.Verify(html.At("img").attributes.at("src"), kNow);
    REQUIRE(billing.ok());
    REQUIRE(pixel.ok());
    CHECK(billing->test == pixel->test);
    return billing->test;
  };
  CHECK(is_test(R"(,"test":1)"));
  CHECK_FALSE(is_test(R"(,"test":0)"));
  CHECK_FALSE(is_test(""));
}

TEST_CASE("no bid is said with its reason") {
  Decision decision;
  decision.nbr = ads::Nbr::kBelowFloor;
  std::string out = "before ";
  Writer().Write(*Request(), decision, kNow, &out);
  CHECK(out == R"(before {"id":"r\"1","nbr":501})");
  out.clear();
  Writer::WriteNoBid("", ads::Nbr::kInvalidRequest, &out);
  CHECK(out == R"({"id":"","nbr":2})");
}

TEST_CASE("bids that cannot be written are left out, not fatal") {
  const ads::Campaign campaign = test::SampleCampaign();
  Bid good = MakeBid(campaign, 0, kAudio);
  Bid no_imp = MakeBid(campaign, 99, kAudio);
  Bid no_creative = MakeBid(campaign, 0, kAudio);
  no_creative.creative = nullptr;
  Bid other_currency = good;
  other_currency.cur = *Currency::Parse("EUR");
  CHECK(Written({good, no_imp, no_creative, other_currency})["seatbid"][0]["bid"].size() == 1);
  CHECK(Written({no_imp})["nbr"] == 1);
  ads::Campaign untitled = campaign;
  untitled.creatives[kNative].title.clear();  // the imp requires one
  CHECK(Written({MakeBid(untitled, 3, kNative)})["nbr"] == 1);
  CHECK(Written({MakeBid(campaign, 0, kNative)})["nbr"] == 1);  // no native imp
}

TEST_CASE("prices are written exactly") {
  const ads::Campaign campaign = test::SampleCampaign();
  const auto price = [&](int64_t micros) {
    Bid bid = MakeBid(campaign, 0, kAudio);
    bid.price = Micros{micros};
    Decision decision;
    decision.bids.push_back(bid);
    std::string out;
    Writer().Write(*Request(), decision, kNow, &out);
    const size_t from = out.find("\"price\":") + 8;
    return out.substr(from, out.find(',', from) - from);
  };
  CHECK(price(0) == "0");
  CHECK(price(1) == "0.000001");
  CHECK(price(2'500'000) == "2.5");
  CHECK(price(10'000'000) == "10");
  CHECK(price(1'000'010) == "1.00001");
}

}  // namespace
}  // namespace adagents::openrtb
