#include "ads/agents/worth.h"

#include <algorithm>
#include <cmath>

#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {
namespace {

constexpr double kThousand = 1000.0;  // prices are per thousand impressions
constexpr double kMostMicros = 9e18;

const Media* MediaOf(const Imp& imp, MarkupType type) {
  if (type == MarkupType::kAudio) return imp.audio;
  return type == MarkupType::kVideo ? static_cast<const Media*>(imp.video) : nullptr;
}

/// Floors are rounded up and values down, so that rounding never sells below a floor.
Micros Up(double micros) {
  return {static_cast<int64_t>(std::ceil(std::min(micros, kMostMicros)))};
}
Micros Down(double micros) {
  return {static_cast<int64_t>(std::floor(std::min(micros, kMostMicros)))};
}

/// Asked for each candidate, so without a call.
bool Same(Currency a, Currency b) {
  const std::string_view x = a.code(), y = b.code();
  return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

bool HasOwnFloors(const Media* media) {
  return media != nullptr && (!media->durfloors.empty() || media->mincpmpersec.has_value());
}

}  // namespace

Pricer::Floor Pricer::Converted(Micros amount, Currency cur) const {
  if (amount.value <= 0) return {};
  if (cur == cur_) return {true, amount};
  const std::optional<double> factor = rates_.Factor(cur, cur_);
  if (!factor) return {false, {}};
  return {true, Up(static_cast<double>(amount.value) * *factor)};
}

void Pricer::ReadPerSecond(const std::optional<Micros>& amount, Currency cur, Terms* out) const {
  out->per_second = 0.0;
  out->known = true;
  if (!amount || amount->value <= 0) return;
  const std::optional<double> factor = rates_.Factor(cur, cur_);
  out->known = factor.has_value();
  out->per_second = static_cast<double>(amount->value) * factor.value_or(0.0);
}

bool Pricer::BeginImp(size_t index) {
  imp_ = &request_.imps[index];
  imp_floor_ = Converted(imp_->bidfloor, imp_->bidfloorcur);
  plain_floor_ = imp_->deals.empty() && !HasOwnFloors(imp_->audio) && !HasOwnFloors(imp_->video);
  if (plain_floor_) return imp_floor_.known;
  deals_.clear();
  for (const Deal& deal : imp_->deals) {
    Terms& terms = deals_.emplace_back();
    terms.floor = Converted(deal.bidfloor, deal.bidfloorcur);
    ReadPerSecond(deal.mincpmpersec, deal.bidfloorcur, &terms);
  }
  const auto read = [&](const Media* media, Terms* terms, auto* floors) {
    floors->clear();
    *terms = {};
    if (media == nullptr) return;
    ReadPerSecond(media->mincpmpersec, imp_->bidfloorcur, terms);
    for (const DurFloor& d : media->durfloors) {
      floors->push_back(Converted(d.bidfloor, imp_->bidfloorcur));
    }
  };
  read(imp_->audio, &audio_, &audio_floors_);
  read(imp_->video, &video_, &video_floors_);
  return imp_floor_.known || !imp_->deals.empty();
}

/// A deal's own floor, or that of the creative's duration, or the imp's; and no less than its
/// seconds cost at least.
PriceTrouble Pricer::FloorOf(const Candidate& c, Micros* floor) const {
  const Media* media = MediaOf(*imp_, c.mtype);
  const bool audio = c.mtype == MarkupType::kAudio;
  Floor least = imp_floor_;
  Terms terms = media == nullptr ? Terms() : audio ? audio_ : video_;
  if (c.deal >= 0) {
    const auto deal = static_cast<size_t>(c.deal);
    least = deals_[deal].floor;
    if (imp_->deals[deal].mincpmpersec) terms = deals_[deal];
  } else if (media != nullptr) {
    for (size_t i = 0; i < media->durfloors.size(); ++i) {
      const DurFloor& d = media->durfloors[i];
      if (c.duration_ms < d.mindur.value_or(0) * int64_t{1000}) continue;
      if (d.maxdur && c.duration_ms > *d.maxdur * int64_t{1000}) continue;
      least = audio ? audio_floors_[i] : video_floors_[i];
      break;
    }
  }
  if (!least.known || !terms.known) return PriceTrouble::kFloorCurrency;
  *floor = least.amount;
  if (terms.per_second > 0) {
    *floor = std::max(*floor, Up(terms.per_second * static_cast<double>(c.duration_ms) / 1000.0));
  }
  return PriceTrouble::kNone;
}

PriceTrouble Pricer::Price(const Candidate& c, float rate, Micros* value, Micros* floor, float pace,
                           const WinLandscape* landscape, uint64_t decision) {
  constexpr Micros kMayNotBid{-1};
  *value = kMayNotBid;
  *floor = {};
  if (plain_floor_) {
    if (!imp_floor_.known) return PriceTrouble::kFloorCurrency;
    *floor = imp_floor_.amount;
  } else if (const PriceTrouble trouble = FloorOf(c, floor); trouble != PriceTrouble::kNone) {
    return trouble;
  }
  const CampaignFacts& campaign = catalog_.facts(c.campaign);
  if (!factor_known_ || !Same(campaign.currency, factor_of_)) {
    const std::optional<double> factor = rates_.Factor(campaign.currency, cur_);
    if (!factor) return PriceTrouble::kNoRate;
    factor_of_ = campaign.currency;
    factor_ = *factor;
    factor_known_ = true;
  }
  double worth = static_cast<double>(campaign.max_cpm.value);
  if (campaign.action != Action::kNone) {
    if (!(rate >= 0.0f && rate <= 1.0f)) return PriceTrouble::kNotANumber;  // also for NaN
    worth = std::min(worth, static_cast<double>(campaign.value_per_action.value) *
                                static_cast<double>(rate) * kThousand);
  }
  if (pace <= 0) return PriceTrouble::kPacedOut;
  *value = Down(worth * factor_ * static_cast<double>(pace));
  if (*value < *floor || value->value <= 0) return PriceTrouble::kBelowFloor;
  if (landscape != nullptr) *value = std::max(landscape->Shade(*value, decision), *floor);
  return PriceTrouble::kNone;
}

const ReasonCode* MomentView::NotNow(size_t imp) const {
  if (timings == nullptr) return nullptr;
  const Timing timing = timings->Of(imp);
  return timing.when == Insertion::kNotNow ? timing.why : nullptr;
}

const ReasonCode* MomentView::Adjust(const Catalog& catalog, const Candidate& c, uint32_t k,
                                     float* rate, float* pace) const {
  if (fits != nullptr) {
    if (k < fits->forbid.size() && fits->forbid[k] != nullptr) return fits->forbid[k];
    if (fits->unchecked != nullptr) {
      const ReasonCode* why =
          ForbiddenBy(*fits->unchecked, catalog.campaign(c.campaign).creatives[c.creative], {}, {},
                      /*missing=*/true);
      if (why != nullptr) return why;
    }
  }
  const CampaignFacts& campaign = catalog.facts(c.campaign);
  const Action target = TargetOf(campaign, c.mtype);
  const float engaged =
      attention != nullptr && attention->known ? attention->ShiftOf(target) : 0.0f;
  const bool fitted = fits != nullptr && k < fits->shift.size();
  const bool liked = affinities != nullptr && k < affinities->shift.size();
  const float worn = wears != nullptr && k < wears->shift.size() ? wears->shift[k] : 0.0f;
  if (campaign.action == Action::kNone) {
    // The same for all creatives of a campaign, so that the rate decides between them.
    const float shift =
        engaged + (fitted ? fits->expected[k] : 0.0f) + (liked ? affinities->mean[k] : 0.0f);
    if (shift < 0.0f) {
      const auto prior = static_cast<float>(PriorRate(target));
      const float weight = terms.weight[static_cast<size_t>(campaign.objective)];
      const float share = Shifted(prior, shift) / prior;
      *pace *= std::clamp(weight == 1.0f ? share : std::pow(share, weight), terms.least, 1.0f);
    }
  }
  const float shift =
      engaged + worn + (fitted ? fits->shift[k] : 0.0f) + (liked ? affinities->shift[k] : 0.0f);
  if (shift != 0.0f && *rate > 0.0f && *rate < 1.0f) *rate = Shifted(*rate, shift);
  return nullptr;
}

void PriceAll(const Request& request, const Candidates& candidates, const Scores& scores,
              const Paces& paces, const CurrencyRates& rates, Prices* out,
              absl::FunctionRef<void(const ReasonCode&, uint64_t, Micros, Micros)> because,
              const MomentView& moment, const TimeLimit& limit) {
  const std::optional<Currency> cur = rates.Pick(request);
  if (!cur) {
    out->nbr = Nbr::kUnsupportedCurrency;
    return;
  }
  out->cur = *cur;
  const size_t n = candidates.items.size();
  out->value.resize(n);
  out->floor.resize(n);
  if (moment.any()) out->rate.assign(n, 0.0f);
  const Catalog& catalog = *candidates.catalog;
  const bool scored = scores.rate.size() == n;
  const bool paced = paces.factor.size() == n;
  const WinLandscape* landscape =
      paces.landscape != nullptr && paces.landscape->currency() == *cur ? paces.landscape : nullptr;
  Pricer pricer(request, catalog, rates, *cur);
  const bool moves = moment.any();
  bool any = false, below = false, paced_out = false, not_now = false, unsuitable = false;
  for (uint32_t i = 0; i < candidates.imps.size(); ++i) {
    const ImpRange& range = candidates.imps[i];
    if (range.begin == range.end) continue;
    if (i > 0 && limit.Passed()) {
      std::fill(out->value.begin() + range.begin, out->value.end(), Micros{-1});
      break;
    }
    if (moves && moment.NotNow(i) != nullptr) {  // said by timing
      not_now = true;
      std::fill(out->value.begin() + range.begin, out->value.begin() + range.end, Micros{-1});
      std::fill(out->floor.begin() + range.begin, out->floor.begin() + range.end, Micros{});
      continue;
    }
    if (!pricer.BeginImp(i)) because(reasons::kFloorCurrency, i, {}, {});
    for (uint32_t k = range.begin; k < range.end; ++k) {
      const Candidate& c = candidates.items[k];
      const CampaignFacts& campaign = catalog.facts(c.campaign);
      float rate =
          scored ? scores.rate[k] : static_cast<float>(PriorRate(TargetOf(campaign, c.mtype)));
      float pace = paced ? paces.factor[k] : 1.0f;
      if (moves && moment.Adjust(catalog, c, k, &rate, &pace) != nullptr) {  // said by creative
        unsuitable = true;
        out->value[k] = Micros{-1};
        out->floor[k] = Micros{};
        continue;
      }
      if (moves) out->rate[k] = rate;
      Micros value, floor;
      const PriceTrouble trouble =
          pricer.Price(c, rate, &value, &floor, pace, landscape, paces.decision);
      out->floor[k] = floor;
      out->value[k] = trouble == PriceTrouble::kNone ? value : Micros{-1};
      switch (trouble) {
        case PriceTrouble::kNone:
          any = true;
          because(campaign.action == Action::kNone ? reasons::kPaysPerImpression
                                                   : reasons::kPaysPerAction,
                  campaign.key, value, floor);
          break;
        case PriceTrouble::kBelowFloor:
          below = true;
          because(c.deal >= 0 ? reasons::kBelowDealFloor : reasons::kBelowFloor, campaign.key,
                  value, floor);
          break;
        case PriceTrouble::kNoRate:
          because(reasons::kNoRate, campaign.key, value, floor);
          break;
        case PriceTrouble::kNotANumber:
          because(reasons::kNotANumber, campaign.key, value, floor);
          break;
        case PriceTrouble::kFloorCurrency:
          break;  // said once for the imp
        case PriceTrouble::kPacedOut:
          paced_out = true;
          break;  // said by pacing
      }
    }
  }
  if (!any) {
    out->nbr = paced_out    ? Nbr::kBudgetExhausted
               : below      ? Nbr::kBelowFloor
               : unsuitable ? Nbr::kUnsuitable
               : not_now    ? Nbr::kNotTheMoment
                            : Nbr::kUnsupportedCurrency;
  }
}

}  // namespace adagents::ads::internal
