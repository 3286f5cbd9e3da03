// Hand-switched stacks: the threads of a modelled program.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace adagents::testing {

/// One stack and where it stopped. A fiber may be abandoned at any switch and started anew;
/// whatever stands on its stack is then forgotten, not destroyed. Thread-compatible: a fiber is
/// switched to and from within one OS thread.
class Fiber {
 public:
  Fiber() = default;  // the OS thread's own stack: only ever switched away from and back to
  explicit Fiber(size_t stack_bytes);

  /// The next switch to this fiber calls `entry`, which calls Arrived() first and never returns.
  void Start(void (*entry)());
  /// `native`: the OS thread's own fiber when that is where the switch came from, or null.
  static void Arrived(Fiber* native);
  /// Continues `to` where it stopped; returns when something switches back to `from`.
  static void Switch(Fiber& from, Fiber& to);

 private:
  std::unique_ptr<char[]> stack_;
  const void* bottom_ = nullptr;  // of stack_, or of the OS thread's stack
  size_t size_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
#if defined(__x86_64__)
  void* stopped_at_ = nullptr;
#else
  ucontext_t context_;
#endif
};

}  // namespace adagents::testing
