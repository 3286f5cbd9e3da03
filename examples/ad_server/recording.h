// Recorded requests, held in memory so that replaying measures deciding and not reading files.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ad_server {

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

 private:
  void Split();

  std::string text_;
  std::deque<std::string> taken_out_;  // requests that stood inside another object
  std::vector<Line> lines_;
};

}  // namespace ad_server
