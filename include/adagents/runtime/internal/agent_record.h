// What the runtime remembers of an agent by name: switch, circuit breaker, cost, counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "adagents/base/atomics.h"
#include "adagents/runtime/internal/look_flag.h"
#include "adagents/runtime/outcome.h"

namespace adagents::internal {

/// How long calls take: counts in buckets of a quarter octave (each at most 19 % wide), decayed so
/// that old times fade. Thread-safe; reads are approximate while others write.
class CostHistogram {
 public:
  void Add(int64_t nanos);
  /// The q-quantile in nanoseconds (upper end of its bucket), 0 when empty.
  [[nodiscard]] int64_t Quantile(double q) const;
  [[nodiscard]] int64_t Mean() const;
  /// The mean, where what is longer than the 98th percentile counts as that: does not jump when a
  /// thread was interrupted in a call.
  [[nodiscard]] int64_t Typical() const;
  [[nodiscard]] uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  /// Halves all counts once there are more than `limit`.
  void Decay(uint64_t limit);
  void Clear();

 private:
  static constexpr int kBuckets = 160;  // 1 ns .. 2^40 ns
  static int Bucket(int64_t nanos);
  static int64_t UpperEnd(int bucket);

  std::atomic<uint64_t> count_{0};
  std::array<std::atomic<uint32_t>, kBuckets> buckets_{};
};

/// When to stop calling an agent that misbehaves (Nygard, "Release It!", circuit breaker).
struct BreakerOptions {
  /// Consecutive late calls (beyond the agent's budget, or still running at the deadline).
  int late_in_a_row = 3;
  /// Consecutive errors or exceptions.
  int failed_in_a_row = 16;
  /// First and longest time until a single call is tried again; doubles each time that fails.
  int64_t backoff_nanos = 100'000'000;
  int64_t max_backoff_nanos = 30'000'000'000;
  /// At most this share of the team is quarantined at once (at least one agent may be).
  double max_quarantined_share = 0.5;
};

/// What every call of an agent reads, apart from the rest of its record: those of a team lie side
/// by side, so that a decision finds four on a cache line. Thread-safe, see AgentRecord.
struct AgentVitals {
  LookFlag<> flag;                      // raised: take the slow path before calling
  std::atomic<uint32_t> mean_nanos{0};  // refreshed from the record's cost now and then
  std::atomic<int64_t> p99_nanos{0};
};

/// Thread-safe. Orders are relaxed: these are counters and switches that carry no other data, and a
/// decision may act on a value that is a moment old. The vitals' flag alone must not stay old: who
/// changes what it stands for calls Look() or UpdateFlag() afterwards.
struct AgentRecord {
  enum Breaker : uint8_t { kClosed = 0, kOpen = 1, kProbing = 2 };

  /// `of_agent` and `predecessor`, the record of the last agent of this name or null, must outlive
  /// it.
  AgentRecord(std::string agent_name, AgentVitals* of_agent, const AgentRecord* predecessor)
      : name(std::move(agent_name)), vitals(*of_agent), before(predecessor) {}

  const std::string name;
  AgentVitals& vitals;
  /// Calls of that agent may still run, and hang, so it keeps its record; its counts are added.
  const AgentRecord* const before;
  std::atomic<uint8_t> breaker{kClosed};
  std::atomic<bool> switched_off{false};
  std::atomic<int> stuck{0};  // calls that are overdue right now
  std::atomic<int> late_row{0};
  std::atomic<int> failed_row{0};
  std::atomic<int64_t> retry_at{0};
  std::atomic<int64_t> backoff{0};

  CostHistogram cost;

  std::array<std::atomic<uint64_t>, 7> outcomes{};  // by Outcome
  std::atomic<uint64_t> quarantines{0};
  std::atomic<uint32_t> no_time{0};  // calls left out because the prediction said so

  void Count(Outcome outcome) {
    outcomes[static_cast<size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
  }
  /// Refreshes the predictions.
  void Refresh();
  /// Counts a call that was left out for want of time; now and then lets old costs fade, so that
  /// an agent that was slow for a while is tried again.
  void LeftOut();
  /// Recomputes the flag from the rest.
  void UpdateFlag();
  void Look() { vitals.flag.Raise(); }

 private:
  [[nodiscard]] bool NeedsLook() const;
};

}  // namespace adagents::internal
