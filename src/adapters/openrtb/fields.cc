#include "adapters/openrtb/fields.h"

#include <charconv>
#include <cmath>

namespace adagents::openrtb {
namespace {

using simdjson::dom::element_type;

constexpr size_t kLongestNumber = 64;  // digits that a number in quotes may have

bool ParseReal(std::string_view text, double& out) {
  if (text.empty() || text.size() > kLongestNumber) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(out);
}

/// Any number, or one in quotes, that is whole and fits 64 bits.
bool WholeNumber(Element value, int64_t& out) {
  switch (value.type()) {
    case element_type::INT64:
      return value.get(out) == simdjson::SUCCESS;
    case element_type::DOUBLE: {
      double real = 0;
      if (value.get(real) != simdjson::SUCCESS || real != std::trunc(real) ||
          !(std::fabs(real) < 9e15)) {
        return false;
      }
      out = static_cast<int64_t>(real);
      return true;
    }
    case element_type::STRING: {
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS || text.empty()) return false;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      return error == std::errc() && end == text.data() + text.size();
    }
    case element_type::BOOL: {
      bool flag = false;
      if (value.get(flag) != simdjson::SUCCESS) return false;
      out = flag ? 1 : 0;
      return true;
    }
    default:
      return false;
  }
}

template <class Item, class Read>
bool ReadScalars(Walk& walk, Element value, const Path& path, ads::List<Item>& out, Read read) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    if (value.is_object()) return walk.Fail(path, "must be an array");
    std::span<Item> one = walk.arena.Array<Item>(1);  // "mimes": "audio/mp4"
    if (!read(value, path, one[0])) return false;
    out = one;
    return true;
  }
  size_t n = 0;
  for (Element item : array) n += item.is_null() ? 0 : 1;
  if (n > kMaxScalars) return walk.Fail(path, "has too many entries");
  std::span<Item> items = walk.arena.Array<Item>(n);
  size_t index = 0, filled = 0;
  for (Element item : array) {
    const Path here{&path, {}, index++};
    if (!item.is_null() && !read(item, here, items[filled++])) return false;
  }
  out = items;
  return true;
}

}  // namespace

void Path::AppendTo(std::string* out) const {
  if (parent != nullptr) parent->AppendTo(out);
  if (key.empty()) {
    if (parent != nullptr) out->append("[").append(std::to_string(index)).append("]");
    return;
  }
  if (!out->empty()) out->push_back('.');
  out->append(key);
}

bool Walk::Fail(const Path& path, std::string_view what) {
  error.clear();
  path.AppendTo(&error);
  if (error.empty()) error = "request";
  error.append(": ").append(what);
  return false;
}

bool IsAbsent(Element value) {
  if (value.is_null()) return true;
  simdjson::dom::array array;
  return value.get(array) == simdjson::SUCCESS && array.begin() == array.end();
}

bool ReadText(Walk& walk, Element value, const Path& path, ads::Text& out) {
  char digits[32];
  std::to_chars_result end{digits, std::errc()};
  switch (value.type()) {
    case element_type::STRING: {
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS) return walk.Fail(path, "must be a string");
      out = walk.Keep(text);
      return true;
    }
    case element_type::INT64: {
      int64_t number = 0;
      if (value.get(number) != simdjson::SUCCESS) return walk.Fail(path, "must be a string");
      end = std::to_chars(digits, digits + sizeof(digits), number);
      break;
    }
    case element_type::UINT64: {
      uint64_t number = 0;
      if (value.get(number) != simdjson::SUCCESS) return walk.Fail(path, "must be a string");
      end = std::to_chars(digits, digits + sizeof(digits), number);
      break;
    }
    case element_type::DOUBLE: {
      double number = 0;
      if (value.get(number) != simdjson::SUCCESS) return walk.Fail(path, "must be a string");
      end = std::to_chars(digits, digits + sizeof(digits), number);
      break;
    }
    default:
      return walk.Fail(path, "must be a string");
  }
  if (end.ec != std::errc()) return walk.Fail(path, "must be a string");
  out = walk.arena.Copy(ads::Text(digits, static_cast<size_t>(end.ptr - digits)));
  return true;
}

bool ReadInt(Walk& walk, Element value, const Path& path, int32_t low, int32_t high, int32_t& out) {
  int64_t number = 0;
  if (!WholeNumber(value, number)) {
    if (value.type() == element_type::UINT64) return walk.Fail(path, "is out of range");
    return walk.Fail(path, "must be an integer");
  }
  if (number < low) {
    if (low == 0) return walk.Fail(path, "must not be negative");
    if (low == 1) return walk.Fail(path, "must be positive");
    return walk.Fail(path, "is out of range");
  }
  if (number > high) return walk.Fail(path, "is out of range");
  out = static_cast<int32_t>(number);
  return true;
}

bool ReadReal(Walk& walk, Element value, const Path& path, double& out) {
  if (value.is_number()) {
    if (value.get(out) == simdjson::SUCCESS && std::isfinite(out)) return true;
  } else if (std::string_view text; value.get(text) == simdjson::SUCCESS && ParseReal(text, out)) {
    return true;
  }
  return walk.Fail(path, "must be a number");
}

bool ReadFlag(Walk& walk, Element value, const Path& path, bool& out) {
  int64_t number = 0;
  if (!WholeNumber(value, number)) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS && (text == "true" || text == "false")) {
      out = text == "true";
      return true;
    }
    return walk.Fail(path, "must be 0 or 1");
  }
  if (number != 0 && number != 1) return walk.Fail(path, "must be 0 or 1");
  out = number == 1;
  return true;
}

bool ReadMoney(Walk& walk, Element value, const Path& path, Micros& out) {
  double units = 0;
  if (!ReadReal(walk, value, path, units)) return false;
  if (units < 0) return walk.Fail(path, "must not be negative");
  const std::optional<Micros> micros = Micros::FromUnits(units);
  if (!micros) return walk.Fail(path, "is out of range");
  out = *micros;
  return true;
}

bool ReadTexts(Walk& walk, Element value, const Path& path, ads::List<ads::Text>& out) {
  return ReadScalars(walk, value, path, out, [&](Element item, const Path& here, ads::Text& text) {
    return ReadText(walk, item, here, text);
  });
}

bool ReadInts(Walk& walk, Element value, const Path& path, int32_t low, ads::List<int32_t>& out) {
  return ReadScalars(walk, value, path, out, [&](Element item, const Path& here, int32_t& number) {
    return ReadInt(walk, item, here, low, kIntMax, number);
  });
}

}  // namespace adagents::openrtb
