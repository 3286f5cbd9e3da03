// The auction: which candidate fills which imp, and at which price.
//
// Order, each rule deciding only what the ones before left equal:
//   1. tier (line.h): deals and guaranteed lines by priority, the open auction by priority, house
//      ads for what is left
//   2. higher value
//   3. higher predicted rate
//   4. the better catalog rank (which does not depend on the request), then the creative's place
// so equal requests and equal state have equal winners.
//
// Price: by the request's `at` (1: first price; 2, and exchange codes from 500 on: second price),
// or by the host's own rule, see AuctionPricing. A deal may bring its own `at`; 3 makes its floor
// the price, whatever the rule. House ads are charged their floor. No price is below the floor or
// above the value: a candidate that is not worth its floor is none. Rounding: values are rounded
// down to micros and floors up, after conversion from their own currency; prices are not rounded
// further, and what has to be exceeded is exceeded by a hundredth of a unit.
//
// Blocked: bcat (with subcategories), badv (with subdomains), bapp, bseat and wseat; battr is
// availability's.
//
// Refused: a winner needs a place under each frequency cap on it and, with a ledger, budget for its
// price; both are reserved when it is sold. Who cannot have them is as if it were not there: it
// sets no price, the next has its turn, and a pod is filled anew without it, a bounded number of
// times.
//
// Pods: imps of one podid are slots of one ad; an imp with poddur takes several ads, as many as
// maxseq (16 where it does not say) and its seconds allow; a pod may have both. The pod is filled
// for the highest total value, tier by tier: the best candidates (64 in all) are combined by a
// search of at most 4,096 steps, some half a millisecond, which pods of up to eight ads seldom need
// a tenth of; the others are then taken in turn by rank where room is left. A search that ends at
// its limit keeps the best that it had found, which is worth no less than taking by value, or by
// value per second, in turn, and the trace says imp_pod_search_ended for the pod. Prices of a pod
// whose ads pay the second price are searched for in 4,096 steps more, all together; when these run
// out they may be lower than what keeps the ad in, never below the floor. No campaign, brand (of
// the creative, else of the campaign, else its advertiser), advertiser domain or, unless switched
// off, category plays twice in a pod; video's poddedupe may ask for more (creatives, media files)
// or less. Time that nobody buys goes to house ads, of which only creatives are not repeated: as
// much of it as their lengths allow; what stays empty is a reason in the trace. Bids come in order
// of play: slotinpod 1 first, -1 last, 2 first if that is free, else last, the others as they come
// in the request; within an imp by rank.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/agents/affinity.h"
#include "adagents/ads/agents/attention.h"
#include "adagents/ads/agents/creative.h"
#include "adagents/ads/agents/fatigue.h"
#include "adagents/ads/agents/timing.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/ledger.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// What winners pay.
///
/// Second price: a step above the best of another campaign that comes after it. In a pod: above the
/// least value that keeps the ad in it, which is what the others could have been worth without it
/// beyond what they are worth beside it (Vickrey, Clarke, Groves).
/// Generalised second price: each ad of a pod, by rank, a step above the next one, and above what
/// keeps it in the pod (Edelman, Ostrovsky, Schwarz 2007); for one imp alone the second price.
enum class AuctionPricing : uint8_t {
  kAsRequested,             ///< first or second price, as `at` says
  kFirstPrice,              ///< always the value: behind an exchange that reduces prices itself
  kSecondPrice,             ///< always, for a host that runs the last auction itself
  kGeneralizedSecondPrice,  ///< likewise
};
/// "as_requested", "first", "second", "gsp".
std::string_view Name(AuctionPricing pricing);

struct AuctionOptions {
  AuctionPricing pricing = AuctionPricing::kAsRequested;
  std::string seat = "adagents";  ///< the buyer seat of campaigns that name none
  /// Keeps competitors out of each other's pods: campaigns that share a category. Without
  /// `competitors` that is the first tier of their IAB categories: "IAB2" for "IAB2-3".
  bool separate_competitors = true;
  /// Groups of categories (with all below them) that compete, instead: {{"IAB2-1", "IAB2-3"}}.
  std::vector<std::vector<std::string>> competitors;
};

/// Requires kOutcomeBook, where it leaves what the winners were predicted from, and kFrequencyCaps,
/// where it reserves their places: who has none left does not win. Bid::reservation names the
/// budget.
class Auction final : public Agent {
 public:
  /// With a ledger (and the exchange rates of prices), winners' budgets are reserved there. With
  /// `moments`, what is sold to a known listener is remembered there, to learn from.
  explicit Auction(AuctionOptions options = {}, std::shared_ptr<Ledger> ledger = nullptr,
                   std::shared_ptr<const CurrencyRates> rates = nullptr,
                   std::shared_ptr<Moments> moments = nullptr);
  ~Auction() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  void RememberMoments(Context& ctx, const Decision& decision);
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  In<Scores> scores_{this, kScores, Scores{}};
  In<Prices> prices_{this, kPrices};
  In<CapVerdicts> caps_{this, kCaps, CapVerdicts{}};
  In<Listener> listener_{this, kListening, Listener{}};
  In<Intents> intents_{this, kIntents, Intents{}};
  In<AttentionSignal> attention_{this, kAttention, AttentionSignal{}};
  In<CreativeFits> fits_{this, kFits, CreativeFits{}};
  In<Affinities> affinities_{this, kAffinities, Affinities{}};
  In<Wears> wears_{this, kWears, Wears{}};
  In<Timings> timings_{this, kTimings, Timings{}};
  State<FrequencyCaps> counts_{this, kFrequencyCaps};
  State<OutcomeBook> book_{this, kOutcomeBook};
  Out<Decision> decision_{this, kDecision};
  const AuctionOptions options_;
  const std::shared_ptr<Ledger> ledger_;
  const std::shared_ptr<const CurrencyRates> rates_;
  const std::shared_ptr<Moments> moments_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace adagents::ads
