#include "event_desk.h"

#include <chrono>
#include <thread>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr size_t kMostErrors = 5;  // listed; the rest is counted
/// How often an event is offered to an engine that has no room; then something is wrong with it.
constexpr int kMostTries = 10'000;
constexpr auto kPause = std::chrono::milliseconds(1);

std::string NameOf(openrtb::NoticeKind kind) {
  switch (kind) {
    case openrtb::NoticeKind::kWin:
      return "win";
    case openrtb::NoticeKind::kBilling:
      return "billing";
    case openrtb::NoticeKind::kLoss:
      return "loss";
    case openrtb::NoticeKind::kImpression:
      return "impression";
    case openrtb::NoticeKind::kStart:
      return "start";
    case openrtb::NoticeKind::kFirstQuartile:
      return "first_quartile";
    case openrtb::NoticeKind::kMidpoint:
      return "midpoint";
    case openrtb::NoticeKind::kThirdQuartile:
      return "third_quartile";
    case openrtb::NoticeKind::kComplete:
      return "completion";
    case openrtb::NoticeKind::kClick:
      return "click";
    case openrtb::NoticeKind::kError:
      return "error";
  }
  return "unknown";
}

}  // namespace

void EventDesk::Take(std::string_view file, size_t number, const EventLine& line) {
  std::string name;
  if (const absl::Status status = Apply(line, &name); !status.ok()) {
    return Refuse(file, number, Message(status));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.lines;
  ++counts_.by_name[name];
}

void EventDesk::Refuse(std::string_view file, size_t number, std::string_view error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.lines;
  ++counts_.refused;
  if (counts_.first_errors.size() >= kMostErrors) return;
  counts_.first_errors.push_back(fmt::format("{}: line {}, {}", file, number, error));
}

EventCounts EventDesk::counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

absl::Status EventDesk::Apply(const EventLine& line, std::string* name) {
  if (line.notice.empty()) {
    *name = line.name;
    return line.outcome ? Record(*line.outcome) : absl::OkStatus();
  }
  const auto notice = signer_.Verify(line.notice, clock_.WallNow());
  if (!notice.ok()) return notice.status();
  *name = NameOf(notice->kind);
  const auto outcome = openrtb::OutcomeOf(*notice);
  return outcome ? Record(*outcome) : absl::OkStatus();
}

/// Nothing is lost because the engine is busy: it is offered again. One whose money was settled,
/// and which only its listeners had no room for, is only published again: settled twice it would
/// count as a win that came twice. Nobody else publishes, so a drop is that of this event.
absl::Status EventDesk::Record(const ads::OutcomeEvent& event) {
  const std::lock_guard<std::mutex> lock(offering_);
  absl::Status status;
  bool settled = false;
  for (int i = 0; i < kMostTries; ++i) {
    status = settled ? engine_.runtime().Publish(event, event.decision) : engine_.Record(event);
    if (inline_) (void)engine_.runtime().RunPending();
    if (status.code() != absl::StatusCode::kResourceExhausted) return status;
    const uint64_t dropped = engine_.runtime().GetStats().events_dropped;
    settled = settled || dropped != dropped_;
    dropped_ = dropped;
    if (inline_) {
      (void)engine_.Tick();
    } else {
      std::this_thread::sleep_for(kPause);
    }
  }
  return status;
}

}  // namespace ad_server
