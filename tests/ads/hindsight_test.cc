// What a session was about in the light of what came later, and a model's word on it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr int64_t kBegin = 1'767'225'600'000, kMinute = 60'000, kHour = 60 * kMinute;
constexpr int kEvening = 20;  // all of it is in the same hour of the day

/// A session, and what was believed after each event.
struct Past {
  SessionState state;
  int64_t now = kBegin;
  std::vector<ListenEvent> events;
  std::vector<Intents> intents;

  Past() { state.began_ms = kBegin; }
  Past& Take(ListenEvent e) {
    e.at_ms = now;
    ApplyToSession(e, &state);
    ApplyToIntents(e, &state);
    events.push_back(e);
    intents.push_back(At(now));
    return *this;
  }
  /// Something begins of which nothing is known.
  Past& Start() { return Take(ListenEvent()); }
  Past& Start(float energy, Mood mood) {
    ListenEvent e;
    e.energy = ToByte(energy);
    e.mood = mood;
    return Take(e);
  }
  Past& Do(PlaybackKind kind) {
    ListenEvent e;
    e.kind = kind;
    return Take(e);
  }
  Past& Wait(int64_t ms) {
    now += ms;
    return *this;
  }
  Past& FallAsleep() {
    for (int i = 0; i < 3; ++i) Start(0.1f, Mood::kSleepy).Wait(4 * kMinute);
    return *this;
  }
  Intents At(int64_t at_ms) const { return IntentsOf(state, at_ms, kEvening); }
  std::vector<Intents> InHindsight() const {
    std::vector<Intents> seen = intents;
    AddHindsight(events, seen);
    return seen;
  }
};

float Sum(const Intents& intents) {
  return std::accumulate(intents.p.begin(), intents.p.end(), 0.0f);
}

TEST_CASE("what comes later explains what told nothing") {
  Past night, run;
  night.Start().Wait(4 * kMinute).FallAsleep();
  run.Start().Wait(4 * kMinute);
  for (int i = 0; i < 3; ++i) run.Start(0.9f, Mood::kEnergetic).Wait(4 * kMinute);
  REQUIRE(night.intents[0].p == run.intents[0].p);
  CHECK(night.intents[0].Of(Intent::kBedtime) < 0.2f);
  CHECK(night.InHindsight()[0].Of(Intent::kBedtime) > 0.8f);
  const auto moves = [](const Intents& i) { return i.Of(Intent::kWorkout) + i.Of(Intent::kParty); };
  CHECK(moves(run.intents[0]) < 0.2f);
  CHECK(moves(run.InHindsight()[0]) > 0.7f);
  CHECK(run.InHindsight()[0].Of(Intent::kBedtime) < 0.05f);
}

TEST_CASE("hindsight leaves the last event as it was, and probabilities that sum to 1") {
  Past past;
  past.Start().Wait(3 * kMinute).Do(PlaybackKind::kSkip).Start(0.9f, Mood::kEnergetic);
  past.Wait(kMinute).Do(PlaybackKind::kSave).Wait(40 * kMinute);
  for (int i = 0; i < 30; ++i) past.FallAsleep();
  const std::vector<Intents> seen = past.InHindsight();
  REQUIRE(seen.size() == past.intents.size());
  for (size_t k = 0; k < kIntentCount; ++k) {
    CHECK(seen.back().p[k] == Approx(past.intents.back().p[k]).margin(1e-5));
  }
  for (const Intents& intents : seen) {
    CHECK(intents.known);
    CHECK(Sum(intents) == Approx(1.0f).margin(1e-4));
  }
}

TEST_CASE("events of one instant are all believed as after the last of them") {
  Past past;
  past.Start().Start(-1, Mood::kFocused).Do(PlaybackKind::kSkip);
  const Intents& last = past.intents.back();
  REQUIRE(last.Of(Intent::kFocus) > past.intents[0].Of(Intent::kFocus) + 0.1f);
  for (const Intents& seen : past.InHindsight()) {
    for (size_t k = 0; k < kIntentCount; ++k) CHECK(seen.p[k] == Approx(last.p[k]).margin(1e-3));
  }
}

TEST_CASE("what is not known stays so, and changes nothing of the rest") {
  Past past;
  past.Start().Wait(4 * kMinute).FallAsleep();
  std::vector<Intents> some = past.intents;
  some[1] = Intents();
  AddHindsight(past.events, some);
  CHECK_FALSE(some[1].known);
  CHECK(some[1].p == Intents().p);
  const std::vector<Intents> all = past.InHindsight();
  for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) {
    CHECK(some[i].known);
    CHECK(some[i].p == all[i].p);
  }
}

TEST_CASE("hours later it is another story, minutes later the same") {
  const auto moved = [](int64_t gap) {
    Past past;
    past.Start().Wait(gap).FallAsleep();
    const Intents before = past.intents[0], after = past.InHindsight()[0];
    float most = 0;
    for (size_t k = 0; k < kIntentCount; ++k) {
      most = std::max(most, std::abs(after.p[k] - before.p[k]));
    }
    return most;
  };
  CHECK(moved(4 * kMinute) > 0.5f);
  CHECK(moved(40 * kMinute) < moved(4 * kMinute));
  CHECK(moved(40 * kMinute) > 0.1f);
  CHECK(moved(10 * kHour) < 0.02f);
}

TEST_CASE("nothing comes after a single event, or after none") {
  AddHindsight({}, {});
  Past past;
  past.Start(0.1f, Mood::kSleepy);
  const std::vector<Intents> seen = past.InHindsight();
  REQUIRE(seen.size() == 1);
  for (size_t k = 0; k < kIntentCount; ++k) {
    CHECK(seen[0].p[k] == Approx(past.intents[0].p[k]).margin(1e-5));
  }
}

/// A model's word.
Intents Asleep() {
  Intents word;
  word.known = true;
  word.p = {.05f, .05f, .05f, .05f, .10f, .60f, .05f, .05f};
  return word;
}

TEST_CASE("a model's word is half of what is believed, while there is one") {
  Past past;
  past.Start(0.9f, Mood::kEnergetic);
  const Intents tables = past.At(past.now);
  SetForeseen(Asleep(), &past.state);
  const Intents both = past.At(past.now);
  REQUIRE(both.known);
  for (size_t k = 0; k < kIntentCount; ++k) {
    CHECK(both.p[k] == Approx((tables.p[k] + Asleep().p[k]) / 2).margin(2e-5));
  }
  CHECK(Sum(both) == Approx(1.0f).margin(1e-4));
  Intents silent = Asleep();
  silent.known = false;
  SetForeseen(silent, &past.state);
  CHECK(past.At(past.now).p == tables.p);
  // It says nothing of a session that has not begun.
  SessionState nothing;
  SetForeseen(Asleep(), &nothing);
  CHECK_FALSE(IntentsOf(nothing, kBegin, kEvening).known);
}

TEST_CASE("a model's word is forgotten in favour of how common intents are") {
  Past past;
  past.Start(0.9f, Mood::kEnergetic);
  SetForeseen(Asleep(), &past.state);
  SessionState common, without = past.state;
  StartIntents(kBegin, &common);
  SetForeseen(Intents(), &without);
  for (size_t k = 0; k < kIntentCount; ++k) {
    const auto word = [&](int64_t at_ms) {  // its part of the mean
      return 2 * past.At(at_ms).p[k] - IntentsOf(without, at_ms, kEvening).p[k];
    };
    const float share = static_cast<float>(common.intents[k]) / 65535.0f;
    CHECK(word(past.now + 20 * kMinute) == Approx((Asleep().p[k] + share) / 2).margin(1e-4));
    CHECK(word(past.now + 10 * kHour) == Approx(share).margin(1e-4));
  }
}

}  // namespace
}  // namespace adagents::ads
