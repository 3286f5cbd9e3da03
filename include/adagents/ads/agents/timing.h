// Timing: when an ad may be inserted: now, between tracks, at a break of an episode, or not now.
//
//   request, listening, intents -> timing -> timings -> pricing, which gives what may not be played
//   now no price; auction, which writes Bid::when and Bid::in_ms
//
// Rules, the first that applies:
//   the listener is not known, the imp makes no sound, or it is rewarded     now
//   the last ad was less than least_gap ago                                  not now
//   the listener falls asleep and has touched nothing for asleep_after       not now
//   nothing plays, or it has just begun (for a pre-roll)                     now
//   it is paused                                                             not now
//   a post-roll                                                              between tracks
//   an episode, and a mid-roll: the publisher's own break                    at the transition
//   what plays ends within longest_wait                                      between tracks
//   else                                                                     not now
//
// Nothing is learned here: when an ad interrupts is no matter of odds. What a moment is worth
// beyond that is attention's.
//
// Thread safety: that of agents (runtime/agent.h): the agent is reentrant.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/moment.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads {

struct TimingOptions {
  /// How long the host's player can hold an ad back until what plays has ended (Bid::when,
  /// Bid::in_ms). 0: it plays ads the moment they are decided, so nothing is sold before the end.
  absl::Duration longest_wait = absl::ZeroDuration();
  /// Between two ads of one session; 0: no matter. A request's pod counts as one.
  absl::Duration least_gap = absl::ZeroDuration();
  /// Nothing touched for so long at bedtime: asleep.
  absl::Duration asleep_after = absl::Minutes(20);
  /// How likely bedtime has to be for that.
  float bedtime = 0.7f;
};

/// Of one imp. Plain value.
struct Timing {
  Insertion when = Insertion::kNow;
  int32_t in_ms = 0;                ///< until then; 0: now, or not known
  const ReasonCode* why = nullptr;  ///< of reasons.h; null: nothing to say
  float score = 0, threshold = 0;   ///< of its sentence
};

/// One per imp of the request. Empty: now.
struct Timings {
  std::vector<Timing> imps;

  [[nodiscard]] Timing Of(size_t imp) const { return imp < imps.size() ? imps[imp] : Timing(); }
  void clear() { imps.clear(); }
};

inline constexpr Key<Timings> kTimings{"timings"};

[[nodiscard]] Timing WhenFor(const Imp& imp, const Listener& listener, const Intents& intents,
                             const TimingOptions& options);

/// Optional: without it ads are played when they are asked for.
class TimingAgent final : public Agent {
 public:
  explicit TimingAgent(const TimingOptions& options = {})
      : Agent({.name = "timing", .reentrant = true}), options_(options) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Listener> listener_{this, kListening, Listener{}};
  In<Intents> intents_{this, kIntents, Intents{}};
  Out<Timings> timings_{this, kTimings, Timings{}};
  const TimingOptions options_;
};

}  // namespace adagents::ads
