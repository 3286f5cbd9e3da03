// OpenRTB 2.6 JSON in, ads::Request out. Strict where the specification is, lenient where real
// exchanges are wrong; what it accepts has been checked, so agents need not.
//
//   openrtb::Reader reader;                                // one per thread, kept
//   absl::StatusOr<ads::RequestPtr> request = reader.Read(json);
//   if (!request.ok()) Log(request.status());              // "imp[0].audio.mimes: must name at
//                                                          //  least one MIME type"
//
// Refused, with the path of the first field that is wrong:
//   - what is not JSON, not UTF-8, larger or deeper than the options allow, or holds a number that
//     no double or 64-bit integer can (1e400); numbers below zero or above 2^31-1 where the
//     specification has small counts, and whole numbers where it has them
//   - without id, without imp, with an imp without id or with an id twice, with an imp that offers
//     none of banner, video, audio and native; more than `max_imps`
//   - two of site, app and dooh
//   - audio without mimes, video with an empty list of them; minduration above maxduration,
//     minbitrate above maxbitrate
//   - a banner without any size (not interstitial), a format without one
//   - pmp.deals without id; metric without type or value
//   - native.request that is not a Native 1.2 request: its assets (one kind each, ids unique, len of
//     titles, type of data, all of a video), context, contextsubtype, plcmttype, eventtrackers
//   - consent and privacy strings that are not strings, flags that are not 0 or 1, an ext of regs,
//     user, source or the request that is not an object
//
// Lenient, by field or kind of field:
// | field                     | specification        | also accepted                               |
// |---------------------------|----------------------|---------------------------------------------|
// | any                       |                      | null: absent                                |
// | any unknown field         |                      | ignored, whatever it holds                  |
// | text (ids, bcat, carrier, | string               | number: its digits                          |
// |   content.season, zip...) |                      |                                             |
// | integer                   | integer              | "300", 300.0, true and false                |
// | number                    | number               | "0.5"                                       |
// | flag                      | 0 or 1               | true, false, "0", "1", "true", "false"      |
// | list of scalars           | array                | a scalar alone: a list of one               |
// | list of objects           | array                | an object alone; nulls in it are skipped    |
// | object                    | object               | [] : absent                                 |
// | video.mimes               | required             | absent: any type (in-app exchanges omit it) |
// | companionad               | array of banners     | {"banner": [...]}, as in 2.0                |
// | site, app and dooh        | one is recommended   | none                                        |
// | site.*, app.*, content    | id recommended       | absent                                      |
// | cur, bidfloorcur          | ISO 4217             | lower case; "" : absent                     |
// | at                        | 1, 2, 3, 500+        | 0: absent                                   |
// | tmax                      | positive             | 0: absent                                   |
// | device.os                 | free text            | "iphone", "iPadOS" mean iOS; ua where absent|
// | device.geo.lat, lon       | -90..90, -180..180   | out of range or one alone: both absent      |
// | device.geo.country        | ISO 3166-1 alpha-3   | lower case                                  |
// | device.geo.utcoffset      | minutes              | beyond 14 hours: absent                     |
// | device.ip, ipv6           | address              | anything; not an address: see ads/consent.h |
// | user.eids                 | source, uids         | either absent                               |
// | data.segment.value        | string               | number                                      |
// | keywords                  | comma-separated text | an array (kwarray)                          |
// | user.ext.eids, source.    | 2.6 moved them       | the 2.5 places, where the new are absent    |
// |   ext.schain              |                      |                                             |
// | user.ext.consent;         | 2.6 moved them       | the 2.5 places as well: the stricter counts |
// |   regs.ext.gdpr,          |                      |                                             |
// |   us_privacy, gpp, gpp_sid|                      |                                             |
// | native.request            | {"assets": ...}      | {"native": {"assets": ...}}, as in 1.0;     |
// |                           |                      | assets none of which has an id: 0, 1, 2...  |
// | ext.arrival               | ours: Unix seconds   | ext.timestamp in milliseconds               |
//
// Where a key stands twice in one object, what comes later counts. Not so for what consent depends
// on (regs, user.consent, device.lmt and dnt), be it under one key twice or in the 2.6 and the 2.5
// place: whatever the order, nothing that is said makes what was said elsewhere laxer. A flag that
// was 1 stays 1; a us_privacy that opts out stays; lists of gpp_sid are joined (refused if that has
// more than 64 entries); TCF strings that differ, and GPP strings likewise, contradict each other
// and become one that cannot be read ("!"), which allows nothing.
//
// Read, but not yet used: neither agents nor the writer look at these, so bids may not keep to
// them.
//   - imp: clickbrowser, exp, ssai, qty, displaymanager, displaymanagerver; metric is not even kept
//   - banner: btype, expdir, api, pos, topframe, vcm, id; of format wratio, hratio and wmin: where
//     all formats are ratios, any size is taken
//   - video and audio: api, sequence, podseq, companiontype; of companionad all but the sizes
//   - video: w, h, placement, plcmt, linearity, skip, skipmin, skipafter, playbackmethod,
//     playbackend, pos, boxingallowed; audio: feed, stitched, nvol
//   - native: ver, api, context, contextsubtype, plcmttype, plcmtcnt, privacy
//   - the request: allimps
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "adagents/ads/request.h"

namespace adagents::openrtb {

struct ReaderOptions {
  size_t max_bytes = 1 << 20;  ///< of one request; larger ones are refused unread
  size_t max_depth = 64;       ///< of nested objects and arrays
  size_t max_imps = 256;       ///< of one request
};

/// Thread-compatible: one thread at a time. The requests it returns may go to any thread, outlive
/// it, and give their memory back to it when the last handle goes: in steady state reading
/// allocates nothing.
class Reader {
 public:
  explicit Reader(ReaderOptions options = {});
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  /// Reads one request. `json` is not needed afterwards. kInvalidArgument with "path: what" if it
  /// is refused, kResourceExhausted if it is too large or memory ran out. What consent does not
  /// allow has been removed from the request, see ads/consent.h.
  [[nodiscard]] absl::StatusOr<ads::RequestPtr> Read(std::string_view json);

  /// The same without the copy: at least kPadding bytes after `json`'s end must be readable (their
  /// contents do not matter).
  [[nodiscard]] absl::StatusOr<ads::RequestPtr> ReadPadded(std::string_view json);
  static constexpr size_t kPadding = 64;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace adagents::openrtb
