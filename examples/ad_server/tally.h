// What a replay counts, per thread and then added up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "adagents/ads/decision.h"

namespace ad_server {

/// Durations in buckets at most 1/64 wide: a quantile is off by less than 1.6 %.
class Histogram {
 public:
  void Add(int64_t nanos);
  void Merge(const Histogram& other);
  /// Nanoseconds; 0 when empty.
  double Quantile(double q) const;
  int64_t max() const { return max_; }
  uint64_t count() const { return count_; }
  double Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

 private:
  static constexpr int kSubBits = 6;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;
  std::array<uint32_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

/// Thread-compatible.
struct Tally {
  uint64_t requests = 0, decided = 0, with_bids = 0, bids = 0, late = 0, degraded = 0;
  uint64_t refused = 0;
  std::map<adagents::ads::Nbr, uint64_t> no_bids;
  std::map<std::string, uint64_t, std::less<>> refusals;  // by error, without indices
  std::map<size_t, std::string> refused_lines;            // number and error of the first ones
  struct Prices {
    uint64_t bids = 0;
    double sum = 0;  // CPM units
    double mean() const { return bids > 0 ? sum / static_cast<double>(bids) : 0; }
  };
  std::map<std::string, Prices, std::less<>> prices;  // by currency
  Histogram latency, parse, decide, write;
  uint64_t bytes_out = 0;

  void Refuse(size_t line, std::string_view error);
  void Merge(const Tally& other);
};

}  // namespace ad_server
