#include "adapters/ledger_sqlite/sqlite.h"

#include <utility>

#include "adagents/base/status.h"

namespace adagents::ledger_sqlite {

absl::Status ToStatus(int code, std::string_view what, std::string_view message) {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return absl::OkStatus();
  const std::string text = std::string(what) + ": " + std::string(message) + " (SQLite's code " +
                           std::to_string(code) + ")";
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ResourceExhausted(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
      return DataLoss(text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return FailedPrecondition(text + "; another process has it open");
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
      return DataLoss(text);  // our statements are right: the tables are not
    default:
      return Unavailable(text);
  }
}

void Statement::Bind(std::initializer_list<int64_t> values) {
  sqlite3_reset(statement_.get());
  int place = 0;
  for (const int64_t value : values) sqlite3_bind_int64(statement_.get(), ++place, value);
}

absl::StatusOr<bool> Statement::Next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const absl::Status status = ToStatus(code, sqlite3_sql(statement_.get()), sqlite3_errmsg(db_));
  sqlite3_reset(statement_.get());
  return status;
}

absl::Status Statement::Run(std::initializer_list<int64_t> values) {
  Bind(values);
  const absl::Status status = Next().status();
  Reset();
  return status;
}

bool Statement::AllNumbers() const {
  for (int i = 0; i < sqlite3_column_count(statement_.get()); ++i) {
    if (sqlite3_column_type(statement_.get(), i) != SQLITE_INTEGER) return false;
  }
  return true;
}

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

absl::StatusOr<Database> Database::Open(const std::string& path, const std::string& vfs) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      vfs.empty() ? nullptr : vfs.c_str());
  Database db(raw);
  if (code != SQLITE_OK) {
    return ToStatus(code, "opening " + path, raw == nullptr ? "" : sqlite3_errmsg(raw));
  }
  return db;
}

absl::Status Database::Run(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return ToStatus(code, sql, sqlite3_errmsg(db_.get()));
}

absl::StatusOr<Statement> Database::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr);
  if (code != SQLITE_OK) return ToStatus(code, sql, sqlite3_errmsg(db_.get()));
  return Statement(db_.get(), statement);
}

absl::StatusOr<std::string> Database::Ask(const std::string& sql) {
  auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const auto row = statement->Next();
  if (!row.ok()) return row.status();
  return *row ? statement->Text(0) : std::string();
}

absl::Status Database::Checkpoint(bool all) {
  const int mode = all ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(db_.get(), nullptr, mode, nullptr, nullptr);
  return ToStatus(code, "moving the log into the file", sqlite3_errmsg(db_.get()));
}

}  // namespace adagents::ledger_sqlite
