// Text out, with the escaping of each layer. Writes into a std::string's own memory.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "adagents/base/money.h"

namespace adagents::openrtb {

/// Appends to `out` until destroyed, which cuts `out` to what was written; nothing else may touch
/// it meanwhile. Thread-compatible.
class Sink {
 public:
  explicit Sink(std::string* out) : out_(out), size_(out->size()) { Grow(kStep); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() { out_->resize(size_); }

  size_t size() const { return size_; }
  std::string_view Since(size_t from) const { return {out_->data() + from, size_ - from}; }
  std::string_view Written(size_t from, size_t n) const { return {out_->data() + from, n}; }
  /// Makes room: views of what was written stay valid for the next `n` bytes.
  void Reserve(size_t n) {
    if (out_->size() - size_ < n) [[unlikely]]
      Grow(n);
  }

  /// As it is.
  void Raw(std::string_view text) {
    Reserve(text.size());
    std::memcpy(cursor(), text.data(), text.size());
    size_ += text.size();
  }
  void Char(char c) {
    Reserve(1);
    *cursor() = c;
    ++size_;
  }
  template <class Int>
  requires std::is_integral_v<Int>
  void Number(Int value) {
    Reserve(24);
    size_ = static_cast<size_t>(std::to_chars(cursor(), cursor() + 24, value).ptr - out_->data());
  }
  /// 16 lower-case hexadecimal digits.
  void Hex(uint64_t value);
  /// Units with as many decimals as needed: 2.5, 0.000001.
  void Money(Micros micros);
  /// Forgets what was written since `size`.
  void Cut(size_t size) { size_ = size; }
  /// Repeats `n` bytes written earlier.
  void Again(size_t from, size_t n) {
    Reserve(n);
    std::memcpy(cursor(), out_->data() + from, n);
    size_ += n;
  }

  /// Text inside a JSON string. Bytes that are no UTF-8 become U+FFFD.
  void Json(std::string_view text);
  /// Text inside XML or HTML, in an element or an attribute, itself inside a JSON string: escaped
  /// for both at once, because what JSON escapes is written as a character reference. Characters
  /// that XML cannot hold and bytes that are no UTF-8 become U+FFFD.
  void Xml(std::string_view text);
  /// A value of a URL's query: all but unreserved characters percent-encoded.
  void Query(std::string_view text);
  /// A whole URL from the catalog: characters that no URL may hold are percent-encoded, the rest
  /// stays, OpenRTB's ${MACROS} and VAST's [MACROS] too. Safe in JSON and in CDATA as it is.
  void Url(std::string_view text);
  /// The same inside an HTML attribute.
  void HtmlUrl(std::string_view text);
  /// Everything since `from`, which must be valid UTF-8, once more inside a JSON string.
  void EscapeSince(size_t from);

 private:
  static constexpr size_t kStep = 4 << 10;

  char* cursor() { return out_->data() + size_; }
  void Grow(size_t n) { out_->resize(size_ + (n < kStep ? kStep : n + kStep)); }

  std::string* out_;
  size_t size_;
};

/// The length of the UTF-8 sequence at the start of `text`, or 0 if there is none that is valid.
size_t Utf8Length(std::string_view text);

}  // namespace adagents::openrtb
