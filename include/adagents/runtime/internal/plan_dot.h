// A plan as a picture: see Runtime::PlanDot().
// Thread safety: reads what no longer changes, and costs as they are at some moment.
#pragma once

#include <string>

#include "adagents/runtime/internal/plan.h"
#include "adagents/runtime/internal/strands.h"

namespace adagents::internal {

/// `strands`: how it is cut, or null when it runs as one loop.
[[nodiscard]] std::string PlanDot(const Plan& plan, const Strands* strands);

}  // namespace adagents::internal
