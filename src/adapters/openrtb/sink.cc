#include "adapters/openrtb/sink.h"

#include <array>

namespace adagents::openrtb {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kUpperHex[] = "0123456789ABCDEF";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Which layers a byte passes through as it is.
enum : uint8_t { kJsonSafe = 1, kXmlSafe = 2, kUnreserved = 4, kUrlSafe = 8, kHtmlUrlSafe = 16 };

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> out{};
  constexpr std::string_view kUrlPunctuation = "-._~:/?#[]@!$&'()*+,;=%{}|";
  for (int i = 0x20; i < 0x7f; ++i) {
    const char c = static_cast<char>(i);
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    int bits = 0;
    if (c != '"' && c != '\\') bits |= kJsonSafe;
    if (c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != '\'') bits |= kXmlSafe;
    if (alnum || c == '-' || c == '.' || c == '_' || c == '~') bits |= kUnreserved;
    if (alnum || kUrlPunctuation.find(c) != std::string_view::npos) {
      bits |= kUrlSafe;
      if (c != '&' && c != '\'') bits |= kHtmlUrlSafe;
    }
    out[static_cast<size_t>(i)] = static_cast<uint8_t>(bits);
  }
  return out;
}
constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

/// Copies runs of bytes of `safe` at once and hands the others, with what follows, to `escape`,
/// which returns how many bytes it took.
template <class Escape>
void Run(Sink& out, std::string_view text, uint8_t safe, Escape escape) {
  size_t from = 0, at = 0;
  while (at < text.size()) {
    if ((kClasses[static_cast<unsigned char>(text[at])] & safe) != 0) {
      ++at;
      continue;
    }
    out.Raw(text.substr(from, at - from));
    at += escape(text.substr(at));
    from = at;
  }
  out.Raw(text.substr(from));
}

void Percent(Sink& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  const char code[3] = {'%', kUpperHex[byte >> 4], kUpperHex[byte & 15]};
  out.Raw({code, 3});
}

/// Copies a valid sequence of several bytes, replaces a bad byte.
size_t Multibyte(Sink& out, std::string_view text) {
  const size_t n = Utf8Length(text);
  out.Raw(n == 0 ? kReplacement : text.substr(0, n));
  return n == 0 ? 1 : n;
}

/// The JSON escape of an ASCII character that needs one.
void JsonAscii(Sink& out, char c) {
  switch (c) {
    case '"':
      return out.Raw("\\\"");
    case '\\':
      return out.Raw("\\\\");
    case '\n':
      return out.Raw("\\n");
    case '\r':
      return out.Raw("\\r");
    case '\t':
      return out.Raw("\\t");
    default: {
      const auto byte = static_cast<unsigned char>(c);
      const char code[6] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      return out.Raw({code, 6});
    }
  }
}

void XmlAscii(Sink& out, char c) {
  switch (c) {
    case '<':
      return out.Raw("&lt;");
    case '>':
      return out.Raw("&gt;");
    case '&':
      return out.Raw("&amp;");
    case '"':
      return out.Raw("&quot;");
    case '\'':
      return out.Raw("&#39;");
    case '\\':
      return out.Raw("&#92;");
    case '\n':
      return out.Raw("&#10;");
    case '\r':
      return out.Raw("&#13;");
    case '\t':
      return out.Raw("&#9;");
    default:
      return out.Raw(kReplacement);  // no other control character exists in XML 1.0
  }
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || !tail(1)) return 0;
  if (first < 0xE0) return 2;
  const unsigned second = byte(1);
  if (first < 0xF0) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second >= 0xA0;
    return tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  const bool in_range = first < 0xF4 || (first == 0xF4 && second < 0x90);
  const bool overlong = first == 0xF0 && second < 0x90;
  return tail(2) && tail(3) && in_range && !overlong ? 4 : 0;
}

void Sink::Hex(uint64_t value) {
  Reserve(16);
  for (int shift = 60; shift >= 0; shift -= 4) {
    *cursor() = kHex[value >> shift & 15];
    ++size_;
  }
}

void Sink::Money(Micros micros) {
  int64_t value = micros.value;
  uint64_t rest = static_cast<uint64_t>(value);
  if (value < 0) {
    Char('-');
    rest = 0 - rest;
  }
  constexpr auto kUnit = static_cast<uint64_t>(Micros::kUnit);
  Number(rest / kUnit);
  rest %= kUnit;
  if (rest == 0) return;
  char digits[7] = {'.'};
  size_t n = 7;
  for (size_t i = 6; i >= 1; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  while (digits[n - 1] == '0') --n;
  Raw({digits, n});
}

void Sink::Json(std::string_view text) {
  Run(*this, text, kJsonSafe, [this](std::string_view rest) -> size_t {
    if (static_cast<unsigned char>(rest[0]) >= 0x80) return Multibyte(*this, rest);
    JsonAscii(*this, rest[0]);
    return 1;
  });
}

void Sink::Xml(std::string_view text) {
  Run(*this, text, kXmlSafe, [this](std::string_view rest) -> size_t {
    if (rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF")) {
      Raw(kReplacement);  // U+FFFE and U+FFFF are not XML characters
      return 3;
    }
    if (static_cast<unsigned char>(rest[0]) >= 0x80) return Multibyte(*this, rest);
    XmlAscii(*this, rest[0]);
    return 1;
  });
}

void Sink::Query(std::string_view text) {
  Run(*this, text, kUnreserved, [this](std::string_view rest) -> size_t {
    Percent(*this, rest[0]);
    return 1;
  });
}

void Sink::Url(std::string_view text) {
  Run(*this, text, kUrlSafe, [this](std::string_view rest) -> size_t {
    Percent(*this, rest[0]);
    return 1;
  });
}

void Sink::HtmlUrl(std::string_view text) {
  Run(*this, text, kHtmlUrlSafe, [this](std::string_view rest) -> size_t {
    if (rest[0] == '&' || rest[0] == '\'') {
      XmlAscii(*this, rest[0]);
    } else {
      Percent(*this, rest[0]);
    }
    return 1;
  });
}

void Sink::EscapeSince(size_t from) {
  size_t extra = 0;
  for (char c : Since(from)) {
    if (static_cast<unsigned char>(c) < 0x80 &&
        (kClasses[static_cast<unsigned char>(c)] & kJsonSafe) == 0) {
      extra += c == '"' || c == '\\' ? 1 : 5;
    }
  }
  if (extra == 0) return;
  // Backwards, so that nothing is overwritten before it was read.
  Reserve(extra);
  char* const data = out_->data();
  size_t read = size_, write = size_ + extra;
  while (read > from) {
    const char c = data[--read];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || (kClasses[byte] & kJsonSafe) != 0) {
      data[--write] = c;
    } else if (c == '"' || c == '\\') {
      data[--write] = c;
      data[--write] = '\\';
    } else {
      data[--write] = kHex[byte & 15];
      data[--write] = kHex[byte >> 4];
      std::memcpy(data + (write -= 4), "\\u00", 4);
    }
  }
  size_ += extra;
}

}  // namespace adagents::openrtb
