#include "adagents/ads/targeting.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
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
  /// The next member, kNone at the end; and how many are left.
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  size_t next() const { return at_ == end_ ? kNone : *at_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

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
  // When not empty: every match is in one of these, so blocks without members are left out, and of
  // the others only words with members are looked at.
  Cursors only;

  /// Of the unions that are lists alone, goes by the shortest.
  void ChooseOnly() {
    size_t best = any_of.size(), fewest = Cursor::kNone;
    for (size_t g = 0; g < any_of.size(); ++g) {
      if (any_of[g].bitmaps > 0) continue;
      size_t members = 0;
      for (uint32_t i = 0; i < any_of[g].lists; ++i) {
        members += any_lists[any_of[g].first_list + i].left();
      }
      if (members < fewest) {
        fewest = members;
        best = g;
      }
    }
    if (best == any_of.size()) return;
    const auto first = any_lists.begin() + any_of[best].first_list;
    only.assign(first, first + any_of[best].lists);
    any_of.erase(any_of.begin() + static_cast<std::ptrdiff_t>(best));
  }

  /// The first word of the first block, from the one at `offset` on, that may have matches.
  size_t NextBlock(size_t offset) const {
    if (only.empty()) return offset;
    size_t next = Cursor::kNone;
    for (const Cursor& list : only) next = std::min(next, list.next());
    return next == Cursor::kNone ? next : next / kBlockBits * kBlockWords;
  }

  /// One block that starts at word `offset`; false when nothing is left in it.
  bool Block(const internal::Kernels& kernels, size_t offset, uint64_t* acc) {
    const bool any = only.empty() ? kernels.intersect(all_of.data(), all_of.size(), none_of.data(),
                                                      none_of.size(), offset, acc)
                                  : IntersectOnly(offset, acc);
    if (!any) return false;
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

 private:
  /// What Kernels::intersect does, of the members of `only`.
  bool IntersectOnly(size_t offset, uint64_t* acc) {
    std::fill_n(acc, kBlockWords, uint64_t{0});
    for (Cursor& list : only) {
      list.Block(offset * 64, [&](size_t bit) { acc[bit / 64] |= uint64_t{1} << (bit % 64); });
    }
    uint64_t any = 0;
    for (size_t w = 0; w < kBlockWords; ++w) {
      uint64_t left = acc[w];
      for (size_t i = 0; left != 0 && i < all_of.size(); ++i) left &= all_of[i][offset + w];
      for (size_t i = 0; left != 0 && i < none_of.size(); ++i) left &= ~none_of[i][offset + w];
      acc[w] = left;
      any |= left;
    }
    return any != 0;
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
  bool empty() const { return group_.bitmaps + group_.lists == 0; }
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

size_t TargetingIndex::Sets::memory_bytes() const {
  return sizeof(*this) + words.capacity() * sizeof(uint64_t) + lists.capacity() * sizeof(uint32_t) +
         values.capacity() * sizeof(ValueSets) + static_scores.capacity() * sizeof(int64_t) +
         best_score_from.capacity() * sizeof(int64_t) + dictionary.memory_bytes() +
         shapes.capacity() * sizeof(IdSet) + shape_numbers.capacity() * 24;
}

size_t TargetingIndex::memory_bytes() const {
  size_t bytes =
      sizeof(*this) + built_->memory_bytes() + gone_.capacity() * sizeof(uint64_t) +
      (added_.ids.capacity() + added_.before.capacity() + place_.capacity()) * sizeof(uint32_t);
  for (const Level& level : levels_) {
    if (level.sets == nullptr) continue;
    bytes += level.sets->memory_bytes() + level.ids->capacity() * sizeof(uint32_t);
  }
  return bytes;
}

namespace {

void SortUnique(std::vector<uint32_t>* numbers) {
  std::sort(numbers->begin(), numbers->end());
  numbers->erase(std::unique(numbers->begin(), numbers->end()), numbers->end());
}

}  // namespace

void TargetingIndex::Read(const Request& request, absl::Time now, TargetingQuery* query) const {
  query->index_ = number_;
  query->deals_ = TargetingQuery::Deals::kAll;
  query->any_imp_ = false;
  query->hour_of_week_ = TargetingFacts::HourOfWeek(request, now);
  const std::array<const Sets*, 3> sets = {SetsOf(0), SetsOf(1), SetsOf(2)};
  for (TargetingQuery::Part& part : query->parts_) {
    part.values.clear();
    part.shapes.clear();
  }
  TargetingFacts::ForEachValue(request, now, [&](Attribute a, std::string_view value) {
    for (size_t i = 0; i < sets.size(); ++i) {
      if (sets[i] == nullptr) continue;
      const AttributeSets& attribute = sets[i]->attributes[static_cast<size_t>(a)];
      if (attribute.first_value == attribute.end_value) continue;  // nobody asks
      const uint32_t number = sets[i]->dictionary.Find(a, value);
      if (number != ValueDictionary::kNone) query->parts_[i].values.push_back(number);
    }
  });
  for (TargetingQuery::Part& part : query->parts_) {
    SortUnique(&part.values);
    part.request_values = part.values.size();
  }
}

void TargetingIndex::ReadImp(const Imp& imp, TargetingQuery* query) const {
  if (query->index_ != number_) return;
  query->any_imp_ = true;
  query->deals_ =
      imp.private_auction ? TargetingQuery::Deals::kWithDeal : TargetingQuery::Deals::kAll;
  for (size_t i = 0; i < query->parts_.size(); ++i) {
    if (SetsOf(i) == nullptr) continue;
    const Sets& sets = *SetsOf(i);
    TargetingQuery::Part& part = query->parts_[i];
    part.values.resize(part.request_values);
    TargetingFacts::ForEachDeal(imp, [&](std::string_view deal) {
      const uint32_t number = sets.dictionary.Find(Attribute::kDeal, deal);
      if (number != ValueDictionary::kNone) part.values.push_back(number);
    });
    if (part.values.size() > part.request_values) SortUnique(&part.values);
    part.shapes.clear();
    const auto add = [&](uint64_t key) {
      const auto hit = sets.shape_numbers.find(key);
      if (hit == sets.shape_numbers.end()) return;
      if (std::find(part.shapes.begin(), part.shapes.end(), hit->second) == part.shapes.end()) {
        part.shapes.push_back(hit->second);
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
}

/// Calls emit(first place of the block, its 32 words) for each block with matches until it says no.
template <class Emit>
void TargetingIndex::Run(const Sets& s, const TargetingQuery& query,
                         const TargetingQuery::Part& part, const uint64_t* gone, Emit emit) {
  if (s.size == 0) return;
  Program program;
  program.all_of.push_back(s.Bitmap(s.everybody));
  if (query.any_imp_) {
    AnyOfBuilder shapes(&program);
    for (uint32_t shape : part.shapes) {
      const IdSet& set = s.shapes[shape];
      if (set.kind == IdSet::Kind::kBitmap) shapes.AddBitmap(s.Bitmap(set));
      if (set.kind == IdSet::Kind::kList) shapes.AddList(s.List(set));
    }
    if (shapes.empty()) return;
    shapes.Finish();
  }
  if (s.any_hours) {
    program.all_of.push_back(s.Bitmap(s.hours[static_cast<size_t>(query.hour_of_week_)]));
  }
  const AttributeSets& deals = s.attributes[static_cast<size_t>(Attribute::kDeal)];
  size_t next = 0;
  for (const AttributeSets& attribute : s.attributes) {
    const size_t first = next;
    while (next < part.values.size() && part.values[next] < attribute.end_value) ++next;
    if (attribute.any_include) {
      AnyOfBuilder any(&program);
      for (size_t i = first; i < next; ++i) {
        const IdSet& set = s.values[part.values[i]].include;
        if (set.kind == IdSet::Kind::kBitmap) any.AddBitmap(s.Bitmap(set));
        if (set.kind == IdSet::Kind::kList) any.AddList(s.List(set));
      }
      const bool open_too =
          &attribute != &deals || query.deals_ != TargetingQuery::Deals::kWithDeal;
      if (open_too && !any.has_bitmap()) any.AddBitmap(s.Bitmap(attribute.open));
      if (any.empty()) return;  // of these deals nobody has any
      any.Finish();
    }
    for (size_t i = first; i < next; ++i) {
      const ValueSets& value = s.values[part.values[i]];
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
  if (query.deals_ == TargetingQuery::Deals::kWithDeal) {
    if (!deals.any_include) return;  // nobody has any
    program.none_of.push_back(s.Bitmap(deals.open));
  } else if (query.deals_ == TargetingQuery::Deals::kWithout && deals.any_include) {
    program.all_of.push_back(s.Bitmap(deals.open));
  }
  if (gone != nullptr) program.none_of.push_back(gone);
  const internal::Kernels& kernels = internal::BestKernels();
  program.ChooseOnly();
  for (size_t offset = program.NextBlock(0); offset < s.words_per_bitmap;
       offset = program.NextBlock(offset + kBlockWords)) {
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

/// Calls each(place in added_) for all matches among the added ones, in no particular order.
template <class Each>
void TargetingIndex::RunAdded(const TargetingQuery& query, Each each) const {
  for (size_t l = 0; l < levels_.size(); ++l) {
    const Level& level = levels_[l];
    if (level.sets == nullptr) continue;
    Run(*level.sets, query, query.parts_[l + 1], nullptr, [&](size_t base, const uint64_t* words) {
      return ForEachBit(base, words, [&](uint32_t at) {
        const uint32_t place = PlaceOf((*level.ids)[at]);
        if (place != kNowhere) each(place);
        return true;
      });
    });
  }
}

/// Calls take(ids) for all matches by rank until it returns false.
template <class Take>
void TargetingIndex::RunMerged(const TargetingQuery& query, Take take) const {
  static_assert(kMostVisited == kBlockBits);
  if (query.index_ != number_) return;
  const uint64_t* gone = gone_.empty() ? nullptr : gone_.data();
  uint32_t ids[kBlockBits + internal::kSpellSlack];
  const auto spell = [&](size_t base, const uint64_t* words) {
    return internal::BestKernels().spell(static_cast<uint32_t>(base), words, ids);
  };
  if (added_.ids.empty()) {
    Run(*built_, query, query.parts_[0], gone, [&](size_t base, const uint64_t* words) {
      return take(std::span<const uint32_t>(ids, spell(base, words)));
    });
    return;
  }
  // Of the added ones all matches are found at first: they are few.
  absl::InlinedVector<uint32_t, 256> waiting;  // places in added_, so by rank
  RunAdded(query, [&](uint32_t place) { waiting.push_back(place); });
  std::sort(waiting.begin(), waiting.end());
  uint32_t merged[kBlockBits];
  size_t n = 0, next = 0;
  const auto give = [&](uint32_t id) {
    merged[n++] = id;
    if (n < kBlockBits) return true;
    n = 0;
    return take(std::span<const uint32_t>(merged, kBlockBits));
  };
  bool more = true;
  Run(*built_, query, query.parts_[0], gone, [&](size_t base, const uint64_t* words) {
    const size_t found = spell(base, words);
    for (size_t i = 0; i < found && more; ++i) {
      while (more && next < waiting.size() && added_.before[waiting[next]] <= ids[i]) {
        more = give(added_.ids[waiting[next++]]);
      }
      if (more) more = give(ids[i]);
    }
    if (more && n > 0) {
      more = take(std::span<const uint32_t>(merged, n));
      n = 0;
    }
    return more;
  });
  while (more && next < waiting.size()) more = give(added_.ids[waiting[next++]]);
  if (more && n > 0) take(std::span<const uint32_t>(merged, n));
}

void TargetingIndex::Visit(const TargetingQuery& query,
                           absl::FunctionRef<bool(std::span<const uint32_t>)> visit) const {
  RunMerged(query, visit);
}

size_t TargetingIndex::MatchTopK(const TargetingQuery& query, size_t k,
                                 std::vector<uint32_t>* out) const {
  out->clear();
  if (k == 0) return 0;
  RunMerged(query, [&](std::span<const uint32_t> ids) {
    out->insert(out->end(), ids.begin(), ids.end());
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
  RunMerged(query, [&](std::span<const uint32_t> ids) {
    for (const uint32_t id : ids) {
      if (keep(id)) out->push_back(id);
      if (out->size() == k) return false;
    }
    return true;
  });
  return out->size();
}

size_t TargetingIndex::MatchTopKByScore(const TargetingQuery& query, size_t k, double max_factor,
                                        absl::FunctionRef<double(uint32_t)> score,
                                        std::vector<uint32_t>* out) const {
  out->clear();
  if (k == 0 || query.index_ != number_) return 0;
  struct Scored {
    double score;
    uint64_t rank;
    uint32_t id;
    // A heap with this order has the worst of the best at its front.
    bool operator<(const Scored& other) const {
      return score != other.score ? score > other.score : rank < other.rank;
    }
  };
  absl::InlinedVector<Scored, 256> best;
  // Of equals the better rank enters: a later one of those that were built never has it, unless
  // added ones, which are offered first, are among the best.
  const bool ties = !added_.ids.empty();
  const auto may_enter = [&](double highest) {
    return best.size() < k || highest > best.front().score ||
           (ties && highest == best.front().score);
  };
  const auto offer = [&](const Scored& entry) {
    if (std::isnan(entry.score)) return;
    if (best.size() == k) {
      if (!(entry < best.front())) return;
      std::pop_heap(best.begin(), best.end());
      best.pop_back();
    }
    best.push_back(entry);
    std::push_heap(best.begin(), best.end());
  };
  // Ranks: an added campaign comes before the first built one that does not rank before it.
  RunAdded(query, [&](uint32_t place) {
    const uint32_t id = added_.ids[place];
    offer({score(id), uint64_t{added_.before[place]} << 32 | place, id});
  });
  const Sets& s = *built_;
  const uint64_t* gone = gone_.empty() ? nullptr : gone_.data();
  Run(s, query, query.parts_[0], gone, [&](size_t base, const uint64_t* words) {
    const double rest = static_cast<double>(s.best_score_from[base / kBlockBits]);
    if (!may_enter(rest * max_factor)) return false;
    return ForEachBit(base, words, [&](uint32_t id) {
      if (may_enter(static_cast<double>(s.static_scores[id]) * max_factor)) {
        offer({score(id), uint64_t{id} << 32 | 0xffffffff, id});
      }
      return true;
    });
  });
  std::sort_heap(best.begin(), best.end());
  for (const Scored& b : best) out->push_back(b.id);
  return out->size();
}

std::vector<Mismatch> TargetingIndex::Explain(const TargetingQuery& query, uint32_t id) const {
  if (query.index_ != number_) return {};
  if (id < built_->size) {
    return IsGone(id) ? std::vector<Mismatch>() : ExplainIn(*built_, query, query.parts_[0], id);
  }
  if (id < first_added_ || id - first_added_ >= place_.size() || PlaceOf(id) == kNowhere) return {};
  for (size_t l = 0; l < levels_.size(); ++l) {
    if (levels_[l].ids == nullptr) continue;
    const std::vector<uint32_t>& ids = *levels_[l].ids;
    const auto hit = std::find(ids.begin(), ids.end(), id);
    if (hit == ids.end()) continue;
    const auto at = static_cast<uint32_t>(hit - ids.begin());
    return ExplainIn(*levels_[l].sets, query, query.parts_[l + 1], at);
  }
  return {};
}

std::vector<Mismatch> TargetingIndex::ExplainIn(const Sets& s, const TargetingQuery& query,
                                                const TargetingQuery::Part& part, uint32_t id) {
  std::vector<Mismatch> out;
  if (query.any_imp_ && std::none_of(part.shapes.begin(), part.shapes.end(),
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
    for (; next < part.values.size() && part.values[next] < attribute.end_value; ++next) {
      const ValueSets& value = s.values[part.values[next]];
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
  if (query.deals_ == TargetingQuery::Deals::kWithDeal) {
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
