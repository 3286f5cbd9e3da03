#include "ads/lease_book.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <tuple>

#include "adagents/base/status.h"

namespace adagents::ads::internal {
namespace {

constexpr uint32_t kLastEpoch = (1u << 24) - 1;
/// Closed processes' days older than this, counted from the account's newest, are one row.
constexpr int64_t kDaysKept = 62;
constexpr int64_t kLongAgo = -(int64_t{1} << 40);

absl::Status MoreThanLeased(const char* what, uint64_t account, int64_t day) {
  return MakeStatus(absl::StatusCode::kInternal,
                    std::string(what) + " more than was leased for account " +
                        std::to_string(account) + " on day " + std::to_string(day));
}

}  // namespace

void LeaseBook::LoadAccount(uint64_t account, Currency currency) {
  accounts_[account].currency = currency;
}

void LeaseBook::Load(const LeaseRow& row) {
  Account& account = accounts_[row.account];
  account.rows[{row.epoch, row.day}] = row;
  Count(account, row.day, row.leased - row.returned);
}

void LeaseBook::Load(const EpochRow& epoch) {
  epochs_[epoch.epoch] = epoch;
  epoch_ = std::max(epoch_, epoch.epoch);
}

std::optional<EpochRow> LeaseBook::Start(int64_t wall_nanos, std::vector<EpochRow>* crashed) {
  if (epoch_ >= kLastEpoch) return std::nullopt;
  for (auto& [number, epoch] : epochs_) {
    if (!epoch.running) continue;
    epoch.running = false;
    epoch.ended = std::max(wall_nanos, epoch.started);
    crashed->push_back(epoch);
  }
  const EpochRow mine{.epoch = ++epoch_, .started = wall_nanos};
  epochs_[mine.epoch] = mine;
  return mine;
}

EpochRow LeaseBook::EndWell(int64_t wall_nanos) {
  EpochRow& mine = epochs_[epoch_];
  mine.running = false;
  mine.ended = wall_nanos;
  mine.ended_well = true;
  return mine;
}

absl::Status LeaseBook::Apply(LeaseBatch* batch,
                              const std::function<bool(const LeaseLate&)>& known) {
  changes_.clear();
  CloseOldEpochs(batch->forget_nanos);
  absl::Status status;
  for (const LeaseReturn& what : batch->returns) status.Update(Return(what));
  for (const LeaseSpend& what : batch->spends) {
    status.Update(Spend(what.account, what.day, what.amount));
  }
  for (const LeaseUnlisted& what : batch->unlisted) {
    status.Update(Spend(what.account, what.day, what.amount));
  }
  std::set<std::tuple<uint64_t, uint32_t, uint64_t>> seen;  // in this batch
  for (LeaseLate& late : batch->lates) {
    const bool again = !seen.emplace(late.decision, late.imp, late.account).second;
    late.charged = late.newly_gone = 0;
    late.outcome = LateOutcome::kDuplicate;
    if (!again && !known(late)) SpendLate(late);
  }
  for (LeaseAsk& ask : batch->asks) Grant(ask);
  if (status.ok()) CollectChanges();
  return status;
}

void LeaseBook::Keep() {
  undo_.clear();
  closed_.clear();
}

void LeaseBook::TakeBack() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    Account& account = accounts_[undo->account];
    const auto now = account.rows.find(undo->key);
    if (now != account.rows.end()) {
      Count(account, now->second.day, now->second.returned - now->second.leased);
      account.rows.erase(now);
    }
    if (undo->before) Load(*undo->before);
  }
  for (const auto& [key, currency] : changes_.accounts) accounts_.erase(key);
  for (const EpochRow& epoch : closed_) epochs_[epoch.epoch] = epoch;
  undo_.clear();
  closed_.clear();
  changes_.clear();
}

std::optional<LeaseTotals> LeaseBook::Totals(uint64_t key) const {
  const auto found = accounts_.find(key);
  if (found == accounts_.end()) return std::nullopt;
  LeaseTotals totals{.currency = found->second.currency};
  for (const auto& [where, row] : found->second.rows) {
    totals.leased += row.leased;
    totals.spent += row.spent;
    totals.returned += row.returned;
    (row.epoch == kClosedEpoch ? totals.lost : totals.open) += row.left();
    if (IsReturnable(row.epoch)) totals.returnable += row.left();
  }
  return totals;
}

int64_t LeaseBook::Gone(uint64_t key, int64_t day) const {
  const auto found = accounts_.find(key);
  if (found == accounts_.end()) return 0;
  const auto charged = found->second.day_charged.find(day);
  if (charged == found->second.day_charged.end()) return 0;
  int64_t gone = charged->second;
  for (const auto& [where, row] : found->second.rows) {
    if (row.day == day && IsReturnable(row.epoch)) gone -= row.left();
  }
  return gone;
}

/// Whether what this process has open can still be returned.
bool LeaseBook::IsReturnable(uint32_t number) const {
  const auto epoch = epochs_.find(number);
  if (epoch == epochs_.end()) return false;
  return number == epoch_ || epoch->second.ended_well || reclaim_crashed_;
}

void LeaseBook::Count(Account& account, int64_t day, int64_t charged) {
  account.charged += charged;
  account.day_charged[day] += charged;
}

/// Notes what is there, before it changes.
void LeaseBook::Remember(Account& account, uint64_t key, RowKey row) {
  const auto found = account.rows.find(row);
  undo_.push_back({key, row, {}});
  if (found != account.rows.end()) undo_.back().before = found->second;
}

void LeaseBook::Set(Account& account, const LeaseRow& row) {
  const RowKey key{row.epoch, row.day};
  Remember(account, row.account, key);
  if (const auto& before = undo_.back().before; before) {
    Count(account, row.day, before->returned - before->leased);
  }
  Count(account, row.day, row.leased - row.returned);
  account.rows[key] = row;
}

void LeaseBook::Drop(Account& account, uint64_t key, RowKey row) {
  Remember(account, key, row);
  const LeaseRow& before = *undo_.back().before;
  Count(account, before.day, before.returned - before.leased);
  account.rows.erase(row);
}

LeaseRow LeaseBook::Current(Account& account, uint64_t key, int64_t day) const {
  const auto found = account.rows.find({epoch_, day});
  if (found != account.rows.end()) return found->second;
  return {.account = key, .epoch = epoch_, .day = day};
}

void LeaseBook::CloseOldEpochs(int64_t forget_nanos) {
  for (auto epoch = epochs_.begin(); epoch != epochs_.end();) {
    if (epoch->second.running || epoch->second.ended >= forget_nanos) {
      ++epoch;
      continue;
    }
    CloseEpoch(epoch->second);
    closed_.push_back(epoch->second);
    epoch = epochs_.erase(epoch);
  }
}

/// No win of it is accepted any more: its rows are added to those of all closed processes.
void LeaseBook::CloseEpoch(const EpochRow& epoch) {
  const bool give_back = epoch.ended_well || reclaim_crashed_;
  constexpr int64_t kFirstDay = std::numeric_limits<int64_t>::min();
  for (auto& [key, account] : accounts_) {
    bool closed = false;
    for (auto at = account.rows.lower_bound({epoch.epoch, kFirstDay});
         at != account.rows.end() && at->first.first == epoch.epoch;
         at = account.rows.lower_bound({epoch.epoch, kFirstDay})) {
      LeaseRow row = at->second;
      if (give_back) row.returned += row.left();
      MoveRow(account, row, {kClosedEpoch, row.day});
      closed = true;
    }
    if (closed) FoldOldDays(account);
  }
}

/// So that an account does not get a row for every day of its life.
void LeaseBook::FoldOldDays(Account& account) {
  const int64_t newest = account.day_charged.rbegin()->first;
  for (auto at = account.rows.lower_bound({kClosedEpoch, kLongAgo + 1});
       at != account.rows.end() && at->first.first == kClosedEpoch &&
       at->first.second < newest - kDaysKept;
       at = account.rows.lower_bound({kClosedEpoch, kLongAgo + 1})) {
    const LeaseRow row = at->second;
    MoveRow(account, row, {kClosedEpoch, kLongAgo});
    account.day_charged.erase(row.day);
  }
}

/// Adds `row`, which stands for the one with its account, epoch and day, to the one of `to`.
void LeaseBook::MoveRow(Account& account, LeaseRow row, RowKey to) {
  Drop(account, row.account, {row.epoch, row.day});
  const auto there = account.rows.find(to);
  std::tie(row.epoch, row.day) = to;
  if (there != account.rows.end()) {
    row.leased += there->second.leased;
    row.spent += there->second.spent;
    row.returned += there->second.returned;
  }
  Set(account, row);
}

absl::Status LeaseBook::Return(const LeaseReturn& what) {
  const auto found = accounts_.find(what.account);
  if (found == accounts_.end()) return MoreThanLeased("returned", what.account, what.day);
  Account& account = found->second;
  LeaseRow row = Current(account, what.account, what.day);
  if (what.amount < 0 || what.amount > row.left()) {
    return MoreThanLeased("returned", what.account, what.day);
  }
  row.returned += what.amount;
  Set(account, row);
  return absl::OkStatus();
}

absl::Status LeaseBook::Spend(uint64_t key, int64_t day, int64_t amount) {
  const auto found = accounts_.find(key);
  if (found == accounts_.end()) return MoreThanLeased("spent", key, day);
  Account& account = found->second;
  LeaseRow row = Current(account, key, day);
  if (amount < 0 || amount > row.left()) return MoreThanLeased("spent", key, day);
  row.spent += amount;
  Set(account, row);
  return absl::OkStatus();
}

void LeaseBook::SpendLate(LeaseLate& late) {
  late.outcome = LateOutcome::kUnknown;
  const auto found = accounts_.find(late.account);
  const auto epoch = static_cast<uint32_t>(late.decision >> 40);
  if (found == accounts_.end() || found->second.currency != late.currency) return;
  if (epoch == kClosedEpoch || epoch >= epoch_) return;
  // The day of the decision is not known any more, so the days with most left pay first. Each day
  // was leased within its own budget, whichever pays.
  std::vector<LeaseRow> rows;
  for (const auto& [where, row] : found->second.rows) {
    if (row.epoch == epoch) rows.push_back(row);
  }
  if (rows.empty()) return;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const LeaseRow& a, const LeaseRow& b) { return a.left() > b.left(); });
  for (LeaseRow& row : rows) {
    const int64_t part = std::min(late.amount - late.charged, row.left());
    if (part <= 0) break;
    row.spent += part;
    late.charged += part;
    if (IsReturnable(epoch)) late.newly_gone += part;
    Set(found->second, row);
  }
  late.outcome = late.charged == late.amount ? LateOutcome::kCharged : LateOutcome::kShort;
}

void LeaseBook::Grant(LeaseAsk& ask) {
  ask.granted = 0;
  const auto [found, is_new] = accounts_.try_emplace(ask.account);
  Account& account = found->second;
  if (is_new) {
    account.currency = ask.currency;
    changes_.accounts.emplace_back(ask.account, ask.currency);
  }
  if (account.currency != ask.currency) return;
  int64_t grant = std::max<int64_t>(ask.want, 0);
  if (ask.lifetime > 0) grant = std::min(grant, ask.lifetime - account.charged);
  if (ask.daily > 0) {
    const auto day = account.day_charged.find(ask.day);
    grant = std::min(grant, ask.daily - (day == account.day_charged.end() ? 0 : day->second));
  }
  if (grant <= 0) return;
  LeaseRow row = Current(account, ask.account, ask.day);
  row.leased += grant;
  Set(account, row);
  ask.granted = grant;
}

/// The last value of each row that was touched.
void LeaseBook::CollectChanges() {
  std::map<std::pair<uint64_t, RowKey>, bool> seen;
  for (const Undo& undo : undo_) {
    if (!seen.emplace(std::pair{undo.account, undo.key}, true).second) continue;
    const Account& account = accounts_[undo.account];
    const auto now = account.rows.find(undo.key);
    if (now != account.rows.end()) {
      changes_.put.push_back(now->second);
    } else if (undo.before) {  // the first undo of a row holds what it was before the batch
      changes_.gone.push_back(*undo.before);
    }
  }
  for (const EpochRow& epoch : closed_) changes_.epochs_gone.push_back(epoch.epoch);
}

}  // namespace adagents::ads::internal
