#include "adagents/ads/inventory_forecast.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "adagents/base/ids.h"

namespace adagents::ads {
namespace {

constexpr int64_t kMinute = 60, kHour = 3600;
// How far the aimed share moves when an hour is missed (Gibbs and Candes use 0.005 for daily data
// of decades; a week of hours is to be enough here).
constexpr double kStep = 0.02;
// Finished hours before there is an interval.
constexpr size_t kFewErrors = 12;
// Added to what came and to what was expected, so that small numbers have a ratio.
constexpr double kPriorSlots = 1.0;
// Of a longer gap, or a clock that was set, only so much is gone through hour by hour.
constexpr absl::Duration kLongestGap = absl::Hours(168);

int64_t HourOf(absl::Time t) { return absl::ToUnixSeconds(t) / kHour; }

/// The q-quantile of sorted values, as conformal prediction takes it: the value of rank
/// ceil(q (n + 1)), outside of all when that is none of them.
double Quantile(const std::vector<double>& sorted, double q) {
  const double rank = std::ceil(q * (static_cast<double>(sorted.size()) + 1));
  if (rank < 1) return 0.0;
  if (rank > static_cast<double>(sorted.size())) return std::numeric_limits<double>::infinity();
  return sorted[static_cast<size_t>(rank) - 1];
}

}  // namespace

uint64_t PlacementOf(const Request& request, const Imp& imp) {
  const Channel& c = request.channel;
  uint64_t where = 0;
  for (const Text name : {c.bundle, c.domain, c.publisher.id, c.id}) {
    if (name.empty()) continue;
    where = StableHash64(name);
    break;
  }
  const Media* media = imp.media();
  const int32_t delay = media == nullptr ? 0 : media->startdelay.value_or(0);
  const uint64_t roll = delay > 0 || delay == -1 ? 1 : delay == -2 ? 2 : 0;
  const uint64_t kind = (imp.banner != nullptr ? 1u : 0u) | (imp.video != nullptr ? 2u : 0u) |
                        (imp.audio != nullptr ? 4u : 0u) | (imp.native != nullptr ? 8u : 0u) |
                        roll << 4;
  const uint64_t hash = CombineHash(CombineHash(where, StableHash64(imp.tagid)), kind);
  return hash == 0 ? 1 : hash;
}

struct InventoryForecast::Place {
  explicit Place(uint64_t k) : key(k) {}
  const uint64_t key;
  std::atomic<int64_t> seen{0};  // since the last Advance()

  // Guarded by the forecast's mutex.
  std::optional<TrafficForecast> traffic;  // once its first hour is over
  int64_t first_hour = INT64_MIN;          // in which it was first seen
  int64_t hour = INT64_MIN;                // that is being counted
  double hour_seen = 0;
  double hour_expected = 0;  // what was expected of it when it began
  double aimed = 0;          // share outside of the interval, adapted
  std::array<double, kErrors> ratios{};
  size_t errors = 0;  // ever; the last kErrors are kept
};

InventoryForecast::InventoryForecast(const InventoryOptions& options)
    : options_{std::clamp<size_t>(options.placements, 1, kMostPlacements),
               std::clamp(options.coverage, 0.01, 0.999), options.traffic},
      mask_(std::bit_ceil(2 * options_.placements) - 1),
      index_(std::make_unique<std::atomic<Place*>[]>(mask_ + 1)) {}
InventoryForecast::~InventoryForecast() = default;

const InventoryForecast::Place* InventoryForecast::Find(uint64_t placement) const {
  for (size_t at = Mix64(placement) & mask_;; at = (at + 1) & mask_) {
    // Acquire: the place was made before it was put here.
    const Place* place = index_[at].load(std::memory_order_acquire);
    if (place == nullptr || place->key == placement) return place;
  }
}

/// Null when there is no room.
InventoryForecast::Place* InventoryForecast::PlaceFor(uint64_t placement) {
  if (const Place* found = Find(placement); found != nullptr) return const_cast<Place*>(found);
  // Relaxed: it only grows, and is looked at again under the lock.
  if (used_.load(std::memory_order_relaxed) >= options_.placements) return nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const Place* found = Find(placement); found != nullptr) return const_cast<Place*>(found);
  if (places_.size() >= options_.placements) return nullptr;
  Place* place = places_.emplace_back(std::make_unique<Place>(placement)).get();
  place->aimed = 1 - options_.coverage;
  size_t at = Mix64(placement) & mask_;
  while (index_[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & mask_;
  index_[at].store(place, std::memory_order_release);
  used_.store(places_.size(), std::memory_order_relaxed);
  return place;
}

void InventoryForecast::Observe(uint64_t placement, absl::Time now) {
  if (absl::ToUnixSeconds(now - kPatience) >= next_minute_.load(std::memory_order_relaxed)) {
    Advance(now);
  }
  if (Place* place = PlaceFor(placement); place != nullptr) {
    place->seen.fetch_add(1, std::memory_order_relaxed);
  } else {
    without_room_.Add(1);
  }
}

void InventoryForecast::Advance(absl::Time now) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;  // somebody else is at it
  const int64_t seconds = absl::ToUnixSeconds(now);
  if (seconds < next_minute_.load(std::memory_order_relaxed)) return;
  next_minute_.store(seconds - seconds % kMinute + kMinute, std::memory_order_relaxed);
  if (observed_until_ == absl::InfinitePast()) observed_until_ = now;
  const absl::Time from = std::max(observed_until_, now - kLongestGap);
  observed_until_ = now;
  for (const auto& place : places_) Advance(*place, from, now);
}

/// All that was seen between the two times came evenly.
void InventoryForecast::Advance(Place& place, absl::Time from, absl::Time to) {
  const auto seen = static_cast<double>(place.seen.exchange(0, std::memory_order_relaxed));
  const double length = std::max(1e-3, absl::ToDoubleSeconds(to - from));
  for (absl::Time at = from; at < to;) {
    const int64_t hour = HourOf(at);
    const absl::Time end = std::min(to, absl::FromUnixSeconds((hour + 1) * kHour));
    const double share = seen * absl::ToDoubleSeconds(end - at) / length;
    if (place.first_hour == INT64_MIN && seen > 0) place.first_hour = hour;
    if (place.first_hour != INT64_MIN) {
      if (hour != place.hour) FinishHour(place, hour);
      place.hour_seen += share;
      if (place.traffic) place.traffic->Observe(at, end, std::llround(share));
    }
    at = end;
  }
}

void InventoryForecast::FinishHour(Place& place, int64_t hour) {
  if (place.hour != INT64_MIN && place.traffic) {
    const auto ratios = RatiosOf(place);
    const double ratio = (place.hour_seen + kPriorSlots) / (place.hour_expected + kPriorSlots);
    if (ratios) {
      const bool within = ratio >= ratios->first && ratio <= ratios->second;
      ++coverage_.hours;
      coverage_.within += within ? 1 : 0;
      const double target = 1 - options_.coverage;
      place.aimed = std::clamp(place.aimed + kStep * (target - (within ? 0.0 : 1.0)), 1e-3, 0.99);
    }
    place.ratios[place.errors++ % kErrors] = ratio;
  }
  // The hour in which it was first seen was not a full one.
  if (place.hour != INT64_MIN && place.hour > place.first_hour && !place.traffic) {
    place.traffic.emplace(TrafficForecast::Flat(std::max(place.hour_seen, 0.1)), options_.traffic);
  }
  place.hour = hour;
  place.hour_seen = 0;
  if (place.traffic) {
    const absl::Time begin = absl::FromUnixSeconds(hour * kHour);
    place.hour_expected = place.traffic->Expect(begin, begin + absl::Hours(1));
  }
}

/// What came was between so many times what was expected; nothing while too few hours tell.
std::optional<std::pair<double, double>> InventoryForecast::RatiosOf(const Place& place) const {
  const size_t n = std::min(place.errors, kErrors);
  if (n < kFewErrors) return std::nullopt;
  std::vector<double> sorted(place.ratios.begin(),
                             place.ratios.begin() + static_cast<std::ptrdiff_t>(n));
  std::sort(sorted.begin(), sorted.end());
  return std::pair(Quantile(sorted, place.aimed / 2), Quantile(sorted, 1 - place.aimed / 2));
}

InventoryOutlook InventoryForecast::Expect(uint64_t placement, absl::Time from,
                                           absl::Time to) const {
  InventoryOutlook out;
  const Place* place = Find(placement);
  if (place == nullptr) return out;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!place->traffic) return out;
  out.known = true;
  out.slots = place->traffic->Expect(from, to);
  out.high = std::numeric_limits<double>::infinity();
  if (const auto ratios = RatiosOf(*place); ratios) {
    out.low = std::max(0.0, ratios->first * (out.slots + kPriorSlots) - kPriorSlots);
    out.high = std::max(out.low, ratios->second * (out.slots + kPriorSlots) - kPriorSlots);
  }
  return out;
}

InventoryForecast::Coverage InventoryForecast::coverage() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return coverage_;
}

}  // namespace adagents::ads
