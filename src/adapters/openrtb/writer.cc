#include "adagents/adapters/openrtb/writer.h"

#include "adagents/ads/media_fit.h"
#include "adagents/ads/native_fit.h"
#include "adapters/openrtb/markup.h"
#include "adapters/openrtb/sink.h"

namespace adagents::openrtb {
namespace {

using ads::Bid, ads::Decision, ads::MarkupType, ads::Nbr, ads::Request;

MarkupType KindOf(const Bid& bid) {
  return bid.mtype == MarkupType::kUnset ? bid.creative->format : bid.mtype;
}

/// Whether the imp takes a version of VAST that is written.
bool TakesVast(const ads::Media* media) {
  return media == nullptr || ads::BestVast(media->protocols) != ads::VastVersion::kNone;
}

/// Whether it can be written at all: what it points to exists, it is in the response's currency,
/// and its markup would not lack what the imp requires.
bool Writable(const Request& request, const Decision& decision, const Bid& bid) {
  if (bid.imp >= request.imps.size() || bid.campaign == nullptr || bid.creative == nullptr ||
      bid.cur != decision.bids[0].cur) {
    return false;
  }
  const ads::Imp& imp = request.imps[bid.imp];
  switch (KindOf(bid)) {
    case MarkupType::kAudio:
      return TakesVast(imp.audio);
    case MarkupType::kVideo:
      return TakesVast(imp.video);
    case MarkupType::kNative:
      return imp.native != nullptr && ads::CanFill(*imp.native, *bid.campaign, *bid.creative);
    case MarkupType::kBanner:
    case MarkupType::kUnset:
      break;
  }
  return true;
}

std::string_view SeatOf(const Bid& bid, std::string_view otherwise) {
  return bid.campaign->seat.empty() ? otherwise : std::string_view(bid.campaign->seat);
}

void Member(std::string_view name, std::string_view text, Sink* out) {
  if (text.empty()) return;
  out->Raw(name);
  out->Json(text);
  out->Char('"');
}

void Member(std::string_view name, int32_t number, Sink* out) {
  if (number == 0) return;
  out->Raw(name);
  out->Number(number);
}

template <class Texts>
void TextList(std::string_view name, const Texts& texts, Sink* out) {
  if (texts.empty()) return;
  out->Raw(name);
  bool first = true;
  for (const auto& text : texts) {
    out->Raw(first ? "\"" : ",\"");
    out->Json(text);
    out->Char('"');
    first = false;
  }
  out->Char(']');
}

void Attributes(const ads::Creative& creative, Sink* out) {
  if (creative.attr.empty()) return;
  out->Raw(",\"attr\":[");
  bool first = true;
  for (uint8_t attribute : creative.attr) {
    if (!first) out->Char(',');
    out->Number(static_cast<unsigned>(attribute));
    first = false;
  }
  out->Char(']');
}

void Notices(const NoticeSigner& signer, int64_t now, BidContext* bid, Sink* out) {
  const NoticeSubject subject{.decision = bid->decision,
                              .bid = bid->index,
                              .imp = bid->bid.imp,
                              .campaign = bid->campaign.id,
                              .creative = bid->creative.id,
                              .price = bid->bid.price,
                              .cur = bid->bid.cur,
                              .reservation = bid->bid.reservation,
                              .test = bid->request.test};
  out->Raw(",\"nurl\":\"");
  bid->common_from = out->size();
  bid->key = signer.AppendCommon(subject, now, out);
  bid->common_size = out->size() - bid->common_from;
  bid->notices = true;
  NoticeSigner::AppendKind(bid->key, NoticeKind::kWin, out);
  out->Raw("\",\"burl\":\"");
  bid->Notice(NoticeKind::kBilling, out);
  out->Raw("\",\"lurl\":\"");
  bid->Notice(NoticeKind::kLoss, out);
  out->Char('"');
}

void Markup(const BidContext& bid, Sink* out) {
  out->Raw(",\"adm\":\"");
  switch (bid.mtype) {
    case MarkupType::kAudio:
    case MarkupType::kVideo:
      WriteVast(bid, out);
      break;
    case MarkupType::kNative:
      WriteNative(bid, out);
      break;
    case MarkupType::kBanner:
    case MarkupType::kUnset:
      WriteHtml(bid, out);
      break;
  }
  out->Char('"');
}

int32_t Seconds(const BidContext& bid) {
  if (bid.bid.dur > 0) return bid.bid.dur;
  return (bid.creative.duration_ms + 500) / 1000;
}

void WriteBid(BidContext* bid, const NoticeSigner* signer, int64_t now, Sink* out) {
  const ads::Creative& creative = bid->creative;
  out->Raw("{\"id\":\"");
  bid->Id(out);
  out->Raw("\",\"impid\":\"");
  out->Json(bid->imp.id);
  out->Raw("\",\"price\":");
  out->Money(bid->bid.price);
  TextList(",\"adomain\":[", bid->campaign.adomain, out);
  Member(",\"cid\":\"", bid->campaign.id, out);
  Member(",\"crid\":\"", creative.id, out);
  TextList(",\"cat\":[", bid->campaign.cat, out);
  Attributes(creative, out);
  Member(",\"mtype\":", static_cast<int32_t>(bid->mtype), out);
  if (bid->bid.deal >= 0 && static_cast<size_t>(bid->bid.deal) < bid->imp.deals.size()) {
    Member(",\"dealid\":\"", bid->imp.deals[static_cast<size_t>(bid->bid.deal)].id, out);
  }
  const bool timed = bid->mtype == MarkupType::kAudio || bid->mtype == MarkupType::kVideo;
  if (timed) Member(",\"dur\":", Seconds(*bid), out);
  Member(",\"w\":", bid->bid.w, out);
  Member(",\"h\":", bid->bid.h, out);
  Member(",\"slotinpod\":", bid->bid.slotinpod, out);
  Member(",\"language\":\"", creative.language, out);
  if (signer != nullptr) Notices(*signer, now, bid, out);
  Markup(*bid, out);
  out->Char('}');
}

}  // namespace

void Writer::WriteNoBid(std::string_view id, Nbr nbr, std::string* out) {
  Sink sink(out);
  sink.Raw("{\"id\":\"");
  sink.Json(id);
  sink.Raw("\",\"nbr\":");
  sink.Number(static_cast<int>(nbr == Nbr::kNone ? Nbr::kUnknownError : nbr));
  sink.Char('}');
}

void Writer::Write(const Request& request, const Decision& decision, absl::Time now,
                   std::string* out) const {
  size_t writable = 0;
  for (const Bid& bid : decision.bids) writable += Writable(request, decision, bid) ? 1 : 0;
  if (writable == 0) {
    return WriteNoBid(request.id, decision.bids.empty() ? decision.nbr : Nbr::kTechnicalError, out);
  }
  const int64_t seconds = absl::ToUnixSeconds(now);
  Sink sink(out);
  sink.Raw("{\"id\":\"");
  sink.Json(request.id);
  sink.Raw("\",\"bidid\":\"");
  sink.Hex(decision.id);
  sink.Raw("\",\"cur\":\"");
  sink.Raw(decision.bids[0].cur.code());
  sink.Raw("\",\"seatbid\":[");
  bool first_seat = true;
  for (size_t i = 0; i < decision.bids.size(); ++i) {
    if (!Writable(request, decision, decision.bids[i])) continue;
    const std::string_view seat = SeatOf(decision.bids[i], options_.seat);
    const auto same_seat = [&](const Bid& bid) {
      return Writable(request, decision, bid) && SeatOf(bid, options_.seat) == seat;
    };
    bool seen = false;
    for (size_t j = 0; j < i; ++j) seen = seen || same_seat(decision.bids[j]);
    if (seen) continue;
    sink.Raw(first_seat ? "{\"seat\":\"" : ",{\"seat\":\"");
    first_seat = false;
    sink.Json(seat);
    sink.Raw("\",\"bid\":[");
    for (size_t j = i; j < decision.bids.size(); ++j) {
      const Bid& bid = decision.bids[j];
      if (!same_seat(bid)) continue;
      if (j != i) sink.Char(',');
      BidContext context{.request = request,
                         .imp = request.imps[bid.imp],
                         .bid = bid,
                         .campaign = *bid.campaign,
                         .creative = *bid.creative,
                         .decision = decision.id,
                         .index = static_cast<uint32_t>(j),
                         .mtype = KindOf(bid)};
      WriteBid(&context, options_.signer, seconds, &sink);
    }
    sink.Raw("]}");
  }
  sink.Raw("]}");
}

}  // namespace adagents::openrtb
