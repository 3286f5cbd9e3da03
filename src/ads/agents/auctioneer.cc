#include "ads/agents/auctioneer.h"

#include <algorithm>

#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {

Offer Auctioneer::TakeBest() {
  if (looks_left_ > 0) {
    size_t best = 0;
    for (size_t i = 1; i < offers_.size(); ++i) {
      if (Before(offers_[i], offers_[best])) best = i;
    }
    const Offer offer = offers_[best];
    offers_[best] = offers_.back();
    offers_.pop_back();
    if (--looks_left_ == 0) std::make_heap(offers_.begin(), offers_.end(), kWorse);
    return offer;
  }
  std::pop_heap(offers_.begin(), offers_.end(), kWorse);
  const Offer offer = offers_.back();
  offers_.pop_back();
  return offer;
}

void Auctioneer::PutBack(const Offer& offer) {
  offers_.push_back(offer);
  if (looks_left_ == 0) std::push_heap(offers_.begin(), offers_.end(), kWorse);
}

/// The best that is left and not blocked.
bool Auctioneer::Pop(Offer* out) {
  while (!offers_.empty() && !sale_.OutOfTime()) {
    *out = TakeBest();
    if (sale_.MayRun(*out)) return true;
  }
  return false;
}

/// The value of the best of another campaign that could win; 0: there is none. House ads, which
/// come after all others, are nobody's rivals. All stay in the auction: the winner may yet be
/// refused.
int64_t Auctioneer::RivalOf(const Offer& winner) {
  aside_.clear();
  int64_t rival = 0;
  Offer next;
  while (Pop(&next)) {
    if (sale_.item(next).campaign == sale_.item(winner).campaign) {
      aside_.push_back(next);
    } else if (sale_.CouldClaim(next)) {
      aside_.push_back(next);
      rival = IsHouse(next.tier) ? 0 : next.value;
      break;
    }
  }
  for (const Offer& offer : aside_) PutBack(offer);
  return rival;
}

void Auctioneer::RunImp(uint32_t imp) {
  sale_.ReadOffers(imp, &offers_);
  looks_left_ = kLooks;
  Offer winner;
  int64_t rival = 0;
  do {
    if (!Pop(&winner)) return;
    const Pays pays = sale_.PaysOf(imp, winner);
    rival = pays == Pays::kSecond || pays == Pays::kNextRank ? RivalOf(winner) : 0;
    if (sale_.OutOfTime()) return;  // who the rival is was not found out
  } while (!sale_.Claim(imp, winner, rival, sale_.bids()));
  sale_.Sell(imp, winner, rival, /*sequence=*/0);
  if (!sale_.explaining()) return;
  Offer offer;
  while (Pop(&offer)) sale_.SayLost(offer, winner);
}

/// Whether `imp` is the first of its pod; all of them are in `pod_imps_` then.
bool Auctioneer::BeginsPod(uint32_t imp, const Media& media) {
  pod_imps_.assign({imp});
  if (media.podid.empty()) return true;
  for (uint32_t i = 0; i < sale_.imps(); ++i) {
    const Media* other = sale_.imp(i).media();
    if (i == imp || other == nullptr || other->podid != media.podid) continue;
    if (i < imp) return false;
    pod_imps_.push_back(i);
  }
  return true;
}

void Auctioneer::Run(const Request& request, const Candidates& candidates, const Scores& scores,
                     const Prices& prices, Decision* out, std::vector<uint32_t>* winners,
                     const SaleHooks& hooks) {
  winners->clear();
  const size_t n = candidates.items.size();
  if (n == 0 || prices.value.size() != n || prices.floor.size() != n) {
    out->nbr = n == 0 ? candidates.nbr : prices.nbr;
    if (out->nbr == Nbr::kNone) out->nbr = Nbr::kTechnicalError;
    return;
  }
  sale_.Begin(request, candidates, scores, prices, options_, out, winners, hooks);
  for (uint32_t i = 0; i < sale_.imps() && (i == 0 || !sale_.OutOfTime(true)); ++i) {
    const Media* media = request.imps[i].media();
    if (media == nullptr || (media->podid.empty() && media->poddur.value_or(0) <= 0)) {
      RunImp(i);
    } else if (BeginsPod(i, *media)) {
      pods_.Run(&sale_, pod_imps_);
    }
  }
  if (out->bids.empty()) {
    out->nbr = sale_.late()                ? Nbr::kDeadlineExpired
               : sale_.nbr() != Nbr::kNone ? sale_.nbr()
               : prices.nbr != Nbr::kNone  ? prices.nbr
                                           : Nbr::kBelowFloor;
    return;
  }
  out->nbr = Nbr::kNone;
  out->keepalive = Keepalive(candidates.catalog);
}

}  // namespace adagents::ads::internal
