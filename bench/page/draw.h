// The page of plots.
#pragma once

#include <string>
#include <vector>

#include "results.h"

namespace adagents::bench {

/// One HTML document that needs nothing else: what the last run measured, each row beside its
/// floor and peers, with what earlier runs on the same processor measured. `runs` by date, not
/// empty.
std::string DrawPage(const std::vector<Run>& runs);

}  // namespace adagents::bench
