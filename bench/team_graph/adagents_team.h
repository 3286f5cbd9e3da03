// The team as agents of the runtime: each reads its inputs through ports and writes one value.
// Ports and failure kinds are mixed as in a real team: the guard must run, signals that have a
// neutral value are optional, what the decision cannot do without is required.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/context.h"
#include "team.h"

namespace adagents::bench {

struct TeamRequest {
  uint64_t number = 0;
};
struct TeamSignal {
  uint64_t value = 0;
};

inline constexpr Key<TeamRequest> kTeamRequest{"bid_request"};

/// What agent I writes.
template <int I>
inline constexpr Key<TeamSignal> kTeamSignal{kGraph[I].name};

constexpr bool IsOptional(int agent) {
  return agent == kProfile || agent == kAttention || agent == kTiming || agent == kPacing;
}

/// A member that holds all inputs of agent I, in the graph's order.
template <int I, class Seq = std::make_index_sequence<kGraph[I].inputs>>
struct TeamInputs;
template <int I, std::size_t... K>
struct TeamInputs<I, std::index_sequence<K...>> {
  explicit TeamInputs(Agent* agent)
      : port{In<TeamSignal>(agent, kTeamSignal<kGraph[I].input[K]>)...} {}
  uint64_t Think(const Team& team, const Context& ctx) const {
    return bench::Think<I>(team, ctx[port[K]].value...);
  }
  std::array<In<TeamSignal>, sizeof...(K)> port;
};
template <>
struct TeamInputs<kRequestAgent, std::index_sequence<>> {
  explicit TeamInputs(Agent* agent) : port(agent, kTeamRequest) {}
  uint64_t Think(const Team& team, const Context& ctx) const {
    return bench::Think<kRequestAgent>(team, ctx[port].number);
  }
  In<TeamRequest> port;
};

template <int I>
struct TeamOutput {
  explicit TeamOutput(Agent* agent) : port(MakePort(agent)) {}
  static Out<TeamSignal> MakePort(Agent* agent) {
    if constexpr (IsOptional(I)) {
      return Out<TeamSignal>(agent, kTeamSignal<I>, TeamSignal{});
    } else {
      return Out<TeamSignal>(agent, kTeamSignal<I>);
    }
  }
  Out<TeamSignal> port;
};

template <int I>
class TeamAgent final : public Agent {
 public:
  explicit TeamAgent(const Team* team)
      : Agent({.name = kGraph[I].name, .must_run = I == kGuard}), team_(team) {}

  absl::Status Run(Context& ctx) override {
    ctx[output_.port].value = inputs_.Think(*team_, ctx);
    return absl::OkStatus();
  }

 private:
  const Team* team_;
  TeamInputs<I> inputs_{this};
  TeamOutput<I> output_{this};
};

}  // namespace adagents::bench
