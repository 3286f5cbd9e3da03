#include "adagents/ads/budget_day.h"

#include <string>

#include "catch.h"

namespace adagents::ads {
namespace {

absl::TimeZone Zone(const std::string& name) {
  absl::TimeZone zone;
  INFO(name << ": is tzdata installed?");
  REQUIRE(absl::LoadTimeZone(name, &zone));
  return zone;
}

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return time;
}

int64_t DayNumber(int year, int month, int day) {
  return absl::CivilDay(year, month, day) - absl::CivilDay(1970, 1, 1);
}

TEST_CASE("a day begins and ends at the advertiser's midnight") {
  const BudgetDay day = BudgetDayOf(At("2026-11-25T22:30:00Z"), Zone("Asia/Tokyo"));
  CHECK(day.day == DayNumber(2026, 11, 26));
  CHECK(day.begin == At("2026-11-26T00:00:00+09:00"));
  CHECK(day.end == At("2026-11-27T00:00:00+09:00"));
}

TEST_CASE("days on which clocks change are shorter or longer") {
  struct Case {
    const char* zone;
    const char* time;
    absl::Duration length;
  };
  for (const Case& c : {Case{"Europe/Berlin", "2026-03-29T12:00:00Z", absl::Hours(23)},
                        Case{"Europe/Berlin", "2026-10-25T12:00:00Z", absl::Hours(25)},
                        Case{"America/New_York", "2026-03-08T18:00:00Z", absl::Hours(23)},
                        Case{"America/New_York", "2026-11-01T18:00:00Z", absl::Hours(25)},
                        Case{"Australia/Lord_Howe", "2026-04-05T02:00:00Z", absl::Minutes(1470)},
                        Case{"America/Sao_Paulo", "2018-11-04T12:00:00Z", absl::Hours(23)},
                        Case{"Europe/Berlin", "2026-06-01T12:00:00Z", absl::Hours(24)}}) {
    INFO(c.zone << " " << c.time);
    const BudgetDay day = BudgetDayOf(At(c.time), Zone(c.zone));
    CHECK(day.end - day.begin == c.length);
  }
}

TEST_CASE("where midnight comes twice, the day begins at the first") {
  // On 2010-11-07 at 00:01 the clocks of St. John's went back to 23:01 of the day before.
  const absl::TimeZone zone = Zone("America/St_Johns");
  const absl::Time first_midnight = At("2010-11-07T00:00:00-02:30");
  const int64_t seventh = DayNumber(2010, 11, 7);
  CHECK(BudgetDayOf(first_midnight - absl::Seconds(1), zone).day == seventh - 1);
  CHECK(BudgetDayOf(first_midnight, zone).day == seventh);
  CHECK(BudgetDayOf(At("2010-11-06T23:30:00-03:30"), zone).day == seventh);
  CHECK(BudgetDayOf(At("2010-11-07T00:30:00-03:30"), zone).day == seventh);
}

TEST_CASE("a date that a zone left out is nobody's day") {
  const absl::TimeZone zone = Zone("Pacific/Apia");
  const BudgetDay before = BudgetDayOf(At("2011-12-30T09:59:59Z"), zone);
  const BudgetDay after = BudgetDayOf(before.end, zone);
  CHECK(before.day == DayNumber(2011, 12, 29));
  CHECK(after.day == DayNumber(2011, 12, 31));
  CHECK(before.end == after.begin);
}

TEST_CASE("days follow each other without gap or overlap, all year, in every kind of zone") {
  for (const char* name : {"UTC", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo",
                           "America/Havana", "Asia/Kathmandu", "Africa/Cairo", "Asia/Beirut",
                           "Pacific/Apia", "Atlantic/Azores", "America/Scoresbysund"}) {
    const absl::TimeZone zone = Zone(name);
    BudgetDay day = BudgetDayOf(At("2009-12-31T12:00:00Z"), zone);
    for (int i = 0; i < 366 * 17; ++i) {
      const BudgetDay next = BudgetDayOf(day.end, zone);
      INFO(name << " " << absl::FormatTime(day.end, zone));
      REQUIRE(next.begin == day.end);
      REQUIRE(next.day > day.day);
      REQUIRE(next.begin < next.end);
      REQUIRE(BudgetDayOf(next.end - absl::Nanoseconds(1), zone).day == next.day);
      day = next;
    }
  }
}

}  // namespace
}  // namespace adagents::ads
