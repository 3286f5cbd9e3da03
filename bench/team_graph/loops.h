// The four ways of asking. They are templates over the contestant so that the harness costs the
// same few nanoseconds for everyone, and no virtual call.
//
// A contestant that answers on the caller's thread is a class X with
//   X(const Team&, unsigned cores);
//   struct Client { explicit Client(X&); uint64_t Decide(uint64_t request); };
// where a Client is made and used on one thread, and Decide returns explain's value.
//
// A contestant that answers by callback is a class X with
//   X(const Team&, unsigned cores, Mode mode, uint32_t slots, Answered answered, void* who);
//   void Submit(uint32_t slot, uint64_t request);   // then answered(who, slot, value), once
// where a slot has at most one request at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "contestant.h"
#include "heap_count.h"
#include "histogram.h"
#include "ticks.h"

namespace adagents::bench {

/// The measured window of a slice: opened and closed once, by one thread, seen by all.
class Window {
 public:
  enum Phase : int { kWarm, kOpen, kClosed };

  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  void Open() {
    begin_ = Take();
    phase_.store(kOpen, std::memory_order_release);
  }
  void Close() {
    end_ = Take();
    phase_.store(kClosed, std::memory_order_release);
  }
  /// Both from a thread other than the clients: sleeps through warm-up and window.
  void Watch(const SliceOptions& options) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(options.warm_ms));
    Open();
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(options.measure_ms));
    Close();
  }
  Slice Result(const Histogram& histogram, int64_t gap_cpu_ns) const {
    Slice s;
    const auto cost = static_cast<double>(Ticks::read_cost());
    const auto net = [&](double ticks) {
      return Ticks::ToMicroseconds(std::max(ticks - cost, 0.));
    };
    s.p50_us = net(histogram.Quantile(0.50));
    s.p99_us = net(histogram.Quantile(0.99));
    s.decisions = histogram.count();
    if (s.decisions == 0) return s;
    const auto n = static_cast<double>(s.decisions);
    s.per_second = n / Ticks::ToMicroseconds(static_cast<double>(end_.ticks - begin_.ticks)) * 1e6;
    s.cpu_us = static_cast<double>(end_.cpu_ns - begin_.cpu_ns - gap_cpu_ns) / n / 1e3;
    s.allocations = static_cast<double>(end_.allocations - begin_.allocations) / n;
    return s;
  }

 private:
  struct Snapshot {
    uint64_t ticks = 0, allocations = 0;
    int64_t cpu_ns = 0;
  };
  static Snapshot Take() { return {Ticks::Now(), HeapAllocations(), ProcessCpuNanos()}; }

  std::atomic<Phase> phase_{kWarm};
  Snapshot begin_, end_;
};

/// What one client (or one worker, or one token) has seen. Written by one thread at a time.
struct alignas(64) Record {
  Histogram histogram;
  uint64_t wrong = 0;
  uint64_t degraded = 0;
  int64_t gap_cpu_ns = 0;
  bool open = false;

  void Check(uint64_t got, uint64_t expected) {
    if (got != expected) [[unlikely]]
      ++(got == kDegraded ? degraded : wrong);
  }
  /// Starts afresh when the window has opened; false when it has closed.
  bool Follow(Window::Phase phase) {
    if (phase == Window::kClosed) return false;
    if (phase == Window::kOpen && !open) {
      open = true;
      histogram.Clear();
      gap_cpu_ns = 0;
    }
    return true;
  }
};

inline Slice Sum(const Window& window, std::vector<Record>& records) {
  Histogram all;
  uint64_t wrong = 0, degraded = 0;
  int64_t gap_cpu_ns = 0;
  for (Record& r : records) {
    if (r.open) all.Merge(r.histogram);
    wrong += r.wrong;
    degraded += r.degraded;
    gap_cpu_ns += r.gap_cpu_ns;
  }
  Slice slice = window.Result(all, gap_cpu_ns);
  slice.wrong = wrong;
  slice.degraded = degraded;
  return slice;
}

/// A record for each thread that answers, for contestants whose answers come on threads of their
/// own. Thread-safe.
class ThreadRecords {
 public:
  Record& OfThisThread() {
    struct Mine {
      uint64_t owner = 0;
      std::size_t index = 0;
    };
    static thread_local Mine mine;
    if (mine.owner != id_) [[unlikely]] {
      mine = {id_, next_.fetch_add(1, std::memory_order_relaxed)};
      if (mine.index >= records_.size()) std::terminate();  // far more threads than any one starts
    }
    return records_[mine.index];
  }
  /// Once the threads are quiet.
  std::vector<Record>& all() { return records_; }

 private:
  static constexpr std::size_t kThreads = 64;
  static uint64_t NextId() {
    static std::atomic<uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  const uint64_t id_ = NextId();
  std::atomic<std::size_t> next_{0};
  std::vector<Record> records_{kThreads};
};

/// Back to back on this thread. With a `lead`, this client opens and closes the window.
template <class Client>
void LoopBackToBack(Client& client, const Script& script, Window& window, Record& record,
                    const SliceOptions* lead) {
  const uint64_t start = Ticks::Now();
  const uint64_t open_at = lead ? start + Ticks::FromMicroseconds(lead->warm_ms * 1e3) : 0;
  const uint64_t close_at = lead ? open_at + Ticks::FromMicroseconds(lead->measure_ms * 1e3) : 0;
  for (uint32_t i = 0; record.Follow(window.phase()); ++i) {
    const uint32_t k = i % Script::kRequests;
    const uint64_t before = Ticks::Now();
    const uint64_t got = client.Decide(script.request[k]);
    const uint64_t after = Ticks::Now();
    record.histogram.Add(after - before);
    record.Check(got, script.expected[k]);
    if (lead == nullptr) continue;
    if (!record.open && after >= open_at) {
      window.Open();
    } else if (record.open && after >= close_at) {
      window.Close();
    }
  }
}

/// One client that does something else for 0.5 ms after each answer. It spins on the clock, as a
/// busy host would be busy: its own core stays awake and the contestant's workers are left to
/// themselves. The processor time of the gaps is taken off.
template <class Client>
void LoopPaced(Client& client, const Script& script, Window& window, Record& record,
               const SliceOptions& options) {
  const uint64_t start = Ticks::Now();
  const uint64_t paced_at = start + Ticks::FromMicroseconds(options.warm_ms * 1e3);
  const uint64_t open_at = paced_at + Ticks::FromMicroseconds(4 * kPacedGapMicroseconds);
  const uint64_t close_at = open_at + Ticks::FromMicroseconds(options.measure_ms * 1e3);
  const uint64_t gap = Ticks::FromMicroseconds(kPacedGapMicroseconds);
  for (uint32_t i = 0; record.Follow(window.phase()); ++i) {
    const uint32_t k = i % Script::kRequests;
    const uint64_t before = Ticks::Now();
    const uint64_t got = client.Decide(script.request[k]);
    const uint64_t after = Ticks::Now();
    record.histogram.Add(after - before);
    record.Check(got, script.expected[k]);
    if (after < paced_at) continue;
    const int64_t cpu = ThreadCpuNanos();
    while (Ticks::Now() - after < gap) Pause();
    record.gap_cpu_ns += ThreadCpuNanos() - cpu;
    if (!record.open && after >= open_at) {
      window.Open();
    } else if (record.open && after >= close_at) {
      window.Close();
    }
  }
}

/// 64 in flight over a few threads that each answer on their own: a thread keeps its share of the
/// requests in a ring, oldest first. A request is handed in when the one before it in its place
/// has been answered, so its latency contains its wait.
template <class Client>
void LoopRing(Client& client, const Script& script, Window& window, Record& record,
              uint32_t places) {
  std::vector<uint64_t> handed_in(places, Ticks::Now());
  uint32_t place = 0;
  for (uint32_t i = 0; record.Follow(window.phase()); ++i) {
    const uint32_t k = i % Script::kRequests;
    const uint64_t got = client.Decide(script.request[k]);
    const uint64_t after = Ticks::Now();
    record.histogram.Add(after - handed_in[place]);
    record.Check(got, script.expected[k]);
    handed_in[place] = after;
    if (++place == places) place = 0;
  }
}

/// All modes of a contestant that answers on the caller's thread. `in_flight_threads` is the
/// number of callers that share the 64 requests: 0 for one per core.
template <class X>
Slice RunCallers(X& x, const Script& script, Mode mode, const SliceOptions& options,
                 unsigned in_flight_threads = 0) {
  const bool in_flight = mode == Mode::kInFlight;
  if (in_flight_threads == 0) in_flight_threads = options.cores;
  const unsigned callers = mode == Mode::kTwoClients ? 2 : in_flight ? in_flight_threads : 1;
  std::vector<Record> records(callers);
  Window window;
  std::vector<std::thread> threads;
  for (unsigned c = 0; c < callers; ++c) {
    threads.emplace_back([&, c] {
      typename X::Client client(x);
      if (in_flight) {
        LoopRing(client, script, window, records[c],
                 std::max(1u, kInFlightRequests / in_flight_threads));
      } else if (mode == Mode::kPaced) {
        LoopPaced(client, script, window, records[c], options);
      } else {
        LoopBackToBack(client, script, window, records[c], c == 0 ? &options : nullptr);
      }
    });
  }
  if (in_flight) window.Watch(options);
  for (std::thread& t : threads) t.join();
  return Sum(window, records);
}

/// A contestant that answers on the caller's thread.
template <class X>
class Caller final : public Contestant {
 public:
  using Contestant::Contestant;
  Slice Run(const Team& team, const Script& script, Mode mode,
            const SliceOptions& options) override {
    X x(team, options.cores);
    return RunCallers(x, script, mode, options);
  }
};

/// Where a client waits for an answer that another thread brings: it spins for about as long as
/// waking it would take, then sleeps.
class Arrival {
 public:
  /// Before the request is handed in.
  void Reset() { state_.store(kEmpty, std::memory_order_relaxed); }
  void Set(uint64_t value) {
    value_ = value;
    // Release: the waiter that sees kSet sees the value too.
    state_.store(kSet, std::memory_order_release);
    state_.notify_one();
  }
  uint64_t Wait() {
    const uint64_t until = Ticks::Now() + Ticks::FromMicroseconds(kSpinMicroseconds);
    while (state_.load(std::memory_order_acquire) != kSet) {
      if (Ticks::Now() < until) {
        Pause();
      } else {
        state_.wait(kEmpty, std::memory_order_acquire);
      }
    }
    return value_;
  }

 private:
  static constexpr double kSpinMicroseconds = 10;  // about a futex wake on an awake core
  static constexpr int kEmpty = 0, kSet = 1;
  std::atomic<int> state_{kEmpty};
  uint64_t value_ = 0;
};

using Answered = void (*)(void* who, uint32_t slot, uint64_t value);

/// A contestant that answers by callback. With 64 in flight each answer hands in the next request
/// of its slot from the callback itself.
template <class X>
class Callback final : public Contestant {
 public:
  using Contestant::Contestant;
  Slice Run(const Team& team, const Script& script, Mode mode,
            const SliceOptions& options) override {
    return mode == Mode::kInFlight ? RunTokens(team, script, options)
                                   : RunWaiting(team, script, mode, options);
  }

 private:
  struct Waiting {
    Waiting(const Team& team, unsigned cores, Mode mode)
        : x(team, cores, mode, kSlots, &Waiting::OnAnswer, this) {}
    static void OnAnswer(void* who, uint32_t slot, uint64_t value) {
      static_cast<Waiting*>(who)->arrival[slot].arrival.Set(value);
    }
    struct Client {
      explicit Client(Waiting& of)
          : waiting(of), slot(of.clients.fetch_add(1, std::memory_order_relaxed)) {}
      uint64_t Decide(uint64_t request) {
        Arrival& arrival = waiting.arrival[slot].arrival;
        arrival.Reset();
        waiting.x.Submit(slot, request);
        return arrival.Wait();
      }
      Waiting& waiting;
      uint32_t slot;
    };
    static constexpr uint32_t kSlots = 2;
    struct alignas(64) Place {
      Arrival arrival;
    };
    Place arrival[kSlots];
    std::atomic<uint32_t> clients{0};
    X x;  // last: its threads are gone before what they call
  };

  Slice RunWaiting(const Team& team, const Script& script, Mode mode, const SliceOptions& options) {
    Waiting waiting(team, options.cores, mode);
    return RunCallers(waiting, script, mode, options);
  }

  struct Tokens {
    explicit Tokens(const Script& s) : script(s), place(kInFlightRequests) {}
    struct alignas(64) Place {
      uint64_t handed_in = 0;
      uint32_t next = 0;
    };
    static void OnAnswer(void* who, uint32_t slot, uint64_t value) {
      auto& self = *static_cast<Tokens*>(who);
      Place& p = self.place[slot];
      Record& record = self.records.OfThisThread();
      const uint32_t k = p.next % Script::kRequests;
      const uint64_t now = Ticks::Now();
      record.Check(value, self.script.expected[k]);
      if (!record.Follow(self.window.phase())) {
        // Release, and the last one wakes whoever waits for all to have come home.
        if (self.home.fetch_add(1, std::memory_order_acq_rel) + 1 == kInFlightRequests) {
          self.home.notify_all();
        }
        return;
      }
      record.histogram.Add(now - p.handed_in);
      ++p.next;
      p.handed_in = now;
      self.x->Submit(slot, self.script.request[p.next % Script::kRequests]);
    }
    const Script& script;
    Window window;
    ThreadRecords records;
    std::vector<Place> place;
    std::atomic<uint32_t> home{0};
    std::optional<X> x;  // last: its threads are gone before what they call
  };

  Slice RunTokens(const Team& team, const Script& script, const SliceOptions& options) {
    Tokens tokens(script);
    tokens.x.emplace(team, options.cores, Mode::kInFlight, kInFlightRequests, &Tokens::OnAnswer,
                     &tokens);
    for (uint32_t slot = 0; slot < kInFlightRequests; ++slot) {
      tokens.place[slot].handed_in = Ticks::Now();
      tokens.x->Submit(slot, script.request[0]);
    }
    tokens.window.Watch(options);
    for (uint32_t home; (home = tokens.home.load(std::memory_order_acquire)) < kInFlightRequests;) {
      tokens.home.wait(home, std::memory_order_acquire);
    }
    tokens.x.reset();
    return Sum(tokens.window, tokens.records.all());
  }
};

}  // namespace adagents::bench
