#include "adagents/runtime/internal/executor.h"

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "adagents/runtime/board.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/tracer.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {

// The clock is read again after this much predicted work, or this share of the time left when that
// is more: no reading tells more than that there is time enough. One costs some 25 ns. With 50 ms
// left that is 48 us of predicted work, with 5 ms left it is 5: little beside the reserve that is
// kept back for the answer (RuntimeOptions::reserve, 500 us). Work that takes far longer than
// predicted is noticed late, but strict and asynchronous answers do not depend on this clock: their
// callers and the timer look at it themselves. Trusted ones depend on their agents' record anyway.
constexpr int64_t kReadEvery = 5'000;
constexpr int64_t kReadShare = 1024;
// A decision is timed agent by agent so seldom that it costs at most 1/1000: reading the clock, and
// counting where other threads count too.
constexpr int64_t kSampleCost = 125;
constexpr int64_t kSampleShare = 1000;
constexpr uint32_t kMaxSamplePeriod = 1024;
constexpr uint32_t kFirstSamples = 32;
// Where decisions are so few that this is longer: the costs of a quiet server drift, too.
constexpr int64_t kSampleAtLeastEvery = 100'000'000;

constexpr std::string_view kNoStdException = "an exception that is no std::exception";

uint8_t Byte(Outcome outcome) { return static_cast<uint8_t>(outcome); }

}  // namespace

// Once for each agent of each decision, and so inlined there.
[[gnu::always_inline]] inline void Executor::Publish(BoardMemory& board, const HotStep& step,
                                                     Outcome outcome) {
  const uint8_t in_loop = (step.flags & HotStep::kInLoop) == 0 ? 0 : BoardMemory::kInLoop;
  board.outcome(step.index).store(Byte(outcome) | in_loop, std::memory_order_release);
}

[[gnu::always_inline]] inline absl::Status Executor::Call(const HotStep& step, Agent* agent,
                                                          Context& ctx, Cause* cause) {
  // A bounded agent's replica is given back however the call ends.
  struct GiveBack {
    ReplicaPool* pool;
    Agent* agent;
    Host* host;
    ~GiveBack() {
      if (pool == nullptr) return;
      if (RequestState* next = pool->GiveBack(agent)) host->Resume(*next);
    }
  } give_back{(step.flags & HotStep::kBounded) != 0 ? step.info->spec->pool() : nullptr, agent,
              host_};
  try {
    return agent->Run(ctx);
  } catch (abi::__forced_unwind&) {  // pthread_cancel and pthread_exit: not ours to swallow
    throw;
  } catch (const std::exception& error) {
    *cause = Cause::kThrew;
    return MakeStatus(absl::StatusCode::kInternal, error.what());
  } catch (...) {
    *cause = Cause::kThrew;
    return MakeStatus(absl::StatusCode::kInternal, kNoStdException);
  }
}

[[gnu::hot]] bool Executor::ShouldSample(Crew& crew, int64_t now) const {
  if (always_time_) return true;
  if (crew.until_sample > 0 && now - crew.sampled_at < kSampleAtLeastEvery) {
    --crew.until_sample;
    return false;
  }
  crew.sampled_at = now;
  ++crew.samples;
  if (crew.samples < kFirstSamples) return true;
  int64_t total = 0;
  for (const HotStep& step : crew.team->steps) {
    total += step.vitals->mean_nanos.load(std::memory_order_relaxed);
  }
  const int64_t cost = kSampleCost * static_cast<int64_t>(crew.team->steps.size());
  crew.until_sample = static_cast<uint32_t>(
      std::clamp<int64_t>(cost * kSampleShare / (total + 1), 0, kMaxSamplePeriod));
  return true;
}

[[gnu::hot]] void Executor::Begin(Crew& crew, RequestState& state) {
  if (state.board == nullptr || &state.board->plan() != crew.team->plan.get()) {
    state.board = std::make_unique<BoardMemory>(crew.team->plan);
    for (Ending& ending : state.endings) {
      ending.sealed.assign(crew.team->plan->agents().size(), 0);
    }
  }
  state.board->SetRequest(state.request);
  if (state.explain) {
    if (state.notes == nullptr) state.notes = std::make_unique<Notes>();
    state.notes->timings.assign(crew.team->plan->agents().size(), {});
    state.notes->errors.assign(crew.team->plan->agents().size(), {});
  }
  // Release: whoever cuts this decision short finds a board whose every outcome is pending.
  state.running.store(state.board.get(), std::memory_order_release);
}

[[gnu::hot]] RunEnd Executor::RunSteps(Crew& crew, RequestState& state, uint32_t from, uint32_t to,
                                       StrandTime* time) {
  return state.timed || ShouldSample(crew, time->now)
             ? Run<true>(crew, state, from, to, time, nullptr)
             : Run<false>(crew, state, from, to, time, nullptr);
}

bool Executor::RunStrand(Crew& crew, RequestState& state, const uint32_t* agents, uint32_t count,
                         StrandTime* time) {
  const RunEnd end = state.timed || ShouldSample(crew, time->now)
                         ? Run<true>(crew, state, 0, count, time, agents)
                         : Run<false>(crew, state, 0, count, time, agents);
  return end == RunEnd::kRan;
}

template <bool kTimed>
[[gnu::hot]] RunEnd Executor::Run(Crew& crew, RequestState& state, uint32_t from, uint32_t to,
                                  StrandTime* time, const uint32_t* chosen) {
  BoardMemory& board = *state.board;
  Context ctx(clock_);
  ctx.base_ = board.data();
  ctx.board_ = &board;
  ctx.state_ = &state;
  const int64_t due = state.deadline.nanos();
  const HotStep* const steps = crew.team->steps.data();
  int64_t read_every = std::max(kReadEvery, (due - time->now) / kReadShare);
  // What follows on a cut is the host's code: no agent is to blame should it take long.
  const auto cut = [&](End end) {
    crew.current.store(nullptr, std::memory_order_relaxed);
    if (Cut(state, state.generation, end)) host_->OnCut(state);
    return RunEnd::kCut;
  };

  int64_t started = 0;
  const auto step_at = [&](uint32_t at) -> const HotStep& {
    return chosen == nullptr ? steps[at] : steps[crew.team->step_of[chosen[at]]];
  };
  const auto after = [&](uint32_t at) {
    const HotStep& step = step_at(at);
    if ((step.flags & HotStep::kEndsLoop) == 0) [[likely]]
      return at + 1;
    return AfterLoop(crew, state, step, at, *time);
  };
  for (uint32_t at = from; at < to; at = after(at)) {
    const HotStep& step = step_at(at);
    AgentRecord& record = *step.record;
    const AgentVitals& vitals = *step.vitals;
    if (state.gate.Read(state.generation) != End::kOpen) {
      crew.current.store(nullptr, std::memory_order_relaxed);
      return RunEnd::kCut;
    }

    if (time->predicted - time->now >= read_every) {
      const int64_t now = clock_->Now();
      const int64_t hiccup = now - time->predicted;
      if (hiccup > time->predicted - time->now) crew.until_sample = 0;  // look closely next time
      time->now = time->predicted = now;
      read_every = std::max(kReadEvery, (due - now) / kReadShare);
      if (now >= due) return cut(End::kExpired);
    }
    const bool slow = state.missing.load(std::memory_order_relaxed) || vitals.flag.raised() ||
                      (step.flags & HotStep::kBounded) != 0 ||
                      time->predicted + vitals.p99_nanos.load(std::memory_order_relaxed) > due ||
                      state.stop.stop_requested();
    Agent* agent = step.agent;
    bool look = false;
    if (slow) [[unlikely]] {
      if (state.stop.stop_requested()) return cut(End::kCancelled);
      if (const Cause cause = Precheck(state, step, time); cause != Cause::kNone) {
        NotRun(state, step, cause);
        continue;
      }
      look = true;
      if ((step.flags & HotStep::kBounded) != 0) {
        bool queued = false;
        agent = TakeReplica(state, step, at, &queued);
        if (queued) return RunEnd::kQueued;  // the state is another's now
        if (agent == nullptr) {
          NotRun(state, step, Cause::kBusy);
          continue;
        }
      }
      ctx.missing_ = state.missing.load(std::memory_order_relaxed);
    }

    crew.current.store(&record, std::memory_order_relaxed);
    ctx.slots_ = step.slots;
    ctx.agent_ = step.index;
    ctx.info_ = step.info;
    ctx.seeded_ = false;
    // The end of one call is the start of the next. Calls that are looked at are timed one by one.
    if constexpr (kTimed) {
      if (started == 0) started = clock_->Now();
    } else if (look) [[unlikely]] {
      started = clock_->Now();
    }

    Cause cause = Cause::kError;
    absl::Status status = Call(step, agent, ctx, &cause);

    if constexpr (kTimed) {
      const int64_t ended = clock_->Now();
      time->now = time->predicted = ended;
      const int64_t began = std::exchange(started, ended);
      const int64_t took = ended - began;
      record.cost.Add(took);
      if ((record.cost.count() & 31) == 8) record.Refresh();
      if (state.notes != nullptr && state.explain) {
        state.notes->timings[step.index] = {began - state.arrival, took};
      }
      if (state.recording != nullptr) [[unlikely]] {
        const Outcome outcome = status.ok() ? Outcome::kRan : Outcome::kFailed;
        state.recording->AddCall(&record, outcome, status.ok() ? Cause::kNone : cause, ctx.round(),
                                 began, ended);
        started = 0;  // recording is not the next agent's time
      }
      if (took > step.info->budget_nanos) {
        health_->Late(record, false);
      } else if (look && status.ok()) {
        health_->Succeeded(record);
      }
      // Too late: the outputs are published below, to a board that nobody reads any more.
      if (ended >= due) (void)cut(End::kExpired);
    } else if (look) [[unlikely]] {
      time->now = time->predicted = clock_->Now();
      if (time->now - started > step.info->budget_nanos) {
        health_->Late(record, false);
      } else if (status.ok()) {
        health_->Succeeded(record);
      }
    } else {
      time->predicted += vitals.mean_nanos.load(std::memory_order_relaxed);
    }

    if (status.ok()) [[likely]] {
      Publish(board, step, Outcome::kRan);
    } else {
      Failed(state, step, cause, Message(status));
    }
  }
  crew.current.store(nullptr, std::memory_order_relaxed);
  return RunEnd::kRan;
}

uint32_t Executor::AfterLoop(Crew& crew, RequestState& state, const HotStep& step, uint32_t at,
                             const StrandTime& time) {
  const PlanLoop& loop = *crew.team->plan->LoopOf(step.index);
  BoardMemory& board = *state.board;
  bool again = false;
  const auto threw = [&](std::string_view what) {
    const HotStep& writer = crew.team->steps[crew.team->step_of[loop.writer]];
    Failed(state, writer, Cause::kThrew, what);
    return false;
  };
  try {  // to compare and to copy what the loop carries over is the code of who wrote it
    again = AnotherRound(state, loop, time);
    if (again) loop.ops->assign(board.data() + loop.previous, board.data() + loop.carried);
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    again = threw(error.what());
  } catch (...) {
    again = threw(kNoStdException);
  }
  if (again) {
    ++*reinterpret_cast<uint32_t*>(board.data() + loop.round);
    for (const uint32_t member : loop.members) {
      board.ResetOutputsOf(member);
      board.outcome(member).store(Byte(Outcome::kPending), std::memory_order_relaxed);
    }
    return at + 1 - static_cast<uint32_t>(loop.members.size());
  }
  for (const uint32_t member : loop.members) {
    board.outcome(member).store(board.Seen(member), std::memory_order_release);
  }
  return at + 1;
}

bool Executor::AnotherRound(const RequestState& state, const PlanLoop& loop,
                            const StrandTime& time) const {
  const BoardMemory& board = *state.board;
  if (board.Seen(loop.writer) != Byte(Outcome::kRan)) return false;
  const uint32_t round = *reinterpret_cast<const uint32_t*>(board.data() + loop.round);
  if (round + 1 >= loop.max_rounds) return false;
  if (round > 0 && loop.equal(board.data() + loop.previous, board.data() + loop.carried)) {
    return false;
  }
  int64_t p99 = 0;
  for (const uint32_t member : loop.members) {
    p99 += board.plan().agents()[member].spec->record->vitals.p99_nanos.load(
        std::memory_order_relaxed);
  }
  return time.predicted + p99 <= state.deadline.nanos();
}

Cause Executor::Precheck(RequestState& state, const HotStep& step, StrandTime* time) {
  BoardMemory& board = *state.board;
  if (state.missing.load(std::memory_order_relaxed)) {
    for (const uint32_t writer : step.info->needs) {
      if (!Stands(board.plan(), writer, board.Seen(writer))) return Cause::kMissingInput;
    }
  }
  if ((step.flags & HotStep::kRequired) == 0 && !step.info->must_run) {
    const int64_t p99 = step.vitals->p99_nanos.load(std::memory_order_relaxed);
    if (time->predicted + p99 > state.deadline.nanos()) {
      time->now = time->predicted = clock_->Now();
      if (time->now + p99 > state.deadline.nanos()) {
        // It would need much of any decision's time, if that is still true.
        if (p99 > (state.deadline.nanos() - state.arrival) / 4) step.record->LeftOut();
        return Cause::kNoTime;
      }
    }
  }
  if (!step.vitals->flag.raised()) return Cause::kNone;
  // Nobody waits for a replica when all of them are stuck.
  if ((step.flags & HotStep::kBounded) != 0 &&
      step.record->stuck.load(std::memory_order_relaxed) >= step.info->spec->pool()->size()) {
    return Cause::kBreakerOpen;
  }
  return health_->Admit(*step.record);
}

// *queued: the state waits for a replica, and belongs to whoever gives one back.
Agent* Executor::TakeReplica(RequestState& state, const HotStep& step, uint32_t at, bool* queued) {
  // A trusted caller has no other thread to go on (when a bounded agent has just been added).
  const bool queues = ((step.flags & HotStep::kRequired) != 0 || step.info->must_run) &&
                      state.mode != Mode::kTrusted;
  state.resume_at = at;
  Recording* const recording = state.recording;
  if (queues && recording != nullptr) recording->BeforeReplica(step.record);
  Agent* agent = step.info->spec->pool()->Take(queues ? &state : nullptr, queued);
  if (queues && recording != nullptr && !*queued) recording->NeedsNoReplica();
  if (agent == nullptr) health_->Withdraw(*step.record);
  return agent;
}

void Executor::NotRun(RequestState& state, const HotStep& step, Cause cause) {
  BoardMemory& board = *state.board;
  const bool required = (step.flags & HotStep::kRequired) != 0;
  const Outcome outcome = cause == Cause::kBreakerOpen ? Outcome::kQuarantined
                          : required                   ? Outcome::kSkipped
                                                       : Outcome::kDefaulted;
  board.cause(step.index) = static_cast<uint8_t>(cause);
  if (state.recording != nullptr) {
    const int64_t now = clock_->Now();
    state.recording->AddCall(step.record, outcome, cause, 0, now, now);
  }
  state.unclean.store(true, std::memory_order_relaxed);
  if (required) state.missing.store(true, std::memory_order_relaxed);
  Publish(board, step, outcome);
}

void Executor::Failed(RequestState& state, const HotStep& step, Cause cause,
                      std::string_view what) {
  BoardMemory& board = *state.board;
  board.ResetOutputsOf(step.index);
  board.cause(step.index) = static_cast<uint8_t>(cause);
  if (state.explain && state.notes != nullptr) state.notes->errors[step.index] = what;
  state.unclean.store(true, std::memory_order_relaxed);
  if ((step.flags & HotStep::kRequired) != 0) state.missing.store(true, std::memory_order_relaxed);
  health_->Failed(*step.record, what);
  Publish(board, step, Outcome::kFailed);
}

Agent* Executor::AdmitListener(const HotStep& step, bool* busy) {
  AgentRecord& record = *step.record;
  const bool look = step.vitals->flag.raised();
  if (look) {
    if (const Cause cause = health_->Admit(record); cause != Cause::kNone) {
      record.Count(cause == Cause::kBreakerOpen ? Outcome::kQuarantined : Outcome::kSkipped);
      return nullptr;
    }
  }
  if ((step.flags & HotStep::kBounded) == 0) return step.agent;
  ReplicaPool& pool = *step.info->spec->pool();
  bool queued = false;
  Agent* agent = pool.Take(nullptr, &queued);
  if (agent != nullptr) return agent;
  if (look) health_->Withdraw(record);
  // Nobody waits for a replica when all of them are stuck.
  if (record.stuck.load(std::memory_order_relaxed) >= pool.size()) {
    record.Count(Outcome::kQuarantined);
  } else {
    *busy = true;
  }
  return nullptr;
}

void Executor::RunListener(Crew& crew, const HotStep& step, Agent* agent, const void* event) {
  AgentRecord& record = *step.record;
  const bool look = step.vitals->flag.raised();
  Context ctx(clock_);
  ctx.slots_ = step.slots;
  ctx.agent_ = step.index;
  ctx.info_ = step.info;
  ctx.event_ = event;
  crew.current.store(&record, std::memory_order_relaxed);
  const int64_t started = clock_->Now();
  Cause cause = Cause::kError;
  const absl::Status status = Call(step, agent, ctx, &cause);
  const int64_t took = clock_->Now() - started;
  record.cost.Add(took);
  if ((record.cost.count() & 31) == 8) record.Refresh();
  if (took > step.info->budget_nanos) {
    health_->Late(record, false);
  } else if (look && status.ok()) {
    health_->Succeeded(record);
  }
  if (!status.ok()) health_->Failed(record, Message(status));
  record.Count(status.ok() ? Outcome::kRan : Outcome::kFailed);
}

}  // namespace adagents::internal
