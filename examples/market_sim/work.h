// Many runs on several threads, with progress on a terminal.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "simulate.h"

namespace market_sim {

/// The results of `runs`, in their order; `jobs` at one time, at least 1. The first error, which
/// names the run. Says on standard error how far it is, when that is a terminal.
absl::StatusOr<std::vector<Result>> RunAll(const std::vector<RunOptions>& runs, size_t jobs);

}  // namespace market_sim
