#include "adagents/runtime/internal/agent_record.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace adagents::internal {

int CostHistogram::Bucket(int64_t nanos) {
  if (nanos < 4) return 0;
  const auto value = static_cast<uint64_t>(nanos);
  const int octave = static_cast<int>(std::bit_width(value)) - 1;  // >= 2
  const int quarter = static_cast<int>((value >> (octave - 2)) & 3);
  return std::min(kBuckets - 1, (octave - 1) * 4 + quarter);
}

int64_t CostHistogram::UpperEnd(int bucket) {
  if (bucket < 4) return 4;
  const int octave = bucket / 4 + 1;
  return (int64_t{5 + bucket % 4} << octave) >> 2;
}

void CostHistogram::Add(int64_t nanos) {
  buckets_[static_cast<size_t>(Bucket(nanos))].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

int64_t CostHistogram::Quantile(double q) const {
  uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(q * static_cast<double>(total)));
  uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += buckets_[static_cast<size_t>(i)].load(std::memory_order_relaxed);
    if (seen >= rank) return UpperEnd(i);
  }
  return UpperEnd(kBuckets - 1);
}

int64_t CostHistogram::Mean() const {
  uint64_t total = 0;
  double sum = 0;
  for (int i = 0; i < kBuckets; ++i) {
    const uint32_t count = buckets_[static_cast<size_t>(i)].load(std::memory_order_relaxed);
    total += count;
    sum += static_cast<double>(count) * 0.9 * static_cast<double>(UpperEnd(i));
  }
  return total == 0 ? 0 : static_cast<int64_t>(sum / static_cast<double>(total));
}

int64_t CostHistogram::Typical() const {
  const int64_t most = Quantile(0.98);
  uint64_t total = 0;
  double sum = 0;
  for (int i = 0; i < kBuckets; ++i) {
    const uint32_t count = buckets_[static_cast<size_t>(i)].load(std::memory_order_relaxed);
    total += count;
    sum += static_cast<double>(count) * 0.9 * static_cast<double>(std::min(UpperEnd(i), most));
  }
  return total == 0 ? 0 : static_cast<int64_t>(sum / static_cast<double>(total));
}

void CostHistogram::Decay(uint64_t limit) {
  if (count() <= limit) return;
  uint64_t total = 0;
  for (auto& bucket : buckets_) {
    const uint32_t half = bucket.load(std::memory_order_relaxed) / 2;
    bucket.store(half, std::memory_order_relaxed);  // may drop a concurrent Add: only statistics
    total += half;
  }
  count_.store(total, std::memory_order_relaxed);
}

void CostHistogram::Clear() {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  count_.store(0, std::memory_order_relaxed);
}

namespace {

uint32_t MeanOf(const CostHistogram& cost) {
  return static_cast<uint32_t>(
      std::clamp<int64_t>(cost.Mean(), 0, std::numeric_limits<uint32_t>::max()));
}

}  // namespace

void AgentRecord::Refresh() {
  if (cost.count() == 0) return;
  vitals.mean_nanos.store(MeanOf(cost), std::memory_order_relaxed);
  vitals.p99_nanos.store(cost.Quantile(0.99), std::memory_order_relaxed);
  cost.Decay(4096);
}

bool AgentRecord::NeedsLook() const {
  return switched_off.load(std::memory_order_relaxed) ||
         breaker.load(std::memory_order_relaxed) != kClosed ||
         late_row.load(std::memory_order_relaxed) != 0 ||
         failed_row.load(std::memory_order_relaxed) != 0;
}

void AgentRecord::UpdateFlag() {
  vitals.flag.Update([this] { return NeedsLook(); });
}

void AgentRecord::LeftOut() {
  constexpr uint32_t kFadeEvery = 64;
  if (no_time.fetch_add(1, std::memory_order_relaxed) % kFadeEvery != kFadeEvery - 1) return;
  cost.Decay(0);
  vitals.mean_nanos.store(MeanOf(cost), std::memory_order_relaxed);
  vitals.p99_nanos.store(cost.Quantile(0.99), std::memory_order_relaxed);
}

}  // namespace adagents::internal
