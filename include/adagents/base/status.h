// absl::Status spoken in std:: vocabulary. Debian 12's Abseil has a string_view of its own, so its
// InvalidArgumentError and StrCat do not take a std::string_view there; these do everywhere.
// The library makes its errors only through this header.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace adagents {

/// An error with `code` and `message`. Thread-safe.
[[nodiscard]] inline absl::Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, {message.data(), message.size()});
}
[[nodiscard]] inline absl::Status InvalidArgument(std::string_view message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, message);
}
[[nodiscard]] inline absl::Status FailedPrecondition(std::string_view message) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, message);
}
[[nodiscard]] inline absl::Status NotFound(std::string_view message) {
  return MakeStatus(absl::StatusCode::kNotFound, message);
}
[[nodiscard]] inline absl::Status ResourceExhausted(std::string_view message) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, message);
}
[[nodiscard]] inline absl::Status Unavailable(std::string_view message) {
  return MakeStatus(absl::StatusCode::kUnavailable, message);
}
[[nodiscard]] inline absl::Status DataLoss(std::string_view message) {
  return MakeStatus(absl::StatusCode::kDataLoss, message);
}

/// The status's message as a std::string_view, valid as long as `status`.
[[nodiscard]] inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace adagents
