// What selling to a candidate needs besides its price: places under its frequency caps, and budget.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/ledger.h"
#include "adagents/runtime/hold.h"
#include "adagents/runtime/trace.h"
#include "ads/budgets.h"

namespace adagents {
class Context;
}

namespace adagents::ads::internal {

/// Asked by the auction for each bid before it is made. Thread-compatible.
class Claims {
 public:
  virtual ~Claims() = default;
  /// Whether Take() would refuse, as far as it can be seen without taking.
  virtual Refusal Look(uint32_t candidate, Micros price) = 0;
  /// Takes what `candidate` needs to become the bid with the index `bid` at `price` (CPM). Takes
  /// nothing when it refuses.
  virtual Refusal Take(uint32_t candidate, uint32_t bid, Micros price) = 0;
  /// Gives back what was taken for a bid that is not made.
  virtual void Undo(uint32_t bid) = 0;
};

/// The claims of a decision in earnest, tied to its end. Nothing is taken for a bid for which
/// somebody has taken it already: the fallback, when this agent is late.
class Reservations final : public Claims {
 public:
  /// All of them outlive the decision. `cur`: of the prices. `test`: the request is a test, for
  /// which Take() only looks. Without a ledger budgets are not bounded.
  void Begin(uint64_t decision, const Candidates& candidates, const CapVerdicts& caps,
             FrequencyCaps* counts, const Budgets& budgets, Currency cur, bool test);

  Refusal Look(uint32_t candidate, Micros price) override;
  Refusal Take(uint32_t candidate, uint32_t bid, Micros price) override;
  void Undo(uint32_t bid) override;

  /// Of the budget that is held for a bid; 0: none.
  uint64_t ReservationOf(uint32_t bid) const { return sold_[bid].budget.id; }
  /// Undoes all that was taken unless the decision is kept; at once on an error.
  absl::Status Tie(Context& ctx);

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;
  struct Sold {
    uint32_t candidate = kNobody;
    bool placed = false;  // under caps
    Reservation budget;
  };
  bool IsCapped(const Candidate& c) const;
  Refusal ByPolicy(const Candidate& c) const;
  Refusal TakePlaces(uint32_t candidate, uint32_t bid, bool* placed);
  Refusal TakeAll(uint32_t bid, Micros price, Sold* sold);
  int32_t SoldOf(const Candidate& c, uint64_t brand) const;

  uint64_t decision_ = 0;
  const Candidates* candidates_ = nullptr;
  const CapVerdicts* caps_ = nullptr;
  FrequencyCaps* counts_ = nullptr;
  Budgets budgets_;
  Currency cur_;
  bool test_ = false;
  std::vector<Sold> sold_;  // by bid
};

}  // namespace adagents::ads::internal
