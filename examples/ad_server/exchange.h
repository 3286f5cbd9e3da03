// A simulated exchange with its players: what they report of the bids that were made, as the lines
// of --events. Bids meet rivals; notices come late, twice or never (testing/traffic.h).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/time/time.h"
#include "adagents/adapters/openrtb/notice.h"
#include "adagents/ads/engine.h"
#include "adagents/ads/request.h"
#include "adagents/testing/traffic.h"
#include "options.h"

namespace ad_server {

/// Thread-safe.
class Exchange {
 public:
  /// Both outlive it; the engine's campaigns stay as they are.
  Exchange(const Options& options, const adagents::openrtb::NoticeSigner& signer,
           const adagents::ads::Engine& engine);

  /// `number`: of the request, which decides who the rivals are.
  void Answer(uint64_t number, absl::Time at, const adagents::ads::Request& request,
              const adagents::ads::Decision& decision);
  /// When the next line comes, in whole nanoseconds; InfiniteFuture() when none is under way.
  absl::Time next() const;
  /// That line; false when there is none.
  bool Take(std::string* line);
  adagents::testing::TrafficTruth truth() const;

 private:
  std::string UrlOf(const adagents::testing::TrafficEvent& event) const;

  const adagents::openrtb::NoticeSigner& signer_;
  const adagents::ads::CatalogPin catalog_;
  mutable std::mutex mutex_;
  adagents::testing::Market market_;
};

}  // namespace ad_server
