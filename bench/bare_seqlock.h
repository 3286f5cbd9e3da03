// The floor of a Cell's read: a seqlock over plain memory, which is undefined in C++ but what one
// would write.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

namespace adagents::bench {

template <class T>
class BareSeqlock {
 public:
  T Read() const {
    T out;
    for (;;) {
      const uint64_t before = version_.load(std::memory_order_acquire);
      asm volatile("" ::: "memory");
      std::memcpy(&out, const_cast<const T*>(&value_), sizeof(out));
      asm volatile("" ::: "memory");
      if ((before & 1) == 0 && version_.load(std::memory_order_acquire) == before) return out;
    }
  }

 private:
  alignas(64) std::atomic<uint64_t> version_{0};
  T value_{};
};

}  // namespace adagents::bench
