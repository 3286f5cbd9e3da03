// User profile: the privacy-preserving fingerprint of a listening session. ProfileKeeper learns it
// from events; UserProfile hands the session that a request belongs to to the other agents.
//
//   ListenEvent -> profile_keeper -> SessionState's genres and moods
//   request -> user_profile -> listening -> user_intent, attention, timing, creative, affinity
//                           -> remembered -> affinity, fatigue
//
// The fingerprint is two histograms that forget half in half an hour of listening: genres (32 bins)
// and moods (8). A track or an episode that begins weighs 1, one that is saved as much again, a
// search for a genre 1.5; one that is skipped takes most of its weight with it. What is exported of
// it has noise (private_export.h).
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap, but for the
// keeper's, which is reentrant.
#pragma once

#include "adagents/ads/keys.h"
#include "adagents/ads/listener_memory.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/request.h"
#include "adagents/ads/sessions.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Writes its section of `state`, in which the event has already changed what plays.
void ApplyToProfile(const ListenEvent& event, SessionState* state);

/// Runs once per ListenEvent. Requires kSessions.
class ProfileKeeper final : public Agent {
 public:
  ProfileKeeper() : Agent({.name = "profile_keeper", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<ListenEvent> event_{this};
  State<Sessions> sessions_{this, kSessions};
};

/// Under which key a listener is remembered from session to session: of the listener, else of the
/// session.
[[nodiscard]] inline uint64_t WhoOf(const Listener& listener) {
  return listener.state.listener != 0 ? listener.state.listener : listener.session;
}

/// What the first imp of a request and its content say of a moment, at `now_ms`. It is of no
/// session and of no listener.
[[nodiscard]] Listener ListenerOf(const Request& request, int64_t now_ms);

/// Optional: without it nobody knows the listener. Requires kSessions and kMoments.
class UserProfile final : public Agent {
 public:
  /// `contextual`: as ListenerOptions has it.
  explicit UserProfile(bool contextual = false)
      : Agent({.name = "user_profile", .reentrant = true}), contextual_(contextual) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  State<Sessions> sessions_{this, kSessions};
  State<Moments> moments_{this, kMoments};
  Out<Listener> listener_{this, kListening, Listener{.missing = true}};
  Out<ListenerRecord> remembered_{this, kRemembered, ListenerRecord{}};
  const bool contextual_;
};

}  // namespace adagents::ads
