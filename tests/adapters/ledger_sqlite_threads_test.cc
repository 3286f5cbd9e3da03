// A ledger with its own thread on a store whose disk has faults.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "adagents/adapters/ledger_sqlite.h"
#include "adagents/ads/ledger.h"
#include "adapters/faulty_disk.h"
#include "catch.h"

namespace adagents::ledger_sqlite {
namespace {

using ads::LeaseBatch;
using ads::LeaseTotals;
using testing::FaultyDisk;

const Currency kEur = *Currency::Parse("EUR");

/// A source whose disk takes its time.
class SlowSource final : public ads::LeaseSource {
 public:
  explicit SlowSource(ads::LeaseSource* inner) : inner_(inner) {}
  std::atomic<bool> stuck{false};
  std::atomic<bool> inside{false};

  uint32_t epoch() const override { return inner_->epoch(); }
  absl::Status Apply(LeaseBatch* batch) override {
    inside = true;
    while (stuck) std::this_thread::yield();
    inside = false;
    return inner_->Apply(batch);
  }
  absl::Status Close(int64_t wall) override { return inner_->Close(wall); }
  std::optional<LeaseTotals> Totals(uint64_t account) const override {
    return inner_->Totals(account);
  }
  int64_t Gone(uint64_t account, int64_t day) const override { return inner_->Gone(account, day); }
  absl::StatusOr<std::vector<ads::LateWin>> LateWins() const override { return inner_->LateWins(); }

 private:
  ads::LeaseSource* inner_;
};

TEST_CASE("a disk that is full, fails to sync or hangs stops leasing and holds up no answer") {
  enum Fault { kFull, kSyncFails, kHangs };
  for (const Fault fault : {kFull, kSyncFails, kHangs}) {
    INFO("fault " << fault);
    FaultyDisk disk;
    auto opened = LocalLeaseSource::Open("ledger", {.vfs = disk.vfs()});
    REQUIRE(opened.ok());
    const std::unique_ptr<LocalLeaseSource> store = *std::move(opened);
    SlowSource slow(store.get());
    auto made = ads::Ledger::Create(&slow, {.max_accounts = 4,
                                            .max_reservations = 1 << 15,
                                            .max_waiting_wins = 1 << 10,
                                            .tick = absl::Microseconds(200)});
    REQUIRE(made.ok());
    ads::Ledger& ledger = **made;
    REQUIRE(ledger.SetAccount({7, kEur, {1'000'000'000}, {}}).ok());
    const uint64_t first = uint64_t{ledger.epoch()} << 40;
    while (!ledger.Reserve({first, 0, 7, {1000}, kEur}).ok()) std::this_thread::yield();
    REQUIRE(ledger.Sync().ok());

    if (fault == kFull) disk.room = 0;
    if (fault == kSyncFails) disk.sync_fails = true;
    if (fault == kHangs) slow.stuck = true;
    // Answers go on for as long as there is leased money, and are refused after that. A slow one
    // may have waited for its core; of ten rounds the quickest one counts.
    double slowest = 1e9;
    int reserved = 0, refused = 0, charged = 0;
    uint64_t n = 1;
    for (int round = 0; round < 10; ++round) {
      double worst = 0;
      for (int i = 0; i < 2000; ++i, ++n) {
        const auto start = std::chrono::steady_clock::now();
        const bool ok = ledger.Reserve({first + n, 0, 7, {20'000}, kEur}).ok();
        if (ok) charged += ledger.Commit({first + n, 0, 7, {10'000}, kEur, {}}).charged.value > 0;
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        worst = std::max(worst, took.count());
        (ok ? reserved : refused) += 1;
      }
      slowest = std::min(slowest, worst);
    }
    CHECK(slowest < 5.0);  // ms, of a deadline of 50
    CHECK(reserved > 0);
    CHECK(refused > 0);
    CHECK(charged == reserved);
    if (fault == kHangs) {
      CHECK(ledger.Sync(absl::Milliseconds(20)).code() == absl::StatusCode::kDeadlineExceeded);
      CHECK(ledger.health().waiting_wins > 0);
      slow.stuck = false;
    } else {
      CHECK_FALSE(ledger.Sync(absl::Milliseconds(20)).ok());
      CHECK_FALSE(ledger.health().leasing);
      CHECK_FALSE(ledger.health().status.ok());
    }
    if (fault == kSyncFails) {
      disk.sync_fails = false;
      CHECK_FALSE(ledger.Shutdown().ok());
      continue;
    }
    disk.room = 1 << 24;
    REQUIRE(ledger.Sync(absl::Seconds(20)).ok());
    CHECK(ledger.health().leasing);
    CHECK(store->Totals(7)->spent == int64_t{charged} * 10'000);
    while (!ledger.Reserve({first + ++n, 0, 7, {20'000}, kEur}).ok()) std::this_thread::yield();
    CHECK(ledger.Shutdown().ok());
  }
}

}  // namespace
}  // namespace adagents::ledger_sqlite
