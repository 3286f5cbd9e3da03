// VAST 2.0 to 4.2 (IAB Tech Lab, 2009 to 2019), whichever the imp takes. Elements stand in the
// order of each version's schema, which 4.0 changed. Attributes are in single quotes, which JSON
// does not escape, and URLs in CDATA, as VAST asks; Sink::Url leaves nothing that could end a CDATA
// section.
#include <algorithm>

#include "adagents/ads/media_fit.h"
#include "adapters/openrtb/markup.h"

namespace adagents::openrtb {
namespace {

using ads::MarkupType, ads::VastVersion;

/// One ad being written.
struct Ad {
  const BidContext& bid;
  const ads::Media* media;  // of the imp; nullptr: not offered
  VastVersion version;

  const ads::Creative& creative() const { return bid.creative; }
};

std::string_view Number(VastVersion version) {
  switch (version) {
    case VastVersion::k20:
      return "2.0";
    case VastVersion::k30:
      return "3.0";
    case VastVersion::k40:
      return "4.0";
    case VastVersion::k41:
      return "4.1";
    case VastVersion::k42:
    case VastVersion::kNone:
      break;
  }
  return "4.2";
}

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

/// HH:MM:SS, with .mmm where there are any; 2.0 knows only seconds.
void Duration(const Ad& ad, Sink* out) {
  int32_t ms = std::max(ad.creative().duration_ms, 0);
  if (ad.version == VastVersion::k20) ms = static_cast<int32_t>((int64_t{ms} + 500) / 1000 * 1000);
  out->Raw("<Duration>");
  TwoDigits(ms / 3'600'000, out);
  out->Char(':');
  TwoDigits(ms / 60'000 % 60, out);
  out->Char(':');
  TwoDigits(ms / 1000 % 60, out);
  if (ms % 1000 != 0) {
    out->Raw(ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
    out->Number(ms % 1000);
  }
  out->Raw("</Duration>");
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

/// What `delivery` may say is "streaming" or "progressive": a download is the latter too.
void MediaFile(const Ad& ad, Sink* out) {
  const ads::Creative& creative = ad.creative();
  const bool video = ad.bid.mtype == MarkupType::kVideo;
  out->Raw("<MediaFiles><MediaFile delivery='progressive' type='");
  out->Xml(Mime(creative, ad.media));
  if (creative.bitrate_kbps > 0) {
    out->Raw("' bitrate='");
    out->Number(creative.bitrate_kbps);
  }
  out->Raw("' width='");  // required, 0 for audio
  out->Number(video ? creative.w : 0);
  out->Raw("' height='");
  out->Number(video ? creative.h : 0);
  out->Raw("'><![CDATA[");
  out->Url(creative.media_url);
  out->Raw("]]></MediaFile></MediaFiles>");
}

void TrackingEvents(const Ad& ad, Sink* out) {
  if (!ad.bid.notices) return;
  out->Raw("<TrackingEvents>");
  for (const TrackedEvent& event : kEvents) {
    out->Raw("<Tracking event='");
    out->Raw(event.name);
    out->Raw("'><![CDATA[");
    ad.bid.Notice(event.kind, out);
    out->Raw("]]></Tracking>");
  }
  out->Raw("</TrackingEvents>");
}

void ClickTracking(const Ad& ad, Sink* out) {
  if (!ad.bid.notices) return;
  out->Raw("<ClickTracking><![CDATA[");
  ad.bid.Notice(NoticeKind::kClick, out);
  out->Raw("]]></ClickTracking>");
}

void VideoClicks(const Ad& ad, Sink* out) {
  if (ad.creative().click_through.empty()) return;
  const bool tracking_first = ad.version >= VastVersion::k40;
  out->Raw("<VideoClicks>");
  if (tracking_first) ClickTracking(ad, out);
  out->Raw("<ClickThrough><![CDATA[");
  out->Url(ad.creative().click_through);
  out->Raw("]]></ClickThrough>");
  if (!tracking_first) ClickTracking(ad, out);
  out->Raw("</VideoClicks>");
}

void Linear(const Ad& ad, Sink* out) {
  out->Raw("<Linear>");
  if (ad.version >= VastVersion::k40) {
    TrackingEvents(ad, out);
    Duration(ad, out);
    MediaFile(ad, out);
    VideoClicks(ad, out);
  } else {
    Duration(ad, out);
    TrackingEvents(ad, out);
    VideoClicks(ad, out);
    MediaFile(ad, out);
  }
  out->Raw("</Linear>");
}

/// Each Creative must have one from 4.0 on, companions' too. 4.0 has it in an attribute as well.
void UniversalAdId(const Ad& ad, Sink* out) {
  if (ad.version < VastVersion::k40) return;
  out->Raw("<UniversalAdId idRegistry='unknown");
  if (ad.version == VastVersion::k40) {
    out->Raw("' idValue='");
    out->Xml(ad.creative().id);
  }
  out->Raw("'>");
  out->Xml(ad.creative().id);
  out->Raw("</UniversalAdId>");
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

void Companions(const Ad& ad, Sink* out) {
  bool any = false;
  for (const ads::Companion& companion : ad.creative().companions) {
    if (!Asked(companion, ad.media)) continue;
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
  if (!any) return;
  out->Raw("</CompanionAds>");
  UniversalAdId(ad, out);
  out->Raw("</Creative>");
}

void Error(const Ad& ad, Sink* out) {
  if (!ad.bid.notices) return;
  out->Raw("<Error><![CDATA[");
  ad.bid.Notice(NoticeKind::kError, out);
  out->Raw("]]></Error>");
}

void Impression(const Ad& ad, Sink* out) {
  out->Raw("<Impression><![CDATA[");
  if (ad.bid.notices) {
    ad.bid.Notice(NoticeKind::kImpression, out);
  } else {
    out->Raw("about:blank");  // the element is required
  }
  out->Raw("]]></Impression>");
}

void TitleAndAdvertiser(const Ad& ad, Sink* out) {
  out->Raw("<AdTitle>");
  out->Xml(ad.creative().title.empty() ? ad.creative().id : ad.creative().title);
  out->Raw("</AdTitle>");
  if (ad.version == VastVersion::k20) return;
  out->Raw("<Advertiser>");
  out->Xml(ad.bid.campaign.BrandOf(ad.creative()));
  out->Raw("</Advertiser>");
}

/// What of InLine stands before its Creatives.
void Head(const Ad& ad, Sink* out) {
  out->Raw("<AdSystem>adagents</AdSystem>");
  if (ad.version < VastVersion::k40) {
    TitleAndAdvertiser(ad, out);
    Error(ad, out);
    Impression(ad, out);
    return;
  }
  Error(ad, out);
  Impression(ad, out);
  if (ad.version >= VastVersion::k41) {
    out->Raw("<AdServingId>");
    ad.bid.Id(out);
    out->Raw("</AdServingId>");
  }
  TitleAndAdvertiser(ad, out);
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
  const Ad ad{bid, media, media == nullptr ? VastVersion::k42 : ads::BestVast(media->protocols)};
  out->Raw("<VAST version='");
  out->Raw(Number(ad.version));
  if (ad.version >= VastVersion::k40) out->Raw("' xmlns='http://www.iab.com/VAST");
  out->Raw("'><Ad id='");
  out->Xml(bid.creative.id);
  if (ad.version >= VastVersion::k41) out->Raw(audio ? "' adType='audio" : "' adType='video");
  if (bid.bid.sequence > 0 && ad.version >= VastVersion::k30) {
    out->Raw("' sequence='");
    out->Number(bid.bid.sequence);
  }
  out->Raw("'><InLine>");
  Head(ad, out);
  out->Raw("<Creatives><Creative ");
  out->Raw(ad.version >= VastVersion::k40 ? "adId='" : "AdID='");
  out->Xml(bid.creative.id);
  out->Raw("'>");
  Linear(ad, out);
  UniversalAdId(ad, out);
  out->Raw("</Creative>");
  Companions(ad, out);
  out->Raw("</Creatives></InLine></Ad></VAST>");
}

}  // namespace adagents::openrtb
