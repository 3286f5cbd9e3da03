// Agents that come late, throw, or act after the answer: no answer changes, no side effect stays.
#include <atomic>
#include <memory>
#include <stdexcept>

#include "adagents/testing/virtual_clock.h"
#include "faults/rig.h"

namespace adagents::testing {
namespace {

TEST_CASE("under load, agents that throw anything cost no answer") {
  for (const bool optional : {true, false}) {
    for (const Way way : kWays) {
      INFO(Name(way) << ", optional " << optional);
      RigOptions options;
      options.optional = optional;
      options.runtime.workers = 2;
      options.runtime.breaker.backoff_nanos = 1'000'000;
      options.runtime.breaker.max_backoff_nanos = 2'000'000;
      Sentinel sentinel;
      auto team = MakeRig(
          [](Context&, uint64_t question) -> absl::Status {
            switch (Mix64(question) % 5) {
              case 0:
                throw std::runtime_error("std");
              case 1:
                throw 42;
              case 2:
                return absl::InternalError("status");
              default:
                return absl::OkStatus();
            }
          },
          options);
      Clients clients(*team, sentinel);
      clients.Start(way, 3, LongRun() ? 100'000 : 3'000);
      const Seen seen = clients.Finish();
      Report("throws", way, seen);
      CHECK(seen.wrong == 0);
      CHECK(seen.late == 0);
      CHECK(seen.answers() == team->GetStats().decisions());
      CHECK((optional ? seen.Of(Verdict::kFallback) == 0 : seen.Of(Verdict::kFallback) > 0));
      CHECK(seen.Of(Verdict::kDecided) > 0);
      CHECK(LeftBehind(*team) == "");
    }
  }
}

// The suspect ends at random around the deadline, and writes and reads on afterwards.
TEST_CASE("a late writer changes no answer, whoever notices the deadline first") {
  for (const Way way : kWays) {
    INFO(Name(way));
    RigOptions options;
    options.runtime.workers = 2;
    options.runtime.reserve = absl::ZeroDuration();
    options.runtime.breaker.late_in_a_row = 1'000'000;
    Sentinel sentinel;
    std::atomic<int> torn{0};
    options.optional = false;  // an optional one would be left out
    auto team = MakeRig(
        [&](Context& ctx, uint64_t question) {
          const int64_t offset = static_cast<int64_t>(Mix64(question) % 60'000) - 30'000;
          const int64_t until = ctx.deadline().nanos() + offset;
          while (SystemClock::Get().Now() < until) {
          }
          torn += !ctx.deadline().Passed(until + 30'001);
          return absl::OkStatus();
        },
        options);
    Clients clients(*team, sentinel);
    clients.Start(way, 2, LongRun() ? 100'000 : 4'000, absl::Microseconds(200));
    const Seen seen = clients.Finish();
    Report("late writer", way, seen);
    CHECK(seen.wrong == 0);
    CHECK(seen.late == 0);
    CHECK(torn == 0);  // a straggler still sees its own decision
    CHECK(seen.Of(Verdict::kExpired) > 0);
    CHECK(LeftBehind(*team) == "");
    CHECK(team->GetStats().decisions() == seen.answers());
  }
}

struct Purse {
  std::atomic<int> taken{0}, kept{0}, undone{0}, refused{0};
};

TEST_CASE("a straggler that reserves after the answer is refused, and nothing stays reserved") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Purse purse;
    Door door;
    std::atomic<int> entered{0};
    RigOptions options;
    options.runtime.workers = 2;
    options.runtime.spares = 4;
    options.runtime.deadline = absl::Milliseconds(10);
    options.optional = false;
    const auto take = [&purse](Context& ctx) {
      ++purse.taken;
      return ctx.Take({.settle =
                           [](const Hold& hold, bool kept) {
                             auto* p = static_cast<Purse*>(hold.object);
                             ++(kept ? p->kept : p->undone);
                           },
                       .object = &purse});
    };
    auto team = MakeRig(
        [&](Context& ctx, uint64_t) {
          if (!take(ctx).ok()) return absl::InternalError("refused in time");
          ++entered;
          door.Wait();
          if (!ctx.cancelled()) return absl::InternalError("does not know");
          for (int i = 0; i < 50; ++i) purse.refused += !take(ctx).ok();
          return absl::OkStatus();
        },
        options);
    const OpenAtEnd open(door);
    const auto answer = Ask(*team, way, uint64_t{7});
    CHECK((answer.verdict == Verdict::kExpired));
    CHECK(Right(7, answer));
    CHECK(purse.undone == purse.taken);
    CHECK(entered == 1);
    door.Open();
    REQUIRE(Eventually([&] { return purse.refused == 50; }));
    CHECK(purse.taken == 51);
    CHECK(purse.undone == 51);
    CHECK(purse.kept == 0);
    CHECK(LeftBehind(*team) == "");
  }
}

// A steady clock that is the system's and a civil one that jumps by an hour, to and fro.
class JumpyClock final : public Clock {
 public:
  int64_t Now() const override { return SystemClock::Get().Now(); }
  absl::Time WallNow() const override {
    const int jump = jumps_.fetch_add(1) % 3 - 1;
    return absl::Now() + absl::Hours(jump);
  }

 private:
  mutable std::atomic<int> jumps_{0};
};

TEST_CASE("the wall clock jumping by hours touches no deadline") {
  for (const Way way : kWays) {
    INFO(Name(way));
    JumpyClock clock;
    RigOptions options;
    options.runtime.workers = 2;
    options.runtime.clock = &clock;
    Sentinel sentinel;
    std::atomic<int> jumps{0};
    auto team = MakeRig(
        [&](Context& ctx, uint64_t) {
          const absl::Duration jump = ctx.clock().WallNow() - ctx.clock().WallNow();
          jumps += absl::AbsDuration(jump) > absl::Minutes(59);
          return absl::OkStatus();
        },
        options);
    Clients clients(*team, sentinel);
    clients.Start(way, 2, 5'000);
    const Seen seen = clients.Finish();
    Report("wall clock", way, seen);
    CHECK(jumps > 0);
    CHECK(seen.wrong == 0);
    CHECK(seen.late == 0);
    CHECK(seen.Of(Verdict::kDecided) + seen.Of(Verdict::kExpired) == 10'000);
    CHECK(seen.Of(Verdict::kDecided) > 9'900);
  }
}

}  // namespace
}  // namespace adagents::testing
