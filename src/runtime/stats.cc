// What Stats and the picture of the plan say.
#include <algorithm>
#include <unordered_map>

#include "adagents/runtime/internal/core.h"
#include "adagents/runtime/internal/events.h"
#include "adagents/runtime/internal/plan_dot.h"
#include "adagents/runtime/internal/sharing.h"

namespace adagents::internal {

std::string Core::PlanDot() {
  std::shared_ptr<const Plan> plan;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    plan = plan_;
  }
  const auto strands = sharing_ != nullptr ? sharing_->StrandsOf(*plan) : nullptr;
  return internal::PlanDot(*plan, strands.get());
}

Stats Core::GetStats() {
  Stats stats;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unordered_map<const AgentRecord*, uint64_t> clean;
  for (const auto& crew : crews_) {
    for (int v = 0; v < kVerdicts; ++v) {
      stats.verdicts[static_cast<size_t>(v)] +=
          crew->verdicts[static_cast<size_t>(v)].load(std::memory_order_relaxed);
    }
    // Under mutex_ a crew's team does not change.
    if (crew->team == nullptr) continue;
    const uint64_t runs = crew->clean.load(std::memory_order_relaxed);
    for (const HotStep& step : crew->team->steps) clean[step.record] += runs;
  }
  for (int v = 0; v < kVerdicts; ++v) {
    stats.verdicts[static_cast<size_t>(v)] +=
        other_verdicts_[static_cast<size_t>(v)].load(std::memory_order_relaxed);
  }
  for (uint32_t i = 0; i < high_water_.load(std::memory_order_relaxed); ++i) {
    stats.in_flight += tickets_[i]->gate.OpenGeneration() >= 0;
  }
  stats.shared_decisions = sharing_ != nullptr ? sharing_->shared() : 0;
  stats.recuts = sharing_ != nullptr ? sharing_->recuts() : 0;
  stats.shared_left = sharing_ != nullptr ? sharing_->left() : 0;
  stats.queued_decisions = queued_decisions_.load(std::memory_order_relaxed);
  stats.traces = tracer_ != nullptr ? tracer_->delivered() : 0;
  stats.traces_dropped = tracer_ != nullptr ? tracer_->dropped() : 0;
  stats.events = events_->delivered();
  stats.events_dropped = events_->dropped();
  stats.workers_stuck = stuck_workers_.load(std::memory_order_relaxed);
  stats.callers_stuck = stuck_callers_.load(std::memory_order_relaxed);
  stats.spares_left = std::max(0, options_.spares - stats.workers_stuck);
  stats.plan_version = version_;
  for (const auto& spec : specs_) {
    const AgentRecord& record = *spec->record;
    AgentStats agent;
    agent.name = record.name;
    for (const AgentRecord* of = &record; of != nullptr; of = of->before) {  // counts go on
      for (size_t o = 0; o < agent.outcomes.size(); ++o) {
        agent.outcomes[o] += of->outcomes[o].load(std::memory_order_relaxed);
      }
      if (const auto runs = clean.find(of); runs != clean.end()) {
        agent.outcomes[static_cast<size_t>(Outcome::kRan)] += runs->second;
      }
      agent.quarantines += of->quarantines.load(std::memory_order_relaxed);
    }
    agent.timed = record.cost.count();
    agent.mean_nanos = record.cost.Mean();
    agent.p99_nanos = record.cost.Quantile(0.99);
    agent.switched_off = record.switched_off.load(std::memory_order_relaxed);
    agent.quarantined = health_.quarantined(record);
    agent.stuck = record.stuck.load(std::memory_order_relaxed);
    stats.agents.push_back(std::move(agent));
  }
  return stats;
}

}  // namespace adagents::internal
