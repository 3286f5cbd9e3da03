#include "ads/agents/matcher.h"

#include <algorithm>

#include "adagents/ads/reasons.h"
#include "ads/agents/deals.h"

namespace adagents::ads::internal {

Nbr Matcher::WhyNone(const Fallen& fallen) {
  if (fallen.matched == 0) return Nbr::kNoEligibleCampaign;
  if (fallen.misfit > 0) return Nbr::kUnsupportedImp;
  return fallen.off > 0 ? Nbr::kDisabled : Nbr::kNoEligibleCampaign;
}

void Matcher::Find(const Catalog& catalog, const KillSwitches& switches, int64_t now_s, size_t most,
                   Fallen* fallen, const MatchBecause* because) {
  catalog.targeting().MatchTopK(
      query_, most,
      [&](uint32_t id) {
        ++fallen->matched;
        const CampaignFacts& facts = catalog.facts(id);
        if (!facts.InFlight(now_s)) {
          ++fallen->not_in_flight;
          if (because != nullptr) (*because)({&reasons::kNotInFlight, facts.key, 0, 0});
          return false;
        }
        if (switches.Killed(facts.key)) {
          ++fallen->off;
          if (because != nullptr) (*because)({&reasons::kSwitchedOff, facts.key, 0, 0});
          return false;
        }
        return true;
      },
      &found_);
}

void Matcher::Fit(const Imp& imp, const AvailabilityOptions& options, Fallen* fallen,
                  Candidates* out, const MatchBecause* because) {
  const Catalog& catalog = *out->catalog;
  const size_t full = out->items.size() + options.max_candidates;
  for (const uint32_t id : found_) {
    DealChoice deal;
    if (!imp.deals.empty()) {
      deal = ChooseDeal(imp, catalog.campaign(id), options.seat);
      if (deal.deal < 0 && (deal.required || imp.private_auction)) {
        ++fallen->misfit;
        if (because != nullptr) (*because)({&reasons::kDealSeat, catalog.facts(id).key, 0, 0});
        continue;
      }
    }
    const size_t before = out->items.size();
    for (const CreativeFacts& creative : catalog.creative_facts(id)) {
      FitSize size;
      if (needs_.Judge(catalog, creative, &size) != Misfit::kNone) continue;
      if (out->items.size() >= full) return;
      out->items.push_back({id, creative.in_campaign, deal.deal, size.w, size.h,
                            creative.duration_ms, creative.format});
    }
    if (out->items.size() != before) {
      ++fallen->fitted;
    } else {
      ++fallen->misfit;
      if (because != nullptr) (*because)({&reasons::kNoCreativeFits, catalog.facts(id).key, 0, 0});
    }
  }
}

void Matcher::Run(const Request& request, const KillSwitches& switches, absl::Time now,
                  const AvailabilityOptions& options, Candidates* out,
                  const MatchBecause* because) {
  const Catalog& catalog = *out->catalog;
  const int64_t now_s = absl::ToUnixSeconds(now);
  catalog.targeting().Read(request, now, &query_);
  out->hour_of_week = query_.hour_of_week();
  out->nbr = Nbr::kNoEligibleCampaign;
  for (uint32_t i = 0; i < request.imps.size(); ++i) {
    const Imp& imp = request.imps[i];
    Fallen fallen;
    ImpRange range;
    range.begin = static_cast<uint32_t>(out->items.size());
    catalog.targeting().ReadImp(imp, &query_);
    needs_.Read(request, imp);
    Find(catalog, switches, now_s, options.max_candidates, &fallen, because);
    Fit(imp, options, &fallen, out, because);
    range.end = static_cast<uint32_t>(out->items.size());
    if (range.end == range.begin) range.nbr = WhyNone(fallen);
    out->imps.push_back(range);
    // The imp that got furthest speaks for the request.
    if (range.nbr == Nbr::kUnsupportedImp || range.nbr == Nbr::kDisabled) out->nbr = range.nbr;
    if (because != nullptr) {
      (*because)({&reasons::kMatched, i, static_cast<double>(fallen.matched),
                  static_cast<double>(catalog.size())});
      (*because)({&reasons::kFitted, i, static_cast<double>(range.end - range.begin),
                  static_cast<double>(fallen.fitted)});
    }
  }
  if (!out->items.empty()) out->nbr = Nbr::kNone;
}

}  // namespace adagents::ads::internal
