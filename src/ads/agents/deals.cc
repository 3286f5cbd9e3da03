#include "ads/agents/deals.h"

#include <algorithm>

#include "ads/canonical.h"

namespace adagents::ads::internal {
namespace {

bool Lists(List<Text> list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

bool Invites(const Deal& deal, const Campaign& campaign, std::string_view seat) {
  if (!deal.wseat.empty() && !Lists(deal.wseat, SeatOf(campaign, seat))) return false;
  if (deal.wadomain.empty()) return true;
  return std::any_of(deal.wadomain.begin(), deal.wadomain.end(), [&](Text domain) {
    CanonicalBuffer buffer;
    const std::string_view canonical = CanonicalInto(Attribute::kDomain, domain, buffer);
    return std::find(campaign.adomain.begin(), campaign.adomain.end(), canonical) !=
           campaign.adomain.end();
  });
}

}  // namespace

DealChoice ChooseDeal(const Imp& imp, const Campaign& campaign, std::string_view seat) {
  DealChoice choice;
  for (const Condition& c : campaign.targeting.conditions) {
    if (c.attribute != Attribute::kDeal || c.exclude) continue;
    choice.required = true;
    for (size_t i = 0; i < imp.deals.size(); ++i) {
      CanonicalBuffer buffer;
      const std::string_view id = CanonicalInto(Attribute::kDeal, imp.deals[i].id, buffer);
      if (id.empty() || std::find(c.values.begin(), c.values.end(), id) == c.values.end()) continue;
      if (Invites(imp.deals[i], campaign, seat)) {
        choice.deal = static_cast<int16_t>(i);
        return choice;
      }
      choice.refused = true;
    }
  }
  return choice;
}

}  // namespace adagents::ads::internal
