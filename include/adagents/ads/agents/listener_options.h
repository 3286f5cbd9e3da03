// The agents that understand the listener, as EngineOptions::listener enables them.
//
//   ads::EngineOptions options;
//   options.listener.emplace();
//   options.listener->sessions.sessions = 5'000'000;
//   ...
//   engine->Play(playback_event);                        // as the player reports
//
// Without playback events decisions are what they would be without these agents, unless
// `contextual` is set.
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
  /// For who has no session (no player reports it, or consent does not allow to look), what the
  /// request alone says of the moment is used: the hour, the device, what plays and where in it.
  bool contextual = false;
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
