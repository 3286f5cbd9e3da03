// For tests that make files of their own.
#pragma once

#include <string>

namespace adagents::model {

/// Writes size and digest into the header of a file's bytes (at least 64).
std::string SealModel(std::string bytes);

}  // namespace adagents::model
