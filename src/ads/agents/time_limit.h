// When work on a request has to come to an end, for loops that a hostile request could make long.
#pragma once

#include <cstdint>
#include <limits>

#include "adagents/base/clock.h"

namespace adagents::ads::internal {

/// Plain value. Without a clock there is no limit.
struct TimeLimit {
  const Clock* clock = nullptr;
  int64_t until = std::numeric_limits<int64_t>::max();  // ns, steady time
  [[nodiscard]] bool Passed() const { return clock != nullptr && clock->Now() >= until; }
};

}  // namespace adagents::ads::internal
