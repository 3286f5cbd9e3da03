// Plots of what was judged, as SVG files that need nothing else. Functions of their arguments.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "judge.h"

namespace market_sim {

/// WORLD-learning.svg (click-through over time), WORLD-calibration.svg (true rates over predicted
/// ones) and WORLD-fatigue.svg (click-through by how often the brand was heard before) into
/// `folder`, which is made when it is not there. The error names the file.
absl::Status Plot(const WorldRuns& runs, const std::string& folder);

}  // namespace market_sim
