// How a region lies in a file, and how its header is changed so that neither a kill nor a reader at
// any moment finds it half changed.
//
//   0      front: magic, layout version, size of what comes before the objects, checksum. Written
//          once, and the same in every layout version, so that each can name the others.
//   64     the state word: kAtRest, or kChanging while slots are written
//   128    two slots, each a RegionHeader with a checksum
//   1024   the directory: kMaxObjects entries, each a RegionObject with a checksum; those behind
//          header.objects mean nothing
//   then   the objects, from kFirstObject to header.used; zeroes from there on, except when
//          header.allocating says up to where an object was being made
//
// Invariants: at rest both slots are whole and equal. A change stores kChanging, then slot 0, then
// slot 1, then kAtRest, so at every moment one slot is whole: slot 0 if it is whole, else slot 1.
// A file at rest whose slots are not whole and equal was altered by somebody else, and is refused;
// with a plain pair of alternating slots that could not be told from a kill, and an older header
// would be taken for the current one.
// Memory orders: all stores are releases and all loads acquires, of words; a live reader that finds
// the state at rest before and after it copied, and both slots whole and equal, has a header that
// was current in between. A killed process leaves the stores up to some point in program order,
// which releases keep.
// Thread safety: one thread changes a header at a time, any may read it meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/blackboard/region.h"

namespace adagents::internal {

struct RegionFront {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t reserved;
  uint64_t first_object;
  uint64_t unused[4];
  uint64_t checksum;
};
static_assert(sizeof(RegionFront) == 64);

struct HeaderSlot {
  RegionHeader header;
  uint64_t unused[27];
  uint64_t checksum;
};
static_assert(sizeof(HeaderSlot) == 448 && std::is_trivially_copyable_v<HeaderSlot>);
static_assert(std::has_unique_object_representations_v<HeaderSlot>, "padding is not checksummed");

struct DirectoryEntry {
  RegionObject object;
  uint64_t unused[7];
  uint64_t checksum;
};
static_assert(sizeof(DirectoryEntry) == 640 && std::is_trivially_copyable_v<DirectoryEntry>);
static_assert(std::has_unique_object_representations_v<DirectoryEntry>);

inline constexpr uint64_t kAtRest = 0x7265'7374'7265'7374;
inline constexpr uint64_t kChanging = 0x6368'616e'6769'6e67;
inline constexpr size_t kStateOffset = 64;
inline constexpr size_t kSlotOffset[2] = {128, 128 + sizeof(HeaderSlot)};
inline constexpr size_t kDirectoryOffset = 1024;
static_assert(kSlotOffset[1] + sizeof(HeaderSlot) == kDirectoryOffset);
inline constexpr size_t kMaxObjects = 256;
inline constexpr size_t kFirstObject =
    (kDirectoryOffset + kMaxObjects * sizeof(DirectoryEntry) + 4095) / 4096 * 4096;

/// "FILE: WHAT: expected X, found Y".
std::string Differs(std::string_view file, std::string_view what, std::string_view expected,
                    std::string_view found);
std::string Differs(std::string_view file, std::string_view what, uint64_t expected,
                    uint64_t found);

struct RegionContents {
  RegionHeader header{};
  std::vector<RegionObject> objects;
};

/// Reads header and directory from the `size` bytes of a region, whatever they are and while they
/// change, and checks all that a reader goes by: afterwards every object lies inside the region and
/// is as long as its kind, types and capacity say. `file` is for the errors (see Region::Open).
absl::StatusOr<RegionContents> ReadContents(const char* base, size_t size, std::string_view file);

/// Checks what an object's own code relies on to stay inside it, with no writer about: DataLoss.
absl::Status CheckObject(const char* base, const RegionObject& object, std::string_view file);

/// The text of a header's field, which need not be terminated.
template <size_t N>
std::string_view FieldText(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

uint64_t SchemaHash(const std::vector<RegionObject>& objects);
void WriteFront(char* base);
/// By the one writer.
void WriteHeader(char* base, const RegionHeader& header);
void WriteEntry(char* base, size_t index, const RegionObject& object);

}  // namespace adagents::internal
