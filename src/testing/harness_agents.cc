#include "testing/harness_agents.h"

#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>

#include "adagents/base/type_name.h"
#include "fmt/format.h"

namespace adagents::testing::internal {

using adagents::internal::PortInfo;
using adagents::internal::PortKind;
using adagents::internal::TypeOps;

std::string InputName(std::string_view key) { return fmt::format("the test's '{}'", key); }

VotingAgent::VotingAgent(const Voter& voter) : Agent({.name = voter.name}) {
  for (const auto& [key, make] : voter.votes) votes_.push_back(make(this));
}

absl::Status VotingAgent::Run(Context& ctx) {
  for (const auto& vote : votes_) vote->Cast(ctx);
  return absl::OkStatus();
}

UnderTest::UnderTest(Agent& agent, Call& call)
    : Agent(agent.options()), agent_(agent), call_(call) {
  for (const PortInfo& port : agent.ports()) ports_.emplace_back(this, port);
}

absl::Status UnderTest::Run(Context& ctx) {
  call_.called = true;
  if (call_.stop_at_start) call_.stop.request_stop();
  const int64_t started = ctx.clock().Now();
  const auto took = [&] { return absl::Nanoseconds(ctx.clock().Now() - started); };
  const auto threw = [&](std::string_view what) {
    call_.threw = true;
    call_.took = took();
    call_.status = MakeStatus(absl::StatusCode::kInternal, fmt::format("threw: {}", what));
  };
  try {
    call_.status = agent_.Run(ctx);
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    threw(error.what());
    throw;
  } catch (...) {
    threw("an exception that is no std::exception");
    throw;
  }
  call_.took = took();
  return call_.status;
}

Reader::Reader(const Agent& agent, Call& call)
    : Agent({.name = fmt::format("the reader of '{}'", agent.options().name)}),
      name_(agent.options().name),
      call_(call),
      done_(this, kDone) {
  std::map<std::string, const std::type_info*, std::less<>> known;
  bytes_.values.emplace_back(&bytes_, Key<std::byte>{"done"});  // has the ordinal of done_
  for (const PortInfo& port : agent.ports()) {
    const bool value = port.kind == PortKind::kOut;
    if (!value && port.kind != PortKind::kVote) continue;
    known.emplace(port.key, port.type);
    ports_.emplace_back(this, PortInfo{.kind = value ? PortKind::kIn : PortKind::kInAll,
                                       .key = port.key,
                                       .type = port.type,
                                       .ops = port.ops,
                                       .has_default = true});
    Read& read = reads_.emplace_back(Read{std::string(port.key), port.ops});
    if (value) {
      read.value = &bytes_.values.emplace_back(&bytes_, Key<std::byte>{port.key}, std::byte{0});
    } else {
      read.list = &bytes_.lists.emplace_back(&bytes_, ListKey<std::byte>{port.key});
    }
  }
  call_.values.SetKnown(std::move(known));
}

absl::Status Reader::Run(Context& ctx) {
  for (const Read& read : reads_) {
    if (read.value != nullptr) {
      // A port that has no value to show refers to its own absent one.
      const std::byte& at = ctx[*read.value];
      const auto* from = &at;
      const auto* port = reinterpret_cast<const std::byte*>(read.value);
      if (from < port || from >= port + sizeof(In<std::byte>)) {
        call_.values.Copy(read.key, *read.ops, from);
      }
    } else {
      for (const Ballot<std::byte>& ballot : ctx[*read.list]) {
        if (ballot.by() == name_) call_.values.Copy(read.key, *read.ops, &*ballot);
      }
    }
  }
  ctx[done_].done = true;
  return absl::OkStatus();
}

const void* CopiedValues::Find(std::string_view key, const std::type_info& type) const {
  const auto value = values_.find(key);
  return value == values_.end() || *value->second.type != type ? nullptr : value->second.copy.get();
}

void CopiedValues::SetKnown(std::map<std::string, const std::type_info*, std::less<>> known) {
  known_ = std::move(known);
}

void CopiedValues::Copy(std::string_view key, const TypeOps& ops, const void* from) {
  std::shared_ptr<void> copy;
  if (ops.assign != nullptr) {
    const std::align_val_t align{ops.align};
    void* const memory = ::operator new(ops.size, align);
    ops.construct(memory);
    copy = std::shared_ptr<void>(memory, [&ops, align](void* at) {
      ops.destroy(at);
      ::operator delete(at, align);
    });
    ops.assign(memory, from);
  }
  values_.insert_or_assign(std::string(key), Value{ops.id, std::move(copy)});
}

const void* CopiedValues::Get(std::string_view key, const std::type_info& type,
                              const AgentRun& run) const {
  if (const void* found = Find(key, type)) return found;
  const auto known = known_.find(key);
  std::string why;
  if (known == known_.end()) {
    why = run.outcome == Outcome::kPending ? "it was not called" : "it has no Out port for it";
  } else if (*known->second != type) {
    why = fmt::format("it writes that as {}, not as {}", TypeName(*known->second), TypeName(type));
  } else if (values_.contains(key)) {
    why = fmt::format("{} cannot be copied; look at it through state instead", TypeName(type));
  } else {
    why = fmt::format("its outcome is '{}'", Name(run.outcome));
  }
  if (!run.status.ok()) why += fmt::format(" ({})", Message(run.status));
  throw std::logic_error(fmt::format("agent '{}' published no '{}': {}", run.agent_, key, why));
}

}  // namespace adagents::testing::internal
