// Logs of events and outcomes, as CSV with a header line or in libFM's format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace train {

/// Which columns mean what; by name. Those that are not there are errors.
struct Columns {
  std::string label;                       ///< 0, 1, or empty where the row is an event only
  std::string time;                        ///< rows are sorted by it; empty: they are in order
  std::string session;                     ///< whose events belong together; empty: no sessions
  std::vector<std::string> token;          ///< what an event is described by
  std::vector<std::string> token_numbers;  ///< numbers among it; an empty cell is "not known"
  std::vector<std::string> features;       ///< of what was on offer
};

/// A row, as Columns name it.
struct Row {
  std::string session;
  std::vector<std::string> token;
  std::vector<float> token_numbers;  // NaN: not known
  std::vector<std::string> features;
  std::vector<std::pair<uint32_t, float>> sparse;  // libFM's index:value
  int label = -1;                                  // -1: an event only
};

/// RFC 4180, with or without quotes. InvalidArgument as "NAME:LINE: column N (its name): what is
/// wrong".
absl::StatusOr<std::vector<Row>> ParseCsv(std::string_view name, std::string_view text,
                                          const Columns& columns);

/// Lines of "label index:value index:value ...", label 0 or 1 (or -1, which is 0), as in Rendle's
/// libFM. InvalidArgument as "NAME:LINE: column N: what is wrong", columns being words.
absl::StatusOr<std::vector<Row>> ParseLibfm(std::string_view name, std::string_view text);

/// A made-up log as CSV, in which listeners come back to a genre that they like, and click on what
/// fits it. `sessions` of some 20 events and 4 offers each.
std::string GenerateLog(int sessions, uint64_t seed);

}  // namespace train
