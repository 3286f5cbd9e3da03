#include "adagents/ads/ledger.h"

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "ads/ledger_kit.h"

namespace adagents::ads {
namespace {

constexpr int64_t kUnit = Micros::kUnit;

TEST_CASE("nothing is spent before it is leased, and then up to the budget") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  CHECK(kit.Try(1000).result == ReserveResult::kNoLease);
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Try(1000).result == ReserveResult::kReserved);
  CHECK(kit.SpendAll(kUnit / 4) <= 100 * kUnit - 1000);
  CHECK(kit.Try(kUnit / 4).result == ReserveResult::kBudgetSpent);
  // What the open reservation left over of the last quarter.
  CHECK(kit.Report().free.value == kUnit / 4 - 1000);
  CHECK(kit.Report().leased.value == 100 * kUnit);
}

TEST_CASE("a win is charged its price and what was reserved beyond it is free again") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  const Reservation reservation = kit.Reserve(2500);
  REQUIRE(reservation.ok());
  CHECK(reservation.id == ReservationId(kit.last, 0, kAcme));
  CHECK(kit.Report().reserved.value == 2500);
  const CommitResult win = kit.Commit(2000);
  CHECK(win.outcome == CommitOutcome::kCommitted);
  CHECK(win.charged.value == 2000);
  CHECK_FALSE(win.capped);
  const AccountReport report = kit.Report();
  CHECK(report.spent.value == 2000);
  CHECK(report.reserved.value == 0);
  CHECK(report.committed.count == 1);
  CHECK_FALSE(kit.ledger->Durable(win.ticket));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->Durable(win.ticket));
  CHECK(kit.Totals().spent == 2000);
}

TEST_CASE("a price above the reservation is charged up to it, and listed") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(2500).ok());
  const CommitResult win = kit.Commit(4000);
  CHECK(win.capped);
  CHECK(win.charged.value == 2500);
  CHECK(kit.Report().capped.amount.value == 1500);
  REQUIRE(kit.ledger->Recent().size() == 1);
  CHECK(kit.ledger->Recent()[0].price.value == 4000);
}

TEST_CASE("what is reported twice counts once") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  const Reservation first = kit.Reserve(1000);
  const Reservation again = kit.ledger->Reserve({kit.last, 0, kAcme, {1000}, kEur});
  CHECK(again.result == ReserveResult::kDuplicate);
  CHECK(again.id == first.id);
  CHECK(kit.Report().reserved.value == 1000);
  CHECK(kit.Commit(900).outcome == CommitOutcome::kCommitted);
  CHECK(kit.Commit(900).outcome == CommitOutcome::kDuplicate);
  CHECK(kit.ledger->Release(first.id, ReleaseCause::kLoss) == ReleaseResult::kAlreadySettled);
  const AccountReport report = kit.Report();
  CHECK(report.spent.value == 900);
  CHECK(report.duplicate.count == 1);
  CHECK(kit.ledger->Recent().size() == 1);
}

TEST_CASE("several imps and campaigns of one decision are reserved apart") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  kit.Account({100 * kUnit}, {}, absl::UTCTimeZone(), 78);
  REQUIRE(kit.Reserve(1).ok());
  REQUIRE(kit.Reserve(1, 78).ok());
  const uint64_t decision = kit.NextDecision();
  for (const uint64_t campaign : {kAcme, uint64_t{78}}) {
    for (uint32_t imp = 0; imp < 3; ++imp) {
      CHECK(kit.ledger->Reserve({decision, imp, campaign, {1000}, kEur}).ok());
    }
    CHECK(kit.Report(campaign).reserved.value == 3001);
  }
}

TEST_CASE("a budget without bound may be leased whole") {
  LedgerKit kit({.max_open_share = 1.0});
  kit.Account(Micros{std::numeric_limits<int64_t>::max()});
  CHECK(kit.ledger->MaxOpen(kAcme).value == std::numeric_limits<int64_t>::max());
  CHECK(kit.Reserve(1000).ok());
}

TEST_CASE("the currency of an account is known, also of a closed one") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  CHECK(kit.ledger->CurrencyOf(kAcme) == kEur);
  kit.ledger->CloseAccount(kAcme);
  CHECK(kit.ledger->CurrencyOf(kAcme) == kEur);
  CHECK_FALSE(kit.ledger->CurrencyOf(4711).has_value());
}

TEST_CASE("a bid that was refused for want of budget does not keep the rest from being returned") {
  LedgerKit kit;
  kit.Account({4 * kUnit});
  REQUIRE(kit.Reserve(kUnit / 10).ok());
  REQUIRE(kit.Commit(kUnit / 10).outcome == CommitOutcome::kCommitted);
  CHECK_FALSE(kit.Reserve(4 * kUnit).ok());
  for (int i = 0; i < 60; ++i) {
    kit.clock.Advance(absl::Minutes(1));
    REQUIRE(kit.ledger->Tick().ok());
  }
  CHECK(kit.Report().free.value == 0);
  CHECK(kit.Totals().returned > 0);
}

TEST_CASE("an orderly end returns all that is free, of however many accounts") {
  constexpr uint64_t kAccounts = 9'000;  // more than one group returns
  testing::VirtualClock clock{absl::FromUnixSeconds(1'780'000'000)};
  const std::unique_ptr<MemoryLeaseSource> source = MemoryLeaseSource::Create(3);
  LedgerOptions options;
  options.background = false;
  options.clock = &clock;
  options.max_accounts = kAccounts;
  auto ledger = Ledger::Create(source.get(), options);
  REQUIRE(ledger.ok());
  std::vector<uint64_t> campaigns;
  for (uint64_t c = 1; c <= kAccounts; ++c) {
    REQUIRE((*ledger)->SetAccount({.campaign = c, .currency = kEur, .daily = Micros{kUnit}}).ok());
    campaigns.push_back(c);
  }
  REQUIRE((*ledger)->LeaseAhead(campaigns).ok());
  for (int i = 0; i < 5; ++i) REQUIRE((*ledger)->Tick().ok());
  int64_t open = 0;
  for (const uint64_t c : campaigns) open += source->Totals(c) ? source->Totals(c)->open : 0;
  CHECK(open > static_cast<int64_t>(kAccounts) * 1000);
  REQUIRE((*ledger)->Shutdown().ok());
  open = 0;
  for (const uint64_t c : campaigns) open += source->Totals(c) ? source->Totals(c)->open : 0;
  CHECK(open == 0);
}

TEST_CASE("a loss gives its money back once") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  const Reservation reservation = kit.Reserve(1000);
  CHECK(kit.ledger->Release(reservation.id, ReleaseCause::kLoss) == ReleaseResult::kReleased);
  CHECK(kit.ledger->Release(reservation.id, ReleaseCause::kLoss) == ReleaseResult::kAlreadySettled);
  CHECK(kit.ledger->Release(12345, ReleaseCause::kLoss) == ReleaseResult::kUnknown);
  const AccountReport report = kit.Report();
  CHECK(report.reserved.value == 0);
  CHECK(report.released.count == 1);
  SECTION("and a win after it is late") {
    CHECK(kit.Commit(900).outcome == CommitOutcome::kLate);
    CHECK(kit.Commit(900).outcome == CommitOutcome::kDuplicate);
    CHECK(kit.Report().spent.value == 900);
    CHECK(kit.Report().late.amount.value == 900);
  }
}

TEST_CASE("a hold undoes what the decision does not keep") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  for (const bool kept : {true, false}) {
    const Reservation reservation = kit.Reserve(1000);
    const Hold hold = kit.ledger->HoldOf(reservation);
    CHECK(hold.subject == reservation.id);
    CHECK(hold.amount == 1000);
    hold.settle(hold, kept);
    CHECK(kit.Report().reserved.value == 1000);
    if (!kept) {  // nothing of it is left: it was never sent
      CHECK(kit.ledger->Release(reservation.id, ReleaseCause::kLoss) == ReleaseResult::kUnknown);
    }
  }
}

TEST_CASE("a reservation is given up after its time, and a win after that is late") {
  LedgerKit kit({.ttl = absl::Minutes(16), .remember = absl::Minutes(32)});
  kit.Account({2 * kUnit});
  REQUIRE(kit.Reserve(kUnit).ok());
  const uint64_t decision = kit.last;
  kit.clock.Advance(absl::Minutes(15));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Report().reserved.value == kUnit);
  kit.clock.Advance(absl::Minutes(2));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Report().reserved.value == 0);
  CHECK(kit.Report().expired.amount.value == kUnit);

  SECTION("charged while there is budget") {
    const CommitResult win = kit.Commit(kUnit, decision);
    CHECK(win.outcome == CommitOutcome::kLate);
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.ledger->Durable(win.ticket));
    CHECK(kit.Totals().spent == kUnit);
    REQUIRE(kit.memory->LateWins()->size() == 1);
    CHECK(kit.memory->LateWins()->front().decision == decision);
  }
  SECTION("listed when there is none") {
    CHECK(kit.SpendAll(kUnit) == 2 * kUnit);
    const CommitResult win = kit.Commit(kUnit, decision);
    CHECK(win.outcome == CommitOutcome::kPending);
    CHECK_FALSE(kit.ledger->Durable(win.ticket));
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.ledger->Durable(win.ticket));
    CHECK(kit.Report().spent.value == 2 * kUnit);
    CHECK(kit.Report().late_uncharged.amount.value == kUnit);
    CHECK(kit.Commit(kUnit, decision).outcome == CommitOutcome::kDuplicate);
    REQUIRE(kit.ledger->Recent().size() == 2);
    CHECK(kit.ledger->Recent().front().outcome == CommitOutcome::kLateUncharged);
  }
  SECTION("unknown when it is no longer remembered") {
    kit.clock.Advance(absl::Minutes(40));
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.Commit(kUnit, decision).outcome == CommitOutcome::kUnknown);
    CHECK(kit.Report().spent.value == 0);
  }
}

TEST_CASE("late wins are charged to the budget, although what was leased has been returned") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  std::vector<uint64_t> decisions;
  for (int i = 0; i < 12; ++i) {
    REQUIRE(kit.Reserve(3 * kUnit).ok());
    decisions.push_back(kit.last);
    // In turn, as only a tenth of the budget may be open.
    kit.clock.Advance(absl::Seconds(1));
    REQUIRE(kit.ledger->Release(ReservationId(kit.last, 0, kAcme), ReleaseCause::kLoss) ==
            ReleaseResult::kReleased);
  }
  for (int i = 0; i < 20; ++i) {
    kit.clock.Advance(absl::Minutes(1));
    REQUIRE(kit.ledger->Tick().ok());
  }
  REQUIRE(kit.Report().free.value == 0);
  REQUIRE(kit.Totals().open == 0);
  const CommitResult first = kit.Commit(3 * kUnit, decisions[0]);
  CHECK(first.outcome == CommitOutcome::kPending);
  CHECK(kit.Commit(3 * kUnit, decisions[0]).outcome == CommitOutcome::kDuplicate);

  SECTION("one") {
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.ledger->Durable(first.ticket));
    CHECK(kit.Report().late.amount.value == 3 * kUnit);
    CHECK(kit.Report().late_uncharged.count == 0);
    CHECK(kit.Totals().spent == 3 * kUnit);
    REQUIRE(kit.memory->LateWins()->size() == 1);
    CHECK(kit.memory->LateWins()->front().decision == decisions[0]);
    const std::vector<CarriedSpend> carried = kit.ledger->TakeCarriedOver();
    REQUIRE(carried.size() == 1);
    CHECK(carried[0].amount.value == 3 * kUnit);
  }
  SECTION("more than may be open at once") {
    for (size_t i = 1; i < decisions.size(); ++i) (void)kit.Commit(3 * kUnit, decisions[i]);
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.Report().late.count == 12);
    CHECK(kit.Totals().spent == 36 * kUnit);
  }
  SECTION("also when the source could not be asked for a while") {
    kit.source.mood = MakeStatus(absl::StatusCode::kUnavailable, "the disk is full");
    CHECK_FALSE(kit.ledger->Tick().ok());
    CHECK_FALSE(kit.ledger->Durable(first.ticket));
    for (int i = 0; i < 10; ++i) {
      kit.clock.Advance(absl::Seconds(2));
      CHECK_FALSE(kit.ledger->Tick().ok());
    }
    kit.source.mood = absl::OkStatus();
    kit.clock.Advance(absl::Seconds(2));
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.ledger->Durable(first.ticket));
    CHECK(kit.Report().late.amount.value == 3 * kUnit);
    CHECK(kit.Totals().spent == 3 * kUnit);
  }
}

TEST_CASE("amounts of another currency, without an account or out of range are refused") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(1).ok());
  Ledger& ledger = *kit.ledger;
  const uint64_t decision = kit.NextDecision();
  CHECK(ledger.Reserve({decision, 0, kAcme, {5}, Currency()}).result ==
        ReserveResult::kWrongCurrency);
  CHECK(ledger.Reserve({decision, 0, 1, {5}, kEur}).result == ReserveResult::kUnknownCampaign);
  CHECK(ledger.Reserve({5, 0, kAcme, {5}, kEur}).result == ReserveResult::kForeignDecision);
  CHECK(ledger.Reserve({decision, 0, kAcme, {-5}, kEur}).result == ReserveResult::kBadAmount);
  CHECK(ledger.MaxOpen(kAcme).value == 10 * kUnit);
  CHECK(ledger.Reserve({decision, 0, kAcme, {10 * kUnit + 1}, kEur}).result ==
        ReserveResult::kBadAmount);
  CHECK(ledger.Commit({kit.last, 0, kAcme, {1}, Currency(), {}}).outcome ==
        CommitOutcome::kWrongCurrency);
  CHECK(ledger.Commit({kit.last, 0, kAcme, {-1}, kEur, {}}).outcome == CommitOutcome::kBadPrice);
  CHECK(ledger.Commit({kit.last + 9, 0, kAcme, {1}, kEur, {}}).outcome == CommitOutcome::kUnknown);
  CHECK(ledger.SetAccount({kAcme, Currency(), {5}, {}}).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(ledger.SetAccount({9, kEur, {}, {}}).code() == absl::StatusCode::kInvalidArgument);
  CHECK(ledger.SetAccount({9, kEur, {-1}, {}}).code() == absl::StatusCode::kInvalidArgument);
  CHECK(kit.Report().reserved.value == 1);
}

TEST_CASE("options out of range are named") {
  auto source = MemoryLeaseSource::Create();
  LedgerOptions options;
  options.ttl = absl::Hours(21);
  const absl::Status status = Ledger::Create(source.get(), options).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(status.ToString().find("ttl") != std::string::npos);
  CHECK_FALSE(Ledger::Create(nullptr, {}).ok());
}

TEST_CASE("more accounts or reservations than there is room for are refused and counted") {
  LedgerKit kit({.max_reservations = 100});
  kit.Account({1000 * kUnit});
  int reserved = 0, full = 0;
  for (int i = 0; i < 400; ++i) {
    const Reservation r = kit.Reserve(1);
    (r.ok() ? reserved : full) += 1;
    CHECK((r.ok() || r.result == ReserveResult::kFull));
  }
  CHECK(reserved >= 100);
  CHECK(full > 0);
  CHECK(kit.ledger->health().full == full);
  CHECK(kit.Report().reserved.value == reserved);
  for (uint64_t i = 1; i < 64; ++i) kit.Account({kUnit}, {}, absl::UTCTimeZone(), 1000 + i);
  CHECK(kit.ledger->SetAccount({5, kEur, {kUnit}, {}}).code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("what is only remembered makes room when its time is over, also where nobody ticks") {
  LedgerKit kit({.max_reservations = 100, .remember = absl::Minutes(10)});
  kit.Account({1000 * kUnit});
  REQUIRE(kit.Reserve(1).ok());  // with the lease that it takes; the last tick
  std::vector<uint64_t> settled;
  const auto fill = [&] {
    int full = 0;
    for (int i = 0; i < 400; ++i) {
      const Reservation r = kit.Try(1);
      full += r.result == ReserveResult::kFull ? 1 : 0;
      if (!r.ok()) continue;
      settled.push_back(kit.last);
      CHECK(kit.ledger->Commit({kit.last, 0, kAcme, {1}, kEur, {}}).charged.value == 1);
    }
    return full;
  };
  CHECK(fill() > 200);
  kit.clock.Advance(absl::Minutes(9));
  for (int i = 0; i < 50; ++i) CHECK(kit.Try(1).result == ReserveResult::kFull);
  CHECK(kit.ledger->Commit({settled[0], 0, kAcme, {1}, kEur, {}}).outcome ==
        CommitOutcome::kDuplicate);
  kit.clock.Advance(absl::Minutes(2));
  const size_t before = settled.size();
  fill();
  CHECK(settled.size() >= before + 100);
  CHECK(kit.Report().spent.value == static_cast<int64_t>(settled.size()));
}

TEST_CASE("each day has its budget, by the advertiser's clocks, and the lifetime bounds them all") {
  absl::TimeZone berlin;
  REQUIRE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  // Two days before clocks go forward, to two days after; and the same in autumn.
  for (const absl::CivilDay first : {absl::CivilDay(2026, 3, 27), absl::CivilDay(2026, 10, 23)}) {
    LedgerKit kit({}, absl::FromCivil(first, berlin) + absl::Hours(1));
    kit.Account({10 * kUnit}, {45 * kUnit}, berlin);
    for (int day = 0; day < 5; ++day) {
      INFO(absl::FormatTime(kit.clock.WallNow(), berlin));
      const int64_t expected = day < 4 ? 10 * kUnit : 5 * kUnit;
      CHECK(kit.SpendAll(kUnit / 2) == expected);
      kit.clock.Advance(absl::FromCivil(first + day + 1, berlin) - kit.clock.WallNow() -
                        absl::Nanoseconds(1));
      CHECK(kit.SpendAll(kUnit / 2) == 0);  // still the same day
      kit.clock.Advance(absl::Nanoseconds(1));
    }
    CHECK(kit.SpendAll(1) == 0);
    CHECK(kit.Totals().spent == 45 * kUnit);
    CHECK(kit.Totals().open == 0);
  }
}

TEST_CASE("a reservation of yesterday is charged to yesterday") {
  LedgerKit kit({}, absl::FromCivil(absl::CivilSecond(2026, 5, 1, 23, 59, 0), absl::UTCTimeZone()));
  kit.Account({10 * kUnit});
  REQUIRE(kit.Reserve(kUnit / 2).ok());
  const uint64_t decision = kit.last;
  REQUIRE(kit.Reserve(kUnit / 2).ok());
  const uint64_t lost = ReservationId(kit.last, 0, kAcme);
  kit.clock.Advance(absl::Minutes(2));
  CHECK(kit.SpendAll(kUnit) == 10 * kUnit);  // all of today
  CHECK(kit.Commit(kUnit / 2, decision).outcome == CommitOutcome::kCommitted);
  CHECK(kit.ledger->Release(lost, ReleaseCause::kLoss) == ReleaseResult::kReleased);
  CHECK(kit.Try(kUnit).result == ReserveResult::kBudgetSpent);  // yesterday's money is not today's
  kit.clock.Advance(absl::Minutes(1));
  REQUIRE(kit.ledger->Tick().ok());
  const LeaseTotals totals = kit.Totals();
  CHECK(totals.spent == 10 * kUnit + kUnit / 2);
  CHECK(totals.open == 0);  // and went back
}

TEST_CASE("the next day's first block is there at midnight") {
  LedgerKit kit({.lease_ahead = absl::Minutes(1)},
                absl::FromCivil(absl::CivilSecond(2026, 5, 1, 23, 58, 50), absl::UTCTimeZone()));
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(1000).ok());
  kit.clock.Advance(absl::Seconds(20));
  REQUIRE(kit.ledger->Tick().ok());
  kit.clock.Advance(absl::Seconds(50));
  CHECK(kit.Try(1000).result == ReserveResult::kReserved);
}

TEST_CASE("a wall clock that jumps across midnight and back spends each day's budget once") {
  LedgerKit kit({}, absl::FromCivil(absl::CivilSecond(2026, 5, 1, 12, 0, 0), absl::UTCTimeZone()));
  kit.Account({10 * kUnit});
  const auto spend = [&](int most) {
    int64_t spent = 0;
    REQUIRE(kit.ledger->Tick().ok());
    for (int i = 0; i < most && kit.Reserve(kUnit).ok(); ++i) {
      spent += kit.Commit(kUnit).charged.value;
    }
    return spent;
  };
  CHECK(spend(4) == 4 * kUnit);
  kit.clock.JumpWall(absl::Hours(24));
  CHECK(spend(3) == 3 * kUnit);
  kit.clock.JumpWall(absl::Hours(-24));
  CHECK(spend(100) == 6 * kUnit);
  kit.clock.JumpWall(absl::Hours(24));
  CHECK(spend(100) == 7 * kUnit);
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Totals().spent == 20 * kUnit);
}

TEST_CASE("a crash costs at most the open leases and overspends nothing") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    INFO("seed " << seed);
    LedgerKit kit;
    const int64_t budget = 100 * kUnit;
    kit.Account({}, {budget});
    int64_t real = 0;  // what the world has seen played
    int crashes = 0;
    for (;;) {
      const int64_t price = 1 + static_cast<int64_t>(random.Below(kUnit / 3));
      if (!kit.Reserve(price).ok() && !kit.Reserve(1).ok()) break;
      if (random.Chance(0.7)) real += kit.Commit(price).charged.value;
      if (random.Chance(0.3)) REQUIRE(kit.ledger->Tick().ok());
      const LeaseTotals totals = kit.Totals();
      CHECK(totals.open <= (crashes + 1) * kit.ledger->MaxOpen(kAcme).value);
      if (random.Chance(0.02) && crashes < 5) {
        ++crashes;
        kit.Crash();
        kit.Account({}, {budget});
      }
      if (random.Chance(0.02)) {
        kit.clock.Advance(absl::Minutes(5));
        REQUIRE(kit.ledger->Tick().ok());
      }
    }
    REQUIRE(crashes > 0);
    CHECK(real <= budget);
    const int64_t reserved = kit.Report().reserved.value + kit.Report().free.value;
    CHECK(real >= budget - reserved - crashes * kit.ledger->MaxOpen(kAcme).value);
  }
}

TEST_CASE("wins from before a crash settle against what was leased then") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(kUnit).ok());
  const uint64_t in_flight = kit.last;
  REQUIRE(kit.Reserve(kUnit).ok());
  const uint64_t reported = kit.last;
  CHECK(kit.Commit(kUnit, reported).outcome == CommitOutcome::kCommitted);
  REQUIRE(kit.ledger->Tick().ok());
  const int64_t leased = kit.Totals().leased;

  kit.Crash();
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(1).ok());
  const CommitResult win = kit.Commit(kUnit, in_flight);
  CHECK(win.outcome == CommitOutcome::kPending);
  CHECK(kit.Commit(kUnit, in_flight).outcome == CommitOutcome::kDuplicate);
  CHECK(kit.Commit(kUnit, reported).outcome == CommitOutcome::kPending);  // the source knows better
  CHECK_FALSE(kit.ledger->Durable(win.ticket));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->Durable(win.ticket));
  CHECK(kit.Totals().spent == 2 * kUnit);
  const AccountReport report = kit.Report();
  CHECK(report.carried_over.count == 1);
  CHECK(report.duplicate.count == 2);
  CHECK(report.spent.value == 0);  // of this process
  const auto lates = *kit.memory->LateWins();
  REQUIRE(lates.size() == 1);
  CHECK(lates[0].decision == in_flight);
  CHECK(lates[0].outcome == LateOutcome::kCharged);

  SECTION("but not more than that, nor when they are too old") {
    for (int i = 0; i < 20; ++i) kit.Commit(kUnit, in_flight + 100 + static_cast<uint64_t>(i));
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.Totals().spent == leased);
    CHECK(kit.Report().late_uncharged.count > 0);
    const uint64_t decision = in_flight + 500;
    CHECK(kit.ledger
              ->Commit({decision, 0, kAcme, {kUnit}, kEur, kit.clock.WallNow() - absl::Hours(1)})
              .outcome == CommitOutcome::kTooLate);
    CHECK(kit.Commit(kUnit, uint64_t{200} << 40).outcome == CommitOutcome::kUnknown);
  }
}

TEST_CASE("what is free goes back when the ledger shuts down, and the rest once its time is over") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(kUnit).ok());
  const uint64_t in_flight = kit.last;
  REQUIRE(kit.ledger->Shutdown().ok());
  CHECK(kit.Try(1).result == ReserveResult::kShutDown);
  CHECK(kit.Report().reserved.value == kUnit);
  CHECK(kit.Totals().open == kUnit);
  kit.memory->Restart(absl::ToUnixNanos(kit.clock.WallNow()));
  kit.Open();
  kit.Account({100 * kUnit});
  SECTION("a win in time is charged") {
    CHECK(kit.Commit(kUnit, in_flight).outcome == CommitOutcome::kPending);
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.Totals().spent == kUnit);
  }
  SECTION("else all of the budget is there again") {
    kit.clock.Advance(absl::Minutes(32));
    REQUIRE(kit.ledger->Tick().ok());
    CHECK(kit.Totals().open == 0);
    CHECK(kit.Totals().lost == 0);
    CHECK(kit.SpendAll(kUnit) == 100 * kUnit);
  }
}

TEST_CASE("an idle account returns what it has leased, and leases again when it wakes") {
  LedgerKit kit({.ttl = absl::Minutes(1), .idle_return = absl::Minutes(10)});
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(kUnit).ok());
  CHECK(kit.Commit(kUnit).outcome == CommitOutcome::kCommitted);
  kit.clock.Advance(absl::Seconds(10));
  REQUIRE(kit.ledger->Tick().ok());
  for (int i = 0; i < 10; ++i) {
    CHECK(kit.Report().free.value > 0);
    kit.clock.Advance(absl::Minutes(1));
    REQUIRE(kit.ledger->Tick().ok());
  }
  CHECK(kit.Report().free.value == 0);
  CHECK(kit.Totals().open == 0);
  CHECK(kit.Totals().spent == kUnit);
  kit.clock.Advance(absl::Minutes(1));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Report().free.value == 0);  // and it stays so
  CHECK(kit.Reserve(kUnit).ok());
}

TEST_CASE("a bound that is lowered holds at once, and one that is raised opens the account") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  for (int i = 0; i < 20; ++i) {
    REQUIRE(kit.Reserve(kUnit).ok());
    kit.Commit(kUnit);
    REQUIRE(kit.ledger->Tick().ok());
  }
  kit.Account({10 * kUnit});
  CHECK(kit.Reserve(kUnit).result == ReserveResult::kBudgetSpent);
  kit.Account({25 * kUnit});
  CHECK(kit.SpendAll(kUnit) == 5 * kUnit);
  CHECK(kit.ledger->CloseAccount(kAcme));
  CHECK_FALSE(kit.ledger->CloseAccount(kAcme));
  CHECK(kit.Reserve(1).result == ReserveResult::kUnknownCampaign);
  kit.Account({30 * kUnit});
  CHECK(kit.SpendAll(kUnit) == 5 * kUnit);
}

TEST_CASE("a closed account settles what is reserved and returns the rest") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(kUnit).ok());
  REQUIRE(kit.ledger->CloseAccount(kAcme));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Totals().open == kUnit);
  CHECK(kit.Commit(kUnit).outcome == CommitOutcome::kCommitted);
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Totals().open == 0);
}

TEST_CASE("while the source fails nothing is leased, what is leased is spent, and nobody waits") {
  LedgerKit kit;
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(1).ok());
  const int64_t leased = kit.Report().leased.value;
  kit.source.mood = ResourceExhausted("the disk is full");
  const absl::Time since = kit.clock.WallNow();
  int64_t spent = 0;
  CommitResult last;
  for (int i = 0; i < 1000; ++i) {
    if (kit.Try(kUnit / 100).ok()) {
      last = kit.Commit(kUnit / 100);
      spent += last.charged.value;
    }
    kit.clock.Advance(absl::Milliseconds(100));
    (void)kit.ledger->Tick();
  }
  CHECK(spent > 0);
  CHECK(spent <= leased);
  CHECK(kit.Report().leased.value == leased);
  CHECK(kit.Try(kUnit / 100).result == ReserveResult::kNoLease);
  CHECK_FALSE(kit.ledger->Durable(last.ticket));
  const LedgerHealth health = kit.ledger->health();
  CHECK_FALSE(health.leasing);
  CHECK(health.status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(health.failing_since >= since);
  CHECK(health.failing_since < kit.clock.WallNow());
  CHECK(health.waiting_wins > 0);
  CHECK_FALSE(kit.ledger->Sync().ok());
  // It is not hammered: at most once a second after the first few.
  CHECK(kit.source.applied < 120);

  kit.source.mood = absl::OkStatus();
  kit.clock.Advance(absl::Seconds(1));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->health().leasing);
  CHECK(kit.ledger->Durable(last.ticket));
  CHECK(kit.ledger->health().waiting_wins == 0);
  CHECK(kit.Totals().spent == spent);
  CHECK(kit.Reserve(kUnit / 100).ok());
}

TEST_CASE("wins beyond the log's room are counted by their sum, and none is lost") {
  LedgerKit kit({.max_waiting_wins = 4});
  kit.Account({100 * kUnit});
  REQUIRE(kit.Reserve(1).ok());
  int untold = 0;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(kit.Try(1000).ok());
    if (kit.Commit(1000).ticket == 0) ++untold;
  }
  CHECK(untold == 46);
  CHECK(kit.ledger->health().unlisted == 46);
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.Totals().spent == 50'000);
}

TEST_CASE("open leases never exceed their bound, whatever happens in which order") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    LedgerKit kit({.ttl = absl::Minutes(2), .remember = absl::Minutes(1)});
    kit.Account({50 * kUnit}, {120 * kUnit});
    std::map<uint64_t, int64_t> open;
    int64_t spent = 0;  // but what late wins cost that had to wait
    for (int step = 0; step < 3000; ++step) {
      switch (random.Below(8)) {
        case 0:
        case 1:
        case 2: {
          const auto amount = static_cast<int64_t>(random.Below(kUnit / 2));
          if (kit.Try(amount).ok()) open[kit.last] = amount;
          break;
        }
        case 3:
          if (!open.empty()) {
            const auto& [decision, amount] = *open.begin();
            const auto price =
                static_cast<int64_t>(random.Below(static_cast<uint64_t>(amount) + 1));
            spent += kit.Commit(price, decision).charged.value;
            if (random.Chance(0.8)) open.erase(open.begin());
          }
          break;
        case 4:
          if (!open.empty()) {
            kit.ledger->Release(ReservationId(open.begin()->first, 0, kAcme),
                                random.Chance(0.5) ? ReleaseCause::kLoss : ReleaseCause::kNoRender);
            open.erase(open.begin());
          }
          break;
        case 5:
          kit.clock.Advance(absl::Seconds(random.Below(20)));
          break;
        case 6:
          kit.source.mood = random.Chance(0.2) ? ResourceExhausted("full") : absl::OkStatus();
          (void)kit.ledger->Tick();
          break;
        default:
          if (random.Chance(0.01)) kit.clock.Advance(absl::Hours(24));
          (void)kit.ledger->Tick();
      }
      const auto totals = kit.memory->Totals(kAcme);
      const AccountReport report = kit.Report();
      REQUIRE(report.Balanced());
      if (totals) REQUIRE(totals->open <= 2 * kit.ledger->MaxOpen(kAcme).value);
    }
    kit.source.mood = absl::OkStatus();
    kit.clock.Advance(absl::Seconds(2));
    REQUIRE(kit.ledger->Shutdown().ok());
    for (const CarriedSpend& carried : kit.ledger->TakeCarriedOver()) spent += carried.amount.value;
    CHECK(kit.Report().spent.value == spent);
    CHECK(kit.Totals().spent == spent);
    CHECK(spent <= 120 * kUnit);
    CHECK(kit.Totals().open == kit.Report().reserved.value);
  }
}

TEST_CASE("an impression costs a thousandth of its CPM") {
  CHECK(CostOfImpression({2'500'000}).value == 2500);
  CHECK(CostOfImpression({2'500'499}).value == 2500);
  CHECK(CostOfImpression({2'500'500}).value == 2501);
}

TEST_CASE("however many days nobody looked, today's budget is there") {
  for (const int days : {1, 2, 3, 182}) {
    INFO(days << " days");
    LedgerKit kit;
    kit.Account({10'000'000});
    REQUIRE(kit.Reserve(500'000).ok());
    kit.Commit(500'000);
    REQUIRE(kit.Reserve(200'000).ok());
    REQUIRE(kit.ledger->Tick().ok());
    kit.clock.Advance(absl::Hours(24) * days);
    CHECK(kit.SpendAll(500'000) == 10'000'000);
    CHECK(kit.Report().expired.count == 1);
  }
}

TEST_CASE("an account whose bids are lost at once is not idle") {
  LedgerKit kit;
  kit.Account({10'000'000});
  REQUIRE(kit.Reserve(1000).ok());
  kit.Commit(1000);
  for (int i = 0; i < 200; ++i) {
    kit.clock.Advance(absl::Seconds(30));
    REQUIRE(kit.ledger->Tick().ok());
    const Reservation r = kit.Try(1000);
    REQUIRE(r.ok());
    REQUIRE(kit.ledger->Release(r.id, ReleaseCause::kLoss) == ReleaseResult::kReleased);
  }
  CHECK(kit.Report().returned.value == 0);
}

TEST_CASE("what a bid asked for is kept until the next as long as what was reserved") {
  LedgerKit kit;
  kit.Account({10'000'000});
  const auto wait = [&](absl::Duration how_long) {
    for (absl::Duration t; t < how_long; t += absl::Seconds(10)) {
      kit.clock.Advance(absl::Seconds(10));
      REQUIRE(kit.ledger->Tick().ok());
    }
  };
  CHECK(kit.Try(1000).result == ReserveResult::kNoLease);
  wait(absl::Minutes(9));
  CHECK(kit.Try(1000).ok());
  wait(absl::Minutes(45));  // its time is over, and ten more minutes
  CHECK(kit.Report().free.value == 0);
}

TEST_CASE("leases can be there before the first reservation, in groups of any size") {
  LedgerKit kit;
  std::vector<uint64_t> campaigns;
  for (uint64_t c = 1; c <= 50; ++c) {
    kit.Account({100'000'000}, {}, absl::UTCTimeZone(), c);
    campaigns.push_back(c);
  }
  campaigns.push_back(1234);  // nobody
  CHECK(kit.Try(1000, 7).result == ReserveResult::kNoLease);
  const int before = kit.source.applied;
  REQUIRE(kit.ledger->LeaseAhead(campaigns).ok());
  CHECK(kit.source.applied == before + 1);
  for (uint64_t c = 1; c <= 50; ++c) CHECK(kit.Try(1000, c).ok());
  // Who has something is given no more, and what is not used goes back in time.
  const Micros leased = kit.Report(8).leased;
  REQUIRE(kit.ledger->LeaseAhead(campaigns).ok());
  CHECK(kit.Report(8).leased == leased);
  kit.source.mood = MakeStatus(absl::StatusCode::kUnavailable, "no disk");
  kit.Account({100'000'000}, {}, absl::UTCTimeZone(), 51);
  const std::vector<uint64_t> one = {51};
  CHECK(kit.ledger->LeaseAhead(one).code() == absl::StatusCode::kUnavailable);
  CHECK_FALSE(kit.ledger->health().leasing);
}

TEST_CASE("what is gone of a budget is known, today's and before, over restarts") {
  LedgerKit kit;
  kit.Account({100'000'000}, {500'000'000});
  CHECK(kit.ledger->Used(kAcme).today.value == 0);
  CHECK(kit.ledger->Used(99).before.value == 0);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(kit.Reserve(500'000).ok());
    kit.Commit(500'000);
  }
  REQUIRE(kit.ledger->Tick().ok());
  kit.Crash();
  kit.Account({100'000'000}, {500'000'000});
  // What the crash left open is gone too, until it is given back.
  const LeaseTotals totals = kit.Totals();
  CHECK(totals.spent == 1'500'000);
  CHECK(kit.ledger->Used(kAcme).today.value == totals.leased - totals.returned);
  CHECK(kit.ledger->Used(kAcme).before.value == 0);
  kit.clock.Advance(absl::Hours(24));
  CHECK(kit.ledger->Used(kAcme).today.value == 0);
  CHECK(kit.ledger->Used(kAcme).before.value == totals.leased - totals.returned);
  CHECK(kit.ledger->Used(kAcme).as_of == kit.clock.WallNow());
}

TEST_CASE("what is open when a process ends well is not gone, and a win of it is") {
  LedgerKit kit;
  kit.Account({100'000'000}, {500'000'000});
  REQUIRE(kit.Reserve(500'000).ok());
  kit.Commit(500'000);
  REQUIRE(kit.Reserve(300'000).ok());
  const uint64_t won = kit.last;
  REQUIRE(kit.Reserve(700'000).ok());
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->Used(kAcme).today.value == 500'000);
  REQUIRE(kit.ledger->Shutdown().ok());
  kit.Crash();  // after its end
  kit.Account({100'000'000}, {500'000'000});
  CHECK(kit.Totals().open == 1'000'000);
  CHECK(kit.Totals().returnable == 1'000'000);
  CHECK(kit.ledger->Used(kAcme).today.value == 500'000);
  CHECK(kit.ledger->Used(kAcme).before.value == 0);
  kit.Commit(300'000, won);
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->Used(kAcme).today.value == 800'000);
  kit.clock.Advance(absl::Hours(24));
  REQUIRE(kit.ledger->Tick().ok());
  CHECK(kit.ledger->Used(kAcme).today.value == 0);
  CHECK(kit.ledger->Used(kAcme).before.value == 800'000);
}

}  // namespace
}  // namespace adagents::ads
