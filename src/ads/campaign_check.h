// What makes a campaign acceptable; shared by Catalog::Build and the loader, which knows lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "adagents/ads/campaign.h"

namespace adagents::ads::internal {

/// Called with the path of the faulty field below the campaign, as the JSON schema spells it
/// ("bid.max_cpm"), and what is wrong with it.
using FaultSink = absl::FunctionRef<void(std::string_view path, std::string what)>;

/// Reports everything wrong with `c` by itself.
void CheckCampaign(const Campaign& c, FaultSink fault);

/// Reports everything wrong with the caps of brands; `path` as in "brands[2].caps[0].count".
void CheckBrands(const std::vector<BrandCaps>& brands, FaultSink fault);

/// Brings a campaign without faults into the form that a catalog holds: canonical conditions, one
/// per attribute and direction, with values sorted and unique; lower-case domains and MIME types.
void Normalise(Campaign* c);

/// `text` in quotes, cut to a readable length, with unprintable bytes replaced.
std::string Quoted(std::string_view text, size_t most = 60);

}  // namespace adagents::ads::internal
