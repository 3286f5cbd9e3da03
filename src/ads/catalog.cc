#include "adagents/ads/catalog.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
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
  f.priority = static_cast<int8_t>(c.priority);
  f.currency = c.currency;
  return f;
}

CreativeFacts FactsOf(const Campaign& campaign, size_t place) {
  const Creative& c = campaign.creatives[place];
  CreativeFacts f;
  f.key = CombineHash(campaign.key, StableHash64(c.id));
  for (uint8_t a : c.attr) f.attr_bits |= uint64_t{1} << (a & 63);
  for (const std::string& mime : c.mimes) f.mime_bits |= Catalog::MimeBit(mime);
  f.duration_ms = c.duration_ms;
  f.bitrate_kbps = c.bitrate_kbps;
  f.campaign = campaign.index;
  f.in_campaign = static_cast<uint16_t>(place);
  f.language = PackLanguage(c.language);
  f.w = static_cast<int16_t>(c.w);
  f.h = static_cast<int16_t>(c.h);
  f.format = c.format;
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

/// How many keys the categories of `c` and their parents are.
size_t CategoryLevels(const Campaign& c) {
  size_t levels = c.cat.size();
  for (const std::string& cat : c.cat) {
    levels += static_cast<size_t>(std::count(cat.begin(), cat.end(), '-'));
  }
  return levels;
}

}  // namespace

uint16_t PackLanguage(std::string_view language) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  language = language.substr(0, language.find_first_of("-_"));
  if (language.size() != 2) return 0;
  return static_cast<uint16_t>((lower(language[0]) & 0xff) | (lower(language[1]) & 0xff) << 8);
}

/// Grows at the end, within what was reserved, while others read what was there before: a catalog
/// sees as much as there was when it was made, so nothing that anybody sees is ever written again.
struct Catalog::Store {
  std::mutex writer;  // of growth
  size_t built = 0;   // campaigns by rank at the beginning
  size_t most = 0;    // campaigns, creatives, domains and categories there is room for
  size_t most_creatives = 0, most_adomains = 0, most_cats = 0;
  std::vector<Campaign> campaigns;
  internal::BigVector<CampaignFacts> facts;
  internal::BigVector<CreativeFacts> creative_facts;
  internal::BigVector<CreativeFeatures> relevance_features;
  std::vector<uint32_t> adomain_begin = {0}, cat_begin = {0};  // campaigns + 1 offsets
  std::vector<uint64_t> adomain_keys, cat_keys;
  std::vector<uint32_t> by_key;  // of those built: indices by rising key

  void Reserve(std::span<const Campaign> first);
  bool HasRoomFor(std::span<const Campaign> more) const;
  void Append(Campaign campaign);
};

void Catalog::Store::Reserve(std::span<const Campaign> first) {
  size_t creatives = 0, adomains = 0, cats = 0;
  for (const Campaign& c : first) {
    creatives += c.creatives.size();
    adomains += c.adomain.size();
    cats += CategoryLevels(c);
  }
  // Pages that nobody writes to cost no memory, so there is room for unusually many creatives.
  const size_t room = std::min(kMostPut, 16 + first.size() / 4);
  most = first.size() + room;
  most_creatives = creatives + room * 16;
  most_adomains = adomains + room * 16;
  most_cats = cats + room * 32;
  campaigns.reserve(most);
  facts.reserve(most);
  creative_facts.reserve(most_creatives);
  relevance_features.reserve(most_creatives);
  adomain_begin.reserve(most + 1);
  cat_begin.reserve(most + 1);
  adomain_keys.reserve(most_adomains);
  cat_keys.reserve(most_cats);
}

void Catalog::Store::Append(Campaign campaign) {
  campaigns.push_back(std::move(campaign));
  Campaign& c = campaigns.back();
  c.index = static_cast<uint32_t>(campaigns.size() - 1);
  facts.push_back(FactsOf(c));
  facts.back().first_creative = static_cast<uint32_t>(creative_facts.size());
  for (size_t k = 0; k < c.creatives.size(); ++k) {
    creative_facts.push_back(FactsOf(c, k));
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

bool Catalog::Store::HasRoomFor(std::span<const Campaign> more) const {
  size_t creatives = creative_facts.size(), adomains = adomain_keys.size(), cats = cat_keys.size();
  for (const Campaign& c : more) {
    creatives += c.creatives.size();
    adomains += c.adomain.size();
    cats += CategoryLevels(c);
  }
  return campaigns.size() + more.size() <= most && creatives <= most_creatives &&
         adomains <= most_adomains && cats <= most_cats;
}

Catalog::Catalog(std::shared_ptr<Store> store) : store_(std::move(store)) {}
Catalog::~Catalog() = default;

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Build(std::vector<Campaign> campaigns) {
  if (campaigns.size() > kMaxCampaigns) {
    return InvalidArgument(
        fmt::format("at most {} campaigns, got {}", kMaxCampaigns, campaigns.size()));
  }
  if (absl::Status status = CheckAll(campaigns); !status.ok()) return status;
  for (Campaign& c : campaigns) {
    internal::Normalise(&c);
    c.key = StableHash64(c.id);
  }
  return Freeze(std::move(campaigns));
}

std::unique_ptr<Catalog> Catalog::Freeze(std::vector<Campaign> campaigns) {
  // Campaigns are big: places are sorted, and each campaign is moved once.
  struct Place {
    int64_t score;
    int32_t priority;
    uint32_t at;
  };
  std::vector<Place> order;
  order.reserve(campaigns.size());
  for (uint32_t i = 0; i < campaigns.size(); ++i) {
    order.push_back({StaticScore(campaigns[i]), campaigns[i].priority, i});
  }
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    if (a.score != b.score) return a.score > b.score;
    return campaigns[a.at].id < campaigns[b.at].id;
  });
  auto store = std::make_shared<Store>();
  store->Reserve(campaigns);
  for (const Place& place : order) store->Append(std::move(campaigns[place.at]));
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
  catalog->targeting_ = TargetingIndex::Build(catalog->campaigns());
  for (const Campaign& c : catalog->campaigns()) {
    catalog->contents_ += internal::ContentHash(c);
    catalog->Count(c.currency);
  }
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

/// What the targeting index has to know of the campaigns in `put_`.
TargetingIndex::Added Catalog::AddedByRank() const {
  const auto before = [&](uint32_t a, uint32_t b) { return RanksBefore(a, b); };
  TargetingIndex::Added added;
  added.campaigns = campaigns();
  for (const KeyedPlace& p : put_) added.ids.push_back(p.second);
  std::sort(added.ids.begin(), added.ids.end(), before);
  for (const uint32_t id : added.ids) {
    uint32_t low = 0, high = static_cast<uint32_t>(store_->built);
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (before(middle, id)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    added.before.push_back(low);
  }
  return added;
}

std::vector<Campaign> Catalog::Living() const {
  std::vector<Campaign> living;
  living.reserve(size_);
  for (const Campaign& c : campaigns()) {
    if (Has(c.index)) living.push_back(c);
  }
  return living;
}

absl::StatusOr<std::unique_ptr<const Catalog>> Catalog::With(CatalogChange change) const {
  if (absl::Status status = CheckAll(change.put); !status.ok()) return status;
  for (Campaign& c : change.put) {
    internal::Normalise(&c);
    c.key = StableHash64(c.id);
    const std::optional<uint32_t> same_key = FindKey(c.key);
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
  std::unordered_set<uint32_t> gone;  // of those that were built
  for (const std::string& id : change.remove) {
    if (Find(id)) Drop(StableHash64(id), next.get(), &gone);
  }
  for (const Campaign& c : change.put) Drop(c.key, next.get(), &gone);
  for (Campaign& c : change.put) {
    ++next->size_;
    next->creative_total_ += c.creatives.size();
    next->contents_ += internal::ContentHash(c);
    next->Count(c.currency);
  }
  if (!Append(&change, next.get())) {
    absl::flat_hash_set<std::string_view> dropped(change.remove.begin(), change.remove.end());
    for (const Campaign& c : change.put) dropped.insert(c.id);
    std::vector<Campaign> living = Living();
    std::erase_if(living, [&](const Campaign& c) { return dropped.contains(c.id); });
    dropped.clear();  // before what it points to is moved
    std::move(change.put.begin(), change.put.end(), std::back_inserter(living));
    return Freeze(std::move(living));
  }
  next->targeting_ =
      targeting_->Change(next->AddedByRank(), std::vector<uint32_t>(gone.begin(), gone.end()));
  return next;
}

std::unique_ptr<const Catalog> Catalog::Rebuilt() const { return Freeze(Living()); }

/// Takes the campaign with this key out of `next`, which began like this one.
void Catalog::Drop(uint64_t key, Catalog* next, std::unordered_set<uint32_t>* gone) const {
  uint32_t place = 0;
  const auto put = std::lower_bound(next->put_.begin(), next->put_.end(), KeyedPlace{key, 0});
  if (put != next->put_.end() && put->first == key) {
    place = put->second;
    next->put_.erase(put);
  } else {
    const std::optional<uint32_t> built = FindKey(key);
    if (!built || *built >= store_->built || !gone->insert(*built).second) return;
    place = *built;
  }
  --next->size_;
  next->creative_total_ -= facts(place).creative_count;
  next->contents_ -= internal::ContentHash(campaign(place));
}

/// Moves what `change` puts to the end of the store; false, and nothing moved, when there is no
/// room or somebody else was there first.
bool Catalog::Append(CatalogChange* change, Catalog* next) const {
  const std::lock_guard<std::mutex> lock(store_->writer);
  if (end_ != store_->campaigns.size() || !store_->HasRoomFor(change->put)) return false;
  for (Campaign& c : change->put) {
    const KeyedPlace entry{c.key, static_cast<uint32_t>(store_->campaigns.size())};
    next->put_.insert(std::lower_bound(next->put_.begin(), next->put_.end(), entry), entry);
    store_->Append(std::move(c));
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
  if (x.priority != y.priority) return x.priority > y.priority;
  if (x.max_cpm != y.max_cpm) return x.max_cpm > y.max_cpm;
  return campaigns_[a].id < campaigns_[b].id;
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
