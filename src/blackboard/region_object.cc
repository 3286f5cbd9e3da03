#include "adagents/blackboard/region_object.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "adagents/base/ids.h"
#include "adagents/base/type_name.h"

namespace adagents {
namespace {

// More than fits in any address space is as wrong as a size that overflows.
constexpr uint64_t kMostBytes = uint64_t{1} << 47;

// Of one key or value.
constexpr uint32_t kMostValueBytes = uint32_t{1} << 28;

template <size_t N>
std::string_view Text(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

template <size_t N>
void SetText(char (&field)[N], std::string_view text) {
  text.copy(field, N - 1);  // an empty text may have no data at all
}

void SetType(const internal::TypeFacts& facts, char (&field)[RegionObject::kNameBytes],
             uint64_t* hash) {
  if (facts.type == nullptr) return;
  std::string name = TypeName(*facts.type);
  if (facts.hash != nullptr) name += " by " + TypeName(*facts.hash);
  SetText(field, name);
  *hash = StableHash64(name);
}

}  // namespace

std::string_view NameOf(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kCell:
      return "cell";
    case ObjectKind::kCounter:
      return "counter";
    case ObjectKind::kBoundedCounter:
      return "bounded counter";
    case ObjectKind::kTable:
      return "table";
    case ObjectKind::kStream:
      return "stream";
    case ObjectKind::kWindows:
      return "windows";
  }
  return "unknown";
}

bool RegionObject::NameFits() const { return name[sizeof name - 1] == 0; }
std::string_view RegionObject::Name() const { return Text(name); }
std::string_view RegionObject::KeyType() const { return Text(key_type); }
std::string_view RegionObject::ValueType() const { return Text(value_type); }
std::string_view RegionObject::KeyFields() const { return Text(key_fields); }
std::string_view RegionObject::ValueFields() const { return Text(value_fields); }

namespace internal {

RegionObject DescribeObject(ObjectKind kind, std::string_view name, uint64_t capacity,
                            const TypeFacts& value, const TypeFacts& key) {
  RegionObject object{};
  SetText(object.name, name);
  if (name.size() >= sizeof object.name || name.find('\0') != std::string_view::npos) {
    object.name[sizeof object.name - 1] = '!';  // see NameFits()
  }
  SetType(key, object.key_type, &object.key_type_hash);
  SetType(value, object.value_type, &object.value_type_hash);
  SetText(object.key_fields, key.fields);
  SetText(object.value_fields, value.fields);
  object.kind = kind;
  object.key_bytes = key.bytes;
  object.key_align = key.align;
  object.value_bytes = value.bytes;
  object.value_align = value.align;
  object.capacity = capacity;
  object.bytes = BytesOf(object);
  return object;
}

uint64_t BytesOf(const RegionObject& object) {
  using Wide = unsigned __int128;
  const Wide value = WordsFor(object.value_bytes) * 8;
  const Wide key = WordsFor(object.key_bytes) * 8;
  if (object.value_bytes > kMostValueBytes || object.key_bytes > kMostValueBytes) return 0;
  if (value == 0 || object.capacity == 0 || object.capacity > kMostBytes) return 0;
  Wide bytes = 0;
  switch (object.kind) {
    case ObjectKind::kCell:
      if (object.capacity != 1) return 0;
      bytes = CellLayout::kSlotsOffset + CellLayout::kSlots * value;
      bytes = ToLine(static_cast<uint64_t>(bytes));  // 4 * 2^32 at most, so it fits
      break;
    case ObjectKind::kCounter:
      if (object.capacity != 1) return 0;
      bytes = CounterLayout::kStripes * CounterLayout::kStripeBytes;
      break;
    case ObjectKind::kBoundedCounter:
      if (object.capacity != 1) return 0;
      bytes = BoundedCounterLayout::kBytes;
      break;
    case ObjectKind::kTable: {
      if (key == 0 || object.capacity > kMostBytes / TableLayout::kSetBytes) return 0;
      const Wide slots = Wide{TableLayout::Sets(object.capacity)} * TableLayout::kSlots;
      bytes = TableLayout::EntriesOffset(object.capacity) + slots * (key + value);
      break;
    }
    case ObjectKind::kStream:
      if (!std::has_single_bit(object.capacity) || object.capacity < 2 ||
          object.capacity > StreamLayout::kMaxEntries) {
        return 0;
      }
      bytes = StreamLayout::NodesOffset(object.capacity) +
              (Wide{object.capacity} + StreamLayout::kSpares) * value;
      break;
    case ObjectKind::kWindows:
      bytes = Wide{object.capacity} * WindowsLayout::kLineBytes;
      break;
    default:
      return 0;
  }
  return bytes > kMostBytes ? 0 : static_cast<uint64_t>(bytes);
}

}  // namespace internal
}  // namespace adagents
