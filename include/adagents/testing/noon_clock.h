// The system's steady clock with a civil time of its own, for threaded tests and benchmarks whose
// results would otherwise depend on the hour at which they run:
//
//   NoonClock clock;
//   RuntimeOptions options;
//   options.clock = &clock;
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "adagents/base/clock.h"

namespace adagents::testing {

/// It is noon (UTC) of Wednesday 2026-07-01 when it is made, and time passes from there as it does.
/// Thread-safe: it holds nothing that changes.
class NoonClock final : public Clock {
 public:
  int64_t Now() const override { return SystemClock::Get().Now(); }
  absl::Time WallNow() const override {
    return absl::FromUnixSeconds(1'782'907'200) + absl::Nanoseconds(Now() - begun_);
  }

 private:
  const int64_t begun_ = SystemClock::Get().Now();
};

}  // namespace adagents::testing
