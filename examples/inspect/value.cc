#include "value.h"

#include <algorithm>
#include <cstring>

#include "adagents/blackboard/region_fields.h"
#include "fmt/format.h"

namespace inspect {
namespace {

using adagents::RegionField;
using adagents::RegionFieldReader;
using Kind = RegionField::Kind;

constexpr size_t kShownBytes = 32;     // of a value whose fields are not known
constexpr uint32_t kShownNumbers = 8;  // of one array

std::string Hex(const unsigned char* bytes, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    if (i > 0 && i % 8 == 0) out += ' ';
    out += fmt::format("{:02x}", bytes[i]);
  }
  return out;
}

template <class T>
T As(const unsigned char* at) {
  T out;
  std::memcpy(&out, at, sizeof(T));
  return out;
}
uint64_t Unsigned(const unsigned char* at, uint32_t bytes) {
  uint64_t out = 0;
  std::memcpy(&out, at, bytes);  // little-endian, or the region would have been refused
  return out;
}

nlohmann::ordered_json Number(const RegionField& field, const unsigned char* at) {
  switch (field.kind) {
    case Kind::kSigned: {
      const int unused = 64 - 8 * static_cast<int>(field.bytes);
      return static_cast<int64_t>(Unsigned(at, field.bytes) << unused) >> unused;
    }
    case Kind::kFloat:
      return field.bytes == 4 ? static_cast<double>(As<float>(at)) : As<double>(at);
    case Kind::kBool:
      return *at != 0;
    default:
      return Unsigned(at, field.bytes);
  }
}

nlohmann::ordered_json Json(const RegionField& field, const unsigned char* at) {
  if (field.kind == Kind::kHex) return Hex(at, field.count);
  if (field.kind == Kind::kText) {
    const auto* text = reinterpret_cast<const char*>(at);
    return std::string(text, strnlen(text, field.count));
  }
  if (field.count == 1) return Number(field, at);
  auto out = nlohmann::ordered_json::array();
  for (uint32_t i = 0; i < field.count; ++i) out.push_back(Number(field, at + i * field.bytes));
  return out;
}

std::string ShowNumber(const RegionField& field, const unsigned char* at) {
  const auto number = Number(field, at);
  return field.kind == Kind::kFloat ? fmt::format("{:.6g}", number.get<double>()) : number.dump();
}

std::string Show(const RegionField& field, const unsigned char* at) {
  if (field.kind == Kind::kHex) return Hex(at, field.count);
  if (field.kind == Kind::kText) return Printable(Json(field, at).get<std::string>());
  if (field.count == 1) return ShowNumber(field, at);
  std::string out = "[";
  for (uint32_t i = 0; i < std::min(field.count, kShownNumbers); ++i) {
    if (i > 0) out += ' ';
    out += ShowNumber(field, at + i * field.bytes);
  }
  return out.append(field.count > kShownNumbers ? " ...]" : "]");
}

/// Calls on_field(field, its first byte) for each; false when the text is not that of these bytes.
template <class F>
bool ForEachField(std::string_view fields, const Bytes& bytes, F&& on_field) {
  RegionFieldReader check(fields);
  RegionField field;
  while (check.Next(&field)) {
  }
  if (fields.empty() || !check.ok() || check.bytes() != bytes.size()) return false;
  RegionFieldReader reader(fields);
  while (reader.Next(&field)) on_field(field, bytes.data() + field.offset);
  return true;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string ShowValue(std::string_view fields, const Bytes& bytes) {
  std::string out;
  const bool told = ForEachField(fields, bytes, [&](const RegionField& field, const auto* at) {
    if (!out.empty()) out += ' ';
    if (!field.name.empty()) out += Printable(field.name) + '=';
    out += Show(field, at);
  });
  if (told) return out;
  out = fmt::format("{} bytes ", bytes.size()) +
        Hex(bytes.data(), std::min(bytes.size(), kShownBytes));
  return out.append(bytes.size() > kShownBytes ? " ..." : "");
}

nlohmann::ordered_json JsonValue(std::string_view fields, const Bytes& bytes) {
  auto out = nlohmann::ordered_json::object();
  nlohmann::ordered_json alone;
  const bool told = ForEachField(fields, bytes, [&](const RegionField& field, const auto* at) {
    (field.name.empty() ? alone : out[std::string(field.name)]) = Json(field, at);
  });
  if (!told) return Hex(bytes.data(), bytes.size());
  return out.empty() ? alone : out;
}

}  // namespace inspect
