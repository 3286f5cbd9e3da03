#include "ads/agents/deals.h"

#include <algorithm>

#include "adagents/base/ids.h"
#include "ads/canonical.h"

namespace adagents::ads::internal {
namespace {

bool Has(const std::vector<std::pair<uint32_t, uint64_t>>& sorted, uint32_t deal,
         std::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), std::pair(deal, StableHash64(text)));
}

}  // namespace

void DealBook::Read(const Imp& imp) {
  terms_.clear();
  ids_.clear();
  seats_.clear();
  domains_.clear();
  for (uint32_t i = 0; i < imp.deals.size(); ++i) {
    const Deal& deal = imp.deals[i];
    terms_.push_back({!deal.wseat.empty(), !deal.wadomain.empty()});
    CanonicalBuffer buffer;
    const std::string_view id = CanonicalInto(Attribute::kDeal, deal.id, buffer);
    if (!id.empty()) ids_.emplace_back(StableHash64(id), i);
    for (const Text seat : deal.wseat) seats_.emplace_back(i, StableHash64(seat));
    for (const Text domain : deal.wadomain) {
      domains_.emplace_back(i, StableHash64(CanonicalInto(Attribute::kDomain, domain, buffer)));
    }
  }
  std::sort(ids_.begin(), ids_.end());
  std::sort(seats_.begin(), seats_.end());
  std::sort(domains_.begin(), domains_.end());
}

bool DealBook::Invites(uint32_t deal, const Campaign& campaign, std::string_view seat) const {
  if (terms_[deal].seats && !Has(seats_, deal, SeatOf(campaign, seat))) return false;
  return !terms_[deal].domains ||
         std::any_of(campaign.adomain.begin(), campaign.adomain.end(),
                     [&](const std::string& domain) { return Has(domains_, deal, domain); });
}

DealChoice DealBook::Choose(const Campaign& campaign, std::string_view seat) const {
  DealChoice choice;
  for (const Condition& c : campaign.targeting.conditions) {
    if (c.attribute != Attribute::kDeal || c.exclude) continue;
    choice.required = true;
    uint32_t first = static_cast<uint32_t>(terms_.size());
    for (const std::string& value : c.values) {
      const uint64_t hash = StableHash64(value);
      auto at = std::lower_bound(ids_.begin(), ids_.end(), std::pair(hash, uint32_t{0}));
      for (; at != ids_.end() && at->first == hash && at->second < first; ++at) {
        if (Invites(at->second, campaign, seat)) {
          first = at->second;
        } else {
          choice.refused = true;
        }
      }
    }
    if (first == terms_.size()) continue;
    choice.deal = static_cast<int16_t>(first);
    return choice;
  }
  return choice;
}

}  // namespace adagents::ads::internal
