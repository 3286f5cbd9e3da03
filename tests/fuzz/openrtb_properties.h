// What must hold for any input to the OpenRTB adapter; shared by the fuzz targets and the seeded
// mutations in the tests. Violations abort: a fuzzer and CTest both notice that.
#pragma once

#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/media_fit.h"
#include "adagents/ads/native_fit.h"
#include "adagents/base/status.h"
#include "adapters/xml.h"

namespace adagents::fuzz {

inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

inline const openrtb::NoticeSigner& Signer() {
  static const auto* signer = new openrtb::NoticeSigner(*openrtb::NoticeSigner::Create(
      {.base_url = "https://ads.example.com/n", .keys = {{"k1", "0123456789abcdef"}}}));
  return *signer;
}

inline absl::Time Now() { return absl::FromUnixSeconds(1'800'000'000); }

/// Reads every byte, so that a sanitizer sees a view that points nowhere.
inline void Touch(ads::Text text) {
  volatile char sum = 0;
  for (char c : text) sum = static_cast<char>(sum + c);
}
template <class T>
void TouchAll(ads::List<T> list) {
  for (const T& item : list) Touch(item);
}

inline void TouchData(ads::List<ads::Data> list) {
  for (const ads::Data& data : list) {
    Touch(data.id), Touch(data.name);
    for (const ads::Segment& s : data.segment) Touch(s.id), Touch(s.name), Touch(s.value);
  }
}

inline void CheckMedia(const ads::Media& media) {
  TouchAll(media.mimes);
  Touch(media.podid);
  Require(media.minduration.value_or(0) >= 0, "durations are not negative");
  for (int32_t duration : media.rqddurs) Require(duration > 0, "rqddurs are positive");
  for (const ads::Banner& banner : media.companionad) Touch(banner.id);
}

inline void CheckImp(const ads::Imp& imp) {
  Require(!imp.id.empty(), "imps have ids");
  Require(imp.banner || imp.video || imp.audio || imp.native, "imps offer something");
  Require(imp.bidfloor.value >= 0, "floors are not negative");
  Touch(imp.id), Touch(imp.tagid), Touch(imp.displaymanager);
  for (const ads::Deal& deal : imp.deals) {
    Require(!deal.id.empty() && deal.bidfloor.value >= 0, "deals have ids and floors");
    TouchAll(deal.wseat), TouchAll(deal.wadomain);
  }
  if (imp.audio != nullptr) {
    CheckMedia(*imp.audio);
    Require(!imp.audio->mimes.empty(), "audio has mimes");
  }
  if (imp.video != nullptr) CheckMedia(*imp.video);
  if (imp.native != nullptr) {
    Require(!imp.native->assets.empty(), "native has assets");
    Touch(imp.native->ver);
    for (const ads::NativeAsset& asset : imp.native->assets) TouchAll(asset.mimes);
  }
}

/// An accepted request keeps what reader.h promises.
inline void CheckRequest(const ads::Request& r) {
  Require(!r.id.empty() && !r.imps.empty(), "accepted requests have id and imps");
  for (size_t i = 0; i < r.imps.size(); ++i) {
    CheckImp(r.imps[i]);
    for (size_t j = 0; j < i; ++j) Require(r.imps[i].id != r.imps[j].id, "imp ids are unique");
  }
  TouchAll(r.bcat), TouchAll(r.badv), TouchAll(r.bapp), TouchAll(r.bseat), TouchAll(r.wlang);
  Touch(r.channel.page), Touch(r.channel.content.keywords), Touch(r.device.geo.country);
  TouchData(r.channel.content.data), TouchData(r.user.data);
  for (const ads::SupplyChainNode& node : r.source.schain) Touch(node.asi), Touch(node.sid);
  if (!r.consent.may_identify) {
    Require(
        r.user.id.empty() && r.user.buyeruid.empty() && r.user.eids.empty() && r.device.ifa.empty(),
        "identifiers are removed without consent");
  }
  if (r.regs.gdpr == true && r.consent.tcf != ads::TcfState::kDecoded) {
    Require(!r.consent.may_identify && !r.consent.may_locate, "consent fails closed");
  }
  if (!r.consent.may_locate) {
    Require(r.device.ip.empty() || r.device.ip.ends_with(".0"), "addresses are shortened");
  }
  Require(!r.device.geo.lat || (*r.device.geo.lat >= -90 && *r.device.geo.lat <= 90), "lat");
}

/// A campaign all of whose texts are `text` (of any bytes), with a creative of each kind.
inline ads::Campaign HostileCampaign(std::string_view text) {
  const std::string any(text);
  ads::Campaign c;
  c.id = c.advertiser = c.brand = c.seat = any;
  c.adomain = {any, any};
  c.cat = {any};
  ads::Creative creative;
  creative.id = creative.title = creative.body = creative.media_url = creative.click_through =
      creative.language = creative.call_to_action = any;
  creative.mimes = {any};
  creative.duration_ms = static_cast<int32_t>(any.size() * 997);
  creative.attr = {1, 2};
  creative.companions = {{.w = 300, .h = 250, .mime = any, .media_url = any, .click_through = any}};
  for (ads::MarkupType format : {ads::MarkupType::kAudio, ads::MarkupType::kVideo,
                                 ads::MarkupType::kBanner, ads::MarkupType::kNative}) {
    creative.format = format;
    c.creatives.push_back(creative);
  }
  return c;
}

/// Whether the imp takes what this creative would be written as: native assets, a version of VAST.
inline bool CanBeWritten(const ads::Imp& imp, const ads::Campaign& campaign,
                         const ads::Creative& creative) {
  const auto takes_vast = [](const ads::Media* media) {
    return media == nullptr || ads::BestVast(media->protocols) != ads::VastVersion::kNone;
  };
  switch (creative.format) {
    case ads::MarkupType::kAudio:
      return takes_vast(imp.audio);
    case ads::MarkupType::kVideo:
      return takes_vast(imp.video);
    case ads::MarkupType::kNative:
      return imp.native != nullptr && ads::CanFill(*imp.native, campaign, creative);
    default:
      return true;
  }
}

/// The response that bids with every creative on every imp is JSON, its VAST well-formed XML, its
/// native markup JSON, and its notices verify and carry the campaign's id byte for byte.
inline void CheckResponse(const ads::Request& request, const ads::Campaign& campaign) {
  ads::Decision decision;
  decision.id = 42;
  for (uint32_t imp = 0; imp < request.imps.size() && imp < 4; ++imp) {
    for (const ads::Creative& creative : campaign.creatives) {
      if (!CanBeWritten(request.imps[imp], campaign, creative)) continue;
      ads::Bid bid;
      bid.imp = imp;
      bid.campaign = &campaign;
      bid.creative = &creative;
      bid.price = Micros{1'234'567};
      bid.deal = 0;
      decision.bids.push_back(bid);
    }
  }
  std::string out;
  openrtb::Writer({.seat = "s", .signer = &Signer()}).Write(request, decision, Now(), &out);
  simdjson::dom::parser parser, inner;
  simdjson::dom::element root;
  Require(parser.parse(out).get(root) == simdjson::SUCCESS, "the response is JSON");
  size_t seen = 0;
  for (simdjson::dom::element seat : root["seatbid"].get_array()) {
    for (simdjson::dom::element bid : seat["bid"].get_array()) {
      ++seen;
      const std::string adm{std::string_view(bid["adm"])};
      const auto mtype = static_cast<ads::MarkupType>(int64_t(bid["mtype"]));
      if (mtype == ads::MarkupType::kAudio || mtype == ads::MarkupType::kVideo) {
        test::Xml::Parse(adm);  // throws what nobody catches
      } else if (mtype == ads::MarkupType::kNative) {
        simdjson::dom::element native;
        Require(inner.parse(adm).get(native) == simdjson::SUCCESS, "native markup is JSON");
      } else {
        test::Xml::Parse("<div>" + adm + "</div>", {"img"});
      }
      if (campaign.id.size() > openrtb::kMostNoticeIdBytes) continue;
      const absl::StatusOr<openrtb::Notice> notice =
          Signer().Verify(std::string_view(bid["nurl"]), Now());
      Require(notice.ok() && notice->campaign == campaign.id, "notices carry what was signed");
    }
  }
  Require(seen == decision.bids.size(), "every bid is written");
}

/// One input to the reader. The same reader serves all, as in production.
inline void ReadAnything(std::string_view json) {
  static auto* reader = new openrtb::Reader({.max_bytes = 64 << 10});
  const absl::StatusOr<ads::RequestPtr> request = reader->Read(json);
  if (!request.ok()) {
    Require(!Message(request.status()).empty(), "errors say something");
    return;
  }
  CheckRequest(**request);
  CheckResponse(**request, HostileCampaign((*request)->id));
}

}  // namespace adagents::fuzz
