#include "adagents/ads/agents/auction.h"

#include "adagents/ads/prior_rates.h"
#include "adagents/runtime/context.h"
#include "ads/agents/auctioneer.h"

namespace adagents::ads {

struct Auction::Scratch {
  internal::Auctioneer auctioneer;
  std::vector<uint32_t> winners;
};

Auction::Auction(AuctionOptions options)
    : Agent({.name = "auction"}),
      options_(std::move(options)),
      scratch_(std::make_unique<Scratch>()) {}
Auction::~Auction() = default;

absl::Status Auction::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  const Scores& scores = ctx[scores_];
  const auto say = [&](uint32_t item, const ReasonCode& code, double score, double threshold) {
    const uint64_t key = candidates.catalog->facts(candidates.items[item].campaign).key;
    ctx.Because({&code, key, score, threshold});
  };
  const internal::Because because = say;
  Decision& decision = ctx[decision_];
  scratch_->auctioneer.Run(ctx[request_], candidates, scores, ctx[prices_], options_, &decision,
                           &scratch_->winners, ctx.explaining() ? &because : nullptr);
  if (scores.imps.size() != candidates.imps.size()) return absl::OkStatus();
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    const Candidate& c = candidates.items[scratch_->winners[b]];
    const CampaignFacts& campaign = candidates.catalog->facts(c.campaign);
    RememberedBid remembered;
    remembered.context = scores.imps[decision.bids[b].imp];
    remembered.creative =
        candidates.catalog->relevance_features()[campaign.first_creative + c.creative];
    remembered.target = TargetOf(campaign, c.mtype);
    book_->Remember(ctx.decision_id(), b, remembered);
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
