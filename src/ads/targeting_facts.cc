// What a request says, in the spelling of conditions.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "absl/time/civil_time.h"
#include "adagents/ads/targeting.h"
#include "ads/canonical.h"
#include "ads/countries.h"

namespace adagents::ads {
namespace {

using Sink = absl::FunctionRef<void(Attribute, std::string_view)>;
using internal::CanonicalBuffer;
using internal::CanonicalInto;

void Give(Attribute a, std::string_view value, Sink sink) {
  CanonicalBuffer buffer;
  const std::string_view canonical = CanonicalInto(a, value, buffer);
  if (!canonical.empty()) sink(a, canonical);
}

/// The values of a list that is separated by commas.
void GiveEach(Attribute a, std::string_view list, Sink sink) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    Give(a, list.substr(0, comma), sink);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

/// `place` alone and as "usa-place".
void GivePlace(Attribute a, std::string_view country, std::string_view place, Sink sink) {
  CanonicalBuffer buffer;
  const std::string_view canonical = CanonicalInto(a, place, buffer);
  if (canonical.empty()) return;
  sink(a, canonical);
  constexpr size_t kMost = internal::kMaxValueBytes;
  if (country.empty() || country.size() + 1 + canonical.size() > kMost) return;
  char joined[kMost];
  size_t n = 0;
  for (char c : country) {
    joined[n++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  joined[n++] = '-';
  for (char c : canonical) joined[n++] = c;
  sink(a, {joined, n});
}

/// "iab1-3" and its parents "iab1-3", "iab1".
void GiveCategory(std::string_view cat, Sink sink) {
  CanonicalBuffer buffer;
  std::string_view canonical = CanonicalInto(Attribute::kCategory, cat, buffer);
  while (!canonical.empty()) {
    sink(Attribute::kCategory, canonical);
    const size_t dash = canonical.rfind('-');
    if (dash == std::string_view::npos) break;
    canonical = canonical.substr(0, dash);
  }
}

/// The domain and those it lies in, down to two labels.
void GiveDomain(std::string_view domain, Sink sink) {
  CanonicalBuffer buffer;
  std::string_view canonical = CanonicalInto(Attribute::kDomain, domain, buffer);
  while (!canonical.empty()) {
    sink(Attribute::kDomain, canonical);
    const size_t dot = canonical.find('.');
    if (dot == std::string_view::npos) break;
    canonical.remove_prefix(dot + 1);
    if (canonical.find('.') == std::string_view::npos) break;
  }
}

/// The host of "https://user@host:port/path"; empty when there is none.
std::string_view HostOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  return url.substr(0, url.find(':'));
}

std::string_view DeviceTypeName(int32_t type) {
  constexpr std::array<std::string_view, 9> kNames = {
      "", "mobile", "pc", "ctv", "phone", "tablet", "connected_device", "stb", "ooh"};
  return type >= 1 && type <= 8 ? kNames[static_cast<size_t>(type)] : std::string_view();
}

std::string_view OsName(const Device& device) {
  switch (device.os_kind) {
    case Os::kAndroid:
      return "android";
    case Os::kIos:
      return "ios";
    case Os::kWindows:
      return "windows";
    case Os::kMacos:
      return "macos";
    case Os::kLinux:
      return "linux";
    case Os::kTvos:
      return "tvos";
    case Os::kUnknown:
    case Os::kOther:
      break;
  }
  return device.os;
}

std::string_view ChannelName(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::kSite:
      return "site";
    case ChannelKind::kApp:
      return "app";
    case ChannelKind::kDooh:
      return "dooh";
    case ChannelKind::kNone:
      break;
  }
  return {};
}

/// device.geo where it says anything, else user.geo: the field that `get` picks.
template <class Get>
auto GeoField(const Request& r, Get get) {
  auto of_device = get(r.device.geo);
  return of_device != decltype(of_device){} ? of_device : get(r.user.geo);
}

void GiveDevice(const Request& r, Sink sink) {
  const std::string_view country = GeoField(r, [](const Geo& g) { return g.country; });
  CanonicalBuffer buffer;
  const std::string_view code = CanonicalInto(Attribute::kCountry, country, buffer);
  if (!code.empty()) sink(Attribute::kCountry, code);
  GivePlace(Attribute::kRegion, code, GeoField(r, [](const Geo& g) { return g.region; }), sink);
  GivePlace(Attribute::kCity, code, GeoField(r, [](const Geo& g) { return g.city; }), sink);
  Give(Attribute::kMetro, GeoField(r, [](const Geo& g) { return g.metro; }), sink);
  const int32_t type = r.device.devicetype.value_or(0);
  if (const std::string_view name = DeviceTypeName(type); !name.empty()) {
    sink(Attribute::kDeviceType, name);
    if (type == 4 || type == 5) sink(Attribute::kDeviceType, "mobile");
  }
  Give(Attribute::kOs, OsName(r.device), sink);
  Give(Attribute::kMake, r.device.make, sink);
}

void GiveChannel(const Request& r, Sink sink) {
  const Channel& c = r.channel;
  if (const std::string_view name = ChannelName(c.kind); !name.empty()) {
    sink(Attribute::kChannel, name);
  }
  GiveEach(Attribute::kGenre, c.content.genre, sink);
  for (const List<Text>& cats : {c.cat, c.sectioncat, c.pagecat, c.content.cat}) {
    for (Text cat : cats) GiveCategory(cat, sink);
  }
  Give(Attribute::kLanguage, c.content.language.empty() ? r.device.language : c.content.language,
       sink);
  for (Text keywords : {c.keywords, c.content.keywords, r.user.keywords}) {
    GiveEach(Attribute::kKeyword, keywords, sink);
  }
  Give(Attribute::kPublisher, c.publisher.id, sink);
  if (c.kind == ChannelKind::kApp) Give(Attribute::kApp, c.bundle.empty() ? c.id : c.bundle, sink);
  GiveDomain(c.domain.empty() ? HostOf(c.page) : c.domain, sink);
}

void GiveUser(const Request& r, absl::Time now, Sink sink) {
  if (r.user.yob) {
    const int64_t year = absl::ToCivilYear(now, absl::UTCTimeZone()).year();
    const int64_t age = year - *r.user.yob;
    if (age >= 0 && age < 200) {
      const std::string_view band = AgeBand(static_cast<int>(age));
      if (!band.empty()) sink(Attribute::kAge, band);
    }
  }
  Give(Attribute::kGender, r.user.gender, sink);
}

struct ZoneOfCountry {
  std::string_view country;
  absl::TimeZone zone;
};

/// The main time zone of every country, by rising alpha-3 code; UTC where the machine's time zone
/// database lacks one.
const std::vector<ZoneOfCountry>& Zones() {
  static const std::vector<ZoneOfCountry>& zones = *[] {
    auto* all = new std::vector<ZoneOfCountry>;
    for (const internal::Country& c : internal::Countries()) {
      ZoneOfCountry entry{c.three, absl::UTCTimeZone()};
      absl::TimeZone zone;
      if (absl::LoadTimeZone({c.zone.data(), c.zone.size()}, &zone)) entry.zone = zone;
      all->push_back(entry);
    }
    std::sort(all->begin(), all->end(),
              [](const ZoneOfCountry& a, const ZoneOfCountry& b) { return a.country < b.country; });
    return all;
  }();
  return zones;
}

const absl::TimeZone* MainZone(std::string_view country) {
  CanonicalBuffer buffer;
  const std::string_view code = CanonicalInto(Attribute::kCountry, country, buffer);
  const auto& zones = Zones();
  const auto hit = std::lower_bound(
      zones.begin(), zones.end(), code,
      [](const ZoneOfCountry& z, std::string_view wanted) { return z.country < wanted; });
  return hit != zones.end() && hit->country == code ? &hit->zone : nullptr;
}

}  // namespace

void TargetingFacts::ForEachValue(const Request& request, absl::Time now, Sink value) {
  GiveDevice(request, value);
  GiveChannel(request, value);
  GiveUser(request, now, value);
}

void TargetingFacts::ForEachDeal(const Imp& imp, absl::FunctionRef<void(std::string_view)> deal) {
  for (const Deal& d : imp.deals) {
    Give(Attribute::kDeal, d.id, [&](Attribute, std::string_view id) { deal(id); });
  }
}

void TargetingFacts::ForEachShape(const Imp& imp, absl::FunctionRef<void(const Shape&)> shape) {
  if (imp.banner != nullptr) {
    bool sized = false;
    for (const Format& f : imp.banner->format) {
      if (f.w <= 0 || f.h <= 0) continue;
      shape({MarkupType::kBanner, f.w, f.h});
      sized = true;
    }
    if (!sized) {
      const bool exact = imp.banner->w > 0 && imp.banner->h > 0;
      shape({MarkupType::kBanner, exact ? imp.banner->w : 0, exact ? imp.banner->h : 0});
    }
  }
  if (imp.video != nullptr) shape({MarkupType::kVideo, 0, 0});
  if (imp.audio != nullptr) shape({MarkupType::kAudio, 0, 0});
  if (imp.native != nullptr) shape({MarkupType::kNative, 0, 0});
}

int TargetingFacts::HourOfWeek(const Request& request, absl::Time now) {
  const std::string_view country = GeoField(request, [](const Geo& g) { return g.country; });
  const absl::TimeZone* zone = country.empty() ? nullptr : MainZone(country);
  int64_t offset_s = zone == nullptr ? 0 : zone->At(now).offset;
  const Int stated =
      request.device.geo.utcoffset ? request.device.geo.utcoffset : request.user.geo.utcoffset;
  if (stated && *stated >= -12 * 60 && *stated <= 14 * 60) {
    int64_t listener_s = int64_t{*stated} * 60;
    if (zone != nullptr &&
        std::abs(-listener_s - offset_s) + 6 * 3600 <= std::abs(listener_s - offset_s)) {
      listener_s = -listener_s;
    }
    offset_s = listener_s;
  }
  constexpr int64_t kWeek = 7 * 24 * 3600;
  constexpr int64_t kThursday = 3 * 24 * 3600;  // 1 January 1970 was one
  const int64_t seconds = absl::ToUnixSeconds(now);
  // Infinite and absurd times are brought into range first; a wall clock may say anything.
  const int64_t in_week = ((seconds % kWeek) + kThursday + offset_s + 2 * kWeek) % kWeek;
  return static_cast<int>(in_week / 3600);
}

}  // namespace adagents::ads
