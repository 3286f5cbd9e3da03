// An advertiser's day: from midnight to midnight on the clocks of its time zone, so 23 or 25 hours
// long where those are changed.
//
//   const ads::BudgetDay today = ads::BudgetDayOf(clock.WallNow(), berlin);
//   // today.day counts days, today.begin and today.end are moments
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace adagents::ads {

/// One day of one time zone: [begin, end). A plain value.
struct BudgetDay {
  int64_t day = 0;  ///< days since 1970-01-01 on the zone's calendar
  absl::Time begin, end;
};

/// The day that `time` belongs to. Days never overlap and leave no gap, whatever the zone does:
/// where midnight is skipped, the day begins when the clocks have jumped; where it comes twice, at
/// the first; a date that a zone left out (Samoa's 2011-12-30) is nobody's day. Thread-safe.
[[nodiscard]] BudgetDay BudgetDayOf(absl::Time time, const absl::TimeZone& zone);

}  // namespace adagents::ads
