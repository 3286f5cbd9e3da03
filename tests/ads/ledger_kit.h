// What the tests of ledgers share: a ledger without a thread on a virtual clock.
#pragma once

#include <memory>
#include <vector>

#include "adagents/ads/ledger.h"
#include "adagents/base/status.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads {

inline constexpr uint64_t kAcme = 77;
inline const Currency kEur = *Currency::Parse("EUR");

/// A source that can be told to fail.
class MoodySource final : public LeaseSource {
 public:
  explicit MoodySource(LeaseSource* inner) : inner_(inner) {}

  absl::Status mood;
  int applied = 0;

  uint32_t epoch() const override { return inner_->epoch(); }
  absl::Status Apply(LeaseBatch* batch) override {
    ++applied;
    return mood.ok() ? inner_->Apply(batch) : mood;
  }
  absl::Status Close(int64_t wall) override { return mood.ok() ? inner_->Close(wall) : mood; }
  std::optional<LeaseTotals> Totals(uint64_t account) const override {
    return inner_->Totals(account);
  }
  int64_t Gone(uint64_t account, int64_t day) const override { return inner_->Gone(account, day); }
  absl::StatusOr<std::vector<LateWin>> LateWins() const override { return inner_->LateWins(); }

 private:
  LeaseSource* inner_;
};

struct LedgerKit {
  explicit LedgerKit(LedgerOptions chosen = {},
                     absl::Time start = absl::FromUnixSeconds(1'780'000'000))
      : clock(start), options(chosen) {
    options.background = false;
    options.clock = &clock;
    options.max_accounts = 64;
    if (chosen.max_reservations == LedgerOptions{}.max_reservations) {
      options.max_reservations = 4096;
    }
    Open();
  }
  void Open() {
    auto made = Ledger::Create(&source, options);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    ledger = *std::move(made);
  }
  /// As after kill -9: nothing of the ledger's memory is left, all of the source's is.
  void Crash() {
    source.mood = MakeStatus(absl::StatusCode::kUnavailable, "the process is gone");
    ledger.reset();
    source.mood = absl::OkStatus();
    memory->Restart(absl::ToUnixNanos(clock.WallNow()));
    Open();
  }
  void Account(Micros daily, Micros lifetime = {}, absl::TimeZone zone = absl::UTCTimeZone(),
               uint64_t campaign = kAcme) {
    const absl::Status set = ledger->SetAccount({campaign, kEur, daily, lifetime, zone});
    INFO(set.ToString());
    REQUIRE(set.ok());
  }
  uint64_t NextDecision() { return uint64_t{ledger->epoch()} << 40 | ++decisions; }

  Reservation Try(int64_t amount, uint64_t campaign = kAcme) {
    last = NextDecision();
    return ledger->Reserve({last, 0, campaign, {amount}, kEur});
  }
  /// With the leases that it takes.
  Reservation Reserve(int64_t amount, uint64_t campaign = kAcme) {
    Reservation out = Try(amount, campaign);
    for (int i = 0; i < 3 && out.result == ReserveResult::kNoLease; ++i) {
      REQUIRE(ledger->Tick().ok());
      out = ledger->Reserve({last, 0, campaign, {amount}, kEur});
    }
    return out;
  }
  CommitResult Commit(int64_t price, uint64_t decision = 0, uint64_t campaign = kAcme) {
    return ledger->Commit(
        {decision == 0 ? last : decision, 0, campaign, {price}, kEur, clock.WallNow()});
  }
  AccountReport Report(uint64_t campaign = kAcme) const {
    for (const AccountReport& report : ledger->Report()) {
      if (report.campaign != campaign) continue;
      CHECK(report.Balanced());
      return report;
    }
    FAIL("no such account");
    return {};
  }
  LeaseTotals Totals(uint64_t campaign = kAcme) const {
    const auto totals = memory->Totals(campaign);
    REQUIRE(totals.has_value());
    CHECK(totals->leased == totals->spent + totals->returned + totals->open + totals->lost);
    return *totals;
  }
  /// Reserves and commits `price` until there is no more; what was charged.
  int64_t SpendAll(int64_t price, uint64_t campaign = kAcme) {
    int64_t spent = 0;
    while (Reserve(price, campaign).ok()) {
      spent += Commit(price, 0, campaign).charged.value;
      REQUIRE(ledger->Tick().ok());
    }
    return spent;
  }

  testing::VirtualClock clock;
  std::unique_ptr<MemoryLeaseSource> memory = MemoryLeaseSource::Create(5);
  MoodySource source{memory.get()};
  LedgerOptions options;
  std::unique_ptr<Ledger> ledger;
  uint64_t decisions = 0, last = 0;
};

}  // namespace adagents::ads
