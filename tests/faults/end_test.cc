// The end: destruction and shutdown with hung agents, and forked children.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "faults/rig.h"

namespace adagents::testing {
namespace {

using std::chrono::milliseconds;

// What a machine that gives out no cores adds to a bound.
milliseconds Overslept(Sentinel& sentinel, int64_t from) {
  return milliseconds(sentinel.OversleptIn(from, Sentinel::Now()) / 1'000'000 + 1);
}
// So that threads which do not hang may not get to end in the time that they are given.
bool Stalled(Sentinel& sentinel, int64_t from) {
  return Overslept(sentinel, from) > milliseconds(10);
}

TEST_CASE("shutting down with a hung agent returns within the grace and 100 ms, answers and all") {
  for (const int grace_ms : {0, 50, 300}) {
    for (const Way way : kWays) {
      INFO(Name(way) << ", grace " << grace_ms << " ms");
      Door door;
      auto entered = std::make_shared<std::atomic<int>>(0);
      auto left = std::make_shared<std::atomic<int>>(0);
      Sentinel sentinel;
      RigOptions options;
      options.runtime.workers = 2;
      options.runtime.deadline = absl::Seconds(30);
      auto team = MakeRig(
          [&door, entered, left](Context&, uint64_t) {
            ++*entered;
            door.Wait();
            ++*left;
            return absl::OkStatus();
          },
          options);
      auto answered = std::make_shared<std::atomic<int>>(0);
      std::thread caller([&, answered] {
        if (Right(1, Ask(*team, way, uint64_t{1}))) ++*answered;
      });
      REQUIRE(Eventually([&] { return *entered == 1; }));
      const int64_t from = Sentinel::Now();
      const auto start = SteadyClock::now();
      const ShutdownReport report = team->Shutdown(absl::Milliseconds(grace_ms));
      const auto took = SteadyClock::now() - start;
      CHECK(took <= milliseconds(grace_ms + 100) + Overslept(sentinel, from));
      CHECK(!report.clean());
      const int stuck = way == Way::kTrusted ? 0 : 1;
      CHECK((report.threads_left == stuck ||
             (report.threads_left > stuck && Stalled(sentinel, from))));
      CHECK(report.callers_left == (way == Way::kTrusted ? 1 : 0));
      if (way != Way::kTrusted) {
        CHECK(report.answered_early == 1);
        CHECK(Eventually([&] { return *answered == 1; }));
      }
      CHECK((team->Decide(1).verdict == Verdict::kShutDown));
      if (way != Way::kTrusted) {
        caller.join();
        team.reset();  // what the stuck thread uses lives on
        door.Open();
      } else {
        door.Open();
        caller.join();
        team.reset();
      }
      CHECK(Eventually([&] { return *left == 1; }));
      CHECK(*answered == 1);
    }
  }
}

TEST_CASE("destruction with a hung agent returns within its second of grace and 100 ms") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Door door;
    auto left = std::make_shared<std::atomic<int>>(0);
    auto entered = std::make_shared<std::atomic<int>>(0);
    Sentinel sentinel;
    RigOptions options;
    options.runtime.workers = 2;
    auto team = MakeRig(
        [&door, entered, left](Context&, uint64_t) {
          ++*entered;
          door.Wait();
          ++*left;
          return absl::OkStatus();
        },
        options);
    std::atomic<bool> right{false};
    // A trusted caller is stuck in there, and gets its answer in the end.
    std::thread caller(
        [&right, way, it = team.get()] { right = Right(1, Ask(*it, way, uint64_t{1})); });
    REQUIRE(Eventually([&] { return *entered == 1; }));
    if (way != Way::kTrusted) caller.join();
    const int64_t from = Sentinel::Now();
    const auto start = SteadyClock::now();
    team.reset();
    CHECK(SteadyClock::now() - start <= milliseconds(1'100) + Overslept(sentinel, from));
    door.Open();
    if (caller.joinable()) caller.join();
    CHECK(right);
    CHECK(Eventually([&] { return *left == *entered; }));
  }
}

TEST_CASE("a shutdown under load answers every call, and refuses those that come after it") {
  for (const Way way : kWays) {
    INFO(Name(way));
    for (int round = 0; round < (LongRun() ? 200 : 10); ++round) {
      RigOptions options;
      options.runtime.workers = 2;
      Sentinel sentinel;
      auto team = MakeRig([](Context&, uint64_t) { return absl::OkStatus(); }, options);
      Clients clients(*team, sentinel);
      clients.Start(way, 3, 1 << 30);
      REQUIRE(Eventually([&] { return clients.answered() > 200; }));
      const ShutdownReport report = team->Shutdown(absl::Milliseconds(round % 2 == 0 ? 0 : 500));
      const uint64_t then = clients.answered();
      CHECK(Eventually([&] { return clients.answered() > then + 10; }));
      clients.Stop();
      const Seen seen = clients.Finish();
      CHECK(seen.wrong == 0);
      CHECK(seen.late == 0);
      CHECK(seen.Of(Verdict::kShutDown) > 0);
      if (round % 2 == 1) CHECK(report.threads_left == 0);
    }
  }
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("in a forked child every call is refused at once, and the parent goes on") {
  RigOptions options;
  options.runtime.workers = 2;
  auto team = MakeRig([](Context&, uint64_t) { return absl::OkStatus(); }, options);
  for (const Way way : kWays) CHECK(Right(1, Ask(*team, way, uint64_t{1})));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // no checks here: they are the parent's
    alarm(20);
    int refused = 0;
    for (const Way way : kWays) {
      refused += Ask(*team, way, uint64_t{1}).verdict == Verdict::kShutDown;
    }
    struct Ping {};
    refused += team->Publish(Ping{}, 1).code() == absl::StatusCode::kFailedPrecondition;
    const auto start = SteadyClock::now();
    team.reset();
    refused += SteadyClock::now() - start < std::chrono::seconds(5);
    _exit(refused);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);
  for (const Way way : kWays) CHECK(Right(2, Ask(*team, way, uint64_t{2})));
  CHECK(LeftBehind(*team) == "");
}
#endif

}  // namespace
}  // namespace adagents::testing
