// Campaigns and requests for benchmarks, simulations and tests: realistic in their mix, the same
// for the same seed on every machine, and as many as one likes.
//
//   std::unique_ptr<Catalog> catalog = GenerateCatalog({.campaigns = 10'000, .seed = 7});
//
// The mix: every attribute of every campaign is open with probability `open`, an eighth of the
// others excludes instead of includes; places, genres and categories follow Zipf laws, so that
// many campaigns want New York and few Boise. Four in ten have banners in the usual sizes, a
// quarter audio in several variants, the others video, native or several formats. Seven in ten
// budgets are to be spent evenly, the others front-loaded or as soon as possible, in days of the
// advertiser's time zone; a quarter of the campaigns have a target cost. Flights never end, so that
// recordings of any year can be replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "adagents/ads/campaign.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/request.h"
#include "adagents/base/random.h"

namespace adagents::ads {

struct GeneratorOptions {
  size_t campaigns = 10'000;  // at most Catalog::kMaxCampaigns
  uint64_t seed = 1;
  /// Share of campaigns that leave an attribute open, per attribute, in [0, 1]; the number of
  /// candidates grows steeply with it. Among 10,000 campaigns the recorded web and app requests
  /// find 78 and 67 candidates on average at 0.55, 461 and 537 at 0.8.
  double open = 0.55;
};

/// The campaigns in no particular order, each valid. Thread-safe.
std::vector<Campaign> GenerateCampaigns(const GeneratorOptions& options);

/// The same, indexed.
std::unique_ptr<Catalog> GenerateCatalog(const GeneratorOptions& options);

/// A request that says everything targeting may ask: an app or site with genre, category and
/// keywords, a device with OS and place, one imp (half audio, a quarter banner, the others video
/// and native) in the distributions that the campaigns aim at. Thread-safe.
RequestPtr GenerateRequest(Random& random);

}  // namespace adagents::ads
