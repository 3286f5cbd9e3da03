// Native 1.2 responses: JSON that stands as text in JSON. It is written once plainly and then
// escaped as a whole.
#include "adapters/openrtb/markup.h"

namespace adagents::openrtb {
namespace {

using ads::NativeAsset, ads::NativeAssetKind;

// Native 1.2, section 7.4 and 7.3.
enum DataType { kSponsored = 1, kDesc = 2, kDisplayUrl = 11, kCtaText = 12 };
enum EventType { kImpressionEvent = 1, kImagePixel = 1 };

/// At most `most` characters, the last an ellipsis where text was cut.
void Shortened(std::string_view text, ads::Int most, Sink* out) {
  if (!most || *most <= 0) return out->Json(text);
  const auto limit = static_cast<size_t>(*most);
  size_t at = 0, before_last = 0, characters = 0;
  while (at < text.size() && characters < limit) {
    before_last = at;
    const size_t n = Utf8Length(text.substr(at));
    at += n == 0 ? 1 : n;
    ++characters;
  }
  if (at == text.size()) return out->Json(text);
  out->Json(text.substr(0, before_last));
  out->Json("\u2026");
}

std::string_view DataText(const BidContext& bid, const NativeAsset& asset) {
  switch (asset.type.value_or(0)) {
    case kSponsored:
      return bid.creative.brand.empty() ? bid.campaign.brand_or_advertiser()
                                        : std::string_view(bid.creative.brand);
    case kDesc:
      return bid.creative.body;
    case kDisplayUrl:
      return bid.campaign.adomain.empty() ? std::string_view() : bid.campaign.adomain[0];
    case kCtaText:
      return bid.creative.call_to_action;
    default:
      return {};
  }
}

/// {"id":1,"title":{"text":"..."}}, or nothing and false if the creative does not have it.
bool Asset(const BidContext& bid, const NativeAsset& asset, bool first, Sink* out) {
  const auto open = [&](std::string_view member) {
    out->Raw(first ? "{\"id\":" : ",{\"id\":");
    out->Number(asset.id);
    out->Raw(asset.required ? ",\"required\":1,\"" : ",\"");
    out->Raw(member);
  };
  switch (asset.kind) {
    case NativeAssetKind::kTitle:
      if (bid.creative.title.empty()) return false;
      open("title\":{\"text\":\"");
      Shortened(bid.creative.title, asset.len, out);
      break;
    case NativeAssetKind::kData: {
      const std::string_view text = DataText(bid, asset);
      if (text.empty()) return false;
      open("data\":{\"value\":\"");
      Shortened(text, asset.len, out);
      break;
    }
    case NativeAssetKind::kImage:
      if (bid.creative.media_url.empty()) return false;
      open("img\":{\"url\":\"");
      out->Url(bid.creative.media_url);
      if (bid.creative.w > 0 && bid.creative.h > 0) {
        out->Raw("\",\"w\":");
        out->Number(bid.creative.w);
        out->Raw(",\"h\":");
        out->Number(bid.creative.h);
        out->Raw("}}");
        return true;
      }
      break;
    case NativeAssetKind::kVideo:
      return false;  // native creatives have no video
  }
  out->Raw("\"}}");
  return true;
}

void EventTrackers(const BidContext& bid, Sink* out) {
  for (const ads::NativeEventTracker& tracker : bid.imp.native->eventtrackers) {
    if (tracker.event != kImpressionEvent) continue;
    for (int32_t method : tracker.methods) {
      if (method != kImagePixel) continue;
      out->Raw(",\"eventtrackers\":[{\"event\":1,\"method\":1,\"url\":\"");
      bid.Notice(NoticeKind::kImpression, out);
      return out->Raw("\"}]");
    }
  }
  // Those who ask for no tracker understand the older member.
  out->Raw(",\"imptrackers\":[\"");
  bid.Notice(NoticeKind::kImpression, out);
  out->Raw("\"]");
}

}  // namespace

void WriteNative(const BidContext& bid, Sink* out) {
  const size_t from = out->size();
  out->Raw("{\"ver\":\"1.2\",\"assets\":[");
  bool first = true;
  if (bid.imp.native != nullptr) {
    for (const NativeAsset& asset : bid.imp.native->assets) {
      if (Asset(bid, asset, first, out)) first = false;
    }
  }
  out->Raw("],\"link\":{\"url\":\"");
  out->Url(bid.creative.click_through);
  if (bid.notices) {
    out->Raw("\",\"clicktrackers\":[\"");
    bid.Notice(NoticeKind::kClick, out);
    out->Raw("\"]}");
    if (bid.imp.native != nullptr) EventTrackers(bid, out);
  } else {
    out->Raw("\"}");
  }
  out->Char('}');
  out->EscapeSince(from);
}

}  // namespace adagents::openrtb
