#include "adagents/runtime/internal/core.h"

#include <pthread.h>

#include <algorithm>

#include "adagents/runtime/board.h"
#include "adagents/runtime/internal/events.h"
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

// Ids of one process never meet those of an earlier one: 24 bits of its start time, 40 of a count
// that all its runtimes share.
alignas(kCacheLine) std::atomic<uint64_t> g_next_id{1};

uint64_t ProcessEpoch(const Clock& clock, bool inline_mode) {
  if (inline_mode) return 0;  // decisions must replay
  static const uint64_t epoch =
      (static_cast<uint64_t>(absl::ToUnixSeconds(clock.WallNow())) & 0xffffff) << 40;
  return epoch;
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
      next_id_(options_.inline_scheduler ? own_next_id_ : g_next_id),
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
  // Later than now would be another clock's time, and no deadline at all.
  state.arrival = options.arrival_nanos != 0 ? std::min(options.arrival_nanos, now) : now;
  int64_t time = default_nanos_;
  if (options.tmax != absl::InfiniteDuration()) {
    time = std::min(time, absl::ToInt64Nanoseconds(options.tmax));
  }
  state.deadline = Deadline::After(state.arrival, time).Minus(reserve_nanos_);
  return state.deadline.Passed(now) ? Verdict::kNoTime : Verdict::kDecided;
}

// A trusted caller takes ids by the block, so that callers do not meet on a counter.
[[gnu::hot]] uint64_t Core::NextId(Crew& crew) {
  constexpr uint32_t kBlock = 64;
  if (crew.ids_left == 0) {
    crew.next_id = NextId(kBlock);
    crew.ids_left = kBlock;
  }
  --crew.ids_left;
  return crew.next_id++;
}

[[gnu::hot]] void Core::OpenState(RequestState& state, const CallOptions& options, Mode mode,
                                  uint64_t id) {
  state.mode = mode;
  state.lane = options.lane;
  state.explain = options.explain;
  state.has_must_run = has_must_run_.load(std::memory_order_relaxed);
  state.stop = options.stop;
  state.id = id;
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
  if (verdict == Verdict::kDecided) {
    OpenState(state, options, Mode::kTrusted, options.id != 0 ? options.id : NextId(crew));
  }
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

RequestState* Core::Open(const CallOptions& options, Verdict* refused) {
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
  return &state;
}

void Core::Submit(RequestState& state, const CallOptions& options, Mode mode) {
  state.users.store(2, std::memory_order_relaxed);
  state.latch.Reset();
  OpenState(state, options, mode, options.id != 0 ? options.id : NextId(1));
  // Not before request and callback are in place: from here on others may end it.
  state.generation = state.gate.Next();
  (void)state.gate.Open();
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

bool Core::Forked() const { return g_fork_epoch.load(std::memory_order_relaxed) != fork_epoch_; }

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
  node->published = clock().Now();
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

}  // namespace adagents::internal
