// How decisions end: the second half of Executor.
#include <algorithm>
#include <string>

#include "adagents/runtime/board.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/executor.h"
#include "adagents/runtime/internal/tracer.h"
#include "fmt/format.h"

namespace adagents::internal {

void StopCutter::operator()() const {
  if (Executor::Cut(*state, generation, End::kCancelled)) host->OnCut(*state);
}

// Whoever cuts the decision short at the same moment reads the board, and may have its own ending
// in the works: until this call has settled, it touches nothing but the ending kCompleted. That is
// why the result is moved out of its slot last.
[[gnu::hot]] bool Executor::Complete(Crew& crew, RequestState& state) {
  Ending& ending = state.endings[RequestState::kCompleted];
  const bool clean = !state.unclean.load(std::memory_order_relaxed);
  ending.defaulted = ending.late = 0;
  ending.verdict = Verdict::kDecided;
  if (!clean || state.explain) Seal(state, ending);
  if (!clean) ending.verdict = Conclude(state, RequestState::kCompleted, Verdict::kFallback);
  if (state.explain) ending.trace = MakeTrace(state, ending);
  uint32_t holds = 0;
  if (!state.gate.Settle(state.generation, End::kCompleted, &holds)) return false;
  if (state.recording != nullptr) [[unlikely]]
    state.recording->Settled();
  if (ending.verdict == Verdict::kDecided) {
    void* slot = state.board->data() + state.board->plan().result_offset();
    (void)state.TakeResult(RequestState::kCompleted, slot, true);
  }
  if (holds != 0) SettleHolds(state, RequestState::kCompleted, holds);
  Bump(crew.verdicts[static_cast<size_t>(ending.verdict)]);
  if (clean) {
    Bump(crew.clean);
  } else {
    const auto& agents = state.board->plan().agents();
    for (const HotStep& step : crew.team->steps) {
      agents[step.index].spec->record->Count(static_cast<Outcome>(ending.sealed[step.index]));
    }
  }
  return true;
}

bool Executor::Cut(RequestState& state, uint32_t generation, End end) {
  uint32_t holds = 0;
  if (!state.gate.Settle(generation, end, &holds)) return false;
  state.cut_holds = holds;
  if (state.recording != nullptr) state.recording->Settled();
  Seal(state, state.endings[RequestState::kOtherwise]);
  return true;
}

void Executor::FinishOtherwise(RequestState& state) {
  const int64_t began = state.recording != nullptr ? state.recording->Now() : 0;
  Ending& ending = state.endings[RequestState::kOtherwise];
  const End end = state.gate.Read(state.generation);
  const BoardMemory* const board = ending.board;
  if (end == End::kCancelled) {
    ending.verdict = Verdict::kCancelled;
    state.ClearResult(RequestState::kOtherwise);
  } else {
    const Verdict if_fallback = state.saturated ? Verdict::kSaturated : Verdict::kExpired;
    ending.verdict = Conclude(state, RequestState::kOtherwise, if_fallback);
    if (ending.verdict == Verdict::kDecided) {
      // Copied: agents that still run may read it.
      if (!state.TakeResult(RequestState::kOtherwise, board->data() + board->plan().result_offset(),
                            false)) {
        state.MakeFallback(RequestState::kOtherwise, Board(board, ending.sealed.data()));
        ending.verdict = if_fallback;
      }
    }
  }
  SettleHolds(state, RequestState::kOtherwise, state.cut_holds);
  if (state.recording != nullptr) state.recording->Add(Timeline::Kind::kEnding, began);
  if (state.explain) ending.trace = MakeTrace(state, ending);
  // Release: a trusted caller that leaves a shared decision may not have finished it itself.
  state.finished.store(true, std::memory_order_release);
  if (board == nullptr) return;
  for (const uint32_t agent : board->plan().order()) {
    const auto sealed = static_cast<Outcome>(ending.sealed[agent]);
    board->plan().agents()[agent].spec->record->Count(sealed == Outcome::kPending ? Outcome::kLate
                                                                                  : sealed);
  }
}

// One acquire load per agent: an outcome that is seen here has all of its outputs behind it, and
// what is published later is not in the sealed copy, so the decision cannot change any more. The
// board is looked up once: a worker may be about to begin, with what an earlier decision sealed.
[[gnu::hot]] void Executor::Seal(RequestState& state, Ending& ending) {
  ending.defaulted = ending.late = 0;
  const BoardMemory* board = ending.board = state.running.load(std::memory_order_acquire);
  if (board == nullptr) return;
  for (const uint32_t agent : board->plan().order()) {
    uint8_t outcome = board->outcome(agent).load(std::memory_order_acquire);
    if ((outcome & BoardMemory::kInLoop) != 0) outcome = static_cast<uint8_t>(Outcome::kPending);
    ending.sealed[agent] = outcome;
    if (outcome == static_cast<uint8_t>(Outcome::kPending)) {
      ++ending.late;
    } else if (outcome != static_cast<uint8_t>(Outcome::kRan) &&
               !board->plan().agents()[agent].required) {
      ++ending.defaulted;
    }
  }
}

[[gnu::hot]] Verdict Executor::Conclude(RequestState& state, int which, Verdict if_fallback) {
  const BoardMemory* board = state.endings[which].board;
  if (board == nullptr) {
    if (state.has_must_run) {
      state.ClearResult(which);
      return Verdict::kVetoed;
    }
    state.MakeFallback(which, Board());
    return if_fallback;
  }
  const Plan& plan = board->plan();
  const std::vector<uint8_t>& sealed = state.endings[which].sealed;
  for (const uint32_t agent : plan.must_run()) {
    if (sealed[agent] != static_cast<uint8_t>(Outcome::kRan)) {
      state.ClearResult(which);
      return Verdict::kVetoed;
    }
  }
  if (Stands(plan, plan.result_writer(), sealed[plan.result_writer()])) return Verdict::kDecided;
  state.MakeFallback(which, Board(board, sealed.data()));
  return if_fallback;
}

void Executor::SettleHolds(RequestState& state, int which, uint32_t holds) {
  for (int i = 0; i < kMaxHolds; ++i) {
    if ((holds >> i & 1u) == 0) continue;
    const Hold& hold = state.holds[i];
    hold.settle(hold, state.Keeps(which, hold));
  }
}

std::shared_ptr<const Trace> Executor::MakeTrace(const RequestState& state,
                                                 const Ending& ending) const {
  auto trace = std::make_shared<Trace>();
  trace->id = state.id;
  trace->verdict = ending.verdict;
  trace->latency_nanos = clock_->Now() - state.arrival;
  const BoardMemory* board = ending.board;
  if (board == nullptr || state.notes == nullptr) return trace;
  std::vector<uint32_t> place(ending.sealed.size());
  bool late_seen = false;
  for (const uint32_t agent : board->plan().order()) {
    place[agent] = static_cast<uint32_t>(trace->agents.size());
    Trace::AgentEntry entry;
    entry.name = board->plan().agents()[agent].spec->name();
    entry.outcome = static_cast<Outcome>(ending.sealed[agent]);
    if (entry.outcome == Outcome::kPending) {
      if (!late_seen) entry.outcome = Outcome::kLate;  // the first of these was being called
      late_seen = true;
    } else {  // its thread wrote the rest before it stored the outcome
      const bool ran = entry.outcome == Outcome::kRan;  // then the cause is of an earlier decision
      entry.cause = ran ? Cause::kNone : static_cast<Cause>(board->cause(agent));
      entry.start_nanos = state.notes->timings[agent].start;
      entry.duration_nanos = state.notes->timings[agent].duration;
      entry.error = state.notes->errors[agent];
    }
    trace->agents.push_back(std::move(entry));
  }
  const int count = state.notes->reasons.load(std::memory_order_relaxed);
  trace->reasons_dropped = std::max(0, count - Notes::kMaxReasons);
  for (int i = 0; i < std::min(count, Notes::kMaxReasons); ++i) {
    const uint32_t agent = state.notes->entries[i].agent.load(std::memory_order_acquire);
    if (agent != 0) trace->reasons.push_back({place[agent - 1], state.notes->entries[i].reason});
  }
  std::stable_sort(trace->reasons.begin(), trace->reasons.end(),
                   [](const auto& a, const auto& b) { return a.agent < b.agent; });
  return trace;
}

}  // namespace adagents::internal
