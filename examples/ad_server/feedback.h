// What comes back while requests are decided: the lines of --events, and those of the simulated
// exchange.
#pragma once

#include <atomic>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "event_desk.h"
#include "exchange.h"
#include "options.h"
#include "setting.h"

namespace ad_server {

/// Lines of a file one after the other. A pipe is followed until its writer closes it; a file that
/// still grows is read to the end that it has. Thread-compatible.
class LineReader {
 public:
  /// "-": standard input; .xz is unpacked first. NotFound when it cannot be read.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  static constexpr size_t kMostBytes = size_t{1} << 16;  // of a line

  /// Blank lines are left out; of a longer line than kMostBytes come the first kMostBytes + 1.
  /// False at the end.
  bool Next(std::string* line);
  size_t number() const { return number_; }  // of the line, from 1
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::ifstream file_;
  std::istringstream text_;
  std::istream* in_ = nullptr;
  std::string buffer_;
  size_t number_ = 0;
};

/// In real time a thread each applies what is read and what the exchange reports; with --inline
/// CatchUp() and Finish() do. Answered() is thread-safe, the others are for one thread.
class Feedback {
 public:
  /// `setting` outlives it.
  static absl::StatusOr<std::unique_ptr<Feedback>> Open(const Options& options, Setting& setting);
  ~Feedback();

  /// Begins to apply, in real time.
  void Start();
  /// What was answered to request `number`.
  void Answered(uint64_t number, const adagents::ads::Request& request,
                const adagents::ads::Decision& decision);
  /// With --inline: applies what is due by the virtual clock.
  void CatchUp();
  /// Applies all the rest: with --inline by moving the clock on, else at once. DataLoss when
  /// --events-out could not be written.
  absl::Status Finish();

  EventCounts counts() const { return desk_.counts(); }
  const Exchange* exchange() const { return exchange_ ? &*exchange_ : nullptr; }

 private:
  Feedback(const Options& options, Setting& setting);
  bool Peek();
  bool ApplyNext(absl::Time until);
  bool TakeFromExchange();
  absl::Time NextAt();
  void ReadAll();
  void Report();

  const Options& options_;
  Setting& setting_;
  EventDesk desk_;
  std::unique_ptr<LineReader> file_;
  std::optional<EventLine> peeked_;  // of the file
  std::optional<Exchange> exchange_;
  std::ofstream out_;
  size_t exchange_lines_ = 0;
  std::atomic<bool> done_{false};
  std::thread reader_, reporter_;
};

}  // namespace ad_server
