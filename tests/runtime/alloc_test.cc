// In steady state no thread that decides touches the heap, recorded or not. An executable of its
// own, because it replaces operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "runtime/support.h"

namespace {
std::atomic<long> allocations{0};
thread_local bool uncounted = false;  // the thread that makes what the host is handed

void Count() {
  if (!uncounted) allocations.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

// Not inlined, or g++ sees malloc() meet operator delete.
[[gnu::noinline]] void* operator new(size_t size) {
  Count();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t align) {
  Count();
  const auto to = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace adagents::testing {
namespace {

TEST_CASE("deciding allocates nothing once warm, recorded or not") {
  for (const uint32_t every : {0, 1, 7}) {
    for (const bool trusted : {true, false}) {
      INFO("every " << every << (trusted ? ", trusted" : ", strict"));
      std::atomic<int> sunk{0};
      RuntimeOptions options;
      options.workers = 2;
      options.share_work = false;  // the timer would cut the plan, which takes memory
      options.deadline = absl::Seconds(30);
      options.trace_every = every;
      options.trace_sink = [&](const Timeline&) {
        uncounted = true;
        ++sunk;
      };
      auto team = MakeTeam({{.name = "first", .in = {"ask"}, .out = "x"},
                            {.name = "second", .in = {"x"}, .out = "say"}},
                           options);
      const auto decide = [&](int times) {
        int wrong = 0;
        for (int i = 0; i < times; ++i)
          wrong += team->Decide(i, {.trusted = trusted}).value != i + 2;
        return wrong;
      };
      REQUIRE(Eventually([&] { return decide(200) == 0 && (every == 0 || sunk > 0); }));
      // Warm is when each worker and each ticket has had its turn, which comes when it comes. What
      // every decision, or every recorded one, allocated would be there for ever.
      CHECK(Eventually([&] {
        const long before = allocations.load();
        return decide(1000) == 0 && allocations.load() == before;
      }));
    }
  }
}

}  // namespace
}  // namespace adagents::testing
