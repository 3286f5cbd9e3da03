#include "adagents/blackboard/region.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "adagents/base/deadline.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/internal/region_format.h"

namespace adagents {
namespace {

using internal::Differs;
using internal::FieldText;

// Random access over more than this is mostly misses in the address translation cache with small
// pages; large ones are asked for, and their absence does no harm.
constexpr size_t kWorthLargePages = size_t{4} << 20;

// Whoever touches a large page first waits for the kernel to find and clear it, some 0.3 to 5 ms.
// Up to this much is therefore touched when it is made, and not by the first decisions.
constexpr size_t kTouchedAtOnce = size_t{64} << 20;

void AskForLargePages(void* memory, size_t bytes) {
  if (bytes < kWorthLargePages) return;
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
}

// A file that another process makes at the same moment appears or vanishes between two looks.
constexpr int kOpenTries = 3;

constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

size_t ToPages(size_t bytes) { return RoundUp(bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE))); }

absl::Status SystemError(const std::string& path, const char* what, int error) {
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  if (error == ENOENT) code = absl::StatusCode::kNotFound;
  if (error == EACCES || error == EPERM || error == EROFS) {
    code = absl::StatusCode::kPermissionDenied;
  }
  if (error == ENOSPC || error == EDQUOT || error == ENOMEM || error == EFBIG) {
    code = absl::StatusCode::kResourceExhausted;
  }
  return MakeStatus(code, path + ": " + what + ": " + std::generic_category().message(error));
}

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

absl::StatusOr<std::string> BootOf(const RegionOptions& options) {
  const std::string boot =
      options.boot.empty() ? FirstLine("/proc/sys/kernel/random/boot_id") : options.boot;
  // Without it steady times of two boots could not be told apart.
  if (boot.empty()) return Unavailable("/proc/sys/kernel/random/boot_id: cannot be read");
  return boot.substr(0, sizeof(RegionHeader::boot) - 1);
}

std::string HostOf(const RegionOptions& options) {
  std::string host = options.host.empty() ? FirstLine("/etc/machine-id") : options.host;
  utsname names{};
  if (host.empty() && uname(&names) == 0) host = names.nodename;
  return host.substr(0, sizeof(RegionHeader::host) - 1);
}

template <size_t N>
void SetText(char (&field)[N], std::string_view text) {
  std::memset(field, 0, N);
  text.copy(field, N - 1);  // an empty text may have no data at all
}

RegionHeader FreshHeader(size_t bytes) {
  RegionHeader header{};
  header.magic = RegionHeader::kMagic;
  header.layout_version = RegionHeader::kLayoutVersion;
  header.owner_epoch = 1;
  header.bytes = bytes;
  SetText(header.hash_name, kStableHashName);
  return header;
}

// Closes on return unless it is kept.
struct FileDescriptor {
  int fd;
  explicit FileDescriptor(int opened) : fd(opened) {}
  ~FileDescriptor() {
    if (fd >= 0) close(fd);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int Keep() { return std::exchange(fd, -1); }
};

absl::Status Lock(int fd, const std::string& path) {
  // Belongs to the open file and not to the process: a second Open() in this process fails too.
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Unavailable(path + ": another writer has it open");
    if (errno != EINTR) return SystemError(path, "flock", errno);
  }
  return absl::OkStatus();
}

absl::Status SizeOf(int fd, const std::string& path, size_t* size) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return SystemError(path, "fstat", errno);
  if (!S_ISREG(facts.st_mode)) return InvalidArgument(path + ": not a regular file: not a region");
  *size = static_cast<size_t>(facts.st_size);
  return absl::OkStatus();
}

// Whether the file that was opened is still the one of that name, and has no other name.
bool IsStill(int fd, const std::string& path, bool alone) {
  struct stat opened {
  }, named{};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev &&
         (!alone || opened.st_nlink == 1);
}

// Makes a file that may have lain there before one of ours: another user's could be changed by
// them.
absl::Status Own(int fd, const std::string& path, uint32_t permissions) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return SystemError(path, "fstat", errno);
  if (facts.st_uid != geteuid()) return SystemError(path, "belongs to another user", EPERM);
  if (fchmod(fd, static_cast<mode_t>(permissions)) != 0) return SystemError(path, "fchmod", errno);
  return absl::OkStatus();
}

bool LeadsNowhere(const std::string& path) {
  struct stat facts {};
  return lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode) &&
         stat(path.c_str(), &facts) != 0 && errno == ENOENT;
}

}  // namespace

// Anonymous memory --------------------------------------------------------------------------------

Region::Region(size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  bytes_ = ToPages(std::max(bytes, size_t{1}));
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  AskForLargePages(memory, bytes_);
#ifdef MADV_POPULATE_WRITE
  if (bytes_ >= kWorthLargePages && bytes_ <= kTouchedAtOnce) {
    (void)madvise(memory, bytes_, MADV_POPULATE_WRITE);
  }
#endif
  base_ = static_cast<char*>(memory);
  header_ = FreshHeader(bytes_);
}

Region::~Region() { Close(); }

Region::Region(Region&& other) noexcept { *this = std::move(other); }

Region& Region::operator=(Region&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(fd_, other.fd_);
  std::swap(reopened_, other.reopened_);
  std::swap(path_, other.path_);
  std::swap(clock_, other.clock_);
  std::swap(header_, other.header_);
  std::swap(objects_, other.objects_);
  std::swap(uses_, other.uses_);
  std::swap(pending_, other.pending_);
  std::swap(status_, other.status_);
  return *this;
}

void* Region::Allocate(size_t bytes) {
  if (fd_ >= 0 || bytes > bytes_) return nullptr;
  const uint64_t size = RoundUp(bytes, kCacheLine);
  if (size > header_.bytes - header_.used) return nullptr;
  void* out = base_ + header_.used;
  header_.used += size;
  return out;
}

// Files -------------------------------------------------------------------------------------------

size_t Region::FileOverhead() { return internal::kFirstObject; }

absl::StatusOr<Region> Region::Open(const std::string& path, const RegionOptions& options) {
  for (int i = 0; i < kOpenTries; ++i) {
    Region region;
    region.path_ = path;
    if (options.clock != nullptr) region.clock_ = options.clock;
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (file.fd < 0 && errno != ENOENT) return SystemError(path, "open", errno);
    if (file.fd >= 0) {
      size_t size = 0;
      absl::Status status = SizeOf(file.fd, path, &size);
      if (status.ok()) status = Lock(file.fd, path);
      if (status.ok() && !IsStill(file.fd, path, /*alone=*/false)) continue;
      if (status.ok()) status = SizeOf(file.fd, path, &size);  // as its last writer left it
      if (status.ok()) status = region.Adopt(file.fd, size, options);
      if (!status.ok()) {
        region.fd_ = -1;  // refused: left as it is
        return status;
      }
      // Of a creation that was killed after the region had its name.
      const std::string other_name = path + ".new";
      if (IsStill(file.fd, other_name, /*alone=*/false)) (void)unlink(other_name.c_str());
      file.Keep();
      return region;
    }

    // A new region appears under its name only when it is whole, so that a kill meanwhile leaves
    // nothing there, and what is there and not whole was damaged.
    const std::string unfinished = path + ".new";
    FileDescriptor fresh(open(unfinished.c_str(),
                              O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
                              static_cast<mode_t>(options.permissions)));
    if (fresh.fd < 0) return SystemError(unfinished, "open", errno);
    size_t size = 0;
    absl::Status status = SizeOf(fresh.fd, unfinished, &size);
    if (status.ok()) status = Lock(fresh.fd, unfinished);
    if (!status.ok()) return status;
    if (!IsStill(fresh.fd, unfinished, /*alone=*/true)) {
      // Another process has finished it, and it is the region now.
      if (IsStill(fresh.fd, unfinished, /*alone=*/false)) (void)unlink(unfinished.c_str());
      continue;
    }
    status = Own(fresh.fd, unfinished, options.permissions);
    if (!status.ok()) return status;
    status = region.Create(fresh.fd, std::max(options.bytes, FileOverhead()), options);
    if (!status.ok()) {
      region.fd_ = -1;
      (void)unlink(unfinished.c_str());
      return status;
    }
    const int failed = link(unfinished.c_str(), path.c_str()) == 0 ? 0 : errno;
    if (failed == 0) {
      (void)unlink(unfinished.c_str());
      fresh.Keep();
      return region;
    }
    region.fd_ = -1;
    (void)unlink(unfinished.c_str());
    if (failed != EEXIST) return SystemError(path, "link", failed);
    if (LeadsNowhere(path)) return SystemError(path, "a link to a file that is not there", ENOENT);
  }
  return Unavailable(path + ": is being made and removed by others");
}

absl::Status Region::Map(int fd, size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return SystemError(path_, "mmap", errno);
  base_ = static_cast<char*>(memory);
  bytes_ = bytes;
  AskForLargePages(memory, bytes);
  return absl::OkStatus();
}

absl::Status Region::Create(int fd, size_t bytes, const RegionOptions& options) {
  const auto boot = BootOf(options);
  if (!boot.ok()) return boot.status();
  if (bytes > static_cast<size_t>(std::numeric_limits<off_t>::max()) / 2) {
    return ResourceExhausted(path_ + ": " + std::to_string(bytes) + " bytes are too many");
  }
  bytes = ToPages(bytes);
  // Emptied first: a creation that was killed may have left something.
  if (ftruncate(fd, 0) != 0) return SystemError(path_, "ftruncate", errno);
  int failed = EINTR;
  while (failed == EINTR) failed = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (failed != 0) return SystemError(path_, "posix_fallocate", failed);
  if (absl::Status status = Map(fd, bytes); !status.ok()) return status;

  header_ = FreshHeader(bytes);
  header_.used = internal::kFirstObject;
  header_.schema_hash = internal::SchemaHash({});
  header_.schema_version = options.schema_version;
  header_.writer_pid = getpid();
  SetText(header_.host, HostOf(options));
  SetText(header_.boot, *boot);
  StampTimes();
  internal::WriteHeader(base_, header_);
  internal::WriteFront(base_);
  fd_ = fd;
  return absl::OkStatus();
}

absl::Status Region::Adopt(int fd, size_t bytes, const RegionOptions& options) {
  const auto boot = BootOf(options);
  if (!boot.ok()) return boot.status();
  if (bytes == 0) return DataLoss(Differs(path_, "size", internal::kFirstObject, 0));
  if (absl::Status status = Map(fd, bytes); !status.ok()) return status;
  auto contents = internal::ReadContents(base_, bytes, path_);
  if (!contents.ok()) return contents.status();
  header_ = contents->header;
  if (header_.schema_version != options.schema_version) {
    return FailedPrecondition(
        Differs(path_, "schema version", options.schema_version, header_.schema_version));
  }
  const std::string host = HostOf(options);
  if (FieldText(header_.host) != host) {
    return FailedPrecondition(Differs(path_, "host", host, FieldText(header_.host)));
  }
  const bool same_boot = FieldText(header_.boot) == *boot;
  // A clock that has gone back counts anew too, as in a container with a time of its own.
  const bool same_time = same_boot && clock_->Now() >= header_.steady_nanos;
  if (!same_boot && header_.closed != 1) {
    return DataLoss(Differs(path_, "boot", *boot, FieldText(header_.boot)) +
                    ", and it was not closed before the machine went down");
  }
  for (const RegionObject& object : contents->objects) {
    absl::Status status = internal::CheckObject(base_, object, path_);
    if (!status.ok()) return status;
  }

  const bool was_closed = std::exchange(header_.closed, 0) != 0;
  if (++header_.owner_epoch == 0) header_.owner_epoch = 1;  // 0 is the free writer word
  header_.writer_pid = getpid();
  if (!same_time) {
    // Region time goes on where it was, by as much as the wall clock has.
    const int64_t wall = absl::ToUnixNanos(clock_->WallNow());
    const int64_t was = Deadline::After(header_.steady_nanos, header_.time_offset).nanos();
    const int64_t passed = std::max<int64_t>(0, Deadline::At(wall).Left(header_.wall_nanos));
    header_.time_offset = Deadline::At(Deadline::After(was, passed).nanos()).Left(clock_->Now());
    SetText(header_.boot, *boot);
  }
  StampTimes();
  objects_ = std::move(contents->objects);
  uses_.resize(objects_.size());
  internal::WriteHeader(base_, header_);
  // On the disk before any other page is: or a machine that goes down would leave pages of
  // different moments under a header that says they were closed.
  if (was_closed && msync(base_, internal::kFirstObject, MS_SYNC) != 0) {
    return SystemError(path_, "msync", errno);
  }
  if (header_.allocating != 0) {  // a killed process was making an object there
    if (header_.allocating > header_.used) {
      std::memset(base_ + header_.used, 0, header_.allocating - header_.used);
    }
    header_.allocating = 0;
    internal::WriteHeader(base_, header_);
  }
  fd_ = fd;
  reopened_ = true;
  return absl::OkStatus();
}

void Region::StampTimes() {
  header_.steady_nanos = clock_->Now();
  header_.wall_nanos = absl::ToUnixNanos(clock_->WallNow());
}

absl::Status Region::Sync() {
  if (fd_ < 0) return absl::OkStatus();
  StampTimes();
  internal::WriteHeader(base_, header_);
  if (msync(base_, bytes_, MS_SYNC) != 0) return SystemError(path_, "msync", errno);
  return absl::OkStatus();
}

void Region::Close() {
  if (base_ == nullptr) return;
  // The child of a fork leaves the file to its parent, which writes on.
  const bool ours = fd_ >= 0 && header_.writer_pid == getpid();
  if (ours && Sync().ok()) {
    header_.closed = 1;
    internal::WriteHeader(base_, header_);
    (void)msync(base_, internal::kFirstObject, MS_SYNC);
  }
  munmap(base_, bytes_);
  if (fd_ >= 0) close(fd_);
  base_ = nullptr;
}

// Objects -----------------------------------------------------------------------------------------

absl::Status Region::Mismatch(const RegionObject& wanted, const RegionObject& found) const {
  const std::string name = path_ + ": '" + std::string(wanted.Name()) + "'";
  const auto differs = [&name](std::string_view what, auto expected, auto is) {
    return FailedPrecondition(Differs(name, what, expected, is));
  };
  if (wanted.kind != found.kind) return differs("kind", NameOf(wanted.kind), NameOf(found.kind));
  const std::pair<const char*, uint32_t RegionObject::*> numbers[] = {
      {"bytes of a key", &RegionObject::key_bytes},
      {"bytes of a value", &RegionObject::value_bytes},
      {"alignment of a key", &RegionObject::key_align},
      {"alignment of a value", &RegionObject::value_align}};
  for (const auto& [what, field] : numbers) {
    if (wanted.*field != found.*field) {
      return differs(what, uint64_t{wanted.*field}, uint64_t{found.*field});
    }
  }
  if (wanted.key_type_hash != found.key_type_hash) {
    return differs("type of a key", wanted.KeyType(), found.KeyType());
  }
  if (wanted.value_type_hash != found.value_type_hash) {
    return differs("type of a value", wanted.ValueType(), found.ValueType());
  }
  if (wanted.KeyFields() != found.KeyFields()) {
    return differs("fields of a key", wanted.KeyFields(), found.KeyFields());
  }
  if (wanted.ValueFields() != found.ValueFields()) {
    return differs("fields of a value", wanted.ValueFields(), found.ValueFields());
  }
  if (wanted.capacity != found.capacity) {
    return differs(wanted.kind == ObjectKind::kTable ? "capacity in home sets" : "capacity",
                   wanted.capacity, found.capacity);
  }
  return absl::OkStatus();
}

absl::StatusOr<Region::Attached> Region::Attach(const RegionObject& wanted, bool exclusive) {
  auto out = AttachOrFail(wanted, exclusive);
  if (!out.ok() && status_.ok()) status_ = out.status();
  return out;
}

absl::StatusOr<Region::Attached> Region::AttachOrFail(const RegionObject& wanted, bool exclusive) {
  const std::string name = path_ + ": '" + std::string(wanted.Name()) + "'";
  if (!wanted.NameFits()) {
    return InvalidArgument(name + "...: a name has at most " +
                           std::to_string(RegionObject::kNameBytes - 1) + " bytes, and no NUL");
  }
  if (wanted.Name().empty()) {
    return InvalidArgument(path_ + ": an object without a name could not be found again");
  }
  if (wanted.bytes == 0) return ResourceExhausted(name + ": too big for any region");
  const auto found = std::find_if(objects_.begin(), objects_.end(),
                                  [&](const RegionObject& o) { return o.Name() == wanted.Name(); });
  Attached out;
  if (exclusive) out.claim = std::make_shared<char>();
  if (found != objects_.end()) {
    if (absl::Status status = Mismatch(wanted, *found); !status.ok()) return status;
    Use& use = uses_[static_cast<size_t>(found - objects_.begin())];
    if (exclusive && !use.claim.expired()) {
      return FailedPrecondition(name + ": is in use already in this process");
    }
    out.data = base_ + found->offset;
    out.left_by_another = !std::exchange(use.attached, true);
    use.claim = out.claim;
    return out;
  }

  const bool in_file = fd_ >= 0;
  const uint64_t size = RoundUp(wanted.bytes, kCacheLine);
  if (size > header_.bytes - header_.used) {
    return ResourceExhausted(Differs(name, "room", size, header_.bytes - header_.used));
  }
  if (in_file && objects_.size() == internal::kMaxObjects) {
    return ResourceExhausted(
        Differs(name, "objects", "at most " + std::to_string(internal::kMaxObjects), "one more"));
  }
  pending_ = wanted;
  pending_.offset = header_.used;
  uses_.resize(objects_.size());
  uses_.push_back({.attached = true, .claim = out.claim});
  if (header_.allocating > header_.used) {  // of an object that was never committed
    std::memset(base_ + header_.used, 0, header_.allocating - header_.used);
  }
  header_.allocating = header_.used + size;
  if (in_file) internal::WriteHeader(base_, header_);
  out.data = base_ + pending_.offset;
  out.fresh = true;
  return out;
}

void Region::Commit() {
  objects_.push_back(pending_);
  header_.used += RoundUp(pending_.bytes, kCacheLine);
  header_.allocating = 0;
  header_.objects = static_cast<uint32_t>(objects_.size());
  header_.schema_hash = internal::SchemaHash(objects_);
  if (fd_ < 0) return;
  internal::WriteEntry(base_, objects_.size() - 1, pending_);
  internal::WriteHeader(base_, header_);
}

// Blocks ------------------------------------------------------------------------------------------

namespace internal {

RegionBlock::RegionBlock(Region* region, const RegionObject& object, bool modelled) {
  if (modelled) return;
  if (region != nullptr && region->path().empty() && object.Name().empty()) {
    data_ = static_cast<char*>(region->Allocate(object.bytes));
  } else if (region != nullptr) {
    if (auto found = region->Attach(object, /*exclusive=*/true); found.ok()) {
      data_ = static_cast<char*>(found->data);
      claim_ = std::move(found->claim);
      reopened_ = !found->fresh;
      if (found->fresh) region_ = region;
    }
  }
  if (data_ != nullptr) return;
  if (object.bytes == 0) throw std::bad_alloc();
  own_ = std::make_unique<Region>(Region::SizeFor(object.bytes));
  data_ = static_cast<char*>(own_->Allocate(object.bytes));
}

void RegionBlock::Commit() {
  if (region_ != nullptr) region_->Commit();
  region_ = nullptr;
}

}  // namespace internal
}  // namespace adagents
