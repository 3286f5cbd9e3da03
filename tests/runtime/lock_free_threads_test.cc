// The runtime's lock-free parts under real threads and production atomics, for ThreadSanitizer:
// the interleaving tests search what the memory model allows, this watches the code that ships.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "adagents/runtime/internal/index_stack.h"
#include "adagents/runtime/internal/mpmc_ring.h"
#include "adagents/runtime/internal/settle_gate.h"
#include "adagents/runtime/internal/tracer.h"
#include "catch.h"

namespace adagents::internal {
namespace {

constexpr int kThreads = 4;
constexpr uint64_t kRounds = 20'000;

template <class Body>
void InThreads(const Body& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("a ring carries plain memory from every producer to exactly one consumer") {
  struct Parcel {
    uint64_t content = 0;
  };
  MpmcRing<Parcel*> ring(64);
  std::vector<std::unique_ptr<Parcel>> parcels(kRounds * kThreads / 2);
  for (auto& parcel : parcels) parcel = std::make_unique<Parcel>();
  std::atomic<uint64_t> sum{0}, taken{0};
  InThreads([&](int thread) {
    if (thread % 2 == 0) {
      for (uint64_t i = 0; i < kRounds; ++i) {
        Parcel* parcel = parcels[static_cast<size_t>(thread / 2) * kRounds + i].get();
        parcel->content = i + 1;
        while (!ring.TryPush(parcel)) std::this_thread::yield();
      }
      return;
    }
    while (taken.load(std::memory_order_relaxed) < parcels.size()) {
      Parcel* parcel = nullptr;
      if (!ring.TryPop(&parcel)) {
        std::this_thread::yield();
        continue;
      }
      sum.fetch_add(parcel->content, std::memory_order_relaxed);
      parcel->content = 0;  // a second consumer of it would race here
      taken.fetch_add(1, std::memory_order_relaxed);
    }
  });
  CHECK(taken.load() == parcels.size());
  CHECK(sum.load() == 2 * (kRounds * (kRounds + 1) / 2));
}

// A value whose reader stops halfway, between claiming the cell and handing it on.
struct Heavy {
  int value = 0;
  static std::atomic<int> reading, stop_at;

  Heavy() = default;
  explicit Heavy(int v) : value(v) {}
  Heavy(const Heavy& other) = default;
  Heavy& operator=(const Heavy& other) {
    if (other.value != 0 && other.value == stop_at.load()) {
      reading.store(other.value);
      while (stop_at.load() == other.value) std::this_thread::yield();
    }
    value = other.value;
    return *this;
  }
};
std::atomic<int> Heavy::reading{0}, Heavy::stop_at{0};

TEST_CASE("a push that comes round to a stopped consumer's cell waits, and nothing is lost") {
  MpmcRing<Heavy> ring(2);
  REQUIRE(ring.TryPush(Heavy(1)));
  Heavy::stop_at.store(1);
  Heavy first, second, third;
  std::thread consumer([&] { (void)ring.TryPop(&first); });
  while (Heavy::reading.load() != 1) std::this_thread::yield();
  CHECK(ring.TryPush(Heavy(2)));
  CHECK(!ring.TryPush(Heavy(3)));  // though only one value is in it
  CHECK(ring.SizeGuess() == 1);
  std::atomic<bool> pushed{false};
  std::thread producer([&] {
    ring.Push(Heavy(3));
    pushed.store(true);
  });
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  CHECK(!pushed.load());
  Heavy::stop_at.store(0);
  consumer.join();
  producer.join();
  CHECK(ring.TryPop(&second));
  CHECK(ring.TryPop(&third));
  CHECK(first.value == 1);
  CHECK(second.value == 2);
  CHECK(third.value == 3);
}

TEST_CASE("whoever holds an index owns the memory behind it") {
  IndexStack<> free_list(3);
  std::array<uint64_t, 3> uses{};
  InThreads([&](int) {
    for (uint64_t i = 0; i < kRounds;) {
      const uint32_t index = free_list.Pop();
      if (index == IndexStack<>::kNone) {
        std::this_thread::yield();
        continue;
      }
      ++uses[index];
      free_list.Push(index);
      ++i;
    }
  });
  CHECK(uses[0] + uses[1] + uses[2] == kRounds * kThreads);
}

TEST_CASE("one thread settles a decision, and sees every hold that was registered in time") {
  int settled = 0;
  for (int round = 0; round < 2'000; ++round) {
    SettleGate<> gate;
    const uint32_t generation = gate.Open();
    std::array<int, kThreads> hold{};
    std::array<bool, kThreads> registered{};
    std::array<uint32_t, kThreads> seen{};
    std::array<bool, kThreads> won{};
    InThreads([&](int thread) {
      const auto mine = static_cast<size_t>(thread);
      hold[mine] = thread + 1;
      registered[mine] = gate.Register(generation, thread);
      uint32_t holds = 0;
      won[mine] = gate.Settle(generation, End::kExpired, &holds);
      if (!won[mine]) return;
      for (size_t other = 0; other < kThreads; ++other) {
        if ((holds >> other & 1) != 0 && hold[other] == static_cast<int>(other) + 1) {
          seen[mine] |= uint32_t{1} << other;
        }
      }
    });
    uint32_t expected = 0, found = 0;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      settled += won[thread] ? 1 : 0;
      found |= seen[thread];
      if (registered[thread]) expected |= uint32_t{1} << thread;
    }
    REQUIRE(found == expected);
    REQUIRE(gate.Read(generation) == End::kExpired);
  }
  CHECK(settled == 2'000);
}

struct Untyped final : RequestState {
  bool TakeResult(int, void*, bool) override { return true; }
  void MakeFallback(int, const Board&) override {}
  void ClearResult(int) override {}
  bool Keeps(int, const Hold&) const override { return false; }
  void Deliver(int) override {}
  bool KeepRequest() override { return true; }
  void Recycle() override {}
};

TEST_CASE("a recording is written by all who work on its decision and read after the last") {
  constexpr int kDecisions = 4, kRuns = 5'000;
  struct Decision {
    Untyped state;
    std::atomic<int> users{0};
    std::atomic<Recording*> recording{nullptr};
    std::atomic<int> round{0};
  };
  AgentVitals vitals;
  const AgentRecord agent("agent", &vitals, nullptr);
  std::atomic<uint64_t> spans{0}, wrong{0}, recorded{0};
  Tracer tracer(
      2,
      [&](const Timeline& t) {
        spans += t.spans.size();
        wrong += t.spans.size() != kThreads + 1 || t.threads.size() > kThreads + 1;
        for (const auto& span : t.spans)
          wrong += span.kind == Timeline::Kind::kAgent && span.agent != "agent";
      },
      &SystemClock::Get());
  Decision decisions[kDecisions];
  // All threads work on the same decisions, one after another; who is first opens it, who is last
  // finishes it.
  const auto finish = [&](Decision& decision) {
    Recording* recording = decision.recording.load(std::memory_order_relaxed);
    if (recording != nullptr) {
      recorded.fetch_add(1, std::memory_order_relaxed);
      (void)tracer.Finish(*recording, decision.state.endings[0]);
    }
  };
  const auto open = [&](Decision& decision) {
    Recording* recording = tracer.Sample();
    if (recording != nullptr) {
      Tracer::Open(*recording, decision.state);
      recording->BeginRun();
      recording->Settled();
      recording->EndRun();
    }
    decision.recording.store(recording, std::memory_order_relaxed);
    decision.users.store(kThreads, std::memory_order_relaxed);
    decision.round.fetch_add(1, std::memory_order_release);
  };
  for (Decision& decision : decisions) open(decision);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load(std::memory_order_relaxed)) tracer.Drain();
  });
  InThreads([&](int) {
    for (int round = 1; round <= kRuns; ++round) {
      for (Decision& decision : decisions) {
        while (decision.round.load(std::memory_order_acquire) < round) std::this_thread::yield();
        if (Recording* recording = decision.recording.load(std::memory_order_relaxed)) {
          const int64_t now = recording->Now();
          recording->AddCall(&agent, Outcome::kRan, Cause::kNone, 0, now, now);
        }
        if (decision.users.fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
        finish(decision);
        open(decision);
      }
    }
  });
  stop = true;
  reader.join();
  tracer.Drain();
  CHECK(wrong.load() == 0);
  CHECK(recorded.load() > 0);
  CHECK(tracer.delivered() == recorded.load());
  CHECK(spans.load() == recorded.load() * (kThreads + 1));
  CHECK(tracer.delivered() + tracer.dropped() >= kDecisions * kRuns / 2);
}

}  // namespace
}  // namespace adagents::internal
