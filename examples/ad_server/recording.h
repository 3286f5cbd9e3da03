// Recorded requests, held in memory so that replaying measures deciding and not reading files.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ad_server {

/// Of Unix seconds, to the microsecond.
absl::Time TimeOf(double unix_seconds);

/// Immutable once read, so thread-safe. Movable.
class Recording {
 public:
  struct Line {
    std::string_view json;  // openrtb::Reader::kPadding bytes behind it may be read
    size_t number = 0;      // in the file, from 1
    double arrival = 0;     // Unix seconds; 0: not recorded
  };

  /// NotFound when the file cannot be read, DataLoss when it cannot be unpacked.
  static absl::StatusOr<Recording> ReadFile(const std::string& path);

  const std::vector<Line>& lines() const { return lines_; }
  /// The first and last arrival, Unix seconds; 0 when none was recorded.
  double first() const { return first_; }
  double last() const { return last_; }

 private:
  void Split();

  std::string text_;
  std::deque<std::string> taken_out_;  // requests that stood inside another object
  std::vector<Line> lines_;
  double first_ = 0, last_ = 0;
};

}  // namespace ad_server
