#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/agents/user_profile.h"
#include "adagents/ads/moment.h"
#include "catch.h"

namespace adagents::ads {
namespace {

constexpr int64_t kStart = 1'767'225'600'000, kMinute = 60'000;
const uint8_t kJazz = GenreBinOf("jazz"), kRock = GenreBinOf("rock");

ListenEvent Event(PlaybackKind kind, int64_t at, uint8_t genre = 0, Mood mood = Mood::kUnknown) {
  ListenEvent e;
  e.kind = kind;
  e.at_ms = at;
  e.genre = genre;
  e.mood = mood;
  return e;
}

TEST_CASE("the fingerprint weighs what is played, saved and searched, and not what is skipped") {
  SessionState s;
  ApplyToProfile(Event(PlaybackKind::kStart, kStart, kJazz, Mood::kCalm), &s);
  CHECK(s.genres[kJazz] == 256);
  CHECK(s.moods[static_cast<size_t>(Mood::kCalm)] == 256);
  s.genre = kJazz;  // as session_keeper has it
  ApplyToProfile(Event(PlaybackKind::kSave, kStart), &s);
  CHECK(s.genres[kJazz] == 512);
  ApplyToProfile(Event(PlaybackKind::kSearch, kStart, kRock), &s);
  CHECK(s.genres[kRock] == 384);
  ApplyToProfile(Event(PlaybackKind::kSearch, kStart), &s);  // for who knows what
  CHECK(s.genres[kJazz] == 512);
  s.genre = kRock;
  for (int i = 0; i < 5; ++i) ApplyToProfile(Event(PlaybackKind::kSkip, kStart), &s);
  CHECK(s.genres[kRock] == 0);
  CHECK(MomentOf(s, {}, kStart).genre == kRock);  // what plays
  s.genre = 0;
  CHECK(MomentOf(s, {}, kStart).genre == kJazz);
  CHECK(MomentOf(s, {}, kStart).mood == Mood::kCalm);
}

TEST_CASE("the fingerprint forgets half in half an hour, however often events come") {
  SessionState often, rarely;
  const ListenEvent first = Event(PlaybackKind::kStart, kStart, kJazz);
  ApplyToProfile(first, &often);
  ApplyToProfile(first, &rarely);
  for (int s = 1; s <= 1800; ++s) {
    ApplyToProfile(Event(PlaybackKind::kVolume, kStart + s * 1000), &often);
  }
  ApplyToProfile(Event(PlaybackKind::kVolume, kStart + 30 * kMinute), &rarely);
  CHECK(rarely.genres[kJazz] == Approx(128).margin(2));
  CHECK(often.genres[kJazz] == Approx(128).margin(32));  // it rounds down at each of 32 steps
  // What is played now prevails over what was played then.
  for (int i = 0; i < 10; ++i) {
    ApplyToProfile(Event(PlaybackKind::kStart, kStart + (30 + i) * kMinute, kRock), &rarely);
  }
  CHECK(MomentOf(rarely, {}, kStart + 40 * kMinute).genre == kRock);
}

TEST_CASE("without a session the request tells of the moment: device, content and where in it") {
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  Audio audio;
  audio.startdelay = 60;
  Imp imp;
  imp.audio = made.arena->New(audio);
  r.imps = made.arena->Copy({imp});
  r.channel.content.genre = "jazz";
  r.channel.content.len = 200;
  r.device.devicetype = 6;
  const Listener listener = ListenerOf(r, kStart);
  CHECK(listener.known);
  CHECK(listener.session == 0);
  CHECK(WhoOf(listener) == 0);
  CHECK(listener.state.genre == kJazz);
  CHECK(listener.state.devicetype == 6);
  const PlayPosition at = PositionOf(listener.state, kStart);
  CHECK(at.state == PlayState::kPlaying);
  CHECK(at.remaining_ms == 140'000);
  CHECK(IntentsOf(listener, r).known);
  r.channel.content.series = "a podcast";
  CHECK(ListenerOf(r, kStart).state.content == ContentKind::kPodcast);
  r.imps = {};
  CHECK(ListenerOf(r, kStart).state.play == PlayState::kIdle);
}

}  // namespace
}  // namespace adagents::ads
