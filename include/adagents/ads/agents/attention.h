// Attention: how engaged the listener is. Attention estimates it when a request comes and hands the
// signal to pricing; AttentionKeeper leaves an estimate with the session after each playback event,
// for who looks at sessions; MomentKeeper notes which ads were heard.
//
//   ListenEvent -> attention_keeper -> SessionState's attention
//   request, listening, intents -> attention -> attention signal -> pricing, which moves predicted
//   rates by it; auction, which remembers the moment of what it sells
//
// The estimate is MomentModel's: what is assumed of each signal, and what outcomes have taught
// since. A signal that no event has renewed is half forgotten in ten minutes.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap, but for the
// keepers', which are reentrant.
#pragma once

#include <array>

#include "adagents/ads/keys.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/sessions.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// What a session's attention is worth now. Plain value.
struct AttentionSignal {
  bool known = false;
  uint64_t session = 0;
  /// What it adds to the log-odds of a click, completion and a conversion.
  std::array<float, 3> shift{};
  /// The chance that an ad of average make is heard to its end, [0, 1].
  float level = 0;
  Moment moment;

  [[nodiscard]] float ShiftOf(Action action) const {
    return shift[action == Action::kCompletion ? 1 : action == Action::kConversion ? 2 : 0];
  }
  void clear() { known = false; }
};

inline constexpr Key<AttentionSignal> kAttention{"attention"};

/// As the session is at the moment that `listener` was looked up.
[[nodiscard]] AttentionSignal AttentionOf(const Listener& listener, const Intents& intents,
                                          const Device& device, const MomentModel& model);

/// The probability whose log-odds are those of `rate`, moved by `shift`. `rate` in (0, 1).
[[nodiscard]] float Shifted(float rate, float shift);
/// The log-odds of a rate, which is kept away from 0 and 1.
[[nodiscard]] float LogOdds(float rate);

/// Runs once per ListenEvent. Requires kSessions and kMoments.
class AttentionKeeper final : public Agent {
 public:
  AttentionKeeper() : Agent({.name = "attention_keeper", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<ListenEvent> event_{this};
  State<Sessions> sessions_{this, kSessions};
  State<Moments> moments_{this, kMoments};
};

/// Optional: without it pricing knows nothing of attention. Requires kMoments.
class Attention final : public Agent {
 public:
  Attention() : Agent({.name = "attention", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Listener> listener_{this, kListening, Listener{}};
  In<Intents> intents_{this, kIntents, Intents{}};
  State<Moments> moments_{this, kMoments};
  Out<AttentionSignal> attention_{this, kAttention, AttentionSignal{}};
};

/// Runs once per OutcomeEvent: counts the ads that a session has heard, and takes clicks for the
/// touches that they are. Requires kSessions and kMoments.
class MomentKeeper final : public Agent {
 public:
  MomentKeeper() : Agent({.name = "moment_keeper", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<OutcomeEvent> outcome_{this};
  State<Sessions> sessions_{this, kSessions};
  State<Moments> moments_{this, kMoments};
};

}  // namespace adagents::ads
