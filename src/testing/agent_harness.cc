#include "adagents/testing/agent_harness.h"

#include <algorithm>

#include "adagents/base/type_name.h"
#include "fmt/format.h"
#include "testing/harness_agents.h"

namespace adagents::testing {

using adagents::internal::PortInfo;
using adagents::internal::PortKind;

namespace {

constexpr Key<internal::NoRequest> kNoRequest{"adagents.testing.request"};

/// The trace's entry of this agent; null when the trace does not know it.
const Trace::AgentEntry* EntryOf(const Trace& trace, std::string_view name, uint32_t* index) {
  for (uint32_t i = 0; i < trace.agents.size(); ++i) {
    if (trace.agents[i].name != name) continue;
    *index = i;
    return &trace.agents[i];
  }
  return nullptr;
}

absl::Status NotCalled(std::string_view agent, Cause cause, Verdict verdict) {
  const std::string_view why = cause != Cause::kNone ? Name(cause) : Name(verdict);
  return FailedPrecondition(fmt::format("agent '{}' was not called: {}", agent, why));
}

}  // namespace

bool AgentRun::HasReason(const ReasonCode& code) const {
  return std::any_of(reasons.begin(), reasons.end(),
                     [&](const Reason& reason) { return reason.code == &code; });
}

AgentHarness& AgentHarness::SetId(uint64_t id) {
  id_ = id;
  return *this;
}
AgentHarness& AgentHarness::SetDeadline(absl::Duration time) {
  deadline_ = time;
  return *this;
}
AgentHarness& AgentHarness::SetTick(absl::Duration step) {
  ticking_.set_step(step);
  return *this;
}
AgentHarness& AgentHarness::SetCancelled(bool cancelled) {
  cancelled_ = cancelled;
  return *this;
}
AgentHarness& AgentHarness::SetKeepsHolds(bool keeps) {
  keeps_holds_ = keeps;
  return *this;
}

AgentHarness& AgentHarness::SetInput(std::string_view key, const std::type_info& type,
                                     internal::AgentFactory writer) {
  inputs_.insert_or_assign(std::string(key), internal::Input{&type, std::move(writer)});
  return *this;
}

AgentHarness& AgentHarness::AddVote(std::string_view key, std::string_view by,
                                    internal::PortMaker vote) {
  auto voter = std::find_if(voters_.begin(), voters_.end(),
                            [&](const internal::Voter& each) { return each.name == by; });
  if (voter == voters_.end()) voter = voters_.insert(voter, {std::string(by), {}});
  voter->votes.insert_or_assign(std::string(key), std::move(vote));
  return *this;
}

AgentHarness& AgentHarness::ShareState(
    std::string_view key, const std::type_info& type,
    std::function<void(internal::HarnessRuntime::Builder&)> add) {
  states_.insert_or_assign(std::string(key), Shared{&type, std::move(add)});
  return *this;
}

absl::Status AgentHarness::CheckSetUp(const Agent& agent, const std::type_info* event) const {
  const std::string_view name = agent.options().name;
  std::string problems;
  const auto problem = [&](const std::string& text) {
    problems += (problems.empty() ? "" : "; ") + text;
  };
  bool listens = false, hears = false;
  for (const PortInfo& port : agent.ports()) {
    const std::string type = TypeName(*port.type);
    if (port.kind == PortKind::kOn) {
      listens = true;
      hears |= event != nullptr && *port.type == *event;
    } else if (port.kind == PortKind::kIn) {
      const auto input = inputs_.find(port.key);
      if (input == inputs_.end()) {
        if (!port.has_default) {
          problem(
              fmt::format("agent '{}' reads '{}' ({}), which the test does not set: call Set() "
                          "or SetAbsent()",
                          name, port.key, type));
        }
      } else if (*input->second.type != *port.type) {
        problem(fmt::format("agent '{}' reads '{}' as {}, but the test sets it as {}", name,
                            port.key, type, TypeName(*input->second.type)));
      }
    } else if (port.kind == PortKind::kState) {
      const auto state = states_.find(port.key);
      if (state == states_.end()) {
        problem(
            fmt::format("agent '{}' uses state '{}' ({}), which the test does not set: call "
                        "SetState()",
                        name, port.key, type));
      } else if (*state->second.type != *port.type) {
        problem(fmt::format("agent '{}' uses state '{}' as {}, but the test sets it as {}", name,
                            port.key, type, TypeName(*state->second.type)));
      }
    } else if (port.kind == PortKind::kOut && inputs_.contains(port.key)) {
      problem(
          fmt::format("agent '{}' writes '{}', which the test sets as an input", name, port.key));
    }
  }
  if (event == nullptr && listens) {
    problem(fmt::format("agent '{}' listens to events: call Send() instead of Run()", name));
  } else if (event != nullptr && !hears) {
    problem(fmt::format("agent '{}' does not listen to {}: it has no On<{}> port", name,
                        TypeName(*event), TypeName(*event)));
  }
  return problems.empty() ? absl::OkStatus() : InvalidArgument(problems);
}

absl::StatusOr<std::unique_ptr<internal::HarnessRuntime>> AgentHarness::Build(
    Agent& agent, internal::Call& call) const {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  options.clock = &ticking_;
  options.deadline = deadline_;
  options.reserve = absl::ZeroDuration();  // so that Context::deadline() is what the test set
  options.max_in_flight = 1;

  internal::HarnessRuntime::Builder builder(kNoRequest, internal::kDone);
  builder.Options(std::move(options)).Keeps([keeps = keeps_holds_](const auto&, const auto&) {
    return keeps;
  });
  for (const auto& [key, input] : inputs_) builder.AddFactory(input.writer);
  for (const internal::Voter& voter : voters_) {
    builder.AddFactory([&voter] { return std::make_unique<internal::VotingAgent>(voter); });
  }
  for (const auto& [key, state] : states_) state.add(builder);
  builder.AddFactory([&] { return std::make_unique<internal::UnderTest>(agent, call); });
  builder.AddFactory([&] { return std::make_unique<internal::Reader>(agent, call); });
  return builder.Build();
}

AgentRun AgentHarness::Run(Agent& agent) {
  AgentRun run;
  run.agent_ = agent.options().name;
  internal::Call call;
  call.stop_at_start = cancelled_;
  run.status = CheckSetUp(agent, nullptr);
  if (!run.status.ok()) return run;
  auto runtime = Build(agent, call);
  if (!runtime.ok()) {
    run.status = runtime.status();
    return run;
  }

  const Answer<internal::Done> answer =
      (*runtime)->Decide({}, {.explain = true, .id = id_, .stop = call.stop.get_token()});
  uint32_t index = 0;
  if (answer.trace != nullptr) {
    if (const auto* entry = EntryOf(*answer.trace, run.agent_, &index)) {
      run.outcome = entry->outcome;
      run.cause = entry->cause;
      for (const Trace::ReasonEntry& reason : answer.trace->reasons) {
        if (reason.agent == index) run.reasons.push_back(reason.reason);
      }
    }
  }
  run.status = call.called ? call.status : NotCalled(run.agent_, run.cause, answer.verdict);
  run.took = call.took;
  run.values_ = std::move(call.values);
  return run;
}

AgentRun AgentHarness::SendTo(Agent& agent, const std::type_info& event, const Publish& publish) {
  AgentRun run;
  run.agent_ = agent.options().name;
  internal::Call call;
  run.status = CheckSetUp(agent, &event);
  if (!run.status.ok()) return run;
  auto runtime = Build(agent, call);
  run.status = runtime.ok() ? publish(**runtime) : runtime.status();
  if (!run.status.ok()) return run;

  run.took = call.took;
  run.status = call.called ? call.status : NotCalled(run.agent_, Cause::kBusy, Verdict::kDecided);
  run.outcome = !call.called       ? Outcome::kSkipped
                : call.status.ok() ? Outcome::kRan
                                   : Outcome::kFailed;
  run.cause = call.status.ok() ? Cause::kNone : call.threw ? Cause::kThrew : Cause::kError;
  return run;
}

}  // namespace adagents::testing
