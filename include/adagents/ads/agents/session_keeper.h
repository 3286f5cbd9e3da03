// Session keeper: what plays in each session, and how the listener handles it. The first of the
// agents that listen to ListenEvent (session.h), so the others find what the event has changed.
//
//   Engine::Play() -> door (sessions.h) -> ListenEvent -> session_keeper -> profile_keeper, ...
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include "adagents/ads/sessions.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Writes its section of `state`. What the event does not say stays as it was.
void ApplyToSession(const ListenEvent& event, SessionState* state);

/// Forgets the four decayed counts' share of the time until `now_ms`.
void DecayCounts(int64_t now_ms, SessionState* state);

/// Runs once per ListenEvent; forgets a session that has ended. Requires kSessions.
class SessionKeeper final : public Agent {
 public:
  SessionKeeper() : Agent({.name = "session_keeper", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<ListenEvent> event_{this};
  State<Sessions> sessions_{this, kSessions};
};

}  // namespace adagents::ads
