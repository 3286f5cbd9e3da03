// The auction: which candidate fills which imp, and at which price.
//
// Order within an imp, each rule deciding only what the ones before left equal:
//   1. candidates with a deal before the open auction
//   2. higher campaign priority
//   3. higher value
//   4. higher predicted rate
//   5. better catalog rank (which does not depend on the request), then the creative's place
// so equal requests and equal state have equal winners.
//
// Price: in a first-price auction (request.at = 1) the value. In a second-price auction (at = 2,
// and exchange codes from 500 on) a hundredth of a unit above the value of the best candidate of
// another campaign that comes after the winner and is not blocked, at least the floor and at most
// the value. Deals may bring their own `at`; at = 3 makes their floor the price. Behind an exchange
// that reduces second prices itself, switch `reduce` off: the value is bid then.
//
// Blocked: bcat (with subcategories), badv (with subdomains), bapp, bseat and wseat; battr is
// availability's. A dynamic pod (poddur) is filled with ads of different campaigns as long as they
// fit; imps of one podid do not repeat a campaign.
#pragma once

#include <memory>
#include <string>

#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

struct AuctionOptions {
  bool reduce = true;             ///< to the second price, where the request says so
  std::string seat = "adagents";  ///< the buyer seat of campaigns that name none
};

/// Requires kOutcomeBook, where it leaves what the winners were predicted from, and kFrequencyCaps,
/// where it reserves their places: who has none left does not win.
class Auction final : public Agent {
 public:
  explicit Auction(AuctionOptions options = {});
  ~Auction() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  class Places;
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  In<Scores> scores_{this, kScores, Scores{}};
  In<Prices> prices_{this, kPrices};
  In<CapVerdicts> caps_{this, kCaps, CapVerdicts{}};
  State<FrequencyCaps> counts_{this, kFrequencyCaps};
  State<OutcomeBook> book_{this, kOutcomeBook};
  Out<Decision> decision_{this, kDecision};
  const AuctionOptions options_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace adagents::ads
