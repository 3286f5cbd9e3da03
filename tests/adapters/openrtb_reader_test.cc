#include <string>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

/// A valid request with `members` added at the top and `imp` added to its one imp.
std::string Json(const std::string& members = "", const std::string& imp = "") {
  std::string out = R"({"id":"r","imp":[{"id":"1","audio":{"mimes":["audio/mpeg"]})";
  if (!imp.empty()) out.append(",").append(imp);
  out.append("}]");
  if (!members.empty()) out.append(",").append(members);
  return out.append("}");
}

/// A request whose one imp is `{"id":"1", <imp>}`.
std::string WithImp(const std::string& imp) {
  return std::string(R"({"id":"r","imp":[{"id":"1",)").append(imp).append("}]}");
}

ads::RequestPtr Accepted(const std::string& json) {
  Reader reader;
  absl::StatusOr<ads::RequestPtr> request = reader.Read(json);
  INFO(json);
  INFO((request.ok() ? std::string() : std::string(Message(request.status()))));
  REQUIRE(request.ok());
  return *std::move(request);
}

std::string Refused(const std::string& json) {
  Reader reader;
  const absl::StatusOr<ads::RequestPtr> request = reader.Read(json);
  INFO(json);
  REQUIRE(!request.ok());
  CHECK(request.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(Message(request.status()));
}

template <class T>
std::vector<T> Vector(ads::List<T> list) {
  return {list.begin(), list.end()};
}

TEST_CASE("an audio imp of 2.6 is read with all its fields") {
  const ads::RequestPtr r = Accepted(WithImp(R"("audio":{
      "mimes":["audio/mpeg","audio/ogg"],"minduration":5,"maxduration":60,"rqddurs":[15,30],
      "podid":"p1","podseq":-1,"slotinpod":2,"poddur":90,"maxseq":4,"mincpmpersec":0.25,
      "feed":3,"stitched":1,"nvol":2,"startdelay":-1,"protocols":[9,10],"minbitrate":64,
      "maxbitrate":320,"delivery":[1,2],"sequence":2,"battr":[1,8],"api":[7],"companiontype":[1],
      "companionad":[{"w":300,"h":250,"id":"c"}],"maxextended":-1,
      "durfloors":[{"mindur":1,"maxdur":15,"bidfloor":2}]},
      "bidfloor":1.5,"bidfloorcur":"EUR","secure":1,"rwdd":1,"instl":0,"exp":600,"tagid":"t",
      "displaymanager":"sdk","displaymanagerver":"2.1","ssai":3)"));
  REQUIRE(r->imps.size() == 1);
  const ads::Imp& imp = r->imps[0];
  REQUIRE(imp.audio != nullptr);
  const ads::Audio& audio = *imp.audio;
  CHECK(Vector(audio.mimes) == std::vector<ads::Text>{"audio/mpeg", "audio/ogg"});
  CHECK(audio.minduration == 5);
  CHECK(audio.maxduration == 60);
  CHECK(Vector(audio.rqddurs) == std::vector<int32_t>{15, 30});
  CHECK(audio.podid == "p1");
  CHECK(audio.podseq == -1);
  CHECK(audio.slotinpod == 2);
  CHECK(audio.poddur == 90);
  CHECK(audio.maxseq == 4);
  CHECK(audio.mincpmpersec == Micros{250'000});
  CHECK(audio.feed == 3);
  CHECK(audio.stitched);
  CHECK(audio.nvol == 2);
  CHECK(audio.startdelay == -1);
  CHECK(Vector(audio.protocols) == std::vector<int32_t>{9, 10});
  CHECK(audio.minbitrate == 64);
  CHECK(audio.maxbitrate == 320);
  CHECK(Vector(audio.battr) == std::vector<int32_t>{1, 8});
  CHECK(audio.maxextended == -1);
  REQUIRE(audio.companionad.size() == 1);
  CHECK(audio.companionad[0].w == 300);
  REQUIRE(audio.durfloors.size() == 1);
  CHECK(audio.durfloors[0].bidfloor == Micros{2'000'000});
  CHECK(imp.bidfloor == Micros{1'500'000});
  CHECK(imp.bidfloorcur.code() == "EUR");
  CHECK(imp.secure == true);
  CHECK(imp.rwdd);
  CHECK_FALSE(imp.instl);
  CHECK(imp.exp == 600);
  CHECK(imp.ssai == 3);
  CHECK(imp.banner == nullptr);
}

TEST_CASE("what is absent differs from what is zero") {
  const ads::RequestPtr absent = Accepted(Json());
  const ads::RequestPtr zero =
      Accepted(Json(R"("regs":{"gdpr":0},"user":{"yob":0})", R"("exp":0,"secure":0)"));
  CHECK_FALSE(absent->regs.gdpr.has_value());
  CHECK(zero->regs.gdpr == false);
  CHECK_FALSE(absent->imps[0].exp.has_value());
  CHECK(zero->imps[0].exp == 0);
  CHECK_FALSE(absent->imps[0].secure.has_value());
  CHECK(zero->imps[0].secure == false);
  CHECK_FALSE(absent->user.yob.has_value());
  CHECK(zero->user.yob == 0);
  CHECK(absent->at == 2);
  CHECK(absent->channel.kind == ads::ChannelKind::kNone);
}

TEST_CASE("where and to whom is read: app, content, device, user, source") {
  const ads::RequestPtr r = Accepted(Json(R"(
      "app":{"id":"a","bundle":"com.tunes","name":"Tunes","ver":"3.1","cat":["IAB1-6"],
        "publisher":{"id":"p","domain":"tunes.example"},
        "content":{"genre":"jazz","title":"Blue","artist":"M","album":"K","isrc":"US-S1Z-99-00001",
          "series":"S","season":2,"episode":7,"language":"en","len":322,"livestream":0,"context":3,
          "cat":["IAB1"],"kwarray":["cool","modal"],"network":{"name":"N"},"channel":{"id":"C"},
          "data":[{"id":"d","name":"n","segment":[{"id":"1","value":"0.25"},{"id":2,"value":3}]}]}},
      "device":{"ua":"UA","ip":"203.0.113.77","os":"iphone","devicetype":4,"w":390,"h":844,
        "pxratio":3,"connectiontype":2,"language":"en","carrier":70092,
        "geo":{"lat":48.85,"lon":2.35,"country":"fra","zip":75001,"utcoffset":120}},
      "user":{"id":"u","buyeruid":"b","gender":"F","keywords":"x,y",
        "eids":[{"source":"s.example","uids":[{"id":"e","atype":1}]}]},
      "source":{"tid":"t","fd":1,"ext":{"schain":{"complete":1,"ver":"1.0",
        "nodes":[{"asi":"x.example","sid":"1","hp":1}]}}},
      "bcat":["IAB26",19],"badv":["rival.example"],"bapp":[],"wseat":["s1"],"bseat":null,
      "wlang":["en"],"cur":["eur","USD"],"at":1,"tmax":120,"test":1,"ext":{"arrival":17.5})"));
  CHECK(r->channel.kind == ads::ChannelKind::kApp);
  CHECK(r->channel.bundle == "com.tunes");
  CHECK(r->channel.publisher.domain == "tunes.example");
  const ads::Content& content = r->channel.content;
  CHECK(content.genre == "jazz");
  CHECK(content.season == "2");
  CHECK(content.episode == 7);
  CHECK(content.len == 322);
  CHECK(content.livestream == 0);
  CHECK(content.keywords == "cool,modal");
  CHECK(content.network == "N");
  CHECK(content.channel == "C");
  REQUIRE(content.data.size() == 1);
  CHECK(content.data[0].segment[1].id == "2");
  CHECK(content.data[0].segment[1].value == "3");
  CHECK(r->device.os_kind == ads::Os::kIos);
  CHECK(r->device.carrier == "70092");
  CHECK(r->device.geo.country == "FRA");
  CHECK(r->device.geo.zip == "75001");
  CHECK(r->device.geo.utcoffset == 120);
  CHECK(r->device.geo.lat == 48.85);
  CHECK(r->user.buyeruid == "b");
  REQUIRE(r->user.eids.size() == 1);
  CHECK(r->user.eids[0].uids[0].id == "e");
  CHECK(r->source.has_schain);
  CHECK(r->source.schain[0].asi == "x.example");
  CHECK(Vector(r->bcat) == std::vector<ads::Text>{"IAB26", "19"});
  CHECK(r->bapp.empty());
  REQUIRE(r->cur.size() == 2);
  CHECK(r->cur[0].code() == "EUR");
  CHECK(r->at == 1);
  CHECK(r->tmax == 120);
  CHECK(r->test);
  CHECK(r->arrival == 17.5);
}

TEST_CASE("deals, banners, video and native are read") {
  const ads::RequestPtr r = Accepted(WithImp(
      R"(
      "banner":{"format":[{"w":300,"h":250},{"wratio":16,"hratio":9,"wmin":200}],"pos":1,
        "battr":[3],"btype":[4],"api":[5]},
      "video":{"mimes":["video/mp4"],"w":640,"h":360,"skip":1,"plcmt":2,"playbackmethod":[6]},
      "native":{"request":"{\"ver\":\"1.2\",\"context\":2,\"contextsubtype\":20,\"assets\":[)"
      R"({\"id\":7,\"required\":1,\"title\":{\"len\":90}},{\"id\":8,\"img\":{\"type\":3,\"wmin\":200}},)"
      R"({\"id\":9,\"data\":{\"type\":2}}],\"eventtrackers\":[{\"event\":1,\"methods\":[1,2]}]}"},
      "pmp":{"private_auction":1,"deals":[{"id":"d1","bidfloor":3,"bidfloorcur":"GBP","at":3,
        "guar":1,"wseat":["s"],"wadomain":["acme.example"]}]})"));
  const ads::Imp& imp = r->imps[0];
  REQUIRE(imp.banner != nullptr);
  CHECK(imp.banner->format[1].wratio == 16);
  REQUIRE(imp.video != nullptr);
  CHECK(imp.video->plcmt == 2);
  REQUIRE(imp.native != nullptr);
  REQUIRE(imp.native->assets.size() == 3);
  CHECK(imp.native->assets[0].id == 7);
  CHECK(imp.native->assets[0].required);
  CHECK(imp.native->assets[0].len == 90);
  CHECK(imp.native->assets[1].kind == ads::NativeAssetKind::kImage);
  CHECK(imp.native->contextsubtype == 20);
  CHECK(Vector(imp.native->eventtrackers[0].methods) == std::vector<int32_t>{1, 2});
  CHECK(imp.private_auction);
  REQUIRE(imp.deals.size() == 1);
  CHECK(imp.deals[0].id == "d1");
  CHECK(imp.deals[0].bidfloor == Micros{3'000'000});
  CHECK(imp.deals[0].bidfloorcur.code() == "GBP");
  CHECK(imp.deals[0].at == 3);
  CHECK(imp.deals[0].guar);
}

TEST_CASE("an imp without any kind is refused even if native is empty text") {
  CHECK(Refused(WithImp(R"("banner":null)")) ==
        "imp[0]: must offer banner, video, audio or native");
  CHECK(Refused(WithImp(R"("native":{"request":""})")) == "imp[0].native.request: is required");
}

TEST_CASE("native requests of 1.0 stand in a native object and may leave out all ids") {
  const ads::RequestPtr r = Accepted(WithImp(
      R"("native":{"request":"{\"native\":{\"assets\":[{\"title\":{\"len\":9}},{\"data\":{\"type\":1}}]}}"})"));
  REQUIRE(r->imps[0].native->assets.size() == 2);
  CHECK(r->imps[0].native->assets[1].id == 1);
}

TEST_CASE("two native imps do not overwrite each other") {
  const ads::RequestPtr r = Accepted(
      R"({"id":"r","imp":[
      {"id":"1","native":{"request":"{\"ver\":\"1.1\",\"assets\":[{\"video\":{\"mimes\":[\"video/webm\"],\"minduration\":1,\"maxduration\":9,\"protocols\":[2]}}]}"}},
      {"id":"2","native":{"request":"{\"ver\":\"1.2\",\"assets\":[{\"video\":{\"mimes\":[\"video/mp4\"],\"minduration\":1,\"maxduration\":9,\"protocols\":[2]}}]}"}}]})");
  CHECK(r->imps[0].native->ver == "1.1");
  CHECK(r->imps[0].native->assets[0].mimes[0] == "video/webm");
  CHECK(r->imps[1].native->assets[0].mimes[0] == "video/mp4");
}

TEST_CASE("real exchanges' mistakes are forgiven") {
  CHECK(Accepted(Json("", R"("bidfloor":"0.5")"))->imps[0].bidfloor == Micros{500'000});
  CHECK(Accepted(Json(R"("tmax":"100")"))->tmax == 100);
  CHECK(Accepted(Json(R"("tmax":100.0)"))->tmax == 100);
  CHECK_FALSE(Accepted(Json(R"("tmax":0)"))->tmax.has_value());
  CHECK(Accepted(Json(R"("test":true)"))->test);
  CHECK(Accepted(Json(R"("at":0)"))->at == 2);
  CHECK(Accepted(Json(R"("bcat":"IAB1")"))->bcat.size() == 1);
  CHECK(Accepted(Json(R"("bcat":[null,"IAB1"])"))->bcat.size() == 1);
  CHECK(Accepted(Json(R"("user":[],"device":[],"regs":null)"))->user.id.empty());
  CHECK(Accepted(Json(R"("cur":[""])"))->cur.empty());
  CHECK(Accepted(R"({"id":12345678901234567890,"imp":[{"id":1,"banner":{"w":1,"h":1}}]})")->id ==
        "12345678901234567890");
  CHECK(Accepted(R"({"id":"r","imp":{"id":1,"banner":{"w":1,"h":1}}})")->imps[0].id == "1");
  CHECK_FALSE(
      Accepted(Json(R"("device":{"geo":{"lat":123,"lon":5}})"))->device.geo.lat.has_value());
  CHECK(Accepted(Json(R"("unknown":{"deep":[1,{"x":null}]})"))->id == "r");
  CHECK(Accepted(WithImp(R"("video":{"w":1})"))->imps[0].video->mimes.empty());
  CHECK(Accepted(Json(R"("ext":{"timestamp":1480544698821})"))->arrival == 1480544698.821);
  CHECK(Accepted(Json(R"("ext":{"arrival":"soon"})"))->id == "r");
}

/// `members` beside a listener who can be told apart; whether that is still so once it is read.
bool Identified(const std::string& members) {
  const std::string person = R"("user":{"id":"u"},"device":{"ifa":"i"})";
  const ads::RequestPtr r = Accepted(Json(person + "," + members));
  CHECK(r->user.id.empty() == r->device.ifa.empty());
  return !r->user.id.empty();
}

TEST_CASE("of what regs and its ext say of one signal the stricter counts") {
  CHECK_FALSE(Identified(R"("regs":{"gdpr":0,"ext":{"gdpr":1}})"));
  CHECK_FALSE(Identified(R"("regs":{"gdpr":1,"ext":{"gdpr":0}})"));
  CHECK_FALSE(Identified(R"("regs":{"ext":{"gdpr":1},"gdpr":0})"));
  CHECK(Identified(R"("regs":{"gdpr":0,"ext":{"gdpr":0}})"));
  CHECK_FALSE(Identified(R"("regs":{"us_privacy":"1YNN","ext":{"us_privacy":"1YYN"}})"));
  CHECK_FALSE(Identified(R"("regs":{"us_privacy":"1YYN","ext":{"us_privacy":"1YNN"}})"));
  CHECK_FALSE(Identified(R"("regs":{"us_privacy":"1YNN","ext":{"us_privacy":"?"}})"));
  CHECK(Identified(R"("regs":{"us_privacy":"1YNN","ext":{"us_privacy":"1---"}})"));
  CHECK(Identified(R"("regs":{"us_privacy":"","ext":{"us_privacy":"1YNN"}})"));
  // Strings that differ contradict each other, and the sections of both lists apply.
  CHECK_FALSE(Identified(R"("regs":{"gpp":"DBABTA~1YNN","ext":{"gpp":"DBABTA~1YYN"}})"));
  CHECK_FALSE(Identified(R"("regs":{"gpp":"DBABTA~1YYN","ext":{"gpp":"DBABTA~1YNN"}})"));
  CHECK(Identified(R"("regs":{"gpp":"DBABTA~1YNN","ext":{"gpp":"DBABTA~1YNN"}})"));
  CHECK_FALSE(Identified(R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[-1],"ext":{"gpp_sid":[6]}})"));
  CHECK_FALSE(Identified(R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[6],"ext":{"gpp_sid":[-1]}})"));
  CHECK(Identified(R"("regs":{"gpp":"DBABTA~1YNN","gpp_sid":[6],"ext":{"gpp_sid":[6]}})"));
  CHECK(Identified(R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[],"ext":{"gpp_sid":[-1]}})"));
}

TEST_CASE("a TCF string in either place of user counts, and two that differ allow nothing") {
  const std::string all = "\"CQmsPNAQmsPNAEsAFBENE4FoAPLAAELAAAYgAAAAAA\"";
  const std::string none = "\"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA\"";
  const auto user = [](const std::string& new_place, const std::string& old_place) {
    return R"("user":{"consent":)" + new_place + R"(,"ext":{"consent":)" + old_place + "}}";
  };
  CHECK(Identified(user(all, all)));
  CHECK(Identified(user(all, "\"\"")));
  CHECK(Identified(user("null", all)));
  CHECK_FALSE(Identified(user(all, none)));
  CHECK_FALSE(Identified(user(none, all)));
  CHECK_FALSE(Identified(user("\"\"", none)));
  CHECK_FALSE(Identified(user("null", none)));
  CHECK_FALSE(Identified(R"("user":{"ext":{"consent":)" + none + R"(},"consent":)" + all + "}"));
  CHECK(Identified(user(all, none) + R"(,"regs":{"gdpr":0})"));  // neither is looked at
}

TEST_CASE("a key that stands twice makes nothing laxer") {
  const std::string all = "\"CQmsPNAQmsPNAEsAFBENE4FoAPLAAELAAAYgAAAAAA\"";
  const std::string none = "\"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA\"";
  const std::vector<std::string> stricter_first = {
      R"("regs":{"coppa":1,"coppa":0})",
      R"("regs":{"coppa":1,"coppa":null})",
      R"("regs":{"coppa":1,"\u0063oppa":0})",
      R"("regs":{"gdpr":1,"gdpr":0})",
      R"("regs":{"us_privacy":"1YYN","us_privacy":"1YNN"})",
      R"("regs":{"us_privacy":"1YYN","us_privacy":""})",
      R"("regs":{"gpp":"DBABTA~1YYN","gpp":"DBABTA~1YNN"})",
      R"("regs":{"gpp":"DBABTA~1YYN","gpp":"DBABTA~1YNN","gpp":"DBABTA~1YNN"})",
      R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[6],"gpp_sid":[-1]})",
      R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[6],"gpp_sid":[]})",
      R"("regs":{"ext":{"gdpr":1},"ext":{"gdpr":0}})",
      R"("regs":{"ext":{"gdpr":1},"ext":null})",
      R"("regs":{"coppa":1},"regs":{"coppa":0})",
      R"("regs":{"gdpr":1},"regs":{"gdpr":0})",
      R"("regs":{"gdpr":1},"regs":[])",
      R"("device":{"lmt":1,"lmt":0})",
      R"("device":{"dnt":1},"device":{"dnt":0})",
      R"("user":{"consent":)" + none + R"(,"consent":)" + all + "}",
      R"("user":{"ext":{"consent":)" + none + R"(},"ext":{"consent":)" + all + "}}",
      R"("user":{"consent":)" + none + R"(},"user":{"consent":)" + all + "}",
  };
  for (const std::string& members : stricter_first) CHECK_FALSE(Identified(members));
  const std::vector<std::string> stricter_last = {
      R"("regs":{"coppa":0,"coppa":1})",
      R"("regs":{"ext":{},"ext":{"gdpr":1}})",
      R"("regs":{"gpp":"DBABTA~1YYN","gpp_sid":[-1],"gpp_sid":[6]})",
      R"("user":{"ext":{"consent":)" + all + R"(},"ext":{"consent":)" + none + "}}",
  };
  for (const std::string& members : stricter_last) CHECK_FALSE(Identified(members));
  // Lists are joined, but not without end.
  std::string regs = R"("regs":{"gpp_sid":[6])";
  for (int i = 0; i < 64; ++i) regs += R"(,"gpp_sid":[6,7])";
  CHECK(Refused(Json(regs + "}")) == "regs.gpp_sid: has too many entries");
}

TEST_CASE("of the places of eids the new one counts unless it is empty, in any order") {
  const auto source = [](const std::string& user) {
    const ads::RequestPtr r = Accepted(Json(R"("user":{)" + user + "}"));
    return r->user.eids.empty() ? std::string() : std::string(r->user.eids[0].source);
  };
  const std::string eids = R"("eids":[{"source":"new"}])";
  const std::string ext = R"("ext":{"eids":[{"source":"old"}]})";
  CHECK(source(eids + "," + ext) == "new");
  CHECK(source(ext + "," + eids) == "new");
  CHECK(source(R"("eids":[],)" + ext) == "old");
  CHECK(source(ext + R"(,"eids":[])") == "old");
}

TEST_CASE("each error names the first field that is wrong") {
  CHECK(Refused("[]") == "request: must be an object");
  CHECK(Refused("") == "request: is empty");
  CHECK(Refused("{") == "request: is not valid JSON");
  CHECK(Refused(R"({"id":"r"})") == "imp: must contain at least one imp");
  CHECK(Refused(R"({"id":"r","imp":[]})") == "imp: must contain at least one imp");
  CHECK(Refused(R"({"imp":[{"id":"1","banner":{"w":1,"h":1}}]})") == "id: is required");
  CHECK(Refused(R"({"id":"r","imp":[{"id":"1","banner":{"w":1,"h":1}},
                                    {"id":"1","banner":{"w":1,"h":1}}]})") ==
        "imp[1].id: is not unique");
  CHECK(Refused(R"({"id":"r","imp":[3]})") == "imp[0]: must be an object");
  CHECK(Refused(R"({"id":"r","imp":"x"})") == "imp: must be an array of objects");
  CHECK(Refused(WithImp(R"("audio":{})")) ==
        "imp[0].audio.mimes: must name at least one MIME type");
  CHECK(Refused(WithImp(R"("audio":{"mimes":["a",{}]})")) ==
        "imp[0].audio.mimes[1]: must be a string");
  CHECK(Refused(Json("", R"("bidfloor":-1)")) == "imp[0].bidfloor: must not be negative");
  CHECK(Refused(Json("", R"("bidfloor":1e300)")) == "imp[0].bidfloor: is out of range");
  CHECK(Refused(Json("", R"("bidfloor":"NaN")")) == "imp[0].bidfloor: must be a number");
  CHECK(Refused(Json("", R"("bidfloor":"1e400")")) == "imp[0].bidfloor: must be a number");
  CHECK(Refused(Json("", R"("bidfloorcur":"dollar")")) ==
        "imp[0].bidfloorcur: must be a three-letter ISO 4217 code");
  CHECK(Refused(Json("", R"("exp":2147483648)")) == "imp[0].exp: is out of range");
  CHECK(Refused(Json("", R"("exp":9223372036854775808)")) == "imp[0].exp: is out of range");
  CHECK(Refused(Json("", R"("exp":1.5)")) == "imp[0].exp: must be an integer");
  CHECK(Refused(Json("", R"("instl":2)")) == "imp[0].instl: must be 0 or 1");
  CHECK(Refused(Json(R"("at":4)")) == "at: must be 1, 2, 3 or from 500 on");
  CHECK(Refused(Json(R"("cur":["USD","xx"])")) == "cur[1]: must be a three-letter ISO 4217 code");
  CHECK(Refused(Json(R"("device":"phone")")) == "device: must be an object");
  CHECK(Refused(Json(R"("regs":{"gdpr":"yes"})")) == "regs.gdpr: must be 0 or 1");
  CHECK(Refused(Json(R"("regs":{"ext":{"us_privacy":1}})")) ==
        "regs.ext.us_privacy: must be a string");
  CHECK(Refused(Json(R"("site":{"id":"s"},"dooh":{"id":"d"})")) ==
        "dooh: must not stand beside another of site, app and dooh");
  CHECK(Refused(WithImp(R"("audio":{"mimes":["a"],"minduration":30,"maxduration":15})")) ==
        "imp[0].audio.minduration: must not exceed maxduration");
  CHECK(Refused(WithImp(R"("audio":{"mimes":["a"],"startdelay":-3})")) ==
        "imp[0].audio.startdelay: is out of range");
  CHECK(Refused(WithImp(R"("audio":{"mimes":["a"],"rqddurs":[0]})")) ==
        "imp[0].audio.rqddurs[0]: must be positive");
}

TEST_CASE("hostile input is refused as a whole") {
  CHECK(Refused(Json("\"ext\":1e400")).find("number") != std::string::npos);
  CHECK(Refused(Json("\"ext\":NaN")) == "request: is not valid JSON");
  CHECK(Refused(Json("\"ext\":\"\xff\xfe\"")) == "request: is not valid UTF-8");
  CHECK(Refused(Json("\"ext\":\"\\ud800\"")).find("not valid JSON") != std::string::npos);
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK(Refused(Json("\"ext\":" + deep)) == "request: is nested too deeply");
  CHECK(Refused(std::string(100'000, '[')).starts_with("request: is"));

  Reader reader({.max_bytes = 1000});
  const absl::StatusOr<ads::RequestPtr> large =
      reader.Read(Json("\"ext\":\"" + std::string(1000, 'x') + "\""));
  CHECK(large.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Message(large.status()) == "request: is larger than 1000 bytes");

  std::string many = R"({"id":"r","imp":[)";
  for (int i = 0; i < 257; ++i) {
    if (i > 0) many += ',';
    many.append(R"({"id":)").append(std::to_string(i)).append(R"(,"banner":{"w":1,"h":1}})");
  }
  CHECK(Refused(many.append("]}")) == "imp: has more than 256 entries");
}

TEST_CASE("a request outlives its reader and the text it was read from") {
  ads::RequestPtr request;
  {
    Reader reader;
    std::string json = Json(R"("user":{"id":"listener-1"})");
    request = *reader.Read(json);
    std::fill(json.begin(), json.end(), '#');
    for (int i = 0; i < 10; ++i) REQUIRE(reader.Read(Json(R"("user":{"id":"another"})")).ok());
  }
  CHECK(request->user.id == "listener-1");
  CHECK(request->imps[0].audio->mimes[0] == "audio/mpeg");
}

TEST_CASE("padded input is read in place") {
  Reader reader;
  std::string json = Json(R"("tmax":77)");
  const size_t size = json.size();
  json.append(Reader::kPadding, '}');  // contents do not matter
  const absl::StatusOr<ads::RequestPtr> request =
      reader.ReadPadded(std::string_view(json).substr(0, size));
  REQUIRE(request.ok());
  CHECK((*request)->tmax == 77);
}

}  // namespace
}  // namespace adagents::openrtb
