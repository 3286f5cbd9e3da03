// The tables behind LocalLeaseSource: what they look like, how rows are checked, how a batch is
// written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adagents/adapters/ledger_sqlite.h"
#include "adapters/ledger_sqlite/sqlite.h"
#include "ads/lease_book.h"

namespace adagents::ledger_sqlite {

/// Thread-safe. Once a write has failed in a way that leaves open what is on the disk, every
/// further one is refused: what a failed fsync has lost, a second one does not bring back.
class LocalLeaseSource::Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path,
                                                     const LocalLeaseOptions& options);

  uint32_t epoch() const { return book_.epoch(); }
  absl::Status Apply(ads::LeaseBatch* batch);
  absl::Status Close(int64_t wall_nanos);
  std::optional<ads::LeaseTotals> Totals(uint64_t account) const;
  int64_t Gone(uint64_t account, int64_t day) const;
  absl::StatusOr<std::vector<ads::LateWin>> LateWins() const;
  absl::StatusOr<bool> Knows(uint64_t decision, uint32_t imp, uint64_t account) const;

 private:
  /// What the meta row holds.
  struct Meta {
    uint64_t number = 0;  // of transactions
    uint64_t digest = 0;  // sum of all other rows' checks
  };
  struct Statements {
    Statement put_meta, put_epoch, drop_epoch, put_account, put_lease, drop_lease, get_lease_check;
    Statement put_win, find_win, oldest_wins, drop_win, put_late, all_lates, drop_late;
  };

  Store(Database db, const LocalLeaseOptions& options)
      : db_(std::move(db)), options_(options), book_(options.reclaim_crashed) {}

  absl::Status Configure();
  absl::Status CheckPages();
  absl::Status MakeOrCheckTables(bool* made);
  absl::Status PrepareAll();
  absl::Status LoadAll();
  absl::Status Begin();

  /// Writes within one transaction, or leaves everything as it was.
  absl::Status Transact(const std::function<absl::Status()>& write);
  absl::Status WriteBatch(const ads::LeaseBatch& batch);
  absl::Status WriteEpoch(const ads::internal::EpochRow& epoch);
  absl::Status WriteLease(const ads::internal::LeaseRow& row);
  absl::Status DropLease(const ads::internal::LeaseRow& row);
  absl::Status WriteWin(uint64_t decision, uint32_t imp, uint64_t account, int64_t day,
                        int64_t amount, int64_t wall);
  absl::Status WriteLate(const ads::LateWin& late);
  absl::Status ForgetWins(int64_t before);
  absl::Status ForgetLates(int64_t before);
  void AfterWriting();

  Database db_;
  const LocalLeaseOptions options_;
  mutable std::mutex mutex_;
  ads::internal::LeaseBook book_;
  std::optional<Seal> seal_;
  mutable Statements sql_;
  Meta meta_;
  absl::Status broken_;  // stays
  bool closed_ = false;
  size_t wins_since_forgetting_ = 0;
  int log_pages_ = 0;  // after the last commit
};

}  // namespace adagents::ledger_sqlite
