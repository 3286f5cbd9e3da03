// Where event lines arrive: checks their signatures, tells the engine, and counts.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/ads/engine.h"
#include "adagents/base/clock.h"
#include "events.h"

namespace ad_server {

struct EventCounts {
  uint64_t lines = 0, refused = 0;
  std::map<std::string, uint64_t> by_name;
  std::vector<std::string> first_errors;  // each with file, line and field
};

/// Thread-safe. It is the only one to record events in its engine.
class EventDesk {
 public:
  /// All outlive it; nothing was recorded yet. `inline_scheduler`: events run on the caller, one
  /// after the other.
  EventDesk(adagents::ads::Engine& engine, const adagents::openrtb::NoticeSigner& signer,
            const adagents::Clock& clock, bool inline_scheduler)
      : engine_(engine), signer_(signer), clock_(clock), inline_(inline_scheduler) {}

  /// A line that was read from line `number` of `file`; it counts now, whatever its `at`.
  void Take(std::string_view file, size_t number, const EventLine& line);
  /// One that could not be read.
  void Refuse(std::string_view file, size_t number, std::string_view error);
  EventCounts counts() const;

 private:
  absl::Status Apply(const EventLine& line, std::string* name);
  absl::Status Record(const adagents::ads::OutcomeEvent& event);

  adagents::ads::Engine& engine_;
  const adagents::openrtb::NoticeSigner& signer_;
  const adagents::Clock& clock_;
  const bool inline_;
  std::mutex offering_;   // one event at a time
  uint64_t dropped_ = 0;  // that the engine's runtime had no room for; under offering_
  mutable std::mutex mutex_;
  EventCounts counts_;
};

}  // namespace ad_server
