// What one executing thread needs to run agents: its replicas, its watch, its counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "adagents/base/atomics.h"
#include "adagents/runtime/internal/plan.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/internal/watch_word.h"

namespace adagents::internal {

/// One agent, ready to be called by one crew.
struct HotStep {
  enum Flag : uint8_t { kRequired = 1, kBounded = 2, kInLoop = 4, kEndsLoop = 8 };

  Agent* agent = nullptr;  // null when bounded: taken from the pool at each call
  const PortSlot* slots = nullptr;
  const AgentVitals* vitals = nullptr;
  AgentRecord* record = nullptr;
  const PlanAgent* info = nullptr;
  uint32_t index = 0;  // of the agent in its plan
  uint8_t flags = 0;
};

/// A plan with one crew's replicas.
struct Team {
  std::shared_ptr<const Plan> plan;
  std::vector<HotStep> steps;      // in the plan's order
  std::vector<uint32_t> step_of;   // by agent; for strands
  std::vector<HotStep> listeners;  // by agent; only those that listen are filled in
};

/// Thread safety: owned by one thread at a time, a worker for its life or a trusted caller while
/// `busy`. `watch`, `due`, `current` and `helps` are also read by the watchdog, the counters by
/// stats().
struct alignas(kCacheLine) Crew {
  explicit Crew(uint32_t number) : index(number) {}

  const uint32_t index;
  std::atomic<uint32_t> busy{0};  // trusted callers: acquired by exchange, released by store
  std::unique_ptr<Team> team;
  std::atomic<Team*> pending{nullptr};  // the next team, left here by whoever changed the plan

  WatchWord<> watch;
  std::atomic<int64_t> due{std::numeric_limits<int64_t>::max()};
  std::atomic<AgentRecord*> current{nullptr};
  std::atomic<bool> helps{false};  // runs a strand of another's decision
  AgentRecord* overdue = nullptr;  // written by the watchdog before it marks the run
  bool holds_permit = false;       // workers only; the thread's own

  bool helped = false;  // since it last looked for work
  uint32_t turn = 0;    // whose lane it is, see worker.cc
  int64_t owed = 0;     // ns to events that are late; negative: they had more than their share
  int unannounced = 0;  // answers pushed since the answer thread was last woken

  std::atomic<int64_t> last_start{0};  // of a decision here
  int64_t idle_nanos = 0;              // between the last two, its own work left out
  int close_starts = 0;                // in a row, see Sharing::FollowsClosely

  uint32_t until_sample = 0;  // decisions until the next whose agents are timed one by one
  uint32_t samples = 0;
  int64_t sampled_at = 0;  // ns

  uint64_t next_id = 0;  // of a trusted caller's decisions
  uint32_t ids_left = 0;

  std::unique_ptr<RequestState> own;  // a trusted caller's decision
  uint64_t tidied = 0;  // the version of which it holds nothing older; by Core::Tidy()

  std::array<std::atomic<uint64_t>, kVerdicts> verdicts{};
  std::atomic<uint64_t> clean{0};  // decisions of this team in which every agent simply ran

  ~Crew() { delete pending.load(std::memory_order_relaxed); }
};

/// Adds to a counter that only this thread writes.
inline void Bump(std::atomic<uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace adagents::internal
