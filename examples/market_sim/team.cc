#include "team.h"

#include "adagents/testing/listening_world.h"

namespace market_sim {

namespace ads = adagents::ads;

void AssembleTeam(ads::EngineOptions* options) {
  // Availability, relevance with its learner, pricing and auction are there without being asked.
  // Relevance is made for millions of outcomes; with thousands, the others know better what little
  // they say, and it learns slowly what they leave.
  options->relevance.rate = 0.001;
  options->outcomes.window = absl::Minutes(15);  // as long as the blended model waits

  ads::ListenerOptions& listener = options->listener.emplace();
  listener.sessions.session_sources = {
      std::string(adagents::testing::ListeningWorld::kSessionSource)};
  // Who is back on another day is known again, as the blended model knows them.
  listener.sessions.salt_period = absl::Hours(31 * 24);
  // As many as there are, so that sweeping the tables takes no time.
  listener.sessions.sessions = listener.moments.listeners.listeners = 4'000;
  listener.moments.bids = 4'000;
  listener.contextual = true;
  listener.creative.rules = ads::StrictSuitability();
}

absl::Status TellTeam(ads::Engine& engine, const ads::PlaybackEvent& event) {
  return engine.Play(event);
}

std::vector<std::string> Specialists() {
  return {"relevance", "user_profile", "user_intent", "attention",
          "timing",    "creative",     "affinity",    "fatigue"};
}

}  // namespace market_sim
