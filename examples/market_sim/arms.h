// The arms of the comparison: who decides. Each drives an engine of its own through the public API.
//
//   random       any of the candidates, each as likely, at what its action is worth on average
//   blended      one model of everything, see blended.h
//   blended-small  the same with no more numbers than the team learns
//   specialists  the team of agents that the library has, see team.h
//   specialists+models  the team with small transformers, see trained_team.h; needs LibTorch
//   specialists-AGENT  the team with that agent switched off
//   specialists-assumptions  the same, but nothing is assumed before outcomes tell
//   oracle       the highest true value now: it knows the odds, and leaves out the middle of songs
//                and bots, but does not spare listeners for later
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads/engine.h"
#include "adagents/testing/listening_world.h"
#include "blended.h"

namespace market_sim {

namespace testing = adagents::testing;

class Arm {
 public:
  virtual ~Arm() = default;
  /// Before the engine is made.
  virtual void Prepare(ads::EngineOptions* /*options*/) {}
  /// Changes the engine's team. `world` outlives the arm; only the oracle may look into it.
  virtual absl::Status Begin(ads::Engine& /*engine*/, const testing::ListeningWorld& /*world*/,
                             const testing::ListeningOptions& /*options*/) {
    return absl::OkStatus();
  }
  virtual absl::Status Play(ads::Engine& /*engine*/, const ads::PlaybackEvent& /*event*/) {
    return absl::OkStatus();
  }
  virtual void Decided(const ads::RequestPtr& /*request*/, const ads::Decision& /*decision*/,
                       absl::Time /*now*/) {}
  virtual void Told(const ads::OutcomeEvent& /*outcome*/, absl::Time /*now*/) {}
  /// Numbers that were learned, by `engine` or beside it.
  [[nodiscard]] virtual size_t parameters(ads::Engine& /*engine*/) const { return 0; }
};

/// Those that `--arms` may name, without each specialist removed.
std::vector<std::string> ArmNames();
/// One for each specialist that can be removed: "specialists-relevance", ...
std::vector<std::string> AblatedArms();
/// Whether it is the one that TunedSmallFor() is for.
[[nodiscard]] inline bool IsSmallBlended(std::string_view arm) { return arm == "blended-small"; }
/// InvalidArgument that names what there is. `blended`: of either one.
absl::StatusOr<std::unique_ptr<Arm>> MakeArm(std::string_view name, const BlendedOptions& blended);

}  // namespace market_sim
