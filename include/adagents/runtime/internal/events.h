// Events on their way to agents: in order per key, in parallel across keys.
//
// A key's events all go to one shard, and a shard is drained by one thread at a time. Invariant:
// `scheduled` is true from the push that found it false until the drainer that found the shard
// empty has stored false; both are exchanges, so either the pusher schedules the shard or the
// drainer sees the push. When a drainer is stuck in a listener the watchdog hands its shard to
// another thread, and wakes one: the stuck one learns so from its watch and touches the shard no
// more. Its next drainer may have another team: what the event has reached is known by name, not
// by place, and noted before the listener is called.
//
// A shard whose next listener has no free replica waits, and no thread with it: it stays
// `scheduled`, but is in `waiting_` instead of the ring. Invariant: while a shard waits for a pool,
// a thread that has one of its replicas tells of it when it gives it back, or a shard that was told
// has not been drained since. Only listeners use those pools, so only events need to tell. A
// drainer that found no replica waits only if nobody has told of one since before it looked
// (`returns_`, changed under the mutex). A shard that was told and then takes no replica of that
// pool tells the next. When a thread is stuck all that wait look again: where every replica is
// stuck the listener is left out.
//
// Whoever schedules a shard rings for a worker, but for a drainer, which goes on to look for
// work itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/mpmc_ring.h"

namespace adagents::internal {

class Core;
struct EventNode;

/// Thread-safe.
class Events {
 public:
  static constexpr uint32_t kShards = 64;
  /// How long an event may wait before events are late: see Core::RunOne().
  static constexpr int64_t kPatience = 5'000'000;  // ns

  Events(Core* core, size_t capacity);
  ~Events();

  /// ResourceExhausted when the key's shard is full. True in *wake when a worker should be woken.
  absl::Status Push(std::shared_ptr<EventNode> node, uint64_t order_by, bool* wake);
  /// Drains a batch of one scheduled shard, or a single event when a decision waits then; how many
  /// events. 0 when none is scheduled.
  int RunSome(Crew& crew);
  [[nodiscard]] bool HasWork() const { return scheduled_.SizeGuess() > 0; }
  /// Whether there is a shard whose newest taken event had waited longer than kPatience, and more
  /// of it may wait. A hint.
  [[nodiscard]] bool late() const { return late_.load(std::memory_order_relaxed) > 0; }

  /// The shard whose listener this crew is in, plus 1; 0 for none. The watchdog asks before it
  /// marks the crew's run: afterwards the crew may already be in another shard.
  [[nodiscard]] uint32_t Draining(const Crew& crew) const {
    return draining_[crew.index].load(std::memory_order_relaxed);
  }
  /// The watchdog marked that run: its shard, if any, goes to another thread.
  void TakeOver(uint32_t draining);

  [[nodiscard]] uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  /// Published and not delivered yet.
  [[nodiscard]] uint64_t pending() const { return pending_.load(std::memory_order_relaxed); }

 private:
  struct Shard {
    explicit Shard(size_t capacity) : queue(capacity) {}
    MpmcRing<std::shared_ptr<EventNode>*> queue;
    std::atomic<bool> scheduled{false};
    // Of the thread that drains it.
    std::shared_ptr<EventNode> current;
    std::vector<const AgentRecord*> given;  // who has had it, or been left out
    const ReplicaPool* told = nullptr;      // has a free replica; only compared
    bool late = false;                      // counted in late_
  };
  struct Waiting {
    uint32_t shard;
    const ReplicaPool* pool;
  };
  enum class Drained { kEmpty, kMore, kLost };

  Drained Drain(Crew& crew, uint32_t shard_index, int* count);
  void SetLate(Shard& shard, bool late);
  bool Deliver(Crew& crew, uint32_t shard_index, bool* told_another);
  bool Wait(uint32_t shard, const ReplicaPool* pool, bool first, uint64_t returns);
  bool Tell(const ReplicaPool* pool);
  void TellAll();
  void Schedule(uint32_t shard);

  Core* core_;
  std::vector<std::unique_ptr<Shard>> shards_;
  MpmcRing<uint32_t> scheduled_;
  std::vector<std::atomic<uint32_t>> draining_;  // by crew: shard + 1
  std::mutex waiting_mutex_;  // held for a few instructions, for listeners with replicas only
  std::deque<Waiting> waiting_;
  std::atomic<uint64_t> returns_{0};
  // Shards. Relaxed: nothing is read by what it says. Workers read it with each decision.
  alignas(kCacheLine) std::atomic<int> late_{0};
  alignas(kCacheLine) std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> dropped_{0};
  std::atomic<uint64_t> pending_{0};
};

}  // namespace adagents::internal
