#include "adagents/ads/budget_day.h"

#include "absl/time/civil_time.h"

namespace adagents::ads {

BudgetDay BudgetDayOf(absl::Time time, const absl::TimeZone& zone) {
  absl::CivilDay day = absl::ToCivilDay(time, zone);
  // Clocks that are put back across midnight show yesterday's date once more.
  if (time >= absl::FromCivil(day + 1, zone)) ++day;
  return {day - absl::CivilDay(1970, 1, 1), absl::FromCivil(day, zone),
          absl::FromCivil(day + 1, zone)};
}

}  // namespace adagents::ads
