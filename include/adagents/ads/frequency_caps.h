// How often has this listener met this campaign: counts of impressions in sliding windows, for tens
// of millions of listeners in fixed memory, and places in them that are reserved while a bid is
// out.
//
//   FrequencyCaps caps({.windows = 50'000'000});            // 10 million listeners, 5 windows each
//   const CapWindow day{.subject = listener, .target = campaign, .seconds = 86'400, .limit = 3};
//   if (caps.Reserve(decision, bid, {&day, 1}).ok) ...      // when deciding: all windows, or none
//   caps.Count(decision, bid);                              // the impression came
//   caps.Release(decision, bid);                            // it will not: lost, cut, not rendered
//
// What holds: at no moment do more than `limit` impressions lie in any window of that length, as
// long as each comes within `ttl` of its reservation. Check and reservation are one atomic step for
// each window, so requests in flight cannot exceed it together. Counting is never short: an
// impression counts from its reservation on, and after it was reported for at least the window and
// at most one slice (a seventh of the window, and a few per cent for rounding) longer. See
// ads/cap_word.h for the algorithm and its source.
//
// A reservation whose impression or release never comes stops counting between `ttl` and twice that
// after it was made. An impression that comes later still counts, for `late` after that: then its
// place may have been given to another, and Counts::late says so. Each bid counts once, however
// often its impression is reported; a bid that nobody knows (any more) changes nothing.
//
// An impression counts for `late` after its reservation has ended, unless 15 places of a seventh of
// its window are taken by then; Counts::dropped says how often.
//
// Memory is fixed. A window that counts something is never evicted: when there is no room for a new
// one, its first reservation is refused ("full means no") and Counts::full says how often.
// In a Region over a file all of it outlives the process: bids of before a crash count after it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "adagents/base/clock.h"

namespace adagents {
class Region;
}

namespace adagents::ads {

/// One capped window of one subject. Plain value.
struct CapWindow {
  uint64_t subject = 0;  ///< whose impressions: a keyed hash, never an identifier
  uint64_t target = 0;   ///< of what: a hash of a campaign, creative or brand
  int32_t seconds = 0;   ///< its length, up to 31 days; longer ones are 31 days
  int32_t limit = 0;     ///< impressions; above 15, at most 15 of them within a seventh of it
};

/// What a window holds at one moment. Plain value.
struct CapUse {
  int32_t shown = 0;       ///< impressions that count
  int32_t reserved = 0;    ///< places held for bids that are out
  bool reached = false;    ///< there is no place for one more
  absl::Duration free_in;  ///< until there is one, if nothing else happens; 0 unless reached
};

struct FrequencyCapsOptions {
  /// Windows that count something at one time to make room for; 20.7 bytes each. With random keys
  /// one in about a million finds no room then; of ten million, also with 2,000 of some subjects.
  size_t windows = 1'000'000;
  /// Bids with caps on them that are out at one time, and impressions that were counted less than
  /// twice `ttl` and `late` ago (90 minutes), so that none counts twice; 250 bytes each. More are
  /// refused: with this default, capped campaigns have 48 impressions a second.
  size_t bids = 262'144;
  /// How long a reservation is sure to count: about as long as an impression takes. 4 s to a day;
  /// it must stay the same for a region's life.
  absl::Duration ttl = absl::Minutes(15);
  /// How long after its reservation has ended an impression still counts.
  absl::Duration late = absl::Hours(1);
  const Clock* clock = nullptr;  ///< null: the region's or, without one, the system's
  Region* region = nullptr;      ///< must outlive this; null: memory of its own
  std::string name = "caps";     ///< of its objects in the region: "caps/windows", "caps/bids"
};

/// Thread-safe. Looking takes no lock; reserving and counting take one that the windows of a line
/// of memory share, for some ten instructions each.
class FrequencyCaps {
 public:
  static constexpr size_t kMostWindows = 12;  ///< of one bid

  /// Options are brought into range. Throws std::bad_alloc without memory.
  explicit FrequencyCaps(FrequencyCapsOptions options = {});
  ~FrequencyCaps();
  FrequencyCaps(const FrequencyCaps&) = delete;
  FrequencyCaps& operator=(const FrequencyCaps&) = delete;

  /// Memory that the windows and bids of `options` take.
  static size_t BytesFor(const FrequencyCapsOptions& options);

  struct Reservation {
    bool ok = false;
    bool full = false;  ///< not ok for want of memory, not of places
    bool held = false;  ///< not ok because somebody holds places for this bid already
    size_t which = 0;   ///< the window that refused, when not ok and not for want of room for a bid
  };
  /// Takes a place in every one of `windows`, or in none. The same bid again holds what it held,
  /// or changes to other windows if those are others. Windows beyond kMostWindows refuse.
  Reservation Reserve(uint64_t decision, uint32_t bid, std::span<const CapWindow> windows);
  /// Refuses when the bid holds places already: where two may reserve for one bid (an agent that is
  /// late, and the fallback) and each releases what it does not need.
  Reservation ReserveOnce(uint64_t decision, uint32_t bid, std::span<const CapWindow> windows);

  enum class Counted : uint8_t { kYes, kLate, kAgain, kUnknown };
  /// The impression of a bid. kAgain: it was counted before; kLate: counted, but after its
  /// reservation had ended; kUnknown: it was released, or is forgotten, or never was.
  Counted Count(uint64_t decision, uint32_t bid);
  /// Gives the places of a bid back. False when it has none (any more).
  bool Release(uint64_t decision, uint32_t bid);

  /// Lock-free; the moment may be over when it returns. `now`: of the clock, for those who know it.
  [[nodiscard]] CapUse Look(const CapWindow& window) const;
  [[nodiscard]] CapUse Look(const CapWindow& window, int64_t now) const;
  /// Starts loading what Look() needs.
  void Prefetch(const CapWindow& window) const;

  /// Numbers since the start of the process.
  struct Counts {
    int64_t reserved = 0, refused = 0;  ///< bids
    int64_t counted = 0, late = 0, again = 0, released = 0;
    int64_t full = 0;     ///< refused for want of memory
    int64_t dropped = 0;  ///< late impressions for which there was no room
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] size_t bytes() const;
  /// As it is used: rounded up to 4 s.
  [[nodiscard]] absl::Duration ttl() const;

 private:
  Reservation Reserve(uint64_t decision, uint32_t bid, std::span<const CapWindow> windows,
                      bool once);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace adagents::ads
