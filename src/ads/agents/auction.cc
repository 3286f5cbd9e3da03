#include "adagents/ads/agents/auction.h"

#include <vector>

#include "adagents/ads/agents/user_profile.h"
#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"
#include "ads/agents/auctioneer.h"
#include "ads/agents/claims.h"

namespace adagents::ads {

std::string_view Name(AuctionPricing pricing) {
  switch (pricing) {
    case AuctionPricing::kAsRequested:
      return "as_requested";
    case AuctionPricing::kFirstPrice:
      return "first";
    case AuctionPricing::kSecondPrice:
      return "second";
    case AuctionPricing::kGeneralizedSecondPrice:
      return "gsp";
  }
  return "unknown";
}

std::string_view Name(Insertion when) {
  switch (when) {
    case Insertion::kNow:
      return "now";
    case Insertion::kBetweenTracks:
      return "between_tracks";
    case Insertion::kAtTransition:
      return "at_transition";
    case Insertion::kNotNow:
      return "not_now";
  }
  return "unknown";
}

struct Auction::Scratch {
  explicit Scratch(const AuctionOptions& options) : auctioneer(options) {}
  internal::Auctioneer auctioneer;
  internal::Reservations reservations;
  std::vector<uint32_t> winners;
};

Auction::Auction(AuctionOptions options, std::shared_ptr<Ledger> ledger,
                 std::shared_ptr<const CurrencyRates> rates, std::shared_ptr<Moments> moments)
    : Agent({.name = "auction"}),
      options_(std::move(options)),
      ledger_(std::move(ledger)),
      rates_(rates != nullptr ? std::move(rates) : std::make_shared<const CurrencyRates>()),
      moments_(std::move(moments)),
      scratch_(std::make_unique<Scratch>(options_)) {}
Auction::~Auction() = default;

absl::Status Auction::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  const Scores& scores = ctx[scores_];
  const auto say = [&](uint32_t subject, const ReasonCode& code, double score, double threshold) {
    const uint64_t key = reasons::IsAboutImp(code)
                             ? subject
                             : candidates.catalog->facts(candidates.items[subject].campaign).key;
    ctx.Because({&code, key, score, threshold});
  };
  const internal::Because because = say;
  Decision& decision = ctx[decision_];
  internal::Reservations& reservations = scratch_->reservations;
  reservations.Begin(ctx.decision_id(), candidates, ctx[caps_], &*counts_,
                     {ledger_.get(), rates_.get()}, ctx[prices_].cur, ctx[request_].test);
  scratch_->auctioneer.Run(ctx[request_], candidates, scores, ctx[prices_], &decision,
                           &scratch_->winners,
                           {.because = ctx.explaining() ? &because : nullptr,
                            .caps = &ctx[caps_],
                            .claims = &reservations,
                            .timings = &ctx[timings_],
                            .limit = {&ctx.clock(), ctx.deadline().nanos()}});
  if (absl::Status status = reservations.Tie(ctx); !status.ok()) return status;
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    decision.bids[b].reservation = reservations.ReservationOf(b);
  }
  if (ctx[request_].test) return absl::OkStatus();  // nothing to learn from
  if (moments_ != nullptr) RememberMoments(ctx, decision);
  // Where nobody predicts rates, outcomes still teach the listener's agents.
  const bool scored = scores.imps.size() == candidates.imps.size();
  if (!scored && moments_ == nullptr) return absl::OkStatus();
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    const Candidate& c = candidates.items[scratch_->winners[b]];
    const CampaignFacts& campaign = candidates.catalog->facts(c.campaign);
    RememberedBid remembered;
    const uint32_t imp = decision.bids[b].imp;
    remembered.context = scored ? scores.imps[imp]
                                : RequestFeatures::Of(ctx[request_], ctx[request_].imps[imp],
                                                      candidates.hour_of_week);
    remembered.creative =
        candidates.catalog->relevance_features()[campaign.first_creative + c.creative];
    remembered.campaign = campaign.key;
    remembered.target = TargetOf(campaign, c.mtype);
    remembered.timed = Plays(c.mtype);
    book_->Remember(ctx.decision_id(), b, remembered);
  }
  return absl::OkStatus();
}

void Auction::RememberMoments(Context& ctx, const Decision& decision) {
  const Listener& listener = ctx[listener_];
  if (!listener.known || decision.bids.empty()) return;
  const Candidates& candidates = ctx[candidates_];
  const Wears& wears = ctx[wears_];
  RememberedMoment remembered;
  remembered.session = listener.session;
  remembered.listener = WhoOf(listener);
  MomentExample& example = remembered.example;
  example.moment = MomentOf(listener.state, ctx[intents_], listener.now_ms);
  example.moment.network = NetworkOf(ctx[request_].device);
  if (ctx[attention_].known) example.factors |= kOfAttention;
  if (!ctx[fits_].shift.empty()) example.factors |= kOfCreative;
  if (!ctx[affinities_].shift.empty()) example.factors |= kOfAffinity;
  if (!wears.shift.empty()) example.factors |= kOfFatigue;
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    const uint32_t k = scratch_->winners[b];
    const Candidate& c = candidates.items[k];
    const CampaignFacts& campaign = candidates.catalog->facts(c.campaign);
    const CreativeFacts& creative = candidates.catalog->creative_facts(c.campaign)[c.creative];
    remembered.brand = ListenerRecord::NameOf(creative.brand);
    remembered.creative = ListenerRecord::NameOf(creative.key);
    example.ad =
        AdTerms::Of(candidates.catalog->relevance_features()[campaign.first_creative + c.creative]);
    if (k < wears.heard.size()) example.heard = wears.heard[k];
    remembered.target = TargetOf(campaign, c.mtype);
    remembered.timed = Plays(c.mtype);
    moments_->Remember(ctx.decision_id(), b, remembered);
  }
}

}  // namespace adagents::ads
