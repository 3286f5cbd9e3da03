// Building a TargetingIndex: one pass over the campaigns collects (value, campaign) pairs, one per
// value lays them out.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
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
  /// `campaign(i)` for i in [0, size) by rank.
  TargetingIndexBuilder(size_t size, TargetingIndex::Campaigns campaign)
      : size_(size), campaign_(campaign) {}

  std::unique_ptr<const TargetingIndex::Sets> Build() {
    auto sets = std::make_unique<TargetingIndex::Sets>();
    sets_ = sets.get();
    sets_->size = size_;
    const size_t blocks = (size_ + internal::kBlockBits - 1) / internal::kBlockBits;
    sets_->words_per_bitmap = blocks * internal::kBlockWords;
    sets_->everybody = NewBitmap();
    for (uint32_t id = 0; id < size_; ++id) Set(sets_->everybody, id);
    Collect();
    BuildValues();
    BuildShapes();
    BuildHours();
    BuildScores();
    sets_->words.shrink_to_fit();
    sets_->lists.shrink_to_fit();
    return sets;
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
    return !ids.empty() && ids.size() * kBitmapFrom >= size_;
  }

  /// The one pass: what each campaign asks for. Values get numbers as they come, then numbers that
  /// rise with the attribute, so that a query sorted by number is sorted by attribute.
  void Collect() {
    internal::ValueDictionary found;
    for (uint32_t id = 0; id < size_; ++id) {
      const Campaign& campaign = campaign_(id);
      for (const Condition& c : campaign.targeting.conditions) {
        for (const std::string& v : c.values) {
          (c.exclude ? excludes_ : includes_).emplace_back(found.Intern(c.attribute, v), id);
        }
        if (!c.exclude) restricted_.emplace_back(static_cast<uint32_t>(c.attribute), id);
      }
      CollectShapes(campaign, id);
      if (campaign.targeting.hours.any()) with_hours_.push_back(id);
      sets_->static_scores.push_back(Catalog::StaticScore(campaign));
    }
    std::vector<uint32_t> number(found.size());
    for (int a = 0; a < kAttributeCount; ++a) {
      AttributeSets& sets = sets_->attributes[static_cast<size_t>(a)];
      sets.first_value = static_cast<uint32_t>(sets_->dictionary.size());
      for (uint32_t v = 0; v < found.size(); ++v) {
        const auto attribute = static_cast<Attribute>(a);
        if (found.attribute(v) != attribute) continue;
        number[v] = sets_->dictionary.Intern(attribute, found.text(v));
      }
      sets.end_value = static_cast<uint32_t>(sets_->dictionary.size());
    }
    for (Pairs* pairs : {&includes_, &excludes_}) {
      for (auto& [value, id] : *pairs) value = number[value];
    }
  }

  void BuildValues() {
    const Grouped by_attribute = Group(restricted_, kAttributeCount);
    for (uint32_t a = 0; a < kAttributeCount; ++a) {
      const std::span<const uint32_t> ids = by_attribute.Of(a);
      if (ids.empty()) continue;
      sets_->attributes[a].any_include = true;
      sets_->attributes[a].open = NewBitmap();
      CopyBitmap(sets_->everybody, sets_->attributes[a].open);
      for (uint32_t id : ids) Clear(sets_->attributes[a].open, id);
    }
    const size_t n = sets_->dictionary.size();
    const Grouped include = Group(includes_, n), exclude = Group(excludes_, n);
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

  void CollectShapes(const Campaign& campaign, uint32_t id) {
    Pairs& pairs = shapes_;
    const size_t first = pairs.size();
    for (const Creative& c : campaign.creatives) {
      const bool banner = c.format == MarkupType::kBanner;
      const bool sized = banner && c.w > 0 && c.h > 0;
      pairs.emplace_back(ShapeNumber(ShapeKey(c.format, sized ? c.w : 0, sized ? c.h : 0)), id);
      if (banner) pairs.emplace_back(ShapeNumber(internal::kEveryBanner), id);
    }
    const auto begin = pairs.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, pairs.end());
    pairs.erase(std::unique(begin, pairs.end()), pairs.end());
  }

  void BuildShapes() {
    const Grouped grouped = Group(shapes_, sets_->shape_numbers.size());
    for (uint32_t s = 0; s < sets_->shape_numbers.size(); ++s) {
      const std::span<const uint32_t> ids = grouped.Of(s);
      sets_->shapes.push_back(Dense(ids) ? NewBitmapOf(ids) : NewList(ids));
    }
  }

  void BuildHours() {
    sets_->any_hours = !with_hours_.empty();
    if (!sets_->any_hours) return;
    for (IdSet& hour : sets_->hours) hour = NewBitmap();
    // 64 campaigns at a time, so that a word of each hour is written once.
    size_t next = 0;
    for (size_t w = 0; w * 64 < size_; ++w) {
      std::array<uint64_t, 168> words{};
      uint64_t any_hour = sets_->Bitmap(sets_->everybody)[w];
      for (; next < with_hours_.size() && with_hours_[next] / 64 == w; ++next) {
        const uint64_t bit = uint64_t{1} << (with_hours_[next] % 64);
        any_hour &= ~bit;
        const HoursOfWeek& hours = campaign_(with_hours_[next]).targeting.hours;
        for (size_t h = 0; h < words.size(); ++h) words[h] |= hours[h] ? bit : 0;
      }
      for (size_t h = 0; h < words.size(); ++h) {
        sets_->words[sets_->hours[h].at + w] = words[h] | any_hour;
      }
    }
  }

  void BuildScores() {
    const size_t blocks = sets_->words_per_bitmap / internal::kBlockWords;
    sets_->best_score_from.assign(blocks, 0);
    int64_t best = 0;
    for (size_t b = blocks; b-- > 0;) {
      const size_t end = std::min((b + 1) * internal::kBlockBits, size_);
      for (size_t i = b * internal::kBlockBits; i < end; ++i) {
        best = std::max(best, sets_->static_scores[i]);
      }
      sets_->best_score_from[b] = best;
    }
  }

  const size_t size_;
  const TargetingIndex::Campaigns campaign_;
  Pairs includes_, excludes_, restricted_, shapes_;
  std::vector<uint32_t> with_hours_;
  TargetingIndex::Sets* sets_ = nullptr;
};

namespace {

/// Tells indexes apart even where one takes the place of another in memory.
uint64_t NextNumber() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: it only has to differ
}

}  // namespace

std::unique_ptr<const TargetingIndex> TargetingIndex::Build(size_t size, Campaigns campaign) {
  std::unique_ptr<TargetingIndex> index(new TargetingIndex);
  index->number_ = NextNumber();
  index->size_ = size;
  index->first_added_ = static_cast<uint32_t>(size);
  index->built_ = TargetingIndexBuilder(size, campaign).Build();
  return index;
}

TargetingIndex::Level TargetingIndex::MakeLevel(std::vector<uint32_t> ids, Campaigns campaign) {
  if (ids.empty()) return {};
  const auto at = [&](uint32_t i) -> const Campaign& { return campaign(ids[i]); };
  Level level;
  level.sets = TargetingIndexBuilder(ids.size(), at).Build();
  level.ids = std::make_shared<const std::vector<uint32_t>>(std::move(ids));
  return level;
}

std::unique_ptr<const TargetingIndex> TargetingIndex::Change(Added added,
                                                             std::span<const uint32_t> gone,
                                                             Campaigns campaign) const {
  std::unique_ptr<TargetingIndex> index(new TargetingIndex);
  index->number_ = NextNumber();
  index->built_ = built_;
  index->gone_ = gone_;
  index->gone_count_ = gone_count_;
  if (index->gone_.empty() && !gone.empty()) index->gone_.resize(built_->words_per_bitmap);
  for (const uint32_t id : gone) {
    uint64_t& word = index->gone_[id / 64];
    const uint64_t bit = uint64_t{1} << (id % 64);
    index->gone_count_ += (word & bit) == 0 ? 1 : 0;
    word |= bit;
  }
  index->size_ = built_->size - index->gone_count_ + added.ids.size();
  index->first_added_ = first_added_;
  index->added_ = std::move(added);
  const std::vector<uint32_t>& ids = index->added_.ids;
  index->place_.assign(place_.size(), kNowhere);
  for (uint32_t i = 0; i < ids.size(); ++i) {
    const size_t at = ids[i] - first_added_;
    if (at >= index->place_.size()) index->place_.resize(at + 1, kNowhere);
    index->place_[at] = i;
  }
  // What is not in the older level is young, until it is too much.
  const Level& older = levels_[0];
  std::vector<bool> old(index->place_.size());
  if (older.ids != nullptr) {
    for (const uint32_t id : *older.ids) old[id - first_added_] = true;
  }
  std::vector<uint32_t> young;
  for (const uint32_t id : ids) {
    if (!old[id - first_added_]) young.push_back(id);
  }
  if (young.size() <= kMostYoung) {
    index->levels_ = {older, MakeLevel(std::move(young), campaign)};
  } else {
    index->levels_ = {MakeLevel(ids, campaign), Level{}};
  }
  return index;
}

}  // namespace adagents::ads
