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

#include <optional>

#include "adagents/ads/agents/creative.h"
#include "adagents/ads/agents/inventory.h"
#include "adagents/ads/agents/pricing.h"
#include "adagents/ads/agents/timing.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/private_export.h"
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
  /// What may be told of listeners, in all. Its account is in the sessions' region, if they have
  /// one.
  PrivacyBudgetOptions privacy;
  /// The forecast of slots; nullopt: there is none.
  std::optional<InventoryOptions> inventory = InventoryOptions();
  /// Whether every decision has the outlook of its slots (kInventory), for agents of your own.
  bool inventory_outlook = false;
};

}  // namespace adagents::ads
