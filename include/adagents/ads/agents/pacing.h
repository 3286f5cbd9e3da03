// Pacing: which share of its value each candidate's campaign should bid now, and which sit this one
// out, so that budgets are spent as planned; and PacingLearner, which takes in what was spent.
//
//   availability -> candidates -> pacing -> paces -> pricing, which multiplies.
//
//   auto pacer = std::make_shared<ads::Pacer>(options);
//   engine_options.pacer = pacer;                             // adds both agents
//   engine_options.ledger = ledger;                           // then the engine does all the rest
//
// Without a ledger somebody has to set goals and tick (pacer.h), and to tell what was spent, to the
// pacer itself or as an event:
//   engine->runtime().Publish(ads::SpendEvent{.campaign = key, .amount = price}, key);
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "adagents/ads/keys.h"
#include "adagents/ads/pacer.h"
#include "adagents/ads/win_landscape.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// What to multiply each candidate's value by, parallel to Candidates::items; 0: it sits this one
/// out. Empty: no pacing.
struct Paces {
  std::vector<float> factor;
  /// Where not null, paced values are shaded by it: the auction is a first-price one.
  const WinLandscape* landscape = nullptr;
  uint64_t decision = 0;  ///< for WinLandscape::Shade()

  void clear() {
    factor.clear();
    landscape = nullptr;
    decision = 0;
  }
};

inline constexpr Key<Paces> kPaces{"paces"};
inline constexpr StateKey<Pacer> kPacer{"pacer"};

/// An impression of a campaign was won and costs `amount` (micros of its currency, of one
/// impression; negative: taken back), or its action happened. Each at most once: the ledger knows
/// duplicates.
struct SpendEvent {
  uint64_t campaign = 0;  ///< CampaignFacts::key
  Micros amount{};
  int32_t actions = 0;
};

/// Requires kPacer. Optional: in a decision that it has no time for, campaigns bid their values;
/// budgets are the ledger's.
class Pacing final : public Agent {
 public:
  /// `landscape`: shades bids where the request says first price and its currency is bid in.
  explicit Pacing(std::shared_ptr<const WinLandscape> landscape = nullptr)
      : Agent({.name = "pacing"}), landscape_(std::move(landscape)) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  State<Pacer> pacer_{this, kPacer};
  Out<Paces> paces_{this, kPaces, Paces{}};
  const std::shared_ptr<const WinLandscape> landscape_;
};

/// Runs once per SpendEvent. Requires kPacer.
class PacingLearner final : public Agent {
 public:
  PacingLearner() : Agent({.name = "pacing_learner"}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<SpendEvent> spend_{this};
  State<Pacer> pacer_{this, kPacer};
};

}  // namespace adagents::ads
