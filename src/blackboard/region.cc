#include "adagents/blackboard/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "adagents/base/ids.h"

namespace adagents {
namespace {

// Random access over more than this is mostly misses in the address translation cache with small
// pages; large ones are asked for, and their absence does no harm.
constexpr size_t kWorthLargePages = size_t{4} << 20;

constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

Region::Region(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  bytes_ = RoundUp(std::max(bytes, SizeFor(0)), page);
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (bytes_ >= kWorthLargePages) (void)madvise(memory, bytes_, MADV_HUGEPAGE);
  base_ = static_cast<char*>(memory);

  auto* header = new (memory) RegionHeader{};
  header->magic = RegionHeader::kMagic;
  header->layout_version = RegionHeader::kLayoutVersion;
  header->owner_epoch = 1;
  header->bytes = bytes_;
  header->used = RoundUp(sizeof(RegionHeader), kCacheLine);
  std::memcpy(header->hash_name, kStableHashName.data(),
              std::min(kStableHashName.size(), sizeof(header->hash_name) - 1));
}

Region::~Region() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

Region::Region(Region&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void* Region::Allocate(size_t bytes) {
  auto* header = reinterpret_cast<RegionHeader*>(base_);
  if (bytes > bytes_) return nullptr;
  const uint64_t size = RoundUp(bytes, kCacheLine);
  if (size > header->bytes - header->used) return nullptr;
  void* out = base_ + header->used;
  header->used += size;
  return out;
}

}  // namespace adagents
