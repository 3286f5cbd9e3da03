#include "adagents/ads/frequency_caps.h"

#include <algorithm>

#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/table.h"
#include "ads/cap_table.h"

namespace adagents::ads {
namespace {

using internal::CapPlace;
using internal::CapShape;
using internal::CapTable;
using internal::CapTaken;
using internal::kCapUnitSeconds;

constexpr int64_t kNanos = 1'000'000'000;
constexpr int32_t kLongestSeconds = 31 * 86'400;

/// The windows that a bid has a place in, until its impression is too late to count.
struct HeldPlaces {
  enum State : uint32_t { kHeld, kCounted, kNone };
  uint32_t state = kNone;
  uint32_t since = 0;  // of the reservation, units
  uint32_t count = 0;
  CapPlace places[FrequencyCaps::kMostWindows];

  bool Holds(const HeldPlaces& other) const {
    return count == other.count && std::equal(places, places + count, other.places);
  }
};

uint32_t TtlUnits(const FrequencyCapsOptions& options) {
  const int64_t seconds =
      std::clamp<int64_t>(absl::ToInt64Seconds(options.ttl), kCapUnitSeconds, 24 * 3600);
  return static_cast<uint32_t>((seconds + kCapUnitSeconds - 1) / kCapUnitSeconds);
}
absl::Duration Units(uint32_t units) { return absl::Seconds(int64_t{units} * kCapUnitSeconds); }

uint64_t BidKey(uint64_t decision, uint32_t bid) { return CombineHash(decision, bid); }
CapShape ShapeOf(const CapWindow& w) {
  return CapShape::Of(static_cast<uint32_t>(std::clamp(w.seconds, 1, kLongestSeconds)));
}
uint32_t LimitOf(const CapWindow& w) { return static_cast<uint32_t>(std::max(w.limit, 0)); }

}  // namespace

struct FrequencyCaps::State {
  explicit State(const FrequencyCapsOptions& o)
      : clock(o.clock != nullptr    ? o.clock
              : o.region != nullptr ? &o.region->clock()
                                    : &SystemClock::Get()),
        offset(o.region != nullptr ? o.region->time_offset() : 0),
        windows(CapTable<>::LinesFor(o.windows), TtlUnits(o), o.region, o.name + "/windows"),
        bids({.capacity = o.bids,
              .ttl = 2 * Units(TtlUnits(o)) + std::max(o.late, absl::ZeroDuration()),
              .when_full = WhenFull::kRefuse,
              .expiry = Expiry::kAfterWrite,
              .clock = clock,
              .region = o.region,
              .name = bids_name = o.name + "/bids"}) {}

  [[nodiscard]] uint32_t UnitsAt(int64_t now) const {
    const int64_t nanos = std::max<int64_t>(now + offset, 0);
    return static_cast<uint32_t>(nanos / (kNanos * kCapUnitSeconds));
  }
  [[nodiscard]] uint32_t Now() const { return UnitsAt(clock->Now()); }
  [[nodiscard]] CapPlace PlaceOf(const CapWindow& w, const CapShape& shape) const {
    return windows.PlaceOf(w.subject, w.target, shape);
  }
  /// Whether its reservation has expired.
  [[nodiscard]] bool IsOver(const HeldPlaces& held, uint32_t now) const {
    return now > held.since && windows.ttl().At(now) - windows.ttl().At(held.since) > 1;
  }
  void GiveBack(const HeldPlaces& held, uint32_t count, uint32_t now) {
    for (uint32_t i = 0; i < count; ++i) windows.Settle(held.places[i], held.since, false, now);
  }

  std::string bids_name;
  const Clock* clock;
  const int64_t offset;
  CapTable<> windows;
  Table<uint64_t, HeldPlaces> bids;
  Counter reserved, refused, counted, late, again, released, full, dropped;
};

FrequencyCaps::FrequencyCaps(FrequencyCapsOptions options)
    : state_(std::make_unique<State>(options)) {}
FrequencyCaps::~FrequencyCaps() = default;

size_t FrequencyCaps::BytesFor(const FrequencyCapsOptions& options) {
  constexpr size_t kBid = sizeof(HeldPlaces) + 2 * sizeof(uint64_t);  // with its key and expiry
  return CapTable<>::BytesFor(options.windows) + options.bids * kBid * 4 / 3;
}

FrequencyCaps::Reservation FrequencyCaps::Reserve(uint64_t decision, uint32_t bid,
                                                  std::span<const CapWindow> windows) {
  return Reserve(decision, bid, windows, /*once=*/false);
}

FrequencyCaps::Reservation FrequencyCaps::ReserveOnce(uint64_t decision, uint32_t bid,
                                                      std::span<const CapWindow> windows) {
  return Reserve(decision, bid, windows, /*once=*/true);
}

FrequencyCaps::Reservation FrequencyCaps::Reserve(uint64_t decision, uint32_t bid,
                                                  std::span<const CapWindow> windows, bool once) {
  State& s = *state_;
  if (windows.empty()) return {.ok = true};
  if (windows.size() > kMostWindows) return {.ok = false, .which = kMostWindows};
  const uint32_t now = s.Now();
  HeldPlaces held;
  held.state = HeldPlaces::kHeld;
  held.since = now;
  CapShape shapes[kMostWindows];
  uint32_t limits[kMostWindows], which[kMostWindows];
  for (uint32_t i = 0; i < windows.size(); ++i) {
    const CapShape shape = ShapeOf(windows[i]);
    const CapPlace place = s.PlaceOf(windows[i], shape);
    const uint32_t limit = LimitOf(windows[i]);
    // Lengths that are the same in units are one window, with the lower limit.
    const auto k = static_cast<uint32_t>(std::find(held.places, held.places + held.count, place) -
                                         held.places);
    if (k == held.count) {
      ++held.count;
      held.places[k] = place;
      shapes[k] = shape;
      s.windows.Prefetch(place);
    } else if (limits[k] <= limit) {
      continue;
    }
    limits[k] = limit;
    which[k] = i;
  }
  HeldPlaces before;
  if (s.bids.Find(BidKey(decision, bid), &before) && before.state == HeldPlaces::kHeld &&
      !s.IsOver(before, now)) {
    if (once) return {.ok = false, .held = true};
    if (before.Holds(held)) return {.ok = true};
  }
  for (uint32_t i = 0; i < held.count; ++i) {
    const CapTaken taken = s.windows.Reserve(held.places[i], limits[i], shapes[i], now);
    if (taken == CapTaken::kYes) continue;
    s.GiveBack(held, i, now);
    s.refused.Add(1);
    if (taken == CapTaken::kFull) s.full.Add(1);
    return {.ok = false, .full = taken == CapTaken::kFull, .which = which[i]};
  }
  before = HeldPlaces();
  bool others = false;
  const Upserted stored =
      s.bids.Upsert(BidKey(decision, bid), [&](HeldPlaces& there, bool existed) {
        if (existed) before = there;
        others = once && before.state == HeldPlaces::kHeld && !s.IsOver(before, now);
        if (!others) there = held;
      });
  if (stored == Upserted::kFull) {
    s.GiveBack(held, held.count, now);
    s.refused.Add(1);
    s.full.Add(1);
    return {.ok = false, .full = true};
  }
  if (others) {
    s.GiveBack(held, held.count, now);
    return {.ok = false, .held = true};
  }
  if (before.state == HeldPlaces::kHeld) s.GiveBack(before, before.count, now);
  s.reserved.Add(1);
  return {.ok = true};
}

FrequencyCaps::Counted FrequencyCaps::Count(uint64_t decision, uint32_t bid) {
  State& s = *state_;
  HeldPlaces held;
  if (!s.bids.Find(BidKey(decision, bid), &held)) return Counted::kUnknown;
  const uint32_t now = s.Now();
  bool mine = false;
  // Under the writer word of the bid's set: of several reports of one impression, one gets it. And
  // if the process is killed in here, the bid is still held, and a repeated report counts it again:
  // twice rather than not at all.
  s.bids.Upsert(BidKey(decision, bid), [&](HeldPlaces& there, bool existed) {
    mine = existed && there.state == HeldPlaces::kHeld;
    if (!mine) return;
    held = there;
    there.state = HeldPlaces::kCounted;
    for (uint32_t i = 0; i < held.count; ++i) {
      if (!s.windows.Settle(held.places[i], held.since, true, now)) s.dropped.Add(1);
    }
  });
  if (!mine) {
    s.again.Add(1);
    return Counted::kAgain;
  }
  s.counted.Add(1);
  const bool late = s.IsOver(held, now);
  if (late) s.late.Add(1);
  return late ? Counted::kLate : Counted::kYes;
}

bool FrequencyCaps::Release(uint64_t decision, uint32_t bid) {
  State& s = *state_;
  HeldPlaces held;
  const bool mine = s.bids.EraseIf(BidKey(decision, bid), [&](const HeldPlaces& there) {
    held = there;
    return there.state == HeldPlaces::kHeld;
  });
  if (!mine) return false;
  // Only now: killed in between, the places stay taken until they expire.
  s.GiveBack(held, held.count, s.Now());
  s.released.Add(1);
  return true;
}

CapUse FrequencyCaps::Look(const CapWindow& window) const {
  return Look(window, state_->clock->Now());
}

CapUse FrequencyCaps::Look(const CapWindow& window, int64_t nanos) const {
  const State& s = *state_;
  const uint32_t now = s.UnitsAt(nanos);
  const CapShape shape = ShapeOf(window);
  const internal::CapWord word = s.windows.Look(s.PlaceOf(window, shape), now);
  CapUse use;
  use.shown = static_cast<int32_t>(word.Counted(shape));
  use.reserved = static_cast<int32_t>(word.Reserved());
  use.reached = !word.HasRoom(LimitOf(window), shape);
  if (use.reached) {
    const uint32_t from = word.FreeFrom(LimitOf(window), shape, s.windows.ttl());
    use.free_in = Units(std::max(from, now) - now);
  }
  return use;
}

void FrequencyCaps::Prefetch(const CapWindow& window) const {
  state_->windows.Prefetch(state_->PlaceOf(window, ShapeOf(window)));
}

FrequencyCaps::Counts FrequencyCaps::counts() const {
  const State& s = *state_;
  return {.reserved = s.reserved.Sum(),
          .refused = s.refused.Sum(),
          .counted = s.counted.Sum(),
          .late = s.late.Sum(),
          .again = s.again.Sum(),
          .released = s.released.Sum(),
          .full = s.full.Sum(),
          .dropped = s.dropped.Sum()};
}

size_t FrequencyCaps::bytes() const { return state_->windows.bytes() + state_->bids.bytes(); }
absl::Duration FrequencyCaps::ttl() const { return Units(state_->windows.ttl().units); }

}  // namespace adagents::ads
