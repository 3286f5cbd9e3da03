// Fatigue: what it does to an ad that this listener has heard its brand, and it, so often lately:
// better known at first, worn after a while. It differs from frequency_cap in that nothing is
// refused: a worn ad loses against fresher ones, by as much as listeners are seen to tire.
//
//   candidates, remembered -> fatigue -> wears -> pricing
//
// How often is counted by ListenerMemory; what it means is learned for all together
// (MomentModel::Wear()).
//
// Thread safety: that of agents (runtime/agent.h): the agent is reentrant.
#pragma once

#include <vector>

#include "adagents/ads/keys.h"
#include "adagents/ads/listener_memory.h"
#include "adagents/ads/moment.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Parallel to Candidates::items; empty: nothing is known to have been heard. Plain value.
struct Wears {
  std::vector<float> shift;  ///< of the log-odds of each candidate's action
  std::vector<HeardBefore> heard;

  void clear() {
    shift.clear();
    heard.clear();
  }
};

inline constexpr Key<Wears> kWears{"wears"};

void FindWears(const Candidates& candidates, const Listener& listener,
               const ListenerRecord& remembered, const MomentModel& model, Wears* out);

/// Optional. Requires kMoments.
class Fatigue final : public Agent {
 public:
  Fatigue() : Agent({.name = "fatigue", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Candidates> candidates_{this, kCandidates};
  In<Listener> listener_{this, kListening, Listener{}};
  In<ListenerRecord> remembered_{this, kRemembered, ListenerRecord{}};
  State<Moments> moments_{this, kMoments};
  Out<Wears> wears_{this, kWears, Wears{}};
};

}  // namespace adagents::ads
