// Availability: which creatives could fill which imps. It pins the catalog once per decision and
// passes the pin on; campaigns come from the targeting index, then have to be in flight and not
// switched off, and to have a creative whose format, size, duration, MIME type, bitrate,
// attributes and language the imp takes.
//
//   builder.Add<ads::Availability>(ads::AvailabilityOptions{.max_candidates = 500});
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "adagents/ads/keys.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

struct AvailabilityOptions {
  /// Creatives considered for one imp, the best-ranked campaigns first. Bounds the cost of a
  /// decision whatever the catalog.
  size_t max_candidates = 1000;
  /// The buyer seat of campaigns that name none.
  std::string seat = "adagents";
};

/// Requires kCatalog and kKillSwitches; required by what reads kCandidates.
class Availability final : public Agent {
 public:
  explicit Availability(AvailabilityOptions options = {});
  ~Availability() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  In<Request> request_{this, kRequest};
  State<Snapshot<Catalog>> catalog_{this, kCatalog};
  State<KillSwitches> switches_{this, kKillSwitches};
  Out<Candidates> candidates_{this, kCandidates};
  const AvailabilityOptions options_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace adagents::ads
