#include "tally.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace ad_server {
namespace {

constexpr size_t kMostLinesNamed = 20;

}  // namespace

void Histogram::Add(int64_t nanos) {
  const auto v = static_cast<uint64_t>(std::max<int64_t>(nanos, 0));
  const int top = v < (1u << kSubBits) ? 0 : std::bit_width(v) - 1 - kSubBits;
  const size_t at = (static_cast<size_t>(top) << kSubBits) + (v >> top);
  ++buckets_[std::min(at, kBuckets - 1)];
  ++count_;
  max_ = std::max(max_, nanos);
  sum_ += static_cast<double>(nanos);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(q * static_cast<double>(count_ - 1));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen <= wanted) continue;
    // Up to 128 a bucket holds one value; then 64 buckets for each doubling.
    const size_t shift = i < (size_t{2} << kSubBits) ? 0 : (i >> kSubBits) - 1;
    const uint64_t low = (i - (shift << kSubBits)) << shift;
    const double middle =
        static_cast<double>(low) + static_cast<double>((uint64_t{1} << shift) - 1) / 2;
    return std::min(middle, static_cast<double>(max_));
  }
  return static_cast<double>(max_);
}

void Tally::Refuse(size_t line, std::string_view error) {
  ++refused;
  std::string kind;
  bool inside = false;
  for (const char c : error) {  // "imp[3].id: ..." counts with "imp[].id: ..."
    if (c == ']') inside = false;
    if (!inside) kind += c;
    if (c == '[') inside = true;
  }
  ++refusals[kind];
  if (refused_lines.size() < kMostLinesNamed) refused_lines.emplace(line, error);
}

void Tally::Merge(const Tally& other) {
  requests += other.requests;
  decided += other.decided;
  with_bids += other.with_bids;
  bids += other.bids;
  late += other.late;
  degraded += other.degraded;
  refused += other.refused;
  bytes_out += other.bytes_out;
  for (const auto& [cur, of] : other.prices) {
    prices[cur].bids += of.bids;
    prices[cur].sum += of.sum;
  }
  for (const auto& [nbr, n] : other.no_bids) no_bids[nbr] += n;
  for (const auto& [error, n] : other.refusals) refusals[error] += n;
  refused_lines.insert(other.refused_lines.begin(), other.refused_lines.end());
  while (refused_lines.size() > kMostLinesNamed)
    refused_lines.erase(std::prev(refused_lines.end()));
  latency.Merge(other.latency);
  parse.Merge(other.parse);
  decide.Merge(other.decide);
  write.Merge(other.write);
}

}  // namespace ad_server
