#include "adagents/blackboard/internal/region_format.h"

#include <atomic>
#include <bit>
#include <cstring>
#include <string>

#include "adagents/base/ids.h"

namespace adagents::internal {
namespace {

// A writer's change takes under a microsecond; a reader that keeps meeting one has met one that
// died in it.
constexpr int kTries = 1000;

using SharedWord = std::atomic<uint64_t>;
static_assert(sizeof(SharedWord) == 8 && SharedWord::is_always_lock_free);

const SharedWord& WordAt(const char* at) { return *reinterpret_cast<const SharedWord*>(at); }
SharedWord& WordAt(char* at) { return *reinterpret_cast<SharedWord*>(at); }

template <class T>
void LoadFrom(const char* from, T* to) {
  static_assert(sizeof(T) % 8 == 0);
  for (size_t i = 0; i < sizeof(T); i += 8) {
    const uint64_t word = WordAt(from + i).load(std::memory_order_acquire);
    std::memcpy(reinterpret_cast<char*>(to) + i, &word, 8);
  }
}

template <class T>
void StoreTo(char* to, const T& value) {
  static_assert(sizeof(T) % 8 == 0);
  for (size_t i = 0; i < sizeof(T); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&value) + i, 8);
    WordAt(to + i).store(word, std::memory_order_release);
  }
}

template <class T>
uint64_t ChecksumOf(const T& block) {  // its last word is the checksum itself
  return StableHash64({reinterpret_cast<const char*>(&block), sizeof(T) - 8});
}

template <class T>
bool Whole(const T& block) {
  return block.checksum == ChecksumOf(block);
}

absl::Status ReadFront(const char* base, size_t size, std::string_view file) {
  RegionFront front{};
  if (size >= 8) LoadFrom(base, &front.magic);
  if (front.magic == __builtin_bswap64(RegionHeader::kMagic)) {
    return FailedPrecondition(Differs(file, "byte order", "this machine's", "the other one"));
  }
  if (front.magic != RegionHeader::kMagic) {
    return InvalidArgument(Differs(file, "magic", RegionHeader::kMagic, front.magic) + " (size " +
                           std::to_string(size) + "): not a region");
  }
  if (size >= sizeof(front)) LoadFrom(base, &front);
  if (size < sizeof(front)) return DataLoss(Differs(file, "size", kFirstObject, size));
  if (!Whole(front)) {
    return DataLoss(Differs(file, "checksum of the front", ChecksumOf(front), front.checksum));
  }
  if (front.layout_version != RegionHeader::kLayoutVersion) {
    return FailedPrecondition(
        Differs(file, "layout version", RegionHeader::kLayoutVersion, front.layout_version));
  }
  if (front.first_object != kFirstObject) {
    return DataLoss(Differs(file, "first object", kFirstObject, front.first_object));
  }
  if (size < kFirstObject) {
    return DataLoss(Differs(file, "size", kFirstObject, size) +
                    " or more: truncated inside the header");
  }
  for (size_t at = kStateOffset + 8; at < kSlotOffset[0]; at += 8) {
    const uint64_t word = WordAt(base + at).load(std::memory_order_relaxed);
    if (word != 0) return DataLoss(Differs(file, "unused byte " + std::to_string(at), 0, word));
  }
  return absl::OkStatus();
}

absl::StatusOr<RegionHeader> ReadHeader(const char* base, std::string_view file) {
  std::string problem;
  for (int i = 0; i < kTries; ++i) {
    HeaderSlot slots[2];
    const uint64_t before = WordAt(base + kStateOffset).load(std::memory_order_acquire);
    LoadFrom(base + kSlotOffset[0], &slots[0]);
    LoadFrom(base + kSlotOffset[1], &slots[1]);
    const uint64_t after = WordAt(base + kStateOffset).load(std::memory_order_acquire);
    const bool whole[2] = {Whole(slots[0]), Whole(slots[1])};
    if (before == kAtRest && after == kAtRest && whole[0] && whole[1] &&
        std::memcmp(&slots[0], &slots[1], sizeof(HeaderSlot)) == 0) {
      return slots[0].header;
    }
    const bool changing = before == kChanging && after == kChanging;
    if (changing && i == kTries - 1 && (whole[0] || whole[1])) {
      return slots[whole[0] ? 0 : 1].header;  // its writer died in the middle
    }
    if (before != kAtRest && before != kChanging) {
      problem = Differs(file, "state of the header", kAtRest, before);
    } else if (!whole[0] || !whole[1]) {
      const HeaderSlot& bad = slots[whole[0] ? 1 : 0];
      problem = Differs(file, "checksum of the header", ChecksumOf(bad), bad.checksum);
    } else {
      problem = std::string(file) + ": header: expected two equal copies, found two different ones";
    }
    StdAtomics::Pause();
  }
  return DataLoss(problem);
}

absl::Status CheckHeader(const RegionHeader& header, size_t size, std::string_view file) {
  if (header.magic != RegionHeader::kMagic) {
    return DataLoss(Differs(file, "magic in the header", RegionHeader::kMagic, header.magic));
  }
  if (header.layout_version != RegionHeader::kLayoutVersion) {
    return DataLoss(Differs(file, "layout version in the header", RegionHeader::kLayoutVersion,
                            header.layout_version));
  }
  if (FieldText(header.hash_name) != kStableHashName) {
    return FailedPrecondition(
        Differs(file, "hash function", kStableHashName, FieldText(header.hash_name)));
  }
  if (header.bytes != size) return DataLoss(Differs(file, "size", header.bytes, size));
  if (header.used < kFirstObject || header.used > size || header.used % kCacheLine != 0) {
    return DataLoss(Differs(file, "bytes in use", kFirstObject, header.used));
  }
  if (header.allocating != 0 && (header.allocating < header.used || header.allocating > size)) {
    return DataLoss(Differs(file, "bytes being allocated", header.used, header.allocating));
  }
  if (header.objects > kMaxObjects) {
    return DataLoss(Differs(file, "objects", kMaxObjects, header.objects));
  }
  return absl::OkStatus();
}

std::string NameFor(std::string_view file, const RegionObject& object) {
  return std::string(file) + ": " + std::string(NameOf(object.kind)) + " '" +
         std::string(object.Name()) + "'";
}

absl::Status CheckEntry(const RegionObject& object, uint64_t from, uint64_t used,
                        std::string_view file) {
  const std::string name = NameFor(file, object);
  const uint64_t bytes = BytesOf(object);
  if (object.Name().empty()) return DataLoss(name + ": name: expected one, found none");
  if (bytes == 0 || object.bytes != bytes) {
    return DataLoss(Differs(name, "size", bytes, object.bytes));
  }
  if (object.offset < from || object.offset > used || object.offset % kCacheLine != 0 ||
      bytes > used - object.offset) {
    return DataLoss(Differs(name, "offset", from, object.offset));
  }
  return absl::OkStatus();
}

absl::Status CheckTable(const char* at, const RegionObject& object, const std::string& name) {
  for (uint64_t set = 0; set < TableLayout::Sets(object.capacity); ++set) {
    const uint64_t state =
        WordAt(at + set * TableLayout::kSetBytes).load(std::memory_order_relaxed);
    if ((state & TableLayout::kLiveMask) == TableLayout::kLiveMask) {
      return DataLoss(
          Differs(name, "free slots of set " + std::to_string(set), "at least one", "none"));
    }
  }
  return absl::OkStatus();
}

// Each entry's turn follows from the newest one's; each node is in one place.
absl::Status CheckStream(const char* at, const RegionObject& object, const std::string& name) {
  const uint64_t size = object.capacity;
  const uint64_t nodes = size + StreamLayout::kSpares;
  const int shift = std::countr_zero(size);
  const auto turn_of = [](uint64_t word) { return word >> StreamLayout::kNodeBits; };
  std::vector<bool> placed(nodes);
  uint64_t end = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t word = WordAt(at + i * 8).load(std::memory_order_relaxed);
      const uint64_t turn = turn_of(word);
      if (pass == 0) {
        const uint64_t node = word & ((uint64_t{1} << StreamLayout::kNodeBits) - 1);
        if (node >= nodes || placed[node]) {
          return DataLoss(Differs(name, "node of entry " + std::to_string(i),
                                  "one below " + std::to_string(nodes) + " that is used once",
                                  std::to_string(node)));
        }
        placed[node] = true;
        if (turn > 0) end = std::max(end, ((turn - 1) << shift | i) + 1);
      } else {
        const uint64_t expected = (end >> shift) + (i < (end & (size - 1)) ? 1 : 0);
        if (turn != expected) {
          return DataLoss(Differs(name, "turn of entry " + std::to_string(i), expected, turn));
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string Differs(std::string_view file, std::string_view what, std::string_view expected,
                    std::string_view found) {
  std::string out(file);
  out.append(": ").append(what).append(": expected ").append(expected);
  return out.append(", found ").append(found);
}
std::string Differs(std::string_view file, std::string_view what, uint64_t expected,
                    uint64_t found) {
  return Differs(file, what, std::to_string(expected), std::to_string(found));
}

uint64_t SchemaHash(const std::vector<RegionObject>& objects) {
  uint64_t hash = objects.size();
  for (RegionObject object : objects) {
    object.offset = 0;  // where things are is not what they are
    hash = StableHash64({reinterpret_cast<const char*>(&object), sizeof(object)}, hash);
  }
  return hash;
}

absl::StatusOr<RegionContents> ReadContents(const char* base, size_t size, std::string_view file) {
  if (absl::Status status = ReadFront(base, size, file); !status.ok()) return status;
  const auto header = ReadHeader(base, file);
  if (!header.ok()) return header.status();
  if (absl::Status status = CheckHeader(*header, size, file); !status.ok()) return status;

  RegionContents out;
  out.header = *header;
  uint64_t from = kFirstObject;
  for (size_t i = 0; i < header->objects; ++i) {
    DirectoryEntry entry;
    LoadFrom(base + kDirectoryOffset + i * sizeof(entry), &entry);
    if (!Whole(entry)) {
      return DataLoss(Differs(file, "checksum of directory entry " + std::to_string(i),
                              ChecksumOf(entry), entry.checksum));
    }
    if (absl::Status status = CheckEntry(entry.object, from, header->used, file); !status.ok()) {
      return status;
    }
    from = entry.object.offset + entry.object.bytes;
    out.objects.push_back(entry.object);
  }
  const uint64_t schema = SchemaHash(out.objects);
  if (schema != header->schema_hash) {
    return DataLoss(Differs(file, "schema hash of the directory", header->schema_hash, schema));
  }
  return out;
}

absl::Status CheckObject(const char* base, const RegionObject& object, std::string_view file) {
  const char* at = base + object.offset;
  const std::string name = NameFor(file, object);
  switch (object.kind) {
    case ObjectKind::kCell: {
      const uint64_t state = WordAt(at).load(std::memory_order_relaxed);
      const uint64_t current = state & CellLayout::kSlotMask;
      if (current >= CellLayout::kSlots) {
        return DataLoss(Differs(name, "current slot",
                                "one below " + std::to_string(CellLayout::kSlots),
                                std::to_string(current)));
      }
      return absl::OkStatus();
    }
    case ObjectKind::kTable:
      return CheckTable(at, object, name);
    case ObjectKind::kStream:
      return CheckStream(at, object, name);
    case ObjectKind::kBoundedCounter:
      for (const uint64_t offset :
           {BoundedCounterLayout::kLimitOffset, BoundedCounterLayout::kValueOffset}) {
        const auto n = static_cast<int64_t>(WordAt(at + offset).load(std::memory_order_relaxed));
        if (n < 0) {
          const bool limit = offset == BoundedCounterLayout::kLimitOffset;
          return DataLoss(
              Differs(name, limit ? "limit" : "value", "at least 0", std::to_string(n)));
        }
      }
      return absl::OkStatus();
    case ObjectKind::kCounter:
    case ObjectKind::kWindows:
      break;  // any bits are a number
  }
  return absl::OkStatus();
}

void WriteFront(char* base) {
  RegionFront front{};
  front.magic = RegionHeader::kMagic;
  front.layout_version = RegionHeader::kLayoutVersion;
  front.first_object = kFirstObject;
  front.checksum = ChecksumOf(front);
  StoreTo(base, front);
}

void WriteHeader(char* base, const RegionHeader& header) {
  HeaderSlot slot{};
  slot.header = header;
  slot.checksum = ChecksumOf(slot);
  SharedWord& state = WordAt(base + kStateOffset);
  state.store(kChanging, std::memory_order_release);
  for (const size_t offset : kSlotOffset) StoreTo(base + offset, slot);
  state.store(kAtRest, std::memory_order_release);
}

void WriteEntry(char* base, size_t index, const RegionObject& object) {
  DirectoryEntry entry{};
  entry.object = object;
  entry.checksum = ChecksumOf(entry);
  StoreTo(base + kDirectoryOffset + index * sizeof(entry), entry);
}

}  // namespace adagents::internal
