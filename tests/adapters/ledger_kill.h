// What ledger_writer.cc and ledger_kill_test.cc say to each other.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/ledger.h"
#include "adapters/ledger_oracle.h"

namespace adagents::testing {

enum class LedgerDid : uint8_t {
  kOpened,     // decision: the epoch
  kSent,       // a bid left the process: from here on it can be played
  kReleased,   // and was lost
  kPlayed,     // the world has played it; reported before the ledger hears of it
  kAcked,      // its spend is durable
  kLateAcked,  // a win of an earlier process is durable
  kSpentAll,   // nothing can be reserved for this campaign any more
};

struct LedgerReport {
  LedgerDid did = LedgerDid::kOpened;
  uint64_t decision = 0;
  uint64_t campaign = 0;
  int64_t amount = 0;  // of a bid, or the price that was paid
};

/// A win that the next process is told at its start.
struct LateWinTold {
  uint64_t decision = 0;
  uint64_t campaign = 0;
  int64_t price = 0;
};

inline constexpr int64_t kLedgerUnit = Micros::kUnit;

/// Three campaigns for each ten lives, of which the first runs out of money: after some 4,000
/// decisions, of which a life under sanitizers makes a thousand.
inline std::vector<CampaignPlan> PlansOf(uint64_t life) {
  std::vector<CampaignPlan> out;
  for (uint64_t c = 1; c <= 3; ++c) {
    const auto lifetime = static_cast<int64_t>(c * c * c * c) * 10 * kLedgerUnit;
    out.push_back({life / 10 * 10 + c, lifetime, lifetime / 10});
  }
  return out;
}

inline ads::LedgerOptions OptionsOfWriter() {
  return {.max_accounts = 64,
          .max_reservations = 1 << 16,
          .block_share = 0.02,
          .max_open_share = 0.1,
          .tick = absl::Milliseconds(1)};
}

/// A time zone in which it is noon, so that no day ends during the test.
inline absl::TimeZone Noon(absl::Time now) {
  const int hour = absl::ToCivilHour(now, absl::UTCTimeZone()).hour();
  return absl::FixedTimeZone((12 - hour) * 3600);
}

}  // namespace adagents::testing
