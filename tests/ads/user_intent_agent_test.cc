#include <numeric>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr int64_t kStart = 1'767'225'600'000, kMinute = 60'000;  // midnight

struct Session {
  SessionState state;
  int64_t now = kStart;

  Session& Take(ListenEvent e) {
    e.at_ms = now;
    ApplyToSession(e, &state);
    ApplyToIntents(e, &state);
    return *this;
  }
  Session& Start(float energy, Mood mood, ContentKind content = ContentKind::kMusic) {
    ListenEvent e;
    e.energy = ToByte(energy);
    e.mood = mood;
    e.content = content;
    e.duration_ms = 180'000;
    return Take(e);
  }
  Session& Do(PlaybackKind kind) {
    ListenEvent e;
    e.kind = kind;
    return Take(e);
  }
  Session& Wait(int64_t ms) {
    now += ms;
    return *this;
  }
  Intents At(int hour) const { return IntentsOf(state, now, hour); }
};

TEST_CASE("nothing is known of a session without events") {
  CHECK_FALSE(IntentsOf(SessionState(), kStart, 12).known);
}

TEST_CASE("intents are probabilities, and what was heard decides between them") {
  Session night;
  ListenEvent volume;
  volume.kind = PlaybackKind::kVolume;
  volume.volume = ToByte(0.1f);
  volume.screen = 0;
  night.Take(volume);
  for (int i = 0; i < 5; ++i)
    night.Start(0.1f, Mood::kCalm).Wait(3 * kMinute).Do(PlaybackKind::kEnd);
  night.Wait(5 * kMinute);
  const Intents asleep = night.At(23);
  REQUIRE(asleep.known);
  CHECK(std::accumulate(asleep.p.begin(), asleep.p.end(), 0.0f) == Approx(1.0f));
  CHECK(asleep.Top() == Intent::kBedtime);
  CHECK(asleep.Of(Intent::kBedtime) > 0.7f);
  // The same by day may as well be rest or work.
  CHECK(night.At(14).Of(Intent::kBedtime) < 0.6f);
  CHECK(night.At(14).Of(Intent::kBedtime) > 0.1f);

  Session run;
  for (int i = 0; i < 4; ++i) run.Start(0.9f, Mood::kEnergetic).Wait(3 * kMinute);
  CHECK(run.At(18).Top() == Intent::kWorkout);
  CHECK(run.At(23).Of(Intent::kBedtime) < 0.15f);

  Session chooses;
  ListenEvent screen;
  screen.kind = PlaybackKind::kScreen;
  screen.screen = 1;
  chooses.Take(screen);
  for (int i = 0; i < 3; ++i) chooses.Do(PlaybackKind::kSearch).Do(PlaybackKind::kSave);
  CHECK(chooses.At(15).Top() == Intent::kLeanIn);

  Session drive;
  drive.Start(-1, Mood::kUnknown, ContentKind::kPodcast);
  drive.Start(-1, Mood::kUnknown, ContentKind::kPodcast);
  CHECK(drive.At(8).Top() == Intent::kCommute);
}

TEST_CASE("what a listener was about fades, and no run of events makes anything impossible") {
  Session run;
  for (int i = 0; i < 200; ++i) run.Start(0.95f, Mood::kEnergetic).Wait(kMinute / 10);
  const float then = run.At(18).Of(Intent::kWorkout) + run.At(18).Of(Intent::kParty);
  CHECK(then > 0.9f);
  for (float p : run.At(18).p) CHECK(p > 0.0f);
  run.Wait(120 * kMinute);
  CHECK(run.At(18).Of(Intent::kWorkout) + run.At(18).Of(Intent::kParty) < 0.4f);
  // Two calm tracks later it is not a workout any more, however long it was one.
  run.Start(0.1f, Mood::kCalm).Wait(kMinute).Start(0.1f, Mood::kCalm);
  CHECK(run.At(18).Of(Intent::kWorkout) < 0.02f);
}

TEST_CASE("the hour is the listener's") {
  CHECK(HourAt(kStart, 0) == 0);
  CHECK(HourAt(kStart, -60) == 23);
  CHECK(HourAt(kStart, 330) == 5);
  CHECK(HourAt(-1000, 0) == 0);
  CHECK(HourAt(-2 * 3'600'000, 0) == 22);
}

}  // namespace
}  // namespace adagents::ads
