// What AgentHarness's templates need to be seen: agents that write what a test chose, and copies of
// what the agent under test wrote.
// Thread safety: one harness belongs to one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/runtime.h"
#include "adagents/testing/virtual_clock.h"

namespace adagents::testing {

class AgentRun;

namespace internal {

struct NoRequest {};
struct Done {
  bool done = false;
};
using HarnessRuntime = Runtime<NoRequest, Done>;

using AgentFactory = std::function<std::unique_ptr<Agent>()>;

/// The name by which the writer of input `key` appears in errors.
std::string InputName(std::string_view key);

/// An input as it was set: the type, and the agent that writes it.
struct Input {
  const std::type_info* type;
  AgentFactory writer;
};

template <class T>
class InputWriter final : public Agent {
 public:
  InputWriter(Key<T> key, std::shared_ptr<const T> value)
      : Agent({.name = InputName(key.name)}), out_(this, key), value_(std::move(value)) {}
  absl::Status Run(Context& ctx) override {
    if (value_ == nullptr) return NotFound("the test sets this input absent");
    ctx[out_] = *value_;
    return absl::OkStatus();
  }

 private:
  Out<T> out_;
  const std::shared_ptr<const T> value_;
};

template <class T>
AgentFactory WriterOf(Key<T> key, T value) {
  static_assert(std::is_copy_assignable_v<T>, "an input is copied for each run");
  auto shared = std::make_shared<const T>(std::move(value));
  return [key, shared] { return std::make_unique<InputWriter<T>>(key, shared); };
}
template <class T>
AgentFactory FailingWriterOf(Key<T> key) {
  return [key] { return std::make_unique<InputWriter<T>>(key, nullptr); };
}

/// One ballot: adds its port to a voter, and casts there.
struct VotePort {
  virtual ~VotePort() = default;
  virtual void Cast(Context& ctx) const = 0;
};
using PortMaker = std::function<std::unique_ptr<VotePort>(Agent*)>;

template <class T>
PortMaker VoteOf(ListKey<T> key, T value) {
  static_assert(std::is_copy_constructible_v<T>, "a ballot is copied for each run");
  struct TypedVote final : VotePort {
    TypedVote(Agent* voter, ListKey<T> list, std::shared_ptr<const T> cast)
        : port(voter, list), value(std::move(cast)) {}
    void Cast(Context& ctx) const override { ctx.Cast(port, T(*value)); }
    const Vote<T> port;
    const std::shared_ptr<const T> value;
  };
  auto shared = std::make_shared<const T>(std::move(value));
  return [key, shared](Agent* voter) { return std::make_unique<TypedVote>(voter, key, shared); };
}

/// A voter with its ballots, by list.
struct Voter {
  std::string name;
  std::map<std::string, PortMaker, std::less<>> votes;
};

/// Copies of values whose types only their ports know.
class CopiedValues {
 public:
  /// Null when there is no such value, or it has another type.
  [[nodiscard]] const void* Find(std::string_view key, const std::type_info& type) const;
  /// Throws std::logic_error that says why there is none.
  [[nodiscard]] const void* Get(std::string_view key, const std::type_info& type,
                                const AgentRun& run) const;

  /// Under `key`; remembers that it exists even when its type cannot be copied.
  void Copy(std::string_view key, const adagents::internal::TypeOps& ops, const void* from);
  void SetKnown(std::map<std::string, const std::type_info*, std::less<>> known);

 private:
  struct Value {
    const std::type_info* type;
    std::shared_ptr<const void> copy;  // null when its type cannot be copied
  };
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, const std::type_info*, std::less<>> known_;  // all that the agent can write
};

/// A virtual clock that also moves by itself, a step at each reading.
class TickingClock final : public Clock {
 public:
  explicit TickingClock(VirtualClock* clock) : clock_(clock) {}
  int64_t Now() const override {
    clock_->Advance(step_);
    return clock_->Now();
  }
  absl::Time WallNow() const override { return clock_->WallNow(); }
  void set_step(absl::Duration step) { step_ = step; }

 private:
  VirtualClock* const clock_;
  absl::Duration step_;
};

/// One call of the agent under test, filled in while it runs.
struct Call {
  bool called = false;
  bool threw = false;
  absl::Status status;
  absl::Duration took;
  std::stop_source stop;
  bool stop_at_start = false;
  CopiedValues values;
};

}  // namespace internal
}  // namespace adagents::testing
