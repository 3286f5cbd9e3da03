// How JSON objects become structs: one table of fields per object, each a key and the function that
// reads its value. What is lenient is lenient here, once, for all fields of a kind; see the table
// in adapters/openrtb/reader.h.
#pragma once

#include <simdjson.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "adagents/ads/request.h"
#include "adagents/base/money.h"

namespace adagents::openrtb {

using Element = simdjson::dom::element;

/// Where in the document we are: a chain on the stack, written out only for an error.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;  // empty: an array's element
  size_t index = 0;

  void AppendTo(std::string* out) const;
};

/// What all reading functions share: where lists go and the one error.
struct Walk {
  explicit Walk(ads::Arena& a) : arena(a) {}

  ads::Arena& arena;
  bool copy_text = false;  // the document does not live as long as the request
  std::string error;       // empty until something failed

  /// Sets the error and returns false, so that functions end with `return walk.Fail(...)`.
  bool Fail(const Path& path, std::string_view what);
  ads::Text Keep(std::string_view text) { return copy_text ? arena.Copy(ads::Text(text)) : text; }
};

/// Most entries of one list; anything longer is an attack. Block lists are the longest in practice.
inline constexpr size_t kMaxScalars = 1 << 16;
inline constexpr size_t kMaxObjects = 1 << 14;

// --- Tables -------------------------------------------------------------------------------------

template <class T>
using Setter = bool (*)(Walk&, Element, const Path&, T&);

template <class T>
struct Field {
  std::string_view key;
  Setter<T> set;
};

constexpr uint64_t LoadBytes(const char* p, size_t n) {
  uint64_t word = 0;
  if (std::is_constant_evaluated()) {
    for (size_t i = 0; i < n; ++i) word |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  } else if (n == 8) {
    std::memcpy(&word, p, 8);
  } else if (n == 4) {
    uint32_t half = 0;
    std::memcpy(&half, p, 4);
    word = half;
  } else {
    for (size_t i = 0; i < n; ++i) word |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  }
  return word;
}

/// The head, the tail and the length of a key, mixed: enough to tell all keys of a table apart.
constexpr uint64_t KeyWord(std::string_view key) {
  const size_t n = key.size();
  uint64_t head = 0, tail = 0;
  if (n >= 8) {
    head = LoadBytes(key.data(), 8);
    tail = LoadBytes(key.data() + n - 8, 8);
  } else if (n >= 4) {
    head = LoadBytes(key.data(), 4);
    tail = LoadBytes(key.data() + n - 4, 4);
  } else if (n > 0) {
    head = LoadBytes(key.data(), n);
  }
  return (head ^ (tail << 29 | tail >> 35)) + n;
}

/// A fixed perfect hash over N keys, found at compile time: one probe and one comparison a key.
/// (Written for the little-endian machines that simdjson is fast on; on others constant evaluation
/// and run time must load alike, hence the check.)
template <class T, size_t N>
class Fields {
  static_assert(std::endian::native == std::endian::little);
  static constexpr size_t kSlots = N <= 8 ? 64 : N <= 20 ? 256 : 1024;

 public:
  consteval explicit Fields(const Field<T> (&fields)[N]) {
    for (size_t i = 0; i < N; ++i) fields_[i] = fields[i];
    multiplier_ = 0x9e3779b97f4a7c15ULL;
    while (!Place())
      multiplier_ = (multiplier_ * 6364136223846793005ULL + 1442695040888963407ULL) | 1;
  }

  const Field<T>* Find(std::string_view key) const {
    const uint8_t at = slots_[Slot(key)];
    if (at == 0 || fields_[at - 1].key != key) return nullptr;
    return &fields_[at - 1];
  }

 private:
  constexpr size_t Slot(std::string_view key) const {
    return static_cast<size_t>(KeyWord(key) * multiplier_ >> 32) % kSlots;
  }
  consteval bool Place() {
    slots_ = {};
    for (size_t i = 0; i < N; ++i) {
      uint8_t& slot = slots_[Slot(fields_[i].key)];
      if (slot != 0) return false;
      slot = static_cast<uint8_t>(i + 1);
    }
    return true;
  }

  std::array<Field<T>, N> fields_{};
  std::array<uint8_t, kSlots> slots_{};
  uint64_t multiplier_ = 0;
};
template <class T, size_t N>
Fields(const Field<T> (&)[N]) -> Fields<T, N>;

/// null, and what exchanges written in PHP send for an object without members: [].
bool IsAbsent(Element value);

/// Reads `value` (an object; absent is fine) through one or more tables; the first that knows a key
/// takes it, keys that none knows are ignored.
template <class T, class... Tables>
bool ReadObject(Walk& walk, Element value, const Path& path, T& out, const Tables&... tables) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    return IsAbsent(value) || walk.Fail(path, "must be an object");
  }
  for (const auto field : object) {
    bool ok = true;
    const auto try_table = [&](const auto& table) {
      const auto* known = table.Find(field.key);
      if (known == nullptr) return false;
      if (!field.value.is_null()) ok = known->set(walk, field.value, Path{&path, field.key}, out);
      return true;
    };
    (try_table(tables) || ...);
    if (!ok) return false;
  }
  return true;
}

// --- Scalars ------------------------------------------------------------------------------------

/// Text, or a number written as text into the arena.
bool ReadText(Walk& walk, Element value, const Path& path, ads::Text& out);
/// An integer in [low, high]; a whole float and digits in quotes count as integers.
bool ReadInt(Walk& walk, Element value, const Path& path, int32_t low, int32_t high, int32_t& out);
/// A finite number; digits in quotes count.
bool ReadReal(Walk& walk, Element value, const Path& path, double& out);
/// 0, 1, true, false, or these in quotes.
bool ReadFlag(Walk& walk, Element value, const Path& path, bool& out);
/// Not negative.
bool ReadMoney(Walk& walk, Element value, const Path& path, Micros& out);
bool ReadTexts(Walk& walk, Element value, const Path& path, ads::List<ads::Text>& out);
bool ReadInts(Walk& walk, Element value, const Path& path, int32_t low, ads::List<int32_t>& out);

inline constexpr int32_t kIntMin = std::numeric_limits<int32_t>::min();
inline constexpr int32_t kIntMax = std::numeric_limits<int32_t>::max();

template <auto M, class T>
bool Text(Walk& walk, Element value, const Path& path, T& out) {
  return ReadText(walk, value, path, out.*M);
}
template <auto M, int32_t kLow = 0, int32_t kHigh = kIntMax, class T>
bool Number(Walk& walk, Element value, const Path& path, T& out) {
  int32_t number = 0;
  if (!ReadInt(walk, value, path, kLow, kHigh, number)) return false;
  out.*M = number;
  return true;
}
template <auto M, class T>
bool Real(Walk& walk, Element value, const Path& path, T& out) {
  double number = 0;
  if (!ReadReal(walk, value, path, number)) return false;
  out.*M = number;
  return true;
}
template <auto M, class T>
bool Flag(Walk& walk, Element value, const Path& path, T& out) {
  bool flag = false;
  if (!ReadFlag(walk, value, path, flag)) return false;
  out.*M = flag;
  return true;
}
template <auto M, class T>
bool Money(Walk& walk, Element value, const Path& path, T& out) {
  Micros money;
  if (!ReadMoney(walk, value, path, money)) return false;
  out.*M = money;
  return true;
}
template <auto M, class T>
bool CurrencyCode(Walk& walk, Element value, const Path& path, T& out) {
  ads::Text text;
  if (!ReadText(walk, value, path, text)) return false;
  if (text.empty()) return true;
  const std::optional<Currency> code = Currency::Parse(text);
  if (!code) return walk.Fail(path, "must be a three-letter ISO 4217 code");
  out.*M = *code;
  return true;
}
template <auto M, class T>
bool Texts(Walk& walk, Element value, const Path& path, T& out) {
  return ReadTexts(walk, value, path, out.*M);
}
template <auto M, int32_t kLow = 0, class T>
bool Ints(Walk& walk, Element value, const Path& path, T& out) {
  return ReadInts(walk, value, path, kLow, out.*M);
}

// --- Objects and lists of objects ---------------------------------------------------------------

/// A nested object that is a member by value, read by a plain function.
template <auto M, auto kRead, class T>
bool Object(Walk& walk, Element value, const Path& path, T& out) {
  return kRead(walk, value, path, out.*M);
}

/// A list of objects, each read by `kRead`. One object alone counts as a list of one.
template <class Item, class Read>
bool ReadObjects(Walk& walk, Element value, const Path& path, ads::List<Item>& out, Read read,
                 size_t most = kMaxObjects) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    if (!value.is_object()) return walk.Fail(path, "must be an array of objects");
    std::span<Item> one = walk.arena.template Array<Item>(1);
    if (!read(walk, value, path, one[0])) return false;
    out = one;
    return true;
  }
  size_t n = 0;
  for (Element item : array) n += item.is_null() ? 0 : 1;
  if (n > most) return walk.Fail(path, "has too many entries");
  std::span<Item> items = walk.arena.template Array<Item>(n);
  size_t index = 0, filled = 0;
  for (Element item : array) {
    const Path here{&path, {}, index++};
    if (item.is_null()) continue;
    if (!item.is_object()) return walk.Fail(here, "must be an object");
    if (!read(walk, item, here, items[filled++])) return false;
  }
  out = items;
  return true;
}
template <auto M, auto kRead, class T>
bool Objects(Walk& walk, Element value, const Path& path, T& out) {
  return ReadObjects(walk, value, path, out.*M, kRead);
}

/// A member that is a pointer into the arena, nullptr while absent.
template <auto M, auto kRead, class T>
bool Pointer(Walk& walk, Element value, const Path& path, T& out) {
  using Item = std::remove_const_t<std::remove_pointer_t<std::remove_cvref_t<decltype(out.*M)>>>;
  if (IsAbsent(value)) return true;
  Item* item = walk.arena.New(Item{});
  if (!kRead(walk, value, path, *item)) return false;
  out.*M = item;
  return true;
}

// --- The parts of a request ---------------------------------------------------------------------

/// Parses the text of native.request; the element lives until the next call.
class TextParser {
 public:
  virtual bool Parse(std::string_view json, Element* root, std::string* error) = 0;

 protected:
  ~TextParser() = default;
};

/// Everything but native.request's inside, which ReadNativeRequest reads afterwards.
bool ReadImp(Walk& walk, Element value, const Path& path, ads::Imp& out);
bool ReadNativeRequest(Walk& walk, TextParser& parser, const Path& path, ads::Native& native);
bool ReadSite(Walk& walk, Element value, const Path& path, ads::Channel& out);
bool ReadApp(Walk& walk, Element value, const Path& path, ads::Channel& out);
bool ReadDooh(Walk& walk, Element value, const Path& path, ads::Channel& out);
bool ReadDevice(Walk& walk, Element value, const Path& path, ads::Device& out);
bool ReadUser(Walk& walk, Element value, const Path& path, ads::User& out);
bool ReadRegs(Walk& walk, Element value, const Path& path, ads::Regs& out);
bool ReadSource(Walk& walk, Element value, const Path& path, ads::Source& out);

}  // namespace adagents::openrtb
