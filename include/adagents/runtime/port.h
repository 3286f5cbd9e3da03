// Ports: the typed members through which an agent reads and writes the blackboard. They are all
// that the runtime needs to know of an agent: order, types and needs follow from them.
//
//   class Bedtime final : public Agent {
//     In<Request> request_{this, kRequest};
//     Out<Calm> calm_{this, kCalm, Calm{0.5f}};
//     ...
//
// A port holds an ordinal, never a slot: which slot that is follows from the plan at the moment of
// the call, through Context. Thread safety: immutable once its agent is constructed.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "adagents/runtime/internal/type_ops.h"
#include "adagents/runtime/key.h"

namespace adagents {

class Agent;
class Context;

namespace internal {

enum class PortKind : uint8_t { kIn, kOut, kVote, kInAll, kState, kOn };

struct PortInfo {
  PortKind kind;
  std::string_view key;  // empty for kOn
  const std::type_info* type;
  const TypeOps* ops;              // null for kState, and for what never lies on a board
  bool has_default = false;        // kIn: absent value; kOut: default
  const void* fallback = nullptr;  // the default's address, inside the port
  void** state = nullptr;          // kState: where to put the state's address
};

}  // namespace internal

/// The common part. Not copyable and not movable: a port is a member of its agent.
class Port {
 public:
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  [[nodiscard]] uint32_t ordinal() const { return ordinal_; }

 protected:
  Port(Agent* agent, const internal::PortInfo& info);
  ~Port() = default;

 private:
  uint32_t ordinal_;
};

/// Reads `key`. Without an absent value, Build() fails when nobody writes the key, and the agent is
/// not called when its writer produced nothing.
template <class T>
class In : public Port {
 public:
  In(Agent* agent, Key<T> key)
      : Port(agent, {internal::PortKind::kIn, key.name, &typeid(T), &internal::OpsOf<T>()}) {}
  /// `absent` stands in when there is no writer or it produced nothing.
  In(Agent* agent, Key<T> key, T absent)
      : Port(agent, {internal::PortKind::kIn, key.name, &typeid(T), &internal::OpsOf<T>(), true}),
        absent_(std::move(absent)) {}

 private:
  friend class Context;
  T absent_{};
};

/// Writes `key`. With a default for every output an agent is optional: when it does not run in
/// time, the defaults stand. Without one it is required. A default is copied before every decision,
/// which must not throw: where memory runs out meanwhile, the process ends (std::terminate).
template <class T>
class Out : public Port {
 public:
  Out(Agent* agent, Key<T> key)
      : Port(agent, {internal::PortKind::kOut, key.name, &typeid(T), &internal::OpsOf<T>()}) {}
  Out(Agent* agent, Key<T> key, T value)
      : Port(agent, {internal::PortKind::kOut, key.name, &typeid(T), &internal::OpsOf<T>(), true,
                     &default_}),
        default_(std::move(value)) {
    static_assert(std::is_copy_assignable_v<T>, "a default has to be copied");
  }

 private:
  T default_{};
};

/// One of many writers of `key`. Never makes an agent required: who casts nothing is not counted.
template <class T>
class Vote : public Port {
 public:
  Vote(Agent* agent, ListKey<T> key)
      : Port(agent, {internal::PortKind::kVote, key.name, &typeid(T), &internal::OpsOf<T>()}) {}
};

/// What one agent cast; valid during the reader's Run.
template <class T>
class Ballot {
 public:
  [[nodiscard]] std::string_view by() const { return by_; }
  [[nodiscard]] const T& operator*() const { return *value_; }
  [[nodiscard]] const T* operator->() const { return value_; }

 private:
  friend class Context;
  std::string_view by_;
  const T* value_ = nullptr;
};

/// Reads all ballots of `key`, in the order in which their writers were added. No writer is fine.
template <class T>
class InAll : public Port {
 public:
  InAll(Agent* agent, ListKey<T> key)
      : Port(agent, {internal::PortKind::kInAll, key.name, &typeid(T), nullptr}) {}
};

/// Access to state that outlives decisions; Build() fails unless Share() provides `key`.
template <class S>
class State : public Port {
 public:
  State(Agent* agent, StateKey<S> key)
      : Port(agent,
             {internal::PortKind::kState, key.name, &typeid(S), nullptr, false, nullptr, &state_}) {
  }
  S* operator->() const { return static_cast<S*>(state_); }
  S& operator*() const { return *static_cast<S*>(state_); }

 private:
  void* state_ = nullptr;
};

/// Makes the agent run on Publish(E) instead of on decisions.
template <class E>
class On : public Port {
 public:
  explicit On(Agent* agent)
      : Port(agent, {internal::PortKind::kOn, {}, &typeid(E), &internal::OpsOf<E>()}) {}
};

}  // namespace adagents
