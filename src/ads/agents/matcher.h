// Availability's work, shared by the agent and WhyNot().
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "adagents/ads/agents/availability.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/targeting.h"
#include "adagents/runtime/trace.h"
#include "ads/agents/block_list.h"
#include "ads/agents/deals.h"
#include "ads/agents/imp_needs.h"

namespace adagents::ads::internal {

using MatchBecause = absl::FunctionRef<void(const Reason&)>;

/// Thread-compatible: it has memory that it reuses.
class Matcher {
 public:
  /// Fills `out`, whose catalog is pinned already. `rates` and `because` may be null.
  void Run(const Request& request, const KillSwitches& switches, absl::Time now,
           const AvailabilityOptions& options, const CurrencyRates* rates, Candidates* out,
           const MatchBecause* because);

 private:
  /// What became of the campaigns that targeting found for one imp.
  struct Fallen {
    uint32_t matched = 0, off = 0, not_in_flight = 0, misfit = 0, fitted = 0;
  };
  /// What a campaign could be worth at most.
  struct Bound {
    double value = 0;  // micros a thousand in the request's currency, not rounded
    int16_t tier = 0;
    bool operator<(const Bound& other) const {
      return tier != other.tier ? tier < other.tier : value < other.value;
    }
  };
  struct Bounded {
    Bound bound;
    uint32_t order = 0;  // by rank
    Candidate candidate;
  };
  struct Search;  // for the candidates of one imp
  static Nbr WhyNone(const Fallen& fallen);
  static LeftOut LeftOutOf(const Bound& bound);
  class Certainty;  // when to stop

  void ReadRates(const Request& request, const Catalog& catalog, const CurrencyRates* rates);
  double FactorOf(Currency currency) const;
  bool Alive(Search& search, uint32_t id) const;
  void Fit(Search& search, uint32_t id);
  void ByRank(Search& search, const CurrencyRates* rates);
  bool MayStop(const Search& search, const CurrencyRates* rates) const;
  void ByBound(Search& search);
  static void SortByRank(const Catalog& catalog, size_t from, std::vector<Candidate>* items);
  static void Tell(const Search& search, uint32_t imp, const ImpRange& range);

  TargetingQuery query_;
  ImpNeeds needs_;
  DealBook deals_;                  // of an imp that has deals
  std::vector<Candidate> fitting_;  // of one campaign
  std::vector<Bounded> heap_;       // the worst of the best at the front
  BlockList blocked_;

  // What a unit of each of the catalog's currencies is worth in the request's; empty when nobody
  // knows, one entry when there is one currency.
  std::vector<std::pair<Currency, double>> factors_;
  double most_factor_ = 0;
};

}  // namespace adagents::ads::internal
