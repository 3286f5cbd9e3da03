#include "adagents/blackboard/region_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "adagents/base/deadline.h"
#include "adagents/blackboard/internal/region_format.h"

namespace adagents {
namespace {

// A look that a writer spoiled is repeated so many times.
constexpr int kTries = 1000;

uint64_t Load(const char* at, std::memory_order order) {
  return reinterpret_cast<const std::atomic<uint64_t>*>(at)->load(order);
}
uint64_t Load(const char* at) { return Load(at, std::memory_order_acquire); }

std::vector<unsigned char> LoadBytes(const char* at, uint32_t bytes) {
  std::vector<unsigned char> out(bytes);
  for (size_t i = 0; i < bytes; i += 8) {
    const uint64_t word = Load(at + i);
    std::memcpy(out.data() + i, &word, std::min<size_t>(8, bytes - i));
  }
  return out;
}

uint64_t Scaled(uint64_t seen, uint64_t whole, uint64_t part) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(seen) * whole / part);
}

absl::Status Failed(const std::string& path, const char* what, int error) {
  const auto code = error == ENOENT   ? absl::StatusCode::kNotFound
                    : error == EACCES ? absl::StatusCode::kPermissionDenied
                                      : absl::StatusCode::kUnavailable;
  return MakeStatus(code, path + ": " + what + ": " + std::generic_category().message(error));
}

struct Slot {
  uint64_t state = 0;
  int64_t expires = 0;
  TableView::Entry entry;
};

// A live slot of a set, whole; false when it is not live or keeps changing.
bool LoadSlot(const char* set, const char* entry, const RegionObject& object, uint32_t slot,
              bool copy, Slot* out) {
  for (int i = 0; i < kTries; ++i) {
    out->state = Load(set);
    if ((out->state >> slot & 1) == 0) return false;
    out->expires = internal::TableLayout::StoredExpiry(
        static_cast<int64_t>(Load(set + internal::TableLayout::kExpiresOffset + 8 * slot)));
    if (copy) {
      out->entry.key = LoadBytes(entry, object.key_bytes);
      out->entry.value =
          LoadBytes(entry + 8 * internal::WordsFor(object.key_bytes), object.value_bytes);
    }
    if (Load(set, std::memory_order_relaxed) == out->state) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<RegionView> RegionView::Open(const std::string& path, const Clock* clock) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Failed(path, "open", errno);
  RegionView view;
  struct stat facts {};
  void* memory = MAP_FAILED;
  int error = fstat(fd, &facts) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0) {
    view.bytes_ = static_cast<size_t>(facts.st_size);
    memory = mmap(nullptr, view.bytes_, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) error = errno;
  }
  close(fd);
  if (error != 0) return Failed(path, "mmap", error);
  if (!S_ISREG(facts.st_mode)) return InvalidArgument(path + ": not a regular file: not a region");
  if (facts.st_size == 0) {
    return DataLoss(internal::Differs(path, "size", internal::kFirstObject, 0));
  }
  view.base_ = static_cast<const char*>(memory);
  auto contents = internal::ReadContents(view.base_, view.bytes_, path);
  if (!contents.ok()) return contents.status();
  view.header_ = contents->header;
  view.objects_ = std::move(contents->objects);
  view.clock_ = clock != nullptr ? clock : &SystemClock::Get();
  std::string boot;
  std::ifstream boot_file("/proc/sys/kernel/random/boot_id");
  std::getline(boot_file, boot);
  view.same_boot_ =
      clock != nullptr || internal::FieldText(view.header_.boot) == std::string_view(boot);
  return view;
}

RegionView::~RegionView() {
  if (base_ != nullptr) munmap(const_cast<char*>(base_), bytes_);
}
RegionView::RegionView(RegionView&& other) noexcept { *this = std::move(other); }
RegionView& RegionView::operator=(RegionView&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(clock_, other.clock_);
  std::swap(same_boot_, other.same_boot_);
  std::swap(header_, other.header_);
  std::swap(objects_, other.objects_);
  return *this;
}

const char* RegionView::At(size_t index, ObjectKind kind) const {
  if (index >= objects_.size() || objects_[index].kind != kind) return nullptr;
  return base_ + objects_[index].offset;
}

int64_t RegionView::RegionTime() const {
  if (same_boot_) return Deadline::After(clock_->Now(), header_.time_offset).nanos();
  const int64_t then = Deadline::After(header_.steady_nanos, header_.time_offset).nanos();
  const int64_t wall = absl::ToUnixNanos(clock_->WallNow());
  return Deadline::After(then, Deadline::At(wall).Left(header_.wall_nanos)).nanos();
}

std::optional<CellView> RegionView::Cell(size_t index) const {
  using Layout = internal::CellLayout;
  const char* at = At(index, ObjectKind::kCell);
  if (at == nullptr) return std::nullopt;
  const RegionObject& object = objects_[index];
  const uint64_t slot_bytes = 8 * internal::WordsFor(object.value_bytes);
  for (int i = 0; i < kTries; ++i) {
    const uint64_t state = Load(at);
    const uint64_t slot = state & Layout::kSlotMask;
    if (slot >= Layout::kSlots) return std::nullopt;
    CellView out{
        .version = state >> Layout::kVersionShift,
        .writing = 0,
        .value = LoadBytes(at + Layout::kSlotsOffset + slot * slot_bytes, object.value_bytes)};
    if (Load(at, std::memory_order_relaxed) >> Layout::kVersionShift != out.version) continue;
    const uint64_t used = state >> Layout::kUsedShift & ((1U << Layout::kSlots) - 1);
    out.writing = static_cast<uint32_t>(std::popcount(used & ~(uint64_t{1} << slot)));
    return out;
  }
  return std::nullopt;
}

std::optional<int64_t> RegionView::Counter(size_t index) const {
  const char* at = At(index, ObjectKind::kCounter);
  if (at == nullptr) return std::nullopt;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < internal::CounterLayout::kStripes; ++i) {
    sum += Load(at + i * internal::CounterLayout::kStripeBytes, std::memory_order_relaxed);
  }
  return static_cast<int64_t>(sum);
}

std::optional<BoundedCounterView> RegionView::BoundedCounter(size_t index) const {
  using Layout = internal::BoundedCounterLayout;
  const char* at = At(index, ObjectKind::kBoundedCounter);
  if (at == nullptr) return std::nullopt;
  return BoundedCounterView{
      .value = static_cast<int64_t>(Load(at + Layout::kValueOffset, std::memory_order_relaxed)),
      .limit = static_cast<int64_t>(Load(at + Layout::kLimitOffset, std::memory_order_relaxed))};
}

std::optional<TableView> RegionView::Table(size_t index, const TableLook& look) const {
  using Layout = internal::TableLayout;
  const char* at = At(index, ObjectKind::kTable);
  if (at == nullptr) return std::nullopt;
  const RegionObject& object = objects_[index];
  const uint64_t entry_bytes =
      8 * (internal::WordsFor(object.key_bytes) + internal::WordsFor(object.value_bytes));
  const char* entries = at + Layout::EntriesOffset(object.capacity);
  const int64_t now = RegionTime();

  TableView out;
  out.sets = Layout::Sets(object.capacity);
  out.slots = out.sets * (Layout::kSlots - 1);
  out.looked = look.max_sets == 0 ? out.sets : std::min(look.max_sets, out.sets);
  for (uint64_t i = 0; i < out.looked; ++i) {
    // Evenly over all sets: those at the end are overflow sets, and emptier.
    const uint64_t set_index = (look.start % out.sets + Scaled(i, out.sets, out.looked)) % out.sets;
    const char* set = at + set_index * Layout::kSetBytes;
    const uint64_t state = Load(set);
    const auto live = static_cast<uint64_t>(std::popcount(state & Layout::kLiveMask));
    out.live += live;
    out.full += live >= Layout::kSlots - 1 ? 1 : 0;
    out.versions += state >> 16;
    out.writing += Load(set + Layout::kWriterOffset, std::memory_order_relaxed) != 0 ? 1 : 0;
    for (uint32_t slot = 0; slot < Layout::kSlots; ++slot) {
      const bool copy = out.some.size() < look.entries;
      const char* entry = entries + (set_index * Layout::kSlots + slot) * entry_bytes;
      Slot found;
      if (!LoadSlot(set, entry, object, slot, copy, &found)) continue;
      const bool expired = found.expires <= now;
      out.expired += expired ? 1 : 0;
      if (!copy) continue;
      found.entry.expires_in = Deadline::At(found.expires).Left(now);
      out.some.push_back(std::move(found.entry));
    }
  }
  for (uint64_t* estimate : {&out.live, &out.expired, &out.full, &out.writing, &out.versions}) {
    *estimate = Scaled(*estimate, out.sets, out.looked);
  }
  return out;
}

std::optional<WindowsView> RegionView::Windows(size_t index, uint64_t max_lines) const {
  using Layout = internal::WindowsLayout;
  const char* at = At(index, ObjectKind::kWindows);
  if (at == nullptr) return std::nullopt;
  WindowsView out;
  out.lines = objects_[index].capacity;
  out.slots = out.lines * Layout::kSlots;
  out.looked = max_lines == 0 ? out.lines : std::min(max_lines, out.lines);
  for (uint64_t i = 0; i < out.looked; ++i) {
    const char* line = at + Scaled(i, out.lines, out.looked) * Layout::kLineBytes;
    for (uint32_t slot = 0; slot < Layout::kSlots; ++slot) {
      const uint64_t word = Load(line + slot * sizeof(uint64_t), std::memory_order_relaxed);
      out.opened += word != 0 && word != ~uint64_t{0} ? 1 : 0;
      out.opening += word == ~uint64_t{0} ? 1 : 0;
    }
    // The lock is the upper half of the line's last word.
    const uint64_t last = Load(line + Layout::kLockOffset - 4, std::memory_order_relaxed);
    out.opening += last >> 32 & Layout::kLockedBit;
  }
  for (uint64_t* estimate : {&out.opened, &out.opening}) {
    *estimate = Scaled(*estimate, out.lines, out.looked);
  }
  return out;
}

std::optional<StreamView> RegionView::Stream(size_t index) const {
  using Layout = internal::StreamLayout;
  const char* at = At(index, ObjectKind::kStream);
  if (at == nullptr) return std::nullopt;
  const RegionObject& object = objects_[index];
  const uint64_t size = object.capacity;
  const int shift = std::countr_zero(size);
  const auto turn_at = [at](uint64_t i) {
    return Load(at + i * 8, std::memory_order_relaxed) >> Layout::kNodeBits;
  };
  // Entries before the next one to be published are a turn further than those from it on.
  const uint64_t turn = turn_at(0);
  uint64_t low = 0, high = size;  // the first entry with a lower turn is in (low, high]
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (turn_at(middle) < turn ? high : low) = middle;
  }
  StreamView out{.capacity = size, .published = 0, .newest = {}};
  if (turn == 0) return out;
  out.published = ((turn - 1) << shift) + high;
  const char* newest = at + (high - 1) * 8;
  const uint64_t entry = Load(newest);
  const uint64_t node = entry & ((uint64_t{1} << Layout::kNodeBits) - 1);
  if (node >= size + Layout::kSpares) return std::nullopt;
  const uint64_t node_bytes = 8 * internal::WordsFor(object.value_bytes);
  out.newest = LoadBytes(at + Layout::NodesOffset(size) + node * node_bytes, object.value_bytes);
  if (Load(newest, std::memory_order_relaxed) != entry) out.newest.clear();
  return out;
}

}  // namespace adagents
