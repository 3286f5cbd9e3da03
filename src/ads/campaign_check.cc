#include "ads/campaign_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "ads/canonical.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

constexpr size_t kMaxIdBytes = 128;     // ids travel in bids, logs and URLs
constexpr size_t kMaxTextBytes = 2048;  // names, titles
constexpr size_t kMaxUrlBytes = 8192;   // what common servers and players accept
constexpr size_t kMaxMarkup = 1 << 20;  // banner HTML
constexpr size_t kMaxCreatives = 1000;  // as Catalog::kMaxCreatives
constexpr size_t kMaxValues = 100'000;  // of one condition
constexpr int32_t kMaxSide = 32767;     // pixels
constexpr int32_t kMaxDurationMs = 6 * 3600 * 1000;
constexpr Micros kMaxMoney{1'000'000'000 * Micros::kUnit};  // a billion units is a typing error

bool Printable(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u != 0x7f;
  });
}

void CheckText(std::string_view path, std::string_view text, size_t most, FaultSink fault) {
  if (text.size() > most) {
    fault(path, fmt::format("must have at most {} bytes, has {}", most, text.size()));
  } else if (!Printable(text)) {
    fault(path, "must not contain control characters");
  }
}

void CheckId(std::string_view path, std::string_view id, FaultSink fault) {
  if (id.empty()) {
    fault(path, "must not be empty");
  } else {
    CheckText(path, id, kMaxIdBytes, fault);
  }
}

void CheckUrl(std::string_view path, std::string_view url, FaultSink fault) {
  if (url.empty()) return;
  const bool spaced = url.find_first_of(" \"<>\\^`{|}") != std::string_view::npos;
  const size_t scheme = url.find("://");
  if (url.size() > kMaxUrlBytes) {
    fault(path, fmt::format("must have at most {} bytes, has {}", kMaxUrlBytes, url.size()));
  } else if (!Printable(url) || spaced) {
    fault(path, "must be a URL without blanks, quotes or brackets, got " + Quoted(url));
  } else if (scheme == 0 || scheme == std::string_view::npos || scheme + 3 == url.size()) {
    fault(path, "must be an absolute URL such as \"https://example.com/ad\", got " + Quoted(url));
  }
}

void CheckRange(std::string_view path, int64_t value, int64_t low, int64_t high, FaultSink fault) {
  if (value < low || value > high) {
    fault(path, fmt::format("must be from {} to {}, got {}", low, high, value));
  }
}

void CheckMoney(std::string_view path, Micros m, bool may_be_zero, FaultSink fault) {
  if (m.value < 0 || (m.value == 0 && !may_be_zero)) {
    fault(path, fmt::format("must be {} 0, got {}", may_be_zero ? ">=" : ">", m.units()));
  } else if (m > kMaxMoney) {
    fault(path, fmt::format("must be at most {}, got {}", kMaxMoney.units(), m.units()));
  }
}

bool LooksLikeDomain(std::string_view d) {
  if (d.empty() || d.size() > 253 || d.find('.') == std::string_view::npos) return false;
  if (d.front() == '.' || d.back() == '.' || d.find("..") != std::string_view::npos) return false;
  return std::all_of(d.begin(), d.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  });
}

/// The values that an attribute with a fixed list may have; empty for free ones.
std::vector<std::string_view> FixedValues(Attribute a) {
  switch (a) {
    case Attribute::kDeviceType:
      return {"phone", "tablet", "mobile", "pc", "ctv", "connected_device", "stb", "ooh"};
    case Attribute::kChannel:
      return {"app", "site", "dooh"};
    case Attribute::kAge:
      return {"13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"};
    case Attribute::kGender:
      return {"m", "f", "o"};
    default:
      return {};
  }
}

void CheckValue(Attribute a, const std::string& path, const std::string& value, FaultSink fault) {
  const std::string canonical = Canonical(a, value);
  if (canonical.empty()) {
    fault(path, fmt::format("must have from 1 to {} bytes, got {}", kMaxValueBytes, Quoted(value)));
    return;
  }
  const std::vector<std::string_view> fixed = FixedValues(a);
  if (!fixed.empty() && std::find(fixed.begin(), fixed.end(), canonical) == fixed.end()) {
    fault(path, fmt::format("must be one of {}, got {}", fmt::join(fixed, ", "), Quoted(value)));
  }
  if (a == Attribute::kCountry && canonical.size() != 3) {
    fault(path, "must be an ISO 3166-1 code such as \"USA\", got " + Quoted(value));
  }
  if (a == Attribute::kLanguage && canonical.size() != 2 && canonical.size() != 3) {
    fault(path, "must be an ISO 639 code such as \"en\", got " + Quoted(value));
  }
}

void CheckTargeting(const Targeting& t, FaultSink fault) {
  std::map<Attribute, std::set<std::string>> included, excluded;
  for (const Condition& c : t.conditions) {
    const std::string base =
        fmt::format("targeting.{}.{}", Name(c.attribute), c.exclude ? "exclude" : "include");
    if (static_cast<int>(c.attribute) >= kAttributeCount) {
      fault("targeting", "unknown attribute");
      continue;
    }
    if (c.values.empty()) fault(base, "must not be empty: leave it out when it does not matter");
    if (c.values.size() > kMaxValues) {
      fault(base, fmt::format("must have at most {} values, has {}", kMaxValues, c.values.size()));
    }
    for (size_t i = 0; i < c.values.size(); ++i) {
      CheckValue(c.attribute, fmt::format("{}[{}]", base, i), c.values[i], fault);
      (c.exclude ? excluded : included)[c.attribute].insert(Canonical(c.attribute, c.values[i]));
    }
  }
  for (const auto& [attribute, values] : included) {
    for (const std::string& v : values) {
      if (excluded[attribute].contains(v)) {
        fault(fmt::format("targeting.{}", Name(attribute)),
              Quoted(v) + " is both included and excluded");
      }
    }
  }
}

void CheckCompanion(const std::string& at, const Companion& c, FaultSink fault) {
  CheckRange(at + "w", c.w, 1, kMaxSide, fault);
  CheckRange(at + "h", c.h, 1, kMaxSide, fault);
  CheckText(at + "mime", c.mime, kMaxIdBytes, fault);
  if (c.media_url.empty()) fault(at + "media_url", "must not be empty");
  CheckUrl(at + "media_url", c.media_url, fault);
  CheckUrl(at + "click_through", c.click_through, fault);
}

void CheckCaps(const std::string& path, const std::vector<FrequencyCap>& caps, FaultSink fault) {
  if (caps.size() > FrequencyCap::kMost) {
    fault(path, fmt::format("must have at most {}, has {}", FrequencyCap::kMost, caps.size()));
  }
  for (size_t i = 0; i < caps.size(); ++i) {
    const std::string at = fmt::format("{}[{}].", path, i);
    CheckRange(at + "count", caps[i].count, 1, FrequencyCap::kMostCount, fault);
    if (caps[i].window < FrequencyCap::kShortest || caps[i].window > FrequencyCap::kLongest) {
      fault(at + "window", "must be from a minute (\"1m\") to 31 days (\"31d\"), got " +
                               std::string(absl::FormatDuration(caps[i].window)));
    }
    for (size_t k = 0; k < i; ++k) {
      if (caps[k].per != caps[i].per || caps[k].window != caps[i].window) continue;
      fault(at + "window",
            fmt::format("repeats the window of {}[{}] for each {}", path, k, Name(caps[i].per)));
      break;
    }
  }
}

void CheckMedia(const std::string& at, const Creative& c, FaultSink fault) {
  switch (c.format) {
    case MarkupType::kAudio:
    case MarkupType::kVideo:
      if (c.duration_ms == 0) {
        fault(at + "duration_ms", "must be given for audio and video, in milliseconds");
      }
      if (c.media_url.empty()) fault(at + "media_url", "must be given for audio and video");
      break;
    case MarkupType::kBanner:
      if (c.media_url.empty() && c.markup.empty()) {
        fault(at + "media_url", "a banner needs a media_url or a markup");
      }
      if ((c.w == 0) != (c.h == 0)) {
        fault(at + "w", "w and h must both be given, or neither for a banner of any size");
      }
      break;
    case MarkupType::kNative:
      if (c.title.empty()) fault(at + "title", "must be given for native");
      break;
    case MarkupType::kUnset:
    default:
      fault(at + "format", "must be one of banner, video, audio, native");
  }
}

void CheckCreative(const std::string& at, const Creative& c, FaultSink fault) {
  CheckId(at + "id", c.id, fault);
  CheckMedia(at, c, fault);
  for (const auto& [name, text] : {std::pair{"title", &c.title},
                                   {"body", &c.body},
                                   {"brand", &c.brand},
                                   {"tone", &c.tone},
                                   {"pace", &c.pace},
                                   {"voice", &c.voice},
                                   {"call_to_action", &c.call_to_action}}) {
    CheckText(at + name, *text, kMaxTextBytes, fault);
  }
  if (c.markup.size() > kMaxMarkup) {
    fault(at + "markup", fmt::format("must have at most {} bytes", kMaxMarkup));
  }
  for (size_t i = 0; i < c.mimes.size(); ++i) {
    const std::string& mime = c.mimes[i];
    const std::string path = fmt::format("{}mimes[{}]", at, i);
    CheckText(path, mime, kMaxIdBytes, fault);
    if (mime.find('/') == std::string::npos) {
      fault(path, "must be a MIME type such as \"audio/mpeg\", got " + Quoted(mime));
    }
  }
  CheckRange(at + "w", c.w, 0, kMaxSide, fault);
  CheckRange(at + "h", c.h, 0, kMaxSide, fault);
  CheckRange(at + "duration_ms", c.duration_ms, 0, kMaxDurationMs, fault);
  CheckRange(at + "bitrate_kbps", c.bitrate_kbps, 0, 1'000'000, fault);
  CheckUrl(at + "media_url", c.media_url, fault);
  CheckUrl(at + "click_through", c.click_through, fault);
  const size_t letters = Canonical(Attribute::kLanguage, c.language).size();
  if (letters != 0 && letters != 2) {
    fault(at + "language", "must be an ISO 639-1 code such as \"en\", got " + Quoted(c.language));
  }
  for (size_t i = 0; i < c.attr.size(); ++i) {
    CheckRange(fmt::format("{}attr[{}]", at, i), c.attr[i], 1, 63, fault);
  }
  CheckCaps(at + "caps", c.caps, fault);
  for (size_t i = 0; i < c.companions.size(); ++i) {
    CheckCompanion(fmt::format("{}companions[{}].", at, i), c.companions[i], fault);
  }
}

void CheckPacing(const PacingTerms& pacing, FaultSink fault) {
  CheckMoney("pacing.target", pacing.target, true, fault);
  if (pacing.per != Action::kNone && pacing.target.value == 0) {
    fault("pacing.target", "must be > 0 where it is per action");
  }
}

void CheckCreatives(const Campaign& c, FaultSink fault) {
  if (c.creatives.empty()) fault("creatives", "must have at least one creative");
  if (c.creatives.size() > kMaxCreatives) {
    fault("creatives",
          fmt::format("must have at most {}, has {}", kMaxCreatives, c.creatives.size()));
    return;
  }
  std::map<std::string_view, size_t> seen;
  for (size_t i = 0; i < c.creatives.size(); ++i) {
    const std::string at = fmt::format("creatives[{}].", i);
    CheckCreative(at, c.creatives[i], fault);
    const auto [first, fresh] = seen.try_emplace(c.creatives[i].id, i);
    if (!fresh) {
      fault(at + "id", fmt::format("{} repeats the id of creatives[{}]", Quoted(c.creatives[i].id),
                                   first->second));
    }
  }
}

void CheckBid(const Campaign& c, FaultSink fault) {
  CheckMoney("bid.max_cpm", c.bid.max_cpm, false, fault);
  if (c.bid.action != Action::kNone) {
    CheckMoney("bid.value_per_action", c.bid.value_per_action, false, fault);
  } else if (c.bid.value_per_action.value != 0) {
    fault("bid.value_per_action", "needs bid.action: click, completion or conversion");
  }
  CheckMoney("budget.daily", c.budget.daily, true, fault);
  CheckMoney("budget.lifetime", c.budget.lifetime, true, fault);
  absl::TimeZone zone;
  if (!c.budget.time_zone.empty() && !absl::LoadTimeZone(c.budget.time_zone, &zone)) {
    fault("budget.time_zone", fmt::format("there is no time zone {}", Quoted(c.budget.time_zone)));
  }
  if (c.budget.daily.value == 0 && c.budget.lifetime.value == 0) {
    fault("budget", "must have daily or lifetime, above 0");
  }
}

}  // namespace

std::string Quoted(std::string_view text, size_t most) {
  std::string out = "\"";
  for (char c : text.substr(0, most)) {
    const auto u = static_cast<unsigned char>(c);
    out += u < 0x20 || u >= 0x7f ? '?' : c;
  }
  return out + (text.size() > most ? "...\"" : "\"");
}

void CheckCampaign(const Campaign& c, FaultSink fault) {
  CheckId("id", c.id, fault);
  CheckText("name", c.name, kMaxTextBytes, fault);
  CheckText("advertiser", c.advertiser, kMaxTextBytes, fault);
  if (c.advertiser.empty()) fault("advertiser", "must not be empty");
  CheckText("brand", c.brand, kMaxTextBytes, fault);
  CheckText("seat", c.seat, kMaxIdBytes, fault);
  CheckBid(c, fault);
  CheckPacing(c.pacing, fault);
  if (c.end <= c.start) fault("flight.end", "must be after flight.start");
  CheckRange("priority", c.priority, -100, 100, fault);
  if (c.adomain.empty()) fault("adomain", "must name at least one domain of the advertiser");
  for (size_t i = 0; i < c.adomain.size(); ++i) {
    if (!LooksLikeDomain(c.adomain[i])) {
      fault(fmt::format("adomain[{}]", i),
            "must be a domain such as \"example.com\", got " + Quoted(c.adomain[i]));
    }
  }
  for (size_t i = 0; i < c.cat.size(); ++i) {
    CheckId(fmt::format("cat[{}]", i), c.cat[i], fault);
  }
  CheckCaps("caps", c.caps, fault);
  CheckTargeting(c.targeting, fault);
  CheckCreatives(c, fault);
}

void CheckBrands(const std::vector<BrandCaps>& brands, FaultSink fault) {
  std::map<uint64_t, size_t> seen;
  for (size_t i = 0; i < brands.size(); ++i) {
    const std::string at = fmt::format("brands[{}].", i);
    CheckText(at + "brand", brands[i].brand, kMaxTextBytes, fault);
    if (BrandKey(brands[i].brand) == 0) fault(at + "brand", "must not be empty");
    CheckCaps(at + "caps", brands[i].caps, fault);
    const auto [first, fresh] = seen.try_emplace(BrandKey(brands[i].brand), i);
    if (!fresh) {
      fault(at + "brand", fmt::format("{} repeats the brand of brands[{}]", Quoted(brands[i].brand),
                                      first->second));
    }
  }
}

void Normalise(Campaign* c) {
  std::map<std::pair<Attribute, bool>, std::set<std::string>> merged;
  for (const Condition& condition : c->targeting.conditions) {
    auto& values = merged[{condition.attribute, condition.exclude}];
    for (const std::string& v : condition.values) values.insert(Canonical(condition.attribute, v));
  }
  c->targeting.conditions.clear();
  for (auto& [key, values] : merged) {
    c->targeting.conditions.push_back({key.first, key.second, {values.begin(), values.end()}});
  }
  for (std::string& d : c->adomain) d = Canonical(Attribute::kDomain, d);
  for (Creative& creative : c->creatives) {
    creative.language = Canonical(Attribute::kLanguage, creative.language);
    for (std::string& mime : creative.mimes) {
      for (char& ch : mime) {
        if (ch >= 'A' && ch <= 'Z') ch = static_cast<char>(ch - 'A' + 'a');
      }
    }
  }
}

}  // namespace adagents::ads::internal
