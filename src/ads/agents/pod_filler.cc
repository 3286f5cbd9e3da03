#include "ads/agents/pod_filler.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace adagents::ads::internal {
namespace {

// So that the sum of all values is in range.
constexpr int64_t kMostValue = INT64_MAX / static_cast<int64_t>(PodFiller::kMostItems) - 1;

size_t Lowest(uint64_t set) { return static_cast<size_t>(std::countr_zero(set)); }
constexpr uint64_t Bit(size_t i) { return uint64_t{1} << i; }

}  // namespace

void PodFiller::Begin(std::span<const Section> sections, std::span<const Item> items) {
  items_.assign(items.begin(),
                items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), kMostItems)));
  for (Item& item : items_) item.value = std::min(item.value, kMostValue);
  by_rank_.clear();
  for (size_t i = 0; i < items_.size(); ++i) by_rank_.push_back(static_cast<uint8_t>(i));
  by_density_ = by_rank_;
  density_.clear();
  for (const Item& item : items_) {
    density_.push_back(static_cast<double>(item.value) / std::max(item.ms, 1));
  }
  std::sort(by_density_.begin(), by_density_.end(), [&](uint8_t a, uint8_t b) {
    return density_[a] != density_[b] ? density_[a] > density_[b] : a < b;
  });
  full_.clear();
  for (const Section& s : sections) full_.push_back({s.ms, s.ads});
}

bool PodFiller::Fits(const Item& item) const {
  const Room& room = room_[item.section];
  return room.ads > 0 && item.ms <= room.ms;
}

void PodFiller::Put(size_t i) {
  Room& room = room_[items_[i].section];
  room.ms -= items_[i].ms;
  --room.ads;
  chosen_ |= Bit(i);
}

void PodFiller::Take(size_t i) {
  Room& room = room_[items_[i].section];
  room.ms += items_[i].ms;
  ++room.ads;
  chosen_ &= ~Bit(i);
}

uint64_t PodFiller::Fitting(uint64_t open) const {
  uint64_t fitting = 0;
  for (uint64_t rest = open; rest != 0; rest &= rest - 1) {
    const size_t i = Lowest(rest);
    if (Fits(items_[i])) fitting |= Bit(i);
  }
  return fitting;
}

/// At least what the items in `open`, all of which fit alone, can add: per section the fractional
/// knapsack, or the best value times the number of ads, whichever is less.
double PodFiller::Bound(uint64_t open) {
  sums_.assign(room_.size(), {});
  for (size_t s = 0; s < room_.size(); ++s) sums_[s].ms = room_[s].ms;
  for (const uint8_t i : by_density_) {
    if ((open >> i & 1) == 0) continue;
    const Item& item = items_[i];
    Sum& sum = sums_[item.section];
    sum.best = std::max(sum.best, item.value);
    if (item.ms <= sum.ms) {
      sum.value += static_cast<double>(item.value);
      sum.ms -= item.ms;
    } else if (sum.ms > 0) {
      sum.value += static_cast<double>(item.value) * static_cast<double>(sum.ms) / item.ms;
      sum.ms = 0;
    }
  }
  double bound = 0;
  for (size_t s = 0; s < room_.size(); ++s) {
    bound += std::min(sums_[s].value, static_cast<double>(sums_[s].best) * room_[s].ads);
  }
  constexpr double kRounding = 1 + 1e-12;  // of at most 64 sums; a bound must never be too low
  return bound * kRounding;
}

/// Takes what fits in this order; a combination to beat.
void PodFiller::Greedy(uint64_t open, const std::vector<uint8_t>& order) {
  int64_t value = 0;
  uint64_t set = 0;
  for (const uint8_t i : order) {
    if ((open >> i & 1) == 0 || !Fits(items_[i])) continue;
    Put(i);
    set |= Bit(i);
    value += items_[i].value;
    open &= ~items_[i].excludes;
  }
  for (uint64_t rest = set; rest != 0; rest &= rest - 1) Take(Lowest(rest));
  if (value > best_value_) {
    best_value_ = value;
    best_ = chosen_ | set;
  }
}

void PodFiller::Branch(uint64_t open, int64_t value, int* nodes) {
  if (value > best_value_) {
    best_value_ = value;
    best_ = chosen_;
  }
  open = Fitting(open);
  if (open == 0) return;
  if (*nodes <= 0) {
    ended_ = true;
    return;
  }
  --*nodes;
  if (static_cast<double>(value) + Bound(open) < static_cast<double>(best_value_) + 0.5) return;
  const size_t i = Lowest(open);
  open &= ~Bit(i);
  Put(i);
  Branch(open & ~items_[i].excludes, value + items_[i].value, nodes);
  Take(i);
  Branch(open, value, nodes);
}

void PodFiller::FillTier(uint64_t open, int* nodes) {
  const uint64_t before = chosen_;
  best_ = before;
  best_value_ = 0;
  Greedy(open, by_density_);
  Greedy(open, by_rank_);
  // The search shall find it again, or an equal one of better rank.
  if (best_value_ > 0) --best_value_;
  ended_ = false;
  Branch(open, 0, nodes);
  for (uint64_t rest = best_ & ~before; rest != 0; rest &= rest - 1) Put(Lowest(rest));
  if (!ended_) return;
  // What was best by then may leave room.
  for (uint64_t rest = best_; rest != 0; rest &= rest - 1) open &= ~items_[Lowest(rest)].excludes;
  for (open &= ~best_; open != 0; open &= open - 1) {
    const size_t i = Lowest(open);
    if (!Fits(items_[i])) continue;
    Put(i);
    open &= ~items_[i].excludes | Bit(i);
  }
}

PodFiller::Filling PodFiller::Fill(uint64_t allowed, int* nodes) {
  room_ = full_;
  chosen_ = 0;
  Filling filling;
  uint64_t left = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    if ((allowed >> i & 1) != 0 && items_[i].value > 0) left |= Bit(i);
  }
  for (left = Fitting(left); left != 0; left = Fitting(left)) {
    int16_t tier = INT16_MIN;
    for (uint64_t rest = left; rest != 0; rest &= rest - 1) {
      tier = std::max(tier, items_[Lowest(rest)].tier);
    }
    uint64_t open = 0;
    for (uint64_t rest = left; rest != 0; rest &= rest - 1) {
      if (items_[Lowest(rest)].tier == tier) open |= Bit(Lowest(rest));
    }
    FillTier(open, nodes);
    filling.exact = filling.exact && !ended_;
    left &= ~open;
    for (uint64_t rest = chosen_; rest != 0; rest &= rest - 1) {
      left &= ~items_[Lowest(rest)].excludes;
    }
  }
  filling.chosen = chosen_;
  for (uint64_t rest = chosen_; rest != 0; rest &= rest - 1) {
    filling.value += items_[Lowest(rest)].value;
  }
  return filling;
}

}  // namespace adagents::ads::internal
