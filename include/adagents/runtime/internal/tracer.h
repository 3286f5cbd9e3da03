// Records where and when sampled decisions run, and hands the finished records to the host.
//
// A recording belongs to one decision from its opening until its last user has left: the same
// protocol that says when a ticket may be used again says when nobody can write to it any more.
// Only then is it read. So a straggler delays its decision's record and never tears it, and a
// decision that hangs for ever has none.
// Invariants: a recording is free, or one decision's, or done; it goes round through an index stack
// and a ring, whose orders carry over what was written. Spans are left by all threads that work on
// the decision (AppendLog); each other field has one writer at a time, named beside it.
// Bounds: kRecordings in flight or waiting for the host, beyond which decisions are not recorded
// but counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "adagents/base/clock.h"
#include "adagents/runtime/internal/agent_record.h"
#include "adagents/runtime/internal/append_log.h"
#include "adagents/runtime/internal/index_stack.h"
#include "adagents/runtime/internal/mpmc_ring.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/timeline.h"

namespace adagents::internal {

/// The thread that Here() is called on.
struct ThreadTag {
  uint32_t id = 0;
  char name[16] = {};
  static ThreadTag Here();
};

class Recording {
 public:
  Recording(uint32_t index, const Clock* clock) : index_(index), clock_(clock) {}

  using Kind = Timeline::Kind;
  struct Span {
    Kind kind{};
    Outcome outcome{};
    Cause cause{};
    uint32_t round = 0;
    const AgentRecord* agent = nullptr;  // lives as long as the core
    int64_t begin = 0, end = 0;
    ThreadTag thread;
  };
  static constexpr uint32_t kMaxSpans = 512;

  [[nodiscard]] int64_t Now() const { return clock_->Now(); }
  /// What this thread did since `begin`. Thread-safe, as is AddCall().
  void Add(Kind kind, int64_t begin);
  void AddCall(const AgentRecord* agent, Outcome outcome, Cause cause, uint32_t round,
               int64_t begin, int64_t end);

  // By the thread in charge of the decision; whoever takes over has it from the one before.
  void BeginRun();
  /// Says so before the thread gives the decision up; again when it could not.
  void EndRun() { Add(Kind::kRun, run_since_); }
  /// About to ask for a replica, after which the decision may be another thread's.
  void BeforeReplica(const AgentRecord* agent);
  void NeedsNoReplica() { waits_for_ = nullptr; }

  /// By whoever settled the decision, before it does anything else with it.
  void Settled();

 private:
  friend class Tracer;
  void EndWait(int64_t now);

  const uint32_t index_;  // the tracer's
  const Clock* const clock_;
  AppendLog<Span, kMaxSpans> spans_;

  // By who opens the decision, and by who leaves it last.
  uint64_t id_ = 0;
  Mode mode_{};
  Lane lane_{};
  int64_t arrival_ = 0, admitted_ = 0, deadline_ = 0, ended_ = 0;
  Verdict verdict_{};
  int defaulted_ = 0, late_ = 0;

  int64_t begun_ = 0, run_since_ = 0, waits_since_ = 0;  // by the thread in charge
  const AgentRecord* waits_for_ = nullptr;               // likewise
  ThreadTag ran_on_;                                     // likewise, before it waited

  int64_t settled_ = 0;  // by who settled it
  ThreadTag settled_by_;
};

/// Thread-safe.
class Tracer {
 public:
  static constexpr uint32_t kRecordings = 128;

  /// Every `every`-th decision, from the first.
  Tracer(uint32_t every, TimelineSink sink, const Clock* clock);

  /// A recording for a decision that is about to be opened, or null.
  Recording* Sample();
  /// By who opens it, before anybody else knows of it.
  static void Open(Recording& recording, const RequestState& state);
  /// By the last user, who hands it back with this. True when the host should be served soon.
  bool Finish(Recording& recording, const Ending& ending);
  /// Hands all that is finished to the host, unless another thread is at it.
  void Drain();

  [[nodiscard]] uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void Deliver(const Recording& recording);

  const uint32_t every_;
  const TimelineSink sink_;
  const Clock* const clock_;
  std::vector<std::unique_ptr<Recording>> recordings_;
  IndexStack<> free_;
  MpmcRing<uint32_t> done_;
  Timeline timeline_;                  // by who drains
  std::atomic<uint32_t> draining_{0};  // exchanged with acquire, cleared with release
  std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> dropped_{0};
  alignas(kCacheLine) std::atomic<uint64_t> count_{0};
};

}  // namespace adagents::internal
