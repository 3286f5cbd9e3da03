// Counts allocations, by replacing operator new: for one source of an executable of its own.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace adagents::testing {

inline thread_local long thread_allocations = 0;
/// Of all threads that have not said otherwise.
inline std::atomic<long> all_allocations{0};
inline thread_local bool uncounted = false;

inline void CountAllocation() {
  ++thread_allocations;
  if (!uncounted) all_allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace adagents::testing

// Not inlined, or g++ sees malloc() meet operator delete.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  adagents::testing::CountAllocation();
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t align) {
  adagents::testing::CountAllocation();
  const auto to = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
