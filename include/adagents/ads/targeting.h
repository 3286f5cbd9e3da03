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
//
// An index is never modified. Change() makes another one that shares all but what differs: the
// campaigns that are gone are a bitmap, those that came a second, small index whose matches are
// merged in by rank. So a change among a million campaigns costs what the changes since the last
// Build() cost, and a query at most one more block of bitmaps for each 2,048 of them.
#pragma once

#include <array>
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

  /// Which campaigns are asked for with regard to deals. ReadImp() sets kAll, or for a private
  /// auction kWithDeal; to ask for less, set it afterwards.
  enum class Deals : uint8_t {
    kAll,
    kWithDeal,  // that include one of the imp's deals
    kWithout,   // that include no deals
  };
  void set_deals(Deals deals) { deals_ = deals; }

 private:
  friend class TargetingIndex;
  /// In the numbers of one part of the index.
  struct Part {
    std::vector<uint32_t> values;  // known values of the request, by attribute, then of the imp
    size_t request_values = 0;     // how many of them are the request's
    std::vector<uint32_t> shapes;  // known formats and sizes of the imp
  };
  uint64_t index_ = 0;  // whose value numbers these are
  int hour_of_week_ = 0;
  Deals deals_ = Deals::kAll;
  bool any_imp_ = false;       // ReadImp has been called
  std::array<Part, 2> parts_;  // of what was built, and of what was added since
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
  /// Over `campaigns`, whose conditions are canonical and which come by falling priority and static
  /// score (Catalog sees to both); the positions are the ids. Keeps no reference to them.
  static std::unique_ptr<const TargetingIndex> Build(std::span<const Campaign> campaigns);

  /// Of all campaigns of a catalog, those that Change() puts beside the ones that were built:
  /// `ids`, by rank, are those that live; `before[i]` is how many of the built ones, gone ones
  /// included, rank before ids[i]. `campaigns` has them at these ids.
  struct Added {
    std::span<const Campaign> campaigns;
    std::vector<uint32_t> ids;
    std::vector<uint32_t> before;
  };
  /// An index like this one in which exactly `added` is beside what was built, and of that `gone`
  /// does not match any more, nor what was gone before. Takes time in proportion to `added`, and to
  /// a bit for each campaign that was built.
  [[nodiscard]] std::unique_ptr<const TargetingIndex> Change(const Added& added,
                                                             std::span<const uint32_t> gone) const;

  ~TargetingIndex();
  TargetingIndex(const TargetingIndex&) = delete;
  TargetingIndex& operator=(const TargetingIndex&) = delete;

  /// Sets `query` to what `request` says at wall time `now`, without any imp: Match then asks no
  /// format and takes deal campaigns only if they do not include deals. Never fails.
  void Read(const Request& request, absl::Time now, TargetingQuery* query) const;
  /// Adds what `imp` asks for; replaces the imp of an earlier call.
  void ReadImp(const Imp& imp, TargetingQuery* query) const;

  /// All matching campaigns by rank (without changes: in rising order), replacing the contents of
  /// `out`. Returns their number. Finds none when `query` was read by another index.
  size_t Match(const TargetingQuery& query, std::vector<uint32_t>* out) const {
    return MatchTopK(query, std::numeric_limits<size_t>::max(), out);
  }
  /// The first `k` of them: the best by rank.
  size_t MatchTopK(const TargetingQuery& query, size_t k, std::vector<uint32_t>* out) const;
  /// The first `k` for which `keep(id)` is true (in flight, not killed, with budget).
  size_t MatchTopK(const TargetingQuery& query, size_t k, absl::FunctionRef<bool(uint32_t)> keep,
                   std::vector<uint32_t>* out) const;
  /// Gives all matches to `visit`, by rank, some at a time (at most kMostVisited, at least one),
  /// until it returns false.
  void Visit(const TargetingQuery& query,
             absl::FunctionRef<bool(std::span<const uint32_t>)> visit) const;
  static constexpr size_t kMostVisited = 2048;
  /// The best `k` by `score(id)`, best first, equals by rank, given that score(id) is at most
  /// `max_factor` times the campaign's static score (Catalog::StaticScore): stops as soon as no
  /// later one can be among them. A NaN score counts as not matching.
  size_t MatchTopKByScore(const TargetingQuery& query, size_t k, double max_factor,
                          absl::FunctionRef<double(uint32_t)> score,
                          std::vector<uint32_t>* out) const;

  /// Everything that keeps campaign `id` from matching; empty when it matches, and for ids that
  /// are not (any more) of this index.
  std::vector<Mismatch> Explain(const TargetingQuery& query, uint32_t id) const;

  /// How many campaigns can match.
  size_t size() const { return size_; }
  /// How many of them were added by Change() since Build(); and the ids that are gone since.
  size_t added() const { return added_.size(); }
  size_t gone() const { return gone_count_; }
  bool IsGone(uint32_t id) const {
    return id / 64 < gone_.size() && (gone_[id / 64] >> (id % 64) & 1) != 0;
  }
  /// Bytes held, dictionary included; what indexes share is counted for each.
  size_t memory_bytes() const;

 private:
  friend class TargetingIndexBuilder;
  struct Sets;
  TargetingIndex();

  template <class Emit>
  static void Run(const Sets& sets, const TargetingQuery& query, const TargetingQuery::Part& part,
                  const uint64_t* gone, Emit emit);
  template <class Take>
  void RunMerged(const TargetingQuery& query, Take take) const;
  static std::vector<Mismatch> ExplainIn(const Sets& sets, const TargetingQuery& query,
                                         const TargetingQuery::Part& part, uint32_t place);

  uint64_t number_ = 0;  // of this index in this process
  size_t size_ = 0;
  std::shared_ptr<const Sets> built_;
  std::vector<uint64_t> gone_;  // bitmap over what was built; empty: nothing is
  size_t gone_count_ = 0;
  std::unique_ptr<const Sets> extra_;  // over the added ones, by rank; null: there are none
  std::vector<uint32_t> added_;        // their ids
  std::vector<uint32_t> before_;       // how many of the built ones rank before each
};

}  // namespace adagents::ads
