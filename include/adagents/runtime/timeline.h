// Where and when one decision ran: which agent on which thread, what it waited for, its deadline
// and its end. Beside it, Trace says why it came out as it did.
//
//   auto file = ChromeTraceFile::Create("trace.json");      // chrome_trace.h
//   options.trace_every = 1000;                             // every thousandth decision
//   options.trace_sink = [&](const Timeline& timeline) { (*file)->Add(timeline); };
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/runtime/outcome.h"

namespace adagents {

/// All times are nanoseconds on the runtime's clock. Complete: made when the last thread that had
/// to do with the decision has left it, stragglers included. Thread-safe as any value.
struct Timeline {
  enum class Kind : uint8_t {
    kAgent,     ///< one call of an agent
    kNotRun,    ///< an agent was left out; begin is end
    kRun,       ///< a thread was in charge of the decision
    kStrand,    ///< a thread ran a part of it, its own or another's
    kHelper,    ///< waited for another thread's strand
    kReplica,   ///< waited in the queue for a replica of `agent`, on no thread
    kCaller,    ///< the calling thread waited for the answer (strict)
    kEnding,    ///< made an answer after the decision was cut short
    kCallback,  ///< the caller's callback (async)
  };
  struct Span {
    Kind kind = Kind::kAgent;
    Outcome outcome = Outcome::kPending;  ///< of kAgent and kNotRun
    Cause cause = Cause::kNone;           ///< likewise
    uint32_t thread = 0;                  ///< the system's id of it; 0: none
    uint32_t round = 0;                   ///< of the agent's loop
    int64_t begin = 0, end = 0;
    std::string agent;  ///< of kAgent, kNotRun and kReplica
  };
  struct Thread {
    uint32_t id = 0;
    std::string name;
  };

  uint64_t id = 0;        ///< the decision's
  std::string_view mode;  ///< "strict", "trusted" or "async"
  Lane lane = Lane::kNormal;
  Verdict verdict = Verdict::kDecided;
  int defaulted = 0, late = 0;  ///< agents, as in the answer

  int64_t arrival = 0;
  int64_t admitted = 0;  ///< later than the arrival when that is the host's
  int64_t begun = 0;     ///< left its lane; 0 when it never did
  int64_t deadline = 0;
  int64_t settled = 0;
  uint32_t settled_by = 0;  ///< the thread; 0: none
  int64_t ended = 0;        ///< the last thread left

  std::vector<Span> spans;      ///< in no particular order
  std::vector<Thread> threads;  ///< those of the spans, each once
  int spans_dropped = 0;        ///< beyond the bound kept for one decision
};

/// Called on a thread of the runtime's own, named adagents-trace, or with an inline scheduler on
/// the caller when its decision is over; one call at a time. What it throws is dropped.
using TimelineSink = std::function<void(const Timeline&)>;

[[nodiscard]] std::string_view Name(Timeline::Kind kind);
[[nodiscard]] std::string_view Name(Lane lane);

}  // namespace adagents
