#include "adapters/ledger_sqlite/store.h"

#include <utility>

#include "adagents/base/status.h"
#include "adapters/ledger_sqlite/row_check.h"

namespace adagents::ledger_sqlite {
namespace {

using ads::LateOutcome;
using ads::LateWin;
using ads::LeaseBatch;
using ads::LeaseLate;
using ads::LeaseSpend;
using ads::internal::EpochRow;
using ads::internal::LeaseRow;

/// Wins are forgotten, a few at a time, whenever so many more have been written.
constexpr size_t kForgetEvery = 1024;
constexpr size_t kForgetMost = 4096;
/// The log is moved into the file when it has so many pages: SQLite's own default.
constexpr int kCheckpointPages = 1000;

int64_t Packed(Currency currency) {
  const std::string_view code = currency.code();
  return int64_t{code[0]} << 16 | int64_t{code[1]} << 8 | int64_t{code[2]};
}

int64_t Word(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

absl::Status LocalLeaseSource::Store::Transact(const std::function<absl::Status()>& write) {
  if (!broken_.ok()) return broken_;
  const Meta before = meta_;
  absl::Status status = db_.Run("BEGIN IMMEDIATE");
  if (status.ok()) status = write();
  if (status.ok()) {
    ++meta_.number;
    status = sql_.put_meta.Run(
        {Word(meta_.number), Word(meta_.digest), Word(CheckOf(kMeta, meta_.number, meta_.digest))});
  }
  if (status.ok()) status = db_.Run("COMMIT");
  if (status.ok()) return status;
  meta_ = before;
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    const absl::Status undone = db_.Run("ROLLBACK");
    if (!undone.ok()) broken_ = Unavailable("cannot undo a transaction: " + undone.ToString());
  }
  // A full disk refuses before anything is changed. After any other failure it is not known what
  // has reached the disk.
  if (status.code() != absl::StatusCode::kResourceExhausted) broken_ = status;
  return status;
}

absl::Status LocalLeaseSource::Store::Apply(LeaseBatch* batch) {
  const std::lock_guard lock(mutex_);
  if (closed_) return FailedPrecondition("the lease source was closed");
  if (!broken_.ok()) return broken_;
  absl::Status status = book_.Apply(batch, [this](const LeaseLate& late) {
    sql_.find_win.Bind({Word(late.decision), late.imp, Word(late.account)});
    const auto found = sql_.find_win.Next();
    if (!found.ok()) broken_ = found.status();
    const bool known = found.ok() && *found;
    sql_.find_win.Reset();
    return known;
  });
  if (status.ok()) status = broken_;
  const bool nothing = book_.changes().empty() && batch->spends.empty() && batch->lates.empty();
  if (status.ok() && !nothing) status = Transact([&] { return WriteBatch(*batch); });
  if (!status.ok()) {
    book_.TakeBack();
    return status;
  }
  book_.Keep();
  if (!nothing) AfterWriting();
  return absl::OkStatus();
}

/// The transaction has happened; what fails now fails the next one.
void LocalLeaseSource::Store::AfterWriting() {
  if (options_.durability == Durability::kMachine) broken_.Update(seal_->Write(meta_.number));
  if (log_pages_ < kCheckpointPages) return;
  // By ourselves, for SQLite's own checkpoints keep their errors to themselves.
  const absl::Status moved = db_.Checkpoint(false);
  if (moved.code() != absl::StatusCode::kResourceExhausted) broken_.Update(moved);
}

absl::Status LocalLeaseSource::Store::WriteBatch(const LeaseBatch& batch) {
  absl::Status status;
  const ads::internal::LeaseChanges& changes = book_.changes();
  for (const auto& [account, currency] : changes.accounts) {
    const uint64_t check = CheckOf(kAccount, account, Packed(currency));
    status.Update(sql_.put_account.Run({Word(account), Packed(currency), Word(check)}));
    meta_.digest += check;
  }
  for (const LeaseRow& row : changes.gone) status.Update(DropLease(row));
  for (const LeaseRow& row : changes.put) status.Update(WriteLease(row));
  for (const uint32_t epoch : changes.epochs_gone) {
    sql_.drop_epoch.Bind({epoch});
    const auto dropped = sql_.drop_epoch.Next();
    if (!dropped.ok()) return dropped.status();
    if (*dropped) meta_.digest -= static_cast<uint64_t>(sql_.drop_epoch[0]);
    sql_.drop_epoch.Reset();
  }
  for (const LeaseSpend& win : batch.spends) {
    status.Update(
        WriteWin(win.decision, win.imp, win.account, win.day, win.amount, batch.wall_nanos));
    if (!win.late) continue;
    status.Update(WriteLate({win.decision, win.imp, win.account, win.amount, win.amount,
                             LateOutcome::kCharged, batch.wall_nanos}));
  }
  for (const LeaseLate& win : batch.lates) {
    if (win.outcome == LateOutcome::kDuplicate) continue;
    status.Update(WriteWin(win.decision, win.imp, win.account, 0, win.charged, batch.wall_nanos));
    status.Update(WriteLate({win.decision, win.imp, win.account, win.amount, win.charged,
                             win.outcome, batch.wall_nanos}));
  }
  if (status.ok() && wins_since_forgetting_ >= kForgetEvery) {
    status = ForgetWins(batch.forget_nanos);
    status.Update(
        ForgetLates(batch.wall_nanos - absl::ToInt64Nanoseconds(options_.keep_late_wins)));
    wins_since_forgetting_ = 0;
  }
  return status;
}

absl::Status LocalLeaseSource::Store::WriteEpoch(const EpochRow& epoch) {
  sql_.drop_epoch.Bind({epoch.epoch});
  const auto dropped = sql_.drop_epoch.Next();
  if (!dropped.ok()) return dropped.status();
  if (*dropped) meta_.digest -= static_cast<uint64_t>(sql_.drop_epoch[0]);
  sql_.drop_epoch.Reset();
  const uint64_t check = CheckOf(epoch);
  meta_.digest += check;
  return sql_.put_epoch.Run(
      {epoch.epoch, epoch.started, epoch.ended, epoch.ended_well, epoch.running, Word(check)});
}

absl::Status LocalLeaseSource::Store::WriteLease(const LeaseRow& row) {
  sql_.get_lease_check.Bind({Word(row.account), row.epoch, row.day});
  const auto there = sql_.get_lease_check.Next();
  if (!there.ok()) return there.status();
  if (*there) meta_.digest -= static_cast<uint64_t>(sql_.get_lease_check[0]);
  sql_.get_lease_check.Reset();
  const uint64_t check = CheckOf(row);
  meta_.digest += check;
  return sql_.put_lease.Run(
      {Word(row.account), row.epoch, row.day, row.leased, row.spent, row.returned, Word(check)});
}

absl::Status LocalLeaseSource::Store::DropLease(const LeaseRow& row) {
  meta_.digest -= CheckOf(row);
  return sql_.drop_lease.Run({Word(row.account), row.epoch, row.day});
}

absl::Status LocalLeaseSource::Store::WriteWin(uint64_t decision, uint32_t imp, uint64_t account,
                                               int64_t day, int64_t amount, int64_t wall) {
  const uint64_t check = CheckOf(kWin, decision, imp, account, day, amount, wall);
  const absl::Status status =
      sql_.put_win.Run({Word(decision), imp, Word(account), day, amount, wall, Word(check)});
  if (status.ok() && sqlite3_changes(db_.get()) == 1) meta_.digest += check;
  ++wins_since_forgetting_;
  return status;
}

absl::Status LocalLeaseSource::Store::WriteLate(const LateWin& late) {
  const uint64_t check = CheckOf(late);
  const absl::Status status = sql_.put_late.Run(
      {Word(late.decision), late.imp, Word(late.account), late.amount, late.charged,
       static_cast<int64_t>(late.outcome), late.wall_nanos, Word(check)});
  if (status.ok() && sqlite3_changes(db_.get()) == 1) meta_.digest += check;
  return status;
}

/// Decisions are numbered in order of time, so the oldest wins stand first.
absl::Status LocalLeaseSource::Store::ForgetWins(int64_t before) {
  struct Old {
    int64_t decision, imp, account;
    uint64_t check;
  };
  std::vector<Old> old;
  sql_.oldest_wins.Bind({static_cast<int64_t>(kForgetMost)});
  for (;;) {
    const auto next = sql_.oldest_wins.Next();
    if (!next.ok()) return next.status();
    if (!*next || sql_.oldest_wins[3] >= before) break;
    old.push_back({sql_.oldest_wins[0], sql_.oldest_wins[1], sql_.oldest_wins[2],
                   static_cast<uint64_t>(sql_.oldest_wins[4])});
  }
  sql_.oldest_wins.Reset();
  absl::Status status;
  for (const Old& win : old) {
    meta_.digest -= win.check;
    status.Update(sql_.drop_win.Run({win.decision, win.imp, win.account}));
  }
  return status;
}

absl::Status LocalLeaseSource::Store::ForgetLates(int64_t before) {
  sql_.drop_late.Bind({before});
  for (;;) {
    const auto next = sql_.drop_late.Next();
    if (!next.ok()) return next.status();
    if (!*next) break;
    meta_.digest -= static_cast<uint64_t>(sql_.drop_late[0]);
  }
  sql_.drop_late.Reset();
  return absl::OkStatus();
}

absl::Status LocalLeaseSource::Store::Close(int64_t wall_nanos) {
  const std::lock_guard lock(mutex_);
  if (closed_) return absl::OkStatus();
  const EpochRow mine = book_.EndWell(wall_nanos);
  absl::Status status = Transact([&] { return WriteEpoch(mine); });
  if (!status.ok()) return status;
  closed_ = true;
  AfterWriting();
  if (broken_.ok()) broken_.Update(db_.Checkpoint(true));
  return broken_;
}

int64_t LocalLeaseSource::Store::Gone(uint64_t account, int64_t day) const {
  const std::lock_guard lock(mutex_);
  return book_.Gone(account, day);
}

std::optional<ads::LeaseTotals> LocalLeaseSource::Store::Totals(uint64_t account) const {
  const std::lock_guard lock(mutex_);
  return book_.Totals(account);
}

absl::StatusOr<std::vector<LateWin>> LocalLeaseSource::Store::LateWins() const {
  const std::lock_guard lock(mutex_);
  std::vector<LateWin> out;
  Statement& rows = sql_.all_lates;
  rows.Bind({});
  for (;;) {
    const auto next = rows.Next();
    if (!next.ok()) return next.status();
    if (!*next) break;
    out.push_back({static_cast<uint64_t>(rows[0]), static_cast<uint32_t>(rows[1]),
                   static_cast<uint64_t>(rows[2]), rows[3], rows[4],
                   static_cast<LateOutcome>(rows[5]), rows[6]});
  }
  rows.Reset();
  return out;
}

absl::StatusOr<bool> LocalLeaseSource::Store::Knows(uint64_t decision, uint32_t imp,
                                                    uint64_t account) const {
  const std::lock_guard lock(mutex_);
  sql_.find_win.Bind({Word(decision), imp, Word(account)});
  auto found = sql_.find_win.Next();
  sql_.find_win.Reset();
  return found;
}

absl::StatusOr<std::unique_ptr<LocalLeaseSource>> LocalLeaseSource::Open(
    std::string_view path, LocalLeaseOptions options) {
  if (options.clock == nullptr) options.clock = &SystemClock::Get();
  auto store = Store::Open(std::string(path), options);
  if (!store.ok()) return store.status();
  return std::unique_ptr<LocalLeaseSource>(new LocalLeaseSource(*std::move(store)));
}

LocalLeaseSource::LocalLeaseSource(std::unique_ptr<Store> store) : store_(std::move(store)) {}
LocalLeaseSource::~LocalLeaseSource() = default;
uint32_t LocalLeaseSource::epoch() const { return store_->epoch(); }
absl::Status LocalLeaseSource::Apply(LeaseBatch* batch) { return store_->Apply(batch); }
absl::Status LocalLeaseSource::Close(int64_t wall_nanos) { return store_->Close(wall_nanos); }
int64_t LocalLeaseSource::Gone(uint64_t account, int64_t day) const {
  return store_->Gone(account, day);
}
std::optional<ads::LeaseTotals> LocalLeaseSource::Totals(uint64_t account) const {
  return store_->Totals(account);
}
absl::StatusOr<std::vector<LateWin>> LocalLeaseSource::LateWins() const {
  return store_->LateWins();
}
absl::StatusOr<bool> LocalLeaseSource::Knows(uint64_t decision, uint32_t imp,
                                             uint64_t account) const {
  return store_->Knows(decision, imp, account);
}

}  // namespace adagents::ledger_sqlite
