// How two configurations decide one recording differently.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ad_server {

/// Whether the file holds decisions as --out writes them, and not campaigns.
bool HoldsDecisions(const std::string& path);

/// The lines of an --out file. NotFound when it cannot be read.
absl::StatusOr<std::vector<std::string>> ReadDecisions(const std::string& path);

/// In words: totals of both sides, what changed, the first changes one by one. InvalidArgument
/// that names file, line and field when one is no decision.
absl::StatusOr<std::string> Compare(const std::string& name_a, const std::vector<std::string>& a,
                                    const std::string& name_b, const std::vector<std::string>& b);

}  // namespace ad_server
