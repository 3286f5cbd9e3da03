// Budgets that survive the process and the machine: a lease source (ads/lease_source.h) on SQLite.
//
//   auto source = ledger_sqlite::LocalLeaseSource::Open("/var/lib/adserver/ledger.db");
//   if (!source.ok()) ...                            // says what is wrong with the file
//   auto ledger = ads::Ledger::Create(source->get(), {});
//
// One process at a time; the file is locked. Every Apply() is one transaction: a group of wins,
// returns and leases costs one sync. Beside "ledger.db" there are "ledger.db-wal" (SQLite's log,
// part of the data) and "ledger.db-seal".
//
// How damage is found, at Open(): SQLite checks its pages' structure (PRAGMA integrity_check);
// every row carries an XXH3 of its values; a number over all rows shows whether any is missing or
// is of another moment; and the seal holds the number of the last transaction that was
// acknowledged, so that a log whose end is damaged, which SQLite takes for one that ends earlier,
// is not taken for an older state. The seal is written after each transaction and not synced: it
// can only lag behind. Any of these is DataLoss with what was found, and the file is left as it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adagents/ads/lease_source.h"
#include "adagents/base/clock.h"

namespace adagents::ledger_sqlite {

enum class Durability : uint8_t {
  kMachine,  ///< synced to the disk: survives a power loss
  kProcess,  ///< handed to the kernel: survives kill -9; a power loss may lose the last seconds
};

struct LocalLeaseOptions {
  Durability durability = Durability::kMachine;
  /// Gives back what a crashed process left open, once its wins are no longer accepted. Then a
  /// crash costs no budget, but what was spent and not yet acknowledged when it happened, some
  /// ticks of the ledger, can be spent again.
  bool reclaim_crashed = false;
  /// How long late wins stay listed.
  absl::Duration keep_late_wins = absl::Hours(24 * 62);
  /// The name of an SQLite VFS; empty: the system's files.
  std::string vfs;
  const Clock* clock = nullptr;  ///< civil time; null: the system's
};

/// Thread-safe.
class LocalLeaseSource final : public ads::LeaseSource {
 public:
  /// Makes the file if there is none, checks it if there is, and begins a new epoch. DataLoss for a
  /// damaged file, FailedPrecondition for one that another process has open or that is of another
  /// version, ResourceExhausted when the disk is full or all 2^24 epochs are used, Unavailable when
  /// files cannot be opened, read or written.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LocalLeaseSource>> Open(
      std::string_view path, LocalLeaseOptions options = {});
  /// Without Close() it leaves the file as a crash would.
  ~LocalLeaseSource() override;

  [[nodiscard]] uint32_t epoch() const override;
  [[nodiscard]] absl::Status Apply(ads::LeaseBatch* batch) override;
  [[nodiscard]] absl::Status Close(int64_t wall_nanos) override;
  [[nodiscard]] std::optional<ads::LeaseTotals> Totals(uint64_t account) const override;
  [[nodiscard]] int64_t Gone(uint64_t account, int64_t day) const override;
  [[nodiscard]] absl::StatusOr<std::vector<ads::LateWin>> LateWins() const override;

  /// Whether this win was charged, as far as it is remembered.
  [[nodiscard]] absl::StatusOr<bool> Knows(uint64_t decision, uint32_t imp, uint64_t account) const;

 private:
  class Store;
  explicit LocalLeaseSource(std::unique_ptr<Store> store);
  std::unique_ptr<Store> store_;
};

}  // namespace adagents::ledger_sqlite
