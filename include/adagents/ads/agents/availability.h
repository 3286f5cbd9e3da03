// Availability: which creatives could fill which imps. It pins the catalog once per decision and
// passes the pin on; campaigns come from the targeting index, then have to be in flight and not
// switched off, and to have a creative whose format, size, duration, MIME type, bitrate,
// attributes and language the imp takes.
//
//   builder.Add<ads::Availability>(ads::AvailabilityOptions{.max_candidates = 200}, rates);
//
// Of more than max_candidates it keeps the best by what they could be worth at most: those that buy
// through a deal of the imp, then by tier (line.h), then by max_cpm in the currency that the
// request is bid in (above which no campaign pays, whatever is predicted), then by rank. That is
// the auction's own order with the value's upper bound in place of the value, so ImpRange::left_out
// can say which winners the limit cannot have changed: those worth more than the first that was
// left out could be. With room for all that fit there is nothing left out.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

struct AvailabilityOptions {
  /// Creatives considered for one imp. Bounds the cost of a decision whatever the catalog.
  size_t max_candidates = 1000;
  /// Campaigns looked at for one imp, when most of those that targeting finds do not fit.
  size_t max_examined = 20'000;
  /// Stop before max_candidates as soon as the rest can change neither the winner nor its price:
  /// when two campaigns that pay per impression, whose value needs no prediction, are worth more
  /// than the rest could be (one is enough in a first-price auction). True of the built-in pricing
  /// and auction: leave it off where agents of your own lower values, take candidates out, or want
  /// to see more of them than it takes to find the winner. Looks at all candidates for imps with
  /// deals or in pods, and for catalogs of several currencies.
  bool stop_when_certain = false;
  /// The runner-up matters too, whatever the request's `at`: the auction has a rule of its own that
  /// prices by it. Engine sees to this.
  bool runner_up_matters = false;
  /// The buyer seat of campaigns that name none.
  std::string seat = "adagents";
};

/// Requires kCatalog and kKillSwitches; required by what reads kCandidates.
class Availability final : public Agent {
 public:
  /// `rates`: what the best of several currencies are known by; without it they are taken by rank,
  /// as if all amounts were of one currency, and LeftOut knows no bound.
  /// Needed for stop_when_certain.
  explicit Availability(AvailabilityOptions options = {},
                        std::shared_ptr<const CurrencyRates> rates = nullptr);
  ~Availability() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  In<Request> request_{this, kRequest};
  State<Snapshot<Catalog>> catalog_{this, kCatalog};
  State<KillSwitches> switches_{this, kKillSwitches};
  Out<Candidates> candidates_{this, kCandidates};
  const AvailabilityOptions options_;
  const std::shared_ptr<const CurrencyRates> rates_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace adagents::ads
