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
// campaigns that are gone are a bitmap, those that came are in two small indexes whose matches are
// merged in by rank: one of the latest few, built anew with each change, and one that takes them in
// when they have become kMostYoung. So a change among a million campaigns costs a few dozen
// campaigns' indexing and a bit for each campaign, and a query at most one more block of bitmaps
// for each 2,048 changes, and one for the latest.
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
  std::array<Part, 3> parts_;  // of what was built, and of what was added since, older and younger
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
  /// Gives the campaign with an id.
  using Campaigns = absl::FunctionRef<const Campaign&(uint32_t)>;
  /// Over the campaigns 0 to size - 1, whose conditions are canonical and which come by falling
  /// tier and static score (Catalog sees to both). Keeps no reference to them.
  static std::unique_ptr<const TargetingIndex> Build(size_t size, Campaigns campaign);

  /// Of all campaigns of a catalog, those that Change() puts beside the ones that were built:
  /// `ids`, by rank, are those that live; `before[i]` is how many of the built ones, gone ones
  /// included, rank before ids[i].
  struct Added {
    std::vector<uint32_t> ids;
    std::vector<uint32_t> before;
  };
  /// An index like this one in which exactly `added` is beside what was built, and of that `gone`
  /// does not match any more, nor what was gone before. An id always means the same campaign.
  /// Reads the latest campaigns, kMostYoung at most, and when those become old all of `added`; takes
  /// time for that, a word for each of `added`, and a bit for each campaign that was built.
  [[nodiscard]] std::unique_ptr<const TargetingIndex> Change(Added added,
                                                             std::span<const uint32_t> gone,
                                                             Campaigns campaign) const;
  static constexpr size_t kMostYoung = 64;

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
  /// Those of them that were added by Change() since Build(); and how many are gone since.
  const Added& added() const { return added_; }
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

  /// Some of the added ones.
  struct Level {
    std::shared_ptr<const Sets> sets;                  // over places in `ids`; null: there are none
    std::shared_ptr<const std::vector<uint32_t>> ids;  // by rank, when it was built
  };
  static Level MakeLevel(std::vector<uint32_t> ids, Campaigns campaign);
  /// Where an added one is in added_; kNowhere when it is gone.
  static constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();
  uint32_t PlaceOf(uint32_t id) const { return place_[id - first_added_]; }
  const Sets* SetsOf(size_t part) const {
    return part == 0 ? built_.get() : levels_[part - 1].sets.get();
  }

  template <class Emit>
  static void Run(const Sets& sets, const TargetingQuery& query, const TargetingQuery::Part& part,
                  const uint64_t* gone, Emit emit);
  template <class Each>
  void RunAdded(const TargetingQuery& query, Each each) const;
  template <class Take>
  void RunMerged(const TargetingQuery& query, Take take) const;
  static std::vector<Mismatch> ExplainIn(const Sets& sets, const TargetingQuery& query,
                                         const TargetingQuery::Part& part, uint32_t place);

  uint64_t number_ = 0;  // of this index in this process
  size_t size_ = 0;
  std::shared_ptr<const Sets> built_;
  std::vector<uint64_t> gone_;  // bitmap over what was built; empty: nothing is
  size_t gone_count_ = 0;
  Added added_;
  uint32_t first_added_ = 0;     // the lowest of all ids that were ever added
  std::vector<uint32_t> place_;  // in added_, by id from first_added_ on
  std::array<Level, 2> levels_;  // older and younger
};

}  // namespace adagents::ads
