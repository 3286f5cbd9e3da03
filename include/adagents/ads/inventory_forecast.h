// How many slots of each placement are to come, hour by hour, with intervals: learned from the
// requests that are seen.
//
//   InventoryForecast inventory({.placements = 500});
//   inventory.Observe(placement, now);                            // for each slot that is offered
//   InventoryOutlook next = inventory.Expect(placement, now, now + absl::Hours(1));
//   // next.low <= next.slots <= next.high, in nine of ten hours
//
// The forecast of a placement is TrafficForecast's: a profile by hour of the week and a level
// (Winters, 1960). A placement that is new starts from a flat profile of what its first hour
// brought. Its interval comes from how wrong it has been: of the last kErrors finished hours it
// keeps the ratios of what came to what had been expected an hour before, and takes their
// quantiles, as split conformal prediction does (Papadopoulos et al., "Inductive confidence
// machines for regression", ECML 2002; Lei et al., JASA 113, 2018); the share that it aims at
// follows what is missed, so that in the long run the stated share of hours is covered whatever the
// traffic does (Gibbs and Candes, "Adaptive conformal inference under distribution shift", NeurIPS
// 2021).
//
// Units: slots. Hours are of UTC.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/request.h"
#include "adagents/ads/traffic_forecast.h"
#include "adagents/blackboard/counter.h"

namespace adagents::ads {

/// What kind of slot an imp is, wherever it is offered: its channel (bundle, domain, else publisher
/// or id), its tagid, what can fill it, and whether it is a pre-, mid- or post-roll. A stable hash.
[[nodiscard]] uint64_t PlacementOf(const Request& request, const Imp& imp);

/// What is to be expected. Plain value.
struct InventoryOutlook {
  bool known = false;  ///< false: not seen for a full hour yet
  double slots = 0;
  double low = 0, high = 0;  ///< the interval; without finished hours to judge by, 0 and infinity
};

struct InventoryOptions {
  /// Placements to forecast, the first that come, at most kMostPlacements; others are counted
  /// together. 4 KiB each.
  size_t placements = 256;
  /// The share of hours whose slots are to lie within the interval, in (0, 1).
  double coverage = 0.9;
  TrafficForecastOptions traffic = {};
};

/// Thread-safe. Observe() takes no lock, but for a new placement, and where nobody calls Advance().
class InventoryForecast {
 public:
  static constexpr size_t kErrors = 168;
  static constexpr size_t kMostPlacements = 4096;  ///< so that Advance() takes milliseconds

  /// Options are brought into range.
  explicit InventoryForecast(const InventoryOptions& options = {});
  ~InventoryForecast();
  InventoryForecast(const InventoryForecast&) = delete;
  InventoryForecast& operator=(const InventoryForecast&) = delete;

  /// A slot of `placement` is offered at `now` (wall time; calls in about this order).
  void Observe(uint64_t placement, absl::Time now);
  /// Takes in what was observed, once a minute; does nothing in between. An engine's Tick() calls
  /// it; Observe() does, when nobody has for kPatience.
  void Advance(absl::Time now);
  static constexpr absl::Duration kPatience = absl::Seconds(5);
  /// Between the two times. Intervals are those of an hour; for other spans as wide in proportion.
  [[nodiscard]] InventoryOutlook Expect(uint64_t placement, absl::Time from, absl::Time to) const;

  /// Placements that have a forecast of their own.
  [[nodiscard]] size_t placements() const { return used_.load(std::memory_order_relaxed); }
  /// Slots of placements for which there was no room.
  [[nodiscard]] int64_t without_room() const { return without_room_.Sum(); }
  /// Of the finished hours that had an interval, how many came within it.
  struct Coverage {
    uint64_t hours = 0, within = 0;
  };
  [[nodiscard]] Coverage coverage() const;

 private:
  struct Place;
  Place* PlaceFor(uint64_t placement);
  const Place* Find(uint64_t placement) const;
  void Advance(Place& place, absl::Time from, absl::Time to);
  void FinishHour(Place& place, int64_t hour);
  std::optional<std::pair<double, double>> RatiosOf(const Place& place) const;

  const InventoryOptions options_;
  const size_t mask_;
  // Open addressing; a place, once there, stays.
  const std::unique_ptr<std::atomic<Place*>[]> index_;
  std::vector<std::unique_ptr<Place>> places_;  // guarded by mutex_
  std::atomic<size_t> used_{0};
  std::atomic<int64_t> next_minute_{INT64_MIN};  // Unix seconds
  mutable std::mutex mutex_;                     // of what follows, and of the places' forecasts
  absl::Time observed_until_ = absl::InfinitePast();
  Coverage coverage_;
  Counter without_room_;
};

}  // namespace adagents::ads
