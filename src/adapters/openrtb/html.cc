#include "adapters/openrtb/markup.h"

namespace adagents::openrtb {

void BidContext::HtmlNotice(NoticeKind kind, Sink* out) const {
  constexpr size_t kLongestEscape = 5;  // &amp;
  out->Reserve(common_size * kLongestEscape);
  out->HtmlUrl(out->Written(common_from, common_size));
  const size_t from = out->size();
  NoticeSigner::AppendKind(key, kind, out);
  char tail[64];  // "&k=i&s=" and 16 digits and "&ap=${AUCTION_PRICE}"
  const size_t n = out->Since(from).copy(tail, sizeof(tail));
  out->Cut(from);
  out->HtmlUrl({tail, n});
}

void WriteHtml(const BidContext& bid, Sink* out) {
  const ads::Creative& creative = bid.creative;
  if (!creative.markup.empty()) {
    out->Json(creative.markup);
  } else {
    const bool linked = !creative.click_through.empty();
    if (linked) {
      out->Raw("<a href='");
      out->HtmlUrl(creative.click_through);
      if (bid.notices) {
        out->Raw("' ping='");
        bid.HtmlNotice(NoticeKind::kClick, out);
      }
      out->Raw("' target='_blank' rel='noopener'>");
    }
    out->Raw("<img src='");
    out->HtmlUrl(creative.media_url);
    if (bid.bid.w > 0 && bid.bid.h > 0) {
      out->Raw("' width='");
      out->Number(bid.bid.w);
      out->Raw("' height='");
      out->Number(bid.bid.h);
    }
    out->Raw("' alt='");
    out->Xml(creative.title);
    out->Raw("'>");
    if (linked) out->Raw("</a>");
  }
  if (bid.notices) {
    out->Raw("<img src='");
    bid.HtmlNotice(NoticeKind::kImpression, out);
    out->Raw("' width='1' height='1' alt='' style='position:absolute'>");
  }
}

}  // namespace adagents::openrtb
