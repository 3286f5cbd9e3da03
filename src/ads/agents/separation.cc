#include "ads/agents/separation.h"

#include <algorithm>
#include <string_view>

#include "adagents/ads/reasons.h"
#include "adagents/base/ids.h"
#include "ads/canonical.h"

namespace adagents::ads::internal {
namespace {

enum Kind : uint64_t { kCampaign, kBrand, kCategory, kCreative, kKinds };
static_assert(kKinds == 4, "two bits");

uint64_t Mark(Kind kind, uint64_t hash) { return (hash & ~uint64_t{3}) | kind; }

uint64_t HashOfCategory(std::string_view category) {
  CanonicalBuffer buffer;
  return StableHash64(CanonicalInto(Attribute::kCategory, category, buffer));
}

}  // namespace

void Dedupe::Read(const Imp& imp) {
  if (imp.video == nullptr) return;
  for (const int32_t setting : imp.video->poddedupe) {
    domain = domain || setting == 1;
    category = category || setting == 2;
    creative = creative || setting == 3;
    media = media || setting == 4;
    off = off || setting == 5;
  }
}

Separation::Separation(const AuctionOptions& options) : separate_(options.separate_competitors) {
  for (size_t g = 0; g < options.competitors.size(); ++g) {
    for (const std::string& category : options.competitors[g]) {
      groups_.emplace_back(HashOfCategory(category), Mix64(g + 1));
    }
  }
  std::sort(groups_.begin(), groups_.end());
}

void Separation::ReadCategories(const Catalog& catalog, uint32_t campaign, Marks* out) const {
  if (!groups_.empty()) {
    for (const uint64_t key : catalog.cat_keys(campaign)) {  // with the categories above it
      auto it = std::lower_bound(groups_.begin(), groups_.end(), std::pair(key, uint64_t{0}));
      for (; it != groups_.end() && it->first == key; ++it) {
        out->push_back(Mark(kCategory, it->second));
      }
    }
    return;
  }
  for (const std::string& category : catalog.campaign(campaign).cat) {
    const std::string_view text = category;
    out->push_back(Mark(kCategory, HashOfCategory(text.substr(0, text.find('-')))));
  }
}

void Separation::Read(const Catalog& catalog, uint32_t campaign, uint16_t creative, bool house,
                      const Dedupe& dedupe, Marks* out) const {
  const CreativeFacts& facts = catalog.creative_facts(campaign)[creative];
  out->clear();
  if (house) {
    out->push_back(Mark(kCreative, facts.key));
  } else {
    out->push_back(Mark(kCampaign, catalog.facts(campaign).key));
  }
  const bool apart = !house && !dedupe.off;
  if (apart && facts.brand != 0) out->push_back(Mark(kBrand, facts.brand));
  if (apart || dedupe.domain) {
    for (const uint64_t key : catalog.adomain_keys(campaign)) out->push_back(Mark(kBrand, key));
  }
  if ((apart && separate_) || dedupe.category) ReadCategories(catalog, campaign, out);
  if (!dedupe.creative && !dedupe.media) return;
  const Creative& ad = catalog.campaign(campaign).creatives[creative];
  if (dedupe.creative) out->push_back(Mark(kCreative, StableHash64(ad.id)));
  if (dedupe.media && !ad.media_url.empty()) {
    out->push_back(Mark(kCreative, StableHash64(ad.media_url)));
  }
}

const ReasonCode* Separation::Between(std::span<const uint64_t> marks,
                                      const absl::flat_hash_set<uint64_t>& taken) {
  for (const uint64_t mark : marks) {
    if (!taken.contains(mark)) continue;
    switch (static_cast<Kind>(mark & 3)) {
      case kCampaign:
        return &reasons::kInPodAlready;
      case kBrand:
        return &reasons::kBrandInPod;
      case kCategory:
        return &reasons::kCompetitorInPod;
      case kCreative:
      case kKinds:
        return &reasons::kCreativeInPod;
    }
  }
  return nullptr;
}

}  // namespace adagents::ads::internal
