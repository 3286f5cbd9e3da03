// The auction's work, shared by the agent, the fallback and WhyNot().
#pragma once

#include <cstdint>
#include <vector>

#include "ads/agents/pod_auction.h"
#include "ads/agents/sale.h"

namespace adagents::ads::internal {

/// Thread-compatible: it has memory that it reuses.
class Auctioneer {
 public:
  /// `options` outlives it.
  explicit Auctioneer(const AuctionOptions& options) : options_(options), pods_(options) {}

  /// Fills `out` (bids, nbr, keepalive; the rest is the engine's). `winners` gets the index of each
  /// bid's candidate.
  void Run(const Request& request, const Candidates& candidates, const Scores& scores,
           const Prices& prices, Decision* out, std::vector<uint32_t>* winners,
           const SaleHooks& hooks);

 private:
  void RunImp(uint32_t imp);
  bool BeginsPod(uint32_t imp, const Media& media);
  Offer TakeBest();
  void PutBack(const Offer& offer);
  bool Pop(Offer* out);
  int64_t RivalOf(const Offer& winner);

  // Most auctions ask for the best and the second best, which are found fastest by looking at all;
  // the few that go on are worth a heap.
  static constexpr int kLooks = 4;
  const AuctionOptions& options_;
  Sale sale_;
  PodAuction pods_;
  std::vector<uint32_t> pod_imps_;
  std::vector<Offer> offers_, aside_;
  int looks_left_ = kLooks;  // 0: offers_ is a heap
};

}  // namespace adagents::ads::internal
