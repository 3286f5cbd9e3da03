#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "adapters/ledger_sqlite/sqlite.h"

namespace adagents::ledger_sqlite {
namespace {

constexpr uint64_t kMagic = 0x6c6165732d616461ULL;  // "ada-seal"
constexpr int kSlotBytes = 512;                     // a sector: tearing one slot leaves the other

struct Slot {
  uint64_t magic = kMagic;
  uint64_t number = 0;
  uint64_t hash = 0;

  [[nodiscard]] uint64_t Expected() const {
    return StableHash64({reinterpret_cast<const char*>(this), offsetof(Slot, hash)});
  }
};

}  // namespace

void Seal::Closer::operator()(sqlite3_file* file) const {
  if (file->pMethods != nullptr) file->pMethods->xClose(file);
  std::free(file);
}

absl::StatusOr<Seal> Seal::Open(sqlite3_vfs* vfs, std::string path, bool first_time) {
  Seal seal(std::move(path));
  seal.file_.reset(static_cast<sqlite3_file*>(std::calloc(1, static_cast<size_t>(vfs->szOsFile))));
  if (seal.file_ == nullptr) return ResourceExhausted("no memory to open " + seal.path_);
  // A super journal is the kind of file of which a VFS expects nothing in particular.
  int code =
      vfs->xOpen(vfs, seal.path_.c_str(), seal.file_.get(),
                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL, nullptr);
  if (code != SQLITE_OK) return ToStatus(code, "opening " + seal.path_, sqlite3_errstr(code));
  const sqlite3_io_methods* io = seal.file_->pMethods;
  sqlite3_int64 size = 0;
  code = io->xFileSize(seal.file_.get(), &size);
  if (code != SQLITE_OK) return ToStatus(code, "reading " + seal.path_, sqlite3_errstr(code));
  bool whole = false;
  for (int i = 0; i < 2 && size >= 2 * kSlotBytes; ++i) {
    Slot slot;
    code = io->xRead(seal.file_.get(), &slot, sizeof(slot), i * kSlotBytes);
    if (code != SQLITE_OK) return ToStatus(code, "reading " + seal.path_, sqlite3_errstr(code));
    if (slot.magic != kMagic || slot.hash != slot.Expected()) continue;
    whole = true;
    seal.number_ = std::max(seal.number_, slot.number);
  }
  if (whole) return seal;
  // It is synced before there is anything to seal. Absent, somebody has removed it.
  if (!first_time && size > 0) {
    return DataLoss(seal.path_ + ": neither of its two slots is whole");
  }
  const absl::Status status = seal.Make();
  if (!status.ok()) return status;
  return seal;
}

absl::Status Seal::Make() {
  const std::array<char, 2 * kSlotBytes> nothing{};
  const sqlite3_io_methods* io = file_->pMethods;
  int code = io->xWrite(file_.get(), nothing.data(), static_cast<int>(nothing.size()), 0);
  if (code != SQLITE_OK) return ToStatus(code, "writing " + path_, sqlite3_errstr(code));
  const absl::Status status = WriteSlot(0);
  if (!status.ok()) return status;
  code = io->xSync(file_.get(), SQLITE_SYNC_NORMAL);
  return ToStatus(code, "syncing " + path_, sqlite3_errstr(code));
}

absl::Status Seal::Write(uint64_t number) {
  const absl::Status status = WriteSlot(number);
  if (status.ok()) number_ = number;
  return status;
}

absl::Status Seal::WriteSlot(uint64_t number) {
  std::array<char, kSlotBytes> sector{};
  Slot slot;
  slot.number = number;
  slot.hash = slot.Expected();
  std::memcpy(sector.data(), &slot, sizeof(slot));
  const auto place = static_cast<sqlite3_int64>(number % 2) * kSlotBytes;
  const int code = file_->pMethods->xWrite(file_.get(), sector.data(), kSlotBytes, place);
  return ToStatus(code, "writing " + path_, sqlite3_errstr(code));
}

}  // namespace adagents::ledger_sqlite
