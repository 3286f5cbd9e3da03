// What listener agents share, under threads of its own, for ThreadSanitizer.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/inventory_forecast.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/sessions.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr int kThreads = 4, kRounds = 2000;

template <class Body>
void Run(Body body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&body, t] {
      for (int i = 0; i < kRounds; ++i) body(t, i);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_CASE("sessions are played, found, swept and erased at once") {
  testing::VirtualClock clock;
  auto sessions = Sessions::Create({.sessions = 200, .hash_key = {1, 2}}, &clock);
  REQUIRE(sessions.ok());
  std::atomic<int> wrong{0};
  Run([&](int t, int i) {
    const std::string id = std::string("s").append(std::to_string(i % 17));
    PlaybackEvent e;
    e.session = e.listener = id;
    e.kind = PlaybackKind::kSave;
    e.at = clock.WallNow();
    e.consent.may_profile = i % 97 != t;
    ListenEvent out;
    const auto kept = (*sessions)->Admit(e, &out);
    if (!kept.ok()) ++wrong;
    if (*kept) (*sessions)->Update(out.session, [&](SessionState& s) { ApplyToSession(out, &s); });
    NewRequest request = MakeRequest();
    request.request->user.id = id;
    Listener found;
    // A state is whole, whoever writes: it has begun, and has as many likes as touches.
    if ((*sessions)->Find(*request.request, &found) &&
        (found.state.began_ms == 0 || found.state.likes != found.state.touches)) {
      ++wrong;
    }
    if (i % 50 == t) clock.Advance(absl::Seconds(20)), (*sessions)->Sweep();
    std::vector<uint64_t> keys;
    if (i % 100 == t) (void)(*sessions)->Erase(id, {}, &keys);
    (void)(*sessions)->TakeWithdrawn();
  });
  CHECK(wrong == 0);
}

TEST_CASE("moments are remembered, learned from and purged at once") {
  testing::VirtualClock clock;
  Moments moments({.bids = 500}, &clock);
  std::atomic<int> wrong{0};
  Run([&](int t, int i) {
    RememberedMoment what;
    what.session = static_cast<uint64_t>(i % 5 + 1);
    what.listener = static_cast<uint64_t>(i % 7 + 1);
    what.example.moment.signals[Moment::kAlways] = 1;
    what.example.factors = kOfAttention | kOfAffinity;
    const auto decision = static_cast<uint64_t>(t * kRounds + i);
    moments.Remember(decision, 0, what);
    const uint64_t session = moments.Seen(decision, 0);
    if (session != 0 && session != what.session) ++wrong;
    (void)moments.Learn(Moments::KeyOf(decision, 0), Action::kClick, -1.0f, i % 2 == 0);
    (void)moments.ShiftOf(Moments::KeyOf(decision, 0), Action::kClick);
    const float p = moments.model().Attention(Action::kClick, what.example.moment);
    if (!(p > -MomentModel::kMostShift - 1 && p < MomentModel::kMostShift + 1)) ++wrong;
    if (i % 200 == t) {
      (void)moments.Purge([](uint64_t s) { return s == 3; });
      (void)moments.PurgeListeners([](uint64_t l) { return l == 3; });
    }
  });
  CHECK(wrong == 0);
  CHECK(moments.learnt() > kRounds);
}

TEST_CASE("slots are observed and asked for at once") {
  const absl::Time start = absl::FromUnixSeconds(1'767'571'200);
  InventoryForecast forecast({.placements = 8});
  Run([&](int t, int i) {
    forecast.Observe(static_cast<uint64_t>(1 + (i + t) % 10), start + absl::Minutes(i));
    (void)forecast.Expect(1, start, start + absl::Hours(1));
  });
  CHECK(forecast.placements() == 8);
  CHECK(forecast.without_room() > 0);
}

}  // namespace
}  // namespace adagents::ads
