// Where state lives: one block of zeroed memory with a header, cut up by offsets.
//
// Anonymous memory now; the header already says what a file or shared-memory region must be checked
// for when it is opened again: layout version, the stable hash's name, how much is in use. Nothing
// inside a region is a pointer, so it may be mapped at another address.
//
//   Region region(size_t{64} << 20);
//   Table<uint64_t, Session> sessions({.capacity = 100'000, .region = &region});
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "adagents/base/atomics.h"

namespace adagents {

/// What stands at the start of every region.
struct RegionHeader {
  static constexpr uint64_t kMagic = 0x6164'6167'656e'7473;  // "adagents"
  static constexpr uint32_t kLayoutVersion = 1;
  uint64_t magic;
  uint32_t layout_version;
  uint32_t owner_epoch;  // of the process that writes: claims of an older one are void
  uint64_t bytes;        // of the whole region
  uint64_t used;         // from the region's start; always a multiple of kCacheLine
  char hash_name[32];    // kStableHashName, zero-padded
};

/// Thread-compatible: allocate from one thread at a time, before the memory is shared. The memory
/// itself is as thread-safe as what is put into it.
class Region {
 public:
  /// Reserves address space for `bytes` (rounded up to pages, the header included); pages cost
  /// memory only once touched. Throws std::bad_alloc when the system refuses.
  explicit Region(size_t bytes);
  ~Region();
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// What a region needs for one allocation of `bytes`.
  static constexpr size_t SizeFor(size_t bytes) {
    return bytes + sizeof(RegionHeader) + 2 * kCacheLine;
  }

  /// Zeroed memory on a cache line's boundary, never given back before the region dies. Null when
  /// it does not fit.
  [[nodiscard]] void* Allocate(size_t bytes);

  const RegionHeader& header() const { return *reinterpret_cast<const RegionHeader*>(base_); }
  /// The way to store a place inside the region.
  uint64_t OffsetOf(const void* place) const {
    return static_cast<uint64_t>(static_cast<const char*>(place) - base_);
  }
  void* AtOffset(uint64_t offset) const { return base_ + offset; }

 private:
  char* base_ = nullptr;
  size_t bytes_ = 0;
};

namespace internal {

/// A fixed array of T for which all-zero bytes are a valid start, in a region or in one of its
/// own. T is made of atomics and is never destroyed one by one. Under a test's policy the elements
/// are constructed instead, so that the model knows them.
template <class T, class Atomics>
class RegionArray {
 public:
  /// Uses `region` if it is not null and has room, else memory of its own. Throws std::bad_alloc
  /// when there is none.
  RegionArray(Region* region, size_t size) {
    if constexpr (Atomics::kModelled) {
      constructed_ = std::make_unique<T[]>(size);
      data_ = constructed_.get();
    } else {
      void* memory = region != nullptr ? region->Allocate(size * sizeof(T)) : nullptr;
      if (memory == nullptr) {
        own_ = std::make_unique<Region>(Region::SizeFor(size * sizeof(T)));
        memory = own_->Allocate(size * sizeof(T));
      }
      data_ = static_cast<T*>(memory);
    }
  }

  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  std::unique_ptr<T[]> constructed_;
  std::unique_ptr<Region> own_;
  T* data_ = nullptr;
};

}  // namespace internal
}  // namespace adagents
