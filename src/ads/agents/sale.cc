#include "ads/agents/sale.h"

#include <algorithm>

#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {
namespace {

constexpr int32_t kFirstPrice = 1, kFixedPrice = 3;  // of OpenRTB's `at`
constexpr Micros kStep{Micros::kUnit / 100};         // above the second price
constexpr int64_t kMillis = 1000;

/// How much a reason for not selling says when others fell for other reasons: the later in a
/// candidate's way to a bid, the nearer it was to one; a fault before all that was meant so.
constexpr int Says(Nbr why) {
  switch (why) {
    case Nbr::kNone:
      return 0;
    case Nbr::kBlockedByRequest:
      return 1;
    case Nbr::kFrequencyCapped:
      return 2;
    case Nbr::kBudgetExhausted:
      return 3;
    default:
      return 4;
  }
}

}  // namespace

void Sale::Begin(const Request& request, const Candidates& candidates, const Scores& scores,
                 const Prices& prices, const AuctionOptions& options, Decision* out,
                 std::vector<uint32_t>* winners, const SaleHooks& hooks) {
  request_ = &request;
  candidates_ = &candidates;
  scores_ = &scores;
  prices_ = &prices;
  options_ = &options;
  out_ = out;
  winners_ = winners;
  hooks_ = hooks;
  blocked_read_ = late_ = false;
  calls_ = 0;
  refused_ = Nbr::kNone;
}

void Sale::ReadOffers(uint32_t imp, std::vector<Offer>* out) {
  const ImpRange& range = candidates_->imps[imp];
  const Prices& prices = *prices_;
  const Catalog& catalog = *candidates_->catalog;
  const std::vector<float>& rates = prices.rate.empty() ? scores_->rate : prices.rate;
  const bool scored = rates.size() == candidates_->items.size();
  out->clear();
  for (uint32_t k = range.begin; k < range.end; ++k) {
    if (prices.value[k].value <= 0 || prices.value[k] < prices.floor[k]) continue;
    if (prices.value[k].value == INT64_MAX) continue;  // what an infinite amount saturates to
    if (hooks_.caps != nullptr && !hooks_.caps->MayWin(k)) {
      Refuse(Nbr::kFrequencyCapped);
      continue;
    }
    const Candidate& c = candidates_->items[k];
    const float rate = scored && rates[k] > 0.0f ? rates[k] : 0.0f;
    int16_t tier = catalog.facts(c.campaign).tier;
    if (c.deal >= 0) {
      tier = TierWithDeal(tier, request_->imps[imp].deals[static_cast<size_t>(c.deal)].guar);
    }
    out->push_back({prices.value[k].value, k, rate, tier});
  }
}

const ReasonCode* Sale::Blocked(const Offer& offer) {
  if (!blocked_read_) {
    blocked_.Read(*request_);
    blocked_read_ = true;
  }
  const Candidate& c = item(offer);
  const ReasonCode* why = blocked_.Judge(catalog(), c.campaign, c.creative, options_->seat);
  if (why != nullptr) Refuse(Nbr::kBlockedByRequest);
  return why;
}

bool Sale::MayRun(const Offer& offer) {
  const ReasonCode* why = Blocked(offer);
  if (why != nullptr) Say(offer, *why, 0, 0);
  return why == nullptr;
}

bool Sale::CouldClaim(const Offer& offer) {
  if (hooks_.claims == nullptr) return true;
  return IsGranted(offer, hooks_.claims->Look(offer.candidate, prices_->floor[offer.candidate]));
}

bool Sale::Claim(uint32_t imp, const Offer& winner, int64_t rival, uint32_t bid) {
  if (hooks_.claims == nullptr) return true;
  return IsGranted(winner, hooks_.claims->Take(winner.candidate, bid, PriceOf(imp, winner, rival)));
}

/// `why` is the auction's answer, unless one that says more is.
void Sale::Refuse(Nbr why) {
  if (Says(why) > Says(refused_)) refused_ = why;
}

bool Sale::IsGranted(const Offer& offer, const Refusal& refusal) {
  if (refusal.why == nullptr) return true;
  Refuse(refusal.nbr);
  Say(offer, *refusal.why, 0, 0);
  return false;
}

Pays Sale::PaysOf(uint32_t imp, const Offer& winner) const {
  if (IsHouse(winner.tier)) return Pays::kFloor;
  const Candidate& c = item(winner);
  int32_t at = request_->at;
  if (c.deal >= 0) {
    at = request_->imps[imp].deals[static_cast<size_t>(c.deal)].at.value_or(at);
    if (at == kFixedPrice && prices_->floor[winner.candidate].value > 0) return Pays::kFloor;
  }
  switch (options_->pricing) {
    case AuctionPricing::kAsRequested:
      break;
    case AuctionPricing::kFirstPrice:
      return Pays::kValue;
    case AuctionPricing::kSecondPrice:
      return Pays::kSecond;
    case AuctionPricing::kGeneralizedSecondPrice:
      return Pays::kNextRank;
  }
  return at == kFirstPrice || at == kFixedPrice ? Pays::kValue : Pays::kSecond;
}

Micros Sale::PriceOf(uint32_t imp, const Offer& winner, int64_t rival) const {
  const Micros value{winner.value};
  // Without a floor: the smallest price there is.
  const Micros least = std::max(prices_->floor[winner.candidate], kStep);
  switch (PaysOf(imp, winner)) {
    case Pays::kValue:
      return value;
    case Pays::kFloor:
      return std::min(value, prices_->floor[winner.candidate].value > 0
                                 ? prices_->floor[winner.candidate]
                                 : kStep);
    case Pays::kSecond:
    case Pays::kNextRank:
      break;
  }
  return std::min(value, rival > 0 ? std::max(least, Micros{rival} + kStep) : least);
}

void Sale::Sell(uint32_t imp, const Offer& winner, int64_t rival, int16_t sequence) {
  const Candidate& c = item(winner);
  const Campaign& campaign = catalog().campaign(c.campaign);
  Bid bid;
  bid.imp = imp;
  bid.campaign = &campaign;
  bid.creative = &campaign.creatives[c.creative];
  bid.cur = prices_->cur;
  bid.mtype = c.mtype;
  bid.deal = c.deal;
  bid.w = c.w;
  bid.h = c.h;
  bid.dur = static_cast<int32_t>((c.duration_ms + kMillis / 2) / kMillis);
  bid.value = Micros{winner.value};
  bid.price = PriceOf(imp, winner, rival);
  bid.sequence = sequence;
  const Media* media = request_->imps[imp].media();
  if (media != nullptr && media->poddur.value_or(0) <= 0) {
    bid.slotinpod = static_cast<int16_t>(media->slotinpod);
  }
  if (hooks_.timings != nullptr) {
    const Timing timing = hooks_.timings->Of(imp);
    bid.when = timing.when;
    bid.in_ms = timing.in_ms;
  }
  Say(winner, reasons::kWon, bid.price.units(), bid.value.units());
  out_->bids.push_back(bid);
  winners_->push_back(winner.candidate);
}

void Sale::SayLost(const Offer& offer, const Offer& winner) const {
  if (!explaining()) return;
  const ReasonCode* code = &reasons::kOutbid;
  if (offer.tier != winner.tier) {
    if (IsHouse(offer.tier) && !IsHouse(winner.tier)) {
      code = &reasons::kHouseNotNeeded;
    } else if (IsReserved(winner.tier) && !IsReserved(offer.tier)) {
      code = &reasons::kDealGoesFirst;
    } else {
      code = &reasons::kPriorityGoesFirst;
    }
  }
  Say(offer, *code, Micros{offer.value}.units(), Micros{winner.value}.units());
}

}  // namespace adagents::ads::internal
