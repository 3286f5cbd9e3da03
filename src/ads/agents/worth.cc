#include "ads/agents/worth.h"

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

bool Pricer::ImpFloor(Micros amount, Currency cur, Micros* floor) const {
  if (amount.value <= 0) {
    *floor = {};
    return true;
  }
  if (cur == cur_) {
    *floor = amount;
    return true;
  }
  const std::optional<double> factor = rates_.Factor(cur, cur_);
  if (!factor) return false;
  *floor = Up(static_cast<double>(amount.value) * *factor);
  return true;
}

bool Pricer::BeginImp(size_t index) {
  imp_ = &request_.imps[index];
  imp_floor_known_ = ImpFloor(imp_->bidfloor, imp_->bidfloorcur, &imp_floor_);
  plain_floor_ = imp_->deals.empty() && !HasOwnFloors(imp_->audio) && !HasOwnFloors(imp_->video);
  return imp_floor_known_ || !imp_->deals.empty();
}

PriceTrouble Pricer::FloorOf(const Candidate& c, Micros* floor) const {
  const auto convert = [&](Micros amount, Currency cur) { return ImpFloor(amount, cur, floor); };
  const Deal* deal = c.deal >= 0 ? &imp_->deals[static_cast<size_t>(c.deal)] : nullptr;
  const Media* media = MediaOf(*imp_, c.mtype);
  if (deal != nullptr) {
    if (!convert(deal->bidfloor, deal->bidfloorcur)) return PriceTrouble::kFloorCurrency;
  } else {
    if (!imp_floor_known_) return PriceTrouble::kFloorCurrency;
    *floor = imp_floor_;
    if (media != nullptr) {
      for (const DurFloor& d : media->durfloors) {
        const int64_t ms = c.duration_ms;
        if (ms < d.mindur.value_or(0) * int64_t{1000}) continue;
        if (d.maxdur && ms > *d.maxdur * int64_t{1000}) continue;
        if (!convert(d.bidfloor, imp_->bidfloorcur)) return PriceTrouble::kFloorCurrency;
        break;
      }
    }
  }
  const std::optional<Micros> per_second = deal != nullptr && deal->mincpmpersec
                                               ? deal->mincpmpersec
                                           : media != nullptr ? media->mincpmpersec
                                                              : std::nullopt;
  if (per_second) {
    const double seconds = static_cast<double>(c.duration_ms) / 1000.0;
    Micros least;
    const Micros amount = Up(static_cast<double>(per_second->value) * seconds);
    if (!ImpFloor(amount, deal != nullptr ? deal->bidfloorcur : imp_->bidfloorcur, &least)) {
      return PriceTrouble::kFloorCurrency;
    }
    *floor = std::max(*floor, least);
  }
  return PriceTrouble::kNone;
}

PriceTrouble Pricer::Price(const Candidate& c, float rate, Micros* value, Micros* floor, float pace,
                           const WinLandscape* landscape, uint64_t decision) {
  constexpr Micros kMayNotBid{-1};
  *value = kMayNotBid;
  *floor = {};
  if (plain_floor_) {
    if (!imp_floor_known_) return PriceTrouble::kFloorCurrency;
    *floor = imp_floor_;
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

void PriceAll(const Request& request, const Candidates& candidates, const Scores& scores,
              const Paces& paces, const CurrencyRates& rates, Prices* out,
              absl::FunctionRef<void(const ReasonCode&, uint64_t, Micros, Micros)> because) {
  const std::optional<Currency> cur = rates.Pick(request);
  if (!cur) {
    out->nbr = Nbr::kUnsupportedCurrency;
    return;
  }
  out->cur = *cur;
  const size_t n = candidates.items.size();
  out->value.resize(n);
  out->floor.resize(n);
  const Catalog& catalog = *candidates.catalog;
  const bool scored = scores.rate.size() == n;
  const bool paced = paces.factor.size() == n;
  const WinLandscape* landscape =
      paces.landscape != nullptr && paces.landscape->currency() == *cur ? paces.landscape : nullptr;
  Pricer pricer(request, catalog, rates, *cur);
  bool any = false, below = false, paced_out = false;
  for (uint32_t i = 0; i < candidates.imps.size(); ++i) {
    const ImpRange& range = candidates.imps[i];
    if (range.begin == range.end) continue;
    if (!pricer.BeginImp(i)) because(reasons::kFloorCurrency, i, {}, {});
    for (uint32_t k = range.begin; k < range.end; ++k) {
      const Candidate& c = candidates.items[k];
      const CampaignFacts& campaign = catalog.facts(c.campaign);
      const float rate =
          scored ? scores.rate[k] : static_cast<float>(PriorRate(TargetOf(campaign, c.mtype)));
      Micros value, floor;
      const PriceTrouble trouble = pricer.Price(
          c, rate, &value, &floor, paced ? paces.factor[k] : 1.0f, landscape, paces.decision);
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
          because(reasons::kBelowFloor, campaign.key, value, floor);
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
    out->nbr = paced_out ? Nbr::kBudgetExhausted
               : below   ? Nbr::kBelowFloor
                         : Nbr::kUnsupportedCurrency;
  }
}

}  // namespace adagents::ads::internal
