// Native 1.2 responses: JSON that stands as text in JSON. It is written once plainly and then
// escaped as a whole.
#include "adagents/ads/native_fit.h"
#include "adapters/openrtb/markup.h"

namespace adagents::openrtb {
namespace {

using ads::NativeAsset, ads::NativeAssetKind;

// Native 1.2, sections 7.6 and 7.7.
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

/// {"id":1,"title":{"text":"..."}}, or nothing and false if the creative does not have it.
bool Asset(const BidContext& bid, const NativeAsset& asset, bool first, Sink* out) {
  const std::string_view content = ads::NativeContent(asset, bid.campaign, bid.creative);
  if (content.empty()) return false;
  out->Raw(first ? "{\"id\":" : ",{\"id\":");
  out->Number(asset.id);
  if (asset.required) out->Raw(",\"required\":1");
  if (asset.kind != NativeAssetKind::kImage) {
    const bool title = asset.kind == NativeAssetKind::kTitle;
    out->Raw(title ? ",\"title\":{\"text\":\"" : ",\"data\":{\"value\":\"");
    Shortened(content, asset.len, out);
    out->Raw("\"}}");
    return true;
  }
  out->Raw(",\"img\":{\"url\":\"");
  out->Url(content);
  out->Char('"');
  if (bid.creative.w > 0 && bid.creative.h > 0) {
    out->Raw(",\"w\":");
    out->Number(bid.creative.w);
    out->Raw(",\"h\":");
    out->Number(bid.creative.h);
  }
  out->Raw("}}");
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
