// Building a TargetingIndex: one pass collects (value, campaign) pairs, one per value lays them
// out.
#include <algorithm>
#include <utility>

#include "adagents/ads/catalog.h"
#include "ads/targeting_sets.h"

namespace adagents::ads {

using internal::AttributeSets;
using internal::IdSet;
using internal::ShapeKey;
using internal::ValueSets;

namespace {

/// Pairs of a set's number and a member, in rising order of members as they come.
using Pairs = std::vector<std::pair<uint32_t, uint32_t>>;

/// A list of n ids costs n times 4 bytes and about a nanosecond each when it is used, a bitmap N /
/// 8 bytes and N / 10,000 nanoseconds or so: from one in 128 on a bitmap is faster by far, and the
/// bytes of both stay bounded by 16 times the smaller.
constexpr size_t kBitmapFrom = 128;

/// Attributes of which a request may have several known values keep includes and excludes apart.
constexpr bool SingleValued(Attribute a) {
  switch (a) {
    case Attribute::kCountry:
    case Attribute::kMetro:
    case Attribute::kOs:
    case Attribute::kMake:
    case Attribute::kChannel:
    case Attribute::kLanguage:
    case Attribute::kPublisher:
    case Attribute::kApp:
    case Attribute::kAge:
    case Attribute::kGender:
      return true;
    default:
      return false;
  }
}

/// Groups `pairs` by set, members rising: offsets per set, then members.
struct Grouped {
  std::vector<size_t> begin;
  std::vector<uint32_t> members;
  std::span<const uint32_t> Of(uint32_t set) const {
    return {members.data() + begin[set], begin[set + 1] - begin[set]};
  }
};
Grouped Group(const Pairs& pairs, size_t sets) {
  Grouped out;
  out.begin.assign(sets + 1, 0);
  for (const auto& [set, member] : pairs) ++out.begin[set + 1];
  for (size_t i = 0; i < sets; ++i) out.begin[i + 1] += out.begin[i];
  out.members.resize(pairs.size());
  std::vector<size_t> next(out.begin.begin(), out.begin.end() - 1);
  for (const auto& [set, member] : pairs) out.members[next[set]++] = member;
  return out;
}

}  // namespace

class TargetingIndexBuilder {
 public:
  explicit TargetingIndexBuilder(std::span<const Campaign> campaigns) : campaigns_(campaigns) {}

  std::unique_ptr<const TargetingIndex> Build() {
    index_.reset(new TargetingIndex);
    index_->size_ = campaigns_.size();
    index_->sets_ = std::make_unique<TargetingIndex::Sets>();
    sets_ = index_->sets_.get();
    const size_t blocks = (campaigns_.size() + internal::kBlockBits - 1) / internal::kBlockBits;
    sets_->words_per_bitmap = blocks * internal::kBlockWords;
    NumberValues();
    BuildValues();
    BuildShapes();
    BuildHours();
    BuildScores();
    sets_->words.shrink_to_fit();
    sets_->lists.shrink_to_fit();
    return std::move(index_);
  }

 private:
  IdSet NewBitmap() {
    const IdSet set{IdSet::Kind::kBitmap, 0, sets_->words.size()};
    sets_->words.resize(set.at + sets_->words_per_bitmap);
    return set;
  }
  void Set(const IdSet& bitmap, uint32_t id) {
    sets_->words[bitmap.at + id / 64] |= uint64_t{1} << (id % 64);
  }
  void Clear(const IdSet& bitmap, uint32_t id) {
    sets_->words[bitmap.at + id / 64] &= ~(uint64_t{1} << (id % 64));
  }
  IdSet NewList(std::span<const uint32_t> ids) {
    if (ids.empty()) return {};
    const IdSet set{IdSet::Kind::kList, static_cast<uint32_t>(ids.size()), sets_->lists.size()};
    sets_->lists.insert(sets_->lists.end(), ids.begin(), ids.end());
    return set;
  }
  IdSet NewBitmapOf(std::span<const uint32_t> ids) {
    const IdSet set = NewBitmap();
    for (uint32_t id : ids) Set(set, id);
    return set;
  }
  bool Dense(std::span<const uint32_t> ids) const {
    return !ids.empty() && ids.size() * kBitmapFrom >= campaigns_.size();
  }

  /// Numbers rise with the attribute, so that a query sorted by number is sorted by attribute.
  void NumberValues() {
    for (int a = 0; a < kAttributeCount; ++a) {
      const auto attribute = static_cast<Attribute>(a);
      AttributeSets& sets = sets_->attributes[static_cast<size_t>(a)];
      sets.first_value = static_cast<uint32_t>(sets_->dictionary.size());
      for (const Campaign& c : campaigns_) {
        for (const Condition& condition : c.targeting.conditions) {
          if (condition.attribute != attribute) continue;
          for (const std::string& v : condition.values) sets_->dictionary.Intern(attribute, v);
        }
      }
      sets.end_value = static_cast<uint32_t>(sets_->dictionary.size());
    }
  }

  void BuildValues() {
    sets_->everybody = NewBitmap();
    for (uint32_t id = 0; id < campaigns_.size(); ++id) Set(sets_->everybody, id);
    Pairs includes, excludes, restricted;
    for (uint32_t id = 0; id < campaigns_.size(); ++id) {
      for (const Condition& c : campaigns_[id].targeting.conditions) {
        for (const std::string& v : c.values) {
          (c.exclude ? excludes : includes)
              .emplace_back(sets_->dictionary.Find(c.attribute, v), id);
        }
        if (!c.exclude) restricted.emplace_back(static_cast<uint32_t>(c.attribute), id);
      }
    }
    const Grouped by_attribute = Group(restricted, kAttributeCount);
    for (uint32_t a = 0; a < kAttributeCount; ++a) {
      const std::span<const uint32_t> ids = by_attribute.Of(a);
      if (ids.empty()) continue;
      sets_->attributes[a].any_include = true;
      sets_->attributes[a].open = NewBitmap();
      CopyBitmap(sets_->everybody, sets_->attributes[a].open);
      for (uint32_t id : ids) Clear(sets_->attributes[a].open, id);
    }
    const size_t n = sets_->dictionary.size();
    const Grouped include = Group(includes, n), exclude = Group(excludes, n);
    sets_->values.resize(n);
    for (uint32_t v = 0; v < n; ++v) BuildValue(v, include.Of(v), exclude.Of(v));
  }

  void CopyBitmap(const IdSet& from, const IdSet& to) {
    std::copy_n(sets_->words.begin() + static_cast<std::ptrdiff_t>(from.at),
                sets_->words_per_bitmap, sets_->words.begin() + static_cast<std::ptrdiff_t>(to.at));
  }

  void BuildValue(uint32_t v, std::span<const uint32_t> include,
                  std::span<const uint32_t> exclude) {
    const Attribute a = sets_->dictionary.attribute(v);
    const AttributeSets& attribute = sets_->attributes[static_cast<size_t>(a)];
    const IdSet& open = attribute.any_include ? attribute.open : sets_->everybody;
    ValueSets& out = sets_->values[v];
    if (SingleValued(a) && (Dense(include) || Dense(exclude))) {
      out.folded = true;
      out.include = NewBitmap();
      CopyBitmap(open, out.include);
      for (uint32_t id : include) Set(out.include, id);
      for (uint32_t id : exclude) Clear(out.include, id);
      return;
    }
    if (Dense(include)) {
      out.include = NewBitmap();
      CopyBitmap(open, out.include);
      for (uint32_t id : include) Set(out.include, id);
    } else {
      out.include = NewList(include);
    }
    out.exclude = Dense(exclude) ? NewBitmapOf(exclude) : NewList(exclude);
  }

  uint32_t ShapeNumber(uint64_t key) {
    return sets_->shape_numbers.try_emplace(key, static_cast<uint32_t>(sets_->shape_numbers.size()))
        .first->second;
  }

  void BuildShapes() {
    Pairs pairs;
    for (uint32_t id = 0; id < campaigns_.size(); ++id) {
      const size_t first = pairs.size();
      for (const Creative& c : campaigns_[id].creatives) {
        const bool banner = c.format == MarkupType::kBanner;
        const bool sized = banner && c.w > 0 && c.h > 0;
        pairs.emplace_back(ShapeNumber(ShapeKey(c.format, sized ? c.w : 0, sized ? c.h : 0)), id);
        if (banner) pairs.emplace_back(ShapeNumber(internal::kEveryBanner), id);
      }
      const auto begin = pairs.begin() + static_cast<std::ptrdiff_t>(first);
      std::sort(begin, pairs.end());
      pairs.erase(std::unique(begin, pairs.end()), pairs.end());
    }
    const Grouped grouped = Group(pairs, sets_->shape_numbers.size());
    for (uint32_t s = 0; s < sets_->shape_numbers.size(); ++s) {
      const std::span<const uint32_t> ids = grouped.Of(s);
      sets_->shapes.push_back(Dense(ids) ? NewBitmapOf(ids) : NewList(ids));
    }
  }

  void BuildHours() {
    for (const Campaign& c : campaigns_) sets_->any_hours |= c.targeting.hours.any();
    if (!sets_->any_hours) return;
    for (IdSet& hour : sets_->hours) hour = NewBitmap();
    for (uint32_t id = 0; id < campaigns_.size(); ++id) {
      const HoursOfWeek& hours = campaigns_[id].targeting.hours;
      for (size_t h = 0; h < hours.size(); ++h) {
        if (hours.none() || hours[h]) Set(sets_->hours[h], id);
      }
    }
  }

  void BuildScores() {
    for (const Campaign& c : campaigns_) sets_->static_scores.push_back(Catalog::StaticScore(c));
    const size_t blocks = sets_->words_per_bitmap / internal::kBlockWords;
    sets_->best_score_from.assign(blocks, 0);
    int64_t best = 0;
    for (size_t b = blocks; b-- > 0;) {
      const size_t end = std::min((b + 1) * internal::kBlockBits, campaigns_.size());
      for (size_t i = b * internal::kBlockBits; i < end; ++i) {
        best = std::max(best, sets_->static_scores[i]);
      }
      sets_->best_score_from[b] = best;
    }
  }

  std::span<const Campaign> campaigns_;
  std::unique_ptr<TargetingIndex> index_;
  TargetingIndex::Sets* sets_ = nullptr;
};

std::unique_ptr<const TargetingIndex> TargetingIndex::Build(std::span<const Campaign> campaigns) {
  return TargetingIndexBuilder(campaigns).Build();
}

}  // namespace adagents::ads
