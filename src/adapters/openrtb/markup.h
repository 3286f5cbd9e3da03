// What a bid's `adm` holds, by kind of markup.
#pragma once

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/request.h"
#include "adapters/openrtb/sink.h"

namespace adagents::openrtb {

/// One bid being written.
struct BidContext {
  const ads::Request& request;
  const ads::Imp& imp;
  const ads::Bid& bid;
  const ads::Campaign& campaign;
  const ads::Creative& creative;
  uint64_t decision = 0;
  uint32_t index = 0;  // of the bid in the decision
  ads::MarkupType mtype = ads::MarkupType::kUnset;

  // The URL that all notices of the bid share has been written already, here.
  bool notices = false;
  NoticeSigner::BidKey key{};
  size_t common_from = 0, common_size = 0;

  /// A notice's URL; safe in JSON and CDATA.
  void Notice(NoticeKind kind, Sink* out) const {
    out->Again(common_from, common_size);
    NoticeSigner::AppendKind(key, kind, out);
  }
  /// The same in an HTML attribute, without parameters to fill in but the price.
  void HtmlNotice(NoticeKind kind, Sink* out) const;
  /// The bid's id: the decision's and its index.
  void Id(Sink* out) const {
    out->Hex(decision);
    out->Char('-');
    out->Number(index);
  }
};

/// VAST for audio and video, of the version that the imp takes. All three write text that is ready
/// to stand in a JSON string.
void WriteVast(const BidContext& bid, Sink* out);
/// HTML: the creative's own markup, or a linked image, and an impression pixel.
void WriteHtml(const BidContext& bid, Sink* out);
/// A Native 1.2 response: the assets that were asked for, as far as the creative has them.
void WriteNative(const BidContext& bid, Sink* out);

}  // namespace adagents::openrtb
