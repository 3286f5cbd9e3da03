#include "adagents/ads/consent.h"

#include <arpa/inet.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/request.h"
#include "ads/consent_guard.h"
#include "catch.h"

namespace adagents::ads {
namespace {

/// base64url of bit fields, each a value and its width.
std::string Bits(const std::vector<std::pair<uint64_t, int>>& fields) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bits;
  for (const auto& [value, width] : fields) {
    for (int i = width - 1; i >= 0; --i) bits.push_back((value >> i & 1) != 0 ? '1' : '0');
  }
  while (bits.size() % 6 != 0) bits.push_back('0');
  std::string out;
  for (size_t i = 0; i < bits.size(); i += 6) {
    out.push_back(kAlphabet[std::stoi(bits.substr(i, 6), nullptr, 2)]);
  }
  return out;
}

/// Items 1 to `width`, the first of them the most significant bit.
uint64_t Set(std::initializer_list<int> items, int width) {
  uint64_t out = 0;
  for (int item : items) out |= uint64_t{1} << (width - item);
  return out;
}

std::string Tcf(std::initializer_list<int> consents, std::initializer_list<int> interests = {},
                std::initializer_list<int> features = {}, int version = 2, int one_treatment = 0) {
  return Bits({{static_cast<uint64_t>(version), 6},
               {17829000000, 36},
               {17829000000, 36},
               {300, 12},
               {5, 12},
               {1, 6},
               {4 << 6 | 13, 12},
               {312, 12},
               {5, 6},
               {1, 1},
               {0, 1},
               {Set(features, 12), 12},
               {Set(consents, 24), 24},
               {Set(interests, 24), 24},
               {static_cast<uint64_t>(one_treatment), 1},
               {3 << 6 | 4, 12},
               {0, 16},
               {0, 1},
               {0, 17}});
}

/// A request with everything that consent may take away.
NewRequest Full() {
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  r.user.id = "u";
  r.user.buyeruid = "b";
  r.user.gender = "F";
  r.user.yob = 1990;
  r.user.keywords = "k";
  r.user.data = made.arena->Copy({Data{}});
  r.user.eids = made.arena->Copy({Eid{}});
  r.device.ifa = "ifa";
  r.device.ip = "203.0.113.77";
  r.device.ipv6 = "2001:db8:1234:5678::1";
  r.device.geo.lat = 48.85661;
  r.device.geo.lon = 2.35222;
  r.device.geo.city = "Paris";
  r.device.geo.zip = "75001";
  return made;
}

const Request& Applied(NewRequest& made) {
  made.request->consent = ComputeConsent(*made.request);
  ApplyConsent(made.request, made.arena);
  return *made.request;
}

void CheckIdentified(const Request& r, bool kept) {
  CHECK((r.user.id == "u") == kept);
  CHECK((r.user.buyeruid == "b") == kept);
  CHECK((r.user.gender == "F") == kept);
  CHECK(r.user.yob.has_value() == kept);
  CHECK((r.user.keywords == "k") == kept);
  CHECK((r.user.data.size() == 1) == kept);
  CHECK((r.user.eids.size() == 1) == kept);
  CHECK((r.device.ifa == "ifa") == kept);
  if (!kept) CHECK(r.user.id.empty());
  CHECK(r.consent.may_identify == kept);
}

void CheckLocated(const Request& r, bool kept) {
  CHECK(r.consent.may_locate == kept);
  CHECK(r.device.ip == (kept ? "203.0.113.77" : "203.0.113.0"));
  CHECK(r.device.ipv6 == (kept ? "2001:db8:1234:5678::1" : "2001:db8:1234::"));
  CHECK(*r.device.geo.lat == (kept ? 48.85661 : 48.86));
  CHECK(*r.device.geo.lon == (kept ? 2.35222 : 2.35));
}

TEST_CASE("a TCF core string is decoded bit by bit") {
  TcfCore core;
  REQUIRE(DecodeTcf(Tcf({1, 3, 10}, {2, 7}, {1}), &core));
  CHECK(core.version == 2);
  CHECK(core.consents == (1 << 0 | 1 << 2 | 1 << 9));
  CHECK(core.legitimate_interests == (1 << 1 | 1 << 6));
  CHECK(core.special_features == 1);
  // One made by a consent platform: nothing is allowed.
  REQUIRE(DecodeTcf("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", &core));
  CHECK(core.consents == 0);
  CHECK(core.legitimate_interests == 0);
}

TEST_CASE("further segments of a TCF string are not needed, and foreign characters break it") {
  TcfCore core;
  const std::string good = Tcf({1});
  CHECK(DecodeTcf(good + ".IFukWSQh", &core));
  CHECK_FALSE(DecodeTcf("", &core));
  CHECK_FALSE(DecodeTcf(Tcf({1}, {}, {}, 1), &core));
  CHECK_FALSE(DecodeTcf(Tcf({1}, {}, {}, 3), &core));
  CHECK_FALSE(DecodeTcf(std::string_view(good).substr(0, 38), &core));
  CHECK(DecodeTcf(std::string_view(good).substr(0, 39), &core));
  for (size_t i = 0; i < 38; ++i) {
    for (char c : {' ', '+', '/', '=', '\0', '\xff'}) {
      std::string bad = good;
      bad[i] = c;
      CHECK_FALSE(DecodeTcf(bad, &core));
    }
  }
}

TEST_CASE("purpose 1 that was never put to the listener is not allowed") {
  TcfCore core;
  REQUIRE(DecodeTcf(Tcf({1, 2}, {}, {}, 2, /*one_treatment=*/1), &core));
  CHECK(core.consents == 1 << 1);
}

TEST_CASE("without any signal everything stays") {
  NewRequest made = Full();
  const Request& r = Applied(made);
  CheckIdentified(r, true);
  CheckLocated(r, true);
  CHECK(r.consent.may_profile);
  CHECK(r.consent.may_measure);
  CHECK(r.consent.tcf == TcfState::kNotNeeded);
}

TEST_CASE("under GDPR a full consent keeps everything, and each purpose has its part") {
  struct Case {
    std::string tcf;
    bool identify, profile, locate, measure;
  };
  const std::vector<Case> cases = {
      {Tcf({1, 2, 3, 4, 7, 9, 10}, {}, {1}), true, true, true, true},
      {Tcf({1, 2, 4, 7}), true, false, false, true},
      {Tcf({1, 3, 4}, {2, 7}), true, true, false, true},        // 2 and 7 by interest
      {Tcf({2, 3, 4, 7}, {1}, {1}), false, false, true, true},  // 1 never by interest
      {Tcf({1, 2, 3}, {4}), false, false, false, false},        // nor 4
      {Tcf({1, 2, 4}, {3}), true, false, false, false},         // nor 3
      {Tcf({1, 3, 4}), false, false, false, false},
      {Tcf({}), false, false, false, false},
  };
  for (const Case& c : cases) {
    INFO(c.tcf);
    NewRequest made = Full();
    made.request->regs.gdpr = true;
    made.request->user.consent = c.tcf;
    const Request& r = Applied(made);
    CHECK(r.consent.tcf == TcfState::kDecoded);
    CheckIdentified(r, c.identify);
    CheckLocated(r, c.locate);
    CHECK(r.consent.may_profile == c.profile);
    CHECK(r.consent.may_measure == c.measure);
    CHECK(r.user.consent == c.tcf);
    CHECK(r.device.geo.city == "Paris");
  }
}

TEST_CASE("under GDPR a missing or malformed string allows nothing") {
  for (const char* consent : {"", "CO", "some-consent-string", "COxYz!"}) {
    NewRequest made = Full();
    made.request->regs.gdpr = true;
    made.request->user.consent = consent;
    const Request& r = Applied(made);
    CHECK(r.consent.tcf == (*consent == '\0' ? TcfState::kMissing : TcfState::kMalformed));
    CHECK(r.consent.purposes == 0);
    CheckIdentified(r, false);
    CheckLocated(r, false);
  }
}

TEST_CASE("where GDPR does not apply a consent string is not looked at") {
  NewRequest made = Full();
  made.request->regs.gdpr = false;
  made.request->user.consent = "garbage";
  CheckIdentified(Applied(made), true);
}

TEST_CASE("where nothing says whether GDPR applies, a consent string says that it does") {
  const std::pair<std::string, bool> cases[] = {
      {Tcf({1, 2, 3, 4, 7}, {}, {1}), true},
      {Tcf({}), false},
      {"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", false},
      {"garbage", false}};
  for (const auto& [tcf, kept] : cases) {
    for (const std::vector<int32_t>& sids : {std::vector<int32_t>{}, std::vector<int32_t>{-1}}) {
      INFO(tcf);
      NewRequest made = Full();
      made.request->user.consent = tcf;
      made.request->regs.gpp_sid = sids;  // says nothing of a string beside the GPP string
      const Request& r = Applied(made);
      CheckIdentified(r, kept);
      CheckLocated(r, kept);
      CHECK(r.consent.gdpr);
      CHECK(r.consent.may_profile == kept);
    }
  }
}

TEST_CASE("children are neither identified nor located") {
  NewRequest made = Full();
  made.request->regs.coppa = true;
  const Request& r = Applied(made);
  CheckIdentified(r, false);
  CheckLocated(r, false);
  CHECK(r.device.geo.city.empty());
  CHECK(r.device.geo.zip.empty());
}

TEST_CASE("the US Privacy string opts out with a Y in its third place, or by being malformed") {
  const std::pair<const char*, bool> cases[] = {{"1YNN", true}, {"1NYN", false}, {"1YYN", false},
                                                {"1---", true}, {"1yyn", false}, {"2YNN", false},
                                                {"1YN", false}, {"1Y?N", false}, {"", true}};
  for (const auto& [text, kept] : cases) {
    INFO(text);
    NewRequest made = Full();
    made.request->regs.us_privacy = text;
    const Request& r = Applied(made);
    CheckIdentified(r, kept);
    CheckLocated(r, kept);
    CHECK(r.consent.us_opt_out == !kept);
  }
}

TEST_CASE("a listener who limits tracking is not identified but may be located") {
  for (bool dnt : {false, true}) {
    NewRequest made = Full();
    (dnt ? made.request->device.dnt : made.request->device.lmt) = true;
    const Request& r = Applied(made);
    CheckIdentified(r, false);
    CheckLocated(r, true);
    CHECK_FALSE(r.consent.may_profile);
  }
}

/// A GPP string with one section, its id Fibonacci-coded in the header.
std::string Gpp(uint64_t fibonacci, int digits, const std::string& section) {
  return Bits({{3, 6}, {1, 6}, {1, 12}, {0, 1}, {fibonacci, digits}}) + "~" + section;
}

TEST_CASE("GPP sections that apply are found by the header and read") {
  // Two sections: 2 (TCF), and 6 (US privacy) with a sale opted out.
  const std::string two = "DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1NYN";
  const std::string california_out =
      Gpp(0b000011, 6, Bits({{1, 6}, {0x15, 6}, {1, 2}, {2, 2}, {0, 24}}));
  const std::string california_in =
      Gpp(0b000011, 6, Bits({{1, 6}, {0x15, 6}, {2, 2}, {2, 2}, {0, 24}}));
  // Optional part: the Global Privacy Control is on.
  const std::string control = california_in + "." + Bits({{1, 2}, {1, 1}});
  const std::string national_out =
      Gpp(0b01011, 5, Bits({{1, 6}, {0, 12}, {2, 2}, {2, 2}, {1, 2}, {0, 30}}));
  struct Case {
    std::string gpp;
    std::vector<int32_t> sids;
    bool kept, gdpr;
  };
  const std::vector<Case> cases = {
      {two, {-1}, true, false},  // none applies
      {two, {6}, false, false},
      {two, {2}, false, true},   // the TCF section allows nothing
      {two, {8}, false, false},  // applies, but is not there
      {california_out, {8}, false, false},
      {california_in, {8}, true, false},
      {control, {8}, false, false},
      {national_out, {7}, false, false},
      {california_in, {12}, false, false},
      {"", {7}, false, false},
      {"garbage", {8}, false, false},
      {"DBABBg~!!", {8}, false, false},
      {"DBABBg", {8}, false, false},
      {california_in, {8, 65}, false, false},  // no such section
      {california_in, {8, -2}, false, false},
      {california_in, {8, -1}, true, false},
  };
  for (const Case& c : cases) {
    INFO(c.gpp);
    NewRequest made = Full();
    made.request->regs.gpp = c.gpp;
    made.request->regs.gpp_sid = c.sids;
    const Request& r = Applied(made);
    CheckIdentified(r, c.kept);
    CHECK(r.consent.gdpr == c.gdpr);
  }
  NewRequest made = Full();  // a TCF section that allows everything
  const std::string allowed = Gpp(0b011, 3, Tcf({1, 2, 3, 4, 7}, {}, {1}));
  made.request->regs.gpp = allowed;
  made.request->regs.gpp_sid = made.arena->Copy({int32_t{2}});
  CheckIdentified(Applied(made), true);
}

TEST_CASE("where no gpp_sid says which sections apply, all that the header names do") {
  const std::string tcf_in = Gpp(0b011, 3, Tcf({1, 2, 3, 4, 7}, {}, {1}));
  const std::string california_in =
      Gpp(0b000011, 6, Bits({{1, 6}, {0x15, 6}, {2, 2}, {2, 2}, {0, 24}}));
  const std::string california_out =
      Gpp(0b000011, 6, Bits({{1, 6}, {0x15, 6}, {2, 2}, {1, 2}, {0, 24}}));
  const std::string california_odd =  // 3 is none of the values of its opt-outs
      Gpp(0b000011, 6, Bits({{1, 6}, {0x15, 6}, {2, 2}, {3, 2}, {0, 24}}));
  const std::string canada = Gpp(0b00011, 5, "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA");
  struct Case {
    std::string gpp;
    bool kept, gdpr;
  };
  const std::vector<Case> cases = {
      {"DBABTA~1YYN", false, false},
      {"DBABTA~1YNN", true, false},
      {"DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN", false, true},
      {tcf_in, true, true},
      {california_in, true, false},
      {california_out, false, false},
      {california_odd, false, false},
      {canada, false, false},  // a section that we cannot read
      {"DBAA", true, false},   // names none
      {"DBAA~1YNN", false, false},
      {"DBABTA", false, false},
      {"DBABTA~", false, false},
      {"DBABTA~1YNN~1YNN", false, false},
      {"DB", false, false},
      {"!!!", false, false},
      {"1YNN", false, false},
      {"", true, false},
  };
  for (const Case& c : cases) {
    for (const std::vector<int32_t>& sids : {std::vector<int32_t>{}, std::vector<int32_t>{0}}) {
      INFO(c.gpp);
      INFO(sids.size());  // 0: the platform does not know yet
      NewRequest made = Full();
      made.request->regs.gpp = c.gpp;
      made.request->regs.gpp_sid = sids;
      const Request& r = Applied(made);
      CheckIdentified(r, c.kept);
      CheckLocated(r, c.kept);
      CHECK(r.consent.gdpr == c.gdpr);
    }
  }
  NewRequest made = Full();  // it names a TCF section, but gdpr says more than that
  made.request->regs.gpp = "DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN";
  made.request->regs.gdpr = false;
  CheckIdentified(Applied(made), true);
}

TEST_CASE("of a TCF string and a GPP section for the same, each must allow what is done") {
  const std::string all = Tcf({1, 2, 3, 4, 7}, {}, {1}), none = Tcf({}), some = Tcf({1, 2, 4});
  struct Case {
    std::string tcf, section;
    bool identify, profile, locate;
  };
  const std::vector<Case> cases = {
      {all, all, true, true, true},          {all, none, false, false, false},
      {none, all, false, false, false},      {all, some, true, false, false},
      {some, all, true, false, false},       {all, "garbage", false, false, false},
      {"garbage", all, false, false, false},
  };
  for (const Case& c : cases) {
    for (const std::vector<int32_t>& sids : {std::vector<int32_t>{}, std::vector<int32_t>{2}}) {
      INFO(c.tcf << " and " << c.section << ", " << sids.size());
      NewRequest made = Full();
      made.request->user.consent = c.tcf;
      const std::string gpp = Gpp(0b011, 3, c.section);
      made.request->regs.gpp = gpp;
      made.request->regs.gpp_sid = sids;
      const Request& r = Applied(made);
      CheckIdentified(r, c.identify);
      CheckLocated(r, c.locate);
      CHECK(r.consent.may_profile == c.profile);
    }
  }
  // A section that gpp_sid leaves out does not count.
  NewRequest made = Full();
  const std::string gpp = Gpp(0b011, 3, none);
  made.request->user.consent = all;
  made.request->regs.gpp = gpp;
  made.request->regs.gpp_sid = made.arena->Copy({int32_t{-1}});
  CheckIdentified(Applied(made), true);
}

TEST_CASE("a GPP string that cannot be read opts out, unless none of its sections applies") {
  const std::string allowed = Tcf({1, 2, 3, 4, 7}, {}, {1});
  const std::pair<std::vector<int32_t>, bool> cases[] = {
      {{}, false}, {{0}, false}, {{2}, false}, {{6}, false}, {{-1}, true}};
  for (const auto& [sids, kept] : cases) {
    NewRequest made = Full();
    made.request->user.consent = allowed;
    made.request->regs.gdpr = true;
    made.request->regs.gpp = "!!!";
    made.request->regs.gpp_sid = sids;
    const Request& r = Applied(made);
    CheckIdentified(r, kept);
    CHECK(r.consent.us_opt_out == !kept);
  }
}

TEST_CASE("an address that is none is removed rather than kept whole") {
  for (const char* ip : {"ip", "203.0.113", "2001:db8::1", "203.0.113.77.example.com",
                         "203.0.113.77/24 and much more text than any address can have in all"}) {
    NewRequest made = Full();
    made.request->regs.coppa = true;
    made.request->device.ip = ip;
    CHECK(Applied(made).device.ip.empty());
  }
}

TEST_CASE("addresses are shortened to what inet_ntop writes for the prefix") {
  constexpr uint64_t kSeed = 20260801;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    const bool six = i % 2 == 0;
    const int family = six ? AF_INET6 : AF_INET;
    unsigned char bytes[16] = {};
    for (int at = 0; at < 16; at += 2) {  // zeros are common, for they are what "::" is about
      const uint64_t r = random();
      if (r % 3 != 0) bytes[at] = static_cast<unsigned char>(r >> 8 & 0xff);
      if (r % 5 != 0) bytes[at + 1] = static_cast<unsigned char>(r >> 16 & 0xff);
    }
    char text[INET6_ADDRSTRLEN], expected[INET6_ADDRSTRLEN];
    REQUIRE(inet_ntop(family, bytes, text, sizeof(text)) != nullptr);
    std::fill(bytes + (six ? 6 : 3), std::end(bytes), static_cast<unsigned char>(0));
    REQUIRE(inet_ntop(family, bytes, expected, sizeof(expected)) != nullptr);
    NewRequest made = MakeRequest();
    made.request->regs.coppa = true;
    (six ? made.request->device.ipv6 : made.request->device.ip) = text;
    const Request& r = Applied(made);
    if ((six ? r.device.ipv6 : r.device.ip) != expected) FAIL(text << " is not " << expected);
  }
}

TEST_CASE("the engine's guard lets no address through but as it would be shortened") {
  struct Case {
    const char *ip, *ipv6;
    const char *coarse_ip, *coarse_ipv6;
  };
  const std::vector<Case> cases = {
      {"", "2001:db8:1:2:3:4::", "", "2001:db8:1::"},  // all but the last 32 bits
      {"", "2001:db8:1:2::", "", "2001:db8:1::"},
      {"", "fe80::1::", "", ""},
      {"", "a listener's name::", "", ""},
      {"", "2001:db8:1::", "", "2001:db8:1::"},
      {"", "2001:db8:1:0:0:0:0:0", "", "2001:db8:1::"},
      {"", "2001:db8::", "", "2001:db8::"},
      {"", "::", "", "::"},
      {"203.0.113.0", "", "203.0.113.0", ""},
      {"203.0.113.77", "", "203.0.113.0", ""},
      {"203.0.113.077.0", "", "", ""},
      {"a listener's name.0", "", "", ""},
      {"203.0.113.0", "2001:db8:1:2:3:4::", "203.0.113.0", "2001:db8:1::"},
  };
  for (const Case& c : cases) {
    INFO(c.ip << " " << c.ipv6);
    NewRequest made = MakeRequest();
    Request& r = *made.request;
    r.regs.coppa = true;
    r.device.ip = c.ip;
    r.device.ipv6 = c.ipv6;
    r.consent = ComputeConsent(r);
    const RequestPtr clear = internal::WithConsent(made.ptr);
    CHECK(clear->device.ip == c.coarse_ip);
    CHECK(clear->device.ipv6 == c.coarse_ipv6);
    const bool was_clear = r.device.ip == c.coarse_ip && r.device.ipv6 == c.coarse_ipv6;
    CHECK((clear.get() == made.ptr.get()) == was_clear);  // no copy where there is nothing to do
    CHECK(internal::WithConsent(clear).get() == clear.get());
  }
}

}  // namespace
}  // namespace adagents::ads
