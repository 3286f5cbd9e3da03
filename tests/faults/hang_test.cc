// Agents that hang, under load, with real threads, in each way of deciding.
#include <atomic>
#include <memory>

#include "faults/rig.h"

namespace adagents::testing {
namespace {

// Two workers and two trusted callers: what one hanging call can take down with it.
RigOptions Small() {
  RigOptions options;
  options.runtime.workers = 2;
  options.runtime.spares = 4;
  options.runtime.callers = 2;
  return options;
}

// Into `misses`: the calls that the watchdog has found overdue, until the agent is quarantined.
LogSink CountMisses(std::atomic<int>& misses) {
  return [&misses, over = std::make_shared<std::atomic<bool>>(false)](const LogEntry& entry) {
    if (entry.agent != "suspect" || *over) return;
    if (entry.text.find("quarantined") == 0) {
      *over = true;
      ++misses;  // the last of them is logged after this
    } else if (entry.text.find("stuck") != std::string_view::npos) {
      ++misses;
    }
  };
}

TEST_CASE("an agent that hangs at once is quarantined after at most five misses") {
  for (const bool share : {true, false}) {
    for (const Way way : kWays) {
      INFO(Name(way) << ", share " << share);
      Door door;
      std::atomic<int> hung{0};
      RigOptions options = Small();
      options.runtime.share_work = share;
      std::atomic<int> misses{0};
      options.runtime.log = CountMisses(misses);
      Sentinel sentinel;
      auto team = MakeRig(
          [&](Context&, uint64_t) {
            ++hung;
            door.Wait();
            return absl::OkStatus();
          },
          options);
      Clients clients(*team, sentinel);
      const OpenAtEnd open(door);
      // Of the trusted ones two get stuck, the third is served by workers.
      clients.Start(way, way == Way::kTrusted ? 3 : 2, 2'000);
      CHECK(Eventually([&] { return StatsOf(team->GetStats(), "suspect").quarantined; }));
      CHECK(Eventually([&] { return clients.answered() > 100; }));
      CHECK(hung <= 5);
      CHECK(misses <= 5);
      CHECK(Eventually([&] { return StatsOf(team->GetStats(), "suspect").stuck == hung; }));
      CHECK(Eventually([&] {  // a thread that has no core at its deadline counts for a moment, too
        const Stats stats = team->GetStats();
        return stats.workers_stuck + stats.callers_stuck == hung;
      }));
      const int callers = team->GetStats().callers_stuck;
      CHECK((way == Way::kTrusted ? callers == 1 || callers == 2 : callers == 0));
      door.Open();
      const Seen seen = clients.Finish();
      Report("hangs at once", way, seen);
      CHECK(seen.wrong == 0);
      CHECK(seen.late == 0);
      CHECK(seen.answers() == (way == Way::kTrusted ? 6'000u : 4'000u));
      // Once its calls have come back it is tried again, and works.
      CHECK(Eventually([&] {
        return !StatsOf(team->GetStats(), "suspect").quarantined || (team->Decide(1), false);
      }));
      CHECK(LeftBehind(*team) == "");
    }
  }
}

TEST_CASE("an agent that hangs from its 100,001st call on is quarantined after at most five more") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Door door;
    std::atomic<int> calls{0}, hung{0}, misses{0};
    RigOptions options = Small();
    options.runtime.log = CountMisses(misses);
    Sentinel sentinel;
    auto team = MakeRig(
        [&](Context&, uint64_t) {
          if (calls.fetch_add(1) < 100'000) return absl::OkStatus();
          ++hung;
          door.Wait();
          return absl::OkStatus();
        },
        options);
    Clients clients(*team, sentinel);
    const OpenAtEnd open(door);
    // Of the trusted ones two get stuck, the third is served by workers and must not have ended.
    clients.Start(way, way == Way::kTrusted ? 3 : 2, 1 << 30);
    REQUIRE(Eventually([&] { return calls > 100'000; }));
    CHECK(Eventually([&] { return StatsOf(team->GetStats(), "suspect").quarantined; }));
    CHECK(hung >= 1);
    CHECK(hung <= 5);
    CHECK(misses <= 5);
    door.Open();
    clients.Stop();
    const Seen seen = clients.Finish();
    Report("hangs on call 100,001", way, seen);
    CHECK(seen.wrong == 0);
    CHECK(seen.late == 0);
    CHECK(seen.answers() == team->GetStats().decisions());
    CHECK(seen.Of(Verdict::kDecided) >= 100'000);
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE(
    "a required agent that hangs costs each decision its deadline, then the fallback's time") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Door door;
    std::atomic<int> hung{0};
    RigOptions options = Small();
    options.optional = false;
    Sentinel sentinel;
    auto team = MakeRig(
        [&](Context&, uint64_t) {
          ++hung;
          door.Wait();
          return absl::OkStatus();
        },
        options);
    Clients clients(*team, sentinel);
    const OpenAtEnd open(door);
    clients.Start(way, 2, 1'000);
    CHECK(Eventually([&] { return clients.answered() > 500; }));
    CHECK(hung <= 5);
    const Seen seen = clients.Finish();
    Report("required hangs", way, seen);
    CHECK(seen.wrong == 0);
    CHECK(seen.late == 0);
    CHECK(seen.Of(Verdict::kExpired) > 0);
    CHECK(seen.Of(Verdict::kFallback) > 0);
    CHECK(seen.Of(Verdict::kDecided) == 0);
  }
}

TEST_CASE("with every worker hung the fallback answers in time, and all recovers afterwards") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Door door;
    std::atomic<bool> healthy{false};
    std::atomic<int> now{0}, most{0};
    RigOptions options = Small();
    options.runtime.spares = 1;
    // A worker that is kept from its core until its deadline is as good as stuck, and a spare takes
    // its place: only the calls that hang have one that a busy machine can miss.
    options.runtime.deadline = absl::Seconds(30);
    const CallOptions hanging{.tmax = absl::Milliseconds(20)};
    options.runtime.breaker.late_in_a_row = 1'000'000;  // nothing stops it from hanging them all
    options.runtime.share_work = false;
    Sentinel sentinel;
    auto team = MakeRig(
        [&](Context&, uint64_t question) {
          if (question == 0) {
            door.Wait();
          } else if (healthy) {
            const int count = ++now;
            int seen = most.load();
            while (count > seen && !most.compare_exchange_weak(seen, count)) {
            }
            for (int i = 0; i < 50; ++i) std::this_thread::yield();
            --now;
          }
          return absl::OkStatus();
        },
        options);
    const OpenAtEnd open(door);
    REQUIRE(Eventually([&] {
      if (team->GetStats().workers_stuck == 3) return true;
      CHECK(team->Decide(0, hanging).value == NumbersOf(0, kFallbackSize));
      return false;
    }));
    CHECK(team->GetStats().spares_left == 0);
    {
      Clients clients(*team, sentinel);
      clients.Start(way, 2, 400, absl::Seconds(30));
      const Seen seen = clients.Finish();
      Report("all workers hung", way, seen);
      CHECK(seen.wrong == 0);
      CHECK(seen.late == 0);
      CHECK(seen.answers() == 800);
      if (way == Way::kTrusted) {
        CHECK(seen.Of(Verdict::kDecided) == 800);  // needs no worker
      } else {
        CHECK(seen.Of(Verdict::kSaturated) == 800);
        CHECK(seen.worst_nanos < -20'000'000'000);  // at once, not at the deadline
      }
    }
    door.Open();
    REQUIRE(Eventually([&] { return team->GetStats().workers_stuck == 0; }));
    healthy = true;
    Clients clients(*team, sentinel);
    clients.Start(Way::kAsync, 1, 3'000, absl::Seconds(30));
    const Seen seen = clients.Finish();
    CHECK(seen.wrong == 0);
    CHECK(seen.Of(Verdict::kDecided) == 3'000);
    CHECK(most <= 2);  // spares are spares again: no more run than there are workers
    CHECK(team->GetStats().spares_left == 1);
    CHECK(LeftBehind(*team) == "");
  }
}

TEST_CASE("trusted callers that got stuck are bounded, and the others are served by workers") {
  Door door;
  std::atomic<int> hung{0};
  RigOptions options = Small();
  options.runtime.callers = 2;
  options.runtime.breaker.late_in_a_row = 1'000'000;
  Sentinel sentinel;
  auto team = MakeRig(
      [&](Context&, uint64_t question) {
        if (question == 0) {
          ++hung;
          door.Wait();
        }
        return absl::OkStatus();
      },
      options);
  std::vector<std::thread> stuck;
  const OpenAtEnd open(door);
  std::atomic<int> returned{0};
  for (int i = 0; i < 2; ++i) {
    stuck.emplace_back([&] {
      (void)team->Decide(0, {.trusted = true});
      ++returned;
    });
  }
  REQUIRE(Eventually([&] { return team->GetStats().callers_stuck == 2; }));
  Clients clients(*team, sentinel);
  clients.Start(Way::kTrusted, 4, 500);
  const Seen seen = clients.Finish();
  CHECK(seen.wrong == 0);
  CHECK(seen.answers() == 2'000);
  CHECK(seen.Of(Verdict::kDecided) + seen.Of(Verdict::kExpired) == 2'000);
  CHECK(team->GetStats().callers_stuck == 2);
  CHECK(returned == 0);
  door.Open();
  for (auto& thread : stuck) thread.join();
  CHECK(team->GetStats().callers_stuck == 0);
  CHECK(team->Decide(5, {.trusted = true}).verdict == Verdict::kDecided);
  CHECK(LeftBehind(*team) == "");
}

TEST_CASE("a caller's stop reaches it while its agent hangs") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Door door, entered;
    const OpenAtEnd open(door);
    RigOptions options = Small();
    options.runtime.deadline = absl::Seconds(30);
    auto team = MakeRig(
        [&](Context&, uint64_t) {
          entered.Open();
          door.Wait();
          return absl::OkStatus();
        },
        options);
    std::stop_source stop;
    std::thread stopper([&] {
      entered.Wait();
      stop.request_stop();
    });
    const auto start = SteadyClock::now();
    const auto answer = Ask(*team, way, uint64_t{1}, {.stop = stop.get_token()});
    CHECK((answer.verdict == Verdict::kCancelled));
    CHECK(answer.value.empty());
    CHECK(SteadyClock::now() - start < std::chrono::seconds(5));
    stopper.join();
    door.Open();
  }
}

}  // namespace
}  // namespace adagents::testing
