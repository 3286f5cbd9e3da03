// Where state lives: one block of memory that tables, streams, cells and counters are cut from.
//
// Anonymous memory is the default and dies with the process. A region over a file, in /dev/shm for
// shared memory or on a disk, outlives it: the next process opens it, finds its objects by name and
// goes on. One process writes (a file lock, which the kernel releases when it dies); others may
// look at it meanwhile (region_view.h, examples/inspect).
//
//   auto region = Region::Open("/dev/shm/ads", {.bytes = size_t{1} << 30});
//   if (!region.ok()) ...                        // says which field of which file is wrong
//   Table<uint64_t, Session> sessions({.capacity = 100'000, .region = &*region, .name =
//   "sessions"}); auto floor = region->Place<Cell<Price>>("floor", Price{}); if
//   (!region->status().ok()) ...              // an object of that name is of another kind or type
//
// Killed at any moment, the writer leaves what it had fully published, whole; its half-done work is
// taken back when the region is opened again. What is refused rather than guessed at: another
// layout, schema, hash function or host, a file that is truncated or whose header or directory was
// altered, and one whose machine went down while it was open, for then its pages may be of
// different moments.
// Times: entries expire on steady time, which each boot counts anew. A region counts on: after a
// reboot its time is what it was, plus what the wall clock says went by.
// Nothing inside a region is a pointer, so it may be mapped at another address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "adagents/base/atomics.h"
#include "adagents/base/clock.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

/// What a region says of itself. As it stands in the file: no padding, text zero-padded.
struct RegionHeader {
  static constexpr uint64_t kMagic = 0x6164'6167'656e'7473;  // "adagents"
  static constexpr uint32_t kLayoutVersion = 5;
  uint64_t magic;
  uint32_t layout_version;
  uint32_t owner_epoch;  // of the process that writes: claims of an older one are void
  uint64_t bytes;        // of the whole region
  uint64_t used;         // from the region's start; always a multiple of kCacheLine
  uint64_t allocating;   // 0, or up to where an object is being made that is not in `used` yet
  uint64_t schema_hash;  // of the directory: names, kinds, types and capacities
  uint32_t schema_version;
  uint32_t objects;      // in the directory
  uint32_t closed;       // 1 when its last writer closed it and all of it was on its way to disk
  int32_t writer_pid;    // of the last process that opened it to write
  int64_t steady_nanos;  // steady and wall time of one moment of that opening
  int64_t wall_nanos;    // since 1970
  int64_t time_offset;   // region time minus that boot's steady time
  char hash_name[32];    // kStableHashName
  char host[64];
  char boot[40];
};

struct RegionOptions {
  /// Of a file that does not exist yet, rounded up to pages. A region that exists keeps its size.
  /// The space is reserved, or a full disk would kill the process when it writes.
  size_t bytes = size_t{64} << 20;
  /// Of your types: raise it when their meaning changes but neither their names nor their sizes.
  uint32_t schema_version = 0;
  /// Of a new file, as in chmod(2): whatever the umask.
  uint32_t permissions = 0600;
  /// Of time; must outlive the region. Null: the system's.
  const Clock* clock = nullptr;
  /// Who this machine is. Empty: /etc/machine-id or, without one, its name in the network.
  std::string host = {};
  /// Which boot of it. Empty: the kernel's boot id.
  std::string boot = {};
};

/// Thread-compatible: open, allocate and make objects from one thread at a time, before the memory
/// is shared. The memory itself is as thread-safe as what is put into it. Outlives its objects; may
/// be moved under them. In the child of a fork it must not be used; destroyed there, it leaves the
/// file alone.
class Region {
 public:
  /// Anonymous memory: reserves address space for `bytes` (rounded up to pages); pages cost memory
  /// only once touched, but for regions of 4 to 64 MiB, which are touched here, so that no decision
  /// waits for their pages. Throws std::bad_alloc when the system refuses.
  explicit Region(size_t bytes);

  /// Opens the region in the file `path` to write, or makes one. Errors name the file, what is
  /// wrong with it, what was expected and what was found; the file is then as it was:
  ///   Unavailable         another process writes it
  ///   FailedPrecondition  another layout or schema version, hash function or host
  ///   DataLoss            truncated, altered, or its machine went down while it was open
  ///   InvalidArgument     no region at all
  ///   PermissionDenied    PATH.new, in which a region is made, is another user's
  ///   ResourceExhausted   no space
  ///   and what the system says of a path that cannot be opened.
  static absl::StatusOr<Region> Open(const std::string& path, const RegionOptions& options = {});

  /// Closes it: a file's contents go to disk first (in memory that takes no time), which is what
  /// lets it be opened after a reboot.
  ~Region();
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// What an anonymous region needs for one allocation of `bytes`.
  static constexpr size_t SizeFor(size_t bytes) { return bytes + kCacheLine; }
  /// What a file needs for header and directory, besides its objects.
  static size_t FileOverhead();

  /// Zeroed memory on a cache line's boundary, never given back before the region dies. Null when
  /// it does not fit, and always in a file, where what has no name could not be found again.
  [[nodiscard]] void* Allocate(size_t bytes);

  /// The Cell, Counter or BoundedCounter of this name: as the last process left it or, the first
  /// time, made from `args`. Later calls give the same object. ResourceExhausted when there is no
  /// room, FailedPrecondition when the name is that of something else, InvalidArgument when it has
  /// more than 63 bytes or a NUL.
  template <class S, class... Args>
  absl::StatusOr<S*> Place(std::string_view name, Args&&... args) {
    static_assert(std::is_trivially_destructible_v<S>, "nothing in a region is ever destroyed");
    auto found = Attach(S::Describe(name), /*exclusive=*/false);
    if (!found.ok()) return found.status();
    if (found->fresh) {
      new (found->data) S(std::forward<Args>(args)...);
      Commit();
    }
    auto* object = static_cast<S*>(found->data);
    if (found->left_by_another) object->Recover();
    return object;
  }

  /// The first error of any object that was to be in here. A table or stream that could not be has
  /// memory of its own, and is lost with the process.
  [[nodiscard]] const absl::Status& status() const { return status_; }

  /// Writes a file's contents to disk and notes the time, as closing does. For other processes on
  /// this machine, and for the next one, nothing needs to be written.
  absl::Status Sync();

  /// True when the file existed.
  [[nodiscard]] bool reopened() const { return reopened_; }
  /// Empty for anonymous memory.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const RegionHeader& header() const { return header_; }
  /// Named objects, in the order in which they were made.
  [[nodiscard]] const std::vector<RegionObject>& objects() const { return objects_; }
  /// What times inside are measured by, with time_offset() added.
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  [[nodiscard]] int64_t time_offset() const { return header_.time_offset; }

  /// The way to store a place inside the region.
  uint64_t OffsetOf(const void* place) const {
    return static_cast<uint64_t>(static_cast<const char*>(place) - base_);
  }
  void* AtOffset(uint64_t offset) const { return base_ + offset; }

  /// For the state types: the memory of a named object, there already or reserved and zeroed.
  struct Attached {
    void* data = nullptr;
    bool fresh = false;            // to be filled, then Commit()
    bool left_by_another = false;  // by a process that may have died in it; told once
    std::shared_ptr<void> claim;   // of an exclusive object: while it is held, nobody else gets it
  };
  absl::StatusOr<Attached> Attach(const RegionObject& wanted, bool exclusive);
  /// Enters the object that was reserved last into the directory.
  void Commit();

 private:
  struct Use {
    bool attached = false;
    std::weak_ptr<void> claim;
  };

  Region() = default;
  absl::Status Create(int fd, size_t bytes, const RegionOptions& options);
  absl::Status Adopt(int fd, size_t bytes, const RegionOptions& options);
  absl::Status Map(int fd, size_t bytes);
  void StampTimes();
  absl::StatusOr<Attached> AttachOrFail(const RegionObject& wanted, bool exclusive);
  absl::Status Mismatch(const RegionObject& wanted, const RegionObject& found) const;
  void Close();

  char* base_ = nullptr;
  size_t bytes_ = 0;
  int fd_ = -1;  // locked while open
  bool reopened_ = false;
  std::string path_;
  const Clock* clock_ = &SystemClock::Get();
  RegionHeader header_{};
  std::vector<RegionObject> objects_;
  std::vector<Use> uses_;   // of objects_
  RegionObject pending_{};  // between Attach and Commit
  absl::Status status_;
};

namespace internal {

/// The memory of one table or stream: in a region, found again by its name, or its own.
class RegionBlock {
 public:
  /// Of its own if `region` is null or cannot have it. Throws std::bad_alloc when there is none.
  /// With `modelled` it has no memory: see RegionArray.
  RegionBlock(Region* region, const RegionObject& object, bool modelled);
  RegionBlock(const RegionBlock&) = delete;
  RegionBlock& operator=(const RegionBlock&) = delete;

  char* data() const { return data_; }
  /// There were contents already, and they are to be recovered; else zeroes, and Commit() is due
  /// when they have become an object.
  bool reopened() const { return reopened_; }
  void Commit();

 private:
  Region* region_ = nullptr;  // until Commit
  char* data_ = nullptr;
  bool reopened_ = false;
  std::unique_ptr<Region> own_;
  std::shared_ptr<void> claim_;
};

/// A fixed array of T for which all-zero bytes are a valid start, in a block. T is made of atomics
/// and is never destroyed one by one. Under a test's policy the elements are constructed instead,
/// so that the model knows them.
template <class T, class Atomics>
class RegionArray {
 public:
  RegionArray(const RegionBlock& block, size_t offset, size_t size) {
    if constexpr (Atomics::kModelled) {
      constructed_ = std::make_unique<T[]>(size);
      data_ = constructed_.get();
    } else {
      data_ = reinterpret_cast<T*>(block.data() + offset);
    }
  }

  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  std::unique_ptr<T[]> constructed_;
  T* data_ = nullptr;
};

}  // namespace internal
}  // namespace adagents
