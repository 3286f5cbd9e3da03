// The circuit breakers: who may be called, and what a late or failed call leads to.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "adagents/base/clock.h"
#include "adagents/runtime/internal/agent_record.h"
#include "adagents/runtime/options.h"

namespace adagents::internal {

/// Thread-safe.
class Health {
 public:
  Health(const BreakerOptions& options, const Clock* clock, LogSink log)
      : options_(options), clock_(clock), log_(std::move(log)) {}

  /// kNone when `record` may be called now; a probing call is admitted by this.
  Cause Admit(AgentRecord& record);
  /// Takes back an admission after which no call was made.
  void Withdraw(AgentRecord& record);

  void Succeeded(AgentRecord& record);
  void Failed(AgentRecord& record, std::string_view what);
  /// A call was late; `stuck` when it has not returned yet.
  void Late(AgentRecord& record, bool stuck);
  /// A call reported as stuck has returned after all.
  void Unstuck(AgentRecord& record);

  /// The team has changed: so many agents, of which so many are quarantined.
  void SetTeam(int size, int quarantined) {
    team_size_.store(size, std::memory_order_relaxed);
    open_.store(quarantined, std::memory_order_relaxed);
  }
  [[nodiscard]] bool quarantined(const AgentRecord& record) const {
    return record.breaker.load(std::memory_order_relaxed) != AgentRecord::kClosed;
  }
  void Log(LogEntry::Level level, std::string_view agent, std::string_view text) const;

 private:
  void Open(AgentRecord& record, std::string_view why);

  const BreakerOptions options_;
  const Clock* clock_;
  const LogSink log_;
  std::atomic<int> team_size_{1};
  std::atomic<int> open_{0};
};

}  // namespace adagents::internal
