// An event-driven signal: what happens between requests changes the next decision.
//
// Agents do no I/O. Remote data arrives as events: the host publishes them, agents with an On port
// get them and keep what they learn in state that outlives requests, here a table of sessions. The
// agents of a decision read that state, lock-free, and never wait for an event.
//
// Events with one `order_by` (here the listener) arrive in the order in which they were published.
//
// Output:
//   listener 7: no session yet -> a spot for anybody
//   listener 7: 3 songs, 150 bpm -> an energetic spot
//   listener 8: no session yet -> a spot for anybody
//   listener 7: 4 songs, 60 bpm -> a calm spot
#include <cstdint>
#include <cstdio>
#include <string>

#include "adagents/blackboard/table.h"
#include "adagents/runtime/runtime.h"

namespace {

using namespace adagents;

struct Request {
  uint64_t listener = 0;
};
struct SongStarted {  // an event: any copyable type
  uint64_t listener = 0;
  int bpm = 0;
};
struct Session {
  int32_t songs = 0;
  int32_t bpm = 0;
};
struct Spot {
  std::string text;
};

using Sessions = Table<uint64_t, Session>;

constexpr Key<Request> kRequest{"request"};
constexpr Key<Spot> kSpot{"spot"};
constexpr StateKey<Sessions> kSessions{"sessions"};

class Listening final : public Agent {  // runs on events
  On<SongStarted> song_{this};
  State<Sessions> sessions_{this, kSessions};

 public:
  Listening() : Agent({.name = "listening"}) {}
  absl::Status Run(Context& ctx) override {
    const SongStarted& song = ctx[song_];
    const Upserted result = sessions_->Upsert(song.listener, [&](Session& session, bool) {
      ++session.songs;
      session.bpm = song.bpm;
    });
    if (result == Upserted::kFull) return ResourceExhausted("no room for another session");
    return absl::OkStatus();
  }
};

class Tempo final : public Agent {  // runs on requests
  In<Request> request_{this, kRequest};
  State<Sessions> sessions_{this, kSessions};
  Out<Spot> spot_{this, kSpot};

 public:
  Tempo() : Agent({.name = "tempo"}) {}
  absl::Status Run(Context& ctx) override {
    Session session;
    if (!sessions_->Find(ctx[request_].listener, &session)) {
      ctx[spot_].text = "no session yet -> a spot for anybody";
      return absl::OkStatus();
    }
    ctx[spot_].text = std::to_string(session.songs) + " songs, " + std::to_string(session.bpm) +
                      (session.bpm > 110 ? " bpm -> an energetic spot" : " bpm -> a calm spot");
    return absl::OkStatus();
  }
};

}  // namespace

int main() {
  // The inline scheduler runs events inside Publish(), so that this program prints the same each
  // time. With workers, which is the default, Publish() returns at once and a worker delivers.
  auto runtime = Runtime<Request, Spot>::Builder(kRequest, kSpot)
                     .Add<Listening>()
                     .Add<Tempo>()
                     .Share(kSessions, TableOptions{.capacity = 1000, .ttl = absl::Minutes(30)})
                     .Options({.inline_scheduler = InlineScheduler{}})
                     .Build();
  if (!runtime.ok()) {
    std::printf("%s\n", runtime.status().ToString().c_str());
    return 1;
  }
  const auto play = [&](uint64_t listener, int bpm) {
    const absl::Status status = (*runtime)->Publish(SongStarted{listener, bpm}, listener);
    if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
  };
  const auto decide = [&](uint64_t listener) {
    const Answer<Spot> answer = (*runtime)->Decide({.listener = listener});
    std::printf("listener %d: %s\n", static_cast<int>(listener), answer.value.text.c_str());
  };

  decide(7);
  for (const int bpm : {120, 140, 150}) play(7, bpm);
  decide(7);
  decide(8);
  play(7, 60);
  decide(7);
}
