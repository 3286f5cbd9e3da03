#include "adagents/runtime/board.h"

#include <cstring>
#include <new>

#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/plan.h"

namespace adagents {
namespace internal {

BoardMemory::BoardMemory(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)),
      data_(static_cast<std::byte*>(
          ::operator new (plan_->board_size(), std::align_val_t{plan_->board_align()}))),
      outcomes_(std::make_unique<std::atomic<uint8_t>[]>(plan_->agents().size())),
      causes_(std::make_unique<uint8_t[]>(plan_->agents().size())) {
  std::memset(data_, 0, plan_->board_size());
  for (const ManagedSlot& slot : plan_->managed()) slot.ops->construct(data_ + slot.offset);
  Clear();
}

BoardMemory::~BoardMemory() {
  for (const ManagedSlot& slot : plan_->managed()) slot.ops->destroy(data_ + slot.offset);
  ::operator delete (data_, std::align_val_t{plan_->board_align()});
}

[[gnu::hot]] void BoardMemory::SetRequest(const void* request) {
  std::memcpy(data_ + plan_->request_offset(), &request, sizeof request);
}

namespace {
// Without its default the board would be of no use: a type whose copies throw ends the process.
void ResetManaged(std::byte* data, const ManagedSlot& slot) noexcept {
  if (slot.value != nullptr) {
    slot.ops->assign(data + slot.offset, slot.value);
  } else {
    slot.ops->reset(data + slot.offset);
  }
}
}  // namespace

[[gnu::hot]] void BoardMemory::Clear() {
  std::memcpy(data_, plan_->prototype(), plan_->plain_size());
  for (const ManagedSlot& slot : plan_->managed()) ResetManaged(data_, slot);
  // Relaxed: the decision's own hand-over publishes the fresh board.
  const size_t agents = plan_->agents().size();
  for (size_t i = 0; i < agents; ++i) {
    outcomes_[i].store(static_cast<uint8_t>(Outcome::kPending), std::memory_order_relaxed);
  }
}

void BoardMemory::ResetOutputsOf(uint32_t agent) {
  const PlanAgent& info = plan_->agents()[agent];
  for (const ManagedSlot& slot : info.plain) {
    std::memcpy(data_ + slot.offset, plan_->prototype() + slot.offset, slot.ops->size);
  }
  for (const ManagedSlot& slot : info.managed) ResetManaged(data_, slot);
}

ListLayout ListOf(const BoardMemory& board, uint32_t list) { return board.plan().list(list); }

bool Published(const BoardMemory& board, uint32_t agent) {
  return board.Seen(agent) == static_cast<uint8_t>(Outcome::kRan);
}

bool Stands(const Plan& plan, uint32_t agent, uint8_t outcome) {
  return outcome == static_cast<uint8_t>(Outcome::kRan) ||
         (outcome != static_cast<uint8_t>(Outcome::kPending) &&
          outcome != static_cast<uint8_t>(Outcome::kLate) && !plan.agents()[agent].required);
}

}  // namespace internal

const void* Board::FindRaw(std::string_view key, const std::type_info& type) const {
  if (memory_ == nullptr) return nullptr;
  uint32_t writer = 0, offset = 0;
  if (!memory_->plan().Find(key, type, &writer, &offset)) return nullptr;
  if (!internal::Stands(memory_->plan(), writer, sealed_[writer])) return nullptr;
  return memory_->data() + offset;
}

const void* Context::Find(const internal::PortSlot& slot) const {
  switch (slot.kind) {
    case internal::SlotKind::kRequest:
      return *At<const void*>(slot.offset);
    case internal::SlotKind::kValue:
      if (!internal::Stands(board_->plan(), slot.writer, board_->Seen(slot.writer))) return nullptr;
      return base_ + slot.offset;
    case internal::SlotKind::kCarried:
      return *At<uint32_t>(slot.extra) > 0 ? base_ + slot.offset : nullptr;
    default:
      return nullptr;
  }
}

uint32_t Context::round() const {
  const internal::PlanLoop* loop = board_ != nullptr ? board_->plan().LoopOf(agent_) : nullptr;
  return loop != nullptr ? *At<uint32_t>(loop->round) : 0;
}

bool Context::cancelled() const {
  return state_ != nullptr && (state_->gate.Read(state_->generation) != internal::End::kOpen ||
                               state_->stop.stop_requested());
}

Random& Context::random() {
  if (!seeded_) {
    random_ = Random(state_ != nullptr ? state_->id : 0, info_->hash + round());
    seeded_ = true;
  }
  return random_;
}

void Context::Because(const Reason& reason) {
  if (!explaining() || state_->notes == nullptr) return;
  internal::Notes& notes = *state_->notes;
  const int at = notes.reasons.fetch_add(1, std::memory_order_relaxed);
  if (at >= internal::Notes::kMaxReasons) return;
  notes.entries[at].reason = reason;
  notes.entries[at].agent.store(agent_ + 1, std::memory_order_release);
}

absl::Status Context::Take(const Hold& hold) {
  if (hold.settle == nullptr) return InvalidArgument("a hold needs a settle function");
  if (state_ == nullptr) return FailedPrecondition("an event has no decision to tie a hold to");
  const int at = state_->next_hold.fetch_add(1, std::memory_order_relaxed);
  if (at >= kMaxHolds) {
    hold.settle(hold, false);
    return ResourceExhausted("a decision takes at most 32 holds");
  }
  state_->holds[at] = hold;
  if (!state_->gate.Register(state_->generation, at)) {
    hold.settle(hold, false);
    return FailedPrecondition("the decision is settled: nothing can be reserved for it any more");
  }
  return absl::OkStatus();
}

}  // namespace adagents
