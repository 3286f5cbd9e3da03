// Side effects end with their decision: kept when it keeps them, undone in every other case, and
// settled exactly once.
#include <atomic>
#include <memory>
#include <thread>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

struct Ledger {
  std::atomic<int> taken{0}, kept{0}, undone{0}, wrong{0};
  void Settle(bool keep, uint64_t subject, int64_t amount) {
    ++(keep ? kept : undone);
    if (amount != static_cast<int64_t>(subject) * 10) ++wrong;
  }
  [[nodiscard]] bool balanced() const { return taken == kept + undone && wrong == 0; }
};

absl::Status TakeFrom(Context& ctx, Ledger& ledger, uint64_t subject) {
  ++ledger.taken;
  return ctx.Take({.settle =
                       [](const Hold& hold, bool kept) {
                         static_cast<Ledger*>(hold.object)->Settle(kept, hold.subject, hold.amount);
                       },
                   .object = &ledger,
                   .subject = subject,
                   .amount = static_cast<int64_t>(subject) * 10});
}

NodeSpec Taker(Ledger& ledger, std::string name = "takes") {
  return {.name = std::move(name),
          .in = {"ask"},
          .out = "say",
          .body = [&ledger](Context& ctx, Node& node) {
            node.out(ctx) = node.in(ctx, 0);
            return TakeFrom(ctx, ledger, 3);
          }};
}

TEST_CASE("a decided answer keeps its holds") {
  Ledger ledger;
  auto team = MakeTeam({Taker(ledger)});
  for (const Way way : kWays) CHECK(Ask(*team, way, 1).verdict == Verdict::kDecided);
  CHECK(ledger.kept == 3);
  CHECK(ledger.balanced());
}

TEST_CASE("a rule says which holds a result keeps") {
  Ledger ledger;
  auto team = TeamOf({{.name = "takes",
                       .in = {"ask"},
                       .out = "say",
                       .body =
                           [&](Context& ctx, Node& node) {
                             node.out(ctx) = node.in(ctx, 0);
                             for (uint64_t i = 0; i < 5; ++i) {
                               if (!TakeFrom(ctx, ledger, i).ok()) return absl::InternalError("");
                             }
                             return absl::OkStatus();
                           }}})
                  .Keeps([](const int& say, const Hold& hold) {
                    if (say == 99) throw 99;
                    return hold.subject == static_cast<uint64_t>(say);
                  })
                  .Build();
  REQUIRE(team.ok());
  for (const Way way : kWays) {
    const int kept = ledger.kept, undone = ledger.undone;
    (void)Ask(**team, way, 2);
    CHECK(ledger.kept == kept + 1);
    CHECK(ledger.undone == undone + 4);
    (void)Ask(**team, way, 99);  // a rule that throws claims nothing
    CHECK(ledger.kept == kept + 1);
    CHECK(ledger.undone == undone + 9);
  }
  CHECK(ledger.balanced());
}

TEST_CASE("a vetoed, a failed and a cancelled decision undo their holds") {
  for (const Way way : kWays) {
    INFO(Name(way));
    Ledger ledger;
    std::stop_source stop;
    auto vetoed = MakeTeam({Taker(ledger),
                            {.name = "guard",
                             .in = {"say"},
                             .body = [](auto&, auto&) { return absl::InternalError("veto"); },
                             .options = {.name = {}, .must_run = true}}});
    CHECK(Ask(*vetoed, way, 1).verdict == Verdict::kVetoed);
    CHECK(ledger.undone == 1);
    NodeSpec first = Taker(ledger);
    first.out = Numbered("x", 1);
    auto failed =
        MakeTeam({first, {.name = "fails", .in = {"x1"}, .out = "say", .body = [](auto&, auto&) {
                            return absl::InternalError("no");
                          }}});
    CHECK(Ask(*failed, way, 1).verdict == Verdict::kFallback);
    CHECK(ledger.undone == 2);
    auto cancelled = MakeTeam({first,
                               {.name = "cancels",
                                .in = {"x1"},
                                .out = "y",
                                .body =
                                    [&](auto&, auto&) {
                                      stop.request_stop();
                                      return absl::OkStatus();
                                    }},
                               {.name = "says", .in = {"y"}, .out = "say"}});
    CHECK(Ask(*cancelled, way, 1, {.stop = stop.get_token()}).verdict == Verdict::kCancelled);
    CHECK(Eventually([&] { return ledger.undone == 3; }));
    CHECK(ledger.kept == 0);
    CHECK(ledger.balanced());
  }
}

TEST_CASE("beyond 32 holds a decision takes no more, and what was tried is undone") {
  Ledger ledger;
  std::atomic<int> refused{0};
  auto team = MakeTeam(
      {{.name = "greedy", .in = {"ask"}, .out = "say", .body = [&](Context& ctx, Node& node) {
          node.out(ctx) = 1;
          for (uint64_t i = 0; i < 40; ++i) {
            const absl::Status status = TakeFrom(ctx, ledger, i);
            refused += status.code() == absl::StatusCode::kResourceExhausted;
          }
          return absl::OkStatus();
        }}});
  for (int round = 1; round <= 3; ++round) {
    for (const Way way : kWays) (void)Ask(*team, way, 1);
    CHECK(refused == 24 * round);
    CHECK(ledger.kept == 96 * round);
    CHECK(ledger.undone == 24 * round);
  }
  CHECK(ledger.balanced());
}

TEST_CASE("a hold needs a settle function and a decision") {
  absl::Status without, in_event;
  struct Ping {};
  struct Hears final : Agent {
    On<Ping> ping{this};
    absl::Status* out;
    explicit Hears(absl::Status* o) : Agent({.name = "hears"}), out(o) {}
    absl::Status Run(Context& ctx) override {
      Ledger ledger;
      *out = TakeFrom(ctx, ledger, 1);
      return absl::OkStatus();
    }
  };
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = TeamOf({{.name = "says",
                       .in = {"ask"},
                       .out = "say",
                       .body =
                           [&](Context& ctx, Node&) {
                             without = ctx.Take({});
                             return absl::OkStatus();
                           }}},
                     options)
                  .Add<Hears>(&in_event)
                  .Build();
  REQUIRE(team.ok());
  (void)(*team)->Decide(1);
  CHECK(without.code() == absl::StatusCode::kInvalidArgument);
  CHECK((*team)->Publish(Ping{}, 1).ok());
  CHECK(in_event.code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("holds that race with the deadline and the caller's stop are settled once") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Ledger ledger;
    std::atomic<int> decided{0};
    RuntimeOptions options;
    options.workers = 2;
    options.reserve = absl::ZeroDuration();
    options.breaker.late_in_a_row = 1'000'000;
    auto team = MakeTeam({{.name = "takes",
                           .in = {"ask"},
                           .out = "say",
                           .body =
                               [&](Context& ctx, Node& node) {
                                 node.out(ctx) = 1;
                                 const int64_t due = ctx.deadline().nanos();
                                 while (SystemClock::Get().Now() < due - 20'000) {
                                 }
                                 for (uint64_t i = 0; i < 40; ++i) (void)TakeFrom(ctx, ledger, i);
                                 return absl::OkStatus();
                               }}},
                         options);
    const int rounds = LongRun() ? 20'000 : 1'500;
    for (int i = 0; i < rounds; ++i) {
      CallOptions call;
      call.tmax = absl::Microseconds(100 + i % 40);
      std::stop_source stop;
      std::jthread stopper;
      if (i % 3 == 0) {
        call.stop = stop.get_token();
        stopper = std::jthread([&] { stop.request_stop(); });
      }
      decided += Ask(*team, way, 1, call).verdict == Verdict::kDecided;
    }
    CHECK(LeftBehind(*team) == "");
    CHECK(ledger.balanced());
    CHECK(ledger.kept == 32 * decided);
  }
}

}  // namespace
}  // namespace adagents::testing
