// Latencies of one slice: 512 buckets per power of two (0.2 %), fixed size, no allocation after
// construction. One is written by one thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace adagents::bench {

class Histogram {
 public:
  Histogram() : bucket_(kBuckets) {}

  void Add(uint64_t ticks) {
    ++bucket_[Index(ticks)];
    ++count_;
  }
  void Clear() {
    std::fill(bucket_.begin(), bucket_.end(), 0u);
    count_ = 0;
  }
  void Merge(const Histogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) bucket_[i] += other.bucket_[i];
    count_ += other.count_;
  }
  uint64_t count() const { return count_; }

  /// The value below which `share` of the samples lie, in ticks; 0 when there are none.
  double Quantile(double share) const {
    if (count_ == 0) return 0;
    const double want = share * static_cast<double>(count_);
    double seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      if (bucket_[i] == 0) continue;
      const double here = bucket_[i];
      if (seen + here >= want) {
        const double low = Lower(i);
        return low + (Lower(i + 1) - low) * std::clamp((want - seen) / here, 0.0, 1.0);
      }
      seen += here;
    }
    return Lower(kBuckets);
  }

 private:
  static constexpr int kBits = 9;
  static constexpr uint64_t kSub = uint64_t{1} << kBits;
  static constexpr int kMaxBits = 34;  // 2^34 ticks are seconds
  static constexpr std::size_t kBuckets = static_cast<std::size_t>((kMaxBits - kBits + 1)) << kBits;

  static std::size_t Index(uint64_t v) {
    v = std::min(v, (uint64_t{1} << kMaxBits) - 1);
    if (v < kSub) return v;
    const int shift = std::bit_width(v) - 1 - kBits;
    return (static_cast<std::size_t>(shift) << kBits) + (v >> shift);
  }
  static double Lower(std::size_t index) {
    if (index < 2 * kSub) return static_cast<double>(index);
    const std::size_t shift = (index >> kBits) - 1;
    return static_cast<double>(((index & (kSub - 1)) | kSub) << shift);
  }

  std::vector<uint32_t> bucket_;
  uint64_t count_ = 0;
};

}  // namespace adagents::bench
