// What an exchange's notices and players' beacons say, as lines of a file: the format of --events.
//
//   {"at": "2026-07-01T12:00:00.25Z", "notice": "https://ads.example.com/notice?v=1&d=..."}
//   {"at": "...", "event": "impression", "decision": "10000000001", "bid": 0, "campaign": "acme",
//    "price": 2.5, "cur": "USD", "issued": "..."}
//
// One JSON object a line. A *notice* is one of the signed URLs that the response held (nurl, burl,
// lurl, VAST's and native's trackers), as it was called: with the exchange's macros filled in. It
// counts only if its signature is ours and its time has not passed. A plain *event* is believed as
// it is, so it should come from whoever has checked it:
//   event*     win, impression, click, completion, conversion, loss, no_render (won and never
//              shown), expired (nothing will come any more); the last three give the money back
//   decision*  the decision's id in hexadecimal, as --out has it
//   bid        the bid's place in the decision; 0
//   campaign   its id; needed for impressions and what gives money back
//   price      of impressions, needed there: what is charged a thousand; at most the bid
//   cur        of price; "USD"
//   issued     when it was decided; needed for impressions of an earlier process
// `at`, where there is one, is when the line comes: with --inline it waits for that moment of the
// virtual clock. In real time lines count as they are read. A line has at most 64 KiB, and times
// are from 1970 to 2254.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/outcome_event.h"

namespace ad_server {

/// One line. Plain value.
struct EventLine {
  std::optional<absl::Time> at;
  std::string notice;  ///< the URL; empty: a plain event
  // Of plain events:
  std::string name;
  std::optional<adagents::ads::OutcomeEvent> outcome;  ///< what the engine records; not of wins
};

/// InvalidArgument that names the field, as "price: must be ...".
absl::StatusOr<EventLine> ParseEvent(std::string_view line);

/// The line of a notice.
std::string NoticeLine(absl::Time at, std::string_view url);

}  // namespace ad_server
