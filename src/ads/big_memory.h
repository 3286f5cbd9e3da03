// Memory for arrays that are read at random: in large pages where they are large, so that a look-up
// costs one miss and not a second one for the page's address.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace adagents::ads::internal {

/// Starts on a cache line, so that no wide load crosses two; from kLarge bytes on, on a large page,
/// for which it asks the kernel (which may say no: then pages are small, and nothing else differs).
template <class T>
struct BigAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64}, kPage{size_t{1} << 21};
  static constexpr size_t kLarge = size_t{1} << 21;

  BigAllocator() = default;
  template <class U>
  BigAllocator(const BigAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    if (bytes < kLarge) return static_cast<T*>(::operator new(bytes, kLine));
    void* memory = ::operator new(bytes, kPage);
#ifdef __linux__
    (void)::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* p, size_t n) { ::operator delete(p, n * sizeof(T) < kLarge ? kLine : kPage); }
  bool operator==(const BigAllocator&) const { return true; }
};

template <class T>
using BigVector = std::vector<T, BigAllocator<T>>;

}  // namespace adagents::ads::internal
