// The vocabulary that the cases of this folder share.
#pragma once

#include <memory>
#include <string>

#include "adagents/runtime/agent.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/port.h"

struct Listener {
  int hour = 0;
};
struct Calm {
  float score = 0;
};
inline constexpr adagents::Key<Listener> kListener{"listener"};
inline constexpr adagents::Key<Calm> kCalm{"calm"};
inline constexpr adagents::ListKey<Calm> kOpinions{"opinions"};
