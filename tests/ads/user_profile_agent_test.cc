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

}  // namespace
}  // namespace adagents::ads
