// Timelines as a file in Chrome's trace event format, which ui.perfetto.dev and chrome://tracing
// show. A row per thread with what ran on it, one inside the other; a row per
// decision with its waits in lane and queue, its deadline (when it came to that) and its end.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "adagents/base/status.h"
#include "adagents/runtime/timeline.h"

namespace adagents {

struct ChromeTraceOptions {
  std::string process = "adagents";                ///< the name shown
  int64_t max_bytes = int64_t{256} * 1024 * 1024;  ///< of the file; timelines beyond are left out
};

/// Thread-safe. The file is complete between two calls of Add(): each writes its events and the
/// document's end over the end before it. A process that is killed within one can leave the last
/// timeline cut short.
class ChromeTraceFile {
 public:
  /// Creates or empties the file; an error names it.
  static absl::StatusOr<std::unique_ptr<ChromeTraceFile>> Create(const std::string& path,
                                                                 ChromeTraceOptions options = {});
  ~ChromeTraceFile();
  ChromeTraceFile(const ChromeTraceFile&) = delete;
  ChromeTraceFile& operator=(const ChromeTraceFile&) = delete;

  /// Does I/O: for RuntimeOptions::trace_sink, not for a decision's thread.
  void Add(const Timeline& timeline);

  /// The first error in writing; what came before it is in the file, what came later is not.
  [[nodiscard]] absl::Status status() const;
  [[nodiscard]] uint64_t written() const;   ///< timelines
  [[nodiscard]] uint64_t left_out() const;  ///< for max_bytes, or after an error

 private:
  ChromeTraceFile(std::string path, int file, ChromeTraceOptions options);
  void Append(std::string text);

  const std::string path_;
  const int file_;
  const ChromeTraceOptions options_;
  const int process_;
  mutable std::mutex mutex_;                           // guards the rest
  std::unordered_map<uint32_t, std::string> threads_;  // as they were last named
  int64_t end_ = 0;                                    // where the document's end begins
  bool empty_ = true;                                  // no event yet
  uint64_t written_ = 0, left_out_ = 0;
  absl::Status status_;
};

}  // namespace adagents
