// What an advertiser buys: a campaign, its creatives, and whom it is for. Plain values, filled by
// catalog_loader.h or by hand, checked and frozen by catalog.h.
//
//   Campaign c;
//   c.id = "acme-spring";
//   c.advertiser = "Acme";
//   c.adomain = {"acme.example"};
//   c.bid.max_cpm = Micros{4'500'000};                      // at most 4.50 a thousand
//   c.targeting.Include(Attribute::kCountry, {"USA"});
//   c.targeting.Exclude(Attribute::kGenre, {"news"});
//   c.creatives.push_back({.id = "acme-30s", .format = MarkupType::kAudio, .duration_ms = 30'000});
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/line.h"
#include "adagents/base/money.h"

namespace adagents::ads {

/// What a campaign wants from an impression. brand_awareness: heard or seen to the end;
/// direct_response: acted upon; reach: as many different listeners as the budget buys.
enum class Objective : uint8_t { kBrandAwareness, kDirectResponse, kReach };

/// What an advertiser may pay for besides the impression itself.
enum class Action : uint8_t { kNone, kClick, kCompletion, kConversion };

/// What a condition looks at in a request. The comment gives the canonical spelling of its values
/// (see Canonical()) and where a request says it.
enum class Attribute : uint8_t {
  kCountry,     // "USA": ISO 3166-1 alpha-3; device.geo, else user.geo
  kRegion,      // "ca", or "usa-ca" or "us-ca" to pin the country
  kCity,        // "chicago", or "usa-chicago"
  kMetro,       // "501": Google metro code
  kDeviceType,  // "phone", "tablet", "mobile" (both), "pc", "ctv", "connected_device", "stb", "ooh"
  kOs,          // "ios" (iPads too), "android", "windows", "macos", "linux", "tvos": lower case
  kMake,        // "apple": lower case
  kChannel,     // "app", "site", "dooh"
  kGenre,       // "jazz": content.genre, lower case
  kCategory,    // "iab1" also holds for "iab1-3": cat of app, site and content
  kLanguage,    // "en": ISO 639-1; content.language, else device.language
  kKeyword,     // of app, site and content; of the user only where consent allows
  kPublisher,   // publisher.id, as sent
  kApp,         // app.bundle, else app.id, as sent
  kDomain,      // "example.com" also holds for "www.example.com": site.domain, else page's host
  kDeal,        // pmp.deals.id, as sent; a campaign that includes deals buys only through them
  kAge,         // "13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"; consented only
  kGender,      // "m", "f", "o"; consented only
};
inline constexpr int kAttributeCount = static_cast<int>(Attribute::kGender) + 1;

/// The names used in catalogs and reasons, such as "device_type". Never empty for valid values.
std::string_view Name(Attribute a);
std::string_view Name(Objective o);
std::string_view Name(MarkupType m);
std::string_view Name(Action a);

/// The spelling in which values of `a` are compared: blanks trimmed, letter case folded where the
/// attribute says so, country codes of two letters widened to three, "en-US" cut to "en", "www."
/// dropped from domains. Empty for blank values and those of more than 255 bytes, which no
/// condition may have.
std::string Canonical(Attribute a, std::string_view value);

/// The band of kAge that holds `years`, or empty when outside [13, 120].
std::string_view AgeBand(int years);

/// Hours of the week in the listener's time zone; bit 0 is Monday 00:00-01:00, bit 167 is Sunday
/// 23:00-24:00.
using HoursOfWeek = std::bitset<168>;

/// One attribute's list. Includes hold when the request has any of the values; excludes hold when
/// it has none of them. A request that does not say fails every include and passes every exclude.
struct Condition {
  Attribute attribute = Attribute::kCountry;
  bool exclude = false;
  std::vector<std::string> values;  // canonical, sorted, without repeats, once in a Catalog

  bool operator==(const Condition&) const = default;
};

/// Whom a campaign is for: every condition must hold. No conditions: everybody, always. Several
/// includes of one attribute are one list. Thread-compatible.
struct Targeting {
  std::vector<Condition> conditions;
  HoursOfWeek hours;  // none set: any hour

  void Include(Attribute a, std::vector<std::string> values) {
    conditions.push_back({a, false, std::move(values)});
  }
  void Exclude(Attribute a, std::vector<std::string> values) {
    conditions.push_back({a, true, std::move(values)});
  }
  bool operator==(const Targeting&) const = default;
};

/// A picture or page shown beside an audio or video creative.
struct Companion {
  int32_t w = 0, h = 0;  // device-independent pixels
  std::string mime;
  std::string media_url;
  std::string click_through;

  bool operator==(const Companion&) const = default;
};

/// Whose impressions a frequency cap counts together. Which fields of a request say so is up to
/// the host: see FrequencyCapPolicy.
enum class CapPer : uint8_t { kListener, kHousehold, kSession, kDevice };
std::string_view Name(CapPer p);

/// At most `count` impressions in any `window`, wherever it begins.
struct FrequencyCap {
  static constexpr int32_t kMostCount = 100;
  static constexpr absl::Duration kShortest = absl::Minutes(1), kLongest = absl::Hours(31 * 24);
  static constexpr size_t kMost = 4;  ///< on one campaign, creative or brand

  CapPer per = CapPer::kListener;
  int32_t count = 0;  ///< 1 to kMostCount; beyond 15, at most 15 of them within a seventh of it
  absl::Duration window;

  bool operator==(const FrequencyCap&) const = default;
};

/// Caps on all ads of a brand together, of whichever campaign.
struct BrandCaps {
  std::string brand;  ///< as campaigns and creatives name it; letter case does not matter
  std::vector<FrequencyCap> caps;

  bool operator==(const BrandCaps&) const = default;
};

/// What a brand is counted by, as people read its name: ASCII letter case and blanks around it do
/// not matter. Stable; 0 for no brand.
uint64_t BrandKey(std::string_view brand);

/// One ad that can be played or shown. `id` is the bid's crid.
struct Creative {
  std::string id;
  std::string title;                        // also the native headline
  std::string body;                         // native text; empty otherwise
  std::string brand;                        // the campaign's brand when empty
  MarkupType format = MarkupType::kBanner;  // never kUnset
  std::vector<std::string> mimes;           // of the media file; lower case; empty: not stated
  int32_t w = 0, h = 0;                     // banner, video and native image; 0: any
  int32_t duration_ms = 0;                  // audio and video, > 0 there
  int32_t bitrate_kbps = 0;                 // 0: not stated
  std::string media_url;                    // audio, video, image; https, or see IsSecure()
  std::string markup;                       // banner HTML; when empty the image is shown
  std::string click_through;                // landing page
  std::string language;                     // "en"; empty: fits any
  std::string tone;            // "calm", "upbeat", "serious", ...; free words, lower case
  std::string pace;            // "slow", "medium", "fast"
  std::string voice;           // "female", "male", "none", ...
  std::string call_to_action;  // "visit", "install", ...; empty: none
  std::vector<uint8_t> attr;   // AdCOM creative attributes, 1-63
  std::vector<Companion> companions;
  std::vector<FrequencyCap> caps;  // on this creative alone

  bool operator==(const Creative&) const = default;
};

/// What it may cost, in the campaign's currency.
struct Budget {
  Micros daily{};           // 0: no daily bound
  Micros lifetime{};        // 0: no lifetime bound; at least one of the two is set
  std::string time_zone{};  // whose days they are, "Europe/Berlin"; "": UTC

  bool operator==(const Budget&) const = default;
};

/// How a budget is spread over its period.
enum class Pace : uint8_t { kEven, kAsap, kFrontLoaded };
std::string_view Name(Pace p);

/// How a pacer (pacer.h) is to spend the budget.
struct PacingTerms {
  Pace pace = Pace::kEven;
  Micros target{};             // what one `per` may cost on average; 0: no target
  Action per = Action::kNone;  // kNone: a thousand impressions

  bool operator==(const PacingTerms&) const = default;
};

/// How it bids. The price of a thousand impressions never exceeds max_cpm; with a target action the
/// value of an impression is value_per_action times the predicted rate of that action.
struct BidStrategy {
  Micros max_cpm{};  // > 0
  Action action = Action::kNone;
  Micros value_per_action{};  // > 0 exactly when there is an action: the target CPC, CPCV or CPA

  bool operator==(const BidStrategy&) const = default;
};

/// One campaign. Thread-compatible; immutable once in a Catalog.
struct Campaign {
  std::string id;    // the bid's cid; unique; survives catalog swaps
  uint64_t key = 0;  // StableHash64(id), set by the Catalog; survives catalog swaps
  std::string name;
  std::string advertiser;
  std::string brand;  // the advertiser when empty
  std::string seat;   // buyer seat on the exchange; empty: none
  Objective objective = Objective::kBrandAwareness;
  Currency currency;  // of budget and bid
  Budget budget;
  PacingTerms pacing;
  absl::Time start = absl::InfinitePast();  // runs in [start, end)
  absl::Time end = absl::InfiniteFuture();
  BidStrategy bid;
  Line line = Line::kOpen;           // what was promised; goes before priority
  int32_t priority = 0;              // -100..100; the higher is considered first
  std::vector<std::string> adomain;  // advertiser domains, at least one
  std::vector<std::string> cat;      // IAB content categories of the ad, as "IAB2-3"
  Targeting targeting;
  std::vector<Creative> creatives;  // at least one; ids unique within the campaign
  std::vector<FrequencyCap> caps;   // on all its creatives together

  /// The name that listeners know.
  std::string_view brand_or_advertiser() const { return brand.empty() ? advertiser : brand; }
  /// The same of one of its creatives, which may have a brand of its own.
  std::string_view BrandOf(const Creative& creative) const {
    return creative.brand.empty() ? brand_or_advertiser() : std::string_view(creative.brand);
  }
  bool operator==(const Campaign&) const = default;
};

}  // namespace adagents::ads
