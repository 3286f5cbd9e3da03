// The other half of a ledger: expiry, leases ahead of need, returns, and spend in durable groups.
// One thread at a time, and the only one that talks to the source.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adagents/ads/budget_day.h"
#include "adagents/ads/ledger.h"
#include "ads/ledger_board.h"

namespace adagents::ads::internal {

/// Thread-safe; every function may wait for the source, except health().
class LedgerKeeper {
 public:
  LedgerKeeper(LeaseSource* source, const LedgerOptions& options, LedgerBoard* board);
  ~LedgerKeeper();

  void Start();  // the background thread
  absl::Status Tick();
  absl::Status Sync(absl::Duration timeout);
  absl::Status Shutdown();

  absl::Status SetAccount(const AccountConfig& config);
  bool CloseAccount(uint64_t campaign);
  absl::Status LeaseAhead(std::span<const uint64_t> campaigns);
  [[nodiscard]] BudgetUse Used(uint64_t campaign);
  [[nodiscard]] std::vector<CarriedSpend> TakeCarriedOver();
  [[nodiscard]] const LedgerOptions& options() const { return options_; }
  [[nodiscard]] LedgerHealth health() const;

 private:
  static constexpr int64_t kNoDay = std::numeric_limits<int64_t>::min();
  static constexpr int kMostWaits = 64;       // rounds of a tick for late wins that are owed
  static constexpr size_t kMostWins = 8192;   // in one group
  static constexpr size_t kMostAsks = 8192;   // the same
  static constexpr size_t kSetsAtOnce = 256;  // of records

  /// What the keeper knows of a pool, all its days together. Everything drawn from it that is not
  /// in one of these is reserved, or still in the log.
  struct PoolBook {
    int64_t day = kNoDay;
    int64_t leased = 0;    // granted by the source
    int64_t drained = 0;   // spent, and read from the log
    int64_t durable = 0;   // the part of `drained` that the source has
    int64_t returned = 0;  // taken out, and on its way to the source or there
    int64_t next_ask = 0;  // after the source had no more
    bool asked = false;    // in the group that is being made
  };
  struct Book {
    AccountConfig config;
    bool closed = false;
    std::array<PoolBook, 2> pools;
    int64_t block = 0, max_open = 0;
    int64_t seen = 0;  // what every reservation changes, at the last visit
    int64_t busy_at = std::numeric_limits<int64_t>::min() / 2;  // when that last changed
  };
  /// A late win for which nothing was leased when it came.
  struct Owed {
    LoggedWin win;
    uint64_t ticket = 0;
    int tries = 0;  // rounds in which more was asked for
  };
  struct Place {
    uint32_t account;
    size_t pool;
  };

  absl::Status TickLocked();
  void LookAtClocks();
  void DrainLog();
  void SettleOwed();
  bool Pay(const LoggedWin& win);
  void NotPaid(const LoggedWin& win);
  [[nodiscard]] uint64_t DurableTo() const;
  void Expire();
  void VisitThoseWhoCalled();
  void Visit(uint32_t index);
  bool Prepare(uint32_t index, const BudgetDay& day);
  void TakeUnlisted(uint32_t index);
  void GiveBack(uint32_t index, size_t pool);
  void Ask(uint32_t index, size_t pool);
  absl::Status Flush();
  void Granted();
  void SpentDurably();
  void NoteLates();
  void Measure(uint32_t index);
  void SetHealth(const absl::Status& status);
  void Run();

  LeaseSource* const source_;
  const LedgerOptions options_;
  LedgerBoard* const board_;

  std::mutex mutex_;  // over all below; held while the source works
  std::vector<Book> books_;
  int64_t now_ = 0, wall_ = 0;
  int64_t swept_at_ = 0;  // when the sweep over the records went on
  size_t next_set_ = 0;
  int64_t visited_at_ = 0;  // when the round of all accounts went on
  uint32_t next_visit_ = 0;
  bool shutting_down_ = false, shut_down_ = false;
  bool more_to_return_ = false;  // than one group holds
  absl::Status shutdown_status_;
  LeaseBatch batch_;
  std::vector<Place> spend_places_, unlisted_places_, ask_places_;  // of the batch's entries
  std::vector<uint32_t> late_accounts_;
  std::vector<Owed> owed_;                              // in the log's order
  std::unordered_map<uint64_t, int64_t> carried_over_;  // by campaign, until it is taken
  std::vector<uint64_t> due_;
  int64_t next_idle_apply_ = 0;  // so that the source can close old processes
  int64_t next_try_ = 0;         // while the source fails
  int64_t retry_after_ = 0;

  mutable std::mutex health_mutex_;
  LedgerHealth health_;

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool stop_ = false, hurry_ = false;
  uint64_t rounds_begun_ = 0, rounds_done_ = 0;  // that were flushed
  std::thread thread_;
};

}  // namespace adagents::ads::internal
