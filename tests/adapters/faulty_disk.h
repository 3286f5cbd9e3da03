// A disk in memory for SQLite that can fill up, fail to sync, and lose power: then what was not
// synced is there, not there, or there in part.
//
// What is modelled: every write and truncation is in the cache at once and on the disk after the
// next xSync of its file. A power loss keeps of each file, in order, any of the operations since
// then: whole, not at all, or only some of their sectors of 512 bytes. A sync that fails has
// written nothing, and, as on Linux, the operations that it was for are never tried again.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "adagents/base/random.h"

namespace adagents::testing {

/// Thread-compatible, as the store under test locks; `room` and `sync_fails` may be set at any
/// time.
class FaultyDisk {
 public:
  using Bytes = std::vector<unsigned char>;

  FaultyDisk() {
    static std::atomic<int> next{0};
    name_ = "faulty-" + std::to_string(++next);
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = {};
    vfs_.iVersion = 1;
    vfs_.szOsFile = sizeof(Handle);
    vfs_.mxPathname = 512;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = Open;
    vfs_.xDelete = Delete;
    vfs_.xAccess = Access;
    vfs_.xFullPathname = FullPathname;
    vfs_.xRandomness = [](sqlite3_vfs*, int n, char* out) {
      std::memset(out, 0, static_cast<size_t>(n));  // runs repeat
      return n;
    };
    vfs_.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
    vfs_.xCurrentTime = [](sqlite3_vfs*, double* out) {
      *out = 2461000.5;
      return SQLITE_OK;
    };
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  const std::string& vfs() const { return name_; }

  // What goes wrong.
  std::atomic<int64_t> room{std::numeric_limits<int64_t>::max()};  // bytes to grow by
  std::atomic<bool> sync_fails{false};
  /// Operations after which the power goes; every later one fails.
  int64_t dies_after = std::numeric_limits<int64_t>::max();
  bool dead() const { return operations_ >= dies_after; }
  int64_t operations() const { return operations_; }
  int64_t syncs = 0;

  /// The power is back: files are what `random` leaves of them.
  void PowerIsBack(Random& random) {
    for (auto& [name, file] : files_) {
      for (const Operation& operation : file.unsynced) {
        if (random.Chance(0.4)) continue;
        Apply(&file.synced, operation, random.Chance(0.5) ? &random : nullptr);
      }
      file.unsynced.clear();
      file.now = file.synced;
    }
    PowerOn();
  }
  /// The process was killed: the cache is intact.
  void PowerOn() {
    operations_ = 0;
    dies_after = std::numeric_limits<int64_t>::max();
  }

  std::map<std::string, Bytes> Image() const {
    std::map<std::string, Bytes> out;
    for (const auto& [name, file] : files_) out[name] = file.now;
    return out;
  }
  void Restore(const std::map<std::string, Bytes>& image) {
    files_.clear();
    for (const auto& [name, bytes] : image) files_[name] = {bytes, bytes, {}};
  }

 private:
  static constexpr size_t kSector = 512;

  struct Operation {
    size_t at;    // of a write
    Bytes bytes;  // empty: a truncation to `at`
  };
  struct File {
    Bytes now, synced;
    std::vector<Operation> unsynced;
  };
  struct Handle {
    sqlite3_file base;
    FaultyDisk* disk;
    File* file;
  };

  static void Apply(Bytes* to, const Operation& operation, Random* tear) {
    if (operation.bytes.empty()) {
      to->resize(operation.at);
      return;
    }
    const size_t end = operation.at + operation.bytes.size();
    if (to->size() < end) to->resize(end);
    for (size_t i = operation.at; i < end;) {
      const size_t next = std::min(end, (i / kSector + 1) * kSector);
      if (tear == nullptr || tear->Chance(0.5)) {
        std::copy(operation.bytes.begin() + static_cast<std::ptrdiff_t>(i - operation.at),
                  operation.bytes.begin() + static_cast<std::ptrdiff_t>(next - operation.at),
                  to->begin() + static_cast<std::ptrdiff_t>(i));
      }
      i = next;
    }
  }

  static FaultyDisk* Of(sqlite3_vfs* vfs) { return static_cast<FaultyDisk*>(vfs->pAppData); }
  static Handle* Of(sqlite3_file* file) { return reinterpret_cast<Handle*>(file); }
  /// Counts an operation; false when there is no power for it.
  bool Powered() {
    if (dead()) return false;
    ++operations_;
    return true;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int, int* flags) {
    static const sqlite3_io_methods kMethods = Methods();
    out->pMethods = nullptr;
    FaultyDisk* disk = Of(vfs);
    if (!disk->Powered()) return SQLITE_CANTOPEN;
    Handle* handle = Of(out);
    handle->disk = disk;
    handle->file = &disk->files_[name == nullptr ? "temporary" : name];
    handle->base.pMethods = &kMethods;
    if (flags != nullptr) *flags = SQLITE_OPEN_READWRITE;
    return SQLITE_OK;
  }
  static int Delete(sqlite3_vfs* vfs, const char* name, int) {
    if (!Of(vfs)->Powered()) return SQLITE_IOERR_DELETE;
    Of(vfs)->files_.erase(name);
    return SQLITE_OK;
  }
  static int Access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    *out = Of(vfs)->files_.count(name) != 0;
    return SQLITE_OK;
  }
  static int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static sqlite3_io_methods Methods() {
    sqlite3_io_methods io{};
    io.iVersion = 1;
    io.xClose = [](sqlite3_file*) { return SQLITE_OK; };
    io.xRead = Read;
    io.xWrite = Write;
    io.xTruncate = Truncate;
    io.xSync = Sync;
    io.xFileSize = [](sqlite3_file* file, sqlite3_int64* out) {
      *out = static_cast<sqlite3_int64>(Of(file)->file->now.size());
      return SQLITE_OK;
    };
    io.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
    io.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
    io.xCheckReservedLock = [](sqlite3_file*, int* out) {
      *out = 0;
      return SQLITE_OK;
    };
    io.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    io.xSectorSize = [](sqlite3_file*) { return static_cast<int>(kSector); };
    io.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    return io;
  }
  static int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    const Bytes& now = Of(file)->file->now;
    const auto from = static_cast<size_t>(at), wanted = static_cast<size_t>(size);
    const size_t there = from < now.size() ? std::min(wanted, now.size() - from) : 0;
    if (there > 0) std::memcpy(out, now.data() + from, there);
    if (there == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    FaultyDisk* disk = Of(file)->disk;
    File& data = *Of(file)->file;
    if (disk->dead()) return SQLITE_IOERR_WRITE;
    const auto* bytes = static_cast<const unsigned char*>(from);
    Operation operation{static_cast<size_t>(at), Bytes(bytes, bytes + size)};
    const auto end = static_cast<int64_t>(at) + size;
    const int64_t growth = std::max<int64_t>(0, end - static_cast<int64_t>(data.now.size()));
    if (growth > disk->room) return SQLITE_FULL;
    disk->room -= growth;
    Apply(&data.now, operation, nullptr);
    data.unsynced.push_back(std::move(operation));
    // The write at which the power goes may have reached the disk, too.
    return disk->Powered() && !disk->dead() ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (!Of(file)->disk->Powered()) return SQLITE_IOERR_TRUNCATE;
    File& data = *Of(file)->file;
    data.unsynced.push_back({static_cast<size_t>(size), {}});
    data.now.resize(static_cast<size_t>(size));
    return SQLITE_OK;
  }
  static int Sync(sqlite3_file* file, int) {
    FaultyDisk* disk = Of(file)->disk;
    File& data = *Of(file)->file;
    if (!disk->Powered()) return SQLITE_IOERR_FSYNC;
    ++disk->syncs;
    if (!disk->sync_fails) {
      for (const Operation& operation : data.unsynced) Apply(&data.synced, operation, nullptr);
    }
    data.unsynced.clear();
    return disk->sync_fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  }

  std::string name_;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  std::map<std::string, File> files_;
  int64_t operations_ = 0;
};

}  // namespace adagents::testing
