#include "adagents/ads/campaign.h"

#include <array>

#include "adagents/base/ids.h"

namespace adagents::ads {
namespace {

constexpr std::array<std::string_view, kAttributeCount> kAttributeNames = {
    "country",   "region",  "city",   "metro",    "device_type", "os",
    "make",      "channel", "genre",  "category", "language",    "keyword",
    "publisher", "app",     "domain", "deal",     "age",         "gender"};

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

std::string_view Name(Pace p) {
  switch (p) {
    case Pace::kEven:
      return "even";
    case Pace::kAsap:
      return "asap";
    case Pace::kFrontLoaded:
      return "front_loaded";
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

std::string_view Name(Line line) {
  switch (line) {
    case Line::kOpen:
      return "open";
    case Line::kGuaranteed:
      return "guaranteed";
    case Line::kHouse:
      return "house";
  }
  return "unknown";
}

std::string_view Name(CapPer p) {
  switch (p) {
    case CapPer::kListener:
      return "listener";
    case CapPer::kHousehold:
      return "household";
    case CapPer::kSession:
      return "session";
    case CapPer::kDevice:
      return "device";
  }
  return "unknown";
}

uint64_t BrandKey(std::string_view brand) {
  const size_t from = brand.find_first_not_of(' ');
  if (from == std::string_view::npos) return 0;
  std::string folded(brand.substr(from, brand.find_last_not_of(' ') - from + 1));
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return StableHash64(folded);
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
