// Files of the examples, read whole; .xz is unpacked whatever the name.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace examples {

/// NotFound when the file cannot be read, DataLoss when it cannot be unpacked.
absl::StatusOr<std::string> ReadText(const std::string& path);

}  // namespace examples
