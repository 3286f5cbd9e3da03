// Campaigns and requests in the form that the scans of targeting_flat.h look at. Knows the
// attributes and values of the catalog generator.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/targeting.h"
#include "targeting_flat.h"

namespace adagents::ads::bench {

/// The values of each attribute as bit numbers; bit 0 is "something else, or not said".
class Values {
 public:
  explicit Values(const Catalog& catalog) {
    for (uint32_t i = 0; i < catalog.index_end(); ++i) {
      for (const Condition& condition : catalog.campaign(i).targeting.conditions) {
        auto& known = known_[condition.attribute];
        for (const std::string& v : condition.values) {
          known.try_emplace(v, static_cast<int>(known.size()) + 1);
        }
      }
    }
  }
  int BitOf(Attribute a, std::string_view value) const {
    const auto attribute = known_.find(a);
    if (attribute == known_.end()) return 0;
    const auto hit = attribute->second.find(value);
    return hit == attribute->second.end() ? 0 : hit->second;
  }

 private:
  std::map<Attribute, std::map<std::string, int, std::less<>>> known_;
};

inline uint16_t ShapeBits(const Creative& c) {
  if (c.format != MarkupType::kBanner)
    return static_cast<uint16_t>(1 << static_cast<int>(c.format));
  constexpr std::array<int, 10> kWidths = {300, 728, 320, 160, 336, 300, 970, 468, 120, 250};
  constexpr std::array<int, 10> kHeights = {250, 90, 50, 600, 280, 600, 250, 60, 600, 250};
  for (size_t i = 0; i < kWidths.size(); ++i) {
    if (c.w == kWidths[i] && c.h == kHeights[i]) return static_cast<uint16_t>(1 << (i + 5));
  }
  return 0;
}

inline Flat Flatten(const Campaign& c, const Values& values) {
  uint64_t masks[kAttributeCount];
  for (uint64_t& m : masks) m = ~uint64_t{0};
  Flat out;
  out.no_deal = 1;
  for (const Condition& condition : c.targeting.conditions) {
    uint64_t named = 0;
    for (const std::string& v : condition.values) {
      named |= uint64_t{1} << values.BitOf(condition.attribute, v);
    }
    const bool include = !condition.exclude;
    if (condition.attribute == Attribute::kDeal && include) out.no_deal = 0;  // none is offered
    if (condition.attribute == Attribute::kCategory && !include) {
      out.not_category = static_cast<uint32_t>(named);
      continue;
    }
    masks[static_cast<size_t>(condition.attribute)] &= include ? named : ~named;
  }
  const auto mask = [&](Attribute a) { return masks[static_cast<size_t>(a)]; };
  out.region = mask(Attribute::kRegion);
  out.city = mask(Attribute::kCity);
  out.genre = static_cast<uint32_t>(mask(Attribute::kGenre));
  out.category = static_cast<uint32_t>(mask(Attribute::kCategory));
  out.keyword = static_cast<uint32_t>(mask(Attribute::kKeyword));
  out.country = static_cast<uint16_t>(mask(Attribute::kCountry));
  out.device = static_cast<uint8_t>(mask(Attribute::kDeviceType));
  out.os = static_cast<uint8_t>(mask(Attribute::kOs));
  out.language = static_cast<uint8_t>(mask(Attribute::kLanguage));
  for (size_t h = 0; h < 168; ++h) {
    if (c.targeting.hours.none() || c.targeting.hours[h]) {
      out.hours[h / 8] = static_cast<uint8_t>(out.hours[h / 8] | 1 << (h % 8));
    }
  }
  for (const Creative& k : c.creatives) out.shapes |= ShapeBits(k);
  return out;
}

inline FlatRequest Flatten(const Request& request, absl::Time now, const Values& values) {
  uint64_t masks[kAttributeCount] = {};
  TargetingFacts::ForEachValue(request, now, [&](Attribute a, std::string_view v) {
    masks[static_cast<size_t>(a)] |= uint64_t{1} << values.BitOf(a, v);
  });
  FlatRequest out;
  const auto mask = [&](Attribute a) {
    const uint64_t m = masks[static_cast<size_t>(a)];
    // Bit 0 stands for "nothing known" and must not match beside a known value.
    return m > 1 ? m & ~uint64_t{1} : 1;
  };
  out.region = mask(Attribute::kRegion);
  out.city = mask(Attribute::kCity);
  out.genre = static_cast<uint32_t>(mask(Attribute::kGenre));
  out.category = static_cast<uint32_t>(mask(Attribute::kCategory));
  out.keyword = static_cast<uint32_t>(mask(Attribute::kKeyword));
  out.country = static_cast<uint16_t>(mask(Attribute::kCountry));
  out.device = static_cast<uint8_t>(mask(Attribute::kDeviceType));
  out.os = static_cast<uint8_t>(mask(Attribute::kOs));
  out.language = static_cast<uint8_t>(mask(Attribute::kLanguage));
  const auto hour = static_cast<size_t>(TargetingFacts::HourOfWeek(request, now));
  out.hour_byte = hour / 8;
  out.hour_bit = static_cast<uint8_t>(1 << (hour % 8));
  TargetingFacts::ForEachShape(request.imps[0], [&](const Shape& s) {
    Creative like;
    like.format = s.format;
    like.w = s.w;
    like.h = s.h;
    out.shapes |= ShapeBits(like);
  });
  return out;
}

}  // namespace adagents::ads::bench
