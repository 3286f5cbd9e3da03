// How a plan is cut up when several threads run one decision.
#pragma once

#include <cstdint>
#include <vector>

namespace adagents::internal {

class Plan;

/// Agents that run back to back on one thread, and which strands they wait for. Immutable.
struct Strands {
  struct Strand {
    std::vector<uint32_t> agents;  // in order
    std::vector<uint32_t> after;   // strands that must have ended
    int64_t nanos = 0;             // predicted cost
  };
  std::vector<Strand> strands;  // longest remaining path first, so topologically ordered
  int64_t total_nanos = 0;      // of all agents, one after the other
  int64_t makespan_nanos = 0;   // predicted when shared

  [[nodiscard]] int64_t gain() const { return total_nanos - makespan_nanos; }
};

/// Schedules the plan on `processors` by longest remaining path first (Graham's list scheduling
/// with the communication costs of Sinnen, "Task Scheduling for Parallel Systems", 2007) and cuts
/// each processor's sequence where another one's waits or is waited for; long agents become strands
/// of their own, so that whoever is free takes the next, whatever the prediction was. `costs` is by
/// agent in nanoseconds.
[[nodiscard]] Strands MakeStrands(const Plan& plan, const std::vector<int64_t>& costs,
                                  int processors);

}  // namespace adagents::internal
