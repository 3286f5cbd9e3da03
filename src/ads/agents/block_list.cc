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

/// As they are.
void ReadInto(List<Text> texts, std::vector<uint64_t>* out) {
  out->clear();
  for (const Text text : texts) out->push_back(StableHash64(text));
  std::sort(out->begin(), out->end());
}

bool Has(const std::vector<uint64_t>& sorted, std::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), StableHash64(text));
}

/// Of an app's id: com.example.game, 123456789.
bool IsOfId(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

}  // namespace

void BlockList::Read(const Request& request) {
  ReadInto(Attribute::kCategory, request.bcat, &categories_);
  ReadInto(Attribute::kDomain, request.badv, &domains_);
  ReadInto(request.bapp, &apps_);
  ReadInto(request.bseat, &blocked_seats_);
  ReadInto(request.wseat, &wanted_seats_);
}

bool BlockList::BlocksAdvertiser(const Campaign& campaign) const {
  for (const std::string& domain : campaign.adomain) {
    std::string_view left = domain;
    while (!left.empty()) {  // the domain and those it lies in
      if (Has(domains_, left)) return true;
      const size_t dot = left.find('.');
      if (dot == std::string_view::npos) break;
      left.remove_prefix(dot + 1);
    }
  }
  return false;
}

bool BlockList::BlocksSeat(std::string_view seat) const {
  return (!blocked_seats_.empty() && Has(blocked_seats_, seat)) ||
         (!wanted_seats_.empty() && !Has(wanted_seats_, seat));
}

/// Whether the URL holds an app's id as a whole: not as part of a longer name or number.
bool BlockList::BlocksApp(std::string_view url) const {
  for (size_t from = 0; from < url.size();) {
    size_t end = from;
    while (end < url.size() && IsOfId(url[end])) ++end;
    const std::string_view word = url.substr(from, end - from);
    if (!word.empty() && Has(apps_, word)) return true;
    // Apple's links write "id123456789" for the app 123456789.
    if (word.starts_with("id") && word.size() > 2 && Has(apps_, word.substr(2))) return true;
    from = end + 1;
  }
  return false;
}

const ReasonCode* BlockList::Judge(const Catalog& catalog, uint32_t campaign, uint16_t creative,
                                   std::string_view seat) const {
  if (!categories_.empty()) {
    for (const uint64_t key : catalog.cat_keys(campaign)) {
      if (std::binary_search(categories_.begin(), categories_.end(), key)) {
        return &reasons::kBlockedCategory;
      }
    }
  }
  if (domains_.empty() && apps_.empty() && blocked_seats_.empty() && wanted_seats_.empty()) {
    return nullptr;
  }
  const Campaign& c = catalog.campaign(campaign);
  if (!domains_.empty() && BlocksAdvertiser(c)) return &reasons::kBlockedAdvertiser;
  if (BlocksSeat(SeatOf(c, seat))) return &reasons::kBlockedSeat;
  if (!apps_.empty() && BlocksApp(c.creatives[creative].click_through)) {
    return &reasons::kBlockedApp;
  }
  return nullptr;
}

}  // namespace adagents::ads::internal
