#include "testing/fiber.h"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define ADAGENTS_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADAGENTS_FIBER_ASAN 1
#endif
#endif
#if defined(ADAGENTS_FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// ucontext's swapcontext makes a system call for the signal mask on every switch, some 300 ns;
// a schedule is mostly switches. This keeps the registers that a called function must keep (System
// V ABI for AMD64, section 3.2.3) on the stack and exchanges stack pointers.
asm(R"(
.text
.p2align 4
.globl adagents_testing_switch_stack
.type adagents_testing_switch_stack, @function
adagents_testing_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size adagents_testing_switch_stack, .-adagents_testing_switch_stack
)");
extern "C" void adagents_testing_switch_stack(void** stopped_at, void* to);
#endif

namespace adagents::testing {

namespace {

#if defined(ADAGENTS_FIBER_ASAN)
// An abandoned stack is still marked with the frames that were on it.
void ForgetFrames(const void* bottom, size_t size) { __asan_unpoison_memory_region(bottom, size); }
void Leaving(void** fake_stack, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}
void Back(void* fake_stack, const void** bottom, size_t* size) {
  __sanitizer_finish_switch_fiber(fake_stack, bottom, size);
}
#else
void ForgetFrames(const void*, size_t) {}
void Leaving(void**, const void*, size_t) {}
void Back(void*, const void**, size_t*) {}
#endif

}  // namespace

Fiber::Fiber(size_t stack_bytes)
    : stack_(new char[stack_bytes]), bottom_(stack_.get()), size_(stack_bytes) {}

void Fiber::Arrived(Fiber* native) {
  const void* bottom = nullptr;
  size_t size = 0;
  Back(nullptr, &bottom, &size);
  if (native != nullptr) {
    native->bottom_ = bottom;
    native->size_ = size;
  }
}

#if defined(__x86_64__)

void Fiber::Start(void (*entry)()) {
  ForgetFrames(bottom_, size_);
  const uintptr_t top = (reinterpret_cast<uintptr_t>(stack_.get()) + size_) & ~uintptr_t{15};
  auto* at = reinterpret_cast<uintptr_t*>(top);
  *--at = 0;  // where a return address would be: keeps the alignment that a call leaves
  *--at = reinterpret_cast<uintptr_t>(entry);
  for (int i = 0; i < 6; ++i) *--at = 0;
  stopped_at_ = at;
}

void Fiber::Switch(Fiber& from, Fiber& to) {
  Leaving(&from.fake_stack_, to.bottom_, to.size_);
  adagents_testing_switch_stack(&from.stopped_at_, to.stopped_at_);
  Back(from.fake_stack_, nullptr, nullptr);
}

#else

void Fiber::Start(void (*entry)()) {
  ForgetFrames(bottom_, size_);
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = size_;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
}

void Fiber::Switch(Fiber& from, Fiber& to) {
  Leaving(&from.fake_stack_, to.bottom_, to.size_);
  swapcontext(&from.context_, &to.context_);
  Back(from.fake_stack_, nullptr, nullptr);
}

#endif

}  // namespace adagents::testing
