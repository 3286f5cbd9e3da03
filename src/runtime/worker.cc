// The core's threads: workers, timer, answers; and how they end.
#include <pthread.h>

#include <algorithm>
#include <limits>

#include "adagents/runtime/internal/core.h"
#include "adagents/runtime/internal/events.h"
#include "adagents/runtime/internal/sharing.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {

// The timer looks at least this often at what it need not be told of: stuck threads, and answers
// whose announcement was put off.
constexpr int64_t kTick = 20'000'000;
// Between looks at whether an old plan can be let go that something stuck still holds.
constexpr int64_t kMaxTidyWait = 1'000'000'000;
// Answers put off so that one wake-up of the answer thread serves several, while work waits.
constexpr int kMaxUnannounced = 16;
// Turns of the lanes: of 21, normal gets 4 and background 1, spread out.
constexpr uint32_t kTurns = 21;
// The most that one decision gives to events that are late, and that one of them takes: a call that
// hung, or a process that was stopped, is soon forgotten.
constexpr int64_t kMostOwed = 100'000'000;

Lane LaneOfTurn(uint32_t turn) {
  if (turn % kTurns == 10) return Lane::kBackground;
  return turn % 5 == 2 ? Lane::kNormal : Lane::kPremium;
}

// The system takes 15 characters, or no name at all.
void NameThread(std::string_view kind) {
  pthread_setname_np(pthread_self(), fmt::format("adagents-{:.6}", kind).c_str());
}

}  // namespace

absl::Status Core::Start(std::shared_ptr<Core> self) {
  if (inline_mode()) return absl::OkStatus();
  try {
    for (uint32_t i = 0; i < threads_; ++i) {
      thread_slots_.push_back(std::make_unique<ThreadSlot>());
      ThreadSlot& slot = *thread_slots_.back();
      slot.thread = std::thread([self, i, &slot] {
        NameThread(fmt::format("w{}", i));
        self->WorkerMain(*self->crews_[i]);
        self->Exited(slot);
      });
    }
    timer_slot_.thread = std::thread([self] {
      NameThread("timer");
      self->TimerMain();
      self->Exited(self->timer_slot_);
    });
    answer_slot_.thread = std::thread([self] {
      NameThread("answer");
      self->AnswerMain();
      self->Exited(self->answer_slot_);
    });
    if (tracer_ != nullptr) {
      trace_slot_.thread = std::thread([self] {
        NameThread("trace");
        self->TraceMain();
        self->Exited(self->trace_slot_);
      });
    }
  } catch (const std::system_error& error) {
    (void)Shutdown(absl::ZeroDuration());
    return ResourceExhausted(fmt::format("cannot start a thread: {}", error.what()));
  }
  return absl::OkStatus();
}

void Core::Exited(ThreadSlot& slot) {
  slot.exited.store(1, std::memory_order_release);
  FutexAtomics::Wake(slot.exited, 1);
}

bool Core::TakePermit() {
  int permits = permits_.load(std::memory_order_relaxed);
  while (permits > 0) {
    if (permits_.compare_exchange_weak(permits, permits - 1, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool Core::Saturated() const {
  return threads_ > 0 &&
         stuck_workers_.load(std::memory_order_relaxed) >= static_cast<int>(threads_);
}

// Every worker is stuck: whoever pushes work, and the watchdog that finds the last one stuck,
// answers what waits from the fallback. A ticket is popped by one of them, so answered once.
void Core::DrainSaturated() {
  uint32_t index = 0;
  for (const auto& lane : lanes_) {
    while (lane->TryPop(&index)) {
      RequestState& state = *tickets_[index];
      if (state.mode == Mode::kAsync) {
        // The fallback is the host's code: it runs on the answer thread, not on the timer's.
        if (Executor::Cut(state, state.generation, End::kExpired)) {
          state.saturated = true;
          PushAnswer(state);
          answer_parker_.Notify();
        }
      } else if (Executor::Cut(state, state.generation, End::kExpired)) {
        // The strict caller is awake or wakes now, and finishes on its own thread.
        state.saturated = true;
        state.latch.HandBack();
      }
      Leave(state);
    }
  }
}

bool Core::Offers(const Crew& crew) const {
  return sharing_ != nullptr && sharing_->Offers(crew.team->plan.get());
}

bool Core::HasTickets() const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->SizeGuess() > 0; });
}

bool Core::HasWork() const { return HasTickets() || events_->HasWork(); }

// Decisions that run or wait to, on workers and trusted callers. A caller that decided a moment ago
// will do so again before a helper has arrived.
int Core::Active(int64_t now) const {
  int active = 0;
  for (const auto& crew : crews_) {
    active += crew->watch.Running() != 0 ||
              (crew->index >= threads_ &&
               now - crew->last_start.load(std::memory_order_relaxed) < spin_nanos_);
  }
  for (const auto& lane : lanes_) active += static_cast<int>(lane->SizeGuess());
  return sharing_ != nullptr ? active - sharing_->helping() : active;
}

bool Core::HasIdleWorker(int64_t now, int others) const {
  const int active = Active(now);
  return active < static_cast<int>(workers_) &&
         active + std::max(others, looking_callers_.load(std::memory_order_relaxed)) < cores_;
}

RequestState* Core::PopTicket(Crew& crew) {
  uint32_t index = 0;
  const Lane first = LaneOfTurn(crew.turn);
  if (lanes_[static_cast<size_t>(first)]->TryPop(&index)) {
    ++crew.turn;
    return tickets_[index].get();
  }
  for (const auto& lane : lanes_) {
    if (lane->TryPop(&index)) {
      ++crew.turn;
      return tickets_[index].get();
    }
  }
  return nullptr;
}

bool Core::RunOne(Crew& crew) {
  // Requests come first. Requests without end cannot starve events: those have a turn of their own,
  // of one event while a request waits (see Events::RunSome()), and once they are late as much time
  // as the worker's decisions since, so that a backlog stays only where it is too slow for both.
  if (crew.turn % kTurns == 5) {
    ++crew.turn;
    if (events_->RunSome(crew) > 0) return true;
  } else if (crew.owed > 0) {
    const bool wanted = HasTickets();  // else no decision waits for what runs now
    const int64_t begun = clock().Now();
    const bool ran = events_->RunSome(crew) > 0;
    const int64_t took = std::min(clock().Now() - begun, kMostOwed);
    crew.owed = ran && wanted && events_->late() ? crew.owed - took : 0;
    if (ran) return true;
  }
  if (RequestState* state = PopTicket(crew)) {
    WakeNext();
    const bool late = events_->late();
    const int64_t begun = late ? clock().Now() : 0;
    RunTicket(crew, *state);
    crew.owed = late ? crew.owed + std::min(clock().Now() - begun, kMostOwed) : 0;
    return true;
  }
  crew.owed = 0;
  return events_->RunSome(crew) > 0;
}

void Core::RunTicket(Crew& crew, RequestState& state) {
  if (state.gate.Read(state.generation) != End::kOpen) {
    Leave(state);  // expired or cancelled while it waited
    return;
  }
  RunOn(crew, state);
  if (crew.unannounced > 0) FlushAnswers(crew, crew.unannounced >= kMaxUnannounced || !HasWork());
}

void Core::FlushAnswers(Crew& crew, bool now) {
  if (!now) return;
  crew.unannounced = 0;
  answer_parker_.Notify();
}

void Core::WorkerMain(Crew& crew) {
  while (!stop_.load(std::memory_order_acquire)) {
    Adopt(crew);
    if (!crew.holds_permit) {
      crew.holds_permit = TakePermit();
      if (!crew.holds_permit) {
        if (has_retired_.load(std::memory_order_relaxed)) FreeRetired();
        const uint32_t ticket = spare_parker_.Announce();
        if (permits_.load(std::memory_order_acquire) > 0 || stop_.load(std::memory_order_acquire) ||
            crew.pending.load(std::memory_order_relaxed) != nullptr) {
          spare_parker_.Cancel();
        } else {
          spare_parker_.Park(ticket);
        }
        continue;
      }
    }
    // What waits in a lane comes first, but a hot helper is not to look through all lanes first.
    if (Offers(crew) && !HasWork()) {
      if (crew.unannounced > 0) FlushAnswers(crew, true);
      if (sharing_->Help(crew)) continue;
    }
    if (!RunOne(crew)) Idle(crew);
  }
}

// Looks for work a little longer, one worker at a time, then sleeps.
void Core::Idle(Crew& crew) {
  if (crew.unannounced > 0) FlushAnswers(crew, true);
  TidyWhenIdle();
  if ((spin_nanos_ > 0 || options_.keep_one_hot) && worker_bell_.BeginLooking()) {
    // One that stays hot comes by here again, for what else is to be done now and then.
    int64_t patience = options_.keep_one_hot ? kTick : spin_nanos_;
    if (std::exchange(crew.helped, false)) patience += sharing_->Patience();
    const int64_t until = clock().Now() + patience;
    bool found = false;
    do {
      for (int i = 0; i < 16 && !found; ++i) {
        StdAtomics::Pause();
        found = HasWork() || Offers(crew);
      }
    } while (!found && clock().Now() < until && !stop_.load(std::memory_order_relaxed) &&
             crew.pending.load(std::memory_order_relaxed) == nullptr);
    worker_bell_.EndLooking();
    if (found || options_.keep_one_hot) return;
  }
  Parker<FutexAtomics>& parker = worker_bell_.parker();
  const uint32_t ticket = parker.Announce();
  if (HasWork() || Offers(crew) || stop_.load(std::memory_order_acquire) ||
      crew.pending.load(std::memory_order_relaxed) != nullptr) {
    parker.Cancel();
    return;
  }
  parker.Park(ticket);
}

void Core::AnswerMain() {
  uint32_t index = 0;
  for (;;) {
    if (answers_.TryPop(&index)) {
      DeliverNow(*tickets_[index]);
      continue;
    }
    if (RunLater()) continue;
    const uint32_t ticket = answer_parker_.Announce();
    if (answers_.SizeGuess() > 0 || later_count_.load(std::memory_order_acquire) > 0) {
      answer_parker_.Cancel();
    } else if (no_more_work_.load(std::memory_order_acquire)) {
      answer_parker_.Cancel();
      if (CloseAnswers()) return;
    } else {
      answer_parker_.Park(ticket);
    }
  }
}

// From here on whoever has an answer delivers it. False when there is more for the answer thread.
bool Core::CloseAnswers() {
  {
    const std::lock_guard<std::mutex> lock(later_mutex_);
    if (!later_.empty()) return false;
    answers_closed_.exchange(true, std::memory_order_acq_rel);
  }
  uint32_t index = 0;
  while (answers_.TryPop(&index)) DeliverNow(*tickets_[index]);
  return true;
}

// Nobody wakes it for a single record: a decision's thread has better to do.
void Core::TraceMain() {
  while (!no_more_traces_.load(std::memory_order_acquire)) {
    const uint32_t bell = trace_bell_.load(std::memory_order_relaxed);
    tracer_->Drain();
    FutexAtomics::Wait(trace_bell_, bell, Deadline::In(clock(), absl::Nanoseconds(kTick)));
  }
  tracer_->Drain();
}

void Core::DrainTraces() {
  if (tracer_ != nullptr) tracer_->Drain();
}

int64_t Core::SweepTickets(int64_t now) {
  int64_t next = now + kTick;
  // Sequentially consistent, as the raising of it: part of the handshake of gate and next_wake_.
  const uint32_t used = high_water_.load(std::memory_order_seq_cst);
  for (uint32_t i = 0; i < used; ++i) {
    RequestState& state = *tickets_[i];
    const int64_t generation = state.gate.OpenGeneration();
    if (generation < 0) continue;
    const int64_t due = state.deadline_nanos.load(std::memory_order_acquire);
    // Should the ticket have been reused in between, the generation no longer fits and Cut fails.
    if (due > now) {
      next = std::min(next, due);
    } else if (Executor::Cut(state, static_cast<uint32_t>(generation), End::kExpired)) {
      PushAnswer(state);
      answer_parker_.Notify();
    }
  }
  return next;
}

int64_t Core::SweepCrews(int64_t now) {
  int64_t next = now + kTick;
  int stuck = 0;
  for (const auto& crew : crews_) {
    const uint64_t run = crew->watch.Running();
    if (run == 0) continue;
    const int64_t due = crew->due.load(std::memory_order_relaxed);
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    // Null while it is in no agent: it waits for another thread's strand, or runs a fallback.
    AgentRecord* record = crew->current.load(std::memory_order_relaxed);
    const bool helps = crew->helps.load(std::memory_order_relaxed);
    const uint32_t draining = events_->Draining(*crew);
    crew->overdue = record;
    if (!crew->watch.MarkOverdue(run)) continue;
    if (helps) sharing_->LoseHelper();
    if (record != nullptr) health_.Late(*record, true);
    const std::string_view agent = record != nullptr ? std::string_view(record->name) : "";
    if (crew->index < threads_) {
      health_.Log(LogEntry::Level::kError, agent,
                  "a worker is stuck beyond the decision's deadline");
      events_->TakeOver(draining);
      ++stuck;
    } else {
      health_.Log(LogEntry::Level::kError, agent, "a trusted caller is stuck beyond its deadline");
      stuck_callers_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (stuck == 0) return next;
  // Spares only now: the breaker knows of all that is stuck, before they run into the same.
  permits_.fetch_add(stuck, std::memory_order_acq_rel);
  stuck_workers_.fetch_add(stuck, std::memory_order_acq_rel);
  spare_parker_.Notify(stuck);
  if (Saturated()) DrainSaturated();
  return next;
}

void Core::RefreshPredictions() {
  std::shared_ptr<const Plan> plan;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    plan = plan_;
  }
  int64_t expected = 0;
  for (const uint32_t agent : plan->order()) {
    expected +=
        plan->agents()[agent].spec->record->vitals.mean_nanos.load(std::memory_order_relaxed);
  }
  expected_nanos_.store(expected, std::memory_order_relaxed);
  if (sharing_ != nullptr) sharing_->Refresh(plan);
}

void Core::TimerMain() {
  int64_t tidy_at = 0, tidy_wait = kTick;
  while (!stop_.load(std::memory_order_acquire)) {
    const uint32_t bell = timer_bell_.load(std::memory_order_acquire);
    const int64_t now = clock().Now();
    // Before the sweep: a ticket that opens after the sweep has passed it sees this and rings.
    next_wake_.store(now + kTick, std::memory_order_seq_cst);
    const int64_t next = std::min(SweepTickets(now), SweepCrews(now));
    if (sharing_ != nullptr) sharing_->LetGo(now);
    if (Saturated()) DrainSaturated();
    if (answers_.SizeGuess() > 0) answer_parker_.Notify();
    // What was in use at the last change of plan, and what callers retired since: for idle workers.
    if (!untidy_.load(std::memory_order_relaxed) && !has_retired_.load(std::memory_order_relaxed) &&
        (sharing_ == nullptr || !sharing_->untidy())) {
      tidy_wait = kTick;
    } else if (now >= tidy_at) {
      worker_bell_.parker().Notify(1);
      tidy_at = now + tidy_wait;
      tidy_wait = std::min(2 * tidy_wait, kMaxTidyWait);
    }
    RefreshPredictions();
    FutexAtomics::Wait(timer_bell_, bell, Deadline::At(next));
  }
}

// Settles a decision that no worker will finish, and wakes whoever answers it.
bool Core::AnswerNow(RequestState& state, uint32_t generation) {
  if (!Executor::Cut(state, generation, End::kExpired)) return false;
  if (state.mode == Mode::kAsync) {
    PushAnswer(state);
    answer_parker_.Notify();
  } else {
    state.latch.HandBack();
  }
  return true;
}

int Core::AnswerAll() {
  int count = 0;
  for (const auto& ticket : tickets_) {
    const int64_t generation = ticket->gate.OpenGeneration();
    if (generation >= 0) count += AnswerNow(*ticket, static_cast<uint32_t>(generation));
  }
  return count;
}

// False when the thread is stuck: it then keeps the core alive until it comes back, if ever.
bool Core::Join(ThreadSlot& slot, Deadline by) {
  if (!slot.thread.joinable()) return true;
  while (slot.exited.load(std::memory_order_acquire) == 0 && !by.Passed(clock().Now())) {
    FutexAtomics::Wait(slot.exited, 0, by);
  }
  if (slot.exited.load(std::memory_order_acquire) == 0) {
    slot.thread.detach();
    return false;
  }
  slot.thread.join();
  return true;
}

void Core::KeepForEver(std::shared_ptr<Core> core) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<std::shared_ptr<Core>>;
  const std::lock_guard<std::mutex> lock(mutex);
  kept->push_back(std::move(core));
}

ShutdownReport Core::Shutdown(absl::Duration grace) {
  ShutdownReport report;
  closed_.store(true, std::memory_order_release);
  if (shut_.exchange(true)) return report;
  const Deadline by = Deadline::In(clock(), grace);
  if (inline_mode()) {
    RunPending();
    DrainTraces();
    return report;
  }
  if (Forked()) {  // the threads are the parent's
    report.threads_left = static_cast<int>(thread_slots_.size()) + 2 + (tracer_ != nullptr);
    return report;
  }
  const auto wait_until = [&](Deadline until, auto done) {
    bool is_done = done();  // once each time: taking a crew succeeds only once
    for (; !is_done && !until.Passed(clock().Now()); is_done = done()) std::this_thread::yield();
    return is_done;
  };
  // All tickets and all callers' crews in our hands: nothing is in flight.
  size_t tickets = 0;
  const auto take_all = [&] {
    while (free_tickets_.Pop() != IndexStack<>::kNone) ++tickets;
    return tickets == tickets_.size();
  };
  if (!wait_until(by, take_all)) report.answered_early = AnswerAll();
  (void)wait_until(by, [&] { return events_->pending() == 0; });
  for (uint32_t i = threads_; i < crews_.size(); ++i) {
    if (!wait_until(by,
                    [&] { return crews_[i]->busy.exchange(1, std::memory_order_acquire) == 0; })) {
      ++report.callers_left;
    }
  }
  stop_.store(true, std::memory_order_seq_cst);
  report.answered_early += AnswerAll();  // opened since, see Submit()
  if (sharing_ != nullptr) sharing_->LetGo(std::numeric_limits<int64_t>::max());
  worker_bell_.parker().Notify(static_cast<int>(threads_));
  spare_parker_.Notify(static_cast<int>(threads_));
  RingTimer();
  // Threads that are not stuck need a moment to end even when the grace is over.
  const auto moment = [&](int millis) {
    return std::max(by, Deadline::In(clock(), absl::Milliseconds(millis)));
  };
  const Deadline join_by = moment(50);
  for (const auto& slot : thread_slots_) report.threads_left += !Join(*slot, join_by);
  report.threads_left += !Join(timer_slot_, moment(10));
  uint32_t index = 0;
  for (const auto& lane : lanes_) {
    while (lane->TryPop(&index)) Leave(*tickets_[index]);  // settled, and no worker comes for them
  }
  no_more_work_.store(true, std::memory_order_release);
  answer_parker_.Notify(1);
  const Deadline answer_by = moment(20);
  report.threads_left += !Join(answer_slot_, answer_by);
  (void)wait_until(answer_by, take_all);
  no_more_traces_.store(true, std::memory_order_release);
  trace_bell_.fetch_add(1, std::memory_order_release);
  FutexAtomics::Wake(trace_bell_, 1);
  report.threads_left += !Join(trace_slot_, moment(20));
  report.decisions_left = static_cast<int>(tickets_.size() - tickets);
  report.events_left = events_->pending();
  return report;
}

}  // namespace adagents::internal
