#include "ads/agents/claims.h"

#include <bit>

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads::internal {
namespace {

// A decision has so many holds, of which one is for places; the others are for other agents.
constexpr int kMostFunded = kMaxHolds - 4;
constexpr uint32_t kMostPlaced = 64;  // bits of a hold

constexpr Refusal Capped(const ReasonCode& why) { return {&why, Nbr::kFrequencyCapped}; }

}  // namespace

void Reservations::Begin(uint64_t decision, const Candidates& candidates, const CapVerdicts& caps,
                         FrequencyCaps* counts, const Budgets& budgets, Currency cur) {
  decision_ = decision;
  candidates_ = &candidates;
  caps_ = &caps;
  counts_ = counts;
  budgets_ = budgets;
  cur_ = cur;
  funded_ = 0;
  sold_.clear();
}

bool Reservations::IsCapped(const Candidate& c) const {
  return candidates_->catalog->creative_facts(c.campaign)[c.creative].capped;
}

Refusal Reservations::Look(uint32_t candidate, Micros price) {
  const Candidate& c = candidates_->items[candidate];
  if (IsCapped(c)) {
    if (const Refusal refusal = ByPolicy(c); refusal.why != nullptr) return refusal;
    for (const CapWindow& window : caps_->WindowsOf(candidate)) {
      if (counts_->Look(window).reached) return Capped(reasons::kCapTaken);
    }
  }
  const CampaignFacts& campaign = candidates_->catalog->facts(c.campaign);
  return budgets_.Look(campaign.key, campaign.currency, price, cur_);
}

Refusal Reservations::Take(uint32_t candidate, uint32_t bid, Micros price) {
  bool placed = false;
  if (const Refusal refused = TakePlaces(candidate, bid, &placed); refused.why != nullptr) {
    return refused;
  }
  Sold sold{candidate, placed, {}};
  const CampaignFacts& campaign =
      candidates_->catalog->facts(candidates_->items[candidate].campaign);
  Refusal refusal;
  if (budgets_.ledger != nullptr && funded_ == kMostFunded) {
    refusal = {&reasons::kLedgerRefused, Nbr::kTechnicalError};
  } else {
    refusal = budgets_.Reserve(decision_, bid, campaign.key, campaign.currency, price, cur_,
                               &sold.budget);
  }
  if (refusal.why != nullptr) {
    if (placed) (void)counts_->Release(decision_, bid);
    return refusal;
  }
  funded_ += sold.budget.id != 0 ? 1 : 0;
  if (sold_.size() <= bid) sold_.resize(bid + 1);
  sold_[bid] = sold;
  return {};
}

void Reservations::Undo(uint32_t bid) {
  if (sold_[bid].placed) (void)counts_->Release(decision_, bid);
  if (sold_[bid].budget.id != 0) {
    (void)budgets_.ledger->Release(sold_[bid].budget.id, ReleaseCause::kNotSent);
    --funded_;
  }
  sold_[bid] = {};
}

/// Whether the policy for requests that do not say for whom refuses it.
Refusal Reservations::ByPolicy(const Candidate& c) const {
  if (caps_->state.empty()) return Capped(reasons::kCapsUnknown);
  const uint64_t brand = candidates_->catalog->creative_facts(c.campaign)[c.creative].brand;
  if (caps_->per_request > 0 && SoldOf(c, brand) >= caps_->per_request) {
    return Capped(reasons::kCapWithoutId);
  }
  return {};
}

Refusal Reservations::TakePlaces(uint32_t candidate, uint32_t bid, bool* placed) {
  const Candidate& c = candidates_->items[candidate];
  if (!IsCapped(c)) return {};
  if (const Refusal refusal = ByPolicy(c); refusal.why != nullptr) return refusal;
  const std::span<const CapWindow> windows = caps_->WindowsOf(candidate);
  if (windows.empty()) return {};
  if (bid >= kMostPlaced) return Capped(reasons::kCapsFull);
  const FrequencyCaps::Reservation reserved = counts_->ReserveOnce(decision_, bid, windows);
  *placed = reserved.ok;
  if (reserved.ok) return {};
  return Capped(reserved.full ? reasons::kCapsFull : reasons::kCapTaken);
}

/// How many bids there are of the campaign or, where its brand has caps, of the brand.
int32_t Reservations::SoldOf(const Candidate& c, uint64_t brand) const {
  const Catalog& catalog = *candidates_->catalog;
  const bool by_brand = !catalog.brand_caps(brand).empty();
  int32_t sold = 0;
  for (const Sold& s : sold_) {
    if (s.candidate == kNobody) continue;
    const Candidate& other = candidates_->items[s.candidate];
    const bool same =
        other.campaign == c.campaign ||
        (by_brand && catalog.creative_facts(other.campaign)[other.creative].brand == brand);
    sold += same ? 1 : 0;
  }
  return sold;
}

/// One hold for the places of all bids, a bit each: a pod may have more of them than a decision has
/// holds.
absl::Status Reservations::Tie(Context& ctx) {
  absl::Status status;
  uint64_t placed = 0;
  for (size_t bid = 0; bid < sold_.size(); ++bid) {
    if (sold_[bid].placed) placed |= uint64_t{1} << bid;
  }
  if (placed != 0) {
    const auto settle = [](const Hold& hold, bool kept) {
      if (kept) return;
      for (auto rest = static_cast<uint64_t>(hold.amount); rest != 0; rest &= rest - 1) {
        static_cast<FrequencyCaps*>(hold.object)
            ->Release(hold.subject, static_cast<uint32_t>(std::countr_zero(rest)));
      }
    };
    status = ctx.Take({.settle = settle,
                       .object = counts_,
                       .subject = decision_,
                       .amount = static_cast<int64_t>(placed)});
  }
  for (const Sold& sold : sold_) {
    if (sold.budget.id == 0) continue;
    const Hold hold = budgets_.ledger->HoldOf(sold.budget);
    // After an error nothing is sent, so nothing is held.
    if (status.ok()) {
      status = ctx.Take(hold);
    } else {
      hold.settle(hold, /*kept=*/false);
    }
  }
  return status;
}

}  // namespace adagents::ads::internal
