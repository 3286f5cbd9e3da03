#include "adagents/runtime/internal/sharing.h"

#include <tbb/flow_graph.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <cmath>

#include "adagents/runtime/internal/core.h"

namespace adagents::internal {

// Where one shared decision runs: an arena and a graph of strands, built once for a version of the
// strands and used again. `word` counts who is in: users times two, and bit 0 while it is open to
// helpers. Invariant: an owner enters from 0 only, opens once all that helpers read is written, and
// closes before it lets go; helpers enter only while it is open; at 0 the place is free. So what a
// place points to stays valid for whoever is in. Opening releases, entering acquires; leaving
// releases and the next owner acquires.
struct Sharing::Place {
  static constexpr uint32_t kOpen = 1;
  static constexpr uint32_t kUser = 2;

  explicit Place(int helpers)
      : arena(helpers + 1, static_cast<unsigned>(helpers + 1)),
        groups(static_cast<size_t>(helpers)),
        handles(static_cast<size_t>(helpers)) {}
  ~Place() {
    handles.clear();
    for (auto& group : groups) group.wait();
  }

  bool EnterAsOwner() {
    uint32_t free = 0;
    return word.compare_exchange_strong(free, kUser, std::memory_order_acquire,
                                        std::memory_order_relaxed);
  }
  void Open() { word.fetch_or(kOpen, std::memory_order_release); }
  // How many helpers had entered.
  uint32_t Close() { return word.fetch_and(~kOpen, std::memory_order_relaxed) / kUser - 1; }
  // The helper's number from 0, or -1. Helpers leave only after the place is closed, so while it is
  // open the count of users is the count of those that have entered.
  int EnterAsHelper() {
    uint32_t now = word.load(std::memory_order_relaxed);
    while ((now & kOpen) != 0 && now / kUser <= groups.size()) {
      if (word.compare_exchange_weak(now, now + kUser, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
        return static_cast<int>(now / kUser) - 1;
      }
    }
    return -1;
  }
  void Leave() { word.fetch_sub(kUser, std::memory_order_release); }

  void Build(std::shared_ptr<const Strands> next, uint64_t next_version);
  void RunNode(uint32_t strand);

  alignas(kCacheLine) std::atomic<uint32_t> word{0};

  tbb::task_arena arena;
  std::vector<tbb::task_group> groups;    // one per helper: what it waits on in the arena
  std::vector<tbb::task_handle> handles;  // held while the decision runs: keeps the groups waiting
  std::unique_ptr<tbb::flow::graph> graph;
  std::vector<std::unique_ptr<tbb::flow::continue_node<tbb::flow::continue_msg>>> nodes;
  std::vector<uint32_t> first;  // nodes to start with
  std::shared_ptr<const Strands> strands;
  std::shared_ptr<const Plan> plan;
  uint64_t version = 0;

  // Of the decision in progress; written by the owner before any node starts.
  Core* core = nullptr;
  RequestState* state = nullptr;
  int64_t due = 0;
  std::atomic<int64_t> offered_at{0};
};

namespace {
// The crew whose thread this is, for nodes: they run wherever the arena puts them.
thread_local Crew* t_crew = nullptr;
}  // namespace

void Sharing::Place::Build(std::shared_ptr<const Strands> next, uint64_t next_version) {
  nodes.clear();
  first.clear();
  graph.reset();
  strands = std::move(next);
  version = next_version;
  const auto& list = strands->strands;
  arena.execute([&] { graph = std::make_unique<tbb::flow::graph>(); });
  for (uint32_t i = 0; i < list.size(); ++i) {
    nodes.push_back(std::make_unique<tbb::flow::continue_node<tbb::flow::continue_msg>>(
        *graph, [this, i](const tbb::flow::continue_msg&) { RunNode(i); }));
  }
  for (uint32_t i = 0; i < list.size(); ++i) {
    for (const uint32_t before : list[i].after) tbb::flow::make_edge(*nodes[before], *nodes[i]);
    if (list[i].after.empty()) first.push_back(i);
  }
}

void Sharing::Place::RunNode(uint32_t strand) {
  Crew& crew = *t_crew;
  const auto& agents = strands->strands[strand].agents;
  const int64_t now = core->clock().Now();
  StrandTime time{now, now};
  (void)core->executor().RunStrand(crew, *state, agents.data(),
                                   static_cast<uint32_t>(agents.size()), &time);
}

Sharing::Sharing(Core* core, int workers, int64_t spin_nanos)
    : core_(core), spin_nanos_(spin_nanos), helpers_(std::clamp(workers - 1, 1, 7)) {
  for (int i = 0; i < kPlaces; ++i) places_.push_back(std::make_unique<Place>(helpers_));
}

Sharing::~Sharing() = default;

bool Sharing::Wants(Crew& crew) {
  if (gains_.load(std::memory_order_relaxed) != crew.team->plan.get()) return false;
  if (!core_->HasIdleWorker()) {
    crew.close_arrivals = 0;
    return false;
  }
  return Hot() || FollowsClosely(crew) ||
         gain_.load(std::memory_order_relaxed) > arrival_.load(std::memory_order_relaxed);
}

// A helper that is on its way out of the decision before is as good as one that looks for work.
bool Sharing::Hot() const {
  return core_->HasHotHelper() || inside_.load(std::memory_order_relaxed) > 0;
}

// Waking a helper for one decision may cost more than it gains. When decisions follow each other so
// closely that the helper would still be awake for the next ones, and nobody else's come in
// between, it is woken all the same.
bool Sharing::FollowsClosely(Crew& crew) {
  constexpr int kInARow = 8;
  const int64_t idle =
      crew.this_arrival - crew.last_arrival - total_.load(std::memory_order_relaxed);
  crew.last_arrival = crew.this_arrival;
  crew.close_arrivals = idle > spin_nanos_ ? 0 : crew.close_arrivals + 1;
  if (crew.close_arrivals < kInARow) return false;
  crew.close_arrivals = 0;
  return true;
}

bool Sharing::Run(Crew& crew, RequestState& state) {
  Place* place = nullptr;
  for (const auto& each : places_) {
    if (each->word.load(std::memory_order_relaxed) == 0 && each->EnterAsOwner()) {
      place = each.get();
      break;
    }
  }
  if (place == nullptr) return false;
  if (place->version != version_.load(std::memory_order_acquire)) {
    Current current;
    uint64_t version = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      current = current_;
      version = version_.load(std::memory_order_relaxed);
    }
    if (current.plan != crew.team->plan || current.strands == nullptr) {
      place->Leave();
      return false;
    }
    place->Build(std::move(current.strands), version);
    place->plan = std::move(current.plan);
  } else if (place->plan != crew.team->plan) {
    place->Leave();
    return false;
  }
  place->core = core_;
  place->state = &state;
  place->due = state.deadline.nanos();
  Crew* const outer = t_crew;
  t_crew = &crew;
  for (size_t i = 0; i < place->groups.size(); ++i) {
    place->handles[i] = place->groups[i].defer([] {});
  }
  const bool hot = Hot();
  place->offered_at.store(hot ? 0 : core_->clock().Now(), std::memory_order_relaxed);
  place->Open();
  offers_.fetch_add(helpers_, std::memory_order_release);
  if (!hot) core_->NotifyWorkers();
  place->arena.execute([place] {
    // Isolated: while it waits, the owner takes only strands of its own decision.
    tbb::this_task_arena::isolate([place] {
      for (const uint32_t node : place->first) {
        place->nodes[node]->try_put(tbb::flow::continue_msg());
      }
      place->graph->wait_for_all();
    });
  });
  const uint32_t helped = place->Close();
  offers_.fetch_sub(helpers_ - static_cast<int>(helped), std::memory_order_relaxed);
  for (auto& handle : place->handles) handle = tbb::task_handle();
  t_crew = outer;
  place->Leave();
  shared_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Sharing::Help(Crew& crew) {
  inside_.fetch_add(1, std::memory_order_relaxed);
  const bool helped = TryHelp(crew);
  inside_.fetch_sub(1, std::memory_order_relaxed);
  return helped;
}

bool Sharing::TryHelp(Crew& crew) {
  for (const auto& place : places_) {
    const int number = place->EnterAsHelper();
    if (number < 0) continue;
    offers_.fetch_sub(1, std::memory_order_relaxed);
    if (place->plan == crew.team->plan) {
      if (const int64_t offered = place->offered_at.load(std::memory_order_relaxed); offered > 0) {
        const int64_t took = core_->clock().Now() - offered;
        const int64_t before = arrival_.load(std::memory_order_relaxed);
        arrival_.store(before + (took - before) / 8, std::memory_order_relaxed);
      }
      Crew* const outer = t_crew;
      t_crew = &crew;
      place->arena.execute([&] { place->groups[static_cast<size_t>(number)].wait(); });
      t_crew = outer;
      place->Leave();
      return true;
    }
    place->Leave();
  }
  return false;
}

void Sharing::Refresh(const std::shared_ptr<const Plan>& plan) {
  if (plan->order().size() > kMaxAgents || plan->has_bounded()) {
    gains_.store(nullptr, std::memory_order_relaxed);
    return;
  }
  std::vector<int64_t>& costs = costs_;
  costs.assign(plan->agents().size(), 0);
  for (const uint32_t agent : plan->order()) {
    const AgentRecord& record = *plan->agents()[agent].spec->record;
    if (record.cost.count() < 8) return;  // too early to tell
    costs[agent] = std::max<int64_t>(record.cost.Mean(), 20);
  }
  if (current_.plan == plan && current_.strands != nullptr) {
    int64_t drift = 0;
    for (const uint32_t agent : plan->order()) {
      drift += std::abs(costs[agent] - current_.strands->costs[agent]);
    }
    if (drift * 5 < current_.strands->total_nanos) return;
  }
  auto strands = std::make_shared<const Strands>(MakeStrands(*plan, costs, helpers_ + 1));
  const bool worth =
      strands->gain() >= kMinGain &&
      static_cast<double>(strands->gain()) >= kMinShare * static_cast<double>(strands->total_nanos);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    current_ = {plan, strands};
    version_.fetch_add(1, std::memory_order_release);
  }
  gain_.store(strands->gain(), std::memory_order_relaxed);
  total_.store(strands->total_nanos, std::memory_order_relaxed);
  gains_.store(worth ? plan.get() : nullptr, std::memory_order_relaxed);
}

}  // namespace adagents::internal
