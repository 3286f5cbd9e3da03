#include "ads/agents/block_list.h"

#include <algorithm>

#include "adagents/ads/reasons.h"
#include "adagents/base/ids.h"
#include "ads/agents/deals.h"
#include "ads/canonical.h"

namespace adagents::ads::internal {
namespace {

void ReadInto(Attribute a, List<Text> texts, std::vector<uint64_t>* out) {
  out->clear();
  for (const Text text : texts) {
    CanonicalBuffer buffer;
    const std::string_view canonical = CanonicalInto(a, text, buffer);
    if (!canonical.empty()) out->push_back(StableHash64(canonical));
  }
  std::sort(out->begin(), out->end());
}

bool Has(const std::vector<uint64_t>& sorted, uint64_t hash) {
  return std::binary_search(sorted.begin(), sorted.end(), hash);
}

bool Lists(List<Text> list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

/// Whether `url` holds `id` as a whole: not as part of a longer name or number.
bool Mentions(std::string_view url, std::string_view id) {
  const auto continues = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (id.empty()) return false;
  for (size_t at = url.find(id); at != std::string_view::npos; at = url.find(id, at + 1)) {
    const size_t end = at + id.size();
    // Apple's links write "id123456789" for the app 123456789.
    const bool apple =
        at >= 2 && url.substr(at - 2, 2) == "id" && (at == 2 || !continues(url[at - 3]));
    const bool starts = at == 0 || !continues(url[at - 1]) || apple;
    if (starts && (end == url.size() || !continues(url[end]))) return true;
  }
  return false;
}

}  // namespace

void BlockList::Read(const Request& request) {
  request_ = &request;
  ReadInto(Attribute::kCategory, request.bcat, &categories_);
  ReadInto(Attribute::kDomain, request.badv, &domains_);
}

bool BlockList::BlocksAdvertiser(const Campaign& campaign) const {
  for (const std::string& domain : campaign.adomain) {
    std::string_view left = domain;
    while (!left.empty()) {  // the domain and those it lies in
      if (Has(domains_, StableHash64(left))) return true;
      const size_t dot = left.find('.');
      if (dot == std::string_view::npos) break;
      left.remove_prefix(dot + 1);
    }
  }
  return false;
}

const ReasonCode* BlockList::Judge(const Catalog& catalog, uint32_t campaign, uint16_t creative,
                                   std::string_view seat) const {
  const Request& r = *request_;
  if (!categories_.empty()) {
    for (const uint64_t key : catalog.cat_keys(campaign)) {
      if (Has(categories_, key)) return &reasons::kBlockedCategory;
    }
  }
  if (domains_.empty() && r.bapp.empty() && r.bseat.empty() && r.wseat.empty()) return nullptr;
  const Campaign& c = catalog.campaign(campaign);
  if (!domains_.empty() && BlocksAdvertiser(c)) return &reasons::kBlockedAdvertiser;
  for (const Text app : r.bapp) {
    if (Mentions(c.creatives[creative].click_through, app)) return &reasons::kBlockedApp;
  }
  const std::string_view own = SeatOf(c, seat);
  if (Lists(r.bseat, own) || (!r.wseat.empty() && !Lists(r.wseat, own))) {
    return &reasons::kBlockedSeat;
  }
  return nullptr;
}

}  // namespace adagents::ads::internal
