// Why a campaign is not shown on a request, in plain words.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "adagents/ads/agents/auction.h"
#include "adagents/ads/agents/availability.h"
#include "adagents/ads/agents/frequency_cap.h"
#include "adagents/ads/agents/listener_options.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/pacer.h"
#include "ads/budgets.h"

namespace adagents::ads::internal {

/// What the answer depends on, all of one moment.
struct WhyNotSetting {
  const Request& request;
  CatalogPin catalog;
  const KillSwitches& switches;
  RelevanceModels& models;
  const CurrencyRates& rates;
  const AvailabilityOptions& availability;
  const AuctionOptions& auction;
  absl::Time now;
  const FrequencyCaps& caps;
  const FrequencyCapPolicy& cap_policy;
  int64_t now_nanos;  // of the caps' clock
  Budgets budgets;
  const Pacer* pacer = nullptr;        // null: nobody is paced
  const Sessions* sessions = nullptr;  // null, as the next two: no listener agents
  const Moments* moments = nullptr;
  const ListenerOptions* listener = nullptr;
};

std::string WhyNot(const WhyNotSetting& setting, std::string_view campaign_id);

}  // namespace adagents::ads::internal
