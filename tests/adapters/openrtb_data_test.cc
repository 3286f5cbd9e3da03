// Recordings and third-party samples: all real traffic is read, and of the samples exactly those
// are refused that break OpenRTB or Native 1.2 themselves.
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/status.h"
#include "adapters/data_files.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

using test::DataFile;
using test::Lines;

/// "" if accepted, else the error.
std::string ErrorOf(Reader& reader, const std::string& json) {
  const absl::StatusOr<ads::RequestPtr> request = reader.Read(json);
  return request.ok() ? "" : std::string(Message(request.status()));
}

/// File name (the last part of `source`) to error; "" where the sample must be accepted.
using Expected = std::map<std::string, std::string>;

void CheckSamples(const std::string& file, const Expected& refused, const Expected& accepted) {
  const std::string path = DataFile(file);
  if (path.empty()) return;
  Reader reader;
  size_t seen = 0;
  for (const std::string& line : Lines(path)) {
    const nlohmann::json sample = nlohmann::json::parse(line);
    const std::string source = sample.at("source");
    const std::string name = source.substr(source.rfind('/') + 1);
    const std::string error = ErrorOf(reader, sample.at("request").dump());
    INFO(source);
    ++seen;
    if (refused.count(name) != 0) {
      CHECK(error == refused.at(name));
    } else if (accepted.count(name) != 0 || accepted.empty()) {
      CHECK(error == "");
    } else {
      FAIL("not classified; the reader says: " << error);
    }
  }
  CHECK(seen > 0);
}

// Each breaks a rule of OpenRTB 2.6 or Native 1.2: a required field or member is absent, a number
// is negative, a value is in no list, or objects exclude each other.
const Expected kBreaksOpenRtb = {
    {"audio-sequence-negative.json", "imp[0].audio.sequence: must not be negative"},
    {"audio-maxbitrate-negative.json", "imp[0].audio.maxbitrate: must not be negative"},
    {"audio-mimes-empty.json", "imp[0].audio.mimes: must name at least one MIME type"},
    {"video-mimes-empty.json", "imp[0].video.mimes: must name at least one MIME type"},
    {"banner-h-only.json", "imp[0].banner: must give a size: w and h, or format"},
    {"banner-no-size.json", "imp[0].banner: must give a size: w and h, or format"},
    {"banner-wmax.json", "imp[0].banner: must give a size: w and h, or format"},
    {"format-no-height.json", "imp[0].banner.format[0].h: must give a size: w and h, or a ratio"},
    {"format-w-negative.json", "imp[0].banner.format[0].w: must not be negative"},
    {"format-wratio-negative.json", "imp[0].banner.format[0].wratio: must not be negative"},
    {"deal-no-id.json", "imp[0].pmp.deals[0].id: is required"},
    {"device-ppi-negative.json", "device.ppi: must not be negative"},
    {"device-w-negative.json", "device.w: must not be negative"},
    {"empty-object.json", "id: is required"},
    {"only-request-id.json", "imp: must contain at least one imp"},
    {"imp-empty-object.json", "imp[0].id: is required"},
    {"imp-no-type.json", "imp[0]: must offer banner, video, audio or native"},
    {"metric-empty-object.json", "imp[0].metric[0].type: is required"},
    {"site-app-both.json", ""},  // the order of the two decides which is named; see below
    {"regs-ext-malformed.json", "regs.ext: must be an object"},
    {"user-ext-consent-int.json", "user.ext.consent: must be a string"},
    {"empty.json", "imp[0].native.request: is required"},
    {"asset-empty.json", "imp[0].native.request.assets: must contain at least one asset"},
    {"asset-mixed-type.json",
     "imp[0].native.request.assets[0]: must be exactly one of title, img, video and data"},
    {"assets-with-dup-ids.json", "imp[0].native.request.assets[1].id: is not unique"},
    {"assets-with-partial-ids.json",
     "imp[0].native.request.assets[1].id: some assets have an id, some none"},
    {"asset-img-wmin-negative.json",
     "imp[0].native.request.assets[0].img.wmin: must not be negative"},
    {"asset-img-hmin-negative.json",
     "imp[0].native.request.assets[0].img.hmin: must not be negative"},
    {"asset-video-no-minduration.json",
     "imp[0].native.request.assets[0].video.minduration: is required"},
    {"asset-video-no-protocols.json",
     "imp[0].native.request.assets[0].video.protocols: is required"},
    {"asset-video-protocols-empty.json",
     "imp[0].native.request.assets[0].video.protocols: is required"},
    {"asset-data-no-type.json", "imp[0].native.request.assets[0].data.type: is required"},
    {"asset-data-invalid-type.json",
     "imp[0].native.request.assets[0].data.type: is not a listed data type"},
    {"request-context-invalid.json", "imp[0].native.request.context: is not a listed context type"},
    {"request-plcmttype-invalid.json",
     "imp[0].native.request.plcmttype: is not a listed placement type"},
    {"context-type-social-incompatible-subtype.json",
     "imp[0].native.request.contextsubtype: does not belong to its context"},
    {"contextsubtype-negative.json", "imp[0].native.request.contextsubtype: must not be negative"},
    {"eventtracker-empty.json", "imp[0].native.request.eventtrackers[0].event: is required"},
    {"eventtracker-event-large.json",
     "imp[0].native.request.eventtrackers[0].event: is not a listed event"},
    {"eventtracker-methods-empty.json",
     "imp[0].native.request.eventtrackers[0].methods: must name at least one method"},
};

// Each is valid OpenRTB: only prebid's own extensions (ext.prebid, bidders' parameters in imp.ext)
// or its own demand for a site, app or dooh object, which OpenRTB recommends, are broken.
const Expected kBreaksOnlyPrebid = {
    {"alias-unknown-core.json", ""},
    {"bid-adj-factors-case-invalid-same-bidder-names.json", ""},
    {"bid-adjustment-invalid-bidder.json", ""},
    {"bid-adjustment-negative.json", ""},
    {"cache-nothing.json", ""},
    {"imp-ext-empty.json", ""},
    {"imp-ext-unknown-bidder.json", ""},
    {"interstital-bad-perc.json", ""},
    {"invalid-bidder-params.json", ""},
    {"no-site-or-app-or-dooh.json", ""},
    {"storedrequest-id-int.json", ""},
    {"user-ext-prebid-buyeruids-empty.json", ""},
    {"user-ext-prebid-empty.json", ""},
};

TEST_CASE(
    "of invalid samples those that break OpenRTB are refused, those that break prebid are not") {
  Expected refused = kBreaksOpenRtb;
  // nlohmann sorts keys, so app comes first.
  refused["site-app-both.json"] = "site: must not stand beside another of site, app and dooh";
  CheckSamples("openrtb/invalid-samples.ndjson", refused, kBreaksOnlyPrebid);
}

TEST_CASE("every valid sample is accepted") {
  CheckSamples("openrtb/valid-samples.ndjson", {}, {});
}

TEST_CASE("audio samples are accepted unless they break OpenRTB") {
  const Expected refused = {
      // Three audio objects without mimes, which 2.6 requires.
      {"unknown-mediatype.json", "imp[0].audio.mimes: must name at least one MIME type"},
      {"only-video-banner.json", "imp[0].audio.mimes: must name at least one MIME type"},
      {"bad_request_no_support_audio.json", "imp[0].audio.mimes: must name at least one MIME type"},
      // A banner without size (and the id of an imp twice).
      {"invalid-params.json", "imp[0].banner: must give a size: w and h, or format"},
      // "placeholder request" is not a native request.
      {"multiformat-impression.json", "imp[0].native.request: is not valid JSON"},
  };
  CheckSamples("openrtb/audio-samples.ndjson", refused, {});
}

TEST_CASE("all recorded requests are read") {
  const std::pair<const char*, size_t> kRecordings[] = {
      {"openrtb/web-auctions-2012.ndjson.xz", 14000}, {"openrtb/app-requests-2016.ndjson.xz", 700}};
  for (const auto& [file, count] : kRecordings) {
    const std::string path = DataFile(file);
    if (path.empty()) continue;
    Reader reader;
    size_t read = 0, imps = 0;
    double last = 0;
    for (const std::string& line : Lines(path)) {
      const absl::StatusOr<ads::RequestPtr> request = reader.Read(line);
      INFO(line);
      REQUIRE(request.status() == absl::OkStatus());
      const ads::Request& r = **request;
      REQUIRE(!r.id.empty());
      REQUIRE(r.arrival.has_value());
      CHECK(*r.arrival + 1 >= last);
      last = *r.arrival;
      ++read;
      imps += r.imps.size();
    }
    CHECK(read == count);
    CHECK(imps >= count);
  }
}

TEST_CASE("what is read from a recorded request equals what is in its JSON") {
  const std::string path = DataFile("openrtb/web-auctions-2012.ndjson.xz");
  if (path.empty()) return;
  Reader reader;
  const auto text = [](const nlohmann::json& object, const char* key) -> std::string {
    return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
  };
  for (const std::string& line : Lines(path)) {
    const nlohmann::json json = nlohmann::json::parse(line);
    const absl::StatusOr<ads::RequestPtr> request = reader.Read(line);
    REQUIRE(request.ok());
    const ads::Request& r = **request;
    const nlohmann::json& imp = json["imp"][0];
    REQUIRE(r.id == text(json, "id"));
    REQUIRE(r.imps.size() == json["imp"].size());
    REQUIRE(r.imps[0].bidfloor == *Micros::FromUnits(imp["bidfloor"].get<double>()));
    REQUIRE(r.imps[0].banner != nullptr);
    REQUIRE(r.imps[0].banner->format[0].w == imp["banner"]["format"][0]["w"].get<int>());
    REQUIRE(r.channel.page == text(json["site"], "page"));
    REQUIRE(r.device.ua == text(json["device"], "ua"));
    REQUIRE(r.device.ip == text(json["device"], "ip"));
    REQUIRE(r.device.geo.city == text(json["device"]["geo"], "city"));
    if (json.contains("user")) REQUIRE(r.user.id == text(json["user"], "id"));
    REQUIRE(r.badv.size() == (json.contains("badv") ? json["badv"].size() : 0));
    for (size_t i = 0; i < r.badv.size(); ++i) {
      REQUIRE(r.badv[i] == json["badv"][i].get<std::string>());
    }
    REQUIRE(*r.tmax == json["tmax"].get<int>());
    REQUIRE(r.arrival == json["ext"]["arrival"].get<double>());
  }
}

}  // namespace
}  // namespace adagents::openrtb
