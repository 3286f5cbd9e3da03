// Where budget comes from: a ledger (ads/ledger.h) spends only what it has leased here before.
//
//   auto source = ads::MemoryLeaseSource::Create();                // dies with the process
//   auto source = ledger_sqlite::LocalLeaseSource::Open(path);     // survives it, see adapters/
//
// A source keeps, per account (a campaign), day and process epoch, what was leased, what of it was
// spent and what was returned. What it grants it counts as gone from the budget at once and for
// good, until it is returned: so a process that dies has cost at most what it had leased and not
// reported as spent, and nobody can spend a budget twice, not even many servers that share a
// central source.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adagents/base/money.h"

namespace adagents::ads {

/// Budget wanted. All amounts of this file are micros of the account's currency.
struct LeaseAsk {
  uint64_t account = 0;
  Currency currency{};
  int64_t day = 0;       ///< BudgetDay::day of the account's time zone
  int64_t want = 0;      ///< > 0
  int64_t daily = 0;     ///< the day's budget; 0: no bound
  int64_t lifetime = 0;  ///< the whole budget; 0: no bound
  int64_t granted = 0;   ///< out: 0 to `want`; less than wanted exactly when a budget is used up
};

/// Leased budget that will not be spent.
struct LeaseReturn {
  uint64_t account = 0;
  int64_t day = 0;
  int64_t amount = 0;
};

/// A win that a reservation of this process covers.
struct LeaseSpend {
  uint64_t decision = 0;
  uint32_t imp = 0;
  uint64_t account = 0;
  int64_t day = 0;
  int64_t amount = 0;
  bool late = false;  ///< came after its reservation had been given up
};

/// What became of a win from an earlier process.
enum class LateOutcome : uint8_t {
  kCharged,    ///< to what its process had leased
  kDuplicate,  ///< was charged before
  kShort,      ///< only partly charged, or not at all: its process had nothing more
  kUnknown,    ///< that process leased nothing for this account in this currency, or is closed
};

/// A win whose decision was made by an earlier process.
struct LeaseLate {
  uint64_t decision = 0;
  uint32_t imp = 0;
  uint64_t account = 0;
  Currency currency{};
  int64_t amount = 0;
  LateOutcome outcome = LateOutcome::kUnknown;  ///< out
  int64_t charged = 0;                          ///< out
  /// Out: the part of `charged` that Gone() did not count before, for no crash has cost it.
  int64_t newly_gone = 0;
};

/// Spend that is known by its sum alone, because more wins came than could be noted one by one.
struct LeaseUnlisted {
  uint64_t account = 0;
  int64_t day = 0;
  int64_t amount = 0;
};

/// What happens together or not at all, in this order.
struct LeaseBatch {
  int64_t wall_nanos = 0;  ///< now, Unix nanoseconds
  /// Wins of decisions older than this are not accepted any more: processes that ended before it
  /// can be closed, and which wins were charged before it need not be remembered.
  int64_t forget_nanos = 0;
  std::vector<LeaseReturn> returns;
  std::vector<LeaseSpend> spends;
  std::vector<LeaseUnlisted> unlisted;
  std::vector<LeaseLate> lates;
  std::vector<LeaseAsk> asks;

  [[nodiscard]] bool empty() const {
    return returns.empty() && spends.empty() && unlisted.empty() && lates.empty() && asks.empty();
  }
  void clear() { returns.clear(), spends.clear(), unlisted.clear(), lates.clear(), asks.clear(); }
};

/// All days and processes of one account.
struct LeaseTotals {
  Currency currency{};
  int64_t leased = 0, spent = 0, returned = 0;
  int64_t open = 0;  ///< of processes whose wins are still accepted: leased, not spent or returned
  int64_t lost = 0;  ///< the same of processes that are closed: what their crashes have cost
  // leased = spent + returned + open + lost
  /// The part of `open` that no crash has cost: of this process, and of those that ended in good
  /// order. It will be spent or returned.
  int64_t returnable = 0;
};

/// One win that came late, as the source has noted it.
struct LateWin {
  uint64_t decision = 0;
  uint32_t imp = 0;
  uint64_t account = 0;
  int64_t amount = 0, charged = 0;
  LateOutcome outcome = LateOutcome::kUnknown;
  int64_t wall_nanos = 0;  ///< when it was noted
};

/// Implementations are thread-safe. A ledger calls Apply() and Close() from one thread at a time,
/// and never on the decision path, so they may wait for a disk or a network.
class LeaseSource {
 public:
  virtual ~LeaseSource() = default;

  /// Of this process, 1 to 2^24 - 1, larger than that of any before: the upper 24 bits of its
  /// decisions' ids. Durable before the source is handed out.
  [[nodiscard]] virtual uint32_t epoch() const = 0;

  /// Applies all of `batch`, durably when it returns OK, and fills in its "out" fields. On an error
  /// nothing has happened and the same batch may be tried again: ResourceExhausted for a full disk,
  /// which may pass; Unavailable for one that failed, which stays until the source is opened anew.
  [[nodiscard]] virtual absl::Status Apply(LeaseBatch* batch) = 0;

  /// Marks this process as ended in good order: nothing is lost with it, so what it leaves open can
  /// be returned once its wins are no longer accepted. No Apply() after it.
  [[nodiscard]] virtual absl::Status Close(int64_t wall_nanos) = 0;

  /// Nothing for an account that never leased.
  [[nodiscard]] virtual std::optional<LeaseTotals> Totals(uint64_t account) const = 0;
  /// What is gone of one day's budget for good, by all processes: spent, or left open by a crash.
  /// Leased and not returned, without what is returnable.
  [[nodiscard]] virtual int64_t Gone(uint64_t account, int64_t day) const = 0;
  /// Those that are still remembered, in order of decision.
  [[nodiscard]] virtual absl::StatusOr<std::vector<LateWin>> LateWins() const = 0;
};

/// Keeps everything in memory: budgets that need not survive the process, simulations, tests.
class MemoryLeaseSource : public LeaseSource {
 public:
  [[nodiscard]] static std::unique_ptr<MemoryLeaseSource> Create(uint32_t epoch = 1);
  ~MemoryLeaseSource() override;

  [[nodiscard]] uint32_t epoch() const override;
  [[nodiscard]] absl::Status Apply(LeaseBatch* batch) override;
  [[nodiscard]] absl::Status Close(int64_t wall_nanos) override;
  [[nodiscard]] std::optional<LeaseTotals> Totals(uint64_t account) const override;
  [[nodiscard]] int64_t Gone(uint64_t account, int64_t day) const override;
  [[nodiscard]] absl::StatusOr<std::vector<LateWin>> LateWins() const override;

  /// As if the process had died here and been started anew: the next epoch, knowing all that was
  /// applied.
  void Restart(int64_t wall_nanos);

 private:
  struct State;
  explicit MemoryLeaseSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace adagents::ads
