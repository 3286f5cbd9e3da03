#include "heap_count.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

// A thread's counter is its own cache line, so that counting never contends: a benchmark that
// slowed down whoever allocates would be unfair. Lines are shared once more threads have come and
// gone than there are lines, hence the atomic add.
constexpr unsigned kLines = 1024;
struct alignas(64) Line {
  std::atomic<uint64_t> count{0};
};
constinit Line g_lines[kLines];
constinit std::atomic<unsigned> g_threads{0};
constinit thread_local Line* t_line = nullptr;

// Relaxed throughout: a statistic, read when the threads are quiet or approximately.
inline void CountOne() noexcept {
  if (t_line == nullptr) [[unlikely]] {
    t_line = &g_lines[g_threads.fetch_add(1, std::memory_order_relaxed) % kLines];
  }
  t_line->count.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

namespace adagents::bench {

uint64_t HeapAllocations() {
  uint64_t sum = 0;
  for (const Line& line : g_lines) sum += line.count.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace adagents::bench

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
  CountOne();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  CountOne();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  CountOne();
  return __libc_realloc(old, size);
}
void* memalign(size_t align, size_t size) {
  CountOne();
  return __libc_memalign(align, size);
}
void* aligned_alloc(size_t align, size_t size) {
  CountOne();
  return __libc_memalign(align, size);
}
int posix_memalign(void** out, size_t align, size_t size) {
  CountOne();
  void* memory = __libc_memalign(align, size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
}

namespace adagents::bench {
const char* HeapCounts() { return "malloc"; }
}  // namespace adagents::bench

#else

void* operator new(std::size_t size) {
  CountOne();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t align) {
  CountOne();
  const std::size_t unit = static_cast<std::size_t>(align);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace adagents::bench {
const char* HeapCounts() { return "operator new"; }
}  // namespace adagents::bench

#endif
