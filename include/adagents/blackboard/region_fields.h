// What is inside a value, for those who look into a region and do not know its C++ types.
//
//   struct Session {
//     static constexpr std::string_view kRegionFields = "requests u32, genre char[4], last_ms i64";
//     uint32_t requests;
//     char genre[4];
//     int64_t last_ms;
//   };
//
// A type that has kRegionFields is shown field by field (examples/inspect), and a region whose
// fields are others is refused: so a struct that was rearranged is not taken for the old one. The
// text names all members in order, without padding: each has a type u8 to u64, i8 to i64, f32, f64,
// bool, char (text) or hex (bytes), perhaps a count in brackets, and the alignment that C++ gives
// it. That it has the type's size is checked when it compiles. Numbers and enums need no text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace adagents {

/// Plain value; `name` refers to the text.
struct RegionField {
  enum class Kind : uint8_t { kUnsigned, kSigned, kFloat, kBool, kText, kHex };
  std::string_view name;  // empty when the value is this one number
  Kind kind = Kind::kUnsigned;
  uint32_t bytes = 0;  // of one
  uint32_t count = 0;  // at least 1
  uint32_t offset = 0;
};

/// Reads such a text, whatever it is: each field that it yields lies before bytes().
/// Thread-compatible; the text outlives it.
class RegionFieldReader {
 public:
  constexpr explicit RegionFieldReader(std::string_view text) : text_(text) {}

  /// False at the end, and when the text is not one of fields.
  constexpr bool Next(RegionField* field) {
    if (text_.empty() || !ok_) return false;
    const auto comma = std::min(text_.find(','), text_.size());
    std::string_view part = Trimmed(text_.substr(0, comma));
    const bool more = comma < text_.size();
    text_ = more ? text_.substr(comma + 1) : std::string_view();
    const auto space = part.find(' ');
    field->name = space == std::string_view::npos ? std::string_view() : part.substr(0, space);
    if (space != std::string_view::npos) part = Trimmed(part.substr(space));
    ok_ = SetType(part, field) && (!more || !text_.empty());
    if (!ok_) return false;
    align_ = std::max(align_, field->bytes);
    const uint64_t offset = RoundUp(end_, field->bytes);
    end_ = offset + uint64_t{field->bytes} * field->count;
    ok_ = end_ <= kMost;
    field->offset = static_cast<uint32_t>(offset);
    return ok_;
  }
  [[nodiscard]] constexpr bool ok() const { return ok_; }
  /// Of the fields so far, as a struct.
  [[nodiscard]] constexpr uint64_t bytes() const { return RoundUp(end_, align_); }

 private:
  static constexpr uint64_t kMost = uint64_t{1} << 31;

  static constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) {
    return (n + unit - 1) / unit * unit;
  }
  static constexpr std::string_view Trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
  }
  static constexpr bool SetType(std::string_view text, RegionField* field) {
    using Kind = RegionField::Kind;
    struct Type {
      std::string_view name;
      Kind kind;
      uint32_t bytes;
    };
    constexpr Type kTypes[] = {
        {"u8", Kind::kUnsigned, 1},  {"u16", Kind::kUnsigned, 2}, {"u32", Kind::kUnsigned, 4},
        {"u64", Kind::kUnsigned, 8}, {"i8", Kind::kSigned, 1},    {"i16", Kind::kSigned, 2},
        {"i32", Kind::kSigned, 4},   {"i64", Kind::kSigned, 8},   {"f32", Kind::kFloat, 4},
        {"f64", Kind::kFloat, 8},    {"bool", Kind::kBool, 1},    {"char", Kind::kText, 1},
        {"hex", Kind::kHex, 1}};
    const auto bracket = std::min(text.find('['), text.size());
    if (!SetCount(text.substr(bracket), field)) return false;
    for (const Type& type : kTypes) {
      if (type.name != text.substr(0, bracket)) continue;
      field->kind = type.kind;
      field->bytes = type.bytes;
      return true;
    }
    return false;
  }
  /// Nothing or "[N]".
  static constexpr bool SetCount(std::string_view text, RegionField* field) {
    field->count = 1;
    if (text.empty()) return true;
    if (text.size() < 3 || text.size() > 9 || text.back() != ']') return false;
    field->count = 0;
    for (const char c : text.substr(1, text.size() - 2)) {
      if (c < '0' || c > '9') return false;
      field->count = field->count * 10 + static_cast<uint32_t>(c - '0');
    }
    return field->count > 0;
  }

  std::string_view text_;
  uint64_t end_ = 0;
  uint32_t align_ = 1;
  bool ok_ = true;
};

namespace internal {

constexpr bool FieldsFit(std::string_view text, uint64_t bytes) {
  RegionFieldReader reader(text);
  RegionField field;
  while (reader.Next(&field)) {
  }
  return reader.ok() && reader.bytes() == bytes;
}

/// Of a type: its own text, or that of a number; empty when nothing is known.
template <class T>
constexpr std::string_view FieldsOf() {
  if constexpr (requires { T::kRegionFields; }) {
    static_assert(FieldsFit(T::kRegionFields, sizeof(T)), "kRegionFields are not T's members");
    return T::kRegionFields;
  } else if constexpr (std::is_enum_v<T>) {
    return FieldsOf<std::underlying_type_t<T>>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_floating_point_v<T> && sizeof(T) <= 8) {
    return sizeof(T) == 4 ? "f32" : "f64";
  } else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8) {
    constexpr std::string_view kNames[2][4] = {{"u8", "u16", "u32", "u64"},
                                               {"i8", "i16", "i32", "i64"}};
    constexpr int kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return kNames[std::is_signed_v<T> ? 1 : 0][kLog];
  } else {
    return {};
  }
}

}  // namespace internal
}  // namespace adagents
