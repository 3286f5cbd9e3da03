// A side effect of a decision that has to be kept or undone once it is known how the decision
// ended: a reservation of budget, of a frequency cap, of an inventory slot.
#pragma once

#include <cstdint>

namespace adagents {

/// Plain value. Given to Context::Take() by an agent right after the side effect. `settle` is
/// called exactly once, from whichever thread settles the decision (or at once when it already
/// was): with true when the decision's result keeps it, with false when it must be undone. It must
/// be short, must not block, must not throw, and must be safe to call from any thread.
struct Hold {
  void (*settle)(const Hold& hold, bool kept) = nullptr;
  void* object = nullptr;  ///< for `settle`: what was reserved from; must outlive the runtime
  uint64_t subject = 0;    ///< for the result to recognise it: a campaign's index, say
  int64_t amount = 0;
};

/// Most holds that one decision can take.
inline constexpr int kMaxHolds = 32;

}  // namespace adagents
