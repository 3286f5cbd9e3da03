#include "adagents/runtime/internal/tracer.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace adagents {

std::string_view Name(Timeline::Kind kind) {
  using Kind = Timeline::Kind;
  switch (kind) {
    case Kind::kAgent:
      return "agent";
    case Kind::kNotRun:
      return "not run";
    case Kind::kRun:
      return "run";
    case Kind::kStrand:
      return "strand";
    case Kind::kHelper:
      return "waits for a helper";
    case Kind::kReplica:
      return "waits for a replica";
    case Kind::kCaller:
      return "waits for the answer";
    case Kind::kEnding:
      return "ending";
    case Kind::kCallback:
      return "callback";
  }
  return "unknown";
}

std::string_view Name(Lane lane) {
  return lane == Lane::kPremium ? "premium" : lane == Lane::kNormal ? "normal" : "background";
}

namespace internal {

ThreadTag ThreadTag::Here() {
  static thread_local const auto id = static_cast<uint32_t>(gettid());
  ThreadTag tag;
  tag.id = id;
  if (pthread_getname_np(pthread_self(), tag.name, sizeof(tag.name)) != 0) tag.name[0] = '\0';
  return tag;
}

void Recording::Add(Kind kind, int64_t begin) {
  Span span;
  span.kind = kind;
  span.begin = begin;
  span.end = Now();
  span.thread = ThreadTag::Here();
  spans_.Append(span);
}

void Recording::AddCall(const AgentRecord* agent, Outcome outcome, Cause cause, uint32_t round,
                        int64_t begin, int64_t end) {
  Span span;
  const bool ran = outcome == Outcome::kRan || outcome == Outcome::kFailed;
  span.kind = ran ? Kind::kAgent : Kind::kNotRun;
  span.outcome = outcome;
  span.cause = cause;
  span.round = round;
  span.agent = agent;
  span.begin = begin;
  span.end = end;
  span.thread = ThreadTag::Here();
  spans_.Append(span);
}

void Recording::BeginRun() {
  const int64_t now = Now();
  if (begun_ == 0) begun_ = now;
  EndWait(now);
  run_since_ = now;
}

void Recording::BeforeReplica(const AgentRecord* agent) {
  waits_since_ = Now();
  waits_for_ = agent;
  ran_on_ = ThreadTag::Here();
}

// The thread that began the wait could not say so: the decision was another's at once.
void Recording::EndWait(int64_t now) {
  const AgentRecord* agent = std::exchange(waits_for_, nullptr);
  if (agent == nullptr) return;
  Span span;
  span.kind = Kind::kRun;
  span.begin = run_since_;
  span.end = waits_since_;
  span.thread = ran_on_;
  spans_.Append(span);
  span.kind = Kind::kReplica;
  span.begin = waits_since_;
  span.end = now;
  span.agent = agent;
  span.thread = {};
  spans_.Append(span);
}

void Recording::Settled() {
  settled_ = Now();
  settled_by_ = ThreadTag::Here();
}

Tracer::Tracer(uint32_t every, TimelineSink sink, const Clock* clock)
    : every_(std::max(every, 1u)),
      sink_(std::move(sink)),
      clock_(clock),
      free_(kRecordings),
      done_(kRecordings) {
  for (uint32_t i = 0; i < kRecordings; ++i) {
    recordings_.push_back(std::make_unique<Recording>(i, clock));
  }
}

Recording* Tracer::Sample() {
  if (count_.fetch_add(1, std::memory_order_relaxed) % every_ != 0) return nullptr;
  const uint32_t index = free_.Pop();
  if (index != IndexStack<>::kNone) return recordings_[index].get();
  dropped_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

void Tracer::Open(Recording& recording, const RequestState& state) {
  recording.spans_.Clear();
  recording.id_ = state.id;
  recording.mode_ = state.mode;
  recording.lane_ = state.lane;
  recording.arrival_ = state.arrival;
  recording.admitted_ = state.admitted;
  recording.deadline_ = state.deadline.nanos();
  recording.begun_ = recording.settled_ = 0;
  recording.waits_for_ = nullptr;
}

bool Tracer::Finish(Recording& recording, const Ending& ending) {
  recording.EndWait(recording.settled_);  // when it was cut while it waited
  recording.verdict_ = ending.verdict;
  recording.defaulted_ = ending.defaulted;
  recording.late_ = ending.late;
  recording.ended_ = clock_->Now();
  done_.Push(recording.index_);  // as many places as recordings
  return done_.SizeGuess() >= kRecordings / 4;
}

void Tracer::Drain() {
  // Who finds it taken leaves its own records to the other, or to the next.
  if (draining_.exchange(1, std::memory_order_acquire) != 0) return;
  uint32_t index = 0;
  while (done_.TryPop(&index)) {
    Deliver(*recordings_[index]);
    free_.Push(index);
  }
  draining_.store(0, std::memory_order_release);
}

void Tracer::Deliver(const Recording& recording) {
  static constexpr std::string_view kModes[] = {"strict", "trusted", "async"};
  try {
    Timeline& t = timeline_;
    t.id = recording.id_;
    t.mode = kModes[static_cast<size_t>(recording.mode_)];
    t.lane = recording.lane_;
    t.verdict = recording.verdict_;
    t.defaulted = recording.defaulted_;
    t.late = recording.late_;
    t.arrival = recording.arrival_;
    t.admitted = recording.admitted_;
    t.begun = recording.begun_;
    t.deadline = recording.deadline_;
    t.settled = recording.settled_;
    t.settled_by = recording.settled_ != 0 ? recording.settled_by_.id : 0;
    t.ended = recording.ended_;
    t.spans_dropped = static_cast<int>(recording.spans_.dropped());
    t.spans.clear();
    t.threads.clear();
    const auto add_thread = [&t](const ThreadTag& tag) {
      const bool known = std::any_of(t.threads.begin(), t.threads.end(),
                                     [&](const auto& thread) { return thread.id == tag.id; });
      if (tag.id != 0 && !known) t.threads.push_back({tag.id, tag.name});
    };
    for (uint32_t i = 0; i < recording.spans_.size(); ++i) {
      const Recording::Span from = recording.spans_.At(i);
      add_thread(from.thread);
      t.spans.push_back({from.kind, from.outcome, from.cause, from.thread.id, from.round,
                         from.begin, from.end,
                         from.agent == nullptr ? std::string() : from.agent->name});
    }
    if (t.settled_by != 0) add_thread(recording.settled_by_);
    sink_(t);
  } catch (...) {  // the host's code, or no memory
  }
  delivered_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace internal
}  // namespace adagents
