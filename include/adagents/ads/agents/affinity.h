// Affinity: what a campaign's brand and category are to this listener, and to listeners of this
// genre.
//
//   candidates, listening, remembered -> affinity -> affinities -> pricing
//
// A hierarchy, each level drawn to the one above until clicks tell: the category, the category with
// the genre that plays, this listener and the category; beside them the brand. Effects are drawn
// from what is believed of them (Thompson sampling, see creative.h), the same for all candidates of
// a campaign, so what a listener may like is tried.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <vector>

#include "adagents/ads/keys.h"
#include "adagents/ads/listener_memory.h"
#include "adagents/ads/moment.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// Of the log-odds of each candidate's action; parallel to Candidates::items, empty: 0. Plain
/// value.
struct Affinities {
  std::vector<float> shift;  ///< as drawn
  std::vector<float> mean;   ///< as believed

  void clear() {
    shift.clear();
    mean.clear();
  }
};

inline constexpr Key<Affinities> kAffinities{"affinities"};

/// `explore`: 0: what is believed; 1: drawn from all that is believed, by a generator that the
/// decision seeds.
void FindAffinities(const Candidates& candidates, const Listener& listener, const Intents& intents,
                    const ListenerRecord& remembered, const MomentModel& model, uint64_t decision,
                    float explore, Affinities* out);

/// Optional. Requires kMoments.
class Affinity final : public Agent {
 public:
  explicit Affinity(float explore)
      : Agent({.name = "affinity", .reentrant = true}), explore_(explore) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Candidates> candidates_{this, kCandidates};
  In<Listener> listener_{this, kListening, Listener{}};
  In<Intents> intents_{this, kIntents, Intents{}};
  In<ListenerRecord> remembered_{this, kRemembered, ListenerRecord{}};
  State<Moments> moments_{this, kMoments};
  Out<Affinities> affinities_{this, kAffinities, Affinities{}};
  const float explore_;
};

}  // namespace adagents::ads
