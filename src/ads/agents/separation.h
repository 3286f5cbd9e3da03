// Who must not stand beside whom in a pod.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "adagents/ads/agents/auction.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/request.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads::internal {

/// What a request asks for in poddedupe (AdCOM's list), of all imps of a pod together.
struct Dedupe {
  bool domain = false, category = false, creative = false, media = false;
  bool off = false;  // the seller does not mind

  void Read(const Imp& imp);
};

/// Thread-compatible after construction.
class Separation {
 public:
  explicit Separation(const AuctionOptions& options);

  /// What an ad is known by; two ads with a mark in common must not share a pod. The lowest two
  /// bits say what kind of mark it is.
  using Marks = absl::InlinedVector<uint64_t, 12>;
  /// `house`: only its creative counts, and what `dedupe` asks for.
  void Read(const Catalog& catalog, uint32_t campaign, uint16_t creative, bool house,
            const Dedupe& dedupe, Marks* out) const;

  /// Why an ad must not stand beside those whose marks are in `taken` (a code of reasons.h);
  /// nullptr when it may.
  static const ReasonCode* Between(std::span<const uint64_t> marks,
                                   const absl::flat_hash_set<uint64_t>& taken);

 private:
  void ReadCategories(const Catalog& catalog, uint32_t campaign, Marks* out) const;

  const bool separate_;
  std::vector<std::pair<uint64_t, uint64_t>> groups_;  // category, number of its group; sorted
};

}  // namespace adagents::ads::internal
