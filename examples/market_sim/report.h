// Tables and JSON of what was judged. Functions of their arguments: thread-safe.
#pragma once

#include <string>
#include <vector>

#include "judge.h"

namespace market_sim {

struct Setup {
  uint64_t first_seed = 1;
  size_t seeds = 0, sessions = 0;
  double warmup = 0;
};

std::string Table(const Setup& setup, const WorldRuns& runs);
std::string Json(const Setup& setup, const std::vector<WorldRuns>& worlds);

}  // namespace market_sim
