// User intent: what the listener is about, from cues as they come: what is skipped, saved, searched
// and played to its end, energy and mood of what plays, volume, screen, device and hour.
//
//   ListenEvent -> intent_keeper -> SessionState's intents     (cues that pass)
//   listening -> user_intent -> intents                        (with what holds now: hour, screen)
//
// A hidden Markov model with the eight intents as states: each event is a forward step (Rabiner,
// "A tutorial on hidden Markov models", Proceedings of the IEEE 77(2), 1989). An intent is half
// forgotten in twenty minutes in favour of how common intents are; an event multiplies by how
// likely such an event is under each intent, one of several at a time. What holds for long (hour,
// device, screen, nobody having touched it) is multiplied in once, when a request asks. The tables
// are written down in user_intent.cc: assumptions, of which only the ratios matter, not
// measurements.
//
// What comes later tells more of a moment than what came before, so a session that is over is a
// teacher: AddHindsight() says what its moments were about by all of it (the backward pass), and a
// model that learns to foresee that (adagents::ads_models) finds out more of what volumes, hours and
// devices mean here than tables can know. Where there is such a model its word counts as much as
// theirs (SetForeseen).
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap, but for the
// keeper's, which is reentrant.
#pragma once

#include <span>

#include "adagents/ads/keys.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/sessions.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Writes its section of `state`, in which the event has already changed what plays.
void ApplyToIntents(const ListenEvent& event, SessionState* state);

/// As if there had been an event that tells nothing.
void StartIntents(int64_t now_ms, SessionState* state);

/// `intents[i]`, of events[i] of one session as believed then, become what is believed in the light
/// of all later events. As many of both; those that are not known stay so.
void AddHindsight(std::span<const ListenEvent> events, std::span<Intents> intents);

/// A model's word, as of the session's last event and until the next; nothing is known: there is
/// none.
void SetForeseen(const Intents& intents, SessionState* state);

/// What the session is about at `now_ms`. `hour`: of the listener's day, 0 to 23. Unknown while
/// there has been no event.
[[nodiscard]] Intents IntentsOf(const SessionState& state, int64_t now_ms, int hour);

/// The hour of the day, 0 to 23, at `unix_ms` and so many minutes from UTC.
[[nodiscard]] int HourAt(int64_t unix_ms, int utcoffset);

/// The same for the listener of a request; the hour is the player's, else the request's.
[[nodiscard]] Intents IntentsOf(const Listener& listener, const Request& request);

/// Runs once per ListenEvent. Requires kSessions.
class IntentKeeper final : public Agent {
 public:
  IntentKeeper() : Agent({.name = "intent_keeper", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<ListenEvent> event_{this};
  State<Sessions> sessions_{this, kSessions};
};

/// Optional: without it nobody knows what the listener is about.
class UserIntent final : public Agent {
 public:
  UserIntent() : Agent({.name = "user_intent", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Listener> listener_{this, kListening, Listener{}};
  Out<Intents> intents_{this, kIntents, Intents{}};
};

}  // namespace adagents::ads
