#include "adagents/ads/catalog.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "ads/big_memory.h"
#include "ads/campaign_check.h"
#include "ads/catalog_fingerprint.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

constexpr size_t kMaxFaults = 100;  // listed; the rest is counted

int64_t UnixSeconds(absl::Time t) { return absl::ToUnixSeconds(t); }  // saturates at infinity

CampaignFacts FactsOf(const Campaign& c) {
  CampaignFacts f;
  f.key = c.key;
  f.start_s = UnixSeconds(c.start);
  f.end_s = UnixSeconds(c.end);
  f.max_cpm = c.bid.max_cpm;
  f.value_per_action = c.bid.value_per_action;
  f.creative_count = static_cast<uint32_t>(c.creatives.size());
  f.objective = c.objective;
  f.action = c.bid.action;
  f.tier = TierOf(c.line, c.priority);
  f.currency = c.currency;
  return f;
}

CreativeFacts FactsOf(const Campaign& campaign, uint32_t index, size_t place) {
  const Creative& c = campaign.creatives[place];
  CreativeFacts f;
  f.key = CombineHash(campaign.key, StableHash64(c.id));
  for (uint8_t a : c.attr) f.attr_bits |= uint64_t{1} << (a & 63);
  for (const std::string& mime : c.mimes) f.mime_bits |= Catalog::MimeBit(mime);
  f.duration_ms = c.duration_ms;
  f.bitrate_kbps = c.bitrate_kbps;
  f.campaign = index;
  f.in_campaign = static_cast<uint16_t>(place);
  f.language = PackLanguage(c.language);
  f.w = static_cast<int16_t>(c.w);
  f.h = static_cast<int16_t>(c.h);
  f.format = c.format;
  f.brand = BrandKey(campaign.BrandOf(c));
  f.capped = !c.caps.empty() || !campaign.caps.empty();
  f.secure = IsSecure(c);
  return f;
}

void CheckDuplicates(const std::vector<Campaign>& campaigns, std::vector<std::string>* faults) {
  absl::flat_hash_map<uint64_t, size_t> seen;
  for (size_t i = 0; i < campaigns.size(); ++i) {
    const auto [first, fresh] = seen.try_emplace(StableHash64(campaigns[i].id), i);
    if (fresh) continue;
    const bool same = campaigns[first->second].id == campaigns[i].id;
    faults->push_back(
        fmt::format("campaigns[{}].id: {} {} campaigns[{}]", i, internal::Quoted(campaigns[i].id),
                    same ? "repeats the id of" : "has the same hash as the id of", first->second));
  }
}

absl::Status CheckAll(const std::vector<Campaign>& campaigns) {
  std::vector<std::string> faults;
  for (size_t i = 0; i < campaigns.size(); ++i) {
    internal::CheckCampaign(campaigns[i], [&](std::string_view path, std::string what) {
      faults.push_back(fmt::format("campaigns[{}].{}: {}", i, path, what));
    });
  }
  CheckDuplicates(campaigns, &faults);
  if (faults.empty()) return absl::OkStatus();
  const size_t listed = std::min(faults.size(), kMaxFaults);
  std::string text = fmt::format(
      "{}", fmt::join(faults.begin(), faults.begin() + static_cast<std::ptrdiff_t>(listed), "\n"));
  if (listed < faults.size()) text += fmt::format("\nand {} more", faults.size() - listed);
  return InvalidArgument(text);
}

/// How many there are, or that there is room for.
struct Sizes {
  size_t campaigns = 0, creatives = 0, adomains = 0, cats = 0;

  void Add(const Campaign& c) {
    ++campaigns;
    creatives += c.creatives.size();
    adomains += c.adomain.size();
    cats += c.cat.size();
    for (const std::string& cat : c.cat) {  // and its parents
      cats += static_cast<size_t>(std::count(cat.begin(), cat.end(), '-'));
    }
  }
  bool Within(const Sizes& most) const {
    return campaigns <= most.campaigns && creatives <= most.creatives &&
           adomains <= most.adomains && cats <= most.cats;
  }
};

std::shared_ptr<const Campaign> Own(Campaign&& campaign) {
  internal::Normalise(&campaign);
  campaign.key = StableHash64(campaign.id);
  return std::make_shared<const Campaign>(std::move(campaign));
}

}  // namespace

uint16_t PackLanguage(std::string_view language) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  language = language.substr(0, language.find_first_of("-_"));
  if (language.size() != 2) return 0;
  return static_cast<uint16_t>((lower(language[0]) & 0xff) | (lower(language[1]) & 0xff) << 8);
}

bool IsSecure(const Creative& creative) {
  const auto is_https = [](const std::string& url) {
    return url.empty() || absl::StartsWithIgnoreCase(url, "https://");
  };
  // Names, not addresses: nobody fetches them.
  constexpr std::string_view kPlain = "http:", kNamespaces = "//www.w3.org/";
  const std::string markup = absl::AsciiStrToLower(creative.markup);
  for (size_t at = markup.find(kPlain); at != std::string::npos; at = markup.find(kPlain, at)) {
    at += kPlain.size();
    if (!std::string_view(markup).substr(at).starts_with(kNamespaces)) return false;
  }
  return is_https(creative.media_url) &&
         std::all_of(creative.companions.begin(), creative.companions.end(),
                     [&](const Companion& c) { return is_https(c.media_url); });
}

/// Grows at the end, within what was reserved, while others read what was there before: a catalog
/// sees as much as there was when it was made, so nothing that anybody sees is ever written again.
struct Catalog::Store {
  std::mutex writer;  // of growth
  size_t built = 0;   // campaigns by rank at the beginning
  Sizes most;         // that there is room for
  std::vector<CampaignPtr> campaigns;
  internal::BigVector<CampaignFacts> facts;
  internal::BigVector<CreativeFacts> creative_facts;
  internal::BigVector<CreativeFeatures> relevance_features;
  std::vector<uint32_t> adomain_begin = {0}, cat_begin = {0};  // campaigns + 1 offsets
  std::vector<uint64_t> adomain_keys, cat_keys;
  std::vector<uint32_t> by_key;  // of those built: indices by rising key
  std::shared_ptr<const Brands> brands;

  std::span<const FrequencyCap> CapsOf(uint64_t brand) const {
    const auto at = std::lower_bound(brands->begin(), brands->end(), brand,
                                     [](const auto& b, uint64_t key) { return b.first < key; });
    if (at == brands->end() || at->first != brand) return {};
    return at->second.caps;
  }

  Sizes sizes() const {
    return {campaigns.size(), creative_facts.size(), adomain_keys.size(), cat_keys.size()};
  }
  void Reserve(const Sizes& first);
  void Append(CampaignPtr campaign);
  void AppendFrom(const Catalog& from, uint32_t index);
};

/// For that many to begin with, and some changes.
void Catalog::Store::Reserve(const Sizes& first) {
  // Pages that nobody writes to cost no memory, so there is room for unusually many creatives.
  const size_t room = std::min(kMostPut, 16 + first.campaigns / 4);
  most = {first.campaigns + room, first.creatives + room * 16, first.adomains + room * 16,
          first.cats + room * 32};
  campaigns.reserve(most.campaigns);
  facts.reserve(most.campaigns);
  creative_facts.reserve(most.creatives);
  relevance_features.reserve(most.creatives);
  adomain_begin.reserve(most.campaigns + 1);
  cat_begin.reserve(most.campaigns + 1);
  adomain_keys.reserve(most.adomains);
  cat_keys.reserve(most.cats);
}

void Catalog::Store::Append(CampaignPtr campaign) {
  const Campaign& c = *campaign;
  const auto index = static_cast<uint32_t>(campaigns.size());
  campaigns.push_back(std::move(campaign));
  facts.push_back(FactsOf(c));
  facts.back().first_creative = static_cast<uint32_t>(creative_facts.size());
  for (size_t k = 0; k < c.creatives.size(); ++k) {
    creative_facts.push_back(FactsOf(c, index, k));
    CreativeFacts& f = creative_facts.back();
    f.capped = f.capped || !CapsOf(f.brand).empty();
    relevance_features.push_back(CreativeFeatures::Of(c, c.creatives[k]));
  }
  for (const std::string& d : c.adomain) adomain_keys.push_back(StableHash64(d));
  adomain_begin.push_back(static_cast<uint32_t>(adomain_keys.size()));
  for (const std::string& cat : c.cat) {
    std::string_view left = cat;
    for (;;) {
      cat_keys.push_back(StableHash64(Canonical(Attribute::kCategory, left)));
      const size_t dash = left.rfind('-');
      if (dash == std::string_view::npos) break;
      left = left.substr(0, dash);
    }
  }
  cat_begin.push_back(static_cast<uint32_t>(cat_keys.size()));
}

/// The same for a campaign that `from` sees, whose store may grow meanwhile: its vectors are not
/// looked at, and none of the campaign's texts.
void Catalog::Store::AppendFrom(const Catalog& from, uint32_t index) {
  const auto here = static_cast<uint32_t>(campaigns.size());
  campaigns.push_back(from.campaigns_[index]);
  facts.push_back(from.facts_[index]);
  const uint32_t first = facts.back().first_creative;
  facts.back().first_creative = static_cast<uint32_t>(creative_facts.size());
  for (uint32_t k = first; k < first + facts.back().creative_count; ++k) {
    creative_facts.push_back(from.creative_facts_[k]);
    creative_facts.back().campaign = here;
    relevance_features.push_back(from.relevance_features_[k]);
  }
  const auto copy = [&](const uint32_t* begin, const uint64_t* keys,
                        std::vector<uint32_t>* to_begin, std::vector<uint64_t>* to_keys) {
    to_keys->insert(to_keys->end(), keys + begin[index], keys + begin[index + 1]);
    to_begin->push_back(static_cast<uint32_t>(to_keys->size()));
  };
  copy(from.adomain_begin_, from.adomain_keys_, &adomain_begin, &adomain_keys);
  copy(from.cat_begin_, from.cat_keys_, &cat_begin, &cat_keys);
}

Catalog::Catalog(std::shared_ptr<Store> store) : store_(std::move(store)) {}
Catalog::~Catalog() = default;

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Build(std::vector<Campaign> campaigns,
                                                        std::vector<BrandCaps> brands) {
  if (campaigns.size() > kMaxCampaigns) {
    return InvalidArgument(
        fmt::format("at most {} campaigns, got {}", kMaxCampaigns, campaigns.size()));
  }
  if (absl::Status status = CheckAll(campaigns); !status.ok()) return status;
  std::string faults;
  internal::CheckBrands(brands, [&](std::string_view path, std::string what) {
    faults += fmt::format("{}{}: {}", faults.empty() ? "" : "\n", path, what);
  });
  if (!faults.empty()) return InvalidArgument(faults);
  auto by_key = std::make_shared<Brands>();
  for (BrandCaps& b : brands) {
    const uint64_t key = BrandKey(b.brand);
    by_key->emplace_back(key, std::move(b));
  }
  std::sort(by_key->begin(), by_key->end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CampaignPtr> owned;
  owned.reserve(campaigns.size());
  for (Campaign& c : campaigns) owned.push_back(Own(std::move(c)));
  return Freeze(std::move(owned), std::move(by_key));
}

std::unique_ptr<Catalog> Catalog::Freeze(std::vector<CampaignPtr> campaigns,
                                         std::shared_ptr<const Brands> brands) {
  // What is compared is kept together: the campaigns are all over the memory.
  struct Place {
    int64_t score;
    int16_t tier;
    uint32_t at;
  };
  std::vector<Place> order;
  order.reserve(campaigns.size());
  Sizes sizes;
  for (uint32_t i = 0; i < campaigns.size(); ++i) {
    const Campaign& c = *campaigns[i];
    order.push_back({StaticScore(c), TierOf(c.line, c.priority), i});
    sizes.Add(c);
  }
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    if (a.tier != b.tier) return a.tier > b.tier;
    if (a.score != b.score) return a.score > b.score;
    return campaigns[a.at]->id < campaigns[b.at]->id;
  });
  auto store = std::make_shared<Store>();
  store->brands = std::move(brands);
  store->Reserve(sizes);
  for (const Place& place : order) store->Append(std::move(campaigns[place.at]));
  std::unique_ptr<Catalog> catalog = Index(std::move(store));
  for (uint32_t i = 0; i < catalog->end_; ++i) {
    catalog->contents_ += internal::ContentHash(catalog->campaign(i));
  }
  for (const auto& [key, brand] : *catalog->store_->brands) {
    catalog->contents_ += internal::ContentHash(brand);
  }
  return catalog;
}

/// Of a store whose campaigns come by rank: all but the hash of the contents.
std::unique_ptr<Catalog> Catalog::Index(std::shared_ptr<Store> store) {
  store->built = store->campaigns.size();
  store->by_key.resize(store->built);
  for (uint32_t i = 0; i < store->built; ++i) store->by_key[i] = i;
  const internal::BigVector<CampaignFacts>& facts = store->facts;
  std::sort(store->by_key.begin(), store->by_key.end(),
            [&](uint32_t a, uint32_t b) { return facts[a].key < facts[b].key; });
  std::unique_ptr<Catalog> catalog(new Catalog(std::move(store)));
  catalog->See();
  catalog->size_ = catalog->end_;
  catalog->creative_total_ = catalog->creative_end_;
  catalog->targeting_ = TargetingIndex::Build(
      catalog->end_, [&](uint32_t i) -> const Campaign& { return catalog->campaign(i); });
  for (uint32_t i = 0; i < catalog->end_; ++i) catalog->Count(catalog->facts(i).currency);
  return catalog;
}

/// Sees all that the store holds.
void Catalog::See() {
  campaigns_ = store_->campaigns.data();
  facts_ = store_->facts.data();
  creative_facts_ = store_->creative_facts.data();
  relevance_features_ = store_->relevance_features.data();
  adomain_begin_ = store_->adomain_begin.data();
  cat_begin_ = store_->cat_begin.data();
  adomain_keys_ = store_->adomain_keys.data();
  cat_keys_ = store_->cat_keys.data();
  end_ = static_cast<uint32_t>(store_->campaigns.size());
  creative_end_ = store_->creative_facts.size();
}

/// Puts `index`, which this catalog sees, to its place among the added ones.
void Catalog::AddByRank(uint32_t index, TargetingIndex::Added* added) const {
  const auto first_not_before = [&](uint32_t end, auto at) {
    uint32_t low = 0, high = end;
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (RanksBefore(at(middle), index)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const uint32_t before =
      first_not_before(static_cast<uint32_t>(store_->built), [](uint32_t i) { return i; });
  const uint32_t place = first_not_before(static_cast<uint32_t>(added->ids.size()),
                                          [&](uint32_t i) { return added->ids[i]; });
  added->ids.insert(added->ids.begin() + place, index);
  added->before.insert(added->before.begin() + place, before);
}

/// Calls visit(index) for all campaigns by rank.
template <class Visit>
void Catalog::ForEachByRank(Visit visit) const {
  const TargetingIndex::Added& added = targeting_->added();
  size_t next = 0;
  for (uint32_t i = 0; i <= store_->built; ++i) {
    while (next < added.ids.size() && added.before[next] <= i) visit(added.ids[next++]);
    if (i < store_->built && Has(i)) visit(i);
  }
}

absl::StatusOr<std::unique_ptr<const Catalog>> Catalog::With(CatalogChange change) const {
  if (absl::Status status = CheckAll(change.put); !status.ok()) return status;
  for (const Campaign& c : change.put) {
    const std::optional<uint32_t> same_key = FindKey(StableHash64(c.id));
    if (same_key && campaign(*same_key).id != c.id) {
      return InvalidArgument(fmt::format("{} has the same hash as {}", internal::Quoted(c.id),
                                         internal::Quoted(campaign(*same_key).id)));
    }
  }
  if (size_ + change.put.size() > kMaxCampaigns) {
    return InvalidArgument(fmt::format("at most {} campaigns", kMaxCampaigns));
  }
  std::unique_ptr<Catalog> next(new Catalog(store_));
  next->size_ = size_;
  next->creative_total_ = creative_total_;
  next->put_ = put_;
  next->contents_ = contents_;
  next->currencies_ = currencies_;
  TargetingIndex::Added added = targeting_->added();
  std::unordered_set<uint32_t> gone;  // of those that were built
  for (const std::string& id : change.remove) {
    if (Find(id)) Drop(StableHash64(id), next.get(), &added, &gone);
  }
  std::vector<CampaignPtr> put;
  for (Campaign& c : change.put) {
    put.push_back(Own(std::move(c)));
    Drop(put.back()->key, next.get(), &added, &gone);
  }
  if (!Append(put, next.get())) {
    absl::flat_hash_set<uint64_t> dropped;
    for (const std::string& id : change.remove) dropped.insert(StableHash64(id));
    for (const CampaignPtr& c : put) dropped.insert(c->key);
    ForEachByRank([&](uint32_t i) {
      if (!dropped.contains(facts(i).key)) put.push_back(campaigns_[i]);
    });
    return Freeze(std::move(put), store_->brands);
  }
  for (uint32_t i = next->end_ - static_cast<uint32_t>(put.size()); i < next->end_; ++i) {
    ++next->size_;
    next->creative_total_ += next->facts(i).creative_count;
    next->contents_ += internal::ContentHash(next->campaign(i));
    next->Count(next->facts(i).currency);
    next->AddByRank(i, &added);
  }
  next->targeting_ =
      targeting_->Change(std::move(added), std::vector<uint32_t>(gone.begin(), gone.end()),
                         [&](uint32_t i) -> const Campaign& { return next->campaign(i); });
  return next;
}

std::unique_ptr<const Catalog> Catalog::Rebuilt() const {
  auto store = std::make_shared<Store>();
  store->brands = store_->brands;
  {
    const std::lock_guard<std::mutex> lock(store_->writer);  // sizes that do not move
    store->Reserve({size_, creative_total_, store_->adomain_keys.size(), store_->cat_keys.size()});
  }
  ForEachByRank([&](uint32_t i) { store->AppendFrom(*this, i); });
  std::unique_ptr<Catalog> catalog = Index(std::move(store));
  catalog->contents_ = contents_;
  return catalog;
}

/// Takes the campaign with this key out of `next`, which began like this one.
void Catalog::Drop(uint64_t key, Catalog* next, TargetingIndex::Added* added,
                   std::unordered_set<uint32_t>* gone) const {
  uint32_t index = 0;
  const auto put = std::lower_bound(next->put_.begin(), next->put_.end(), KeyedPlace{key, 0});
  if (put != next->put_.end() && put->first == key) {
    index = put->second;
    next->put_.erase(put);
    const auto place = std::find(added->ids.begin(), added->ids.end(), index) - added->ids.begin();
    added->ids.erase(added->ids.begin() + place);
    added->before.erase(added->before.begin() + place);
  } else {
    const std::optional<uint32_t> built = FindKey(key);
    if (!built || *built >= store_->built || !gone->insert(*built).second) return;
    index = *built;
  }
  --next->size_;
  next->creative_total_ -= facts(index).creative_count;
  next->contents_ -= internal::ContentHash(campaign(index));
}

/// Puts `put` to the end of the store; false, and nothing put, when there is no room or somebody
/// else was there first.
bool Catalog::Append(const std::vector<CampaignPtr>& put, Catalog* next) const {
  const std::lock_guard<std::mutex> lock(store_->writer);
  Sizes sizes = store_->sizes();
  for (const CampaignPtr& c : put) sizes.Add(*c);
  if (end_ != store_->campaigns.size() || !sizes.Within(store_->most)) return false;
  for (const CampaignPtr& c : put) {
    const KeyedPlace entry{c->key, static_cast<uint32_t>(store_->campaigns.size())};
    next->put_.insert(std::lower_bound(next->put_.begin(), next->put_.end(), entry), entry);
    store_->Append(c);
  }
  next->See();
  return true;
}

void Catalog::Count(Currency currency) {
  if (std::find(currencies_.begin(), currencies_.end(), currency) == currencies_.end()) {
    currencies_.push_back(currency);
  }
}

bool Catalog::RanksBefore(uint32_t a, uint32_t b) const {
  const CampaignFacts &x = facts_[a], &y = facts_[b];
  if (x.tier != y.tier) return x.tier > y.tier;
  if (x.max_cpm != y.max_cpm) return x.max_cpm > y.max_cpm;
  return campaigns_[a]->id < campaigns_[b]->id;
}

bool Catalog::Has(uint32_t index) const {
  if (index >= end_) return false;
  if (index < store_->built) return !targeting_->IsGone(index);
  const KeyedPlace entry{facts(index).key, index};
  return std::binary_search(put_.begin(), put_.end(), entry);
}

size_t Catalog::changed() const { return end_ - store_->built + targeting_->gone(); }

uint64_t Catalog::fingerprint() const { return Mix64(size_ + contents_); }

std::span<const uint64_t> Catalog::adomain_keys(uint32_t index) const {
  return {adomain_keys_ + adomain_begin_[index], adomain_begin_[index + 1] - adomain_begin_[index]};
}

std::span<const FrequencyCap> Catalog::brand_caps(uint64_t brand) const {
  return store_->CapsOf(brand);
}

std::span<const uint64_t> Catalog::cat_keys(uint32_t index) const {
  return {cat_keys_ + cat_begin_[index], cat_begin_[index + 1] - cat_begin_[index]};
}

std::optional<uint32_t> Catalog::FindKey(uint64_t key) const {
  const auto put = std::lower_bound(put_.begin(), put_.end(), KeyedPlace{key, 0});
  if (put != put_.end() && put->first == key) return put->second;
  const std::vector<uint32_t>& by_key = store_->by_key;
  const auto hit =
      std::lower_bound(by_key.begin(), by_key.end(), key,
                       [&](uint32_t index, uint64_t wanted) { return facts_[index].key < wanted; });
  if (hit == by_key.end() || facts_[*hit].key != key || targeting_->IsGone(*hit)) {
    return std::nullopt;
  }
  return *hit;
}

std::optional<uint32_t> Catalog::Find(std::string_view id) const {
  const std::optional<uint32_t> index = FindKey(StableHash64(id));
  return index && campaign(*index).id == id ? index : std::nullopt;
}

uint64_t Catalog::MimeBit(std::string_view mime) {
  struct Known {
    std::string_view name;
    int bit;
  };
  constexpr Known kKnown[] = {{"audio/mpeg", 0},       {"audio/mp3", 0},
                              {"audio/mp4", 1},        {"audio/x-m4a", 1},
                              {"audio/m4a", 1},        {"audio/aac", 2},
                              {"audio/aacp", 2},       {"audio/ogg", 3},
                              {"audio/vorbis", 3},     {"audio/opus", 4},
                              {"audio/wav", 5},        {"audio/x-wav", 5},
                              {"audio/webm", 6},       {"audio/flac", 7},
                              {"video/mp4", 8},        {"video/webm", 9},
                              {"video/ogg", 10},       {"video/3gpp", 11},
                              {"video/quicktime", 12}, {"video/x-flv", 13},
                              {"video/x-ms-wmv", 14},  {"video/mpeg", 15},
                              {"image/jpeg", 16},      {"image/jpg", 16},
                              {"image/png", 17},       {"image/gif", 18},
                              {"image/webp", 19},      {"image/svg+xml", 20},
                              {"text/html", 21},       {"application/javascript", 22},
                              {"text/javascript", 22}, {"application/x-javascript", 22}};
  constexpr uint64_t kOther = uint64_t{1} << 63;
  mime = mime.substr(0, mime.find_first_of("; "));
  const auto same = [&](std::string_view name) {
    return name.size() == mime.size() &&
           std::equal(name.begin(), name.end(), mime.begin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
           });
  };
  for (const Known& k : kKnown) {
    if (same(k.name)) return uint64_t{1} << k.bit;
  }
  return kOther;
}

}  // namespace adagents::ads
