// What campaigns may spend and how fast: --ledger and --pacing.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "adagents/ads/ledger.h"
#include "adagents/ads/pacer.h"
#include "adagents/base/clock.h"
#include "options.h"

namespace ad_server {

/// In the order in which they outlive each other. Null where they were not asked for.
struct Money {
  std::unique_ptr<adagents::ads::LeaseSource> source;
  std::shared_ptr<adagents::ads::Ledger> ledger;
  std::shared_ptr<adagents::ads::Pacer> pacer;
};

/// `campaigns`: how many there are. `clock` outlives what is made. Errors name the option.
absl::StatusOr<Money> OpenMoney(const Options& options, size_t campaigns,
                                const adagents::Clock& clock);

}  // namespace ad_server
