#include "adagents/ads/campaign.h"

#include <algorithm>
#include <array>

#include "ads/countries.h"

namespace adagents::ads {
namespace {

constexpr std::array<std::string_view, kAttributeCount> kAttributeNames = {
    "country",   "region",  "city",   "metro",    "device_type", "os",
    "make",      "channel", "genre",  "category", "language",    "keyword",
    "publisher", "app",     "domain", "deal",     "age",         "gender"};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string_view Trimmed(std::string_view s) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!s.empty() && space(s.front())) s.remove_prefix(1);
  while (!s.empty() && space(s.back())) s.remove_suffix(1);
  return s;
}

std::string Lowered(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

std::string CanonicalCountry(std::string_view value) {
  std::string out(value);
  std::transform(out.begin(), out.end(), out.begin(), Upper);
  if (out.size() == 2) {
    if (const std::string_view three = internal::Alpha3(out); !three.empty())
      return std::string(three);
  }
  return out;
}

std::string CanonicalOs(std::string_view value) {
  std::string out = Lowered(value);
  if (out == "iphone" || out == "ipad" || out == "ipados" || out == "iphone os") return "ios";
  if (out == "os x" || out == "mac os" || out == "mac os x" || out == "osx") return "macos";
  return out;
}

std::string CanonicalDomain(std::string_view value) {
  std::string out = Lowered(value);
  if (out.starts_with("www.")) out.erase(0, 4);
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

}  // namespace

std::string_view Name(Attribute a) {
  const auto i = static_cast<size_t>(a);
  return i < kAttributeNames.size() ? kAttributeNames[i] : "unknown";
}

std::string_view Name(Objective o) {
  switch (o) {
    case Objective::kBrandAwareness:
      return "brand_awareness";
    case Objective::kDirectResponse:
      return "direct_response";
    case Objective::kReach:
      return "reach";
  }
  return "unknown";
}

std::string_view Name(MarkupType m) {
  switch (m) {
    case MarkupType::kUnset:
      return "unset";
    case MarkupType::kBanner:
      return "banner";
    case MarkupType::kVideo:
      return "video";
    case MarkupType::kAudio:
      return "audio";
    case MarkupType::kNative:
      return "native";
  }
  return "unknown";
}

std::string_view Name(Action a) {
  switch (a) {
    case Action::kNone:
      return "none";
    case Action::kClick:
      return "click";
    case Action::kCompletion:
      return "completion";
    case Action::kConversion:
      return "conversion";
  }
  return "unknown";
}

std::string Canonical(Attribute a, std::string_view value) {
  value = Trimmed(value);
  switch (a) {
    case Attribute::kCountry:
      return CanonicalCountry(value);
    case Attribute::kOs:
      return CanonicalOs(value);
    case Attribute::kDomain:
      return CanonicalDomain(value);
    case Attribute::kLanguage:
      return Lowered(value.substr(0, value.find_first_of("-_")));
    case Attribute::kMetro:
    case Attribute::kPublisher:
    case Attribute::kApp:
    case Attribute::kDeal:
      return std::string(value);
    case Attribute::kRegion:
    case Attribute::kCity:
    case Attribute::kDeviceType:
    case Attribute::kMake:
    case Attribute::kChannel:
    case Attribute::kGenre:
    case Attribute::kCategory:
    case Attribute::kKeyword:
    case Attribute::kAge:
    case Attribute::kGender:
      return Lowered(value);
  }
  return std::string(value);
}

std::string_view AgeBand(int years) {
  if (years < 13 || years > 120) return {};
  if (years < 18) return "13-17";
  if (years < 25) return "18-24";
  if (years < 35) return "25-34";
  if (years < 45) return "35-44";
  if (years < 55) return "45-54";
  if (years < 65) return "55-64";
  return "65+";
}

}  // namespace adagents::ads
