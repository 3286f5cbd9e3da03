#include "ads/agents/matcher.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "adagents/ads/reasons.h"
#include "ads/agents/deals.h"
#include "ads/agents/worth.h"

namespace adagents::ads::internal {
namespace {

using Deals = TargetingQuery::Deals;

// Facts of a catalog larger than the cache are fetched so many campaigns ahead of their use: memory
// answers many questions in the time of one.
constexpr size_t kAhead = 32;

/// Calls visit(id) for each match, by rank, until it returns false, with the facts of campaigns and
/// of their first creatives on their way to the cache.
template <class Visit>
void VisitAhead(const Catalog& catalog, const TargetingQuery& query, Visit visit) {
  catalog.targeting().Visit(query, [&](std::span<const uint32_t> ids) {
    while (!ids.empty()) {
      const std::span<const uint32_t> some = ids.first(std::min(kAhead, ids.size()));
      ids = ids.subspan(some.size());
      for (const uint32_t id : some) __builtin_prefetch(&catalog.facts(id));
      for (const uint32_t id : some) __builtin_prefetch(catalog.creative_facts(id).data());
      for (const uint32_t id : some) {
        if (!visit(id)) return false;
      }
    }
    return true;
  });
}

}  // namespace

struct Matcher::Search {
  const Request& request;
  const Imp& imp;
  uint32_t imp_index;
  const KillSwitches& switches;
  const AvailabilityOptions& options;
  const MatchBecause* because;
  int64_t now_s;
  Candidates* out;

  Fallen fallen;
  LeftOut left_out;
  bool may_have_deal = false;  // else none of the campaigns looked at includes one
  size_t full = 0;             // of out->items
  size_t examined = 0;         // campaigns

  const Catalog& catalog() const { return *out->catalog; }
  void Say(const ReasonCode& code, uint32_t id) const {
    if (because != nullptr) (*because)({&code, catalog().facts(id).key, 0, 0});
  }
};

/// Knows when the candidates of an imp, which come by rank, are enough. Values of campaigns that
/// pay per impression are what pricing will find; what comes later in rank is worth no more than
/// the bound that falls with it.
class Matcher::Certainty {
 public:
  Certainty(const Search& search, const CurrencyRates& rates, Currency cur, BlockList* blocked)
      : search_(search),
        blocked_(*blocked),
        pricer_(search.request, search.catalog(), rates, cur),
        needed_(search.request.at == 1 && !search.options.runner_up_matters ? 1 : 2) {
    usable_ = pricer_.BeginImp(search.imp_index);
    blocked_.Read(search.request);
  }

  void Take(const Candidate& c) {
    const CampaignFacts& facts = search_.catalog().facts(c.campaign);
    if (!usable_ || found_ == needed_ || facts.action != Action::kNone) return;
    if (found_ > 0 && c.campaign == last_campaign_) return;
    Micros value, floor;
    if (pricer_.Price(c, 0.0f, &value, &floor) != PriceTrouble::kNone) return;
    if (blocked_.Judge(search_.catalog(), c.campaign, c.creative, search_.options.seat) !=
        nullptr) {
      return;
    }
    ++found_;
    last_campaign_ = c.campaign;
    last_ = {static_cast<double>(value.value), facts.tier};
  }
  /// Whether nothing from here on, in rank, can come before those that were taken.
  bool Enough(const Bound& rest) const {
    return found_ == needed_ && Bound{std::floor(rest.value), rest.tier} < last_;
  }

 private:
  const Search& search_;
  BlockList& blocked_;
  Pricer pricer_;
  const int needed_;
  bool usable_ = false;
  int found_ = 0;
  uint32_t last_campaign_ = 0;
  Bound last_;
};

/// Whether each imp is sold by itself, in one currency.
bool Matcher::MayStop(const Search& search, const CurrencyRates* rates) const {
  if (!search.options.stop_when_certain || rates == nullptr || factors_.size() != 1) return false;
  if (!search.imp.deals.empty()) return false;
  for (const Media* media :
       {static_cast<const Media*>(search.imp.audio), static_cast<const Media*>(search.imp.video)}) {
    if (media != nullptr && (!media->podid.empty() || media->poddur.value_or(0) > 0)) return false;
  }
  return true;
}

Nbr Matcher::WhyNone(const Fallen& fallen) {
  if (fallen.matched == 0) return Nbr::kNoEligibleCampaign;
  if (fallen.misfit > 0) return Nbr::kUnsupportedImp;
  return fallen.off > 0 ? Nbr::kDisabled : Nbr::kNoEligibleCampaign;
}

/// The value that pricing rounds down can be no more than the bound rounded down.
LeftOut Matcher::LeftOutOf(const Bound& bound) {
  constexpr double kMostMicros = 9e18;
  const double value = std::clamp(std::floor(bound.value), 0.0, kMostMicros);
  return {true, false, bound.tier, {static_cast<int64_t>(value)}};
}

void Matcher::ReadRates(const Request& request, const Catalog& catalog,
                        const CurrencyRates* rates) {
  factors_.clear();
  most_factor_ = 0;
  if (rates == nullptr) return;
  const std::optional<Currency> cur = rates->Pick(request);
  if (!cur) return;
  for (const Currency currency : catalog.currencies()) {
    const double factor = rates->Factor(currency, *cur).value_or(0.0);  // 0: it cannot bid
    factors_.emplace_back(currency, factor);
    most_factor_ = std::max(most_factor_, factor);
  }
}

double Matcher::FactorOf(Currency currency) const {
  for (const auto& [known, factor] : factors_) {
    if (known == currency) return factor;
  }
  return std::numeric_limits<double>::infinity();
}

bool Matcher::Alive(Search& search, uint32_t id) const {
  ++search.fallen.matched;
  const CampaignFacts& facts = search.catalog().facts(id);
  if (!facts.InFlight(search.now_s)) {
    ++search.fallen.not_in_flight;
    search.Say(reasons::kNotInFlight, id);
    return false;
  }
  if (search.switches.Killed(facts.key)) {
    ++search.fallen.off;
    search.Say(reasons::kSwitchedOff, id);
    return false;
  }
  return true;
}

/// The campaign's creatives that fit the imp, into `fitting_`.
void Matcher::Fit(Search& search, uint32_t id) {
  fitting_.clear();
  if (!Alive(search, id)) return;
  const Catalog& catalog = search.catalog();
  DealChoice deal;
  if (search.may_have_deal) {
    deal = deals_.Choose(catalog.campaign(id), search.options.seat);
    if (deal.deal < 0 && (deal.required || search.imp.private_auction)) {
      ++search.fallen.misfit;
      search.Say(reasons::kDealSeat, id);
      return;
    }
  }
  bool insecure = false;
  for (const CreativeFacts& creative : catalog.creative_facts(id)) {
    FitSize size;
    const Misfit misfit = needs_.Judge(catalog, creative, &size);
    insecure |= misfit == Misfit::kNotSecure;
    if (misfit != Misfit::kNone) continue;
    fitting_.push_back({id, creative.in_campaign, deal.deal, size.w, size.h, creative.duration_ms,
                        creative.format});
  }
  if (!fitting_.empty()) {
    ++search.fallen.fitted;
    __builtin_prefetch(&catalog.relevance_features()[catalog.facts(id).first_creative]);
  } else {
    ++search.fallen.misfit;
    search.Say(insecure ? reasons::kOnlyInsecureFits : reasons::kNoCreativeFits, id);
  }
}

/// The first that there is room for: with one currency, rank goes by what they could be worth.
void Matcher::ByRank(Search& search, const CurrencyRates* rates) {
  const Catalog& catalog = search.catalog();
  std::vector<Candidate>& items = search.out->items;
  std::optional<Certainty> certainty;
  if (MayStop(search, rates)) {
    certainty.emplace(search, *rates, *rates->Pick(search.request), &blocked_);
  }
  const double factor =
      factors_.size() == 1 ? factors_[0].second : std::numeric_limits<double>::infinity();
  VisitAhead(catalog, query_, [&](uint32_t id) {
    const CampaignFacts& facts = catalog.facts(id);
    const Bound bound{static_cast<double>(facts.max_cpm.value) * factor, facts.tier};
    if (search.examined == search.options.max_examined || (certainty && certainty->Enough(bound))) {
      search.left_out = LeftOutOf(bound);
      return false;
    }
    // When it is full, what comes next is looked for only to say so.
    ++search.examined;
    Fit(search, id);
    for (const Candidate& c : fitting_) {
      if (items.size() >= search.full) {
        search.left_out = LeftOutOf(bound);
        return false;
      }
      items.push_back(c);
      if (certainty) certainty->Take(c);
    }
    return true;
  });
}

/// The best by what they could be worth in the request's currency, in order of rank.
void Matcher::ByBound(Search& search) {
  const Catalog& catalog = search.catalog();
  std::vector<Candidate>& items = search.out->items;
  const size_t room = search.full > items.size() ? search.full - items.size() : 0;
  const auto better = [](const Bounded& a, const Bounded& b) {
    if (a.bound < b.bound || b.bound < a.bound) return b.bound < a.bound;
    return a.order < b.order;
  };
  heap_.clear();
  Bound dropped{-1.0, std::numeric_limits<int16_t>::min()};
  bool any_dropped = false;
  uint32_t order = 0;
  const auto drop = [&](const Bound& bound) {
    if (dropped < bound) dropped = bound;
    any_dropped = true;
  };
  VisitAhead(catalog, query_, [&](uint32_t id) {
    const CampaignFacts& facts = catalog.facts(id);
    const auto max_cpm = static_cast<double>(facts.max_cpm.value);
    // Neither this nor anything that comes later could be worth more.
    const Bound rest{max_cpm * most_factor_, facts.tier};
    if (search.examined == search.options.max_examined || room == 0 ||
        (heap_.size() == room && !(heap_.front().bound < rest))) {
      drop(rest);
      return false;
    }
    ++search.examined;
    Fit(search, id);
    const Bound bound{max_cpm * FactorOf(facts.currency), facts.tier};
    for (const Candidate& c : fitting_) {
      heap_.push_back({bound, order++, c});
      std::push_heap(heap_.begin(), heap_.end(), better);
      if (heap_.size() <= room) continue;
      std::pop_heap(heap_.begin(), heap_.end(), better);
      drop(heap_.back().bound);
      heap_.pop_back();
    }
    return true;
  });
  std::sort(heap_.begin(), heap_.end(),
            [](const Bounded& a, const Bounded& b) { return a.order < b.order; });
  for (const Bounded& b : heap_) items.push_back(b.candidate);
  if (any_dropped) search.left_out = LeftOutOf(dropped);
}

void Matcher::SortByRank(const Catalog& catalog, size_t from, std::vector<Candidate>* items) {
  std::sort(items->begin() + static_cast<std::ptrdiff_t>(from), items->end(),
            [&](const Candidate& a, const Candidate& b) {
              if (a.campaign == b.campaign) return a.creative < b.creative;
              return catalog.RanksBefore(a.campaign, b.campaign);
            });
}

void Matcher::Tell(const Search& search, uint32_t imp, const ImpRange& range) {
  const Fallen& fallen = search.fallen;
  const auto say = [&](const ReasonCode& code, double score, double threshold) {
    (*search.because)({&code, imp, score, threshold});
  };
  say(reasons::kMatched, fallen.matched, static_cast<double>(search.catalog().size()));
  say(reasons::kFitted, range.end - range.begin, fallen.fitted);
  if (range.left_out.any) {
    say(reasons::kLeftOut, range.left_out.value.units(),
        static_cast<double>(search.options.max_candidates));
  }
}

void Matcher::Run(const Request& request, const KillSwitches& switches, absl::Time now,
                  const AvailabilityOptions& options, const CurrencyRates* rates, Candidates* out,
                  const MatchBecause* because) {
  const Catalog& catalog = *out->catalog;
  const int64_t now_s = absl::ToUnixSeconds(now);
  catalog.targeting().Read(request, now, &query_);
  ReadRates(request, catalog, rates);
  out->hour_of_week = query_.hour_of_week();
  out->nbr = Nbr::kNoEligibleCampaign;
  for (uint32_t i = 0; i < request.imps.size(); ++i) {
    const Imp& imp = request.imps[i];
    Search search{request, imp, i, switches, options, because, now_s, out, {}, {}};
    search.may_have_deal = !imp.deals.empty();
    if (search.may_have_deal) deals_.Read(imp);
    ImpRange range;
    range.begin = static_cast<uint32_t>(out->items.size());
    search.full = out->items.size() + options.max_candidates;
    catalog.targeting().ReadImp(imp, &query_);
    needs_.Read(request, imp);
    const auto find = [&] {
      if (factors_.size() > 1) {
        ByBound(search);
      } else {
        ByRank(search, rates);
      }
    };
    const bool both = !imp.deals.empty() && !imp.private_auction;
    if (both) {
      // Those with a deal first, however low they rank: the auction takes them first.
      query_.set_deals(Deals::kWithDeal);
      find();
      query_.set_deals(Deals::kWithout);
      search.may_have_deal = false;
    }
    if (!search.left_out.any) {
      const size_t with_deal = out->items.size();
      find();
      if (both && with_deal > range.begin) SortByRank(catalog, range.begin, &out->items);
      search.left_out.deals = search.left_out.any && imp.private_auction;
    } else {
      search.left_out.deals = true;
    }
    range.end = static_cast<uint32_t>(out->items.size());
    range.left_out = search.left_out;
    if (range.end == range.begin) range.nbr = WhyNone(search.fallen);
    out->imps.push_back(range);
    // The imp that got furthest speaks for the request.
    if (range.nbr == Nbr::kUnsupportedImp || range.nbr == Nbr::kDisabled) out->nbr = range.nbr;
    if (because != nullptr) Tell(search, i, range);
  }
  if (!out->items.empty()) out->nbr = Nbr::kNone;
}

}  // namespace adagents::ads::internal
