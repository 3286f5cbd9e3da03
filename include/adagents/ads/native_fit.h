// Whether a creative has what a native imp asks for.
//
//   if (!ads::CanFill(*imp.native, campaign, creative)) ...   // a required asset would be missing
#pragma once

#include <string_view>

#include "adagents/ads/campaign.h"
#include "adagents/ads/request.h"

namespace adagents::ads {

/// The text for a title or data asset: the creative's title, its brand for "sponsored", its body
/// for "desc", the advertiser's domain for "displayurl", its call to action for "ctatext". The URL
/// for an image. Empty when there is none: for video, and for other data. Thread-safe.
[[nodiscard]] std::string_view NativeContent(const NativeAsset& asset, const Campaign& campaign,
                                             const Creative& creative);

/// Whether every required asset has content, and images the least size asked for as far as the
/// creative states its own. Thread-safe.
[[nodiscard]] bool CanFill(const Native& native, const Campaign& campaign,
                           const Creative& creative);

}  // namespace adagents::ads
