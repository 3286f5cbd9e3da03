// How agents and decisions ended, in words that traces, statistics and answers share. Plain values;
// the functions are thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace adagents {

/// What became of one agent in one decision.
enum class Outcome : uint8_t {
  kPending = 0,      ///< not reached (yet)
  kRan = 1,          ///< returned OK; its outputs are published
  kDefaulted = 2,    ///< optional and not called; its defaults stand
  kSkipped = 3,      ///< required and not called: an input is missing, or it is switched off
  kLate = 4,         ///< still running when the decision was settled
  kFailed = 5,       ///< returned an error or threw
  kQuarantined = 6,  ///< not called: its circuit breaker is open
};

/// Why an agent did not run.
enum class Cause : uint8_t {
  kNone = 0,
  kError,         ///< returned a status that is not OK
  kThrew,         ///< threw an exception
  kMissingInput,  ///< the writer of an input produced nothing
  kNoTime,        ///< its predicted p99 exceeds the time left
  kSwitchedOff,   ///< by its kill switch
  kBreakerOpen,   ///< by its circuit breaker
  kBusy,          ///< every replica was in use
  kCancelled,     ///< the caller cancelled
};

/// How a decision ended.
enum class Verdict : uint8_t {
  kDecided = 0,     ///< the result is the agents'
  kFallback = 1,    ///< a required agent produced nothing; the fallback decided
  kExpired = 2,     ///< the deadline came first; the fallback decided from what was published
  kVetoed = 3,      ///< a must-run agent did not run: the empty result
  kCancelled = 4,   ///< by the caller: the empty result
  kNoTime = 5,      ///< refused on arrival: too little time left
  kOverloaded = 6,  ///< refused on arrival: too many decisions in flight, or no memory
  kSaturated = 7,   ///< every worker is stuck; the fallback decided without agents
  kShutDown = 8,    ///< refused: the runtime is shut down, or this is a forked child
};
inline constexpr int kVerdicts = 9;

[[nodiscard]] std::string_view Name(Outcome outcome);
[[nodiscard]] std::string_view Name(Cause cause);
[[nodiscard]] std::string_view Name(Verdict verdict);

/// Urgency of a decision. Lanes are served 16:4:1 when all have work waiting.
enum class Lane : uint8_t { kPremium = 0, kNormal = 1, kBackground = 2 };
inline constexpr int kLanes = 3;

}  // namespace adagents
