// Changes of the team while it serves: every crew gets the new plan, and what held the old one lets
// go.
#include <algorithm>
#include <utility>

#include "adagents/runtime/internal/core.h"
#include "adagents/runtime/internal/sharing.h"
#include "fmt/format.h"

namespace adagents::internal {

// Under config_. Compiles, makes every crew's team, and only then shows any of it.
absl::Status Core::Install(std::vector<std::shared_ptr<AgentSpec>> specs) {
  auto compiled = Plan::Compile(specs, signature_, states_);
  if (!compiled.ok()) return compiled.status();
  const std::shared_ptr<Plan> plan = *std::move(compiled);
  plan->version = version_ + 1;
  for (const auto& spec : specs) {
    if (absl::Status status = spec->MakePool(states_); !status.ok()) return status;
    if (spec->record == nullptr) spec->record = NewRecord(spec->name());
  }
  std::vector<std::unique_ptr<Team>> teams;
  for (const auto& crew : crews_) {
    auto team = MakeTeam(plan, crew->index);
    if (!team.ok()) return team.status();
    teams.push_back(*std::move(team));
  }
  for (size_t i = 0; i < crews_.size(); ++i) {
    // Release: the crew's thread acquires the team with the pointer. What it had not adopted yet
    // nobody will.
    delete crews_[i]->pending.exchange(teams[i].release(), std::memory_order_acq_rel);
  }
  has_bounded_.store(plan->has_bounded(), std::memory_order_relaxed);
  has_must_run_.store(!plan->must_run().empty(), std::memory_order_relaxed);
  health_.SetTeam(static_cast<int>(plan->agents().size()),
                  static_cast<int>(std::count_if(specs.begin(), specs.end(), [&](const auto& spec) {
                    return health_.quarantined(*spec->record);
                  })));
  ++version_;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    plan_ = plan;
    specs_.swap(specs);
  }
  LetGo();
  return absl::OkStatus();
}

// Old agents must not live on in what has nothing to do: idle callers adopt here, idle workers when
// they are woken, and what they leave is freed by whoever has time.
void Core::LetGo() {
  Tidy();
  worker_bell_.parker().Notify(static_cast<int>(threads_));
  spare_parker_.Notify(static_cast<int>(threads_));
  FreeRetired();
}

void Core::Tidy() {
  const uint64_t version = version_.load(std::memory_order_relaxed);
  bool all = true;
  for (const auto& crew : crews_) {
    if (crew->index < threads_ || crew->tidied == version) continue;
    uint32_t free = 0;
    if (!crew->busy.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      all = false;  // it may not be called again
      continue;
    }
    Adopt(*crew);
    (void)TakeStaleBoard(*crew->own);
    crew->tidied = version;
    crew->busy.store(0, std::memory_order_release);
  }
  // Free tickets hold boards of the old plan. They pass through here one at a time, to the other
  // stack and back, so that decisions that come meanwhile find all but that one. Those in use
  // look themselves as they are recycled, but may just have looked.
  const auto begin = tickets_.begin();
  const auto stale = [version](const auto& ticket) { return ticket->tidied != version; };
  auto left = std::count_if(
      begin, begin + high_water_.load(std::memory_order_relaxed), [&](const auto& ticket) {
        return stale(ticket) && ticket->users.load(std::memory_order_relaxed) == 0;
      });
  uint32_t index = left > 0 ? free_tickets_.Pop() : IndexStack<>::kNone;
  while (index != IndexStack<>::kNone) {
    left -= index < high_water_.load(std::memory_order_relaxed) && stale(tickets_[index]);
    // Its end may be the old team's, and take long.
    std::unique_ptr<BoardMemory> stale_board = TakeStaleBoard(*tickets_[index]);
    tickets_[index]->tidied = version;
    tidied_tickets_.Push(index);
    stale_board.reset();
    index = left > 0 ? free_tickets_.Pop() : IndexStack<>::kNone;
  }
  while ((index = tidied_tickets_.Pop()) != IndexStack<>::kNone) free_tickets_.Push(index);
  all = all && std::none_of(begin, begin + high_water_.load(std::memory_order_relaxed), stale);
  untidy_.store(!all, std::memory_order_relaxed);
}

// By a worker that has nothing else to do.
void Core::TidyWhenIdle() {
  if (untidy_.load(std::memory_order_relaxed)) {
    const std::unique_lock<std::mutex> lock(config_, std::try_to_lock);
    if (lock.owns_lock()) Tidy();  // else the change in progress does it
  }
  if (sharing_ != nullptr) sharing_->Tidy();
  if (has_retired_.load(std::memory_order_relaxed)) FreeRetired();
}

// Of a state that is in no use; null when it has none of an older plan.
[[gnu::hot]] std::unique_ptr<BoardMemory> Core::TakeStaleBoard(RequestState& state) {
  const bool stale = state.board != nullptr &&
                     state.board->plan().version != version_.load(std::memory_order_relaxed);
  return stale ? std::move(state.board) : nullptr;
}

void Core::FreeRetired() {
  std::vector<std::unique_ptr<Team>> retired;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    retired.swap(retired_);
    has_retired_.store(false, std::memory_order_relaxed);
  }
}

// A new agent starts afresh: what becomes of its predecessor's calls says nothing of it.
AgentRecord* Core::NewRecord(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto known = std::find_if(records_.rbegin(), records_.rend(),
                                  [&](const auto& record) { return record->name == name; });
  const AgentRecord* const before = known != records_.rend() ? known->get() : nullptr;
  auto record = std::make_unique<AgentRecord>(name, &vitals_.emplace_back(), before);
  if (before != nullptr) {
    record->switched_off.store(before->switched_off.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
    record->UpdateFlag();
  }
  records_.push_back(std::move(record));
  return records_.back().get();
}

absl::StatusOr<std::unique_ptr<Team>> Core::MakeTeam(const std::shared_ptr<const Plan>& plan,
                                                     uint32_t crew) {
  auto team = std::make_unique<Team>();
  team->plan = plan;
  team->step_of.assign(plan->agents().size(), UINT32_MAX);
  team->listeners.resize(plan->agents().size());
  const uint64_t seed = options_.inline_scheduler ? options_.inline_scheduler->seed : 0;
  std::vector<uint32_t> all = seed == 0 ? plan->order() : plan->ShuffledOrder(seed);
  const size_t deciding = all.size();
  for (uint32_t i = 0; i < plan->agents().size(); ++i) {
    if (plan->agents()[i].listens) all.push_back(i);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const PlanAgent& info = plan->agents()[all[i]];
    HotStep step;
    if (info.spec->pool() == nullptr) {
      auto agent = info.spec->Replica(crew, states_);
      if (!agent.ok()) return agent.status();
      step.agent = *agent;
    } else {
      step.flags |= HotStep::kBounded;
    }
    if (info.required) step.flags |= HotStep::kRequired;
    step.slots = plan->SlotsOf(all[i]);
    if (const PlanLoop* loop = plan->LoopOf(all[i])) {
      step.flags |= HotStep::kInLoop;
      if (all[i] == loop->members.back()) step.flags |= HotStep::kEndsLoop;
    }
    step.record = info.spec->record;
    step.vitals = &step.record->vitals;
    step.info = &info;
    step.index = all[i];
    if (i < deciding) {
      team->step_of[all[i]] = static_cast<uint32_t>(team->steps.size());
      team->steps.push_back(step);
    } else {
      team->listeners[all[i]] = step;
    }
  }
  return team;
}

absl::Status Core::Change(const std::vector<std::string>& remove,
                          std::vector<AgentSpec::Factory> add) {
  std::vector<std::shared_ptr<AgentSpec>> added;
  for (auto& factory : add) {
    auto spec = AgentSpec::Make(std::move(factory));
    if (!spec.ok()) return spec.status();
    added.push_back(*std::move(spec));
  }
  const std::lock_guard<std::mutex> lock(config_);
  if (closed_.load(std::memory_order_acquire))
    return FailedPrecondition("the runtime is shut down");
  std::vector<std::shared_ptr<AgentSpec>> next = specs_;
  for (const std::string& name : remove) {
    const auto found = std::find_if(next.begin(), next.end(),
                                    [&](const auto& spec) { return spec->name() == name; });
    if (found == next.end()) return NotFound(fmt::format("no agent is named '{}'", name));
    // A replacement takes the place, and so the order among equals, of what it replaces.
    const auto successor = std::find_if(added.begin(), added.end(), [&](const auto& spec) {
      return spec != nullptr && spec->name() == name;
    });
    if (successor != added.end()) {
      *found = *successor;
      added.erase(successor);
    } else {
      next.erase(found);
    }
  }
  next.insert(next.end(), added.begin(), added.end());
  return Install(std::move(next));
}

absl::Status Core::SetSwitchedOff(std::string_view agent, bool off) {
  const std::lock_guard<std::mutex> lock(mutex_);
  bool found = false;
  for (const auto& record : records_) {
    if (record->name != agent) continue;
    record->switched_off.store(off, std::memory_order_relaxed);
    record->UpdateFlag();
    found = true;
  }
  return found ? absl::OkStatus() : NotFound(fmt::format("no agent is named '{}'", agent));
}

[[gnu::hot]] void Core::Adopt(Crew& crew) {
  if (crew.pending.load(std::memory_order_relaxed) == nullptr) [[likely]]
    return;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<Team> next(crew.pending.exchange(nullptr, std::memory_order_acquire));
  if (next == nullptr) return;
  if (crew.team != nullptr) {
    const uint64_t clean = crew.clean.exchange(0, std::memory_order_relaxed);
    for (const HotStep& step : crew.team->steps) {
      step.record->outcomes[static_cast<size_t>(Outcome::kRan)].fetch_add(
          clean, std::memory_order_relaxed);
    }
    retired_.push_back(std::move(crew.team));
    has_retired_.store(true, std::memory_order_relaxed);
  }
  crew.team = std::move(next);
  crew.samples = crew.until_sample = 0;
}

}  // namespace adagents::internal
