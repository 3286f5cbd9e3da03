// Context: what one agent sees during one call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "adagents/base/clock.h"
#include "adagents/base/deadline.h"
#include "adagents/base/random.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/hold.h"
#include "adagents/runtime/internal/layout.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/port.h"
#include "adagents/runtime/trace.h"

namespace adagents {

namespace internal {
class Executor;
struct ListLayout;
struct PlanAgent;
}  // namespace internal

/// Valid during one call of Run, on that thread only.
class Context {
 public:
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The value of an input; valid until Run returns.
  template <class T>
  [[nodiscard]] const T& operator[](const In<T>& port) const {
    const internal::PortSlot& slot = slots_[port.ordinal()];
    if (slot.kind == internal::SlotKind::kValue && !missing_) [[likely]] {
      return *At<T>(slot.offset);
    }
    const void* value = Find(slot);  // not here: agents' code is cold when their turn comes
    return value != nullptr ? *static_cast<const T*>(value) : port.absent_;
  }

  /// The event that this call is for.
  template <class E>
  [[nodiscard]] const E& operator[](const On<E>&) const {
    return *static_cast<const E*>(event_);
  }

  /// All ballots that were cast, in the order in which their agents were added.
  template <class T>
  [[nodiscard]] std::span<const Ballot<T>> operator[](const InAll<T>& port) const;

  /// The place of an output, reset or holding its default. Private to this call until Run returns
  /// OK, then published whole.
  template <class T>
  [[nodiscard]] T& operator[](const Out<T>& port) {
    return *At<T>(slots_[port.ordinal()].offset);
  }

  /// Casts this agent's ballot; the last one counts.
  template <class T>
  void Cast(const Vote<T>& port, T value) {
    const internal::PortSlot& slot = slots_[port.ordinal()];
    *At<T>(slot.offset) = std::move(value);
    *At<uint32_t>(slot.extra) = 1;
  }

  /// When the answer is due. An agent that cannot finish by then should return early.
  [[nodiscard]] Deadline deadline() const { return state_ ? state_->deadline : Deadline(); }
  /// True once nobody waits for this call's outputs: cancelled, expired or settled.
  [[nodiscard]] bool cancelled() const;
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  /// The round of the loop that the agent is in (see Runtime::Builder::Loop), from 0; 0 outside.
  [[nodiscard]] uint32_t round() const;
  /// Seeded by the decision's id, the agent's name and the round: the same numbers for the same
  /// decision.
  [[nodiscard]] Random& random();
  /// The decision's id; 0 during an event.
  [[nodiscard]] uint64_t decision_id() const { return state_ ? state_->id : 0; }

  /// Whether reasons are kept for this decision: skip costly ones when not.
  [[nodiscard]] bool explaining() const { return state_ != nullptr && state_->explain; }
  /// Leaves a reason; kept when explaining(), up to 128 a decision.
  void Because(const Reason& reason);

  /// Ties a side effect to the decision's end. FailedPrecondition when the decision is already
  /// settled, ResourceExhausted beyond kMaxHolds; the side effect has then been undone already.
  absl::Status Take(const Hold& hold);

 private:
  friend class internal::Executor;
  explicit Context(const Clock* clock) : clock_(clock) {}

  template <class T>
  T* At(uint32_t offset) const {
    return std::launder(reinterpret_cast<T*>(base_ + offset));
  }
  /// The value of an input port; null when it has none but the port's own.
  [[nodiscard]] const void* Find(const internal::PortSlot& slot) const;

  std::byte* base_ = nullptr;
  const internal::PortSlot* slots_ = nullptr;
  const void* event_ = nullptr;
  internal::RequestState* state_ = nullptr;
  const internal::BoardMemory* board_ = nullptr;
  const Clock* clock_;
  const internal::PlanAgent* info_ = nullptr;
  uint32_t agent_ = 0;
  bool missing_ = false;  // whether any agent of this decision produced nothing
  bool seeded_ = false;
  Random random_;
};

namespace internal {
/// The writers of a ListKey, for its readers.
struct ListLayout {
  struct Writer {
    uint32_t agent;
    uint32_t value_offset;
    uint32_t cast_offset;
    std::string_view name;
  };
  const Writer* begin;
  size_t size;
};
[[nodiscard]] ListLayout ListOf(const BoardMemory& board, uint32_t list);
[[nodiscard]] bool Published(const BoardMemory& board, uint32_t agent);
/// Whether an agent with this outcome left usable outputs: its own, or its defaults.
[[nodiscard]] bool Stands(const Plan& plan, uint32_t agent, uint8_t outcome);
}  // namespace internal

template <class T>
std::span<const Ballot<T>> Context::operator[](const InAll<T>& port) const {
  static_assert(std::is_trivially_destructible_v<Ballot<T>>);
  const internal::PortSlot& slot = slots_[port.ordinal()];
  const internal::ListLayout list = internal::ListOf(*board_, slot.extra);
  auto* ballots = reinterpret_cast<Ballot<T>*>(base_ + slot.offset);
  size_t count = 0;
  for (size_t i = 0; i < list.size; ++i) {
    const auto& writer = list.begin[i];
    if (!internal::Published(*board_, writer.agent) || *At<uint32_t>(writer.cast_offset) == 0) {
      continue;
    }
    auto* ballot = new (ballots + count++) Ballot<T>();
    ballot->by_ = writer.name;
    ballot->value_ = At<T>(writer.value_offset);
  }
  return {ballots, count};
}

}  // namespace adagents
