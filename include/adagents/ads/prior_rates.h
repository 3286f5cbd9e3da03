// What an ad is after, and what to assume of its success before anything has been learnt. Functions
// of their arguments: thread-safe.
#pragma once

#include "adagents/ads/campaign.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/decision.h"

namespace adagents::ads {

/// Whether a creative has a length, so that it can be heard or seen to its end.
[[nodiscard]] constexpr bool Plays(MarkupType format) {
  return format == MarkupType::kAudio || format == MarkupType::kVideo;
}

/// What a creative is after: the action its campaign pays for, else completion for what plays and
/// a click for the rest. Never kNone.
[[nodiscard]] inline Action TargetOf(const CampaignFacts& campaign, MarkupType format) {
  if (campaign.action != Action::kNone) return campaign.action;
  return Plays(format) ? Action::kCompletion : Action::kClick;
}

/// The assumed rate of `action` per impression, in round figures of the trade: two clicks in a
/// thousand, four in five heard or seen to the end, one conversion in twenty clicks.
[[nodiscard]] constexpr double PriorRate(Action action) {
  if (action == Action::kCompletion) return 0.8;
  return action == Action::kConversion ? 0.0001 : 0.002;
}

}  // namespace adagents::ads
