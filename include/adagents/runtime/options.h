// What can be set for a runtime and for one call, and what it reports.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "adagents/base/clock.h"
#include "adagents/runtime/internal/agent_record.h"
#include "adagents/runtime/outcome.h"
#include "adagents/runtime/timeline.h"
#include "adagents/runtime/trace.h"

namespace adagents {

using internal::BreakerOptions;

/// One line for the host's log. The library itself never prints.
struct LogEntry {
  enum class Level : uint8_t { kInfo, kWarning, kError };
  Level level;
  std::string_view agent;  ///< empty when it is about no agent
  std::string_view text;
};
/// Called from any of the runtime's threads or a caller's; must be thread-safe and must not block.
using LogSink = std::function<void(const LogEntry&)>;

/// Without threads: every decision runs on its caller, events run inside Publish(), and
/// DecideAsync() runs on RunPending(). Deterministic, for simulations and tests; takes any clock.
struct InlineScheduler {
  /// Shuffles the order of agents within what their ports allow. 0: the plan's own order.
  uint64_t seed = 0;
};

/// A runtime has `workers` and `spares` threads and two more, which keep time and call back; one
/// more where there are traces, none at all with `inline_scheduler`. Their names begin with
/// "adagents-".
struct RuntimeOptions {
  /// Threads that run strict and asynchronous decisions, events, and help with trusted ones.
  /// 0: one per core.
  int workers = 0;
  /// Further threads, asleep until a worker is stuck in an agent. Replaces that many.
  int spares = 4;
  /// Trusted callers at one time; those beyond are served by the workers. 0: twice the cores.
  int callers = 0;
  /// Decisions in flight at one time, strict and asynchronous together; beyond that: kOverloaded.
  int max_in_flight = 1024;
  /// Events waiting at one time per ordering shard; beyond that Publish() is ResourceExhausted.
  int max_events = 4096;

  /// Time for a decision when the call sets no shorter one.
  absl::Duration deadline = absl::Milliseconds(50);
  /// Kept back of every deadline for the answer's own way.
  absl::Duration reserve = absl::Microseconds(500);
  /// How long one idle worker looks for work before it sleeps; keeps a helper hot between
  /// decisions at the price of its core's time.
  absl::Duration spin = absl::Microseconds(50);
  /// Lets one idle worker look for work for ever: no decision waits for a thread to wake up, and
  /// each whose plan gains from it is shared. Costs one core, whatever the load; ignored where
  /// there is only one.
  bool keep_one_hot = false;
  /// Let idle workers take part in single decisions whose plan gains from it.
  bool share_work = true;

  /// Records where and when every so many decisions run, from the first, and hands them to
  /// `trace_sink`. 0: none. Takes some 5 MiB, a thread, and what it costs to time each agent of
  /// those decisions. Those for which there is no room (128 in flight or waiting for the sink) are
  /// left out and counted.
  uint32_t trace_every = 0;
  TimelineSink trace_sink = {};

  BreakerOptions breaker = {};
  /// Must stay alive as long as the runtime. Anything but a system clock needs `inline_scheduler`.
  const Clock* clock = &SystemClock::Get();
  std::optional<InlineScheduler> inline_scheduler = {};
  LogSink log = {};
};

struct CallOptions {
  Lane lane = Lane::kNormal;
  /// Time from arrival to answer; the runtime's deadline when longer.
  absl::Duration tmax = absl::InfiniteDuration();
  /// When the request arrived, on the runtime's clock; 0, or later than now: now. Time already
  /// spent is not available.
  int64_t arrival_nanos = 0;
  /// Runs the agents on the calling thread: no hand-over, and no copy of the request unless idle
  /// workers help with it. An agent that hangs takes its caller with it, unless it hangs on a
  /// worker that helps, so only for agents of proven tail. Decide() only.
  bool trusted = false;
  /// Keeps reasons and timings and returns them with the answer. Allocates.
  bool explain = false;
  /// The decision's id, which seeds its randomness; 0: the next number of this process.
  uint64_t id = 0;
  /// Cancels: the answer is then empty, at once.
  std::stop_token stop = {};
};

/// A decision's result and how it came about.
template <class Res>
struct Answer {
  Res value{};
  Verdict verdict = Verdict::kDecided;
  uint64_t id = 0;    ///< of the decision, and of its trace
  int defaulted = 0;  ///< agents whose defaults stood in
  int late = 0;       ///< agents that were still running, or not reached, when it was settled
  std::shared_ptr<const Trace> trace;  ///< with CallOptions::explain

  /// Anything but the whole team's own decision.
  [[nodiscard]] bool degraded() const {
    return verdict != Verdict::kDecided || defaulted > 0 || late > 0;
  }
};

struct AgentStats {
  std::string name;
  std::array<uint64_t, 7> outcomes{};  ///< by Outcome
  uint64_t timed = 0;                  ///< calls that the next two are of; old ones fade
  int64_t mean_nanos = 0;
  int64_t p99_nanos = 0;
  bool switched_off = false;
  bool quarantined = false;
  uint64_t quarantines = 0;
  int stuck = 0;  ///< calls that are overdue now
};

/// A moment's numbers; counts since the start.
struct Stats {
  std::array<uint64_t, kVerdicts> verdicts{};  ///< by Verdict
  uint64_t shared_decisions = 0;               ///< in which idle workers could take part
  uint64_t recuts = 0;                         ///< how often a plan was cut into strands (anew)
  int shared_left = 0;            ///< now left to a worker that hangs in one of its agents
  uint64_t queued_decisions = 0;  ///< that waited for a bounded agent's replica
  uint64_t traces = 0;            ///< handed to RuntimeOptions::trace_sink
  uint64_t traces_dropped = 0;    ///< for want of room
  uint64_t events = 0;
  uint64_t events_dropped = 0;
  int in_flight = 0;
  int workers_stuck = 0;
  int callers_stuck = 0;
  int spares_left = 0;
  uint64_t plan_version = 0;
  std::vector<AgentStats> agents;  ///< in the order of the current plan

  [[nodiscard]] uint64_t decisions() const {
    uint64_t sum = 0;
    for (const uint64_t n : verdicts) sum += n;
    return sum;
  }
};

struct ShutdownReport {
  int answered_early = 0;    ///< decisions that the shutdown had to settle
  int decisions_left = 0;    ///< answered, but an agent or a callback is still at them
  int threads_left = 0;      ///< stuck threads, with what they still use: leaked on purpose
  int callers_left = 0;      ///< trusted callers still inside an agent
  uint64_t events_left = 0;  ///< published but not delivered
  [[nodiscard]] bool clean() const {
    return threads_left == 0 && callers_left == 0 && decisions_left == 0 && events_left == 0;
  }
};

}  // namespace adagents
