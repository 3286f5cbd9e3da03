#include "adagents/runtime/internal/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace adagents::internal {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

const uint32_t* Address(const std::atomic<uint32_t>& word) {
  return reinterpret_cast<const uint32_t*>(&word);
}

}  // namespace

void FutexAtomics::Wait(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline) {
  constexpr int64_t kSecond = 1'000'000'000;
  timespec until{};
  if (!deadline.infinite()) {
    const int64_t at = deadline.nanos() > 0 ? deadline.nanos() : 0;
    until.tv_sec = at / kSecond;
    until.tv_nsec = at % kSecond;
  }
  // The bitset form takes an absolute time on CLOCK_MONOTONIC, which is std::chrono::steady_clock.
  syscall(SYS_futex, Address(word), FUTEX_WAIT_BITSET_PRIVATE, expected,
          deadline.infinite() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void FutexAtomics::Wake(const std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, Address(word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace adagents::internal
