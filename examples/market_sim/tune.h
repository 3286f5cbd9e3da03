// Tunes the blended model, so that the baseline is as good as it can be made.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "simulate.h"

namespace market_sim {

/// Goes through the settings one after the other, keeps of each the one whose decisions are worth
/// most over `seeds` seeds from `base.seed` on, and prints all that it has tried. Not by
/// click-through, which an arm can raise by bidding so little that it wins the best moments alone.
/// Settings that `fixed` names ("bits=12,width=1") stay as they are.
absl::Status Tune(const RunOptions& base, std::string_view fixed, size_t seeds, size_t jobs);

}  // namespace market_sim
