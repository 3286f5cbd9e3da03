// The team is swapped a thousand times under load: no answer mixes two teams, none is lost.
#include <atomic>
#include <memory>
#include <string>

#include "faults/rig.h"

namespace adagents::testing {
namespace {

constexpr Key<uint64_t> kLeft{"left"};

// Two agents of one version; the second checks the first.
class Left final : public Agent {
  In<uint64_t> in_{this, kQuestion};
  Out<uint64_t> out_{this, kLeft};
  const uint64_t version_;

 public:
  explicit Left(uint64_t version) : Agent({.name = "left"}), version_(version) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_] = version_;
    return absl::OkStatus();
  }
};

class RightHand final : public Agent {
  In<uint64_t> question_{this, kQuestion};
  In<uint64_t> left_{this, kLeft};
  Out<Numbers> out_{this, kNumbers};
  const uint64_t version_;
  std::atomic<int>* mixed_;
  std::atomic<int>* alive_;

 public:
  RightHand(uint64_t version, std::atomic<int>* mixed, std::atomic<int>* alive)
      : Agent({.name = "right"}), version_(version), mixed_(mixed), alive_(alive) {
    ++*alive_;
  }
  ~RightHand() override { --*alive_; }
  absl::Status Run(Context& ctx) override {
    *mixed_ += ctx[left_] != version_;
    const Numbers numbers = NumbersOf(Mix64(ctx[question_]), kDecidedSize);
    ctx[out_].assign(numbers.begin(), numbers.end());
    return absl::OkStatus();
  }
};

TEST_CASE("a thousand swaps of the team under load mix no two teams and lose no answer") {
  std::atomic<int> mixed{0}, alive{0};
  RuntimeOptions options;
  options.workers = 2;
  options.spares = 1;
  options.callers = 2;
  auto team = FaultyTeam::Builder(kQuestion, kNumbers)
                  .Add<Left>(uint64_t{0})
                  .Add<RightHand>(uint64_t{0}, &mixed, &alive)
                  .Fallback([](const uint64_t& question, const Board&) {
                    return NumbersOf(question, kFallbackSize);
                  })
                  .Options(options)
                  .Build();
  REQUIRE(team.ok());
  const int replicas = alive;
  Sentinel sentinel;
  Clients clients(**team, sentinel);
  for (const Way way : kWays) clients.Start(way, 1, 1 << 30);
  const uint64_t swaps = LongRun() ? 10'000 : 1'000;
  int failed = 0, most = 0;
  for (uint64_t version = 1; version <= swaps; ++version) {
    const uint64_t then = clients.answered();  // some answers by each team
    failed += !Eventually([&] { return clients.answered() > then + 3; });
    auto change = (*team)->Edit();
    change.Replace<Left>("left", version).Replace<RightHand>("right", version, &mixed, &alive);
    failed += !change.Commit().ok();
    if (version % 10 == 0) {  // and one that fails in between
      auto bad = (*team)->Edit();
      failed += bad.Replace<Left>("left", version + 1).Remove("right").Commit().ok();
    }
    most = std::max(most, alive.load());
  }
  CHECK(Eventually([&] { return clients.answered() > 10'000; }));
  clients.Stop();
  const Seen seen = clients.Finish();
  Report("swaps", Way::kStrict, seen);
  CHECK(failed == 0);
  CHECK(mixed == 0);
  CHECK(seen.wrong == 0);
  CHECK(seen.late == 0);
  CHECK(seen.Of(Verdict::kFallback) == 0);
  CHECK(seen.Of(Verdict::kOverloaded) == 0);
  CHECK((*team)->GetStats().plan_version == swaps + 1);
  CHECK((*team)->GetStats().decisions() == seen.answers());
  CHECK(Eventually([&] { return alive == replicas; }));  // of the last team alone
  CHECK(LeftBehind(**team) == "");
  team->reset();
  CHECK(alive == 0);
}

TEST_CASE("an agent that hangs may be replaced, and its replacement is called at once") {
  for (const Way way : {Way::kStrict, Way::kAsync}) {
    INFO(Name(way));
    Door door;
    const OpenAtEnd open(door);
    RigOptions options;
    options.runtime.workers = 2;
    options.runtime.deadline = absl::Seconds(30);  // of the calls that do not hang
    const CallOptions hanging{.tmax = absl::Milliseconds(20)};
    auto team = MakeRig(
        [&](Context&, uint64_t) {
          door.Wait();
          return absl::OkStatus();
        },
        options);
    CHECK(Eventually([&] {
      return Right(1, Ask(*team, way, uint64_t{1}, hanging)) &&
             StatsOf(team->GetStats(), "suspect").quarantined;
    }));
    std::atomic<int> calls{0};
    REQUIRE(team->Edit()
                .Replace<Suspect>("suspect", AgentOptions{.name = "suspect"}, true,
                                  Suspect::Body([&](Context&, uint64_t) {
                                    ++calls;
                                    return absl::OkStatus();
                                  }))
                .Commit()
                .ok());
    for (uint64_t i = 0; i < 20; ++i) {
      const auto answer = Ask(*team, way, i);
      CHECK((answer.verdict == Verdict::kDecided));
      CHECK(Right(i, answer));
      CHECK(answer.defaulted == 0);
    }
    CHECK(calls == 20);
    door.Open();
    CHECK(Eventually([&] { return team->GetStats().workers_stuck == 0; }));
    CHECK(LeftBehind(*team) == "");
  }
}

}  // namespace
}  // namespace adagents::testing
