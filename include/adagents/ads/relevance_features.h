// What the relevance model sees of a request and of a creative, hashed beforehand: the request's
// part once per imp, the creative's once per catalog. Scoring a candidate is then a dozen loads.
//
//   RequestFeatures context = RequestFeatures::Of(request, imp, query.hour_of_week());
//   const CreativeFeatures& ad = catalog.relevance_features()[creative_index];
//
// Thread safety: plain values, and functions of their arguments alone.
#pragma once

#include <array>
#include <cstdint>

#include "adagents/ads/campaign.h"
#include "adagents/ads/request.h"

namespace adagents::ads {

/// The context of one imp. A plain value without pointers: may be kept until the outcome is known.
struct RequestFeatures {
  /// What is crossed with creatives, each hashed into its own slots of a row of 128 weights. The
  /// numbers of slots follow the numbers of common values: 30 genres, 26 top categories, some 60
  /// regions that matter per market, few devices.
  enum Cross : uint8_t { kGenre, kCategory, kDaypart, kRegion, kSource, kDevice };
  static constexpr size_t kCrosses = 6;
  static constexpr std::array<uint8_t, kCrosses> kSlots = {32, 32, 8, 24, 16, 8};
  static constexpr size_t kRow = 128;  // slot 0 is the row's own weight
  /// What counts by itself: all of the above, the language, and the kind of imp.
  static constexpr size_t kAlone = kCrosses + 2;
  static constexpr size_t kAloneSlots = 4096;  // each

  std::array<uint8_t, kCrosses> slots{};  // within a row, 1..127
  std::array<uint16_t, kAlone> alone{};   // within each table of kAloneSlots

  /// `hour_of_week` as TargetingFacts::HourOfWeek has it. Never fails, allocates nothing.
  static RequestFeatures Of(const Request& request, const Imp& imp, int hour_of_week);

  bool operator==(const RequestFeatures&) const = default;
};

/// One creative. A plain value.
struct CreativeFeatures {
  /// Traits that creatives share, so that what is learned from one helps another.
  enum Trait : uint8_t { kBrand, kAdCategory, kForm, kTone, kPace, kVoice, kCall };
  static constexpr size_t kTraits = 7;
  static constexpr size_t kTraitRows = 4096;  // for all traits together

  uint32_t row = 0;                        // hash: the creative's own row
  uint32_t campaign = 0;                   // hash: the campaign's own weight
  std::array<uint16_t, kTraits> traits{};  // rows below kTraitRows

  static CreativeFeatures Of(const Campaign& campaign, const Creative& creative);

  bool operator==(const CreativeFeatures&) const = default;
};

}  // namespace adagents::ads
