#include "team.h"

#include "adagents/testing/listening_world.h"

namespace market_sim {

namespace ads = adagents::ads;

void AssembleTeam(ads::EngineOptions* options) {
  // Availability, relevance with its learner, pricing and auction are there without being asked.
  ads::ListenerOptions& listener = options->listener.emplace();
  listener.sessions.session_sources = {
      std::string(adagents::testing::ListeningWorld::kSessionSource)};
}

absl::Status TellTeam(ads::Engine& engine, const ads::PlaybackEvent& event) {
  return engine.Play(event);
}

std::vector<std::string> Specialists() {
  return {"relevance", "user_profile", "user_intent", "attention", "timing", "creative"};
}

}  // namespace market_sim
