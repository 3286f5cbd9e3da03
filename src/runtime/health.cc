#include "adagents/runtime/internal/health.h"

#include <algorithm>

#include "fmt/format.h"

namespace adagents::internal {

void Health::Log(LogEntry::Level level, std::string_view agent, std::string_view text) const {
  if (!log_) return;
  try {
    log_({level, agent, text});
  } catch (...) {  // a host's sink must not take a decision down
  }
}

Cause Health::Admit(AgentRecord& record) {
  if (record.switched_off.load(std::memory_order_relaxed)) return Cause::kSwitchedOff;
  uint8_t breaker = record.breaker.load(std::memory_order_relaxed);
  if (breaker == AgentRecord::kClosed) return Cause::kNone;
  if (breaker == AgentRecord::kOpen && record.stuck.load(std::memory_order_relaxed) == 0 &&
      clock_->Now() >= record.retry_at.load(std::memory_order_relaxed) &&
      record.breaker.compare_exchange_strong(breaker, AgentRecord::kProbing,
                                             std::memory_order_relaxed)) {
    return Cause::kNone;
  }
  return Cause::kBreakerOpen;
}

void Health::Withdraw(AgentRecord& record) {
  uint8_t probing = AgentRecord::kProbing;
  record.breaker.compare_exchange_strong(probing, AgentRecord::kOpen, std::memory_order_relaxed);
}

void Health::Succeeded(AgentRecord& record) {
  record.late_row.store(0, std::memory_order_relaxed);
  record.failed_row.store(0, std::memory_order_relaxed);
  uint8_t probing = AgentRecord::kProbing;
  if (record.breaker.compare_exchange_strong(probing, AgentRecord::kClosed,
                                             std::memory_order_relaxed)) {
    record.backoff.store(0, std::memory_order_relaxed);
    open_.fetch_sub(1, std::memory_order_relaxed);
    Log(LogEntry::Level::kInfo, record.name, "called again after its quarantine");
  }
  record.UpdateFlag();
}

void Health::Failed(AgentRecord& record, std::string_view what) {
  const int row = record.failed_row.fetch_add(1, std::memory_order_relaxed) + 1;
  record.Look();
  if (row == 1) Log(LogEntry::Level::kWarning, record.name, what);
  const bool probing = record.breaker.load(std::memory_order_relaxed) == AgentRecord::kProbing;
  if (probing || row >= options_.failed_in_a_row) {
    Open(record, fmt::format("failed {} times in a row, last: {}", row, what));
  }
}

void Health::Late(AgentRecord& record, bool stuck) {
  if (stuck) record.stuck.fetch_add(1, std::memory_order_relaxed);
  const int row = record.late_row.fetch_add(1, std::memory_order_relaxed) + 1;
  record.Look();
  const bool probing = record.breaker.load(std::memory_order_relaxed) == AgentRecord::kProbing;
  if (probing || row >= options_.late_in_a_row) {
    Open(record,
         fmt::format("late {} times in a row{}", row, stuck ? ", and still in its last call" : ""));
  }
}

void Health::Unstuck(AgentRecord& record) { record.stuck.fetch_sub(1, std::memory_order_relaxed); }

void Health::Open(AgentRecord& record, std::string_view why) {
  uint8_t was = record.breaker.load(std::memory_order_relaxed);
  if (was == AgentRecord::kOpen) return;
  const bool counted = was == AgentRecord::kClosed;
  if (counted) {
    const int limit = std::max(
        1, static_cast<int>(options_.max_quarantined_share *
                            static_cast<double>(team_size_.load(std::memory_order_relaxed))));
    if (open_.fetch_add(1, std::memory_order_relaxed) >= limit) {
      open_.fetch_sub(1, std::memory_order_relaxed);
      Log(LogEntry::Level::kError, record.name,
          fmt::format("{}; still called, since {} agents are quarantined already", why, limit));
      return;
    }
  }
  const int64_t last = record.backoff.load(std::memory_order_relaxed);
  const int64_t backoff =
      last == 0 ? options_.backoff_nanos : std::min(options_.max_backoff_nanos, last * 2);
  record.backoff.store(backoff, std::memory_order_relaxed);
  record.retry_at.store(clock_->Now() + backoff, std::memory_order_relaxed);
  if (!record.breaker.compare_exchange_strong(was, AgentRecord::kOpen, std::memory_order_relaxed)) {
    if (counted) open_.fetch_sub(1, std::memory_order_relaxed);
    return;  // somebody else opened it at the same moment
  }
  record.quarantines.fetch_add(1, std::memory_order_relaxed);
  record.Look();
  Log(LogEntry::Level::kError, record.name,
      fmt::format("quarantined: {}; next try in {} ms", why, backoff / 1'000'000));
}

}  // namespace adagents::internal
