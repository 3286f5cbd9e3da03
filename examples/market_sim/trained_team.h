// The team with small transformers that it trains itself, on what it has seen of the run so far: a
// trunk, and a head that says what the listener is about. A run has too few clicks for heads of
// responses.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "adagents/ads/engine.h"
#include "adagents/ads_models/team_log.h"
#include "adagents/ads_models/team_models.h"

namespace market_sim {

namespace ads = adagents::ads;

class TrainedTeam {
 public:
  /// Adds models to the team that is yet to be made.
  absl::Status AddTo(ads::EngineOptions* options);
  /// `sessions`: how many the run has.
  void Begin(size_t sessions) { sessions_ = sessions; }
  /// Notes the event; trains, and replaces the model, when it is time.
  absl::Status Play(const ads::PlaybackEvent& event);
  void Decided(const ads::Request& request, const ads::Decision& decision) {
    log_->Decided(request, decision);
  }
  void Told(const ads::OutcomeEvent& outcome) { log_->Record(outcome); }
  /// Of the newest model.
  [[nodiscard]] size_t parameters() const { return parameters_; }

 private:
  absl::Status Train();

  const adagents::Clock* clock_ = nullptr;
  std::shared_ptr<adagents::ads_models::TeamModels> models_;
  std::unique_ptr<adagents::ads_models::TeamLog> log_;
  size_t sessions_ = 0, begun_ = 0, parameters_ = 0;
};

}  // namespace market_sim
