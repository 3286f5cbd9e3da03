#include "adagents/ads/relevance_features.h"

#include <string_view>

#include "adagents/base/ids.h"
#include "ads/canonical.h"

namespace adagents::ads {
namespace {

using internal::CanonicalBuffer;
using internal::CanonicalInto;

uint64_t HashOf(Attribute a, std::string_view value) {
  CanonicalBuffer buffer;
  return StableHash64(CanonicalInto(a, value, buffer));
}

/// "iab9" of "IAB9-30"; categories of other taxonomies stay whole.
uint64_t HashOfTopCategory(std::string_view cat) {
  CanonicalBuffer buffer;
  const std::string_view canonical = CanonicalInto(Attribute::kCategory, cat, buffer);
  return StableHash64(canonical.substr(0, canonical.find('-')));
}

std::string_view FirstOf(std::string_view list) { return list.substr(0, list.find(',')); }

/// The first category of channel or content, else the content's first segment: exchanges that have
/// categories of their own send them there.
uint64_t CategoryOf(const Channel& c) {
  for (const List<Text>& cats : {c.content.cat, c.pagecat, c.sectioncat, c.cat}) {
    if (!cats.empty()) return HashOfTopCategory(cats[0]);
  }
  for (const Data& data : c.content.data) {
    if (!data.segment.empty()) return StableHash64(data.segment[0].id);
  }
  return 0;
}

uint64_t SourceOf(const Channel& c) {
  for (Text name : {c.bundle, c.domain, c.publisher.id, c.id}) {
    if (!name.empty()) return StableHash64(name);
  }
  // Of a page only the host counts.
  std::string_view page = c.page;
  const size_t scheme = page.find("://");
  if (scheme != std::string_view::npos) page.remove_prefix(scheme + 3);
  return StableHash64(page.substr(0, page.find_first_of("/:?#")));
}

uint64_t RegionOf(const Request& r) {
  const Geo& geo = r.device.geo.country.empty() ? r.user.geo : r.device.geo;
  return CombineHash(HashOf(Attribute::kCountry, geo.country),
                     HashOf(Attribute::kRegion, geo.region));
}

/// Six hours by six, weekends apart.
uint64_t DaypartOf(int hour_of_week) {
  const int hour = hour_of_week < 0 || hour_of_week > 167 ? 0 : hour_of_week;
  return static_cast<uint64_t>(hour % 24 / 6 + (hour >= 5 * 24 ? 4 : 0));
}

uint64_t KindOf(const Imp& imp) {
  uint64_t kind = (imp.banner != nullptr ? 1u : 0u) | (imp.video != nullptr ? 2u : 0u) |
                  (imp.audio != nullptr ? 4u : 0u) | (imp.native != nullptr ? 8u : 0u) |
                  (imp.instl ? 16u : 0u) | (imp.rwdd ? 32u : 0u);
  int32_t w = 0, h = 0, start = 0;
  if (imp.banner != nullptr) {
    const bool listed = !imp.banner->format.empty();
    w = listed ? imp.banner->format[0].w : imp.banner->w;
    h = listed ? imp.banner->format[0].h : imp.banner->h;
  }
  if (imp.audio != nullptr) start = imp.audio->startdelay.value_or(0);
  if (imp.video != nullptr) start = imp.video->startdelay.value_or(0);
  kind = CombineHash(kind, static_cast<uint64_t>(start > 0 ? 1 : start));
  return CombineHash(kind, static_cast<uint64_t>(w) << 32 | static_cast<uint32_t>(h));
}

/// In seven steps, up to half a minute finely.
uint64_t LengthOf(int32_t duration_ms) {
  if (duration_ms == 0) return 0;
  for (const int32_t bound : {7'000, 11'000, 16'000, 21'000, 31'000}) {
    if (duration_ms <= bound) return static_cast<uint64_t>(bound);
  }
  return 60'000;
}

}  // namespace

RequestFeatures RequestFeatures::Of(const Request& request, const Imp& imp, int hour_of_week) {
  const Channel& c = request.channel;
  const Device& d = request.device;
  const uint64_t os = d.os_kind == Os::kUnknown || d.os_kind == Os::kOther
                          ? HashOf(Attribute::kOs, d.os)
                          : static_cast<uint64_t>(d.os_kind);
  const std::array<uint64_t, kAlone> values = {
      HashOf(Attribute::kGenre, FirstOf(c.content.genre)),
      CategoryOf(c),
      DaypartOf(hour_of_week),
      RegionOf(request),
      SourceOf(c),
      CombineHash(static_cast<uint64_t>(d.devicetype.value_or(0)), os),
      HashOf(Attribute::kLanguage, c.content.language.empty() ? d.language : c.content.language),
      KindOf(imp)};
  RequestFeatures out;
  uint8_t first = 1;
  for (size_t i = 0; i < kAlone; ++i) {
    const uint64_t mixed = Mix64(values[i] + i);
    out.alone[i] = static_cast<uint16_t>(mixed % kAloneSlots);
    if (i >= kCrosses) continue;
    // Dayparts are few enough to have a slot each; the rest is hashed.
    const uint64_t in_field = i == kDaypart ? values[i] : mixed >> 20;
    out.slots[i] = static_cast<uint8_t>(first + in_field % kSlots[i]);
    first = static_cast<uint8_t>(first + kSlots[i]);
  }
  return out;
}

CreativeFeatures CreativeFeatures::Of(const Campaign& campaign, const Creative& creative) {
  CreativeFeatures out;
  const uint64_t key = StableHash64(campaign.id);
  out.campaign = static_cast<uint32_t>(Mix64(key) >> 32);
  out.row = static_cast<uint32_t>(CombineHash(key, StableHash64(creative.id)) >> 32);
  const std::array<uint64_t, kTraits> values = {
      StableHash64(campaign.BrandOf(creative)),
      campaign.cat.empty() ? 0 : HashOfTopCategory(campaign.cat[0]),
      CombineHash(static_cast<uint64_t>(creative.format), LengthOf(creative.duration_ms)),
      StableHash64(creative.tone),
      StableHash64(creative.pace),
      StableHash64(creative.voice),
      StableHash64(creative.call_to_action)};
  for (size_t i = 0; i < kTraits; ++i) {
    out.traits[i] = static_cast<uint16_t>(CombineHash(i, values[i]) % kTraitRows);
  }
  return out;
}

}  // namespace adagents::ads
