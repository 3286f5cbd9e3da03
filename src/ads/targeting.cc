#include "adagents/ads/targeting.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "ads/targeting_sets.h"

namespace adagents::ads {

using internal::AttributeSets;
using internal::IdSet;
using internal::kBlockBits;
using internal::kBlockWords;
using internal::ShapeKey;
using internal::ValueDictionary;
using internal::ValueSets;

namespace {

using Bitmaps = absl::InlinedVector<const uint64_t*, 32>;

/// A sorted list that is read along with the blocks.
class Cursor {
 public:
  explicit Cursor(std::span<const uint32_t> list) : at_(list.data()), end_(at_ + list.size()) {}

  /// Calls visit(bit within the block) for each member in the block that starts at id `begin`.
  /// Blocks come in rising order; some may be left out.
  template <class Visit>
  void Block(size_t begin, Visit visit) {
    while (at_ != end_ && *at_ < begin) ++at_;
    for (; at_ != end_ && *at_ < begin + kBlockBits; ++at_) visit(*at_ - begin);
  }

 private:
  const uint32_t* at_;
  const uint32_t* end_;
};
using Cursors = absl::InlinedVector<Cursor, 16>;

/// Sets of which a campaign must be in at least one.
struct AnyOf {
  uint32_t first_bitmap = 0, bitmaps = 0;  // into Program::any_bitmaps
  uint32_t first_list = 0, lists = 0;      // into Program::any_lists
};

/// A query as set algebra.
struct Program {
  Bitmaps all_of, none_of;
  absl::InlinedVector<AnyOf, 8> any_of;
  Bitmaps any_bitmaps;
  Cursors any_lists;
  Cursors none_of_lists;

  /// One block that starts at word `offset`; false when nothing is left in it.
  bool Block(const internal::Kernels& kernels, size_t offset, uint64_t* acc) {
    if (!kernels.intersect(all_of.data(), all_of.size(), none_of.data(), none_of.size(), offset,
                           acc)) {
      return false;
    }
    const size_t begin = offset * 64;
    for (const AnyOf& group : any_of) {
      alignas(64) uint64_t listed[kBlockWords] = {};
      for (uint32_t i = 0; i < group.lists; ++i) {
        any_lists[group.first_list + i].Block(
            begin, [&](size_t bit) { listed[bit / 64] |= uint64_t{1} << (bit % 64); });
      }
      if (!kernels.intersect_union(any_bitmaps.data() + group.first_bitmap, group.bitmaps, offset,
                                   listed, acc)) {
        return false;
      }
    }
    for (Cursor& list : none_of_lists) {
      list.Block(begin, [&](size_t bit) { acc[bit / 64] &= ~(uint64_t{1} << (bit % 64)); });
    }
    return true;
  }
};

/// Adds a union to a program, set by set.
class AnyOfBuilder {
 public:
  explicit AnyOfBuilder(Program* program) : program_(program) {
    group_.first_bitmap = static_cast<uint32_t>(program->any_bitmaps.size());
    group_.first_list = static_cast<uint32_t>(program->any_lists.size());
  }
  void AddBitmap(const uint64_t* bitmap) {
    program_->any_bitmaps.push_back(bitmap);
    ++group_.bitmaps;
  }
  void AddList(std::span<const uint32_t> list) {
    program_->any_lists.push_back(Cursor(list));
    ++group_.lists;
  }
  bool has_bitmap() const { return group_.bitmaps > 0; }
  void Finish() {
    if (group_.lists == 0 && group_.bitmaps == 1) {  // no need for a union
      program_->all_of.push_back(program_->any_bitmaps.back());
      program_->any_bitmaps.pop_back();
    } else {
      program_->any_of.push_back(group_);
    }
  }

 private:
  Program* program_;
  AnyOf group_;
};

}  // namespace

bool TargetingIndex::Sets::Has(const IdSet& set, uint32_t id) const {
  switch (set.kind) {
    case IdSet::Kind::kEmpty:
      return false;
    case IdSet::Kind::kList: {
      const std::span<const uint32_t> list = List(set);
      return std::binary_search(list.begin(), list.end(), id);
    }
    case IdSet::Kind::kBitmap:
      return (Bitmap(set)[id / 64] >> (id % 64) & 1) != 0;
  }
  return false;
}

TargetingIndex::TargetingIndex() = default;
TargetingIndex::~TargetingIndex() = default;

size_t TargetingIndex::memory_bytes() const {
  const Sets& s = *sets_;
  return sizeof(*this) + sizeof(s) + s.words.capacity() * sizeof(uint64_t) +
         s.lists.capacity() * sizeof(uint32_t) + s.values.capacity() * sizeof(ValueSets) +
         s.static_scores.capacity() * sizeof(int64_t) +
         s.best_score_from.capacity() * sizeof(int64_t) + s.dictionary.memory_bytes() +
         s.shapes.capacity() * sizeof(IdSet) + s.shape_numbers.capacity() * 24;
}

void TargetingIndex::Read(const Request& request, absl::Time now, TargetingQuery* query) const {
  query->index_ = this;
  query->private_auction_ = false;
  query->any_imp_ = false;
  query->values_.clear();
  query->shapes_.clear();
  query->hour_of_week_ = TargetingFacts::HourOfWeek(request, now);
  TargetingFacts::ForEachValue(request, now, [&](Attribute a, std::string_view value) {
    const AttributeSets& sets = sets_->attributes[static_cast<size_t>(a)];
    if (sets.first_value == sets.end_value) return;  // nobody asks
    const uint32_t number = sets_->dictionary.Find(a, value);
    if (number != ValueDictionary::kNone) query->values_.push_back(number);
  });
  std::sort(query->values_.begin(), query->values_.end());
  query->values_.erase(std::unique(query->values_.begin(), query->values_.end()),
                       query->values_.end());
  query->request_values_ = query->values_.size();
}

void TargetingIndex::ReadImp(const Imp& imp, TargetingQuery* query) const {
  if (query->index_ != this) return;
  query->any_imp_ = true;
  query->private_auction_ = imp.private_auction;
  query->values_.resize(query->request_values_);
  TargetingFacts::ForEachDeal(imp, [&](std::string_view deal) {
    const uint32_t number = sets_->dictionary.Find(Attribute::kDeal, deal);
    if (number != ValueDictionary::kNone) query->values_.push_back(number);
  });
  if (query->values_.size() > query->request_values_) {
    std::sort(query->values_.begin(), query->values_.end());
    query->values_.erase(std::unique(query->values_.begin(), query->values_.end()),
                         query->values_.end());
  }
  query->shapes_.clear();
  const auto add = [&](uint64_t key) {
    const auto hit = sets_->shape_numbers.find(key);
    if (hit == sets_->shape_numbers.end()) return;
    const auto& known = query->shapes_;
    if (std::find(known.begin(), known.end(), hit->second) == known.end()) {
      query->shapes_.push_back(hit->second);
    }
  };
  TargetingFacts::ForEachShape(imp, [&](const Shape& shape) {
    if (shape.format != MarkupType::kBanner) {
      add(ShapeKey(shape.format, 0, 0));
    } else if (shape.w == 0) {
      add(internal::kEveryBanner);
    } else {
      add(ShapeKey(shape.format, shape.w, shape.h));
      add(ShapeKey(shape.format, 0, 0));
    }
  });
}

/// Calls emit(first id of the block, its 32 words) for each block with matches until it says no.
template <class Emit>
void TargetingIndex::Run(const TargetingQuery& query, Emit emit) const {
  if (query.index_ != this || size_ == 0) return;
  const Sets& s = *sets_;
  Program program;
  program.all_of.push_back(s.Bitmap(s.everybody));
  if (query.any_imp_) {
    AnyOfBuilder shapes(&program);
    for (uint32_t shape : query.shapes_) {
      const IdSet& set = s.shapes[shape];
      if (set.kind == IdSet::Kind::kBitmap) shapes.AddBitmap(s.Bitmap(set));
      if (set.kind == IdSet::Kind::kList) shapes.AddList(s.List(set));
    }
    if (query.shapes_.empty()) return;
    shapes.Finish();
  }
  if (s.any_hours) {
    program.all_of.push_back(s.Bitmap(s.hours[static_cast<size_t>(query.hour_of_week_)]));
  }
  size_t next = 0;
  for (const AttributeSets& attribute : s.attributes) {
    const size_t first = next;
    while (next < query.values_.size() && query.values_[next] < attribute.end_value) ++next;
    if (attribute.any_include) {
      AnyOfBuilder any(&program);
      for (size_t i = first; i < next; ++i) {
        const IdSet& set = s.values[query.values_[i]].include;
        if (set.kind == IdSet::Kind::kBitmap) any.AddBitmap(s.Bitmap(set));
        if (set.kind == IdSet::Kind::kList) any.AddList(s.List(set));
      }
      if (!any.has_bitmap()) any.AddBitmap(s.Bitmap(attribute.open));
      any.Finish();
    }
    for (size_t i = first; i < next; ++i) {
      const ValueSets& value = s.values[query.values_[i]];
      if (!attribute.any_include && value.folded) {
        program.all_of.push_back(s.Bitmap(value.include));
      }
      if (value.exclude.kind == IdSet::Kind::kBitmap) {
        program.none_of.push_back(s.Bitmap(value.exclude));
      } else if (value.exclude.kind == IdSet::Kind::kList) {
        program.none_of_lists.push_back(Cursor(s.List(value.exclude)));
      }
    }
  }
  if (query.private_auction_) {
    const AttributeSets& deals = s.attributes[static_cast<size_t>(Attribute::kDeal)];
    if (!deals.any_include) return;  // nobody has any
    program.none_of.push_back(s.Bitmap(deals.open));
  }
  const internal::Kernels& kernels = internal::BestKernels();
  for (size_t offset = 0; offset < s.words_per_bitmap; offset += kBlockWords) {
    alignas(64) uint64_t acc[kBlockWords];
    if (program.Block(kernels, offset, acc) && !emit(offset * 64, acc)) return;
  }
}

namespace {

/// Calls visit(id) for each bit until it returns false; returns false then.
template <class Visit>
bool ForEachBit(size_t base, const uint64_t* words, Visit visit) {
  for (size_t w = 0; w < kBlockWords; ++w) {
    for (uint64_t left = words[w]; left != 0; left &= left - 1) {
      const size_t bit = static_cast<size_t>(std::countr_zero(left));
      if (!visit(static_cast<uint32_t>(base + w * 64 + bit))) return false;
    }
  }
  return true;
}

}  // namespace

size_t TargetingIndex::MatchTopK(const TargetingQuery& query, size_t k,
                                 std::vector<uint32_t>* out) const {
  out->clear();
  if (k == 0) return 0;
  Run(query, [&](size_t base, const uint64_t* words) {
    size_t found = 0;
    for (size_t w = 0; w < kBlockWords; ++w) {
      found += static_cast<size_t>(std::popcount(words[w]));
    }
    const size_t before = out->size();
    out->resize(before + found);
    uint32_t* to = out->data() + before;
    ForEachBit(base, words, [&](uint32_t id) {
      *to++ = id;
      return true;
    });
    return out->size() < k;
  });
  if (out->size() > k) out->resize(k);
  return out->size();
}

size_t TargetingIndex::MatchTopK(const TargetingQuery& query, size_t k,
                                 absl::FunctionRef<bool(uint32_t)> keep,
                                 std::vector<uint32_t>* out) const {
  out->clear();
  if (k == 0) return 0;
  Run(query, [&](size_t base, const uint64_t* words) {
    return ForEachBit(base, words, [&](uint32_t id) {
      if (keep(id)) out->push_back(id);
      return out->size() < k;
    });
  });
  return out->size();
}

size_t TargetingIndex::MatchTopKByScore(const TargetingQuery& query, size_t k, double max_factor,
                                        absl::FunctionRef<double(uint32_t)> score,
                                        std::vector<uint32_t>* out) const {
  out->clear();
  if (k == 0) return 0;
  const Sets& s = *sets_;
  struct Scored {
    double score;
    uint32_t id;
    // A heap with this order has the worst of the best at its front.
    bool operator<(const Scored& other) const {
      return score != other.score ? score > other.score : id < other.id;
    }
  };
  absl::InlinedVector<Scored, 256> best;
  const auto may_enter = [&](double highest) {
    return best.size() < k || highest > best.front().score;
  };
  Run(query, [&](size_t base, const uint64_t* words) {
    const double rest = static_cast<double>(s.best_score_from[base / kBlockBits]);
    if (!may_enter(rest * max_factor)) return false;
    ForEachBit(base, words, [&](uint32_t id) {
      if (!may_enter(static_cast<double>(s.static_scores[id]) * max_factor)) return true;
      const double value = score(id);
      if (std::isnan(value) || !may_enter(value)) return true;
      if (best.size() == k) {
        std::pop_heap(best.begin(), best.end());
        best.pop_back();
      }
      best.push_back({value, id});
      std::push_heap(best.begin(), best.end());
      return true;
    });
    return true;
  });
  std::sort_heap(best.begin(), best.end());
  for (const Scored& b : best) out->push_back(b.id);
  return out->size();
}

std::vector<Mismatch> TargetingIndex::Explain(const TargetingQuery& query, uint32_t id) const {
  std::vector<Mismatch> out;
  if (query.index_ != this || id >= size_) return out;
  const Sets& s = *sets_;
  if (query.any_imp_ && std::none_of(query.shapes_.begin(), query.shapes_.end(),
                                     [&](uint32_t n) { return s.Has(s.shapes[n], id); })) {
    out.push_back({Mismatch::Kind::kFormat, Attribute::kCountry});
  }
  if (s.any_hours && !s.Has(s.hours[static_cast<size_t>(query.hour_of_week_)], id)) {
    out.push_back({Mismatch::Kind::kHours, Attribute::kCountry});
  }
  size_t next = 0;
  for (int a = 0; a < kAttributeCount; ++a) {
    const AttributeSets& attribute = s.attributes[static_cast<size_t>(a)];
    const IdSet& open = attribute.any_include ? attribute.open : s.everybody;
    bool included = s.Has(open, id), excluded = false;
    const bool was_open = included;
    for (; next < query.values_.size() && query.values_[next] < attribute.end_value; ++next) {
      const ValueSets& value = s.values[query.values_[next]];
      if (value.folded) {
        // Not in the folded set: an open campaign was taken out because it excludes the value. One
        // with includes may be missing for either reason; saying "not included" is true of it
        // unless it both includes and excludes the value.
        const bool in = s.Has(value.include, id);
        excluded |= was_open && !in;
        included |= in;
      } else {
        included |= s.Has(value.include, id);
        excluded |= s.Has(value.exclude, id);
      }
    }
    const auto name = static_cast<Attribute>(a);
    if (!included) out.push_back({Mismatch::Kind::kInclude, name});
    if (excluded) out.push_back({Mismatch::Kind::kExclude, name});
  }
  if (query.private_auction_) {
    const AttributeSets& deals = s.attributes[static_cast<size_t>(Attribute::kDeal)];
    if (!deals.any_include || s.Has(deals.open, id)) {
      out.push_back({Mismatch::Kind::kPrivateAuction, Attribute::kDeal});
    }
  }
  return out;
}

std::string ToString(const Mismatch& m) {
  switch (m.kind) {
    case Mismatch::Kind::kInclude:
      return std::string(Name(m.attribute)) + ": the request has none of the targeted values";
    case Mismatch::Kind::kExclude:
      return std::string(Name(m.attribute)) + ": the request has an excluded value";
    case Mismatch::Kind::kHours:
      return "daypart: not in this hour of the listener's week";
    case Mismatch::Kind::kFormat:
      return "format: no creative of a format and size that the imp takes";
    case Mismatch::Kind::kPrivateAuction:
      return "deal: a private auction, and the campaign has none of its deals";
  }
  return "unknown";
}

}  // namespace adagents::ads
