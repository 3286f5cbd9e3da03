// Which capped windows a creative needs a place in for one request, and which creative stands in
// for one that has none left. Shared by the frequency cap agent, the fallback and WhyNot().
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "adagents/ads/agents/frequency_cap.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads::internal {

/// What a cap is on; the first index of reasons::kCapReached.
enum class CapOn : uint8_t { kCampaign, kCreative, kBrand };

/// One cap of a candidate and the window that it comes to for this request.
struct CapRule {
  CapOn on = CapOn::kCampaign;
  const FrequencyCap* cap = nullptr;  // in the catalog
  CapWindow window;
};

/// Digests a request's identifiers, then reads the caps of creatives. Thread-compatible; reading
/// another request reuses the memory.
class CapReader {
 public:
  explicit CapReader(const FrequencyCapPolicy& policy) : policy_(policy) {}

  void Read(const Request& request);

  /// The caps on one creative into `rules`. False when one of them is for somebody that the request
  /// does not identify, and nobody stands in: it is not in `rules` then.
  bool RulesOf(const Catalog& catalog, const Campaign& campaign, const Creative& creative,
               std::vector<CapRule>* rules) const;
  /// The same when its brand's key is known.
  bool RulesOf(const Catalog& catalog, const Campaign& campaign, const Creative& creative,
               uint64_t brand, std::vector<CapRule>* rules) const;

 private:
  uint64_t SubjectFor(CapPer per) const;
  uint64_t Hash(int kind, std::string_view id) const;
  uint64_t NetworkOf(const Request& request) const;

  const FrequencyCapPolicy& policy_;
  std::array<uint64_t, 5> subjects_{};  // by CapPer, then the network; 0: not given
};

/// Told of what it found: an index of Candidates::items and the reason.
using CapBecause = absl::FunctionRef<void(uint32_t candidate, const Reason&)>;

/// The frequency cap agent's work. Thread-compatible: it has memory that it reuses.
class Capper {
 public:
  explicit Capper(const FrequencyCapPolicy& policy) : policy_(policy), reader_(policy) {}

  /// `now`: of the counts' clock, nanoseconds. `because` may be null.
  void Run(const Request& request, const Candidates& candidates, const FrequencyCaps& counts,
           int64_t now, CapVerdicts* out, const CapBecause* because);

 private:
  struct Round;
  struct Offer {
    uint32_t candidate = 0;
    int differs = -1;
  };
  void ReadRules(Round& round);
  void Judge(Round& round, uint32_t k);
  void Offers(Round& round, const ImpRange& range);
  Offer BestOf(const Round& round, uint32_t capped, uint32_t begin, uint32_t end) const;
  Offer OfTheBrand(const Round& round, uint32_t capped, const ImpRange& range);
  void BlockCampaigns(Round& round, const ImpRange& range) const;

  const FrequencyCapPolicy& policy_;
  CapReader reader_;
  std::vector<CapRule> rules_;                         // of one candidate
  std::vector<std::pair<uint64_t, uint32_t>> brands_;  // of one imp's free candidates, sorted
  bool brands_read_ = false;
};

/// How many of format, tone, pace, voice and call to action are different.
int TraitsApart(const Creative& a, const Creative& b);
inline constexpr int kTraits = 5;

}  // namespace adagents::ads::internal
