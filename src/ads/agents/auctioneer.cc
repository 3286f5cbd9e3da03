#include "ads/agents/auctioneer.h"

#include <algorithm>

#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {
namespace {

constexpr int32_t kFirstPrice = 1, kFixedPrice = 3;  // of OpenRTB's `at`
constexpr Micros kStep{Micros::kUnit / 100};         // above the second price
constexpr int32_t kMostPodAds = 16;                  // of pods that do not say
constexpr int64_t kMillis = 1000;
constexpr int kDealTier = 1000;  // more than priorities are apart

const Media* MediaOf(const Imp& imp) {
  return imp.audio != nullptr ? static_cast<const Media*>(imp.audio) : imp.video;
}

}  // namespace

struct Auctioneer::Round {
  const Request& request;
  const Candidates& candidates;
  const Prices& prices;
  const AuctionOptions& options;
  Decision* out;
  std::vector<uint32_t>* winners;
  const Because* because;
  const Claim* claim;

  uint32_t imp_index = 0;
  const Imp* imp = nullptr;
  Text podid{};
  int64_t pod_ms = 0;  // of a dynamic pod
  bool any_blocked = false, any_capped = false;

  const Candidate& item(const Entry& e) const { return candidates.items[e.candidate]; }
  void Say(const Entry& e, const ReasonCode& code, double score, double threshold) const {
    if (because != nullptr) (*because)(e.candidate, code, score, threshold);
  }
};

Auctioneer::Entry Auctioneer::TakeBest() {
  if (looks_left_ > 0) {
    size_t best = 0;
    for (size_t i = 1; i < entries_.size(); ++i) {
      if (Before(entries_[i], entries_[best])) best = i;
    }
    const Entry entry = entries_[best];
    entries_[best] = entries_.back();
    entries_.pop_back();
    if (--looks_left_ == 0) std::make_heap(entries_.begin(), entries_.end(), kWorse);
    return entry;
  }
  std::pop_heap(entries_.begin(), entries_.end(), kWorse);
  const Entry entry = entries_.back();
  entries_.pop_back();
  return entry;
}

void Auctioneer::PutBack(const Entry& entry) {
  entries_.push_back(entry);
  if (looks_left_ == 0) std::push_heap(entries_.begin(), entries_.end(), kWorse);
}

bool Auctioneer::InPod(const Round& round, uint32_t campaign) const {
  return std::find(in_pods_.begin(), in_pods_.end(), std::make_pair(round.podid, campaign)) !=
         in_pods_.end();
}

/// The best that is left and not blocked.
bool Auctioneer::Pop(Round& round, Entry* out) {
  while (!entries_.empty()) {
    *out = TakeBest();
    const Candidate& c = round.item(*out);
    if (!blocked_read_) {
      blocked_.Read(round.request);
      blocked_read_ = true;
    }
    const ReasonCode* why =
        blocked_.Judge(*round.candidates.catalog, c.campaign, c.creative, round.options.seat);
    if (why == nullptr) return true;
    round.any_blocked = true;
    round.Say(*out, *why, 0, 0);
  }
  return false;
}

Micros Auctioneer::PriceOf(Round& round, const Entry& winner) {
  const Candidate& c = round.item(winner);
  const Micros value{winner.value};
  const Micros floor = round.prices.floor[winner.candidate];
  int32_t at = round.request.at;
  if (c.deal >= 0) at = round.imp->deals[static_cast<size_t>(c.deal)].at.value_or(at);
  if (at == kFixedPrice && c.deal >= 0 && floor.value > 0) return floor;
  if (at == kFirstPrice || at == kFixedPrice || !round.options.reduce) return value;
  // The runner-up stays in the auction: a dynamic pod goes on with it.
  Micros second = floor;
  Entry next;
  while (Pop(round, &next)) {
    if (round.item(next).campaign == c.campaign) {
      round.Say(next, reasons::kOutbid, Micros{next.value}.units(), value.units());
      continue;
    }
    second = std::max(second, Micros{next.value} + kStep);
    PutBack(next);
    break;
  }
  // Alone and without a floor: the smallest price there is.
  return std::min(value, std::max(second, kStep));
}

void Auctioneer::Sell(Round& round, const Entry& winner) {
  const Catalog& catalog = *round.candidates.catalog;
  const Candidate& c = round.item(winner);
  const Campaign& campaign = catalog.campaign(c.campaign);
  Bid bid;
  bid.imp = round.imp_index;
  bid.campaign = &campaign;
  bid.creative = &campaign.creatives[c.creative];
  bid.cur = round.prices.cur;
  bid.mtype = c.mtype;
  bid.deal = c.deal;
  bid.w = c.w;
  bid.h = c.h;
  bid.dur = static_cast<int32_t>((c.duration_ms + kMillis / 2) / kMillis);
  bid.value = Micros{winner.value};
  bid.price = PriceOf(round, winner);
  if (const Media* media = MediaOf(*round.imp); media != nullptr && round.pod_ms == 0) {
    bid.slotinpod = static_cast<int16_t>(media->slotinpod);
  }
  round.Say(winner, reasons::kWon, bid.price.units(), bid.value.units());
  round.out->bids.push_back(bid);
  round.winners->push_back(winner.candidate);
  if (!round.podid.empty() || round.pod_ms > 0) in_pods_.emplace_back(round.podid, c.campaign);
}

void Auctioneer::RunImp(Round& round) {
  const Media* media = MediaOf(*round.imp);
  round.podid = media != nullptr ? media->podid : Text();
  round.pod_ms = media != nullptr && media->poddur.value_or(0) > 0 ? *media->poddur * kMillis : 0;
  const bool dynamic = round.pod_ms > 0;
  const bool pod = dynamic || !round.podid.empty();
  if (dynamic && round.podid.empty()) round.podid = round.imp->id;
  int32_t slots = dynamic ? std::clamp(media->maxseq.value_or(kMostPodAds), 1, kMostPodAds) : 1;
  int64_t left_ms = dynamic ? round.pod_ms : INT64_MAX;
  Entry best{};
  Entry entry{};
  bool sold = false;
  while (slots > 0 && Pop(round, &entry)) {
    const Candidate& c = round.item(entry);
    if (pod && InPod(round, c.campaign)) {
      round.Say(entry, reasons::kInPodAlready, 0, 0);
      continue;
    }
    if (dynamic && c.duration_ms > left_ms) {
      round.Say(entry, reasons::kPodFull, static_cast<double>(c.duration_ms) / 1000.0,
                static_cast<double>(left_ms) / 1000.0);
      continue;
    }
    if (round.claim != nullptr) {
      const auto bid = static_cast<uint32_t>(round.out->bids.size());
      if (const ReasonCode* why = (*round.claim)(entry.candidate, bid); why != nullptr) {
        round.any_capped = true;
        round.Say(entry, *why, 0, 0);
        continue;
      }
    }
    left_ms -= c.duration_ms;
    --slots;
    if (!sold) best = entry;
    sold = true;
    Sell(round, entry);
  }
  if (round.because == nullptr) return;
  const double top = Micros{best.value}.units();
  while (Pop(round, &entry)) {
    round.Say(entry, entry.tier != best.tier ? reasons::kDealGoesFirst : reasons::kOutbid,
              Micros{entry.value}.units(), top);
  }
}

void Auctioneer::Run(const Request& request, const Candidates& candidates, const Scores& scores,
                     const Prices& prices, const AuctionOptions& options, Decision* out,
                     std::vector<uint32_t>* winners, const Because* because,
                     const CapVerdicts* caps, const Claim* claim) {
  winners->clear();
  in_pods_.clear();
  blocked_read_ = false;
  const size_t n = candidates.items.size();
  if (n == 0 || prices.value.size() != n || prices.floor.size() != n) {
    out->nbr = n == 0 ? candidates.nbr : prices.nbr;
    if (out->nbr == Nbr::kNone) out->nbr = Nbr::kTechnicalError;
    return;
  }
  Round round{request, candidates, prices, options, out, winners, because, claim};
  const Catalog& catalog = *candidates.catalog;
  const bool scored = scores.rate.size() == n;
  for (uint32_t i = 0; i < candidates.imps.size() && i < request.imps.size(); ++i) {
    const ImpRange& range = candidates.imps[i];
    entries_.clear();
    looks_left_ = kLooks;
    for (uint32_t k = range.begin; k < range.end; ++k) {
      if (prices.value[k].value <= 0 || prices.value[k] < prices.floor[k]) continue;
      if (prices.value[k].value == INT64_MAX) continue;  // what an infinite amount saturates to
      if (caps != nullptr && !caps->MayWin(k)) {
        round.any_capped = true;
        continue;
      }
      const Candidate& c = candidates.items[k];
      const float rate = scored && scores.rate[k] > 0.0f ? scores.rate[k] : 0.0f;
      const int priority = catalog.facts(c.campaign).priority;
      entries_.push_back({prices.value[k].value, k, rate,
                          static_cast<int16_t>(c.deal >= 0 ? priority + kDealTier : priority)});
    }
    round.imp_index = i;
    round.imp = &request.imps[i];
    RunImp(round);
  }
  if (out->bids.empty()) {
    out->nbr = round.any_blocked          ? Nbr::kBlockedByRequest
               : round.any_capped         ? Nbr::kFrequencyCapped
               : prices.nbr != Nbr::kNone ? prices.nbr
                                          : Nbr::kBelowFloor;
    return;
  }
  out->nbr = Nbr::kNone;
  out->keepalive = Keepalive(candidates.catalog);
}

}  // namespace adagents::ads::internal
