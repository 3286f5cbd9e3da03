#include "ads/budgets.h"

#include <cmath>

#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {
namespace {

Refusal RefusalOf(ReserveResult result) {
  switch (result) {
    case ReserveResult::kReserved:
      return {};
    case ReserveResult::kBudgetSpent:
      return {&reasons::kBudgetSpent, Nbr::kBudgetExhausted};
    case ReserveResult::kNoLease:
      return {&reasons::kBudgetNotLeased, Nbr::kBudgetExhausted};
    case ReserveResult::kBadAmount:
      return {&reasons::kBudgetTooSmall, Nbr::kBudgetExhausted};
    case ReserveResult::kDuplicate:
    case ReserveResult::kFull:
    case ReserveResult::kUnknownCampaign:
    case ReserveResult::kWrongCurrency:
    case ReserveResult::kForeignDecision:
    case ReserveResult::kShutDown:
      break;
  }
  return {&reasons::kLedgerRefused, Nbr::kTechnicalError};
}

}  // namespace

bool Budgets::CostOf(Micros price, Currency cur, Currency own, Micros* out) const {
  if (cur != own) {
    const auto factor = rates->Factor(cur, own);
    if (!factor) return false;
    price.value = std::llround(static_cast<double>(price.value) * *factor);
  }
  *out = CostOfImpression(price);
  return true;
}

Refusal Budgets::Look(uint64_t campaign, Currency own, Micros price, Currency cur) const {
  if (ledger == nullptr) return {};
  Micros cost;
  if (!CostOf(price, cur, own, &cost)) return {&reasons::kNoRate, Nbr::kNone};
  return RefusalOf(ledger->Look(campaign, cost, own));
}

Refusal Budgets::Reserve(uint64_t decision, uint32_t bid, uint64_t campaign, Currency own,
                         Micros price, Currency cur, Reservation* out) const {
  *out = {};
  if (ledger == nullptr) return {};
  Micros cost;
  if (!CostOf(price, cur, own, &cost)) return {&reasons::kNoRate, Nbr::kNone};
  const Reservation reserved = ledger->Reserve({decision, bid, campaign, cost, own});
  if (reserved.ok()) *out = reserved;
  return RefusalOf(reserved.result);
}

}  // namespace adagents::ads::internal
