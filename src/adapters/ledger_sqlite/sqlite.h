// The little of SQLite that the store needs, with statuses for its result codes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace adagents::ledger_sqlite {

/// The error for an SQLite result code; `what` was being done.
absl::Status ToStatus(int code, std::string_view what, std::string_view message);

/// A prepared statement over whole numbers. Thread-compatible.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, sqlite3_stmt* statement)
      : db_(db), statement_(statement, sqlite3_finalize) {}

  /// Runs it to its end.
  absl::Status Run(std::initializer_list<int64_t> values);
  /// Begins it anew; then Next() goes from row to row.
  void Bind(std::initializer_list<int64_t> values);
  absl::StatusOr<bool> Next();
  [[nodiscard]] int64_t operator[](int column) const {
    return sqlite3_column_int64(statement_.get(), column);
  }
  /// Whether every column of the row is a whole number.
  [[nodiscard]] bool AllNumbers() const;
  [[nodiscard]] std::string Text(int column) const;
  void Reset() { sqlite3_reset(statement_.get()); }

 private:
  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_{nullptr, sqlite3_finalize};
};

/// A connection of which there is one. Thread-compatible.
class Database {
 public:
  static absl::StatusOr<Database> Open(const std::string& path, const std::string& vfs);

  absl::Status Run(const std::string& sql);
  absl::StatusOr<Statement> Prepare(const std::string& sql);
  /// The first column of the first row; empty when there is none.
  absl::StatusOr<std::string> Ask(const std::string& sql);
  /// Moves the log into the file; `all`: and empties the log.
  absl::Status Checkpoint(bool all);

  [[nodiscard]] sqlite3* get() const { return db_.get(); }
  [[nodiscard]] std::string path() const { return sqlite3_db_filename(db_.get(), "main"); }

 private:
  explicit Database(sqlite3* db) : db_(db, sqlite3_close_v2) {}
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_;
};

/// The number of the last transaction that was acknowledged, in a file of its own: two slots,
/// written in turn, so that one is whole whatever happens. Thread-compatible.
class Seal {
 public:
  /// Makes the file if there is none, with number 0. DataLoss when no slot is whole, unless it is
  /// the `first_time`.
  static absl::StatusOr<Seal> Open(sqlite3_vfs* vfs, std::string path, bool first_time);

  [[nodiscard]] uint64_t number() const { return number_; }
  absl::Status Write(uint64_t number);

 private:
  struct Closer {
    void operator()(sqlite3_file* file) const;
  };
  explicit Seal(std::string path) : path_(std::move(path)) {}
  absl::Status Make();
  absl::Status WriteSlot(uint64_t number);

  std::string path_;
  std::unique_ptr<sqlite3_file, Closer> file_;
  uint64_t number_ = 0;
};

}  // namespace adagents::ledger_sqlite
