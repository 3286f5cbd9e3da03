// Which ads fill a pod: the combination worth most that its time, its number of ads and what may
// not stand beside each other allow.
//
//   PodFiller filler;
//   filler.Begin({{.ms = 60'000, .ads = 4}}, items);          // best rank first
//   int nodes = PodFiller::kMostNodes;
//   const PodFiller::Filling f = filler.Fill(~uint64_t{0}, &nodes);
//   if (f.chosen >> 3 & 1) ...                                // items[3] is in
//
// Tiers go strictly one after the other: a lower one gets what the higher left. Within a tier it is
// a knapsack with conflicts, solved by depth-first branch and bound (Land and Doig 1960; the bound
// is Dantzig's 1957, the relaxation that takes a fraction of the last ad, per imp of the pod). It
// tries better ranks first and keeps the first of equal totals, so the result is one and the same
// whatever the bound prunes. When the nodes run out, what was best by then stands, and that is no
// less than greedy choice by value or by value per second.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace adagents::ads::internal {

/// Thread-compatible: it has memory that it reuses.
class PodFiller {
 public:
  static constexpr size_t kMostItems = 64;  // a set of them is one word
  /// A node costs some 0.1 us: half a millisecond, a hundredth of the usual deadline. Pods of up to
  /// eight ads seldom need a tenth of it.
  static constexpr int kMostNodes = 4096;

  /// One imp of the pod: how much it holds.
  struct Section {
    int64_t ms = 0;
    int32_t ads = 1;
  };
  struct Item {
    int64_t value = 0;  // > 0
    int32_t ms = 0;     // >= 0
    uint16_t section = 0;
    int16_t tier = 0;
    uint64_t excludes = 0;  // items that it may not stand beside, a bit each; both have to say so
  };
  struct Filling {
    uint64_t chosen = 0;  // a bit for each item
    int64_t value = 0;    // of all that were chosen
    bool exact = true;    // nothing is worth more
  };

  /// At most kMostItems items, in order of rank, which decides between equal totals.
  void Begin(std::span<const Section> sections, std::span<const Item> items);
  /// The best of those in `allowed`. Takes from `nodes` what it uses.
  [[nodiscard]] Filling Fill(uint64_t allowed, int* nodes);

 private:
  struct Room {
    int64_t ms = 0;
    int32_t ads = 0;
  };
  /// What a bound adds up, of one section.
  struct Sum {
    double value = 0;
    int64_t ms = 0, best = 0;
  };

  bool Fits(const Item& item) const;
  void Put(size_t i);
  void Take(size_t i);
  uint64_t Fitting(uint64_t open) const;
  double Bound(uint64_t open);
  void Greedy(uint64_t open, const std::vector<uint8_t>& order);
  void FillTier(uint64_t open, int* nodes);
  void Branch(uint64_t open, int64_t value, int* nodes);

  std::vector<Item> items_;
  std::vector<double> density_;  // value per millisecond
  std::vector<uint8_t> by_rank_, by_density_;
  std::vector<Room> full_, room_;
  std::vector<Sum> sums_;
  uint64_t chosen_ = 0;  // on the way to a leaf
  uint64_t best_ = 0;
  int64_t best_value_ = 0;
  bool ended_ = false;  // for want of nodes
};

}  // namespace adagents::ads::internal
