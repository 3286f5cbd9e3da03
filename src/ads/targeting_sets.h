// What a TargetingIndex is made of. Built by targeting_build.cc, read by targeting.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "adagents/ads/targeting.h"
#include "ads/big_memory.h"
#include "ads/bitset_kernels.h"
#include "ads/value_dictionary.h"

namespace adagents::ads {

namespace internal {

/// A set of campaign ids: nothing, a sorted list, or a bitmap.
struct IdSet {
  enum class Kind : uint8_t { kEmpty, kList, kBitmap };
  Kind kind = Kind::kEmpty;
  uint32_t count = 0;  // of a list
  size_t at = 0;       // first element in Sets::lists, or first word in Sets::words
};

/// What the requests with one value of an attribute get.
struct ValueSets {
  // Who includes it. A bitmap also holds everybody without includes for the attribute, and when
  // `folded` lacks those who exclude the value; a list does not.
  IdSet include;
  IdSet exclude;
  bool folded = false;
};

struct AttributeSets {
  bool any_include = false;  // else nobody minds and `open` would be everybody
  IdSet open;                // bitmap of those without includes
  uint32_t first_value = 0;  // values [first_value, end_value) are this attribute's
  uint32_t end_value = 0;
};

constexpr uint64_t ShapeKey(MarkupType format, int32_t w, int32_t h) {
  return static_cast<uint64_t>(format) << 56 |
         static_cast<uint64_t>(static_cast<uint32_t>(w) & 0xfffffff) << 28 |
         (static_cast<uint32_t>(h) & 0xfffffff);
}
/// The key for banners of any size at all; distinct from the fluid ones of size 0 x 0.
inline constexpr uint64_t kEveryBanner = uint64_t{0xff} << 56;

}  // namespace internal

/// Over places 0 to size - 1, which rank in this order.
struct TargetingIndex::Sets {
  size_t size = 0;
  internal::ValueDictionary dictionary;
  std::vector<internal::ValueSets> values;  // by number
  std::array<internal::AttributeSets, kAttributeCount> attributes;
  absl::flat_hash_map<uint64_t, uint32_t> shape_numbers;
  std::vector<internal::IdSet> shapes;
  bool any_hours = false;
  std::array<internal::IdSet, 168> hours;  // bitmaps, when any_hours
  internal::IdSet everybody;               // bitmap
  std::vector<int64_t> best_score_from;    // highest static score in this block or a later one
  std::vector<int64_t> static_scores;
  size_t words_per_bitmap = 0;  // a multiple of kBlockWords
  internal::BigVector<uint64_t> words;
  std::vector<uint32_t> lists;

  const uint64_t* Bitmap(const internal::IdSet& set) const { return words.data() + set.at; }
  std::span<const uint32_t> List(const internal::IdSet& set) const {
    return {lists.data() + set.at, set.count};
  }
  bool Has(const internal::IdSet& set, uint32_t id) const;
  size_t memory_bytes() const;
};

}  // namespace adagents::ads
