// Which campaigns is this request for? An index over the targeting of all campaigns of a catalog
// that answers in microseconds: per value of an attribute a set of campaigns, with includes,
// "does not say" and excludes folded in when it is built, so that a request is the intersection
// of one set per attribute, a few thousand campaigns at a time in wide registers.
//
//   TargetingQuery query;                             // keep one per thread or call: it has memory
//   catalog.targeting().Read(request, clock.WallNow(), &query);
//   for (const Imp& imp : request.imps) {
//     catalog.targeting().ReadImp(imp, &query);
//     catalog.targeting().Match(query, &found);       // all, best rank first
//     for (const Mismatch& m : catalog.targeting().Explain(query, i)) ...  // why not campaign i
//   }
//
// It judges targeting, daypart, deals, and that some creative has a format and size the imp takes.
// Flights, kill switches and budgets change by the minute: the caller filters them, or gives
// MatchTopK a filter. Durations, MIME types and blocked attributes are the caller's as well, from
// CreativeFacts.
//
// Sets that hold many campaigns are bitmaps, the others sorted lists; ids are ranks (catalog.h), so
// the best campaigns come first and MatchTopK stops early.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/request.h"

namespace adagents::ads {

class TargetingIndex;

/// The values of one request and imp, looked up in one index. Reusing it saves allocations.
/// Thread-compatible.
class TargetingQuery {
 public:
  TargetingQuery() = default;

  /// The listener's hour of the week, 0-167, Monday first.
  int hour_of_week() const { return hour_of_week_; }

 private:
  friend class TargetingIndex;
  const TargetingIndex* index_ = nullptr;  // whose value numbers these are
  int hour_of_week_ = 0;
  bool private_auction_ = false;
  bool any_imp_ = false;          // ReadImp has been called
  std::vector<uint32_t> values_;  // known values of the request, by attribute, then of the imp
  size_t request_values_ = 0;     // how many of them are the request's
  std::vector<uint32_t> shapes_;  // known formats and sizes of the imp
};

/// Why a campaign does not match.
struct Mismatch {
  enum class Kind : uint8_t {
    kInclude,         // the request has none of the values, or does not say
    kExclude,         // the request has an excluded value
    kHours,           // not in this hour of the week
    kFormat,          // no creative of a format and size that the imp takes
    kPrivateAuction,  // only deals may bid, and the campaign has none of them
  };
  Kind kind = Kind::kInclude;
  Attribute attribute = Attribute::kCountry;  // of kInclude and kExclude

  bool operator==(const Mismatch&) const = default;
};
/// "genre: the request has none of the targeted values", and so on.
std::string ToString(const Mismatch& m);

/// A format with a size, as imps ask for and creatives have.
struct Shape {
  MarkupType format = MarkupType::kUnset;
  int32_t w = 0, h = 0;  // of banners only; 0: any

  bool operator==(const Shape&) const = default;
};

/// What a request says, in canonical spelling: the meaning of targeting, apart from any index.
/// Each call gives every (attribute, value) that conditions may name, derived ones ("iab1" of
/// "iab1-3") included. Only what consent left in the request is there to be read.
class TargetingFacts {
 public:
  /// All but the hour; repeats are possible.
  static void ForEachValue(const Request& request, absl::Time now,
                           absl::FunctionRef<void(Attribute, std::string_view)> value);
  static void ForEachDeal(const Imp& imp, absl::FunctionRef<void(std::string_view)> deal);
  static void ForEachShape(const Imp& imp, absl::FunctionRef<void(const Shape&)> shape);

  /// The listener's hour of the week, 0-167. From utcoffset of device.geo, else user.geo, when
  /// within -12 to +14 hours; some exchanges turn the sign round, so the opposite is taken where
  /// that is nearer to the country's main zone by six hours or more. Else from the main time zone
  /// of the country, else UTC.
  static int HourOfWeek(const Request& request, absl::Time now);
};

/// Immutable once built. Thread-safe.
class TargetingIndex {
 public:
  /// Over `campaigns`, whose conditions are canonical (Catalog sees to it); the positions are the
  /// ids. Keeps no reference to them.
  static std::unique_ptr<const TargetingIndex> Build(std::span<const Campaign> campaigns);

  ~TargetingIndex();
  TargetingIndex(const TargetingIndex&) = delete;
  TargetingIndex& operator=(const TargetingIndex&) = delete;

  /// Sets `query` to what `request` says at wall time `now`, without any imp: Match then asks no
  /// format and takes deal campaigns only if they do not include deals. Never fails.
  void Read(const Request& request, absl::Time now, TargetingQuery* query) const;
  /// Adds what `imp` asks for; replaces the imp of an earlier call.
  void ReadImp(const Imp& imp, TargetingQuery* query) const;

  /// All matching campaigns in rising order, replacing the contents of `out`. Returns their number.
  /// Finds none when `query` was read by another index.
  size_t Match(const TargetingQuery& query, std::vector<uint32_t>* out) const {
    return MatchTopK(query, std::numeric_limits<size_t>::max(), out);
  }
  /// The first `k` of them: the best by rank.
  size_t MatchTopK(const TargetingQuery& query, size_t k, std::vector<uint32_t>* out) const;
  /// The first `k` for which `keep(id)` is true (in flight, not killed, with budget).
  size_t MatchTopK(const TargetingQuery& query, size_t k, absl::FunctionRef<bool(uint32_t)> keep,
                   std::vector<uint32_t>* out) const;
  /// The best `k` by `score(id)`, best first, equals by rank, given that score(id) is at most
  /// `max_factor` times the campaign's static score (Catalog::StaticScore): stops as soon as no
  /// later one can be among them. A NaN score counts as not matching.
  size_t MatchTopKByScore(const TargetingQuery& query, size_t k, double max_factor,
                          absl::FunctionRef<double(uint32_t)> score,
                          std::vector<uint32_t>* out) const;

  /// Everything that keeps campaign `id` from matching; empty when it matches.
  std::vector<Mismatch> Explain(const TargetingQuery& query, uint32_t id) const;

  size_t size() const { return size_; }
  /// Bytes held, dictionary included.
  size_t memory_bytes() const;

 private:
  friend class TargetingIndexBuilder;
  struct Sets;
  TargetingIndex();

  template <class Emit>
  void Run(const TargetingQuery& query, Emit emit) const;

  size_t size_ = 0;
  std::unique_ptr<Sets> sets_;
};

}  // namespace adagents::ads
