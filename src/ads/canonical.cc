#include "ads/canonical.h"

#include <algorithm>
#include <string>

#include "ads/countries.h"

namespace adagents::ads {
namespace internal {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string_view Lowered(std::string_view s, char* buffer) {
  std::transform(s.begin(), s.end(), buffer, Lower);
  return {buffer, s.size()};
}

std::string_view CountryCode(std::string_view value, char* buffer) {
  std::transform(value.begin(), value.end(), buffer, Upper);
  const std::string_view code(buffer, value.size());
  if (code.size() == 2) {
    if (const std::string_view three = Alpha3(code); !three.empty()) return three;
  }
  return code;
}

std::string_view OperatingSystem(std::string_view value, char* buffer) {
  const std::string_view os = Lowered(value, buffer);
  if (os == "iphone" || os == "ipad" || os == "ipados" || os == "iphone os") return "ios";
  if (os == "os x" || os == "mac os" || os == "mac os x" || os == "osx") return "macos";
  return os;
}

/// "us-ca" (ISO 3166-2) becomes "usa-ca"; the buffer has room for one byte more than values may
/// have.
std::string_view Region(std::string_view value, char* buffer) {
  const std::string_view region = Lowered(value, buffer);
  if (region.size() < 4 || region[2] != '-') return region;
  const char two[] = {Upper(region[0]), Upper(region[1])};
  const std::string_view three = Alpha3({two, 2});
  if (three.empty()) return region;
  std::copy_backward(buffer + 2, buffer + region.size(), buffer + region.size() + 1);
  std::transform(three.begin(), three.end(), buffer, Lower);
  return {buffer, region.size() + 1};
}

std::string_view Domain(std::string_view value, char* buffer) {
  std::string_view domain = Lowered(value, buffer);
  if (domain.starts_with("www.")) domain.remove_prefix(4);
  if (domain.ends_with('.')) domain.remove_suffix(1);
  return domain;
}

}  // namespace

std::string_view Trimmed(std::string_view s) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

std::string_view CanonicalInto(Attribute a, std::string_view value, CanonicalBuffer& buffer) {
  value = Trimmed(value);
  if (value.empty() || value.size() > kMaxValueBytes) return {};
  switch (a) {
    case Attribute::kCountry:
      return CountryCode(value, buffer);
    case Attribute::kOs:
      return OperatingSystem(value, buffer);
    case Attribute::kDomain:
      return Domain(value, buffer);
    case Attribute::kLanguage:
      return Lowered(value.substr(0, value.find_first_of("-_")), buffer);
    case Attribute::kMetro:
    case Attribute::kPublisher:
    case Attribute::kApp:
    case Attribute::kDeal:
      return value;
    case Attribute::kRegion:
      return Region(value, buffer);
    case Attribute::kCity:
    case Attribute::kDeviceType:
    case Attribute::kMake:
    case Attribute::kChannel:
    case Attribute::kGenre:
    case Attribute::kCategory:
    case Attribute::kKeyword:
    case Attribute::kAge:
    case Attribute::kGender:
      return Lowered(value, buffer);
  }
  return value;
}

}  // namespace internal

std::string Canonical(Attribute a, std::string_view value) {
  internal::CanonicalBuffer buffer;
  return std::string(internal::CanonicalInto(a, value, buffer));
}

}  // namespace adagents::ads
