#include "fault_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

namespace inspect {
namespace {

volatile sig_atomic_t fault_count = 0;
uintptr_t page_bytes = 4096;
struct sigaction before_guard;

// Runs on the thread that read, in the place of the read, so there is nothing it could interrupt.
void OnFault(int signal, siginfo_t* info, void* /*context*/) {
  const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(page_bytes - 1);
  if (info->si_code == BUS_ADRERR &&
      mmap(reinterpret_cast<void*>(page), page_bytes, PROT_READ,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
    fault_count = fault_count + 1;
    return;
  }
  sigaction(signal, &before_guard, nullptr);  // another kind: it happens again, and counts
}

}  // namespace

FaultGuard::FaultGuard() {
  page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  fault_count = 0;
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &before_guard);
}

FaultGuard::~FaultGuard() { sigaction(SIGBUS, &before_guard, nullptr); }

size_t FaultGuard::faults() const { return static_cast<size_t>(fault_count); }

}  // namespace inspect
