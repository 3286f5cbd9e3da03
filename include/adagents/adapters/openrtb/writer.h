// A decision out as an OpenRTB 2.6 bid response: JSON with VAST, HTML or Native 1.2 markup. VAST is
// of the highest version that the imp's `protocols` allow of 2.0, 3.0, 4.0, 4.1 and 4.2, without
// what that version does not know; 4.2 where there is no such list. Its files are progressive.
//
//   openrtb::Writer writer({.seat = "adagents", .signer = &signer});
//   std::string out;                                      // kept, so that it stops growing
//   out.clear();
//   writer.Write(*request, decision, clock.WallNow(), &out);
//
// Bids carry id, impid, price, adm, adomain, cid, crid, cat, attr, dur, mtype, dealid, w, h,
// slotinpod, language, and with a signer nurl, burl and lurl; they are grouped by their campaign's
// seat. Without bids the response is {"id": ..., "nbr": ...}. All bids of a decision must be in one
// currency, which the response names; those in another than the first's are left out, and so are
// native bids without an asset that the imp requires (see ads/native_fit.h), and audio and video
// for imps that take none of these versions (see ads/media_fit.h).
//
// Every text is escaped for each layer that it stands in (JSON, XML, HTML, URL), whatever it holds.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "adagents/adapters/openrtb/notice.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/request.h"

namespace adagents::openrtb {

struct WriterOptions {
  std::string seat = "adagents";         ///< of campaigns that name none
  const NoticeSigner* signer = nullptr;  ///< outlives the writer; nullptr: no notices, no tracking
};

/// Thread-safe: Write is const and keeps nothing. Allocates only to make `out` larger.
class Writer {
 public:
  explicit Writer(WriterOptions options = {}) : options_(std::move(options)) {}

  /// Appends the response to `request`, which `decision` answers. `now` is the time of issue that
  /// notices carry.
  void Write(const ads::Request& request, const ads::Decision& decision, absl::Time now,
             std::string* out) const;

  /// Appends the response to a request that could not be read: only `id` (as far as known) and nbr.
  static void WriteNoBid(std::string_view id, ads::Nbr nbr, std::string* out);

 private:
  WriterOptions options_;
};

}  // namespace adagents::openrtb
