// Availability's work, shared by the agent and WhyNot().
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "adagents/ads/agents/availability.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/targeting.h"
#include "adagents/runtime/trace.h"
#include "ads/agents/imp_needs.h"

namespace adagents::ads::internal {

using MatchBecause = absl::FunctionRef<void(const Reason&)>;

/// Thread-compatible: it has memory that it reuses.
class Matcher {
 public:
  /// Fills `out`, whose catalog is pinned already. `because` may be null.
  void Run(const Request& request, const KillSwitches& switches, absl::Time now,
           const AvailabilityOptions& options, Candidates* out, const MatchBecause* because);

 private:
  /// What became of the campaigns that targeting found for one imp.
  struct Fallen {
    uint32_t matched = 0, off = 0, not_in_flight = 0, misfit = 0, fitted = 0;
  };
  static Nbr WhyNone(const Fallen& fallen);

  void Find(const Catalog& catalog, const KillSwitches& switches, int64_t now_s, size_t most,
            Fallen* fallen, const MatchBecause* because);
  void Fit(const Imp& imp, const AvailabilityOptions& options, Fallen* fallen, Candidates* out,
           const MatchBecause* because);

  TargetingQuery query_;
  std::vector<uint32_t> found_;
  ImpNeeds needs_;
};

}  // namespace adagents::ads::internal
