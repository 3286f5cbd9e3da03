// One request's auction in progress: what it works on, and what has been sold. Shared by the
// auction of single imps (auctioneer.h) and that of pods (pod_auction.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "adagents/ads/agents/auction.h"
#include "adagents/ads/agents/timing.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/trace.h"
#include "ads/agents/block_list.h"
#include "ads/agents/claims.h"
#include "ads/agents/time_limit.h"

namespace adagents::ads::internal {

/// Told how each candidate fared: its index, why (a code of reasons.h), and the two numbers of the
/// code's sentence. For codes about an imp, the imp's index.
using Because = absl::FunctionRef<void(uint32_t subject, const ReasonCode&, double, double)>;

/// What an auction can do without. All outlive it.
struct SaleHooks {
  const Because* because = nullptr;   ///< every loser gets a word
  const CapVerdicts* caps = nullptr;  ///< who may not win
  Claims* claims = nullptr;           ///< what selling takes
  const Timings* timings = nullptr;   ///< when to play what is sold
  TimeLimit limit = {};               ///< what is not sold by then stays unsold
};

/// A candidate that may be sold.
struct Offer {
  int64_t value = 0;  // micros a thousand
  uint32_t candidate = 0;
  float rate = 0;
  int16_t tier = 0;  // line.h
};
/// Whether `a` is the better one.
inline bool Before(const Offer& a, const Offer& b) {
  if (a.tier != b.tier) return a.tier > b.tier;
  if (a.value != b.value) return a.value > b.value;
  if (a.rate != b.rate) return a.rate > b.rate;
  return a.candidate < b.candidate;
}
inline constexpr auto kWorse = [](const Offer& a, const Offer& b) { return Before(b, a); };

/// What a winner pays; see auction.h.
enum class Pays : uint8_t { kValue, kFloor, kSecond, kNextRank };

/// Thread-compatible. Beginning anew reuses the memory.
class Sale {
 public:
  /// All outlive the sale.
  void Begin(const Request& request, const Candidates& candidates, const Scores& scores,
             const Prices& prices, const AuctionOptions& options, Decision* out,
             std::vector<uint32_t>* winners, const SaleHooks& hooks);

  const Request& request() const { return *request_; }
  /// Of the request, as far as there are candidates for them.
  size_t imps() const { return std::min(request_->imps.size(), candidates_->imps.size()); }
  const Imp& imp(uint32_t index) const { return request_->imps[index]; }
  const Catalog& catalog() const { return *candidates_->catalog; }
  const Candidate& item(const Offer& offer) const { return candidates_->items[offer.candidate]; }
  bool explaining() const { return hooks_.because != nullptr; }
  /// How many have been sold.
  uint32_t bids() const { return static_cast<uint32_t>(winners_->size()); }
  /// Why candidates that are worth their floor could not be sold; kNone: they could. Of several
  /// reasons the one that decision.h puts first.
  Nbr nbr() const { return refused_; }

  /// Whether the auction has to end. `now`: look at the clock; else only at every some calls.
  bool OutOfTime(bool now = false) {
    constexpr uint32_t kCallsPerLook = 64;  // a call stands for some 100 ns of work
    if (!late_ && (now || ++calls_ % kCallsPerLook == 0)) late_ = hooks_.limit.Passed();
    return late_;
  }
  /// Whether the auction has ended early.
  bool late() const { return late_; }

  /// The candidates of an imp that are worth their floor and may win.
  void ReadOffers(uint32_t imp, std::vector<Offer>* out);
  /// Why the request does not want this ad (a code of reasons.h); nullptr when it does.
  const ReasonCode* Blocked(const Offer& offer);
  /// Whether it wants it; says so when not.
  bool MayRun(const Offer& offer);
  /// Whether it could be claimed now, at the least price that it could pay; says so when not.
  bool CouldClaim(const Offer& offer);
  /// Takes what selling to it needs, as the bid with the index `bid`; says so when it cannot.
  bool Claim(uint32_t imp, const Offer& winner, int64_t rival, uint32_t bid);
  void Unclaim(uint32_t bid) {
    if (hooks_.claims != nullptr) hooks_.claims->Undo(bid);
  }
  Pays PaysOf(uint32_t imp, const Offer& winner) const;
  /// Adds the bid, which has been claimed. `rival`: the value that it has to exceed, for
  /// Pays::kSecond and kNextRank; 0: none. `sequence`: its place in its pod, from 1; 0: in no pod.
  void Sell(uint32_t imp, const Offer& winner, int64_t rival, int16_t sequence);

  void Say(const Offer& offer, const ReasonCode& code, double score, double threshold) const {
    if (explaining()) (*hooks_.because)(offer.candidate, code, score, threshold);
  }
  void SayOfImp(uint32_t imp, const ReasonCode& code, double score, double threshold) const {
    if (explaining()) (*hooks_.because)(imp, code, score, threshold);
  }
  /// That it lost to the best that was sold, `winner`.
  void SayLost(const Offer& offer, const Offer& winner) const;

 private:
  void Refuse(Nbr why);
  bool IsGranted(const Offer& offer, const Refusal& refusal);
  Micros PriceOf(uint32_t imp, const Offer& winner, int64_t rival) const;

  const Request* request_ = nullptr;
  const Candidates* candidates_ = nullptr;
  const Scores* scores_ = nullptr;
  const Prices* prices_ = nullptr;
  const AuctionOptions* options_ = nullptr;
  Decision* out_ = nullptr;
  std::vector<uint32_t>* winners_ = nullptr;
  SaleHooks hooks_;
  BlockList blocked_;
  bool blocked_read_ = false;
  bool late_ = false;
  uint32_t calls_ = 0;  // of OutOfTime()
  Nbr refused_ = Nbr::kNone;
};

}  // namespace adagents::ads::internal
