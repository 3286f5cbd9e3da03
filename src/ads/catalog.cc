#include "adagents/ads/catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"
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

}  // namespace

uint16_t PackLanguage(std::string_view language) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  language = language.substr(0, language.find_first_of("-_"));
  if (language.size() != 2) return 0;
  return static_cast<uint16_t>((lower(language[0]) & 0xff) | (lower(language[1]) & 0xff) << 8);
}

Catalog::Catalog() = default;
Catalog::~Catalog() = default;

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Build(std::vector<Campaign> campaigns) {
  if (campaigns.size() > kMaxCampaigns) {
    return InvalidArgument(
        fmt::format("at most {} campaigns, got {}", kMaxCampaigns, campaigns.size()));
  }
  std::vector<std::string> faults;
  for (size_t i = 0; i < campaigns.size(); ++i) {
    internal::CheckCampaign(campaigns[i], [&](std::string_view path, std::string what) {
      faults.push_back(fmt::format("campaigns[{}].{}: {}", i, path, what));
    });
  }
  CheckDuplicates(campaigns, &faults);
  if (!faults.empty()) {
    const size_t listed = std::min(faults.size(), kMaxFaults);
    std::string text = fmt::format(
        "{}",
        fmt::join(faults.begin(), faults.begin() + static_cast<std::ptrdiff_t>(listed), "\n"));
    if (listed < faults.size()) text += fmt::format("\nand {} more", faults.size() - listed);
    return InvalidArgument(text);
  }
  std::unique_ptr<Catalog> catalog(new Catalog);
  catalog->campaigns_ = std::move(campaigns);
  catalog->Freeze();
  return catalog;
}

void Catalog::Freeze() {
  for (Campaign& c : campaigns_) {
    internal::Normalise(&c);
    c.key = StableHash64(c.id);
  }
  std::sort(campaigns_.begin(), campaigns_.end(), [](const Campaign& a, const Campaign& b) {
    return std::make_tuple(-a.priority, -StaticScore(a), std::string_view(a.id)) <
           std::make_tuple(-b.priority, -StaticScore(b), std::string_view(b.id));
  });
  facts_.reserve(campaigns_.size());
  for (uint32_t i = 0; i < campaigns_.size(); ++i) {
    Campaign& c = campaigns_[i];
    c.index = i;
    facts_.push_back(FactsOf(c));
    facts_.back().first_creative = static_cast<uint32_t>(creative_facts_.size());
    for (size_t k = 0; k < c.creatives.size(); ++k) {
      creative_facts_.push_back(FactsOf(c, k));
      relevance_features_.push_back(CreativeFeatures::Of(c, c.creatives[k]));
    }
    adomain_begin_.push_back(static_cast<uint32_t>(adomain_keys_.size()));
    for (const std::string& d : c.adomain) adomain_keys_.push_back(StableHash64(d));
    cat_begin_.push_back(static_cast<uint32_t>(cat_keys_.size()));
    for (const std::string& cat : c.cat) {
      std::string_view left = cat;
      for (;;) {
        cat_keys_.push_back(StableHash64(Canonical(Attribute::kCategory, left)));
        const size_t dash = left.rfind('-');
        if (dash == std::string_view::npos) break;
        left = left.substr(0, dash);
      }
    }
    by_key_.push_back(i);
  }
  adomain_begin_.push_back(static_cast<uint32_t>(adomain_keys_.size()));
  cat_begin_.push_back(static_cast<uint32_t>(cat_keys_.size()));
  std::sort(by_key_.begin(), by_key_.end(),
            [&](uint32_t a, uint32_t b) { return facts_[a].key < facts_[b].key; });
  targeting_ = TargetingIndex::Build(campaigns_);
  fingerprint_ = internal::Fingerprint(campaigns_);
}

std::span<const uint64_t> Catalog::adomain_keys(uint32_t index) const {
  return {adomain_keys_.data() + adomain_begin_[index],
          adomain_begin_[index + 1] - adomain_begin_[index]};
}

std::span<const uint64_t> Catalog::cat_keys(uint32_t index) const {
  return {cat_keys_.data() + cat_begin_[index], cat_begin_[index + 1] - cat_begin_[index]};
}

std::optional<uint32_t> Catalog::FindKey(uint64_t key) const {
  const auto hit =
      std::lower_bound(by_key_.begin(), by_key_.end(), key,
                       [&](uint32_t index, uint64_t wanted) { return facts_[index].key < wanted; });
  if (hit == by_key_.end() || facts_[*hit].key != key) return std::nullopt;
  return *hit;
}

std::optional<uint32_t> Catalog::Find(std::string_view id) const {
  const std::optional<uint32_t> index = FindKey(StableHash64(id));
  return index && campaigns_[*index].id == id ? index : std::nullopt;
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
