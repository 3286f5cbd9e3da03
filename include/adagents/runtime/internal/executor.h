// Runs the agents of one decision in order, and ends decisions.
//
// What every decision runs through, here and in Core, is marked hot: the linker lays it side by
// side. A decision after a pause finds little of it in the instruction cache, and misses less so.
#pragma once

#include <cstdint>

#include "adagents/base/clock.h"
#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/health.h"
#include "adagents/runtime/internal/request_state.h"

namespace adagents::internal {

/// What one strand knows of the time without reading the clock at every agent.
struct StrandTime {
  int64_t now = 0;        // last reading
  int64_t predicted = 0;  // that, plus the mean cost of what has run since
};

enum class RunEnd : uint8_t {
  kRan,     // to the last step
  kQueued,  // waits for a bounded agent's replica; somebody else goes on
  kCut,     // settled, expired or cancelled on the way
};

/// What the executor hands on. Thread-safe.
class Host {
 public:
  virtual ~Host() = default;
  /// A decision that can go on after waiting for a bounded agent.
  virtual void Resume(RequestState& state) = 0;
  /// A decision that was just cut short and has to be finished and answered.
  virtual void OnCut(RequestState& state) = 0;
};

/// Thread-safe: all it does to a decision is guarded by that decision's own protocol.
class Executor {
 public:
  /// `always_time`: read the clock around every call, for clocks that only move when told to.
  Executor(const Clock* clock, Health* health, Host* host, bool always_time)
      : clock_(clock), health_(health), host_(host), always_time_(always_time) {}

  /// Gives the state a board of the crew's plan and opens it to the agents.
  void Begin(Crew& crew, RequestState& state);
  /// Runs steps [from, to) of the crew's team.
  RunEnd RunSteps(Crew& crew, RequestState& state, uint32_t from, uint32_t to, StrandTime* time);
  /// Runs the given steps, for a strand of a shared decision. True unless it was cut.
  bool RunStrand(Crew& crew, RequestState& state, const uint32_t* agents, uint32_t count,
                 StrandTime* time);
  /// The replica with which a listener may be called now, for RunListener() to give back. Null when
  /// it is left out (counted), or with *busy when other threads have all replicas.
  Agent* AdmitListener(const HotStep& step, bool* busy);
  /// One event to one listener.
  void RunListener(Crew& crew, const HotStep& step, Agent* agent, const void* event);

  /// After all steps: prepares result and ending, then settles. True when this call settled it.
  bool Complete(Crew& crew, RequestState& state);
  /// Tries to settle that generation as `end`; true when this call did. What is published later is
  /// not in the decision. FinishOtherwise() is then due, by one thread, at once.
  static bool Cut(RequestState& state, uint32_t generation, End end);
  /// Prepares result and ending of a decision that was cut; by one thread, after Cut().
  void FinishOtherwise(RequestState& state);
  const Clock& clock() const { return *clock_; }

 private:
  static void Publish(BoardMemory& board, const HotStep& step, Outcome outcome);
  /// What to run after `step`, which ends a loop: the next one, or the loop's first again. At the
  /// loop's end it publishes the outcomes of the last round.
  uint32_t AfterLoop(Crew& crew, RequestState& state, const HotStep& step, uint32_t at,
                     const StrandTime& time);
  bool AnotherRound(const RequestState& state, const PlanLoop& loop, const StrandTime& time) const;
  template <bool kTimed>
  RunEnd Run(Crew& crew, RequestState& state, uint32_t from, uint32_t to, StrandTime* time,
             const uint32_t* chosen);
  Cause Precheck(RequestState& state, const HotStep& step, StrandTime* time);
  Agent* TakeReplica(RequestState& state, const HotStep& step, uint32_t at, bool* queued);
  void NotRun(RequestState& state, const HotStep& step, Cause cause);
  void Failed(RequestState& state, const HotStep& step, Cause cause, std::string_view what);
  absl::Status Call(const HotStep& step, Agent* agent, Context& ctx, Cause* cause);
  bool ShouldSample(Crew& crew, int64_t now) const;

  static void Seal(RequestState& state, Ending& ending);
  void SettleHolds(RequestState& state, int which, uint32_t holds);
  std::shared_ptr<const Trace> MakeTrace(const RequestState& state, const Ending& ending) const;
  /// Result from what was sealed: the agents' (kDecided; still to be taken), the fallback's or
  /// none.
  Verdict Conclude(RequestState& state, int which, Verdict if_fallback);

  const Clock* clock_;
  Health* health_;
  Host* host_;
  const bool always_time_;
};

}  // namespace adagents::internal
