// Budget for bids: what the auction and the fallback ask of a ledger.
#pragma once

#include <cstdint>

#include "adagents/ads/catalog.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/ledger.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads::internal {

/// Why a candidate cannot be sold: a code of reasons.h, and what it makes of an answer without
/// bids. Empty: it can.
struct Refusal {
  const ReasonCode* why = nullptr;
  Nbr nbr = Nbr::kNone;
};

/// Thread-safe. Plain value.
struct Budgets {
  Ledger* ledger = nullptr;  ///< null: budgets are not bounded
  const CurrencyRates* rates = nullptr;

  // `campaign`: its key; `own`: its currency; `cur`: that of the price, a CPM.

  /// Whether Reserve() would be refused, as far as can be seen.
  Refusal Look(uint64_t campaign, Currency own, Micros price, Currency cur) const;
  /// What an impression costs, for the bid with this index.
  Refusal Reserve(uint64_t decision, uint32_t bid, uint64_t campaign, Currency own, Micros price,
                  Currency cur, Reservation* out) const;
  /// What an impression costs, in the campaign's currency; false when there is no exchange rate.
  bool CostOf(Micros price, Currency cur, Currency own, Micros* out) const;
};

}  // namespace adagents::ads::internal
