#include "ticks.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace adagents::bench {
namespace {

bool HasSteadyCounter() {
#if defined(__x86_64__)
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    return line.find(" constant_tsc") != std::string::npos &&
           line.find(" nonstop_tsc") != std::string::npos &&
           line.find(" rdtscp") != std::string::npos;
  }
#endif
  return false;
}

int64_t CpuNanos(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return at.tv_sec * int64_t{1'000'000'000} + at.tv_nsec;
}

}  // namespace

void Ticks::Calibrate() {
  tsc_ = HasSteadyCounter();
  if (tsc_) {
    using std::chrono::steady_clock;
    const auto begin = steady_clock::now();
    const uint64_t first = Now();
    auto end = begin;
    while (end - begin < std::chrono::milliseconds(50)) end = steady_clock::now();
    const uint64_t last = Now();
    per_us_ = static_cast<double>(last - first) /
              std::chrono::duration<double, std::micro>(end - begin).count();
  }
  uint64_t least = ~uint64_t{0};
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t a = Now();
    const uint64_t b = Now();
    least = std::min(least, b - a);
  }
  read_cost_ = least;
}

int64_t ProcessCpuNanos() { return CpuNanos(CLOCK_PROCESS_CPUTIME_ID); }
int64_t ThreadCpuNanos() { return CpuNanos(CLOCK_THREAD_CPUTIME_ID); }

int64_t MachineCpuNanos() {
  std::ifstream in("/proc/stat");
  std::string cpu;
  int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (!(in >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal))
    return -1;
  return (user + nice + system + irq + softirq + steal) * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

}  // namespace adagents::bench
