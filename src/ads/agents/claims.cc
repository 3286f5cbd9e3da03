#include "ads/agents/claims.h"

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads::internal {

void Reservations::Begin(uint64_t decision, const Candidates& candidates, const CapVerdicts& caps,
                         FrequencyCaps* counts) {
  decision_ = decision;
  candidates_ = &candidates;
  caps_ = &caps;
  counts_ = counts;
  any_places_ = false;
  sold_.clear();
}

Refusal Reservations::Take(uint32_t candidate, uint32_t bid, Micros) {
  if (const Refusal refusal = TakePlaces(candidate, bid); refusal.why != nullptr) return refusal;
  if (sold_.size() <= bid) sold_.resize(bid + 1, kNobody);
  sold_[bid] = candidate;
  return {};
}

void Reservations::Undo(uint32_t bid) {
  (void)counts_->Release(decision_, bid);
  sold_[bid] = kNobody;
}

Refusal Reservations::TakePlaces(uint32_t candidate, uint32_t bid) {
  const Candidate& c = candidates_->items[candidate];
  const CreativeFacts& facts = candidates_->catalog->creative_facts(c.campaign)[c.creative];
  if (!facts.capped) return {};
  if (caps_->state.empty()) return {&reasons::kCapsUnknown, Nbr::kFrequencyCapped};
  if (caps_->per_request > 0 && SoldOf(c, facts.brand) >= caps_->per_request) {
    return {&reasons::kCapWithoutId, Nbr::kFrequencyCapped};
  }
  const std::span<const CapWindow> windows = caps_->WindowsOf(candidate);
  if (windows.empty()) return {};
  const FrequencyCaps::Reservation reserved = counts_->Reserve(decision_, bid, windows);
  any_places_ = any_places_ || reserved.ok;
  if (reserved.ok) return {};
  return {reserved.full ? &reasons::kCapsFull : &reasons::kCapTaken, Nbr::kFrequencyCapped};
}

/// How many bids there are of the campaign or, where its brand has caps, of the brand.
int32_t Reservations::SoldOf(const Candidate& c, uint64_t brand) const {
  const Catalog& catalog = *candidates_->catalog;
  const bool by_brand = !catalog.brand_caps(brand).empty();
  int32_t sold = 0;
  for (const uint32_t item : sold_) {
    if (item == kNobody) continue;
    const Candidate& other = candidates_->items[item];
    const bool same =
        other.campaign == c.campaign ||
        (by_brand && catalog.creative_facts(other.campaign)[other.creative].brand == brand);
    sold += same ? 1 : 0;
  }
  return sold;
}

/// One hold for the places of all bids: a pod may have more of them than a decision has holds.
absl::Status Reservations::Tie(Context& ctx) {
  if (!any_places_) return absl::OkStatus();
  return ctx.Take({.settle =
                       [](const Hold& hold, bool kept) {
                         if (kept) return;
                         for (uint32_t bid = 0; bid < hold.amount; ++bid) {
                           static_cast<FrequencyCaps*>(hold.object)->Release(hold.subject, bid);
                         }
                       },
                   .object = counts_,
                   .subject = decision_,
                   .amount = static_cast<int64_t>(sold_.size())});
}

}  // namespace adagents::ads::internal
