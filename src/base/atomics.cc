#include "adagents/base/atomics.h"

#include <cerrno>
#include <ctime>
#include <limits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace adagents {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

long Futex(const std::atomic<uint32_t>& word, int op, uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), op | FUTEX_PRIVATE_FLAG,
                 value, timeout, nullptr, 0);
}

}  // namespace

bool StdAtomics::WaitOn(const std::atomic<uint32_t>& word, uint32_t expected,
                        int64_t timeout_nanos) {
  if (timeout_nanos <= 0) return false;
  timespec timeout{};
  const bool limited = timeout_nanos != kForever;
  if (limited) {
    timeout.tv_sec = timeout_nanos / 1'000'000'000;
    timeout.tv_nsec = timeout_nanos % 1'000'000'000;
  }
  const long result = Futex(word, FUTEX_WAIT, expected, limited ? &timeout : nullptr);
  return !(result == -1 && errno == ETIMEDOUT);
}

void StdAtomics::NotifyOne(const std::atomic<uint32_t>& word) {
  Futex(word, FUTEX_WAKE, 1, nullptr);
}

void StdAtomics::NotifyAll(const std::atomic<uint32_t>& word) {
  Futex(word, FUTEX_WAKE, std::numeric_limits<int32_t>::max(), nullptr);
}

}  // namespace adagents
