// VAST 4.2 (IAB Tech Lab, 2019). Attributes are in single quotes, which JSON does not escape, and
// URLs in CDATA, as VAST asks; Sink::Url leaves nothing that could end a CDATA section.
#include <algorithm>

#include "adapters/openrtb/markup.h"

namespace adagents::openrtb {
namespace {

using ads::MarkupType;

struct TrackedEvent {
  std::string_view name;
  NoticeKind kind;
};
constexpr TrackedEvent kEvents[] = {
    {"start", NoticeKind::kStart},       {"firstQuartile", NoticeKind::kFirstQuartile},
    {"midpoint", NoticeKind::kMidpoint}, {"thirdQuartile", NoticeKind::kThirdQuartile},
    {"complete", NoticeKind::kComplete},
};

void TwoDigits(int32_t value, Sink* out) {
  if (value < 10) out->Char('0');
  out->Number(value);
}

/// HH:MM:SS, with .mmm where there are any.
void Duration(int32_t milliseconds, Sink* out) {
  const int32_t ms = std::max(milliseconds, 0);
  TwoDigits(ms / 3'600'000, out);
  out->Char(':');
  TwoDigits(ms / 60'000 % 60, out);
  out->Char(':');
  TwoDigits(ms / 1000 % 60, out);
  if (ms % 1000 == 0) return;
  out->Raw(ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
  out->Number(ms % 1000);
}

/// The type of the media file: the first of the creative's that the imp takes.
std::string_view Mime(const ads::Creative& creative, const ads::Media* media) {
  for (const std::string& mime : creative.mimes) {
    if (media == nullptr || media->mimes.empty() ||
        std::find(media->mimes.begin(), media->mimes.end(), mime) != media->mimes.end()) {
      return mime;
    }
  }
  if (!creative.mimes.empty()) return creative.mimes[0];
  return media == nullptr || media->mimes.empty() ? "audio/mpeg" : media->mimes[0];
}

void MediaFile(const BidContext& bid, const ads::Media* media, Sink* out) {
  const ads::Creative& creative = bid.creative;
  out->Raw("<MediaFiles><MediaFile delivery='progressive' type='");
  out->Xml(Mime(creative, media));
  if (creative.bitrate_kbps > 0) {
    out->Raw("' bitrate='");
    out->Number(creative.bitrate_kbps);
  }
  out->Raw("' width='");  // required, 0 for audio
  out->Number(bid.mtype == MarkupType::kVideo ? creative.w : 0);
  out->Raw("' height='");
  out->Number(bid.mtype == MarkupType::kVideo ? creative.h : 0);
  out->Raw("'><![CDATA[");
  out->Url(creative.media_url);
  out->Raw("]]></MediaFile></MediaFiles>");
}

void Linear(const BidContext& bid, const ads::Media* media, Sink* out) {
  const ads::Creative& creative = bid.creative;
  out->Raw("<Linear>");
  if (bid.notices) {
    out->Raw("<TrackingEvents>");
    for (const TrackedEvent& event : kEvents) {
      out->Raw("<Tracking event='");
      out->Raw(event.name);
      out->Raw("'><![CDATA[");
      bid.Notice(event.kind, out);
      out->Raw("]]></Tracking>");
    }
    out->Raw("</TrackingEvents>");
  }
  out->Raw("<Duration>");
  Duration(creative.duration_ms, out);
  out->Raw("</Duration>");
  MediaFile(bid, media, out);
  if (!creative.click_through.empty()) {
    out->Raw("<VideoClicks><ClickThrough><![CDATA[");
    out->Url(creative.click_through);
    out->Raw("]]></ClickThrough>");
    if (bid.notices) {
      out->Raw("<ClickTracking><![CDATA[");
      bid.Notice(NoticeKind::kClick, out);
      out->Raw("]]></ClickTracking>");
    }
    out->Raw("</VideoClicks>");
  }
  out->Raw("</Linear>");
}

/// Whether a companion of this size was asked for.
bool Asked(const ads::Companion& companion, const ads::Media* media) {
  if (media == nullptr) return false;
  const auto fits = [&](int32_t w, int32_t h) { return w == companion.w && h == companion.h; };
  for (const ads::Banner& banner : media->companionad) {
    if (banner.format.empty() && banner.w == 0 && banner.h == 0) return true;  // any size
    if (fits(banner.w, banner.h)) return true;
    for (const ads::Format& format : banner.format) {
      if (fits(format.w, format.h)) return true;
    }
  }
  return false;
}

void Companions(const BidContext& bid, const ads::Media* media, Sink* out) {
  bool any = false;
  for (const ads::Companion& companion : bid.creative.companions) {
    if (!Asked(companion, media)) continue;
    if (!any) out->Raw("<Creative><CompanionAds>");
    any = true;
    out->Raw("<Companion width='");
    out->Number(companion.w);
    out->Raw("' height='");
    out->Number(companion.h);
    out->Raw("'><StaticResource creativeType='");
    out->Xml(companion.mime.empty() ? "image/png" : std::string_view(companion.mime));
    out->Raw("'><![CDATA[");
    out->Url(companion.media_url);
    out->Raw("]]></StaticResource>");
    if (!companion.click_through.empty()) {
      out->Raw("<CompanionClickThrough><![CDATA[");
      out->Url(companion.click_through);
      out->Raw("]]></CompanionClickThrough>");
    }
    out->Raw("</Companion>");
  }
  if (any) out->Raw("</CompanionAds></Creative>");
}

}  // namespace

void WriteVast(const BidContext& bid, Sink* out) {
  const bool audio = bid.mtype == MarkupType::kAudio;
  const ads::Media* media = nullptr;
  if (audio) {
    media = bid.imp.audio;
  } else {
    media = bid.imp.video;
  }
  const ads::Creative& creative = bid.creative;
  out->Raw("<VAST version='4.2' xmlns='http://www.iab.com/VAST'><Ad id='");
  out->Xml(creative.id);
  out->Raw(audio ? "' adType='audio'" : "' adType='video'");
  if (bid.bid.sequence > 0) {
    out->Raw(" sequence='");
    out->Number(bid.bid.sequence);
    out->Char('\'');
  }
  out->Raw("><InLine><AdSystem>adagents</AdSystem>");
  if (bid.notices) {
    out->Raw("<Error><![CDATA[");
    bid.Notice(NoticeKind::kError, out);
    out->Raw("]]></Error><Impression><![CDATA[");
    bid.Notice(NoticeKind::kImpression, out);
    out->Raw("]]></Impression>");
  } else {
    out->Raw("<Impression><![CDATA[about:blank]]></Impression>");  // required
  }
  out->Raw("<AdServingId>");
  bid.Id(out);
  out->Raw("</AdServingId><AdTitle>");
  out->Xml(creative.title.empty() ? creative.id : creative.title);
  out->Raw("</AdTitle><Advertiser>");
  out->Xml(bid.campaign.BrandOf(creative));
  out->Raw("</Advertiser><Creatives><Creative adId='");
  out->Xml(creative.id);
  out->Raw("'><UniversalAdId idRegistry='unknown'>");
  out->Xml(creative.id);
  out->Raw("</UniversalAdId>");
  Linear(bid, media, out);
  out->Raw("</Creative>");
  Companions(bid, media, out);
  out->Raw("</Creatives></InLine></Ad></VAST>");
}

}  // namespace adagents::openrtb
