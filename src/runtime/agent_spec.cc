// One agent of a plan: its replicas, and the pool of those that are bounded.
#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "adagents/base/type_name.h"
#include "adagents/runtime/internal/plan.h"
#include "fmt/format.h"

namespace adagents::internal {

ReplicaPool::ReplicaPool(Agent* first, std::vector<std::unique_ptr<Agent>> others)
    : others_(std::move(others)), free_{first} {
  for (const auto& replica : others_) free_.push_back(replica.get());
}

Agent* ReplicaPool::Take(RequestState* waiter, bool* queued) {
  const std::lock_guard<std::mutex> lock(mutex_);
  *queued = false;
  if (free_.empty()) {
    if (waiter != nullptr && waiter->gate.Read(waiter->generation) == End::kOpen) {
      waiting_.push_back(waiter);
      *queued = true;
    }
    return nullptr;
  }
  Agent* agent = free_.back();
  free_.pop_back();
  return agent;
}

bool ReplicaPool::Forget(RequestState* waiter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::erase(waiting_, waiter) > 0;
}

RequestState* ReplicaPool::GiveBack(Agent* agent) {
  const std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(agent);
  if (waiting_.empty()) return nullptr;
  RequestState* next = waiting_.front();
  waiting_.pop_front();
  return next;
}

absl::StatusOr<std::unique_ptr<Agent>> AgentSpec::Create() const {
  try {
    std::unique_ptr<Agent> agent = factory_();
    if (agent == nullptr) return InvalidArgument("an agent's factory returned null");
    return agent;
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    return FailedPrecondition(fmt::format("constructing agent '{}' threw: {}",
                                          name_.empty() ? "?" : name_, error.what()));
  } catch (...) {
    return FailedPrecondition(fmt::format("constructing agent '{}' threw", name_));
  }
}

absl::StatusOr<std::shared_ptr<AgentSpec>> AgentSpec::Make(Factory factory) {
  auto spec = std::make_shared<AgentSpec>();
  spec->factory_ = std::move(factory);
  auto first = spec->Create();
  if (!first.ok()) return first.status();
  spec->name_ = (*first)->options().name;
  spec->replicas_.push_back(*std::move(first));
  spec->bound_.push_back(false);
  return spec;
}

absl::Status AgentSpec::Bind(Agent& agent, const StateStore& states) const {
  for (const PortInfo& port : agent.ports()) {
    if (port.kind != PortKind::kState) continue;
    const auto found = states.find(port.key);
    if (found == states.end()) {
      return InvalidArgument(fmt::format(
          "agent '{}' uses state '{}', which nobody shares: add Share(StateKey<{}>{{\"{}\"}}, ...)",
          name_, port.key, TypeName(*port.type), port.key));
    }
    if (*found->second.type != *port.type) {
      return InvalidArgument(fmt::format("agent '{}' uses state '{}' as {}, but it is shared as {}",
                                         name_, port.key, TypeName(*port.type),
                                         TypeName(*found->second.type)));
    }
    *port.state = found->second.object.get();
  }
  return absl::OkStatus();
}

absl::StatusOr<Agent*> AgentSpec::Replica(uint32_t crew, const StateStore& states) {
  if (first().options().reentrant) crew = 0;
  while (replicas_.size() <= crew) {
    replicas_.emplace_back();
    bound_.push_back(false);
  }
  if (replicas_[crew] == nullptr) {
    auto made = Create();
    if (!made.ok()) return made.status();
    replicas_[crew] = *std::move(made);
  }
  if (!bound_[crew]) {
    if (absl::Status status = Bind(*replicas_[crew], states); !status.ok()) return status;
    bound_[crew] = true;
  }
  return replicas_[crew].get();
}

absl::Status AgentSpec::MakePool(const StateStore& states) {
  const int size = first().options().replicas;
  if (size <= 0 || pool_ != nullptr) return absl::OkStatus();
  auto first = Replica(0, states);
  if (!first.ok()) return first.status();
  std::vector<std::unique_ptr<Agent>> others;
  for (int i = 1; i < size; ++i) {
    auto made = Create();
    if (!made.ok()) return made.status();
    if (absl::Status status = Bind(**made, states); !status.ok()) return status;
    others.push_back(*std::move(made));
  }
  pool_ = std::make_unique<ReplicaPool>(*first, std::move(others));
  return absl::OkStatus();
}

}  // namespace adagents::internal
