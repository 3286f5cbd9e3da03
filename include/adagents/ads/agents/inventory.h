// Inventory: how many slots like those of this request the next hour is to bring, learned from
// every request that passes (inventory_forecast.h).
//
//   request -> inventory -> outlook, for agents that weigh this slot against those to come
//
// Thread safety: that of agents (runtime/agent.h): the agent is reentrant.
#pragma once

#include <vector>

#include "adagents/ads/inventory_forecast.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// One per imp of the request: the next hour's slots of its placement. Only where somebody reads it
/// or asks why, for a forecast takes a lock. Empty: nobody did.
struct InventoryOutlooks {
  std::vector<InventoryOutlook> imps;
  void clear() { imps.clear(); }
};

inline constexpr Key<InventoryOutlooks> kInventory{"inventory"};
inline constexpr StateKey<InventoryForecast> kInventoryForecast{"inventory_forecast"};

/// Optional. Requires kInventoryForecast.
class Inventory final : public Agent {
 public:
  /// `outlook`: writes kInventory for each request; else only when a decision is explained.
  explicit Inventory(bool outlook = false)
      : Agent({.name = "inventory", .reentrant = true}), outlook_(outlook) {}
  absl::Status Run(Context& ctx) override;

 private:
  In<Request> request_{this, kRequest};
  State<InventoryForecast> forecast_{this, kInventoryForecast};
  Out<InventoryOutlooks> outlook_out_{this, kInventory, InventoryOutlooks{}};
  const bool outlook_;
};

}  // namespace adagents::ads
