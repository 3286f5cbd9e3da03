// Negotiation: agents that run again, round after round, until what they carry over settles.
// Thread safety: as layout.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adagents/runtime/internal/type_ops.h"

namespace adagents::internal {

/// As asked for: see Runtime::Builder::Loop.
struct LoopSpec {
  using Equal = bool (*)(const void*, const void*);

  std::string key;  // carried
  const TypeOps* ops;
  Equal equal;
  int max_rounds;
};

/// As compiled. Its agents stand next to each other in every order.
struct PlanLoop {
  std::vector<uint32_t> members;  // in order
  uint32_t writer = 0;            // of what is carried
  uint32_t carried = 0;           // where in the board this round's value lies,
  uint32_t previous = 0;          // the value of the round before,
  uint32_t round = 0;             // and the number of this round, from 0
  LoopSpec::Equal equal = nullptr;
  const TypeOps* ops = nullptr;
  uint32_t max_rounds = 1;
};

}  // namespace adagents::internal
