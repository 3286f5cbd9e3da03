// The immutable order compiled from the agents' ports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/agent_record.h"
#include "adagents/runtime/internal/layout.h"
#include "adagents/runtime/internal/loop.h"

namespace adagents::internal {

/// State shared by agents, by key. Filled by the builder, then read-only.
struct SharedState {
  std::shared_ptr<void> object;
  const std::type_info* type;
};
using StateStore = std::map<std::string, SharedState, std::less<>>;

/// A bounded set of replicas for an agent that is heavy to hold. A decision that needs one while
/// all are in use waits here, not its thread. Thread-safe. A mutex, held for a few instructions:
/// such agents are few and slow.
class ReplicaPool {
 public:
  /// Of `first`, which outlives it, and `others`.
  ReplicaPool(Agent* first, std::vector<std::unique_ptr<Agent>> others);

  /// A replica for the caller alone, or null; then `waiter`, unless null or settled, is queued for
  /// one.
  Agent* Take(RequestState* waiter, bool* queued);
  /// Takes a settled decision out of the queue; false when it is not in it. It is never queued
  /// afterwards: the mutex orders its settling before any later look of Take().
  bool Forget(RequestState* waiter);
  [[nodiscard]] int size() const { return static_cast<int>(others_.size()) + 1; }
  /// Returns the decision that may go on now, or null.
  RequestState* GiveBack(Agent* agent);

 private:
  const std::vector<std::unique_ptr<Agent>> others_;
  std::mutex mutex_;
  std::vector<Agent*> free_;
  std::deque<RequestState*> waiting_;  // bounded by the decisions in flight
};

/// One agent as it was added, with its replicas. Plans share it, so a replica survives a change of
/// plan. Thread safety: Replica() is called under the runtime's configuration lock; the rest is
/// immutable.
class AgentSpec {
 public:
  using Factory = std::function<std::unique_ptr<Agent>()>;

  /// Makes the first replica to learn the ports. An error when the constructor throws or gives
  /// null.
  static absl::StatusOr<std::shared_ptr<AgentSpec>> Make(Factory factory);

  /// The replica of executing thread `crew`, made when first asked for; its State ports bound.
  absl::StatusOr<Agent*> Replica(uint32_t crew, const StateStore& states);
  /// Makes the pool of a bounded agent; called once before the first plan.
  absl::Status MakePool(const StateStore& states);

  const Agent& first() const { return *replicas_[0]; }
  const std::string& name() const { return name_; }
  ReplicaPool* pool() const { return pool_.get(); }
  AgentRecord* record = nullptr;

 private:
  absl::StatusOr<std::unique_ptr<Agent>> Create() const;
  absl::Status Bind(Agent& agent, const StateStore& states) const;

  Factory factory_;
  std::string name_;
  std::vector<std::unique_ptr<Agent>> replicas_;
  std::vector<bool> bound_;
  std::unique_ptr<ReplicaPool> pool_;
};

struct PlanAgent {
  std::shared_ptr<AgentSpec> spec;
  uint64_t hash = 0;  // of the name, for its random stream
  int64_t budget_nanos = 0;
  bool required = false;  // some output has no default
  bool must_run = false;
  bool listens = false;  // runs on events
  int loop = -1;         // the loop it is in, of Plan::loops()
  uint32_t first_slot = 0;
  std::vector<uint32_t> needs;         // writers without whose outputs it is not called
  std::vector<uint32_t> predecessors;  // all writers it reads from, without repeats
  std::vector<uint32_t> successors;
  std::vector<ManagedSlot> managed;  // outputs to reset after a failure
  std::vector<ManagedSlot> plain;    // likewise, by bytes from the prototype
};

/// What a plan is compiled for.
struct PlanSignature {
  std::string_view request_key;
  const std::type_info* request_type;
  std::string_view result_key;
  const std::type_info* result_type;
  std::vector<LoopSpec> loops;
};

class Plan {
 public:
  static absl::StatusOr<std::shared_ptr<Plan>> Compile(
      std::vector<std::shared_ptr<AgentSpec>> specs, const PlanSignature& signature,
      const StateStore& states);

  const std::vector<PlanAgent>& agents() const { return agents_; }  // as added
  const std::vector<uint32_t>& order() const { return order_; }     // those that run on decisions
  const PortSlot* SlotsOf(uint32_t agent) const {
    return slots_.data() + agents_[agent].first_slot;
  }
  /// An order that keeps every dependency and is otherwise shuffled by the seed.
  std::vector<uint32_t> ShuffledOrder(uint64_t seed) const;
  const std::vector<PlanLoop>& loops() const { return loops_; }
  const PlanLoop* LoopOf(uint32_t agent) const {
    return agents_[agent].loop < 0 ? nullptr : &loops_[static_cast<size_t>(agents_[agent].loop)];
  }
  /// What is ordered and scheduled as one: an agent, or all of a loop; by its first agent.
  uint32_t UnitOf(uint32_t agent) const {
    const PlanLoop* loop = LoopOf(agent);
    return loop == nullptr ? agent : loop->members[0];
  }

  size_t board_size() const { return board_size_; }
  size_t board_align() const { return board_align_; }
  size_t plain_size() const { return prototype_.size(); }
  const std::byte* prototype() const { return prototype_.data(); }
  uint32_t request_offset() const { return 0; }
  uint32_t result_offset() const { return result_offset_; }
  uint32_t result_writer() const { return result_writer_; }
  const std::vector<ManagedSlot>& managed() const { return managed_; }
  const std::vector<uint32_t>& must_run() const { return must_run_; }
  bool has_bounded() const { return has_bounded_; }
  ListLayout list(uint32_t i) const { return {lists_[i].data(), lists_[i].size()}; }

  /// Where `key` lies, for the fallback: writer and offset; false when nobody writes it.
  bool Find(std::string_view key, const std::type_info& type, uint32_t* writer,
            uint32_t* offset) const;
  /// Listeners of an event type in the order added; null when there are none.
  const std::vector<uint32_t>* Listeners(std::type_index event) const;

  uint64_t version = 0;

 private:
  friend class PlanCompiler;
  template <class Push, class Pop, class Empty>
  std::vector<uint32_t> OrderUnits(const std::vector<uint32_t>& units, Push push, Pop pop,
                                   Empty empty) const;
  struct Value {
    const std::type_info* type;
    uint32_t writer;
    uint32_t offset;
  };

  std::vector<PlanAgent> agents_;
  std::vector<uint32_t> order_;
  std::vector<PortSlot> slots_;
  std::vector<std::byte> prototype_;  // bytes of the trivially copyable part, from offset 0
  std::vector<ManagedSlot> managed_;  // the others, constructed behind it
  std::vector<std::vector<ListLayout::Writer>> lists_;
  std::vector<PlanLoop> loops_;
  std::vector<uint32_t> must_run_;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::type_index, std::vector<uint32_t>> listeners_;
  size_t board_size_ = 0;
  size_t board_align_ = 64;
  uint32_t result_offset_ = 0;
  uint32_t result_writer_ = 0;
  bool has_bounded_ = false;
};

}  // namespace adagents::internal
