// Opening the store: the tables, and everything that is checked before a row is believed.
#include <array>
#include <string>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "adapters/ledger_sqlite/row_check.h"
#include "adapters/ledger_sqlite/store.h"

namespace adagents::ledger_sqlite {
namespace {

using ads::LateOutcome;
using ads::LateWin;
using ads::internal::EpochRow;
using ads::internal::LeaseRow;

constexpr int kVersion = 1;
constexpr int kApplication = 0x61646c67;  // "adlg"

struct Table {
  std::string_view name;
  std::string_view sql;
};
// "sum" is each row's check.
constexpr std::array<Table, 6> kTables{{
    {"meta",
     "CREATE TABLE meta(id INTEGER PRIMARY KEY,number INTEGER NOT NULL,digest INTEGER NOT NULL,"
     "sum INTEGER NOT NULL)"},
    {"epochs",
     "CREATE TABLE epochs(epoch INTEGER PRIMARY KEY,started INTEGER NOT NULL,"
     "ended INTEGER NOT NULL,ended_well INTEGER NOT NULL,running INTEGER NOT NULL,"
     "sum INTEGER NOT NULL)"},
    {"accounts",
     "CREATE TABLE accounts(account INTEGER PRIMARY KEY,currency INTEGER NOT NULL,"
     "sum INTEGER NOT NULL)"},
    {"leases",
     "CREATE TABLE leases(account INTEGER NOT NULL,epoch INTEGER NOT NULL,day INTEGER NOT NULL,"
     "leased INTEGER NOT NULL,spent INTEGER NOT NULL,returned INTEGER NOT NULL,"
     "sum INTEGER NOT NULL,PRIMARY KEY(account,epoch,day)) WITHOUT ROWID"},
    {"wins",
     "CREATE TABLE wins(decision INTEGER NOT NULL,imp INTEGER NOT NULL,account INTEGER NOT NULL,"
     "day INTEGER NOT NULL,amount INTEGER NOT NULL,wall INTEGER NOT NULL,sum INTEGER NOT NULL,"
     "PRIMARY KEY(decision,imp,account)) WITHOUT ROWID"},
    {"late",
     "CREATE TABLE late(decision INTEGER NOT NULL,imp INTEGER NOT NULL,account INTEGER NOT NULL,"
     "amount INTEGER NOT NULL,charged INTEGER NOT NULL,outcome INTEGER NOT NULL,"
     "wall INTEGER NOT NULL,sum INTEGER NOT NULL,PRIMARY KEY(decision,imp,account)) WITHOUT "
     "ROWID"},
}};

absl::Status Damaged(const std::string& path, std::string_view what) {
  return DataLoss("the ledger store " + path + " is damaged: " + std::string(what));
}

std::optional<Currency> Unpacked(int64_t packed) {
  const std::array<char, 3> code{static_cast<char>(packed >> 16), static_cast<char>(packed >> 8),
                                 static_cast<char>(packed)};
  return Currency::Parse({code.data(), code.size()});
}

/// Calls visit(row, check) -> bool for every row of `table`; DataLoss for the first row that is not
/// whole. Adds up the checks.
template <class F>
absl::Status EachRow(Database& db, std::string_view table, uint64_t* digest, F&& visit) {
  auto rows = db.Prepare("SELECT * FROM " + std::string(table));
  if (!rows.ok()) return rows.status();
  for (uint64_t n = 1;; ++n) {
    const auto next = rows->Next();
    if (!next.ok()) return next.status();
    if (!*next) return absl::OkStatus();
    uint64_t check = 0;
    if (!rows->AllNumbers() || !visit(*rows, &check)) {
      return Damaged(db.path(), "row " + std::to_string(n) + " of table " + std::string(table) +
                                    " does not match its checksum");
    }
    *digest += check;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalLeaseSource::Store>> LocalLeaseSource::Store::Open(
    const std::string& path, const LocalLeaseOptions& options) {
  auto db = Database::Open(path, options.vfs);
  if (!db.ok()) return db.status();
  std::unique_ptr<Store> store(new Store(*std::move(db), options));
  bool made = false;
  absl::Status status = store->Configure();
  if (status.ok()) status = store->CheckPages();
  if (status.ok()) status = store->MakeOrCheckTables(&made);
  if (status.ok()) status = store->PrepareAll();
  if (status.ok() && !made) status = store->LoadAll();
  if (status.ok()) status = store->Begin();
  if (!status.ok()) return status;
  return store;
}

absl::Status LocalLeaseSource::Store::Configure() {
  // Exclusive before the log is first touched: then SQLite needs no memory shared with others.
  absl::Status status = db_.Run("PRAGMA locking_mode=EXCLUSIVE");
  if (!status.ok()) return status;
  const auto mode = db_.Ask("PRAGMA journal_mode=WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return Unavailable(db_.path() + ": SQLite cannot use a write-ahead log here, but " + *mode);
  }
  const bool synced = options_.durability == Durability::kMachine;
  for (const std::string& pragma :
       {std::string("synchronous=") + (synced ? "FULL" : "OFF"),
        std::string("wal_autocheckpoint=0"), std::string("cell_size_check=ON"),
        std::string("mmap_size=0"), std::string("temp_store=MEMORY"),
        std::string("trusted_schema=OFF")}) {
    status.Update(db_.Run("PRAGMA " + pragma));
  }
  sqlite3_wal_hook(
      db_.get(),
      [](void* pages, sqlite3*, const char*, int now) {
        *static_cast<int*>(pages) = now;
        return SQLITE_OK;
      },
      &log_pages_);
  // Takes the lock for good.
  status.Update(db_.Run("BEGIN EXCLUSIVE"));
  if (status.ok()) status = db_.Run("COMMIT");
  return status;
}

absl::Status LocalLeaseSource::Store::CheckPages() {
  const auto verdict = db_.Ask("PRAGMA integrity_check(1)");
  if (!verdict.ok()) return verdict.status();
  return *verdict == "ok" ? absl::OkStatus() : Damaged(db_.path(), *verdict);
}

absl::Status LocalLeaseSource::Store::MakeOrCheckTables(bool* made) {
  const auto count = db_.Ask("SELECT count(*) FROM sqlite_schema");
  if (!count.ok()) return count.status();
  *made = *count == "0";
  sqlite3_vfs* vfs = nullptr;
  sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  if (vfs == nullptr) return Unavailable(db_.path() + ": SQLite does not say how it is opened");
  auto seal = Seal::Open(vfs, db_.path() + "-seal", *made);
  if (!seal.ok()) return seal.status();
  seal_ = *std::move(seal);
  if (*made) {
    if (seal_->number() > 0) {
      return Damaged(db_.path(), "it is empty, and its seal says that transaction " +
                                     std::to_string(seal_->number()) + " was acknowledged");
    }
    absl::Status status = db_.Run("BEGIN IMMEDIATE");
    for (const Table& table : kTables) status.Update(db_.Run(std::string(table.sql)));
    status.Update(db_.Run("PRAGMA user_version=" + std::to_string(kVersion)));
    status.Update(db_.Run("PRAGMA application_id=" + std::to_string(kApplication)));
    status.Update(db_.Run("INSERT INTO meta VALUES(1,0,0," +
                          std::to_string(static_cast<int64_t>(CheckOf(kMeta, 0, 0))) + ")"));
    if (status.ok()) status = db_.Run("COMMIT");
    return status;
  }
  const auto application = db_.Ask("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const auto version = db_.Ask("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*application != std::to_string(kApplication)) {
    return Damaged(db_.path(), "it is not a ledger store (application_id " + *application + ")");
  }
  if (*version != std::to_string(kVersion)) {
    return FailedPrecondition(db_.path() + " is a ledger store of version " + *version +
                              ", and this is version " + std::to_string(kVersion));
  }
  if (*count != std::to_string(kTables.size())) {
    return Damaged(db_.path(), "it has " + *count + " tables");
  }
  for (const Table& table : kTables) {
    const auto sql =
        db_.Ask("SELECT sql FROM sqlite_schema WHERE name='" + std::string(table.name) + "'");
    if (!sql.ok()) return sql.status();
    if (*sql != table.sql) return Damaged(db_.path(), "table " + std::string(table.name));
  }
  return absl::OkStatus();
}

absl::Status LocalLeaseSource::Store::PrepareAll() {
  const std::pair<Statement*, const char*> all[] = {
      {&sql_.put_meta, "INSERT OR REPLACE INTO meta VALUES(1,?,?,?)"},
      {&sql_.put_epoch, "INSERT OR REPLACE INTO epochs VALUES(?,?,?,?,?,?)"},
      {&sql_.drop_epoch, "DELETE FROM epochs WHERE epoch=? RETURNING sum"},
      {&sql_.put_account, "INSERT INTO accounts VALUES(?,?,?)"},
      {&sql_.put_lease, "INSERT OR REPLACE INTO leases VALUES(?,?,?,?,?,?,?)"},
      {&sql_.drop_lease, "DELETE FROM leases WHERE account=? AND epoch=? AND day=?"},
      {&sql_.get_lease_check, "SELECT sum FROM leases WHERE account=? AND epoch=? AND day=?"},
      {&sql_.put_win, "INSERT OR IGNORE INTO wins VALUES(?,?,?,?,?,?,?)"},
      {&sql_.find_win, "SELECT 1 FROM wins WHERE decision=? AND imp=? AND account=?"},
      {&sql_.oldest_wins,
       "SELECT decision,imp,account,wall,sum FROM wins ORDER BY decision,imp,account LIMIT ?"},
      {&sql_.drop_win, "DELETE FROM wins WHERE decision=? AND imp=? AND account=?"},
      {&sql_.put_late, "INSERT OR IGNORE INTO late VALUES(?,?,?,?,?,?,?,?)"},
      {&sql_.all_lates, "SELECT * FROM late ORDER BY decision,imp,account"},
      {&sql_.drop_late, "DELETE FROM late WHERE wall<? RETURNING sum"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = db_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status LocalLeaseSource::Store::LoadAll() {
  const auto same = [](const Statement& row, int column, uint64_t expected, uint64_t* check) {
    *check = static_cast<uint64_t>(row[column]);
    return *check == expected;
  };
  const auto word = [](int64_t value) { return static_cast<uint64_t>(value); };
  bool found = false;
  uint64_t ignored = 0, digest = 0;
  absl::Status status = EachRow(db_, "meta", &ignored, [&](const Statement& row, uint64_t* check) {
    meta_ = {word(row[1]), word(row[2])};
    found = row[0] == 1;
    return same(row, 3, CheckOf(kMeta, meta_.number, meta_.digest), check);
  });
  if (status.ok() && !found) status = Damaged(db_.path(), "the row of table meta is missing");
  if (!status.ok()) return status;
  if (meta_.number < seal_->number()) {
    return Damaged(db_.path(), "transaction " + std::to_string(seal_->number()) +
                                   " was acknowledged, and " + std::to_string(meta_.number) +
                                   " is the last that is there");
  }
  status.Update(EachRow(db_, "epochs", &digest, [&](const Statement& row, uint64_t* check) {
    const EpochRow epoch{static_cast<uint32_t>(row[0]), row[1], row[2], row[3] != 0, row[4] != 0};
    book_.Load(epoch);
    return same(row, 5, CheckOf(epoch), check);
  }));
  status.Update(EachRow(db_, "accounts", &digest, [&](const Statement& row, uint64_t* check) {
    const auto currency = Unpacked(row[1]);
    if (!currency) return false;
    book_.LoadAccount(word(row[0]), *currency);
    return same(row, 2, CheckOf(kAccount, word(row[0]), row[1]), check);
  }));
  status.Update(EachRow(db_, "leases", &digest, [&](const Statement& row, uint64_t* check) {
    const LeaseRow lease{word(row[0]), static_cast<uint32_t>(row[1]), row[2], row[3], row[4],
                         row[5]};
    book_.Load(lease);
    return same(row, 6, CheckOf(lease), check);
  }));
  status.Update(EachRow(db_, "wins", &digest, [&](const Statement& row, uint64_t* check) {
    return same(row, 6, CheckOf(kWin, row[0], row[1], row[2], row[3], row[4], row[5]), check);
  }));
  status.Update(EachRow(db_, "late", &digest, [&](const Statement& row, uint64_t* check) {
    return same(row, 7, CheckOf(kLate, row[0], row[1], row[2], row[3], row[4], row[5], row[6]),
                check);
  }));
  if (!status.ok()) return status;
  if (digest != meta_.digest) {
    return Damaged(db_.path(), "rows are missing, or are of another moment than the others");
  }
  return absl::OkStatus();
}

/// Ends the process before as crashed, unless it has ended well, and starts this one.
absl::Status LocalLeaseSource::Store::Begin() {
  const int64_t now = absl::ToUnixNanos(options_.clock->WallNow());
  std::vector<EpochRow> crashed;
  const auto mine = book_.Start(now, &crashed);
  if (!mine) return ResourceExhausted(db_.path() + ": all 2^24 epochs are used");
  const absl::Status status = Transact([&] {
    absl::Status written = WriteEpoch(*mine);
    for (const EpochRow& epoch : crashed) written.Update(WriteEpoch(epoch));
    written.Update(ForgetLates(now - absl::ToInt64Nanoseconds(options_.keep_late_wins)));
    return written;
  });
  if (!status.ok()) return status;
  AfterWriting();
  return broken_;
}

}  // namespace adagents::ledger_sqlite
