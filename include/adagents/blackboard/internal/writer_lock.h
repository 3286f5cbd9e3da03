// One writer at a time, in a word that may lie in a region: 0, or the epoch of the process whose
// thread is writing. What a process that is gone has left there is not waited for.
#pragma once

#include <atomic>
#include <cstdint>

namespace adagents::internal {

/// Holds the word from its construction to its end. kLock and kUnlock name the acquire and the
/// release, by which a writer sees all that earlier ones did.
template <class Atomics, auto kLock, auto kUnlock>
class WriterLock {
 public:
  using Word = typename Atomics::template Atomic<uint64_t>;

  WriterLock(Word& writer, uint64_t owner) : writer_(writer) {
    uint64_t seen = writer_.load(std::memory_order_relaxed);
    for (;;) {
      if (seen != owner) {  // free, or claimed by a process that is gone
        if (writer_.compare_exchange_weak(seen, owner,
                                          Atomics::At(kLock, std::memory_order_acquire),
                                          std::memory_order_relaxed)) {
          return;
        }
      } else {
        Atomics::Pause();
        seen = writer_.load(std::memory_order_relaxed);
      }
    }
  }
  ~WriterLock() { writer_.store(0, Atomics::At(kUnlock, std::memory_order_release)); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  Word& writer_;
};

}  // namespace adagents::internal
