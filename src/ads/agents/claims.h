// What selling to a candidate needs besides its price: places under its frequency caps.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/trace.h"

namespace adagents {
class Context;
}

namespace adagents::ads::internal {

/// Why a candidate cannot be sold: a code of reasons.h, and what it makes of an answer without
/// bids. Empty: it can.
struct Refusal {
  const ReasonCode* why = nullptr;
  Nbr nbr = Nbr::kNone;
};

/// Asked by the auction for each bid before it is made. Thread-compatible.
class Claims {
 public:
  virtual ~Claims() = default;
  /// Takes what `candidate` needs to become the bid with the index `bid` at `price` (CPM). Takes
  /// nothing when it refuses.
  virtual Refusal Take(uint32_t candidate, uint32_t bid, Micros price) = 0;
  /// Gives back what was taken for a bid that is not made.
  virtual void Undo(uint32_t bid) = 0;
};

/// The claims of a decision in earnest, tied to its end.
class Reservations final : public Claims {
 public:
  /// All of them outlive the decision.
  void Begin(uint64_t decision, const Candidates& candidates, const CapVerdicts& caps,
             FrequencyCaps* counts);

  Refusal Take(uint32_t candidate, uint32_t bid, Micros price) override;
  void Undo(uint32_t bid) override;

  /// Undoes all that was taken unless the decision is kept; at once on an error.
  absl::Status Tie(Context& ctx);

 private:
  Refusal TakePlaces(uint32_t candidate, uint32_t bid);
  int32_t SoldOf(const Candidate& c, uint64_t brand) const;

  uint64_t decision_ = 0;
  const Candidates* candidates_ = nullptr;
  const CapVerdicts* caps_ = nullptr;
  FrequencyCaps* counts_ = nullptr;
  bool any_places_ = false;
  static constexpr uint32_t kNobody = UINT32_MAX;
  std::vector<uint32_t> sold_;  // the candidate of each bid, kNobody: undone
};

}  // namespace adagents::ads::internal
