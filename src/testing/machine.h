// Runs one program under one schedule after another: fibers, the seeded scheduler, the trace.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/testing/interleave.h"
#include "testing/fiber.h"
#include "testing/memory_model.h"

namespace adagents::testing {

/// A named order as the programs use it.
struct OrderSite {
  const model::SiteType* type;
  int site;
  std::memory_order order;
  bool operator==(const OrderSite&) const = default;
};

std::string Name(const OrderSite& site);
std::string_view Name(std::memory_order order);

/// Thread-compatible; at most one runs at a time per OS thread.
class Machine {
 public:
  explicit Machine(const ExploreOptions& options);

  /// Weakens `site` to `to` in all schedules from now on.
  void Weaken(const OrderSite& site, std::memory_order to);

  /// False on failure; report() then says what and how.
  bool RunSchedule(const ProgramMaker& make, uint64_t seed);
  std::string Report() const;
  std::string failure() const { return failure_; }
  uint64_t steps() const { return steps_; }
  /// All named orders seen so far.
  const std::vector<OrderSite>& sites() const { return sites_; }

  static Machine* Active();

  // Called by the program's accesses, through model.h.
  [[noreturn]] void Fail(const std::string& what);
  void Point();
  MemoryModel& memory() { return memory_; }
  uint32_t current() const { return current_; }
  void Require(const char* error) {
    if (error != nullptr) Fail(error);
  }
  void Note(const char* what, uint32_t location, uint64_t value, std::memory_order order);
  std::memory_order Order(const OrderSite& site);
  void CheckNamed(std::memory_order order);
  void Pause();
  void Wait(uint32_t id, const void* address, uint32_t expected, bool timed);
  void Wake(uint32_t id, const void* address, int count);
  bool concurrent() const { return concurrent_; }

 private:
  enum class State : uint8_t { kUnused, kRunnable, kWaiting, kEnded, kKilled };
  enum class Mode : uint8_t { kUniform, kSticky, kPriorities };
  struct ThreadState {
    State state = State::kUnused;
    bool timed = false;  // a wait that may time out
    const void* waits_on = nullptr;
    uint64_t dies_in = 0;  // accesses; 0: never
    uint64_t priority = 0;
    uint32_t named = 0;  // orders that came through At() since its last access, as bits
    OrderSite last_site{};
  };
  struct Event {
    uint32_t thread;
    const char* what;
    uint32_t location;
    uint64_t value;
    std::memory_order order;
    OrderSite site;
  };

  static void MainEntry();
  static void ThreadEntry();
  void RunMain();
  void StartThreads();
  void EndThread(State state);
  uint32_t Choose();
  void SwitchTo(uint32_t thread);

  ExploreOptions options_;
  MemoryModel memory_;
  Random random_;
  Fiber native_;
  std::vector<Fiber> fibers_;
  std::array<ThreadState, kMaxThreads> threads_;
  uint32_t thread_count_ = 0;
  uint32_t current_ = 0;
  bool concurrent_ = false;
  Mode mode_ = Mode::kUniform;
  uint64_t change_every_ = 0;
  uint64_t lowest_ = 0;  // the priority of the thread that paused last
  uint64_t schedule_steps_ = 0;
  uint64_t steps_ = 0;
  const ProgramMaker* make_ = nullptr;
  Program* program_ = nullptr;
  std::string failure_;
  uint64_t seed_ = 0;
  std::vector<Event> trace_;
  std::vector<OrderSite> sites_;
  bool weakens_ = false;
  OrderSite weakened_{};
  std::memory_order weakened_to_{};
};

}  // namespace adagents::testing
