// How decisions end when several threads want to end them: each test holds one of them at the one
// point where the others used to get in its way.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

// A result whose moves the test can stop halfway.
struct Slow {
  int value = 0;

  Slow() = default;
  Slow(const Slow& other) { *this = other; }
  Slow(Slow&& other) noexcept : value(other.value) {}
  Slow& operator=(const Slow& other) {
    if (moving.load()) copied_while_moved.store(true);
    value = other.value;
    return *this;
  }
  Slow& operator=(Slow&& other) noexcept {
    if (armed.exchange(false)) {
      moving.store(true);
      const auto until = SteadyClock::now() + std::chrono::milliseconds(80);
      while (SteadyClock::now() < until && !copied_while_moved.load()) std::this_thread::yield();
      moving.store(false);
    }
    value = std::exchange(other.value, -1);
    return *this;
  }

  static std::atomic<bool> armed, moving, copied_while_moved;
};
std::atomic<bool> Slow::armed{false}, Slow::moving{false}, Slow::copied_while_moved{false};

constexpr Key<int> kNumber{"number"};
constexpr Key<Slow> kSlow{"slow"};

class WritesSlow final : public Agent {
  Out<Slow> out_{this, kSlow};

 public:
  WritesSlow() : Agent({.name = "writes"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_].value = 7;
    return absl::OkStatus();
  }
};

class ArmsMoves final : public Agent {
  In<Slow> in_{this, kSlow};

 public:
  ArmsMoves() : Agent({.name = "arms"}) {}
  absl::Status Run(Context&) override {
    Slow::armed.store(true);
    return absl::OkStatus();
  }
};

TEST_CASE("a result is not copied at the deadline while it is being moved out") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Slow::armed = Slow::moving = Slow::copied_while_moved = false;
    RuntimeOptions options;
    options.workers = 1;
    options.deadline = absl::Milliseconds(20);
    auto runtime = Runtime<int, Slow>::Builder(kNumber, kSlow)
                       .Add<WritesSlow>()
                       .Add<ArmsMoves>()
                       .Options(options)
                       .Build();
    REQUIRE(runtime.ok());
    const Answer<Slow> answer = Ask(**runtime, way, 1);
    CHECK(!Slow::copied_while_moved.load());
    CHECK(answer.verdict == Verdict::kDecided);
    CHECK(answer.value.value == 7);
  }
}

// A request that takes its time to be handed over.
struct SlowRequest {
  int value = 0;
  bool slow = false;

  SlowRequest() = default;
  SlowRequest(const SlowRequest&) = default;
  SlowRequest& operator=(const SlowRequest& other) {
    if (other.slow) {
      const auto until = SteadyClock::now() + std::chrono::milliseconds(60);
      while (SteadyClock::now() < until) std::this_thread::yield();
    }
    value = other.value;
    slow = other.slow;
    return *this;
  }
};

constexpr Key<SlowRequest> kSlowRequest{"slow request"};

class Echo final : public Agent {
  In<SlowRequest> in_{this, kSlowRequest};
  Out<int> out_{this, kSay};

 public:
  Echo() : Agent({.name = "echo"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_] = ctx[in_].value;
    return absl::OkStatus();
  }
};

TEST_CASE("a decision whose request is handed over beyond its deadline is answered all the same") {
  RuntimeOptions options;
  options.workers = 1;
  options.deadline = absl::Milliseconds(5);
  auto runtime =
      Runtime<SlowRequest, int>::Builder(kSlowRequest, kSay)
          .Add<Echo>()
          .Fallback([](const SlowRequest& request, const Board&) { return request.value + 100; })
          .Options(options)
          .Build();
  REQUIRE(runtime.ok());
  SlowRequest request;
  request.value = 3;
  request.slow = true;
  for (const Way way : kWays) {
    INFO(Name(way));
    const Answer<int> answer = Ask(**runtime, way, request);
    CHECK((answer.value == 103 || answer.value == 3));  // the fallback's or the agent's, never 0
    CHECK((answer.verdict == Verdict::kExpired || answer.verdict == Verdict::kDecided));
  }
  CHECK((*runtime)->GetStats().decisions() == kWays.size());
}

// Everything but the one result that counts is alike in both endings, so a decision that completes
// at the very deadline shows a mix of the two as a wrong value or a wrong count.
TEST_CASE("decisions that complete at the very deadline have one whole ending") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    RuntimeOptions options;
    options.workers = 2;
    options.reserve = absl::ZeroDuration();
    options.breaker.late_in_a_row = 1'000'000;  // it is late on purpose
    std::atomic<int> offset{0};
    const auto until_deadline = [&offset](Context& ctx, Node& node) {
      const int64_t at = ctx.deadline().nanos() + offset.load(std::memory_order_relaxed);
      while (SystemClock::Get().Now() < at) {
      }
      node.out(ctx) = node.Sum(ctx) + 1;
      return node.in(ctx, 0) % 2 == 0 ? absl::OkStatus() : absl::InternalError("odd");
    };
    auto team = TeamOf({{.name = "first", .in = {"ask"}, .out = "say"},
                        {.name = "fails", .in = {"say"}, .out = "spare", .body = until_deadline}},
                       options)
                    .Fallback([](const int& ask, const Board&) { return -ask; })
                    .Build();
    REQUIRE(team.ok());
    const int rounds = LongRun() ? 50'000 : 3'000;
    uint64_t wrong = 0;
    std::string first_wrong;
    for (int i = 0; i < rounds; ++i) {
      offset.store((i % 61 - 30) * 500, std::memory_order_relaxed);
      CallOptions call;
      call.tmax = absl::Microseconds(150);
      const Answer<int> answer = Ask(**team, way, i, call);
      const bool decided = answer.verdict == Verdict::kDecided && answer.value == i + 1;
      // Saturated: on a busy machine both workers and all spares can be beyond 150 us at once.
      const bool expired =
          (answer.verdict == Verdict::kExpired || answer.verdict == Verdict::kSaturated) &&
          answer.value == -i;
      const bool refused = answer.verdict == Verdict::kNoTime;
      if (!(decided || expired || refused) || (decided && answer.late > 1)) {
        if (wrong++ == 0) {
          first_wrong = std::string(Name(answer.verdict)) + ", value " +
                        std::to_string(answer.value) + " for " + std::to_string(i) + ", late " +
                        std::to_string(answer.late);
        }
      }
    }
    INFO("the first wrong one: " << first_wrong);
    CHECK(wrong == 0);
    const Stats stats = (*team)->GetStats();
    CHECK(stats.decisions() == static_cast<uint64_t>(rounds));
    CHECK(stats.in_flight == 0);
  }
}

// The deadline falls on the moment in which a worker takes the decision up: whoever cuts it short
// must not take what an earlier decision on the same ticket has sealed for its own.
TEST_CASE("decisions that expire just as a worker begins with them are empty of earlier ones") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    RuntimeOptions options;
    options.workers = 1;
    options.max_in_flight = 2;
    options.reserve = absl::ZeroDuration();
    options.breaker.late_in_a_row = 1'000'000;
    auto team = TeamOf({{.name = "says", .in = {"ask"}, .out = "say"}}, options)
                    .Fallback([](const int& ask, const Board&) { return -ask; })
                    .Build();
    REQUIRE(team.ok());
    const int rounds = LongRun() ? 1'000'000 : 40'000;
    uint64_t wrong = 0, decided = 0, expired = 0;
    for (int i = 1; i <= rounds; ++i) {
      CallOptions call;
      call.tmax = absl::Nanoseconds(1'000 + i % 1'000 * 37 % (i % 8 == 0 ? 400'000 : 12'000));
      Answer<int> answer;
      while ((answer = Ask(**team, way, i, call)).verdict == Verdict::kOverloaded) {
        std::this_thread::yield();  // stragglers hold both tickets
      }
      decided += answer.verdict == Verdict::kDecided;
      expired += answer.verdict == Verdict::kExpired;
      wrong += (answer.verdict == Verdict::kDecided && answer.value != i + 1) ||
               (answer.verdict == Verdict::kExpired && answer.value != -i);
    }
    CHECK(wrong == 0);
    CHECK(decided > 0);
    CHECK(expired > 0);
  }
}

}  // namespace
}  // namespace adagents::testing
