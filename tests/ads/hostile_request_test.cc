// Requests that ask for far more work than there is time for: they are answered in time, what was
// sold until then is sold, and nobody else waits for them.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/reasons.h"
#include "engine_kit.h"
#include "fmt/format.h"

namespace adagents::ads::test {
namespace {

constexpr absl::Duration kDeadline = absl::Milliseconds(50);
// What a busy machine may add; without limits it was seconds, or most of one. With sanitizers all
// of it takes several times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr absl::Duration kSlack = absl::Milliseconds(400);
#else
constexpr absl::Duration kSlack = absl::Milliseconds(100);
#endif

/// Some thousand candidates for any imp.
std::vector<Campaign> ManyCampaigns() {
  std::vector<Campaign> campaigns;
  for (int i = 0; i < 1500; ++i) {
    Campaign c = AudioCampaign(fmt::format("c{}", i), 1 + 0.001 * i, 5 + i % 56);
    c.cat = {fmt::format("IAB{}", 1 + i % 26)};
    campaigns.push_back(std::move(c));
  }
  return campaigns;
}

std::vector<Text> Names(Arena* arena, const std::string& prefix, int count) {
  std::vector<Text> names;
  for (int i = 0; i < count; ++i)
    names.push_back(arena->Copy(Text(fmt::format("{}{}", prefix, i))));
  return names;
}

/// `imps` audio imps; pods of ten minutes if `pods`.
RequestPtr ManyImps(int imps, bool pods, int listed) {
  TestRequest request;
  if (pods) request.audio.poddur = 600;
  Arena* const arena = request.made.arena;
  if (listed > 0) {
    request.request.bapp = arena->Copy(List<Text>(Names(arena, "com.blocked", listed)));
    std::vector<Text> seats = Names(arena, "seat", listed);
    seats.push_back("");  // ours is none
    request.request.wseat = arena->Copy(List<Text>(seats));
  }
  request.request.at = 2;
  const RequestPtr done = request.Done();
  std::vector<Imp> list;
  for (int i = 0; i < imps; ++i) {
    Imp& imp = list.emplace_back(request.imp);
    imp.id = arena->Copy(Text(std::to_string(i)));
  }
  request.request.imps = arena->Copy(List<Imp>(list));
  return done;
}

absl::Duration TimeOf(Engine& engine, const RequestPtr& request, bool trusted) {
  const Clock& clock = SystemClock::Get();
  const int64_t begun = clock.Now();
  (void)engine.Decide(request, {.trusted = trusted});
  return absl::Nanoseconds(clock.Now() - begun);
}

/// Every look at it takes time.
class StepClock final : public Clock {
 public:
  int64_t Now() const override { return now_ += 20'000; }
  absl::Time WallNow() const override { return absl::FromUnixSeconds(1'780'000'000); }

 private:
  mutable std::atomic<int64_t> now_{1'000'000'000};
};

TEST_CASE("lists of many thousand apps and seats, and hours of pods, are answered in time") {
  EngineOptions options;
  options.runtime.deadline = kDeadline;
  const auto engine = ThreadedEngine(ManyCampaigns(), std::move(options));
  const RequestPtr lists = ManyImps(1, /*pods=*/false, 60'000);
  const RequestPtr pods = ManyImps(256, /*pods=*/true, 0);
  for (const bool trusted : {false, true}) {
    CHECK(TimeOf(*engine, lists, trusted) < kDeadline + kSlack);
    CHECK(TimeOf(*engine, pods, trusted) < kDeadline + kSlack);
  }
}

TEST_CASE("an asynchronous answer waits for no other request's fallback") {
  EngineOptions options;
  options.runtime.deadline = kDeadline;
  const auto engine = ThreadedEngine(ManyCampaigns(), std::move(options));
  const RequestPtr hostile = ManyImps(256, /*pods=*/true, 60'000);
  const RequestPtr plain = TestRequest().Done();
  const Clock& clock = SystemClock::Get();
  std::atomic<int> answers{0};
  std::atomic<int64_t> slowest{0};
  constexpr int kPlain = 20;
  engine->DecideAsync(hostile, {}, [&](Answer<Decision>) { ++answers; });
  for (int i = 0; i < kPlain; ++i) {
    const int64_t begun = clock.Now();
    engine->DecideAsync(plain, {}, [&, begun](Answer<Decision>) {
      slowest = std::max(slowest.load(), clock.Now() - begun);
      ++answers;
    });
  }
  while (answers < kPlain + 1) std::this_thread::yield();
  CHECK(absl::Nanoseconds(slowest.load()) < kDeadline + kSlack);
}

TEST_CASE("what was sold before the time ended is the answer") {
  const StepClock clock;
  for (const bool pods : {false, true}) {
    TestEngine engine({AudioCampaign("a", 3), AudioCampaign("b", 2)}, {}, [&](EngineOptions* o) {
      o->runtime.clock = &clock;
      o->runtime.deadline = absl::Milliseconds(4);
    });
    const Decision d = engine.Decide(ManyImps(200, pods, 0));
    CAPTURE(pods, NbrText(d.nbr));
    CHECK(!d.bids.empty());
    CHECK(d.bids.size() < 200);
    for (const Bid& bid : d.bids) CHECK(bid.price <= bid.value);
  }
}

}  // namespace
}  // namespace adagents::ads::test
