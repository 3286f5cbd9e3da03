#include "ads/agents/claims.h"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads::internal {
namespace {

// Of a decision's holds one is for places under caps, one for what is beyond these numbers, and
// some are for other agents.
constexpr int kSingleBudgets = kMaxHolds - 8;
constexpr uint32_t kPlacesInOne = 64;  // bits of a hold

/// What bids beyond those numbers hold: in memory that their hold owns, as its settle is called
/// exactly once.
struct RestHeld {
  FrequencyCaps* counts = nullptr;
  Ledger* ledger = nullptr;
  uint64_t decision = 0;
  std::vector<uint32_t> placed;   // bids
  std::vector<uint64_t> budgets;  // reservations

  bool empty() const { return placed.empty() && budgets.empty(); }
  void GiveBack() const {
    for (const uint32_t bid : placed) (void)counts->Release(decision, bid);
    for (const uint64_t id : budgets) (void)ledger->Release(id, ReleaseCause::kNotSent);
  }
};

constexpr Refusal Capped(const ReasonCode& why) { return {&why, Nbr::kFrequencyCapped}; }

}  // namespace

void Reservations::Begin(uint64_t decision, const Candidates& candidates, const CapVerdicts& caps,
                         FrequencyCaps* counts, const Budgets& budgets, Currency cur, bool test) {
  decision_ = decision;
  candidates_ = &candidates;
  caps_ = &caps;
  counts_ = counts;
  budgets_ = budgets;
  cur_ = cur;
  test_ = test;
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
  Sold sold{candidate, false, {}};
  const Refusal refusal = test_ ? Look(candidate, price) : TakeAll(bid, price, &sold);
  if (refusal.why != nullptr) return refusal;
  if (sold_.size() <= bid) sold_.resize(bid + 1);
  sold_[bid] = sold;
  return {};
}

/// Places and budget for `sold->candidate`, or nothing.
Refusal Reservations::TakeAll(uint32_t bid, Micros price, Sold* sold) {
  if (const Refusal refused = TakePlaces(sold->candidate, bid, &sold->placed);
      refused.why != nullptr) {
    return refused;
  }
  const CampaignFacts& campaign =
      candidates_->catalog->facts(candidates_->items[sold->candidate].campaign);
  const Refusal refusal =
      budgets_.Reserve(decision_, bid, campaign.key, campaign.currency, price, cur_, &sold->budget);
  if (refusal.why != nullptr && sold->placed) (void)counts_->Release(decision_, bid);
  return refusal;
}

void Reservations::Undo(uint32_t bid) {
  if (sold_[bid].placed) (void)counts_->Release(decision_, bid);
  if (sold_[bid].budget.id != 0) {
    (void)budgets_.ledger->Release(sold_[bid].budget.id, ReleaseCause::kNotSent);
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

/// One hold for the places of the first bids, a bit each; one for each of the first budgets; and
/// one for all that are more, since a pod or a request with many imps may have more of them than a
/// decision has holds.
absl::Status Reservations::Tie(Context& ctx) {
  absl::Status status;
  // After an error nothing is sent, so nothing is held.
  const auto take = [&](const Hold& hold) {
    if (status.ok()) {
      status = ctx.Take(hold);
    } else {
      hold.settle(hold, /*kept=*/false);
    }
  };
  uint64_t placed = 0;
  int singles = 0;
  RestHeld rest{counts_, budgets_.ledger, decision_, {}, {}};
  for (uint32_t bid = 0; bid < sold_.size(); ++bid) {
    const Sold& sold = sold_[bid];
    if (sold.placed && bid < kPlacesInOne) placed |= uint64_t{1} << bid;
    if (sold.placed && bid >= kPlacesInOne) rest.placed.push_back(bid);
    if (sold.budget.id == 0) continue;
    if (singles++ < kSingleBudgets) {
      take(budgets_.ledger->HoldOf(sold.budget));
    } else {
      rest.budgets.push_back(sold.budget.id);
    }
  }
  if (placed != 0) {
    const auto settle = [](const Hold& hold, bool kept) {
      if (kept) return;
      for (auto bits = static_cast<uint64_t>(hold.amount); bits != 0; bits &= bits - 1) {
        static_cast<FrequencyCaps*>(hold.object)
            ->Release(hold.subject, static_cast<uint32_t>(std::countr_zero(bits)));
      }
    };
    take({.settle = settle,
          .object = counts_,
          .subject = decision_,
          .amount = static_cast<int64_t>(placed)});
  }
  if (!rest.empty()) {
    const auto settle = [](const Hold& hold, bool kept) {
      const std::unique_ptr<const RestHeld> held(static_cast<const RestHeld*>(hold.object));
      if (!kept) held->GiveBack();
    };
    take({.settle = settle,
          .object = std::make_unique<RestHeld>(std::move(rest)).release(),
          .subject = decision_});
  }
  return status;
}

}  // namespace adagents::ads::internal
