#include "team.h"

#include "adagents/testing/listening_world.h"

namespace market_sim {

namespace ads = adagents::ads;

void AssembleTeam(ads::EngineOptions* options) {
  // Availability, relevance with its learner, pricing and auction are there without being asked.
  ads::ListenerOptions& listener = options->listener.emplace();
  listener.sessions.session_sources = {
      std::string(adagents::testing::ListeningWorld::kSessionSource)};
  // Who is back on another day is known again, as long as the law of the place lets it.
  listener.sessions.salt_period = absl::Hours(31 * 24);
  options->outcomes.window = absl::Minutes(15);  // as the blended model waits
}

absl::Status TellTeam(ads::Engine& engine, const ads::PlaybackEvent& event) {
  return engine.Play(event);
}

std::vector<std::string> Specialists() {
  return {"relevance", "user_profile", "user_intent", "attention", "timing", "creative", "affinity",
          "fatigue"};
}

}  // namespace market_sim
