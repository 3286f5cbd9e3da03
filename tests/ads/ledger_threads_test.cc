// A ledger with its own thread and many others.
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "adagents/ads/ledger.h"
#include "adagents/base/random.h"
#include "ads/ledger_kit.h"

namespace adagents::ads {
namespace {

constexpr int kThreads = 64;

void RunThreads(const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  std::atomic<int> waiting{kThreads};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      waiting.fetch_sub(1);
      while (waiting.load() > 0) std::this_thread::yield();
      body(t);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_CASE("64 threads spend one budget to the last micro and never a micro more") {
  const auto source = MemoryLeaseSource::Create();
  auto made = Ledger::Create(source.get(), {.max_accounts = 8,
                                            .max_reservations = 1 << 16,
                                            .block_share = 0.05,
                                            .max_open_share = 0.5,
                                            .min_block = {1},
                                            .tick = absl::Microseconds(200)});
  REQUIRE(made.ok());
  Ledger& ledger = **made;
  constexpr int64_t kBudget = 5'000'003;
  REQUIRE(ledger.SetAccount({kAcme, kEur, {}, {kBudget}}).ok());

  std::atomic<int64_t> charged{0}, reserved_now{0};
  std::atomic<bool> over{false};
  RunThreads([&](int t) {
    Random random(static_cast<uint64_t>(t));
    uint64_t decision = uint64_t{ledger.epoch()} << 40 | static_cast<uint64_t>(t) << 32;
    for (;;) {
      // Small bids at the end, so that the last micro finds its buyer.
      const auto amount = static_cast<int64_t>(1 + random.Below(900));
      const Reservation r = ledger.Reserve({++decision, 0, kAcme, {amount}, kEur});
      if (r.result == ReserveResult::kNoLease) {
        std::this_thread::yield();
        continue;
      }
      if (r.result == ReserveResult::kBudgetSpent) {
        const Reservation one = ledger.Reserve({++decision, 1, kAcme, {1}, kEur});
        if (one.result == ReserveResult::kNoLease) continue;
        if (!one.ok()) {
          // Others may still give back.
          if (reserved_now.load() == 0 && charged.load() == kBudget) return;
          std::this_thread::yield();
          continue;
        }
        charged += ledger.Commit({decision, 1, kAcme, {1}, kEur, {}}).charged.value;
        if (charged.load() > kBudget) over = true;
        continue;
      }
      if (!r.ok()) continue;
      reserved_now += amount;
      if (random.Chance(0.3)) {
        const Hold hold = ledger.HoldOf(r);
        hold.settle(hold, false);
      } else {
        const auto price = static_cast<int64_t>(1 + random.Below(static_cast<uint64_t>(amount)));
        const CommitResult win = ledger.Commit({decision, 0, kAcme, {price}, kEur, {}});
        charged += win.charged.value;
        if (win.outcome != CommitOutcome::kCommitted || win.charged.value != price) over = true;
        if (charged.load() > kBudget) over = true;
      }
      reserved_now -= amount;
    }
  });
  CHECK_FALSE(over.load());
  CHECK(charged.load() == kBudget);
  REQUIRE(ledger.Sync().ok());
  const AccountReport report = ledger.Report().at(0);
  CHECK(report.Balanced());
  CHECK(report.spent.value == kBudget);
  CHECK(report.reserved.value == 0);
  CHECK(source->Totals(kAcme)->spent == kBudget);
  REQUIRE(ledger.Shutdown().ok());
  CHECK(source->Totals(kAcme)->open == 0);
}

TEST_CASE("of 64 threads that report the same win, one is charged") {
  const auto source = MemoryLeaseSource::Create();
  auto made = Ledger::Create(source.get(), {.max_accounts = 8, .max_reservations = 1 << 12});
  REQUIRE(made.ok());
  Ledger& ledger = **made;
  REQUIRE(ledger.SetAccount({kAcme, kEur, {}, {1'000'000'000}}).ok());
  const uint64_t first = uint64_t{ledger.epoch()} << 40;
  constexpr uint64_t kWins = 200;
  for (uint64_t i = 1; i <= kWins; ++i) {
    while (!ledger.Reserve({first + i, 0, kAcme, {1000}, kEur}).ok()) std::this_thread::yield();
  }
  std::atomic<int> committed{0}, released{0}, duplicates{0}, late{0};
  RunThreads([&](int t) {
    for (uint64_t i = 1; i <= kWins; ++i) {
      if (t == 0) {  // one says lost
        const uint64_t id = ReservationId(first + i, 0, kAcme);
        released += ledger.Release(id, ReleaseCause::kLoss) == ReleaseResult::kReleased;
        continue;
      }
      switch (ledger.Commit({first + i, 0, kAcme, {900}, kEur, {}}).outcome) {
        case CommitOutcome::kCommitted:
          ++committed;
          break;
        case CommitOutcome::kLate:
        case CommitOutcome::kPending:  // late as well, and nothing leased just then
          ++late;
          break;
        case CommitOutcome::kDuplicate:
          ++duplicates;
          break;
        default:
          break;
      }
    }
  });
  CHECK(committed.load() + late.load() == static_cast<int>(kWins));
  CHECK(late.load() == released.load());
  CHECK(duplicates.load() == static_cast<int>(kWins) * (kThreads - 2));
  REQUIRE(ledger.Sync().ok());
  CHECK(source->Totals(kAcme)->spent == 900 * static_cast<int64_t>(kWins));
  CHECK(ledger.Report().at(0).Balanced());
}

TEST_CASE("reservations expire and days end while threads reserve, and the books balance") {
  testing::VirtualClock clock(absl::FromUnixSeconds(1'780'000'000));
  const auto source = MemoryLeaseSource::Create();
  auto made = Ledger::Create(source.get(), {.max_accounts = 8,
                                            .max_reservations = 1 << 14,
                                            .ttl = absl::Seconds(16),
                                            .remember = absl::Seconds(16),
                                            .max_open_share = 0.5,
                                            .tick = absl::Microseconds(100),
                                            .clock = &clock});
  REQUIRE(made.ok());
  Ledger& ledger = **made;
  for (uint64_t campaign = 1; campaign <= 4; ++campaign) {
    REQUIRE(ledger.SetAccount({campaign, kEur, {100'000'000}, {}}).ok());
  }
  std::atomic<int64_t> charged[5] = {};
  std::atomic<int> days{0};
  RunThreads([&](int t) {
    Random random(static_cast<uint64_t>(t) + 100);
    uint64_t decision = uint64_t{ledger.epoch()} << 40 | static_cast<uint64_t>(t) << 32;
    for (int i = 0; i < 400; ++i) {
      const uint64_t campaign = 1 + random.Below(4);
      const Reservation r = ledger.Reserve({++decision, 0, campaign, {50'000}, kEur});
      if (t == 0) clock.Advance(absl::Seconds(random.Below(4)));
      if (t == 0 && i % 100 == 50) clock.Advance(absl::Hours(24)), ++days;
      if (i % 50 == 0) std::this_thread::yield();
      if (!r.ok() || random.Chance(0.3)) continue;
      charged[campaign] += ledger.Commit({decision, 0, campaign, {40'000}, kEur, {}}).charged.value;
    }
  });
  REQUIRE(ledger.Sync().ok());
  for (const CarriedSpend& carried : ledger.TakeCarriedOver()) {  // late wins that had to wait
    charged[carried.campaign] += carried.amount.value;
  }
  int64_t all = 0;
  for (const AccountReport& report : ledger.Report()) {
    INFO("campaign " << report.campaign);
    CHECK(report.Balanced());
    CHECK(report.spent.value == charged[report.campaign].load());
    CHECK(source->Totals(report.campaign)->spent == report.spent.value);
    CHECK(report.spent.value <= (days.load() + 2) * 100'000'000);
    all += report.spent.value;
  }
  CHECK(all > 0);
  clock.Advance(absl::Minutes(1));
  REQUIRE(ledger.Sync().ok());
  for (const AccountReport& report : ledger.Report()) CHECK(report.reserved.value == 0);
  REQUIRE(ledger.Shutdown().ok());
  for (uint64_t campaign = 1; campaign <= 4; ++campaign) {
    const auto totals = source->Totals(campaign);
    if (totals) CHECK(totals->open == 0);
  }
}

}  // namespace
}  // namespace adagents::ads
