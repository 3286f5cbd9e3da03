// One decision on several threads: strands as nodes of a oneTBB flow graph.
//
// Worth it only when few decisions are in flight and a helper is awake, or the gain exceeds the
// time one takes to wake; whether it is follows from measured costs. Helpers are the runtime's own
// idle workers, which enter the arena for one decision and leave with it; the arena reserves every
// slot for threads that enter it, so oneTBB's own workers are neither used nor started and nothing
// of the host's oneTBB settings changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/internal/strands.h"

namespace adagents::internal {

class Core;

/// Thread-safe.
class Sharing {
 public:
  Sharing(Core* core, int workers, int64_t spin_nanos);
  ~Sharing();

  /// Whether this decision, about to start on `crew`, is to be shared now.
  [[nodiscard]] bool Wants(Crew& crew);
  /// Runs all agents of the decision; returns when none is running any more. False when no place
  /// was free: run it alone then.
  bool Run(Crew& crew, RequestState& state);

  [[nodiscard]] bool offers() const { return offers_.load(std::memory_order_relaxed) > 0; }
  /// Takes part in a decision that is shared right now, if there is one. True if it did.
  bool Help(Crew& crew);

  /// Recomputes the strands of `plan` when costs have drifted; called now and then, by one thread.
  void Refresh(const std::shared_ptr<const Plan>& plan);

  [[nodiscard]] uint64_t shared() const { return shared_.load(std::memory_order_relaxed); }

 private:
  struct Place;

  bool Hot() const;
  bool FollowsClosely(Crew& crew);
  bool TryHelp(Crew& crew);

  static constexpr int kPlaces = 4;           // decisions shared at one time
  static constexpr size_t kMaxAgents = 512;   // larger plans run as a loop
  static constexpr int64_t kMinGain = 3'000;  // ns; below, sharing costs what it saves
  static constexpr double kMinShare = 0.12;   // of the plan's total

  Core* core_;
  const int64_t spin_nanos_;
  const int helpers_;  // per decision
  std::vector<std::unique_ptr<Place>> places_;
  std::atomic<int> offers_{0};  // places for helpers that are open
  std::atomic<int> inside_{0};  // helpers
  std::atomic<uint64_t> shared_{0};
  std::atomic<int64_t> arrival_{400'000};  // ns a parked helper takes to arrive, measured

  std::mutex mutex_;  // guards strands_; held briefly
  struct Current {
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const Strands> strands;
  };
  Current current_;
  std::vector<int64_t> costs_;               // Refresh's own
  std::atomic<const Plan*> gains_{nullptr};  // the plan whose strands are worth sharing
  std::atomic<int64_t> gain_{0};
  std::atomic<int64_t> total_{0};  // of the plan's agents in a row
  std::atomic<uint64_t> version_{0};
};

}  // namespace adagents::internal
