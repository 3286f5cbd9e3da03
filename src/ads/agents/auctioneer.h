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

/// Takes what selling to a candidate needs besides its price, a place under its frequency caps:
/// asked once per sale, with the index that its bid will have. Null when it is taken, else why not
/// (a code of reasons.h): then the next candidate has its turn.
using Claim = absl::FunctionRef<const ReasonCode*(uint32_t candidate, uint32_t bid)>;

/// Thread-compatible: it has memory that it reuses.
class Auctioneer {
 public:
  /// Fills `out` (bids, nbr, keepalive; the rest is the engine's). `winners` gets the index of each
  /// bid's candidate. `because` may be null; else every loser gets a word. So may `caps`, which
  /// says who may not win, and `claim`.
  void Run(const Request& request, const Candidates& candidates, const Scores& scores,
           const Prices& prices, const AuctionOptions& options, Decision* out,
           std::vector<uint32_t>* winners, const Because* because,
           const CapVerdicts* caps = nullptr, const Claim* claim = nullptr);

 private:
  struct Entry {
    int64_t value;
    uint32_t candidate;
    float rate;
    int16_t tier;  // deals above all priorities
  };
  static bool Before(const Entry& a, const Entry& b) {  // a is better than b
    if (a.tier != b.tier) return a.tier > b.tier;
    if (a.value != b.value) return a.value > b.value;
    if (a.rate != b.rate) return a.rate > b.rate;
    return a.candidate < b.candidate;
  }
  static constexpr auto kWorse = [](const Entry& a, const Entry& b) { return Before(b, a); };
  struct Round;  // what one imp's auction works on

  void RunImp(Round& round);
  Entry TakeBest();
  void PutBack(const Entry& entry);
  bool Pop(Round& round, Entry* out);
  bool InPod(const Round& round, uint32_t campaign) const;
  void Sell(Round& round, const Entry& winner);
  Micros PriceOf(Round& round, const Entry& winner);

  // Most auctions ask for the best and the second best, which are found fastest by looking at all;
  // the few that go on are worth a heap.
  static constexpr int kLooks = 4;
  std::vector<Entry> entries_;
  int looks_left_ = kLooks;  // 0: entries_ is a heap
  BlockList blocked_;
  bool blocked_read_ = false;
  std::vector<std::pair<std::string_view, uint32_t>> in_pods_;  // podid, campaign
};

}  // namespace adagents::ads::internal
