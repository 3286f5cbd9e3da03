#include "look.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include "adagents/base/status.h"
#include "fault_guard.h"

namespace inspect {
namespace {

using namespace adagents;  // NOLINT: an application

// The lock would tell for certain, but trying it could keep a writer from getting it.
Writer StateOf(const RegionHeader& header) {
  if (header.closed == 1) return Writer::kClosed;
  if (header.writer_pid <= 0) return Writer::kGone;
  return kill(header.writer_pid, 0) == 0 || errno == EPERM ? Writer::kRunning : Writer::kGone;
}

Object LookAt(const RegionView& view, size_t i, const LookOptions& options) {
  Object out{.facts = view.objects()[i], .view = {}};
  const auto set = [&out](auto found) {
    if (found) out.view = *std::move(found);
  };
  switch (out.facts.kind) {
    case ObjectKind::kCell:
      set(view.Cell(i));
      break;
    case ObjectKind::kCounter:
      set(view.Counter(i));
      break;
    case ObjectKind::kBoundedCounter:
      set(view.BoundedCounter(i));
      break;
    case ObjectKind::kTable:
      set(view.Table(i, {.max_sets = options.sets, .entries = options.entries}));
      break;
    case ObjectKind::kStream:
      set(view.Stream(i));
      break;
    case ObjectKind::kWindows:
      set(view.Windows(i, options.sets));
      break;
  }
  return out;
}

}  // namespace

absl::StatusOr<Look> TakeLook(const LookOptions& options) {
  const FaultGuard guard;
  // Opened anew each time: the file may have been replaced, and objects may have been added.
  const auto view = RegionView::Open(options.path);
  if (guard.faults() == 0 && !view.ok()) return view.status();
  Look out{.path = options.path, .time = absl::Now(), .header = {}, .objects = {}};
  if (view.ok()) {
    out.header = view->header();
    out.writer = StateOf(out.header);
    for (size_t i = 0; i < view->objects().size() && guard.faults() == 0; ++i) {
      if (!options.object.empty() && view->objects()[i].Name() != options.object) continue;
      out.objects.push_back(LookAt(*view, i, options));
    }
  }
  if (guard.faults() > 0) return DataLoss(options.path + ": was truncated while it was looked at");
  if (out.objects.empty() && !options.object.empty()) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      options.path + ": has no object '" + options.object + "'");
  }
  return out;
}

}  // namespace inspect
