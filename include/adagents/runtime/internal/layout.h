// Where a plan puts values in a board's memory, and how a port finds its own.
// Thread safety: plain values, filled when a plan is compiled and read by any thread from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "adagents/runtime/internal/type_ops.h"

namespace adagents::internal {

enum class SlotKind : uint8_t {
  kValue,    // lies in the board at offset
  kRequest,  // the board holds a pointer to it at offset
  kNobody,   // no writer: the port's own absent value
  kBallots,  // kInAll: offset of the Ballot array, extra indexes Plan::lists
  kVote,     // value at offset, its "cast" flag (uint32_t) at extra
  kCarried,  // the round before's value at offset, the round's number (uint32_t) at extra
  kOther,    // state and events
};

/// One port of one agent, resolved.
struct PortSlot {
  uint32_t offset = 0;
  uint32_t extra = 0;
  uint32_t writer = 0;  // kValue: index of the agent that writes it
  SlotKind kind = SlotKind::kOther;
};

/// One value in the board that is not reset by copying the prototype's bytes.
struct ManagedSlot {
  uint32_t offset;
  const TypeOps* ops;
  const void* value;  // the default to assign, or null: reset
};

}  // namespace adagents::internal
