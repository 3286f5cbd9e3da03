// Looks into a region over a file while another process writes it, or after it died, without
// knowing the types of what is in there (examples/inspect is this as a program).
//
//   auto view = RegionView::Open("/dev/shm/ads");
//   if (!view.ok()) ...
//   for (size_t i = 0; i < view->objects().size(); ++i) {
//     if (auto table = view->Table(i, {.max_sets = 1000})) Show(table->live, table->slots);
//   }
//
// It maps the file read-only and takes no lock, so it can neither change nor stop anything of the
// writer's. It follows the state types' own protocols: what it returns is whole, or it returns
// nothing. It checks every index and offset that it reads, so no bytes lead it astray. One thing
// it cannot help: a file that is truncated while it is mapped raises SIGBUS in who looks at it. A
// program may replace the missing pages then, as examples/inspect/fault_guard.h does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adagents/base/clock.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

struct CellView {
  uint64_t version = 0;  // writes so far
  uint32_t writing = 0;  // writers inside, the dead included
  std::vector<unsigned char> value;
};
struct BoundedCounterView {
  int64_t value = 0, limit = 0;
};
struct TableView {
  struct Entry {
    std::vector<unsigned char> key, value;
    /// Nanoseconds from now, not positive when expired; the largest int64_t for never.
    int64_t expires_in = 0;
  };
  uint64_t sets = 0;    // of the table
  uint64_t looked = 0;  // of them, at how many
  uint64_t slots = 0;   // entries that there could be, in the whole table
  // Estimates for the whole table from the sets that were looked at; exact when these are all.
  uint64_t live = 0;      // entries, expired ones that were not yet replaced included
  uint64_t expired = 0;   // of them
  uint64_t full = 0;      // sets without room for a new key
  uint64_t writing = 0;   // sets with a writer inside, the dead included
  uint64_t versions = 0;  // changes so far
  std::vector<Entry> some;
};
struct StreamView {
  uint64_t capacity = 0;
  uint64_t published = 0;             // so far
  std::vector<unsigned char> newest;  // event; empty when none, or replaced meanwhile
};
struct WindowsView {
  uint64_t lines = 0;   // of five slots, one for each window
  uint64_t looked = 0;  // of them, at how many
  uint64_t slots = 0;
  // Estimates for all from the lines that were looked at; exact when these are all.
  uint64_t opened = 0;   // slots that have a window, which may count nothing any more
  uint64_t opening = 0;  // slots and lines in which one is being opened, by the dead included
};

struct TableLook {
  /// Sets to look at, spread over the table; 0 for all. 192 bytes are read of each.
  uint64_t max_sets = 0;
  /// Which ones: another number, other sets.
  uint64_t start = 0;
  /// Entries to copy, at most.
  size_t entries = 0;
};

/// Thread-safe: only reads. Movable.
class RegionView {
 public:
  /// Errors are those of Region::Open, except for what does not matter to a look: the schema
  /// version, host, boot and who else has it open. `clock`, by which expiry is told, is the
  /// system's when null, and must outlive the view.
  static absl::StatusOr<RegionView> Open(const std::string& path, const Clock* clock = nullptr);
  ~RegionView();
  RegionView(RegionView&& other) noexcept;
  RegionView& operator=(RegionView&& other) noexcept;
  RegionView(const RegionView&) = delete;
  RegionView& operator=(const RegionView&) = delete;

  /// As of Open(): open anew to see what came later. What is inside objects is read when asked for.
  [[nodiscard]] const RegionHeader& header() const { return header_; }
  [[nodiscard]] const std::vector<RegionObject>& objects() const { return objects_; }

  // Nothing when objects()[index] is of another kind or is not there, when it cannot be what it
  // says it is, and when a writer changed it each of the thousand times that it was looked at.
  [[nodiscard]] std::optional<CellView> Cell(size_t index) const;
  [[nodiscard]] std::optional<int64_t> Counter(size_t index) const;
  [[nodiscard]] std::optional<BoundedCounterView> BoundedCounter(size_t index) const;
  [[nodiscard]] std::optional<TableView> Table(size_t index, const TableLook& look = {}) const;
  [[nodiscard]] std::optional<StreamView> Stream(size_t index) const;
  /// `max_lines`: to look at, spread over all; 0 for all. 64 bytes are read of each.
  [[nodiscard]] std::optional<WindowsView> Windows(size_t index, uint64_t max_lines = 0) const;

 private:
  RegionView() = default;
  const char* At(size_t index, ObjectKind kind) const;
  int64_t RegionTime() const;

  const char* base_ = nullptr;
  size_t bytes_ = 0;
  const Clock* clock_ = nullptr;
  bool same_boot_ = false;
  RegionHeader header_{};
  std::vector<RegionObject> objects_;
};

}  // namespace adagents
