// Kinds of campaign lines and their tiers: what comes first whatever it is worth.
//
// A tier is one number, the higher the sooner:
//   reserved    guaranteed lines, and whatever buys through a deal
//   open        all others that pay
//   house       the host's own, for what would be dead air
// Within these the campaign's priority decides, and at equal priority a guarantee (of the line or
// of the deal, OpenRTB's `guar`) comes before a private deal. Value counts within a tier only.
//
// Plain values and functions of them: thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace adagents::ads {

/// What an advertiser, or the host itself, was promised. house: fills what nobody buys, is charged
/// as little as its floor allows, sets no price for others, and may stand beside anything in a pod.
enum class Line : uint8_t { kOpen, kGuaranteed, kHouse };

/// "open" and so on.
std::string_view Name(Line line);

inline constexpr int kTierStep = 2'000;  // more than priorities (-100 to 100, doubled) are apart

/// The tier of a line without a deal; `priority` from -100 to 100.
[[nodiscard]] constexpr int16_t TierOf(Line line, int32_t priority) {
  const int by_priority = 2 * priority;
  switch (line) {
    case Line::kGuaranteed:
      return static_cast<int16_t>(by_priority + kTierStep + 1);
    case Line::kHouse:
      return static_cast<int16_t>(by_priority - kTierStep);
    case Line::kOpen:
      break;
  }
  return static_cast<int16_t>(by_priority);
}
[[nodiscard]] constexpr bool IsReserved(int16_t tier) { return tier > kTierStep / 2; }
[[nodiscard]] constexpr bool IsHouse(int16_t tier) { return tier < -kTierStep / 2; }

/// The tier of a line of the tier `line` that buys through a deal. House lines stay where they are.
[[nodiscard]] constexpr int16_t TierWithDeal(int16_t line, bool guaranteed) {
  if (IsReserved(line) || IsHouse(line)) return line;
  return static_cast<int16_t>(line + kTierStep + (guaranteed ? 1 : 0));
}

}  // namespace adagents::ads
