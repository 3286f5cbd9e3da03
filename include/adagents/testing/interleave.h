// Runs small concurrent programs under thousands of schedules, with stale reads, in one OS thread.
//
// A structure written against an Atomics policy (base/atomics.h) is instantiated with ModelAtomics.
// Its threads become fibers; every atomic access is a point where the seeded scheduler may switch.
// Unlike ThreadSanitizer, which watches the one execution that happened on this machine, this
// searches executions that C++'s memory model allows and x86 never shows.
//
//   auto result = testing::Explore({.schedules = 100'000}, [](testing::Program& p) {
//     auto cell = std::make_shared<Cell<Pair, testing::ModelAtomics>>(Pair{0, 0});
//     p.Thread([cell] { cell->Write(Pair{1, 1}); });
//     p.Thread([cell] { Pair v = cell->Read(); testing::Ensure(v.a == v.b, "torn"); });
//     p.Finally([cell] { testing::Ensure(cell->Read().a == 1, "lost"); });
//   });
//   INFO(result.report);  // on failure: the seed and the schedule's trace
//   CHECK(result.ok);
//
// What is modelled: a location keeps all its stores in modification order. A load may return any
// of them that is not older than what its thread has seen of that location; acquire loads take
// over what the storing thread had seen if the store was a release, or continued the release
// sequence of one as a read-modify-write. Read-modify-writes read the newest. A seq_cst load
// reads nothing older than what seq_cst accesses to that location have read or written before.
// Compare-exchange may fail with a stale value, the weak one for no reason. Plain<T>, and the
// construction and destruction of everything, are checked for data races with vector clocks, so
// memory that is freed or reused without a happens-before is caught.
// A store may land in the modification order before stores that its thread has not seen.
// What is not: loads that read from stores later in the schedule (load buffering), and fences.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "adagents/base/atomics.h"
#include "adagents/base/deadline.h"
#include "adagents/testing/internal/model.h"

namespace adagents::testing {

/// A program's threads, declared anew for every schedule. Not thread-safe; used only inside the
/// function given to Explore().
class Program {
 public:
  /// At most 7 threads.
  void Thread(std::function<void()> body) { threads.push_back({std::move(body), false}); }
  /// A thread that in half of the schedules is killed between two of its accesses and never runs
  /// again, as a process killed midway would be. What it holds on its stack is not destroyed.
  void MortalThread(std::function<void()> body) { threads.push_back({std::move(body), true}); }
  /// Runs after all threads have ended (or were killed), and sees all that they did.
  void Finally(std::function<void()> body) { finally = std::move(body); }

  struct Entry {
    std::function<void()> body;
    bool mortal;
  };
  std::vector<Entry> threads;
  std::function<void()> finally;
};

struct ExploreOptions {
  uint64_t schedules = 100'000;
  /// Schedule i runs with seed + i; a failure is repeated with .schedules = 1 and its seed.
  uint64_t seed = 1;
  /// Accesses in one schedule after which it counts as making no progress. Generous: the
  /// programs here take some hundreds.
  uint64_t max_steps = 20'000;
  /// Whether a timed wait may time out. Without, a program that only a timeout would rescue is
  /// reported as deadlocked: a lost wake-up.
  bool timeouts = false;
};

struct ExploreResult {
  bool ok = true;
  uint64_t schedules = 0;  // that were run, the failing one included
  uint64_t steps = 0;      // atomic accesses in all of them
  uint64_t seed = 0;       // of the failing schedule
  std::string report;      // what failed, seed, trace; empty when ok
};

using ProgramMaker = std::function<void(Program&)>;

/// Runs `make`'s program under options.schedules schedules, or until the first failure. The
/// schedules are a mix of uniformly random switching, rare switching, and priorities with few
/// random changes (Burckhardt et al., "A randomized scheduler with probabilistic guarantees of
/// finding bugs", ASPLOS 2010). Deterministic in the seed. Thread-compatible: one at a time per
/// OS thread.
[[nodiscard]] ExploreResult Explore(const ExploreOptions& options, const ProgramMaker& make);

struct Mutant {
  std::string name;  // "Ring::kPublish release -> relaxed"
  bool caught = false;
  uint64_t schedules = 0;  // until caught, or all
  std::string how;         // the failure's first line
};

/// Finds every named order stronger than relaxed that the programs use, weakens one at a time by
/// one step, and explores the programs in turn until the mutant fails. One entry per mutant: a
/// mutant that is not caught has an order stronger than needed, or tests weaker than needed.
[[nodiscard]] std::vector<Mutant> ExploreMutants(const ExploreOptions& options,
                                                 const std::vector<ProgramMaker>& programs);

/// One line per mutant, for INFO().
[[nodiscard]] std::string Describe(const std::vector<Mutant>& mutants);
[[nodiscard]] bool AllCaught(const std::vector<Mutant>& mutants);

/// Inside a program: fails the schedule unless `condition`.
inline void Ensure(bool condition, const char* what) {
  if (!condition) model::Fail(what);
}

/// The policy. Its objects live only inside programs. See base/atomics.h for what it offers.
struct ModelAtomics {
  template <class T>
  class Atomic {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

   public:
    using value_type = T;
    Atomic() : Atomic(T{}) {}
    Atomic(T value) : id_(model::Construct(this, model::ToBits(value), false)) {}  // NOLINT
    ~Atomic() { model::Destroy(id_, this); }
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(std::memory_order order) const {
      return model::FromBits<T>(model::Load(id_, this, order));
    }
    void store(T value, std::memory_order order) {
      model::Store(id_, this, model::ToBits(value), order);
    }
    T exchange(T value, std::memory_order order) {
      return Modify(order, [value](T) { return value; });
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure) {
      return Cas(expected, desired, false, success, failure);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) {
      return Cas(expected, desired, true, success, failure);
    }
    T fetch_add(T by, std::memory_order order) {
      return Modify(order, [by](T v) { return static_cast<T>(v + by); });
    }
    T fetch_sub(T by, std::memory_order order) {
      return Modify(order, [by](T v) { return static_cast<T>(v - by); });
    }
    T fetch_or(T by, std::memory_order order) {
      return Modify(order, [by](T v) { return static_cast<T>(v | by); });
    }
    T fetch_and(T by, std::memory_order order) {
      return Modify(order, [by](T v) { return static_cast<T>(v & by); });
    }

   private:
    friend struct ModelAtomics;
    template <class F>
    T Modify(std::memory_order order, F f) {
      const T before = model::FromBits<T>(model::BeginModify(id_, this));
      model::EndModify(id_, model::ToBits(f(before)), order);
      return before;
    }
    bool Cas(T& expected, T desired, bool weak, std::memory_order success,
             std::memory_order failure) {
      uint64_t bits = model::ToBits(expected);
      const bool ok = model::Cas(id_, this, &bits, model::ToBits(desired), weak, success, failure);
      if (!ok) expected = model::FromBits<T>(bits);
      return ok;
    }
    uint32_t id_;
  };

  /// A T whose unordered reads and writes are reported.
  template <class T>
  class Plain {
   public:
    Plain() : Plain(T{}) {}
    Plain(T value) : id_(model::Construct(this, 0, true)), value_(std::move(value)) {}  // NOLINT
    Plain(const Plain& other) : Plain(static_cast<const T&>(other)) {}
    ~Plain() { model::Destroy(id_, this); }
    Plain& operator=(const Plain& other) { return *this = static_cast<const T&>(other); }
    Plain& operator=(T value) {
      model::PlainWrite(id_, this);
      value_ = std::move(value);
      return *this;
    }
    operator const T&() const {  // NOLINT
      model::PlainRead(id_, this);
      return value_;
    }

   private:
    uint32_t id_;
    T value_;
  };

  static constexpr bool kModelled = true;

  template <class Site>
  static std::memory_order At(Site site, std::memory_order order) {
    return model::SiteOrder(&model::kSiteType<Site>, static_cast<int>(site), order);
  }
  static void Pause() { model::Pause(); }
  static uint32_t ThreadIndex() { return model::CurrentThread(); }
  static void Wait(const Atomic<uint32_t>& word, uint32_t expected,
                   Deadline deadline = Deadline::Infinite()) {
    model::Wait(word.id_, &word, expected, !deadline.infinite());
  }
  static void Wake(const Atomic<uint32_t>& word, int count) { model::Wake(word.id_, &word, count); }
};

}  // namespace adagents::testing
