// What a region's directory says of each thing in it: enough to find it again by name, to refuse a
// program that means something else by that name, and to show it without knowing its C++ types.
//
// Thread safety: plain values; who reads them out of a region that is written does it through
// RegionView.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <typeinfo>

#include "adagents/blackboard/region_fields.h"

namespace adagents {

/// kWindows: counts in sliding windows (ads/frequency_caps.h).
enum class ObjectKind : uint32_t {
  kCell = 1,
  kCounter,
  kBoundedCounter,
  kTable,
  kStream,
  kWindows
};

/// "cell", "counter", "bounded counter", "table", "stream", "windows"; "unknown" for anything else.
std::string_view NameOf(ObjectKind kind);

/// One object. Plain value, as it stands in the file: plain numbers and zero-padded text, no
/// padding between.
struct RegionObject {
  static constexpr size_t kNameBytes = 64, kKeyFieldsBytes = 96, kValueFieldsBytes = 224;
  char name[kNameBytes];
  char key_type[kNameBytes];         // a table's; as much of the name as fits
  char value_type[kNameBytes];       // as much of the name as fits
  char key_fields[kKeyFieldsBytes];  // see region_fields.h; empty when they were not told
  char value_fields[kValueFieldsBytes];
  uint64_t key_type_hash;    // of the whole name; with a table's hash function of its own, also
  uint64_t value_type_hash;  //   of that one's
  ObjectKind kind;
  uint32_t key_bytes, key_align;  // 0 where there is no key
  uint32_t value_bytes, value_align;
  uint32_t reserved;
  uint64_t capacity;  // a table's home sets, a stream's entries, lines of windows; else 1
  uint64_t offset;    // from the region's start
  uint64_t bytes;

  std::string_view Name() const;
  /// False when it was cut: two objects could have what is left of their names in common.
  bool NameFits() const;
  std::string_view KeyType() const;
  std::string_view ValueType() const;
  std::string_view KeyFields() const;
  std::string_view ValueFields() const;
};

namespace internal {

struct TypeFacts {
  const std::type_info* type = nullptr;
  const std::type_info* hash = nullptr;  // a table's hash function, unless it is the usual one
  std::string_view fields = {};
  uint32_t bytes = 0, align = 0;
};
template <class T>
TypeFacts FactsOf() {
  static_assert(FieldsOf<T>().size() < RegionObject::kValueFieldsBytes, "too long to be kept");
  return {.type = &typeid(T),
          .fields = FieldsOf<T>(),
          .bytes = static_cast<uint32_t>(sizeof(T)),
          .align = static_cast<uint32_t>(alignof(T))};
}

/// An object that has no place yet. `bytes` is set from the rest (see BytesOf).
RegionObject DescribeObject(ObjectKind kind, std::string_view name, uint64_t capacity,
                            const TypeFacts& value, const TypeFacts& key = {});

// Where things are inside an object, for those who do not know its types. The state types assert
// that they agree; whoever changes one of these raises RegionHeader::kLayoutVersion.
constexpr uint64_t WordsFor(uint64_t bytes) { return (bytes + 7) / 8; }
constexpr uint64_t ToLine(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

struct CellLayout {
  static constexpr uint32_t kSlots = 4;
  static constexpr uint64_t kSlotsOffset = 8;  // the state word is at 0
  static constexpr int kVersionShift = 16, kUsedShift = 8;
  static constexpr uint64_t kSlotMask = 0xff;
};
struct CounterLayout {
  static constexpr uint32_t kStripes = 16;
  static constexpr uint64_t kStripeBytes = 64;
};
struct BoundedCounterLayout {
  static constexpr uint64_t kLimitOffset = 0, kValueOffset = 8, kBytes = 16;
};
struct TableLayout {
  static constexpr uint32_t kSlots = 16;
  static constexpr uint64_t kSetBytes = 192;
  static constexpr uint64_t kStateOffset = 0, kWriterOffset = 40, kAwayOffset = 48;
  static constexpr uint64_t kExpiresOffset = 64;
  static constexpr uint64_t kLiveMask = 0xffff;
  /// How an expiry is stored, and back: as what is left until the end of time, so that memory that
  /// was never written says "never".
  static constexpr int64_t StoredExpiry(int64_t expires) {
    constexpr auto kNever = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    return static_cast<int64_t>(kNever - static_cast<uint64_t>(expires));
  }
  /// Home sets, then an overflow set for each six of them; one home can hold all there is.
  static constexpr uint64_t Sets(uint64_t homes) {
    return homes + (homes == 1 ? 0 : (homes + 5) / 6);
  }
  static constexpr uint64_t EntriesOffset(uint64_t homes) {
    return ToLine(Sets(homes) * kSetBytes);
  }
};
struct StreamLayout {
  static constexpr int kNodeBits = 24;
  static constexpr uint64_t kMaxEntries = uint64_t{1} << (kNodeBits - 1);
  static constexpr uint32_t kSpares = 64;
  static constexpr uint64_t NodesOffset(uint64_t entries) { return ToLine(entries * 8); }
};
/// A word for each window; 0: never used, all ones: changes hands.
struct WindowsLayout {
  static constexpr uint32_t kSlots = 5;
  static constexpr uint64_t kLineBytes = 64;
  static constexpr uint64_t kLockOffset = 60, kLockedBit = 1;
};

/// How many bytes an object of this kind, capacity and types has; 0 when it cannot be one.
uint64_t BytesOf(const RegionObject& object);

}  // namespace internal
}  // namespace adagents
