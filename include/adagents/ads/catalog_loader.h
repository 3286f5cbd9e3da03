// Campaigns from JSON text, checked to the last field.
//
//   absl::StatusOr<std::unique_ptr<Catalog>> catalog = LoadCatalog(text);
//   if (!catalog.ok()) log(catalog.status());
//   // line 12, campaigns[3].bid.max_cpm: must be > 0, got -2
//   // line 31, campaigns[3].creatives[0].format: unknown "audoi", did you mean "audio"?
//
// The schema. Fields marked * must be there; the others have the default that is given. Nothing
// else may be there: an unknown key is an error, with the nearest known one as a suggestion. Money
// is in units of `currency` (4.5 is 4.50). Times are RFC 3339 ("2026-03-01T00:00:00Z") or dates
// (midnight UTC).
//
// {"campaigns": [{
//   "id"*: "acme-spring",           unique; the bid's cid
//   "name": "", "advertiser"*: "Acme", "brand": the advertiser, "seat": "",
//   "objective": "brand_awareness", or "direct_response", "reach"
//   "currency": "USD",              of budget and bid
//   "budget"*: {"daily": 500, "lifetime": 9000,      at least one of them
//               "time_zone": "Europe/Berlin"},       whose days they are; UTC when absent
//   "pacing": {"strategy": "even", or "asap", "front_loaded"; and at most one of
//              "target_cpm": 3,                       what a thousand impressions may cost on
//              average, "target_cpc", "target_cpcv", "target_cpa": or a click, a completion, a
//              conversion},
//   "flight": {"start": always, "end": never},
//   "bid"*: {"max_cpm"*: 4.5,
//            "action": "none", or "click", "completion", "conversion",
//            "value_per_action": 0},                  what one action is worth; with an action only
//   "line": "open", or "guaranteed", "house": what comes first whatever it is worth, see line.h
//   "priority": 0,                  -100 to 100
//   "adomain"*: ["acme.example"], "cat": ["IAB8-5"],
//   "caps": [{"count"*: 3, "window"*: "24h", "per": "listener"}],   frequency caps, at most four:
//                                   1 to 100 in any "1m" to "31d" (s, m, h, d, w); per listener,
//                                   "household", "session" or "device"
//   "targeting": {                  all must hold; lists are those of Attribute in campaign.h
//     "country": ["USA", "CAN"],                      short for {"include": [...]}
//     "genre": {"include": ["jazz"], "exclude": ["news"]},
//     "region", "city", "metro", "device_type", "os", "make", "channel", "category", "language",
//     "keyword", "publisher", "app", "domain", "deal", "age", "gender": likewise,
//     "hours": [{"days": "weekdays", or "weekend", "all" (the default), ["mon", "tue"],
//                "from"*: 6, "to"*: 10}]              listener's time, to 24; 22 to 6 runs
//                overnight
//   },
//   "creatives"*: [{
//     "id"*: "acme-30s", "format"*: "audio", or "video", "banner", "native"
//     "title": "", "body": "", "brand": the campaign's, "mimes": ["audio/mpeg"],
//     "w": 0, "h": 0, "duration_ms": 30000, "bitrate_kbps": 0,
//     "media_url": "https://...", "markup": "<a ...>", "click_through": "https://...",
//     "language": "en", "tone": "", "pace": "", "voice": "", "call_to_action": "",
//     "attr": [1, 13], "companions": [{"w"*: 300, "h"*: 250, "mime": "image/png",
//                                      "media_url"*: "https://...", "click_through": ""}],
//     "caps": as above, on this creative alone
//   }]
//  }],
//  "brands": [{"brand"*: "Acme", "caps"*: as above, on all ads of the brand together}]}
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "adagents/ads/catalog.h"

namespace adagents::ads {

/// Reads, checks and indexes. InvalidArgument with one line per fault, up to 100 and a count of the
/// rest, when there is any; a text that is no JSON has that one fault. Any input is safe, whatever
/// its nesting, size or bytes. Thread-safe.
absl::StatusOr<std::unique_ptr<Catalog>> LoadCatalog(std::string_view json);

}  // namespace adagents::ads
