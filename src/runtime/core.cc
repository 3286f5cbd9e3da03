#include "adagents/runtime/internal/core.h"

#include <pthread.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "adagents/base/ids.h"
#include "adagents/runtime/board.h"
#include "adagents/runtime/internal/events.h"
#include "adagents/runtime/internal/plan_dot.h"
#include "adagents/runtime/internal/sharing.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {

std::atomic<uint64_t> g_fork_epoch{0};

void CountForks() {
  static const int registered = pthread_atfork(
      nullptr, nullptr, [] { g_fork_epoch.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
}

uint32_t Cores() { return std::max(1u, std::thread::hardware_concurrency()); }

RuntimeOptions Complete(RuntimeOptions options) {
  const int cores = static_cast<int>(Cores());
  if (options.inline_scheduler) {
    options.workers = options.spares = 0;
    options.callers = 1;
  }
  if (options.workers <= 0 && !options.inline_scheduler) options.workers = cores;
  if (options.callers <= 0) options.callers = 2 * cores;
  options.callers = std::min(options.callers, 128);
  options.workers = std::min(options.workers, 64);
  options.spares = std::clamp(options.spares, 0, 64);
  options.max_in_flight = std::clamp(options.max_in_flight, 1, 1 << 20);
  options.max_events = std::max(options.max_events, 2);
  if (cores == 1) options.keep_one_hot = false;  // nobody else would get to run
  return options;
}

// Ids of one process never meet those of an earlier one: 24 bits of its start time, 40 of count.
uint64_t ProcessEpoch(const Clock& clock, bool inline_mode) {
  if (inline_mode) return 0;  // decisions must replay
  return (static_cast<uint64_t>(absl::ToUnixSeconds(clock.WallNow())) & 0xffffff) << 40;
}

}  // namespace

Core::Core(CoreSetup setup)
    : options_(Complete(std::move(setup.options))),
      signature_(setup.signature),
      states_(std::move(setup.states)),
      callbacks_(std::move(setup.callbacks)),
      make_state_(std::move(setup.make_state)),
      default_nanos_(absl::ToInt64Nanoseconds(options_.deadline)),
      reserve_nanos_(absl::ToInt64Nanoseconds(options_.reserve)),
      spin_nanos_(Cores() > 1 ? absl::ToInt64Nanoseconds(options_.spin) : 0),
      cores_(static_cast<int>(Cores())),
      workers_(static_cast<uint32_t>(options_.workers)),
      threads_(static_cast<uint32_t>(options_.workers + options_.spares)),
      epoch_(ProcessEpoch(*options_.clock, options_.inline_scheduler.has_value())),
      fork_epoch_(g_fork_epoch.load(std::memory_order_relaxed)),
      health_(options_.breaker, options_.clock, options_.log),
      executor_(options_.clock, &health_, this, options_.inline_scheduler.has_value()),
      free_tickets_(static_cast<uint32_t>(options_.max_in_flight)),
      tidied_tickets_(static_cast<uint32_t>(options_.max_in_flight), false),
      answers_(static_cast<size_t>(options_.max_in_flight)) {
  for (uint32_t i = 0; i < threads_ + static_cast<uint32_t>(options_.callers); ++i) {
    crews_.push_back(std::make_unique<Crew>(i));
    if (i >= threads_) crews_.back()->own = make_state_();
  }
  for (uint32_t i = 0; i < static_cast<uint32_t>(options_.max_in_flight); ++i) {
    tickets_.push_back(make_state_());
    tickets_.back()->index = i;
  }
  for (int i = 0; i < kLanes; ++i) {
    lanes_.push_back(
        std::make_unique<MpmcRing<uint32_t>>(static_cast<size_t>(options_.max_in_flight)));
  }
  events_ = std::make_unique<Events>(this, static_cast<size_t>(options_.max_events));
  if (options_.share_work && workers_ > 1) {
    sharing_ = std::make_unique<Sharing>(this, static_cast<int>(workers_), spin_nanos_);
  }
  if (options_.trace_every > 0 && options_.trace_sink) {
    tracer_ = std::make_unique<Tracer>(options_.trace_every, options_.trace_sink, options_.clock);
  }
  permits_.store(static_cast<int>(workers_), std::memory_order_relaxed);
}

Core::~Core() = default;

absl::StatusOr<std::shared_ptr<Core>> Core::Create(CoreSetup setup) {
  CountForks();
  std::vector<AgentSpec::Factory> factories = std::move(setup.agents);
  std::shared_ptr<Core> core(new Core(std::move(setup)));
  std::vector<std::shared_ptr<AgentSpec>> specs;
  for (auto& factory : factories) {
    auto spec = AgentSpec::Make(std::move(factory));
    if (!spec.ok()) return spec.status();
    specs.push_back(*std::move(spec));
  }
  const std::lock_guard<std::mutex> lock(core->config_);
  if (absl::Status status = core->Install(std::move(specs)); !status.ok()) return status;
  return core;
}

// Under config_. Compiles, makes every crew's team, and only then shows any of it.
absl::Status Core::Install(std::vector<std::shared_ptr<AgentSpec>> specs) {
  auto compiled = Plan::Compile(specs, signature_, states_);
  if (!compiled.ok()) return compiled.status();
  const std::shared_ptr<Plan> plan = *std::move(compiled);
  plan->version = version_ + 1;
  std::vector<AgentRecord*> fresh;
  for (const auto& spec : specs) {
    if (absl::Status status = spec->MakePool(states_); !status.ok()) return status;
    if (spec->record != nullptr) continue;
    spec->record = RecordOf(spec->name());
    fresh.push_back(spec->record);
  }
  std::vector<std::unique_ptr<Team>> teams;
  for (const auto& crew : crews_) {
    auto team = MakeTeam(plan, crew->index);
    if (!team.ok()) return team.status();
    teams.push_back(*std::move(team));
  }
  for (AgentRecord* record : fresh) record->Clear();  // a new agent starts afresh
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

AgentRecord* Core::RecordOf(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& record : records_) {
    if (record->name == name) return record.get();
  }
  records_.push_back(std::make_unique<AgentRecord>(name, &vitals_.emplace_back()));
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
  for (const auto& record : records_) {
    if (record->name != agent) continue;
    record->switched_off.store(off, std::memory_order_relaxed);
    record->UpdateFlag();
    return absl::OkStatus();
  }
  return NotFound(fmt::format("no agent is named '{}'", agent));
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

[[gnu::hot]] void Core::BeginWatch(Crew& crew, int64_t due) {
  crew.due.store(due, std::memory_order_relaxed);
  crew.current.store(nullptr, std::memory_order_relaxed);
  crew.watch.Begin();
}

[[gnu::hot]] bool Core::EndWatch(Crew& crew) {
  if (!crew.watch.End()) [[likely]]
    return false;
  if (crew.overdue != nullptr) health_.Unstuck(*crew.overdue);
  if (crew.index < threads_) {
    stuck_workers_.fetch_sub(1, std::memory_order_relaxed);
    crew.holds_permit = false;
  } else {
    stuck_callers_.fetch_sub(1, std::memory_order_relaxed);
  }
  return true;
}

[[gnu::hot]] Verdict Core::Admit(const CallOptions& options, RequestState& state) {
  if (closed_.load(std::memory_order_acquire) || Forked()) return Verdict::kShutDown;
  const int64_t now = clock().Now();
  state.admitted = now;
  state.arrival = options.arrival_nanos != 0 ? options.arrival_nanos : now;
  int64_t time = default_nanos_;
  if (options.tmax != absl::InfiniteDuration()) {
    time = std::min(time, absl::ToInt64Nanoseconds(options.tmax));
  }
  state.deadline = Deadline::After(state.arrival, time).Minus(reserve_nanos_);
  return state.deadline.Passed(now) ? Verdict::kNoTime : Verdict::kDecided;
}

[[gnu::hot]] void Core::OpenState(RequestState& state, const CallOptions& options, Mode mode) {
  state.mode = mode;
  state.lane = options.lane;
  state.explain = options.explain;
  state.has_must_run = has_must_run_.load(std::memory_order_relaxed);
  state.stop = options.stop;
  state.id =
      options.id != 0 ? options.id : epoch_ + next_id_.fetch_add(1, std::memory_order_relaxed);
  state.deadline_nanos.store(
      mode == Mode::kAsync ? state.deadline.nanos() : Deadline::Infinite().nanos(),
      std::memory_order_release);
  if (tracer_ != nullptr && (state.recording = tracer_->Sample()) != nullptr) {
    Tracer::Open(*state.recording, state);
  }
  state.timed = state.explain || state.recording != nullptr;
}

[[gnu::hot]] const Ending& Core::EndingOf(const RequestState& state) {
  const int which = Which(state);
  if (which == RequestState::kOtherwise) CountRefusal(state.endings[which].verdict);
  return state.endings[which];
}

void Core::CountRefusal(Verdict verdict) {
  other_verdicts_[static_cast<size_t>(verdict)].fetch_add(1, std::memory_order_relaxed);
}

// Concurrent callers of an inline scheduler take turns.
Crew* Core::TakeInlineCrew() {
  Crew& crew = *crews_[0];
  const uint32_t mine = StdAtomics::ThreadIndex() + 2;  // 1: held for a change of plan
  for (uint32_t holder = 0; !crew.busy.compare_exchange_strong(
           holder, mine, std::memory_order_acquire, std::memory_order_relaxed);
       holder = 0) {
    if (holder == mine) return nullptr;
    std::this_thread::yield();
  }
  return &crew;
}

[[gnu::hot]] Crew* Core::TakeCrew() {
  if (inline_mode()) return TakeInlineCrew();
  if (has_bounded_.load(std::memory_order_relaxed)) return nullptr;
  const auto callers = static_cast<uint32_t>(crews_.size()) - threads_;
  const uint32_t first = StdAtomics::ThreadIndex() % callers;
  for (uint32_t i = 0; i < callers; ++i) {
    Crew& crew = *crews_[threads_ + (first + i) % callers];
    // Acquire: the crew as its last holder left it.
    if (crew.busy.load(std::memory_order_relaxed) == 0 &&
        crew.busy.exchange(1, std::memory_order_acquire) == 0) {
      return &crew;
    }
  }
  return nullptr;
}

[[gnu::hot]] Verdict Core::OpenTrusted(Crew& crew, const CallOptions& options) {
  RequestState& state = *crew.own;
  const Verdict verdict = Admit(options, state);
  if (verdict == Verdict::kDecided) OpenState(state, options, Mode::kTrusted);
  return verdict;
}

[[gnu::hot]] void Core::RunTrusted(Crew& crew) {
  crew.own->generation = crew.own->gate.Open();
  Adopt(crew);
  RunOn(crew, *crew.own);
}

[[gnu::hot]] void Core::ReturnCrew(Crew& crew, RequestState& state) {
  if (crew.own.get() == &state) [[likely]] {
    Recycle(state);
  } else {
    Leave(state);
  }
  crew.busy.store(0, std::memory_order_release);
  if (inline_mode()) DrainTraces();
}

uint32_t Core::TakeTicket() {
  uint32_t index = free_tickets_.Pop();
  if (index != IndexStack<>::kNone) [[likely]]
    return index;
  // Tidy() may have them, or have just put them back.
  index = tidied_tickets_.Pop();
  return index != IndexStack<>::kNone ? index : free_tickets_.Pop();
}

RequestState* Core::Open(const CallOptions& options, Mode mode, Verdict* refused) {
  const uint32_t index = TakeTicket();
  if (index == IndexStack<>::kNone) {
    *refused = closed_.load(std::memory_order_acquire) ? Verdict::kShutDown : Verdict::kOverloaded;
    return nullptr;
  }
  RequestState& state = *tickets_[index];
  *refused = Admit(options, state);
  if (*refused != Verdict::kDecided) {
    free_tickets_.Push(index);
    return nullptr;
  }
  uint32_t high = high_water_.load(std::memory_order_relaxed);
  while (index >= high &&
         !high_water_.compare_exchange_weak(high, index + 1, std::memory_order_seq_cst)) {
  }
  state.users.store(2, std::memory_order_relaxed);
  state.latch.Reset();
  OpenState(state, options, mode);
  return &state;
}

void Core::Submit(RequestState& state) {
  // Not before request and callback are in place: from here on others may end it.
  state.generation = state.gate.Open();
  // Sequentially consistent, as is the opening: either this sees that the workers are ending, or
  // Shutdown() sees the open decision.
  if (stop_.load(std::memory_order_seq_cst)) [[unlikely]] {
    (void)AnswerNow(state, state.generation);
    Leave(state);
    return;
  }
  if (state.stop.stop_possible()) {
    state.on_stop.emplace(state.stop, StopCutter{this, &state, state.generation});
  }
  const bool wake_timer = state.mode == Mode::kAsync && SleepsBeyond(state.deadline.nanos());
  Push(state);
  if (wake_timer) RingTimer();
}

bool Core::SleepsBeyond(int64_t due) const {
  return due < next_wake_.load(std::memory_order_seq_cst);
}

void Core::RingTimer() {
  timer_bell_.fetch_add(1, std::memory_order_release);
  FutexAtomics::Wake(timer_bell_, 1);
}

namespace {

// Calls a function once: when it is told to or, should the host's executor drop it, at its end.
// A callback's exception has nowhere to go.
class Once {
 public:
  explicit Once(absl::AnyInvocable<void()> function) : function_(std::move(function)) {}
  Once(Once&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  ~Once() { Call(); }
  void Call() {
    if (function_ == nullptr) return;
    absl::AnyInvocable<void()> function = std::exchange(function_, nullptr);
    try {
      function();
    } catch (...) {
    }
  }

 private:
  absl::AnyInvocable<void()> function_;
};

}  // namespace

bool Core::Forked() const { return g_fork_epoch.load(std::memory_order_relaxed) != fork_epoch_; }

void Core::Later(absl::AnyInvocable<void()> function) {
  if (Forked()) {
    Once(std::move(function)).Call();  // no other thread here, and a mutex may be held for ever
    return;
  }
  {
    std::unique_lock<std::mutex> lock(later_mutex_);
    if (answers_closed_.load(std::memory_order_relaxed) != 0) {
      lock.unlock();
      Once(std::move(function)).Call();
      return;
    }
    later_.push_back(std::move(function));
  }
  later_count_.fetch_add(1, std::memory_order_release);
  answer_parker_.Notify();
}

bool Core::RunLater() {
  if (later_count_.load(std::memory_order_acquire) == 0) return false;
  absl::AnyInvocable<void()> function;
  {
    const std::lock_guard<std::mutex> lock(later_mutex_);
    if (later_.empty()) return false;
    function = std::move(later_.front());
    later_.pop_front();
  }
  later_count_.fetch_sub(1, std::memory_order_relaxed);
  Once once(std::move(function));
  if (callbacks_) {
    try {
      callbacks_([once = std::move(once)]() mutable { once.Call(); });
    } catch (...) {  // the host's code
    }
  }
  return true;
}

void Core::Push(RequestState& state) {
  // A lane holds as many tickets as there are.
  lanes_[static_cast<size_t>(state.lane)]->Push(state.index);
  if (Saturated()) [[unlikely]] {
    DrainSaturated();
  } else if (!inline_mode()) {
    NotifyWorkers();
  }
}

void Core::Resume(RequestState& state) { Push(state); }

// Looking for the answer on the core that it is to come from would only delay it; and for a
// decision that takes longer than it takes to wake up, the core is worth more than the time.
AnswerLatch<>::State Core::LookForAnswer(RequestState& state) {
  constexpr int64_t kWorthLooking = 100'000;
  constexpr int kLooks = 32;  // between two readings of the clock
  using Latch = AnswerLatch<>::State;
  const int64_t expected = expected_nanos_.load(std::memory_order_relaxed);
  if (spin_nanos_ == 0 || expected > kWorthLooking) return Latch::kPending;
  const int others = looking_callers_.fetch_add(1, std::memory_order_relaxed);
  Latch latch = Latch::kPending;
  if (Active(state.arrival) + others < cores_) {
    const int64_t until =
        std::min(clock().Now() + 2 * expected + kWorthLooking / 4, state.deadline.nanos());
    do {
      for (int i = 0; i < kLooks && latch == Latch::kPending; ++i) {
        StdAtomics::Pause();
        latch = state.latch.Look();
      }
    } while (latch == Latch::kPending && clock().Now() < until);
  }
  looking_callers_.fetch_sub(1, std::memory_order_relaxed);
  return latch;
}

void Core::Await(RequestState& state) {
  using Latch = AnswerLatch<>::State;
  Latch latch = LookForAnswer(state);
  bool settled = false;  // by another, who answers without fail
  for (; latch != Latch::kAnswered; latch = state.latch.Look()) {
    const bool handed_back = latch == Latch::kHandedBack;
    if (handed_back || (!settled && state.deadline.Passed(clock().Now()))) {
      if (handed_back || Executor::Cut(state, state.generation, End::kExpired)) {
        executor_.FinishOtherwise(state);
        return;
      }
      settled = true;
    }
    state.latch.Sleep(settled ? Deadline::Infinite() : state.deadline);
  }
}

void Core::LeaveAnswered(RequestState& state) {
  if (state.recording != nullptr && state.mode == Mode::kStrict) [[unlikely]] {
    state.recording->Add(Timeline::Kind::kCaller, state.admitted);
  }
  // A decision that was cut while it waited for a bounded agent's replica: the replica may never
  // come back, so the requester leaves for the executing side, too.
  const BoardMemory* board = state.running.load(std::memory_order_acquire);
  if (board != nullptr && board->plan().has_bounded() && Which(state) == RequestState::kOtherwise) {
    for (const uint32_t agent : board->plan().order()) {
      ReplicaPool* pool = board->plan().agents()[agent].spec->pool();
      if (pool != nullptr && pool->Forget(&state)) Leave(state);
    }
  }
  Leave(state);
}

void Core::Leave(RequestState& state) {
  // Acq_rel: the last one to leave sees all that the other did with the state.
  if (state.users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Recycle(state);
  if (state.mode == Mode::kTrusted) {
    delete &state;  // left behind
  } else {
    free_tickets_.Push(state.index);
  }
}

void Core::LeaveBehind(Crew& crew) {
  (void)crew.own.release();  // its two users' from now on
  crew.own = make_state_();
}

// Whoever comes here is the last: nobody writes to the recording any more.
void Core::FinishRecording(RequestState& state) {
  Recording& recording = *std::exchange(state.recording, nullptr);
  if (!tracer_->Finish(recording, state.endings[Which(state)])) return;
  trace_bell_.fetch_add(1, std::memory_order_relaxed);
  FutexAtomics::Wake(trace_bell_, 1);
}

[[gnu::hot]] void Core::Recycle(RequestState& state) {
  if (state.recording != nullptr) [[unlikely]]
    FinishRecording(state);
  if (state.stop.stop_possible()) {
    state.on_stop.reset();  // waits for a callback that is running: it knows this generation
    state.stop = {};
  }
  state.Recycle();
  if (state.board != nullptr && state.running.load(std::memory_order_relaxed) != nullptr) {
    state.board->Clear();
  }
  state.running.store(nullptr, std::memory_order_relaxed);
  (void)TakeStaleBoard(state);
  state.unclean.store(false, std::memory_order_relaxed);
  state.missing.store(false, std::memory_order_relaxed);
  state.next_hold.store(0, std::memory_order_relaxed);
  state.cut_holds = 0;
  state.finished.store(false, std::memory_order_relaxed);
  state.saturated = false;
  if (state.explain) {
    state.endings[0].trace.reset();
    state.endings[1].trace.reset();
    state.notes.reset();
  }
}

// Runs the agents of an open decision on this thread, and settles it when they come to the end.
[[gnu::hot]] void Core::RunOn(Crew& crew, RequestState& state) {
  BeginWatch(crew, state.deadline.nanos());
  if (state.recording != nullptr) [[unlikely]]
    state.recording->BeginRun();
  RunEnd end = RunEnd::kCut;
  if (state.running.load(std::memory_order_relaxed) == nullptr) {
    bool shares = sharing_ != nullptr && sharing_->Wants(crew, state);
    const int64_t began = shares ? clock().Now() : 0;
    // A helper that hangs keeps the request for longer than a trusted caller may have to stay.
    shares = shares && (state.mode != Mode::kTrusted || state.KeepRequest());
    executor_.Begin(crew, state);
    const Shared shared = shares ? sharing_->Run(crew, state, began) : Shared::kNot;
    if (shared == Shared::kLeft) {  // the helper that is still in it leaves in this thread's place
      EndWatch(crew);
      return;
    }
    if (shared == Shared::kRan) {
      EndRun(crew, state,
             state.gate.Read(state.generation) == End::kOpen ? RunEnd::kRan : RunEnd::kCut);
      return;
    }
    // A trusted decision was opened just now; others have waited.
    const int64_t now = state.mode == Mode::kTrusted ? state.admitted : clock().Now();
    StrandTime time{now, now};
    end = executor_.RunSteps(crew, state, 0, static_cast<uint32_t>(crew.team->steps.size()), &time);
  } else if (&state.board->plan() == crew.team->plan.get()) {
    const int64_t now = clock().Now();
    StrandTime time{now, now};
    end = executor_.RunSteps(crew, state, state.resume_at,
                             static_cast<uint32_t>(crew.team->steps.size()), &time);
  } else if (Executor::Cut(state, state.generation, End::kExpired)) {
    OnCut(state);  // the plan was changed while it waited: decided from what there is
  }
  EndRun(crew, state, end);
}

[[gnu::hot]] void Core::EndRun(Crew& crew, RequestState& state, RunEnd end) {
  if (end == RunEnd::kQueued) {
    queued_decisions_.fetch_add(1, std::memory_order_relaxed);
    EndWatch(crew);
    return;
  }
  const bool settled = end == RunEnd::kRan && executor_.Complete(crew, state);
  if (state.recording != nullptr) [[unlikely]]
    state.recording->EndRun();
  if (settled && state.mode == Mode::kAsync && callbacks_ && !inline_mode()) {
    DeliverNow(state);  // watched: the executor is the host's code
    EndWatch(crew);
    Leave(state);
    return;
  }
  EndWatch(crew);
  if (state.mode == Mode::kTrusted) return;
  if (settled) {
    if (state.mode == Mode::kAsync) ++crew.unannounced;
    Answered(state);
  }
  Leave(state);
}

void Core::OnCut(RequestState& state) {
  if (state.mode != Mode::kAsync) executor_.FinishOtherwise(state);
  Answered(state);
  if (state.mode == Mode::kAsync) answer_parker_.Notify();
}

void Core::Answered(RequestState& state) {
  if (state.mode == Mode::kStrict) {
    state.latch.Answer();
  } else if (state.mode == Mode::kAsync) {
    PushAnswer(state);
  }
}

void Core::PushAnswer(RequestState& state) {
  answers_.Push(state.index);  // as many places as tickets
  // A thread that was stuck when the answer thread ended delivers what it brings itself. A
  // read-modify-write on both sides: either this one sees the end, or CloseAnswers() the answer.
  if (no_more_work_.load(std::memory_order_acquire) &&
      answers_closed_.fetch_or(0, std::memory_order_acq_rel) != 0) {
    (void)CloseAnswers();
  }
}

void Core::DeliverNow(RequestState& state) {
  if (Which(state) == RequestState::kOtherwise && !state.finished.load(std::memory_order_acquire)) {
    executor_.FinishOtherwise(state);
  }
  (void)EndingOf(state);
  // Delivers when told to or, should the host's executor drop it, at its end.
  struct Delivery {
    Delivery(Core* c, RequestState* s) : core(c), state(s) {}
    Delivery(Delivery&& other) noexcept
        : core(other.core), state(std::exchange(other.state, nullptr)) {}
    ~Delivery() { Now(); }
    void Now() {
      if (state == nullptr) return;
      RequestState& mine = *std::exchange(state, nullptr);
      Recording* const recording = mine.recording;
      const int64_t began = recording != nullptr ? recording->Now() : 0;
      mine.Deliver(Which(mine));
      if (recording != nullptr) recording->Add(Timeline::Kind::kCallback, began);
      core->LeaveAnswered(mine);
    }
    Core* core;
    RequestState* state;
  };
  Delivery delivery(this, &state);
  if (!callbacks_) return;
  try {
    callbacks_([delivery = std::move(delivery)]() mutable { delivery.Now(); });
  } catch (...) {  // the host's code
  }
}

int Core::RunPending() {
  if (!inline_mode()) return 0;
  int count = 0;
  for (;;) {
    Crew* crew = TakeCrew();
    if (crew == nullptr) return count;  // called by an agent: whoever runs that agent goes on
    Adopt(*crew);
    int ran = 0;
    if (RequestState* state = PopTicket(*crew)) {
      RunOn(*crew, *state);
      ran = 1;
    } else {
      ran = events_->RunSome(*crew);
    }
    AbandonCrew(*crew);
    // Without the crew: callbacks may decide.
    uint32_t index = 0;
    while (answers_.TryPop(&index)) DeliverNow(*tickets_[index]);
    if (ran == 0) ran = RunLater() ? 1 : 0;
    DrainTraces();
    if (ran == 0) return count;
    count += ran;
  }
}

absl::Status Core::Publish(std::unique_ptr<EventNode> node, uint64_t order_by) {
  if (closed_.load(std::memory_order_acquire) || Forked()) {
    return FailedPrecondition("the runtime is shut down, or this is a forked child");
  }
  const std::type_index type = node->type;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (plan_->Listeners(type) == nullptr) {
      return NotFound(fmt::format("no agent listens to events of type {}", type.name()));
    }
  }
  bool wake = false;
  if (absl::Status status = events_->Push(std::move(node), order_by, &wake); !status.ok()) {
    return status;
  }
  if (inline_mode()) {
    RunPending();
  } else if (wake) {
    NotifyWorkers();
  }
  return absl::OkStatus();
}

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
    for (size_t o = 0; o < agent.outcomes.size(); ++o) {
      agent.outcomes[o] = record.outcomes[o].load(std::memory_order_relaxed);
    }
    agent.outcomes[static_cast<size_t>(Outcome::kRan)] += clean[&record];
    agent.timed = record.cost.count();
    agent.mean_nanos = record.cost.Mean();
    agent.p99_nanos = record.cost.Quantile(0.99);
    agent.switched_off = record.switched_off.load(std::memory_order_relaxed);
    agent.quarantined = health_.quarantined(record);
    agent.quarantines = record.quarantines.load(std::memory_order_relaxed);
    agent.stuck = record.stuck.load(std::memory_order_relaxed);
    stats.agents.push_back(std::move(agent));
  }
  return stats;
}

}  // namespace adagents::internal
