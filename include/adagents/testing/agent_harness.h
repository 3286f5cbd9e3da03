// Runs one agent alone, with inputs that the test chooses and a clock that the test moves:
//
//   AgentHarness harness;
//   harness.Set(kRequest, Request{.hour = 23});
//   AgentRun run = harness.Run<Bedtime>();       // constructor arguments go here
//   CHECK(run.status.ok());
//   CHECK(run.Get(kCalm).score == 1.0f);
//   CHECK(run.HasReason(kLateHour));
//
// The agent runs in a real Runtime with the inline scheduler, between agents that write the chosen
// inputs and one that reads whatever it wrote; nothing is simulated. Each call of Run is one
// decision of a fresh runtime. An agent that keeps something in its members from call to call is
// passed by reference: harness.Run(agent). One that listens to events gets them by harness.Send().
//
// A mistake in the test's set-up (an input that nobody set, a type that differs, state that is
// missing) is an InvalidArgument in run.status that names the agent, the key and what to call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/runtime.h"
#include "adagents/testing/internal/harness_parts.h"
#include "adagents/testing/virtual_clock.h"

namespace adagents::testing {

/// What became of one call, and what the rest of a team would have seen of it. Thread-compatible.
class AgentRun {
 public:
  /// What the agent's Run returned, or kInternal with the text of what it threw. When it was not
  /// called: why not, a mistake in the set-up included.
  absl::Status status;
  Outcome outcome = Outcome::kPending;
  Cause cause = Cause::kNone;
  /// On the harness's clock; nothing unless that moves, see AgentHarness::SetTick.
  absl::Duration took;
  /// In the order in which they were left. Events leave none.
  std::vector<Reason> reasons;

  /// The published value of an output, or its default when the agent failed and has one. Throws
  /// std::logic_error with the reason when there is none, which a test framework shows.
  template <class T>
  [[nodiscard]] const T& Get(Key<T> key) const {
    return *static_cast<const T*>(values_.Get(key.name, typeid(T), *this));
  }
  /// The same, or null when there is none.
  template <class T>
  [[nodiscard]] const T* Find(Key<T> key) const {
    return static_cast<const T*>(values_.Find(key.name, typeid(T)));
  }
  /// What the agent cast: one value, or none.
  template <class T>
  [[nodiscard]] std::vector<T> Votes(ListKey<T> key) const {
    const auto* value = static_cast<const T*>(values_.Find(key.name, typeid(T)));
    return value == nullptr ? std::vector<T>() : std::vector<T>{*value};
  }
  [[nodiscard]] bool HasReason(const ReasonCode& code) const;

 private:
  friend class AgentHarness;
  friend class internal::CopiedValues;
  std::string agent_;
  internal::CopiedValues values_;
};

/// Not thread-safe: one thread per harness. What is set stays set for the following runs; setting
/// it again replaces it.
class AgentHarness {
 public:
  AgentHarness() = default;
  AgentHarness(const AgentHarness&) = delete;
  AgentHarness& operator=(const AgentHarness&) = delete;

  /// The value of an input.
  template <class T>
  AgentHarness& Set(Key<T> key, std::type_identity_t<T> value) {
    return SetInput(key.name, typeid(T), internal::WriterOf(key, std::move(value)));
  }
  /// The input's writer is there but produces nothing, as when it failed: an In with an absent
  /// value reads that; without one the agent is not called and its outcome is kSkipped or
  /// kDefaulted.
  template <class T>
  AgentHarness& SetAbsent(Key<T> key) {
    return SetInput(key.name, typeid(T), internal::FailingWriterOf(key));
  }
  /// A ballot of the voter `by`, for agents with an InAll port; in the order in which the voters
  /// first cast.
  template <class T>
  AgentHarness& Cast(ListKey<T> key, std::string_view by, std::type_identity_t<T> value) {
    return AddVote(key.name, by, internal::VoteOf(key, std::move(value)));
  }
  /// State that the agent reaches through a State port. The test keeps the object and looks at it
  /// afterwards.
  template <class S>
  AgentHarness& SetState(StateKey<S> key, std::type_identity_t<S>& object) {
    return SetState(key, std::shared_ptr<S>(std::shared_ptr<S>(), &object));
  }
  template <class S>
  AgentHarness& SetState(StateKey<S> key, std::shared_ptr<std::type_identity_t<S>> object) {
    return ShareState(key.name, typeid(S), [key, object](internal::HarnessRuntime::Builder& to) {
      to.ShareObject(key, object);
    });
  }

  /// The decision's id, which seeds Context::random(); 1 unless set. Equal ids give equal numbers.
  AgentHarness& SetId(uint64_t id);
  /// Time from the call to its deadline; 50 ms unless set.
  AgentHarness& SetDeadline(absl::Duration time);
  /// Lets time pass: every reading of the clock, by the agent or the runtime, moves it by `step`.
  /// Makes agents that watch their deadline testable; zero, and so still, unless set.
  AgentHarness& SetTick(absl::Duration step);
  /// The caller cancels at the very moment in which the agent is called, so that
  /// Context::cancelled() is true from its first line on.
  AgentHarness& SetCancelled(bool cancelled);
  /// Whether the result keeps what the agent reserved through Context::Take(); true unless set.
  AgentHarness& SetKeepsHolds(bool keeps);

  /// Stands still between readings; an agent that the test passes it to may advance it.
  VirtualClock& clock() { return clock_; }

  /// One decision with a new agent.
  template <class A, class... Args>
  AgentRun Run(Args&&... args) {
    A agent(std::forward<Args>(args)...);
    return Run(agent);
  }
  /// One decision with the test's own agent, which keeps its members between runs.
  AgentRun Run(Agent& agent);

  /// One event for a new agent with an On<E> port.
  template <class A, class E, class... Args>
  AgentRun Send(E event, Args&&... args) {
    A agent(std::forward<Args>(args)...);
    return Send(agent, std::move(event));
  }
  /// One event for the test's own agent.
  template <class E>
  AgentRun Send(Agent& agent, E event) {
    return SendTo(agent, typeid(E), [&event](internal::HarnessRuntime& runtime) {
      return runtime.Publish(std::move(event), 0);
    });
  }

 private:
  using Publish = std::function<absl::Status(internal::HarnessRuntime&)>;
  struct Shared {
    const std::type_info* type;
    std::function<void(internal::HarnessRuntime::Builder&)> add;
  };

  AgentHarness& SetInput(std::string_view key, const std::type_info& type,
                         internal::AgentFactory writer);
  AgentHarness& AddVote(std::string_view key, std::string_view by, internal::PortMaker vote);
  AgentHarness& ShareState(std::string_view key, const std::type_info& type,
                           std::function<void(internal::HarnessRuntime::Builder&)> add);
  AgentRun SendTo(Agent& agent, const std::type_info& event, const Publish& publish);

  absl::Status CheckSetUp(const Agent& agent, const std::type_info* event) const;
  absl::StatusOr<std::unique_ptr<internal::HarnessRuntime>> Build(Agent& agent,
                                                                  internal::Call& call) const;

  VirtualClock clock_;
  internal::TickingClock ticking_{&clock_};
  std::map<std::string, internal::Input, std::less<>> inputs_;
  std::vector<internal::Voter> voters_;
  std::map<std::string, Shared, std::less<>> states_;
  uint64_t id_ = 1;
  absl::Duration deadline_ = absl::Milliseconds(50);
  bool cancelled_ = false;
  bool keeps_holds_ = true;
};

}  // namespace adagents::testing
