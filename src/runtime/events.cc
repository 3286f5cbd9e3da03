#include "adagents/runtime/internal/events.h"

#include <algorithm>
#include <utility>

#include "adagents/base/deadline.h"
#include "adagents/base/ids.h"
#include "adagents/runtime/internal/core.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {
// Events drained before the shard goes to the back of the queue, so that one busy key cannot keep a
// worker from the others; fewer when a decision waits, or another shard for a replica.
constexpr int kBatch = 32;
}  // namespace

Events::Events(Core* core, size_t capacity) : core_(core), scheduled_(kShards * 2), draining_(256) {
  for (uint32_t i = 0; i < kShards; ++i) shards_.push_back(std::make_unique<Shard>(capacity));
}

Events::~Events() {
  for (const auto& shard : shards_) {
    std::shared_ptr<EventNode>* node = nullptr;
    while (shard->queue.TryPop(&node)) delete node;
  }
}

absl::Status Events::Push(std::shared_ptr<EventNode> node, uint64_t order_by, bool* wake) {
  const auto index = static_cast<uint32_t>(Mix64(order_by) % kShards);
  Shard& shard = *shards_[index];
  auto owned = std::make_unique<std::shared_ptr<EventNode>>(std::move(node));
  pending_.fetch_add(1, std::memory_order_relaxed);
  if (!shard.queue.TryPush(owned.get())) {
    pending_.fetch_sub(1, std::memory_order_relaxed);
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return ResourceExhausted(fmt::format(
        "{} events wait already for the shard of order_by {}: slow down or raise max_events",
        shard.queue.capacity(), order_by));
  }
  (void)owned.release();
  *wake = !shard.scheduled.exchange(true, std::memory_order_acq_rel);
  if (*wake) Schedule(index);
  return absl::OkStatus();
}

void Events::Schedule(uint32_t shard) {
  // A shard is in the ring at most once, plus once for a stuck drainer's take-over.
  scheduled_.Push(shard);
}

int Events::RunSome(Crew& crew) {
  uint32_t index = 0;
  if (!scheduled_.TryPop(&index)) return 0;
  core_->WakeNext();
  int count = 0;
  switch (Drain(crew, index, &count)) {
    case Drained::kMore:
      Schedule(index);
      break;
    case Drained::kEmpty:
      shards_[index]->scheduled.exchange(false, std::memory_order_acq_rel);
      if (shards_[index]->queue.SizeGuess() > 0 &&
          !shards_[index]->scheduled.exchange(true, std::memory_order_acq_rel)) {
        Schedule(index);
      }
      break;
    case Drained::kLost:
      break;
  }
  return count > 0 ? count : 1;
}

Events::Drained Events::Drain(Crew& crew, uint32_t index, int* count) {
  Shard& shard = *shards_[index];
  for (; *count < kBatch; ++*count) {
    if (shard.current == nullptr) {
      std::shared_ptr<EventNode>* node = nullptr;
      if (!shard.queue.TryPop(&node)) {
        SetLate(shard, false);
        return Drained::kEmpty;
      }
      shard.current = std::move(*node);
      shard.given.clear();
      delete node;
    }
    SetLate(shard, core_->clock().Now() - shard.current->published > kPatience);
    bool told = false;
    if (!Deliver(crew, index, &told)) return Drained::kLost;
    shard.current.reset();
    delivered_.fetch_add(1, std::memory_order_relaxed);
    pending_.fetch_sub(1, std::memory_order_relaxed);
    if (told || core_->HasTickets()) {
      ++*count;
      break;
    }
  }
  return Drained::kMore;
}

void Events::SetLate(Shard& shard, bool late) {
  if (shard.late == late) return;
  shard.late = late;
  late_.fetch_add(late ? 1 : -1, std::memory_order_relaxed);
}

// False when the shard is no longer this thread's: it was taken over while a listener was stuck, or
// waits for a replica.
bool Events::Deliver(Crew& crew, uint32_t index, bool* told_another) {
  Shard& shard = *shards_[index];
  core_->Adopt(crew);
  const ReplicaPool* told = std::exchange(shard.told, nullptr);
  const std::vector<uint32_t>* listeners = crew.team->plan->Listeners(shard.current->type);
  if (listeners == nullptr) {  // its last listener has been removed since
    if (told != nullptr) *told_another = Tell(told);
    return true;
  }
  const std::shared_ptr<EventNode> event = shard.current;  // outlives a take-over
  for (const uint32_t listener : *listeners) {
    const HotStep& step = crew.team->listeners[listener];
    const bool given =
        std::any_of(shard.given.begin(), shard.given.end(),
                    [&](const AgentRecord* had) { return had->name == step.record->name; });
    if (given) continue;
    const bool bounded = (step.flags & HotStep::kBounded) != 0;
    const ReplicaPool* const pool = bounded ? step.info->spec->pool() : nullptr;
    Agent* agent = nullptr;
    for (bool busy = true; busy;) {
      busy = false;
      const uint64_t returns = bounded ? returns_.load(std::memory_order_acquire) : 0;
      agent = core_->executor().AdmitListener(step, &busy);
      if (busy && Wait(index, pool, pool == told, returns)) {
        if (told != nullptr && told != pool) (void)Tell(told);
        return false;
      }
    }
    shard.given.push_back(step.record);
    if (agent == nullptr) continue;
    if (pool == told) told = nullptr;  // the next is told when the call ends
    draining_[crew.index].store(index + 1, std::memory_order_relaxed);
    core_->BeginWatch(crew, Deadline::In(core_->clock(), core_->options().deadline).nanos());
    core_->executor().RunListener(crew, step, agent, event->event());
    // Only now: a watchdog that still marked this run must have read the shard.
    const bool taken_over = core_->EndWatch(crew);
    draining_[crew.index].store(0, std::memory_order_relaxed);
    if (bounded && Tell(pool)) *told_another = true;
    if (taken_over) return false;
  }
  if (told != nullptr && Tell(told)) *told_another = true;
  return true;
}

// False when a replica may have come back since `returns` was read. Else the shard is no longer the
// caller's.
bool Events::Wait(uint32_t shard, const ReplicaPool* pool, bool first, uint64_t returns) {
  const std::lock_guard<std::mutex> lock(waiting_mutex_);
  if (returns_.load(std::memory_order_relaxed) != returns) return false;
  if (first) {  // it was told, and another was faster
    waiting_.push_front({shard, pool});
  } else {
    waiting_.push_back({shard, pool});
  }
  return true;
}

// A replica is free: the shard that has waited longest for it looks again. False when none waits.
bool Events::Tell(const ReplicaPool* pool) {
  {
    const std::lock_guard<std::mutex> lock(waiting_mutex_);
    returns_.fetch_add(1, std::memory_order_release);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Waiting& waiting) { return waiting.pool == pool; });
    if (found == waiting_.end()) return false;
    shards_[found->shard]->told = pool;
    Schedule(found->shard);
    waiting_.erase(found);
  }
  core_->NotifyWorkers();
  return true;
}

void Events::TellAll() {
  {
    const std::lock_guard<std::mutex> lock(waiting_mutex_);
    returns_.fetch_add(1, std::memory_order_release);
    if (waiting_.empty()) return;
    for (const Waiting& waiting : waiting_) {
      shards_[waiting.shard]->told = waiting.pool;
      Schedule(waiting.shard);
    }
    waiting_.clear();
  }
  core_->NotifyWorkers();
}

void Events::TakeOver(uint32_t draining) {
  if (draining == 0) return;
  TellAll();
  Schedule(draining - 1);
  core_->NotifyWorkers();
}

}  // namespace adagents::internal
