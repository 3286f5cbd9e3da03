// How decisions end: the second half of Executor.
#include <algorithm>
#include <string>

#include "adagents/runtime/board.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/executor.h"
#include "fmt/format.h"

namespace adagents::internal {

void StopCutter::operator()() const {
  if (Executor::Cut(*state, generation, End::kCancelled)) host->OnCut(*state);
}

bool Executor::Complete(Crew& crew, RequestState& state) {
  Ending& ending = state.endings[RequestState::kCompleted];
  const bool clean = !state.unclean.load(std::memory_order_relaxed);
  ending.defaulted = ending.late = 0;
  if (clean) [[likely]] {
    ending.verdict = Verdict::kDecided;
    void* slot = state.board->data() + state.board->plan().result_offset();
    if (!state.TakeResult(RequestState::kCompleted, slot, true))
      ending.verdict = Verdict::kFallback;
  } else {
    Seal(state, ending);
    ending.verdict = Conclude(state, RequestState::kCompleted, Verdict::kFallback, true);
  }
  if (state.explain) {
    if (clean) Seal(state, ending);
    ending.trace = MakeTrace(state, ending.verdict);
  }
  uint32_t holds = 0;
  if (!state.gate.Settle(state.generation, End::kCompleted, &holds)) return false;
  if (holds != 0) SettleHolds(state, RequestState::kCompleted, holds);
  Bump(crew.verdicts[static_cast<size_t>(ending.verdict)]);
  if (clean) {
    Bump(crew.clean);
  } else {
    const auto& agents = state.board->plan().agents();
    for (const HotStep& step : crew.team->steps) {
      agents[step.index].spec->record->Count(static_cast<Outcome>(state.sealed[step.index]));
    }
  }
  return true;
}

bool Executor::Cut(RequestState& state, uint32_t generation, End end) {
  uint32_t holds = 0;
  if (!state.gate.Settle(generation, end, &holds)) return false;
  state.cut_holds = holds;
  return true;
}

void Executor::FinishOtherwise(RequestState& state) {
  Ending& ending = state.endings[RequestState::kOtherwise];
  const End end = state.gate.Read(state.generation);
  Seal(state, ending);
  if (end == End::kCancelled) {
    ending.verdict = Verdict::kCancelled;
    state.ClearResult(RequestState::kOtherwise);
  } else {
    ending.verdict = Conclude(state, RequestState::kOtherwise,
                              state.saturated ? Verdict::kSaturated : Verdict::kExpired, false);
  }
  SettleHolds(state, RequestState::kOtherwise, state.cut_holds);
  state.finished = true;
  if (state.explain) ending.trace = MakeTrace(state, ending.verdict);
  const BoardMemory* board = state.running.load(std::memory_order_acquire);
  if (board == nullptr) return;
  for (const uint32_t agent : board->plan().order()) {
    const auto sealed = static_cast<Outcome>(state.sealed[agent]);
    board->plan().agents()[agent].spec->record->Count(sealed == Outcome::kPending ? Outcome::kLate
                                                                                  : sealed);
  }
}

// One acquire load per agent: an outcome that is seen here has all of its outputs behind it, and
// what is published later is not in the sealed copy, so the decision cannot change any more.
void Executor::Seal(RequestState& state, Ending& ending) {
  ending.defaulted = ending.late = 0;
  const BoardMemory* board = state.running.load(std::memory_order_acquire);
  if (board == nullptr) return;
  for (const uint32_t agent : board->plan().order()) {
    const uint8_t outcome = board->outcome(agent).load(std::memory_order_acquire);
    state.sealed[agent] = outcome;
    if (outcome == static_cast<uint8_t>(Outcome::kPending)) {
      ++ending.late;
    } else if (outcome != static_cast<uint8_t>(Outcome::kRan) &&
               !board->plan().agents()[agent].required) {
      ++ending.defaulted;
    }
  }
}

Verdict Executor::Conclude(RequestState& state, int which, Verdict if_fallback, bool may_move) {
  const BoardMemory* board = state.running.load(std::memory_order_acquire);
  if (board == nullptr) {
    if (state.has_must_run) {
      state.ClearResult(which);
      return Verdict::kVetoed;
    }
    state.MakeFallback(which, Board());
    return if_fallback;
  }
  const Plan& plan = board->plan();
  for (const uint32_t agent : plan.must_run()) {
    if (state.sealed[agent] != static_cast<uint8_t>(Outcome::kRan)) {
      state.ClearResult(which);
      return Verdict::kVetoed;
    }
  }
  if (Stands(plan, plan.result_writer(), state.sealed[plan.result_writer()]) &&
      state.TakeResult(which, board->data() + plan.result_offset(), may_move)) {
    return Verdict::kDecided;
  }
  state.MakeFallback(which, Board(board, state.sealed.data()));
  return if_fallback;
}

void Executor::SettleHolds(RequestState& state, int which, uint32_t holds) {
  for (int i = 0; i < kMaxHolds; ++i) {
    if ((holds >> i & 1u) == 0) continue;
    const Hold& hold = state.holds[i];
    hold.settle(hold, state.Keeps(which, hold));
  }
}

std::shared_ptr<const Trace> Executor::MakeTrace(const RequestState& state, Verdict verdict) const {
  auto trace = std::make_shared<Trace>();
  trace->id = state.id;
  trace->verdict = verdict;
  trace->latency_nanos = clock_->Now() - state.arrival;
  BoardMemory* board = state.running.load(std::memory_order_acquire);
  if (board == nullptr || state.notes == nullptr) return trace;
  std::vector<uint32_t> place(state.sealed.size());
  bool late_seen = false;
  for (const uint32_t agent : board->plan().order()) {
    place[agent] = static_cast<uint32_t>(trace->agents.size());
    Trace::AgentEntry entry;
    entry.name = board->plan().agents()[agent].spec->name();
    entry.outcome = static_cast<Outcome>(state.sealed[agent]);
    if (entry.outcome == Outcome::kPending) {
      if (!late_seen) entry.outcome = Outcome::kLate;  // the first of these was being called
      late_seen = true;
    } else {  // its thread wrote the rest before it stored the outcome
      entry.cause = static_cast<Cause>(board->cause(agent));
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
