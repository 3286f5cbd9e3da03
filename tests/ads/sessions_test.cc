#include "adagents/ads/sessions.h"

#include <limits>
#include <set>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

struct Door {
  testing::VirtualClock clock;
  std::unique_ptr<Sessions> sessions;

  explicit Door(SessionsOptions options = {.sessions = 1000}) {
    options.hash_key = {17, 4};
    auto made = Sessions::Create(std::move(options), &clock);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    sessions = *std::move(made);
  }
  PlaybackEvent Event(PlaybackKind kind, std::string_view session = "s") const {
    PlaybackEvent e;
    e.session = session;
    e.listener = "ann";
    e.kind = kind;
    e.at = clock.WallNow();
    return e;
  }
  /// As Engine::Play() does it.
  ListenEvent Take(const PlaybackEvent& e) {
    ListenEvent out;
    const auto kept = sessions->Admit(e, &out);
    INFO(kept.status().ToString());
    REQUIRE(kept.ok());
    if (*kept) sessions->Update(out.session, [&](SessionState& s) { ApplyToSession(out, &s); });
    return out;
  }
  SessionState StateOf(uint64_t session) const {
    SessionState found;
    sessions->ForEach([&](uint64_t key, const SessionState& s) {
      if (key == session) found = s;
    });
    return found;
  }
  int64_t NowMs() const { return absl::ToUnixMillis(clock.WallNow()); }
};

NewRequest RequestOf(std::string_view user) {
  NewRequest made = MakeRequest();
  made.request->user.id = user;
  return made;
}

TEST_CASE("an event that is wrong is refused with the field that is wrong") {
  Door door;
  ListenEvent out;
  const auto error = [&](auto change) {
    PlaybackEvent e = door.Event(PlaybackKind::kStart);
    change(e);
    const auto kept = door.sessions->Admit(e, &out);
    return kept.ok() ? std::string("taken") : std::string(Message(kept.status()));
  };
  CHECK(error([](PlaybackEvent&) {}) == "taken");
  CHECK(error([](PlaybackEvent& e) { e.session = ""; }) == "playback event: session is empty");
  const std::string longest(Sessions::kMostIdBytes, 'x'), longer = longest + "x";
  CHECK(error([&](PlaybackEvent& e) { e.listener = longest; }) == "taken");
  CHECK(error([&](PlaybackEvent& e) { e.listener = longer; }) ==
        "playback event: listener is longer than 512 bytes");
  CHECK(error([](PlaybackEvent& e) { e.kind = static_cast<PlaybackKind>(99); }) ==
        "playback event: kind is none of the known ones");
  CHECK(error([](PlaybackEvent& e) { e.content = static_cast<ContentKind>(7); }) ==
        "playback event: content is none of the known ones");
  CHECK(error([](PlaybackEvent& e) { e.at = absl::InfiniteFuture(); }) ==
        "playback event: at is not a time");
  CHECK(error([&](PlaybackEvent& e) { e.at += Sessions::kMostAhead; }) == "taken");
  CHECK(error([&](PlaybackEvent& e) { e.at += absl::Hours(1); }) ==
        "playback event: at is 3600000 ms ahead of the clock");
  CHECK(error([&](PlaybackEvent& e) { e.at -= absl::Hours(1); }) ==
        "playback event: at was 3600000 ms ago, and sessions are remembered for 1800000 ms");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(error([&](PlaybackEvent& e) { e.energy = nan; }) ==
        "playback event: energy is not in [0, 1]");
  CHECK(error([](PlaybackEvent& e) { e.volume = 1.5f; }) ==
        "playback event: volume is not in [0, 1]");
  CHECK(error([](PlaybackEvent& e) { e.screen = 2; }) ==
        "playback event: screen is not 1, 0 or negative");
  CHECK(error([](PlaybackEvent& e) { e.devicetype = 300; }) ==
        "playback event: devicetype 300 is not of AdCOM's list");
  CHECK(error([](PlaybackEvent& e) { e.utcoffset = 2000; }) ==
        "playback event: utcoffset 2000 minutes is nowhere");
  CHECK(error([](PlaybackEvent& e) { e.country = "de"; }) ==
        "playback event: country is not an ISO 3166-1 alpha-3 code");
  CHECK(error([](PlaybackEvent& e) { e.position_ms = 5, e.duration_ms = 4; }) ==
        "playback event: position_ms 5 is beyond duration_ms 4");
}

TEST_CASE("options that cannot hold are refused by name") {
  testing::VirtualClock clock;
  const auto error = [&](SessionsOptions options) {
    return std::string(Message(Sessions::Create(std::move(options), &clock).status()));
  };
  CHECK(error({.sessions = 0}) == "listener.sessions must be at least 1");
  CHECK(error({.ttl = absl::Hours(13)}) ==
        "listener.ttl must be at least 1 s and at most half of salt_period");
  CHECK(error({.salt_period = absl::Hours(24 * 60)}) ==
        "listener.salt_period must be 2 s to 31 days");
}

TEST_CASE("only what the listener has consented to is kept, and withdrawing it erases") {
  Door door;
  PlaybackEvent e = door.Event(PlaybackKind::kStart);
  e.consent.may_profile = false;
  ListenEvent out;
  CHECK_FALSE(*door.sessions->Admit(e, &out));
  Listener found;
  CHECK_FALSE(door.sessions->Find(*RequestOf("s").request, &found));
  e.consent.may_profile = true;
  door.Take(e);
  CHECK(door.sessions->Find(*RequestOf("s").request, &found));
  NewRequest silent = RequestOf("s");
  silent.request->consent.may_profile = false;
  CHECK_FALSE(door.sessions->Find(*silent.request, &found));
  e.consent.may_identify = false;
  CHECK_FALSE(*door.sessions->Admit(e, &out));
  CHECK_FALSE(door.sessions->Find(*RequestOf("s").request, &found));
  CHECK(door.sessions->counts().without_consent == 2);
  CHECK(door.sessions->counts().erased == 1);
}

TEST_CASE("a session lives for its time to live after its last event, and ends when it ends") {
  Door door;
  const ListenEvent e = door.Take(door.Event(PlaybackKind::kStart));
  Listener found;
  for (int i = 0; i < 4; ++i) {
    door.clock.Advance(absl::Minutes(20));
    CHECK(door.sessions->Find(*RequestOf("s").request, &found));
    door.Take(door.Event(PlaybackKind::kSave));
  }
  CHECK(found.session == e.session);
  door.clock.Advance(absl::Minutes(30) - absl::Milliseconds(1));
  CHECK(door.sessions->Find(*RequestOf("s").request, &found));
  door.clock.Advance(absl::Milliseconds(1));
  CHECK_FALSE(door.sessions->Find(*RequestOf("s").request, &found));
  // The end of what is not there begins nothing.
  door.Take(door.Event(PlaybackKind::kSessionEnd));
  CHECK_FALSE(door.sessions->Find(*RequestOf("s").request, &found));
  CHECK(door.sessions->counts().begun == 1);
}

TEST_CASE("nothing links a session or a listener of one salt to those of the next") {
  Door door;
  std::set<uint64_t> seen;
  for (int day = 0; day < 5; ++day) {
    const ListenEvent e = door.Take(door.Event(PlaybackKind::kStart));
    CHECK(seen.insert(e.session).second);
    CHECK(seen.insert(e.listener).second);
    CHECK(door.sessions->SessionKeys("s")[0] == e.session);
    CHECK(door.sessions->ListenerKeys("ann")[0] == e.listener);
    CHECK(door.Take(door.Event(PlaybackKind::kSave)).session == e.session);
    door.clock.Advance(absl::Hours(24));
    CHECK(door.sessions->SessionKeys("s")[1] == e.session);
  }
  // Another key, other hashes.
  SessionsOptions options;
  options.sessions = 10;
  auto other = Sessions::Create(options, &door.clock);
  REQUIRE(other.ok());
  CHECK((*other)->SessionKeys("s")[0] != door.sessions->SessionKeys("s")[0]);
}

TEST_CASE("a session that is under way when the salt changes goes on, and no further") {
  Door door;
  door.clock.Advance(absl::Hours(23) + absl::Minutes(50));
  const ListenEvent first = door.Take(door.Event(PlaybackKind::kStart));
  Listener found;
  for (int i = 0; i < 72; ++i) {  // until the change after that
    door.clock.Advance(absl::Minutes(20));
    REQUIRE(door.sessions->Find(*RequestOf("s").request, &found));
    const ListenEvent e = door.Take(door.Event(PlaybackKind::kSave));
    REQUIRE(e.session == first.session);
    CHECK(found.session == first.session);
    // The listener is known under the new salt, which is what an erasure looks for.
    CHECK(door.StateOf(e.session).listener == door.sessions->ListenerKeys("ann")[0]);
  }
  CHECK(door.sessions->counts().begun == 1);
  door.clock.Advance(absl::Minutes(20));
  CHECK_FALSE(door.sessions->Find(*RequestOf("s").request, &found));
  CHECK(door.Take(door.Event(PlaybackKind::kStart)).session != first.session);
}

TEST_CASE("the keeper knows what plays, where in it, and what the listener does") {
  Door door;
  PlaybackEvent e = door.Event(PlaybackKind::kStart);
  e.genre = "Jazz, Blues";
  e.mood = "Chill";
  e.energy = 0.25f;
  e.position_ms = 5'000;
  e.duration_ms = 180'000;
  e.volume = 0.5f;
  e.screen = 0;
  const uint64_t session = door.Take(e).session;
  SessionState s = door.StateOf(session);
  CHECK(s.genre == GenreBinOf("jazz"));
  CHECK(s.genre != GenreBinOf("rock"));
  CHECK(s.mood == Mood::kCalm);
  CHECK(GenreBinOf("Zydeco") > GenreBinOf("true crime"));
  CHECK(GenreBinOf(" ") == 0);
  CHECK(FromByte(s.energy) == Approx(0.25).margin(0.003));
  CHECK(FromByte(s.volume) == Approx(0.5).margin(0.003));

  door.clock.Advance(absl::Seconds(30));
  PlayPosition at = PositionOf(s, door.NowMs());
  CHECK(at.state == PlayState::kPlaying);
  CHECK(at.position_ms == 35'000);
  CHECK(at.remaining_ms == 145'000);

  door.Take(door.Event(PlaybackKind::kPause));
  door.clock.Advance(absl::Minutes(5));
  s = door.StateOf(session);
  at = PositionOf(s, door.NowMs());
  CHECK(at.state == PlayState::kPaused);
  CHECK(at.position_ms == 35'000);
  door.Take(door.Event(PlaybackKind::kResume));
  door.clock.Advance(absl::Seconds(10));
  CHECK(PositionOf(door.StateOf(session), door.NowMs()).position_ms == 45'000);
  door.Take(door.Event(PlaybackKind::kSkip));
  s = door.StateOf(session);
  CHECK(PositionOf(s, door.NowMs()).state == PlayState::kBetween);
  CHECK(s.skips == 1.0f);
  CHECK(s.touched_ms == door.NowMs());
  CHECK(FromByte(s.volume) == Approx(0.5).margin(0.003));  // nobody said otherwise

  // Half of it is forgotten in ten minutes.
  door.clock.Advance(absl::Minutes(10));
  door.Take(door.Event(PlaybackKind::kSave));
  s = door.StateOf(session);
  CHECK(s.skips == Approx(0.5));
  CHECK(s.likes == 1.0f);
  CHECK(s.plays == 1);
}

TEST_CASE("what has ended by the clock is over although nobody said so") {
  Door door;
  PlaybackEvent e = door.Event(PlaybackKind::kStart);
  e.duration_ms = 60'000;
  const uint64_t session = door.Take(e).session;
  door.clock.Advance(absl::Seconds(59));
  CHECK(PositionOf(door.StateOf(session), door.NowMs()).state == PlayState::kPlaying);
  door.clock.Advance(absl::Seconds(1));
  CHECK(PositionOf(door.StateOf(session), door.NowMs()).state == PlayState::kBetween);
}

TEST_CASE("an event of a session that was erased changes nothing") {
  Door door;
  ListenEvent late;
  REQUIRE(*door.sessions->Admit(door.Event(PlaybackKind::kStart), &late));
  std::vector<uint64_t> keys;
  CHECK(door.sessions->Erase("ann", {}, &keys) == 1);
  const std::array<uint64_t, 2> ann = door.sessions->ListenerKeys("ann");
  CHECK(keys == std::vector<uint64_t>{ann[0], ann[1], late.session});
  CHECK_FALSE(door.sessions->Update(late.session, [](SessionState&) {}));
  CHECK_FALSE(door.sessions->Contains(late.session));
}

TEST_CASE("a session takes the memory that is stated, and so many find room") {
  Door door({.sessions = 100'000});
  const double bytes = static_cast<double>(door.sessions->bytes()) / 100'000;
  INFO(fmt::format("{:.1f} bytes a session, of which {} are its state", bytes,
                   sizeof(SessionState)));
  CHECK(bytes <= Sessions::kBytesPerSession);
  CHECK(bytes > 0.9 * Sessions::kBytesPerSession);  // or the stated figure is not worth stating
  ListenEvent out;
  for (int i = 0; i < 100'000; ++i) {
    const std::string id = fmt::format("session-{}", i);
    REQUIRE(*door.sessions->Admit(door.Event(PlaybackKind::kStart, id), &out));
  }
  CHECK(door.sessions->counts().begun == 100'000);
  CHECK(door.sessions->counts().evicted == 0);
}

}  // namespace
}  // namespace adagents::ads
