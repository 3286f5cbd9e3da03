#include "adagents/ads/agents/auction.h"

#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"
#include "ads/agents/auctioneer.h"

namespace adagents::ads {

struct Auction::Scratch {
  internal::Auctioneer auctioneer;
  std::vector<uint32_t> winners;
};

/// Takes places under the frequency caps of whoever wins, and ties them to the decision's end.
class Auction::Places {
 public:
  Places(FrequencyCaps& counts, const Candidates& candidates, const CapVerdicts& caps,
         const std::vector<uint32_t>& winners, uint64_t decision)
      : counts_(counts),
        candidates_(candidates),
        caps_(caps),
        winners_(winners),
        decision_(decision) {}

  const ReasonCode* Take(uint32_t item, uint32_t bid) {
    const Catalog& catalog = *candidates_.catalog;
    const Candidate& c = candidates_.items[item];
    const CreativeFacts& facts = catalog.creative_facts(c.campaign)[c.creative];
    if (!facts.capped) return nullptr;
    if (caps_.state.empty()) return &reasons::kCapsUnknown;
    if (caps_.per_request > 0 && SoldOf(catalog, c, facts) >= caps_.per_request) {
      return &reasons::kCapWithoutId;
    }
    const std::span<const CapWindow> windows = caps_.WindowsOf(item);
    if (windows.empty()) return nullptr;
    const FrequencyCaps::Reservation reserved = counts_.Reserve(decision_, bid, windows);
    any_ = any_ || reserved.ok;
    if (reserved.ok) return nullptr;
    return reserved.full ? &reasons::kCapsFull : &reasons::kCapTaken;
  }

  /// One hold for all bids: a pod may have more of them than a decision has holds.
  absl::Status Tie(Context& ctx) const {
    if (!any_) return absl::OkStatus();
    return ctx.Take({.settle =
                         [](const Hold& hold, bool kept) {
                           if (kept) return;
                           for (uint32_t bid = 0; bid < hold.amount; ++bid) {
                             static_cast<FrequencyCaps*>(hold.object)->Release(hold.subject, bid);
                           }
                         },
                     .object = &counts_,
                     .subject = decision_,
                     .amount = static_cast<int64_t>(winners_.size())});
  }

 private:
  /// How many bids there are of the campaign or, where its brand has caps, of the brand.
  int32_t SoldOf(const Catalog& catalog, const Candidate& c, const CreativeFacts& facts) const {
    const bool by_brand = !catalog.brand_caps(facts.brand).empty();
    int32_t sold = 0;
    for (const uint32_t item : winners_) {
      const Candidate& other = candidates_.items[item];
      const bool same =
          other.campaign == c.campaign ||
          (by_brand && catalog.creative_facts(other.campaign)[other.creative].brand == facts.brand);
      sold += same ? 1 : 0;
    }
    return sold;
  }

  FrequencyCaps& counts_;
  const Candidates& candidates_;
  const CapVerdicts& caps_;
  const std::vector<uint32_t>& winners_;
  const uint64_t decision_;
  bool any_ = false;
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
  const CapVerdicts& caps = ctx[caps_];
  Places places(*counts_, candidates, caps, scratch_->winners, ctx.decision_id());
  const auto take = [&](uint32_t item, uint32_t bid) { return places.Take(item, bid); };
  const internal::Claim claim = take;
  scratch_->auctioneer.Run(ctx[request_], candidates, scores, ctx[prices_], options_, &decision,
                           &scratch_->winners, ctx.explaining() ? &because : nullptr, &caps,
                           &claim);
  if (absl::Status status = places.Tie(ctx); !status.ok()) return status;
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
