// The agents that surround the one under test.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "adagents/testing/agent_harness.h"

namespace adagents::testing::internal {

inline constexpr Key<Done> kDone{"adagents.testing.done"};

/// A port that is described at run time.
class DescribedPort final : public Port {
 public:
  DescribedPort(Agent* agent, const adagents::internal::PortInfo& info) : Port(agent, info) {}
};

/// Casts a voter's ballots.
class VotingAgent final : public Agent {
 public:
  explicit VotingAgent(const Voter& voter);
  absl::Status Run(Context& ctx) override;

 private:
  std::vector<std::unique_ptr<VotePort>> votes_;
};

/// Stands in the plan for the test's own agent: has the same options and, in the same order, the
/// same ports, so that the agent's own port objects fit the context that it hands through.
class UnderTest final : public Agent {
 public:
  UnderTest(Agent& agent, Call& call);
  absl::Status Run(Context& ctx) override;

 private:
  Agent& agent_;
  Call& call_;
  std::deque<DescribedPort> ports_;
};

/// Runs after the agent under test and copies what that published. The types of its ports are known
/// only from the agent's own, so it reads them as bytes: a context finds a value by the port's
/// ordinal, and those of `Bytes` count as this agent's do.
class Reader final : public Agent {
 public:
  Reader(const Agent& agent, Call& call);
  absl::Status Run(Context& ctx) override;

 private:
  /// Never runs; holds ports whose ordinals are those of the reader's.
  class Bytes final : public Agent {
   public:
    Bytes() : Agent({.name = "bytes"}) {}
    absl::Status Run(Context&) override { return absl::OkStatus(); }
    std::deque<In<std::byte>> values;
    std::deque<InAll<std::byte>> lists;
  };
  struct Read {
    std::string key;
    const adagents::internal::TypeOps* ops;
    const In<std::byte>* value = nullptr;
    const InAll<std::byte>* list = nullptr;
  };

  const std::string name_;
  Call& call_;
  Out<Done> done_;
  std::deque<DescribedPort> ports_;
  Bytes bytes_;
  std::vector<Read> reads_;
};

}  // namespace adagents::testing::internal
