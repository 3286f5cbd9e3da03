// Agent: one specialist. Subclass it, declare its ports as members, and write Run:
//
//   class Bedtime final : public Agent {
//     In<Request> request_{this, kRequest};
//     Out<Calm> calm_{this, kCalm, Calm{0.5f}};
//    public:
//     Bedtime() : Agent({.name = "bedtime"}) {}
//     absl::Status Run(Context& ctx) override {
//       ctx[calm_].score = ctx[request_].hour >= 22;
//       return absl::OkStatus();
//     }
//   };
//
// Thread safety: calls of one replica never overlap, so members need no locks; the runtime makes as
// many replicas as it has executing threads. What replicas must share belongs in State. An agent
// does no I/O and does not block: remote data arrives as events.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adagents/runtime/port.h"

namespace adagents {

class Context;

struct AgentOptions {
  /// Unique within a runtime; in traces, statistics and errors.
  std::string_view name;
  /// A call that takes longer counts as a miss for the circuit breaker.
  absl::Duration budget = absl::Milliseconds(5);
  /// No decision without it (a guard, a consent check): when it does not run, the answer is empty.
  bool must_run = false;
  /// Run may be called concurrently: one instance serves every thread.
  bool reentrant = false;
  /// At most this many instances (0: one per executing thread), for agents that are heavy to hold.
  /// While all are busy an optional agent takes its defaults, a required one and events wait.
  int replicas = 0;
};

class Agent {
 public:
  explicit Agent(const AgentOptions& options) : wiring_(std::make_unique<Wiring>(options)) {}
  virtual ~Agent() = default;
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// One call for one decision or event. Anything but OK, and any exception, counts as failed: the
  /// outputs are discarded.
  virtual absl::Status Run(Context& ctx) = 0;

  [[nodiscard]] const AgentOptions& options() const { return wiring_->options; }
  [[nodiscard]] const std::vector<internal::PortInfo>& ports() const { return wiring_->ports; }

 private:
  friend class Port;
  // What is read when a team is built. Apart, so that a call finds an agent's ports and its own
  // members beside its vtable.
  struct Wiring {
    explicit Wiring(const AgentOptions& from) : options(from), name(from.name) {
      options.name = name;
    }
    AgentOptions options;
    std::string name;
    std::vector<internal::PortInfo> ports;
  };
  const std::unique_ptr<Wiring> wiring_;
};

inline Port::Port(Agent* agent, const internal::PortInfo& info)
    : ordinal_(static_cast<uint32_t>(agent->wiring_->ports.size())) {
  agent->wiring_->ports.push_back(info);
}

}  // namespace adagents
