// One look into a region: everything that is shown of it, copied out, so that nothing shown can
// change or vanish any more.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "adagents/blackboard/region_view.h"

namespace inspect {

struct Object {
  adagents::RegionObject facts;
  /// The view of its kind; nothing when it kept changing while it was looked at.
  std::variant<std::monostate, adagents::CellView, int64_t, adagents::BoundedCounterView,
               adagents::TableView, adagents::StreamView, adagents::WindowsView>
      view;
};

enum class Writer { kRunning, kClosed, kGone };

struct Look {
  std::string path;
  absl::Time time;
  adagents::RegionHeader header;
  Writer writer = Writer::kGone;
  std::vector<Object> objects;
};

struct LookOptions {
  std::string path;
  /// Only the object of this name; empty for all.
  std::string object;
  /// Sets of a table, or lines of windows, to look at; 0 for all. So many tell its load to within
  /// 2 %.
  uint64_t sets = 2000;
  /// Entries of each table to copy.
  size_t entries = 5;
};

/// The errors are those of RegionView::Open, DataLoss when the file was truncated meanwhile, and
/// NotFound when there is no object of that name.
absl::StatusOr<Look> TakeLook(const LookOptions& options);

}  // namespace inspect
