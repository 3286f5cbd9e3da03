// Why a decision came out as it did: every agent's outcome and the reasons that agents left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/runtime/outcome.h"

namespace adagents {

/// A kind of reason: a short machine name and its sentence, in which {subject}, {score},
/// {threshold} and {number} are filled in. Define them as constants; they must live for ever.
struct ReasonCode {
  std::string_view name;
  std::string_view sentence;
  int32_t number = 0;  ///< by which others know it, as a standard's list does; 0: none
};

/// A coded sentence that an agent leaves with Context::Because().
struct Reason {
  const ReasonCode* code = nullptr;
  uint64_t subject = 0;  ///< what it is about; the code's owner says how to read it
  double score = 0;
  double threshold = 0;
};

/// Of one decision; asked for with CallOptions::explain. Immutable once delivered, so thread-safe.
struct Trace {
  struct AgentEntry {
    std::string name;
    Outcome outcome = Outcome::kPending;
    Cause cause = Cause::kNone;
    int64_t start_nanos = 0;     ///< after the decision's arrival
    int64_t duration_nanos = 0;  ///< 0 when it did not run
    std::string error;           ///< the status or exception, when it failed
  };
  struct ReasonEntry {
    uint32_t agent = 0;  ///< index into agents
    Reason reason;
  };

  uint64_t id = 0;
  Verdict verdict = Verdict::kDecided;
  int64_t latency_nanos = 0;       ///< from arrival to the answer
  std::vector<AgentEntry> agents;  ///< in the order of the plan
  std::vector<ReasonEntry> reasons;
  int reasons_dropped = 0;  ///< beyond the bound kept for one decision

  /// Names a reason's subject in words; the default prints the number.
  using Subject = std::function<std::string(const Reason&)>;
  /// The whole chain in plain words, a line each.
  [[nodiscard]] std::string InWords(const Subject& subject = nullptr) const;
};

/// One reason's sentence with its blanks filled in.
[[nodiscard]] std::string InWords(const Reason& reason, const Trace::Subject& subject = nullptr);

}  // namespace adagents
