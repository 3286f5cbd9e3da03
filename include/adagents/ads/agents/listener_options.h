// The agents that understand the listener, as EngineOptions::listener enables them.
//
//   ads::EngineOptions options;
//   options.listener.emplace();
//   options.listener->sessions.sessions = 5'000'000;
//   ...
//   engine->Play(playback_event);                        // as the player reports
//
// Without playback events decisions are what they would be without these agents.
//
// Thread safety: a plain value.
#pragma once

#include "adagents/ads/agents/creative.h"
#include "adagents/ads/agents/pricing.h"
#include "adagents/ads/agents/timing.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/sessions.h"

namespace adagents::ads {

struct ListenerOptions {
  /// Who is remembered, for how long, and where. With the inline scheduler a hash_key that is not
  /// given is fixed, so that runs repeat.
  SessionsOptions sessions;
  /// What is learned of moments. Its time to live is the engine's to choose: that of outcomes.
  MomentsOptions moments;
  TimingOptions timing;
  CreativeOptions creative;
  MomentPricing pricing;
};

}  // namespace adagents::ads
