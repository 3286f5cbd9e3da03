// What every lease source knows and decides: who has leased, spent and returned how much. Kept in
// memory; a durable source writes what a batch changed (see changes()) and takes it back if that
// fails.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/lease_source.h"

namespace adagents::ads::internal {

/// Of one account, one process and one day.
struct LeaseRow {
  uint64_t account = 0;
  uint32_t epoch = 0;  // kClosedEpoch: of all processes that are closed
  int64_t day = 0;
  int64_t leased = 0, spent = 0, returned = 0;

  [[nodiscard]] int64_t left() const { return leased - spent - returned; }
  bool operator==(const LeaseRow&) const = default;
};
inline constexpr uint32_t kClosedEpoch = 0;

/// One process.
struct EpochRow {
  uint32_t epoch = 0;
  int64_t started = 0, ended = 0;  // Unix nanoseconds; a crash is noted when the next one starts
  bool ended_well = false;
  bool running = true;

  bool operator==(const EpochRow&) const = default;
};

/// What one batch changed.
struct LeaseChanges {
  std::vector<LeaseRow> put;                            // new values
  std::vector<LeaseRow> gone;                           // rows that were folded into others
  std::vector<uint32_t> epochs_gone;                    // closed
  std::vector<std::pair<uint64_t, Currency>> accounts;  // that are new

  [[nodiscard]] bool empty() const {
    return put.empty() && gone.empty() && epochs_gone.empty() && accounts.empty();
  }
  void clear() { put.clear(), gone.clear(), epochs_gone.clear(), accounts.clear(); }
};

/// Thread-compatible.
class LeaseBook {
 public:
  /// Whether what a crashed process left open is given back when it is closed. Then spend that it
  /// had not made durable can be spent once more.
  explicit LeaseBook(bool reclaim_crashed = false) : reclaim_crashed_(reclaim_crashed) {}

  // What an earlier process left.
  void LoadAccount(uint64_t account, Currency currency);
  void Load(const LeaseRow& row);
  void Load(const EpochRow& epoch);

  /// Ends whatever process was running as crashed and starts the next one. The epoch's row; nothing
  /// when all 2^24 are used up.
  std::optional<EpochRow> Start(int64_t wall_nanos, std::vector<EpochRow>* crashed);
  EpochRow EndWell(int64_t wall_nanos);
  [[nodiscard]] uint32_t epoch() const { return epoch_; }

  /// Applies a batch. `known` says whether a late win was charged before. Internal, naming the
  /// account, when a batch spends or returns more than was leased: a ledger's error. After it
  /// either Keep() or TakeBack() is called.
  absl::Status Apply(LeaseBatch* batch, const std::function<bool(const LeaseLate&)>& known);
  [[nodiscard]] const LeaseChanges& changes() const { return changes_; }
  void Keep();
  void TakeBack();

  [[nodiscard]] std::optional<LeaseTotals> Totals(uint64_t account) const;
  [[nodiscard]] int64_t Gone(uint64_t account, int64_t day) const;  // see LeaseSource

 private:
  using RowKey = std::pair<uint32_t, int64_t>;  // epoch, day
  struct Account {
    Currency currency{};
    int64_t charged = 0;  // leased - returned, ever
    std::map<int64_t, int64_t> day_charged;
    std::map<RowKey, LeaseRow> rows;
  };
  struct Undo {
    uint64_t account;
    RowKey key;
    std::optional<LeaseRow> before;
  };

  bool IsReturnable(uint32_t epoch) const;
  void Set(Account& account, const LeaseRow& row);
  void Drop(Account& account, uint64_t key, RowKey row);
  LeaseRow Current(Account& account, uint64_t key, int64_t day) const;
  void Remember(Account& account, uint64_t key, RowKey row);
  static void Count(Account& account, int64_t day, int64_t charged);

  void CloseOldEpochs(int64_t forget_nanos);
  void CloseEpoch(const EpochRow& epoch);
  void FoldOldDays(Account& account);
  void MoveRow(Account& account, LeaseRow row, RowKey to);
  absl::Status Return(const LeaseReturn& what);
  absl::Status Spend(uint64_t account, int64_t day, int64_t amount);
  void SpendLate(LeaseLate& late);
  void Grant(LeaseAsk& ask);
  void CollectChanges();

  const bool reclaim_crashed_;
  uint32_t epoch_ = 0;
  std::map<uint32_t, EpochRow> epochs_;  // not closed yet
  std::unordered_map<uint64_t, Account> accounts_;
  std::vector<Undo> undo_;
  std::vector<EpochRow> closed_;  // by this batch
  LeaseChanges changes_;
};

}  // namespace adagents::ads::internal
