// The team of specialists as the library has it: the one place where it is put together. An agent
// that joins the library is switched on in AssembleTeam() and named in Specialists().
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/engine.h"
#include "adagents/ads/playback_event.h"

namespace market_sim {

void AssembleTeam(adagents::ads::EngineOptions* options);
/// Tells the team what the player reports.
absl::Status TellTeam(adagents::ads::Engine& engine, const adagents::ads::PlaybackEvent& event);
/// Agents that a team can do without: each is an arm of its own when it is switched off.
std::vector<std::string> Specialists();

}  // namespace market_sim
