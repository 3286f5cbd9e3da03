// The baseline: one model of everything, as a good engineer would build it. A factorisation machine
// sees all features of request, session, listener and creative, learns online from every impression
// whether it was clicked and whether it was heard to its end, and takes the place of the library's
// relevance agent. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/playback_event.h"
#include "adagents/runtime/agent.h"
#include "blended_features.h"
#include "factorisation_machine.h"

namespace market_sim {

struct BlendedOptions {
  MachineOptions machine;
  double explore = 0.5;  ///< times the deviation of what is believed; 0: never
  int replay = 0;        ///< examples of the past that are learned from again with each new one
  absl::Duration window = absl::Minutes(15);  ///< without a click until then there was none
};
/// The best that `market_sim --tune --world WORLD --sessions 15000` has tried, on seeds that
/// nothing is judged on; those of "music" for worlds that nothing was tuned on.
BlendedOptions TunedFor(std::string_view world);
/// The same with 16,386 numbers, a few more than the team of specialists learns: 2^11 places of
/// width 3 were worth more than 10 and 7, 12 and 1, or 13 and 0 in "direct" and "music", and within
/// 2 % of them in "podcasts" (`--blended bits=11,width=3 --seeds 6`); the rest is the best of
/// `market_sim --tune --blended bits=11,width=3 --sessions 8000 --seeds 4`.
BlendedOptions TunedSmallFor(std::string_view world);
/// "rate=0.1,width=4,...": `options` with some changed. InvalidArgument that names what is wrong
/// and what there is.
absl::StatusOr<BlendedOptions> ParseBlended(std::string_view text, BlendedOptions options = {});
std::string ToText(const BlendedOptions& options);

class BlendedModel {
 public:
  explicit BlendedModel(const BlendedOptions& options);

  void Play(const ads::PlaybackEvent& event) { features_.Play(event); }
  /// Rates of the action that each candidate is after.
  void Score(const ads::Request& request, const ads::Candidates& candidates, uint64_t decision,
             absl::Time now, ads::Scores* out);
  void Decided(const ads::RequestPtr& request, const ads::Decision& decision, absl::Time now);
  void Told(const ads::OutcomeEvent& outcome, absl::Time now);
  [[nodiscard]] size_t parameters() const { return click_.parameters() + completion_.parameters(); }

 private:
  struct Bid {
    ads::RequestPtr request;
    Places places;
    uint64_t brand = 0, creative = 0;
    bool heard = false, clicked = false, completed = false;
  };
  struct Example {
    Places places;
    bool clicked = false, completed = false;
  };
  void Settle(absl::Time now);
  void Learn(Example example);

  const BlendedOptions options_;
  FeatureMaker features_;
  FactorisationMachine click_, completion_;
  std::unordered_map<uint64_t, Bid> bids_;                       // by decision
  std::deque<std::pair<absl::Time, uint64_t>> heard_, decided_;  // by time
  std::vector<Example> past_;                                    // a ring
  size_t learned_ = 0;
  Places context_, ad_;
};

/// Takes the place of "relevance".
class BlendedScorer final : public adagents::Agent {
 public:
  explicit BlendedScorer(std::shared_ptr<BlendedModel> model);
  absl::Status Run(adagents::Context& ctx) override;

 private:
  adagents::In<ads::Request> request_{this, ads::kRequest};
  adagents::In<ads::Candidates> candidates_{this, ads::kCandidates};
  adagents::Out<ads::Scores> scores_{this, ads::kScores, ads::Scores{}};
  const std::shared_ptr<BlendedModel> model_;
};

}  // namespace market_sim
