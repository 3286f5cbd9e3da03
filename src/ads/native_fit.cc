#include "adagents/ads/native_fit.h"

namespace adagents::ads {
namespace {

// Native 1.2, section 7.4.
enum DataType { kSponsored = 1, kDesc = 2, kDisplayUrl = 11, kCtaText = 12 };

/// An image of unknown size is taken to fit.
bool Fits(const NativeAsset& asset, const Creative& creative) {
  if (asset.kind != NativeAssetKind::kImage || creative.w == 0 || creative.h == 0) return true;
  return creative.w >= asset.wmin && creative.h >= asset.hmin;
}

}  // namespace

std::string_view NativeContent(const NativeAsset& asset, const Campaign& campaign,
                               const Creative& creative) {
  switch (asset.kind) {
    case NativeAssetKind::kTitle:
      return creative.title;
    case NativeAssetKind::kImage:
      return creative.media_url;
    case NativeAssetKind::kVideo:
      return {};
    case NativeAssetKind::kData:
      break;
  }
  switch (asset.type.value_or(0)) {
    case kSponsored:
      return campaign.BrandOf(creative);
    case kDesc:
      return creative.body;
    case kDisplayUrl:
      return campaign.adomain.empty() ? std::string_view() : campaign.adomain[0];
    case kCtaText:
      return creative.call_to_action;
    default:
      return {};
  }
}

bool CanFill(const Native& native, const Campaign& campaign, const Creative& creative) {
  for (const NativeAsset& asset : native.assets) {
    if (!asset.required) continue;
    if (NativeContent(asset, campaign, creative).empty() || !Fits(asset, creative)) return false;
  }
  return true;
}

}  // namespace adagents::ads
