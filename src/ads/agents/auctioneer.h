// The auction's work, shared by the agent, the fallback and WhyNot().
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "adagents/ads/agents/auction.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/trace.h"
#include "ads/agents/block_list.h"

namespace adagents::ads::internal {

/// Told once per candidate that can say how it fared: its index, why (a code of reasons.h), and the
/// two numbers of the code's sentence.
using Because = absl::FunctionRef<void(uint32_t candidate, const ReasonCode&, double, double)>;

/// Thread-compatible: it has memory that it reuses.
class Auctioneer {
 public:
  /// Fills `out` (bids, nbr, keepalive; the rest is the engine's). `winners` gets the index of each
  /// bid's candidate. `because` may be null; else every loser gets a word.
  void Run(const Request& request, const Candidates& candidates, const Scores& scores,
           const Prices& prices, const AuctionOptions& options, Decision* out,
           std::vector<uint32_t>* winners, const Because* because);

 private:
  struct Entry {
    int64_t value;
    uint32_t candidate;
    float rate;
    int8_t deal;
    int8_t priority;
  };
  static bool Before(const Entry& a, const Entry& b);  // a is better than b
  static constexpr auto kWorse = [](const Entry& a, const Entry& b) { return Before(b, a); };
  struct Round;  // what one imp's auction works on

  void RunImp(Round& round);
  bool Pop(Round& round, Entry* out);
  bool InPod(const Round& round, uint32_t campaign) const;
  void Sell(Round& round, const Entry& winner);
  Micros PriceOf(Round& round, const Entry& winner);

  std::vector<Entry> heap_;
  BlockList blocked_;
  bool blocked_read_ = false;
  std::vector<std::pair<std::string_view, uint32_t>> in_pods_;  // podid, campaign
};

}  // namespace adagents::ads::internal
