// Counts of impressions in sliding windows: what is promised of one window, of bids, of memory.
#include "adagents/ads/frequency_caps.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/region.h"
#include "adagents/testing/virtual_clock.h"
#include "ads/cap_table.h"
#include "catch.h"
#include "temporary_folder.h"

namespace adagents::ads {
namespace {

using internal::CapPeriod;
using internal::CapShape;
using internal::CapTable;
using internal::CapWord;
using testing::VirtualClock;

constexpr absl::Duration kTtl = absl::Minutes(5);
const CapWindow kDay{.subject = 1, .target = 2, .seconds = 86'400, .limit = 3};

struct Kit {
  VirtualClock clock;
  FrequencyCaps caps;
  uint64_t decision = 0;

  explicit Kit(FrequencyCapsOptions options = {}) : caps(With(std::move(options), &clock)) {}
  static FrequencyCapsOptions With(FrequencyCapsOptions options, const Clock* clock) {
    options.clock = clock;
    options.ttl = kTtl;
    if (options.windows == FrequencyCapsOptions().windows) options.windows = 10'000;
    return options;
  }
  /// The decision that got a place, or 0.
  uint64_t Reserve(const CapWindow& window) {
    return caps.Reserve(++decision, 0, {&window, 1}).ok ? decision : 0;
  }
  bool Play(const CapWindow& window) {
    const uint64_t got = Reserve(window);
    return got != 0 && caps.Count(got, 0) == FrequencyCaps::Counted::kYes;
  }
};

TEST_CASE("slices cover every window, with at most seven of them and little more than a seventh") {
  for (int64_t seconds = 60; seconds <= 31 * 86'400; seconds += seconds / 50 + 1) {
    const CapShape shape = CapShape::Of(static_cast<uint32_t>(seconds));
    INFO(seconds << " s: " << shape.span << " units, slices of " << shape.width.units);
    const int64_t width = int64_t{shape.width.units} * internal::kCapUnitSeconds;
    REQUIRE(int64_t{shape.span} * internal::kCapUnitSeconds >= seconds);
    REQUIRE(width * (CapWord::kSlices - 1) >= seconds);
    REQUIRE(width * 7 <= seconds + seconds / 15 + 7 * 2 * internal::kCapUnitSeconds);
    REQUIRE(CapShape::WidthOf(shape.code) == shape.width.units);
    REQUIRE(CapShape::CodeOf(shape.width.units) == shape.code);
    REQUIRE(shape.code < 256);
  }
}

TEST_CASE("periods that have passed are counted as by division") {
  Random random(3);
  for (int i = 0; i < 200'000; ++i) {
    const auto units = static_cast<uint32_t>(random() >> (32 + random.Below(32)));
    const CapPeriod period(units);
    REQUIRE(period.units == std::max(units, 1u));
    const auto any = static_cast<uint32_t>(random() >> (32 + random.Below(32)));
    const uint32_t edge = any / period.units * period.units;
    for (const uint32_t time : {any, edge, edge - 1, edge + 1, ~0u, ~0u - 1, 0u}) {
      REQUIRE(period.At(time) == time / period.units);
    }
  }
}

TEST_CASE("a window gives as many places as its limit, and the next when the first has left it") {
  Kit kit;
  for (int i = 0; i < 3; ++i) {
    CHECK(kit.Play(kDay));
    kit.clock.Advance(absl::Hours(1));
  }
  CHECK_FALSE(kit.Play(kDay));
  const CapUse use = kit.caps.Look(kDay);
  CHECK(use.shown == 3);
  CHECK(use.reserved == 0);
  CHECK(use.reached);
  CHECK(use.free_in >= absl::Hours(21));
  CHECK(use.free_in <= absl::Hours(21) + absl::Hours(24) / 7 * 1.07);
  kit.clock.Advance(use.free_in - absl::Seconds(5));
  CHECK(kit.caps.Look(kDay).reached);
  kit.clock.Advance(absl::Seconds(5));
  CHECK_FALSE(kit.caps.Look(kDay).reached);
  CHECK(kit.Play(kDay));
}

TEST_CASE("a bid that is out holds its place, and released or expired it is free") {
  Kit kit;
  CapWindow once = kDay;
  once.limit = 1;
  const uint64_t first = kit.Reserve(once);
  REQUIRE(first != 0);
  CHECK(kit.Reserve(once) == 0);
  CHECK(kit.caps.Look(once).reserved == 1);
  SECTION("released") {
    CHECK(kit.caps.Release(first, 0));
    CHECK_FALSE(kit.caps.Release(first, 0));
    CHECK(kit.Reserve(once) != 0);
  }
  SECTION("its impression is lost: not before the time to live, and at twice that at last") {
    kit.clock.Advance(kTtl - absl::Seconds(5));
    CHECK(kit.Reserve(once) == 0);
    const absl::Duration free_in = kit.caps.Look(once).free_in;
    CHECK(free_in <= kTtl + absl::Seconds(5));
    kit.clock.Advance(kTtl + absl::Seconds(5));
    CHECK(kit.Reserve(once) != 0);
  }
  SECTION("its impression comes late: it counts, and says so") {
    kit.clock.Advance(3 * kTtl);
    const uint64_t second = kit.Reserve(once);
    REQUIRE(second != 0);
    CHECK(kit.caps.Count(first, 0) == FrequencyCaps::Counted::kLate);
    CHECK(kit.caps.Count(second, 0) == FrequencyCaps::Counted::kYes);
    CHECK(kit.caps.Look(once).shown == 2);
    CHECK(kit.caps.counts().late == 1);
  }
  SECTION("its impression comes far too late") {
    kit.clock.Advance(absl::Hours(3));
    CHECK(kit.caps.Count(first, 0) == FrequencyCaps::Counted::kUnknown);
  }
}

TEST_CASE("an impression counts once, however often it is reported") {
  Kit kit;
  const uint64_t bid = kit.Reserve(kDay);
  CHECK(kit.caps.Count(bid, 0) == FrequencyCaps::Counted::kYes);
  for (int i = 0; i < 3; ++i) CHECK(kit.caps.Count(bid, 0) == FrequencyCaps::Counted::kAgain);
  CHECK_FALSE(kit.caps.Release(bid, 0));
  CHECK(kit.caps.Count(bid, 1) == FrequencyCaps::Counted::kUnknown);
  CHECK(kit.caps.Count(4711, 0) == FrequencyCaps::Counted::kUnknown);
  CHECK(kit.caps.Look(kDay).shown == 1);
}

TEST_CASE("whatever gives a bid's places back does so once, and takes no place from another") {
  Kit kit({.bids = 20});
  const CapWindow day{.subject = 1, .target = 2, .seconds = 86'400, .limit = 12};
  const CapWindow hour{.subject = 1, .target = 3, .seconds = 3600, .limit = 12};
  const CapWindow none{.subject = 1, .target = 4, .seconds = 3600, .limit = 0};
  const CapWindow other{.subject = 1, .target = 5, .seconds = 3600, .limit = 12};
  const std::vector<CapWindow> both = {day, hour};
  // Places of others, which a second giving back would take: also in the generation before.
  REQUIRE(kit.caps.Reserve(901, 0, both).ok);
  REQUIRE(kit.caps.Reserve(902, 0, both).ok);
  int32_t others = 2;
  if (GENERATE(false, true)) {
    kit.clock.Advance(kTtl);
    REQUIRE(kit.caps.Reserve(903, 0, both).ok);
    REQUIRE(kit.caps.Reserve(904, 0, both).ok);
    others = 4;
  }
  SECTION("released, again and again") {
    REQUIRE(kit.caps.Reserve(1, 0, both).ok);
    CHECK(kit.caps.Release(1, 0));
    for (int i = 0; i < 3; ++i) CHECK_FALSE(kit.caps.Release(1, 0));
    CHECK(kit.caps.Count(1, 0) == FrequencyCaps::Counted::kUnknown);
    CHECK(kit.caps.counts().released == 1);
  }
  SECTION("released after its impression") {
    REQUIRE(kit.caps.Reserve(1, 0, both).ok);
    CHECK(kit.caps.Count(1, 0) == FrequencyCaps::Counted::kYes);
    CHECK_FALSE(kit.caps.Release(1, 0));
    CHECK(kit.caps.Look(day).shown == 1);
    CHECK(kit.caps.Look(hour).shown == 1);
  }
  SECTION("refused by a later window") {
    CHECK_FALSE(kit.caps.Reserve(1, 0, std::vector<CapWindow>{day, hour, none}).ok);
    CHECK_FALSE(kit.caps.Release(1, 0));
  }
  SECTION("changed over to another window") {
    REQUIRE(kit.caps.Reserve(1, 0, both).ok);
    REQUIRE(kit.caps.Reserve(1, 0, {&other, 1}).ok);
    CHECK(kit.caps.Release(1, 0));
    CHECK(kit.caps.Look(other).reserved == 0);
  }
  SECTION("without room for the bid") {
    for (uint64_t d = 1; d <= 200; ++d) {
      const CapWindow own{.subject = d + 10, .target = 9, .seconds = 3600, .limit = 1};
      (void)kit.caps.Reserve(d, 0, {&own, 1});
    }
    int full = 0;
    for (uint64_t d = 301; d <= 400; ++d) {
      full += kit.caps.Reserve(d, 0, both).full ? 1 : 0;
      (void)kit.caps.Release(d, 0);
    }
    CHECK(full > 0);
  }
  for (const CapWindow& w : both) CHECK(kit.caps.Look(w).reserved == others);
}

/// Does something else at one of its readings: what another thread may do there.
class InterruptingClock final : public Clock {
 public:
  int64_t Now() const override {
    if (readings_left > 0 && --readings_left == 0) meanwhile();
    return clock.Now();
  }
  absl::Time WallNow() const override { return clock.WallNow(); }

  VirtualClock clock;
  mutable int readings_left = 0;
  std::function<void()> meanwhile;
};

TEST_CASE("of two releases of a bid, one within the other, one gives its places back") {
  // The bid has been forgotten, and its places are not given back yet.
  constexpr int kReading = 2;
  InterruptingClock clock;
  FrequencyCaps caps({.windows = 1000, .clock = &clock});
  for (uint64_t d = 1; d <= 3; ++d) REQUIRE(caps.Reserve(d, 0, {&kDay, 1}).ok);
  int released = 0;
  clock.meanwhile = [&] { released += caps.Release(1, 0) ? 1 : 0; };
  clock.readings_left = kReading;
  released += caps.Release(1, 0) ? 1 : 0;
  CHECK(clock.readings_left == 0);
  CHECK(released == 1);
  CHECK(caps.Look(kDay).reserved == 2);
  CHECK(caps.counts().released == 1);
}

TEST_CASE("a bid has all of its places or none") {
  Kit kit;
  const CapWindow hour{.subject = 1, .target = 3, .seconds = 3600, .limit = 1};
  const std::vector<CapWindow> both = {kDay, hour};
  CHECK(kit.caps.Reserve(901, 0, both).ok);
  const auto refused = kit.caps.Reserve(902, 0, both);
  CHECK_FALSE(refused.ok);
  CHECK_FALSE(refused.full);
  CHECK(refused.which == 1);
  CHECK(kit.caps.Look(kDay).reserved == 1);
  CHECK(kit.caps.Reserve(902, 0, {}).ok);
  CHECK_FALSE(kit.caps.Reserve(903, 0, std::vector<CapWindow>(13, kDay)).ok);
}

TEST_CASE("the same bid reserves once, and with other windows it changes over") {
  Kit kit;
  const CapWindow other{.subject = 1, .target = 9, .seconds = 3600, .limit = 1};
  for (int i = 0; i < 5; ++i) CHECK(kit.caps.Reserve(77, 0, {&kDay, 1}).ok);
  CHECK(kit.caps.Look(kDay).reserved == 1);
  CHECK(kit.caps.Reserve(77, 0, {&other, 1}).ok);
  CHECK(kit.caps.Look(kDay).reserved == 0);
  CHECK(kit.caps.Look(other).reserved == 1);
  // When its reservation has expired, the same bid takes a new one.
  kit.clock.Advance(2 * kTtl);
  CHECK(kit.caps.Look(other).reserved == 0);
  CHECK(kit.caps.Reserve(77, 0, {&other, 1}).ok);
  CHECK(kit.caps.Look(other).reserved == 1);
}

TEST_CASE("of two who reserve for one bid, the second is refused and changes nothing") {
  Kit kit;
  const CapWindow other{.subject = 1, .target = 3, .seconds = 60, .limit = 1};
  REQUIRE(kit.caps.ReserveOnce(9, 0, {&kDay, 1}).ok);
  for (const CapWindow& window : {kDay, other}) {
    const FrequencyCaps::Reservation second = kit.caps.ReserveOnce(9, 0, {&window, 1});
    CHECK_FALSE(second.ok);
    CHECK(second.held);
  }
  CHECK(kit.caps.Look(kDay).reserved == 1);
  CHECK(kit.caps.Look(other).reserved == 0);
  CHECK(kit.caps.ReserveOnce(9, 1, {&kDay, 1}).ok);
  SECTION("until it is released") {
    REQUIRE(kit.caps.Release(9, 0));
    CHECK(kit.caps.ReserveOnce(9, 0, {&other, 1}).ok);
    CHECK(kit.caps.Look(kDay).reserved == 1);
  }
  SECTION("or over") {
    kit.clock.Advance(2 * kit.caps.ttl() + absl::Seconds(4));
    CHECK(kit.caps.ReserveOnce(9, 0, {&other, 1}).ok);
  }
}

TEST_CASE("subjects, targets and lengths are counted apart") {
  Kit kit;
  for (int i = 0; i < 3; ++i) REQUIRE(kit.Play(kDay));
  CapWindow w = kDay;
  w.subject = 5;
  CHECK_FALSE(kit.caps.Look(w).reached);
  w = kDay;
  w.target = 5;
  CHECK_FALSE(kit.caps.Look(w).reached);
  w = kDay;
  w.seconds = 3600;
  CHECK_FALSE(kit.caps.Look(w).reached);
}

TEST_CASE("many impressions may lie in a window, but only fifteen in a seventh of it") {
  Kit kit;
  CapWindow often = kDay;
  often.limit = 40;
  int played = 0;
  for (int i = 0; i < 24 * 60; ++i) {
    played += kit.Play(often) ? 1 : 0;
    if (i == 60) CHECK(played == 15);
    kit.clock.Advance(absl::Minutes(1));
  }
  CHECK(played == 40);
}

/// Takes whatever it gets; impressions come up to a time to live later, some never. The log of when
/// each was shown is the oracle.
class Listener {
 public:
  Listener(const CapWindow& window, uint64_t seed) : window_(window), random_(seed) {}

  void Ask(absl::Duration after) {
    const absl::Duration at = now_ + after;
    ShowUntil(at);
    MoveTo(at);
    if (const uint64_t got = kit_.Reserve(window_); got != 0) {
      out_.emplace(now_ + kTtl * 0.95 * random_.Uniform(), got);
    }
  }
  Random& random() { return random_; }
  size_t most() const { return most_; }
  size_t played() const { return played_; }
  FrequencyCaps::Counts counts() const { return kit_.caps.counts(); }

 private:
  void MoveTo(absl::Duration at) {
    kit_.clock.Advance(at - now_);
    now_ = at;
  }
  void ShowUntil(absl::Duration until) {
    while (!out_.empty() && out_.begin()->first <= until) {
      const auto [when, bid] = *out_.begin();
      out_.erase(out_.begin());
      MoveTo(when);
      const uint64_t fate = random_.Below(10);
      if (fate == 0) (void)kit_.caps.Release(bid, 0);
      if (fate <= 1) continue;  // 1: lost, and nobody ever says so
      (void)kit_.caps.Count(bid, 0);
      shown_.push_back(when);
      ++played_;
      while (shown_.front() <= when - absl::Seconds(window_.seconds)) shown_.pop_front();
      most_ = std::max(most_, shown_.size());
    }
  }

  Kit kit_{{.windows = 10'000, .bids = 10'000}};
  const CapWindow window_;
  Random random_;
  absl::Duration now_ = absl::ZeroDuration();
  std::deque<absl::Duration> shown_;             // within the last window
  std::multimap<absl::Duration, uint64_t> out_;  // bids, by when they are shown
  size_t most_ = 0, played_ = 0;
};

void CheckAgainstLog(int64_t seconds, int32_t limit, uint64_t seed) {
  Listener listener(
      {.subject = seed, .target = 1, .seconds = static_cast<int32_t>(seconds), .limit = limit},
      seed);
  const absl::Duration step = absl::Seconds(std::max<int64_t>(seconds / (3 * limit), 1));
  for (int i = 0; i < 2000; ++i) listener.Ask(step * 2 * listener.random().Uniform());
  INFO(seconds << " s, limit " << limit << ", seed " << seed << ": " << listener.played()
               << " played, at most " << listener.most() << " in a window");
  REQUIRE(listener.most() <= static_cast<size_t>(limit));
  REQUIRE(listener.played() > 0);
  REQUIRE(listener.counts().late == 0);
  REQUIRE(listener.counts().full == 0);
}

TEST_CASE("no window is ever exceeded, wherever it begins, from a minute to a month") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (const int64_t seconds : {60, 100, 3600, 5000, 86'400, 7 * 86'400, 31 * 86'400}) {
      for (const int32_t limit : {1, 2, 3, 7, 15, 30}) CheckAgainstLog(seconds, limit, seed);
    }
  }
}

TEST_CASE("what is full refuses, and evicts nothing that counts") {
  VirtualClock clock;
  FrequencyCaps caps(
      {.windows = 1, .bids = 20'000, .ttl = kTtl, .clock = &clock});  // one group of 512 lines of 5
  std::vector<uint64_t> in;
  size_t full = 0;
  for (uint64_t subject = 1; subject <= 6000; ++subject) {
    const CapWindow w{.subject = subject, .target = 1, .seconds = 3600, .limit = 1};
    const auto got = caps.Reserve(subject, 0, {&w, 1});
    if (got.ok) in.push_back(subject);
    full += got.full ? 1 : 0;
    if (got.ok) REQUIRE(caps.Count(subject, 0) == FrequencyCaps::Counted::kYes);
  }
  CHECK(in.size() <= 2560);
  CHECK(in.size() >= 2500);
  CHECK(full == 6000 - in.size());
  CHECK(caps.counts().full == static_cast<int64_t>(full));
  for (const uint64_t subject : in) {
    CHECK(caps.Look({.subject = subject, .target = 1, .seconds = 3600, .limit = 1}).reached);
  }
  // An hour and a slice later all have left, and there is room again.
  clock.Advance(absl::Hours(1.25));
  const CapWindow late{.subject = 999, .target = 1, .seconds = 3600, .limit = 1};
  CHECK(caps.Reserve(999, 0, {&late, 1}).ok);
}

TEST_CASE("bids beyond what there is room for are refused, and hold nothing") {
  Kit kit({.bids = 20});
  int ok = 0, full = 0;
  for (uint64_t d = 1; d <= 200; ++d) {
    const CapWindow w{.subject = d, .target = 1, .seconds = 3600, .limit = 1};
    const auto got = kit.caps.Reserve(d, 0, {&w, 1});
    ok += got.ok;
    full += got.full;
    CHECK(kit.caps.Look(w).reserved == (got.ok ? 1 : 0));
  }
  CHECK(ok >= 15);
  CHECK(ok + full == 200);
}

TEST_CASE("bids that are released make room, however many there were") {
  Kit kit({.bids = 20});
  for (uint64_t d = 1; d <= 10'000; ++d) {
    REQUIRE(kit.caps.Reserve(d, 0, {&kDay, 1}).ok);
    REQUIRE(kit.caps.Release(d, 0));
  }
  CHECK(kit.caps.counts().full == 0);
}

TEST_CASE("lengths that are the same in units of time are one window, with the lower limit") {
  Kit kit;
  const std::vector<CapWindow> twins = {
      {.subject = 1, .target = 2, .seconds = 3598, .limit = 6},
      {.subject = 1, .target = 2, .seconds = 3600, .limit = 5},
  };
  for (int i = 0; i < 5; ++i) {
    REQUIRE(kit.caps.Reserve(++kit.decision, 0, twins).ok);
    CHECK(kit.caps.Count(kit.decision, 0) == FrequencyCaps::Counted::kYes);
  }
  const auto refused = kit.caps.Reserve(++kit.decision, 0, twins);
  CHECK_FALSE(refused.ok);
  CHECK(refused.which == 1);
  CHECK(kit.caps.Look(twins[0]).shown == 5);
}

TEST_CASE("impressions that come too late take no room from those that come in time") {
  Kit kit({.late = absl::Hours(1)});
  const CapWindow month{.subject = 1, .target = 2, .seconds = 30 * 86'400, .limit = 20};
  for (uint64_t d = 1; d <= 15; ++d) REQUIRE(kit.caps.Reserve(d, 0, {&month, 1}).ok);
  kit.clock.Advance(2 * kTtl);
  for (uint64_t d = 16; d <= 30; ++d) REQUIRE(kit.caps.Reserve(d, 0, {&month, 1}).ok);
  for (uint64_t d = 1; d <= 15; ++d) {
    CHECK(kit.caps.Count(d, 0) == FrequencyCaps::Counted::kLate);
  }
  CHECK(kit.caps.counts().dropped == 15);
  for (uint64_t d = 16; d <= 30; ++d) {
    CHECK(kit.caps.Count(d, 0) == FrequencyCaps::Counted::kYes);
  }
  CHECK(kit.caps.Look(month).shown == 15);
  CHECK(kit.caps.counts().dropped == 15);
}

TEST_CASE("windows longer than 31 days are 31 days") {
  Kit kit;
  CapWindow year = kDay;
  year.seconds = 365 * 86'400;
  year.limit = 1;
  CHECK(kit.Play(year));
  const CapUse use = kit.caps.Look(year);
  CHECK(use.reached);
  CHECK(use.free_in >= absl::Hours(24 * 31));
  CHECK(use.free_in <= absl::Hours(24 * 36));
}

TEST_CASE("one subject may have thousands of windows, and takes nobody else's room") {
  constexpr uint64_t kWindows = 1'000'000;
  CapTable<> table(CapTable<>::LinesFor(kWindows), 75);
  uint64_t full = 0;
  const auto settle = [&](uint64_t subject, uint64_t target) {
    return table.Settle(table.PlaceOf(subject, target, CapShape::Of(86'400)), 0, true, 1000);
  };
  for (uint64_t t = 0; t < 5'000; ++t) full += settle(Mix64(7), t) ? 0 : 1;
  CHECK(full == 0);
  // Some listeners have many, most few.
  for (uint64_t s = 0; s < 10'000; ++s) {
    for (uint64_t t = 0; t < (s % 50 == 0 ? 400u : 40u); ++t)
      full += settle(Mix64(s + 99), t) ? 0 : 1;
  }
  INFO(full << " of some 470,000 found no room");
  CHECK(full <= 5);
}

TEST_CASE("as many random windows as were asked for fit, but for one in a hundred thousand") {
  constexpr uint64_t kSubjects = 100'000, kEach = 5;
  CapTable<> table(CapTable<>::LinesFor(kSubjects * kEach), 75);
  uint64_t full = 0;
  for (uint64_t s = 0; s < kSubjects; ++s) {
    for (uint64_t t = 0; t < kEach; ++t) {
      full += table.Settle(table.PlaceOf(s * 7919 + 13, t, CapShape::Of(86'400)), 0, true, 1000)
                  ? 0
                  : 1;
    }
  }
  INFO(full << " of " << kSubjects * kEach << " found no room");
  CHECK(full <= 5);
  CHECK(table.SlotsInUse(1000) + full >= kSubjects * kEach - 5);  // a few may share one
  CHECK(static_cast<double>(table.bytes()) / static_cast<double>(kSubjects * kEach) < 21.0);
}

TEST_CASE("a region hands counts and bids to the next process") {
  const Folder folder;
  const std::string path = folder / "caps";
  VirtualClock clock;
  const FrequencyCapsOptions options{.windows = 1000, .bids = 100, .ttl = kTtl};
  const auto open = [&] {
    auto region = Region::Open(path, {.bytes = size_t{8} << 20, .clock = &clock});
    INFO(region.status().ToString());
    REQUIRE(region.ok());
    return *std::move(region);
  };
  {
    Region region = open();
    FrequencyCapsOptions o = options;
    o.region = &region;
    FrequencyCaps caps(o);
    REQUIRE(region.status().ok());
    for (uint64_t d = 1; d <= 2; ++d) REQUIRE(caps.Reserve(d, 0, {&kDay, 1}).ok);
    CHECK(caps.Count(1, 0) == FrequencyCaps::Counted::kYes);
  }
  {
    Region region = open();
    REQUIRE(region.reopened());
    FrequencyCapsOptions o = options;
    o.region = &region;
    FrequencyCaps caps(o);
    REQUIRE(region.status().ok());
    CHECK(caps.Look(kDay).shown == 1);
    CHECK(caps.Look(kDay).reserved == 1);
    CHECK(caps.Count(2, 0) == FrequencyCaps::Counted::kYes);
    CHECK(caps.Count(1, 0) == FrequencyCaps::Counted::kAgain);
    CHECK(caps.Look(kDay).shown == 2);
  }
  {
    // Reservations that live longer would be taken for others.
    Region region = open();
    FrequencyCapsOptions o = options;
    o.region = &region;
    o.ttl = 2 * kTtl;
    const FrequencyCaps caps(o);
    CHECK(std::string(Message(region.status())).find("ttl_s=") != std::string::npos);
  }
}

}  // namespace
}  // namespace adagents::ads
