// All campaigns of one moment, checked, ordered and indexed: an immutable value that serving
// threads read without locks and that is swapped whole when campaigns change.
//
//   absl::StatusOr<std::unique_ptr<Catalog>> catalog = LoadCatalog(json);  // catalog_loader.h
//   std::vector<uint32_t> found;
//   catalog->targeting().Match(query, &found);                             // targeting.h
//   for (uint32_t i : found) {
//     if (switches.Killed(catalog->facts(i).key)) continue;
//     const Campaign& c = catalog->campaign(i);
//   }
//
// Campaigns are ranked: by tier (line.h), then by StaticScore, both falling, then by id. Index 0 is
// the best, so taking indices in ascending order is taking the best first. What the hot path needs
// of a campaign and its creatives is kept apart from the texts, in CampaignFacts and CreativeFacts,
// so that judging hundreds of candidates stays within the cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/relevance_features.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/money.h"

namespace adagents::ads {

/// What deciding needs of one campaign. Plain value.
struct CampaignFacts {
  uint64_t key = 0;     // StableHash64(Campaign::id)
  int64_t start_s = 0;  // flight [start_s, end_s) in Unix seconds
  int64_t end_s = 0;
  Micros max_cpm{};
  Micros value_per_action{};
  uint32_t first_creative = 0;  // into Catalog::creative_facts
  uint32_t creative_count = 0;
  Objective objective = Objective::kBrandAwareness;
  Action action = Action::kNone;
  int16_t tier = 0;  // of its line and priority, see TierOf()
  Currency currency;

  bool InFlight(int64_t now_s) const { return now_s >= start_s && now_s < end_s; }
};
static_assert(sizeof(CampaignFacts) <= 64, "one cache line");

/// What deciding needs of one creative. Plain value.
struct CreativeFacts {
  uint64_t key = 0;        // CombineHash of the campaign's key and StableHash64(Creative::id)
  uint64_t attr_bits = 0;  // bit n for AdCOM creative attribute n
  uint64_t mime_bits = 0;  // bit of each MIME type, see Catalog::MimeBit; 0: not stated
  uint64_t brand = 0;      // BrandKey() of its own or its campaign's brand
  int32_t duration_ms = 0;
  int32_t bitrate_kbps = 0;
  uint32_t campaign = 0;     // index
  uint16_t in_campaign = 0;  // its place in Campaign::creatives
  uint16_t language = 0;     // two letters, see PackLanguage; 0: fits any
  int16_t w = 0, h = 0;      // 0: any
  MarkupType format = MarkupType::kUnset;
  bool capped = false;  // it, its campaign or its brand has frequency caps
  bool secure = false;  // all that it makes a player fetch is https; see IsSecure()
};
static_assert(sizeof(CreativeFacts) <= 64, "one cache line");

/// "en" (or "en-US") as CreativeFacts::language has it; 0 unless it begins with two letters. Free
/// of allocation, thread-safe.
uint16_t PackLanguage(std::string_view language);

/// Whether a player may show it where only https is allowed (imp.secure): its media and those of
/// its companions are https, and there is no "http:" in its markup, whatever for, but in the names
/// of W3C's namespaces. Pages that it leads to may be http. Thread-safe.
[[nodiscard]] bool IsSecure(const Creative& creative);

/// What becomes different in a catalog.
struct CatalogChange {
  std::vector<Campaign> put;        ///< added, or instead of the one with the same id
  std::vector<std::string> remove;  ///< ids; those that are not there do not matter
};

/// An immutable set of campaigns with its targeting index. Thread-safe.
class Catalog {
 public:
  static constexpr size_t kMaxCampaigns = size_t{1} << 24;  // indices stay small; 16 GB of texts
  static constexpr size_t kMaxCreatives = 1000;             // of one campaign

  /// Checks, ranks and indexes `campaigns`; empty is fine. InvalidArgument lists every fault, one a
  /// line, each with the campaign's place in `campaigns` and what is wrong.
  /// `brands`: caps on all ads of a brand together; they stay for the whole line of changes.
  static absl::StatusOr<std::unique_ptr<Catalog>> Build(std::vector<Campaign> campaigns,
                                                        std::vector<BrandCaps> brands = {});

  /// This catalog with `change` in it, faults listed as Build() does. Takes time in proportion to
  /// the change, to a bit for each campaign and some words for each that was put since the last
  /// Build() or Rebuilt(), which now and then are indexed together; but as long as Rebuilt() when
  /// there is no room for it: after kMostPut campaigns (a quarter of the catalog when that is
  /// fewer), or when this is not the latest catalog of its line.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Catalog>> With(CatalogChange change) const;
  static constexpr size_t kMostPut = 4096;
  /// The same campaigns, indexed anew. Shares their texts, and takes as long as the index.
  [[nodiscard]] std::unique_ptr<const Catalog> Rebuilt() const;

  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  /// How many campaigns there are.
  size_t size() const { return size_; }
  /// Indices are below this. From Build() and Rebuilt() they are ranks, all in use. After changes
  /// also those of campaigns that were removed or replaced are among them, which Has() tells.
  uint32_t index_end() const { return end_; }
  /// Whether `index` is of a campaign that was not removed or replaced.
  bool Has(uint32_t index) const;
  /// Whether `a` is the better one in rank.
  bool RanksBefore(uint32_t a, uint32_t b) const;
  /// Places that changes have taken, and those of them and of what was built that nobody uses any
  /// more: when to call Rebuilt().
  size_t changed() const;
  const Campaign& campaign(uint32_t index) const { return *campaigns_[index]; }
  const CampaignFacts& facts(uint32_t index) const { return facts_[index]; }
  /// Of one campaign, in its own order.
  std::span<const CreativeFacts> creative_facts(uint32_t index) const {
    const CampaignFacts& f = facts_[index];
    return {creative_facts_ + f.first_creative, f.creative_count};
  }
  const Creative& creative(const CreativeFacts& f) const {
    return campaigns_[f.campaign]->creatives[f.in_campaign];
  }
  /// What the relevance model sees of each creative; same places as creative_facts has: the k-th
  /// creative of campaign i is at facts(i).first_creative + k.
  std::span<const CreativeFeatures> relevance_features() const {
    return {relevance_features_, creative_end_};
  }
  /// How many creatives the campaigns have.
  size_t creative_total() const { return creative_total_; }
  /// All currencies that campaigns pay in, no longer paying ones included until Rebuilt(); and the
  /// only one, nullopt when there are several or no campaigns.
  std::optional<Currency> only_currency() const {
    return currencies_.size() == 1 ? std::optional(currencies_[0]) : std::nullopt;
  }
  std::span<const Currency> currencies() const { return currencies_; }

  /// StableHash64 of each advertiser domain, and of each category with its parents ("IAB2-3" gives
  /// IAB2-3 and IAB2), in canonical spelling: for checking badv and bcat.
  std::span<const uint64_t> adomain_keys(uint32_t index) const;
  std::span<const uint64_t> cat_keys(uint32_t index) const;

  /// Caps on all ads of the brand with this key (CreativeFacts::brand); empty when there are none.
  std::span<const FrequencyCap> brand_caps(uint64_t brand) const;

  /// By id or key; nullopt when there is none.
  std::optional<uint32_t> Find(std::string_view id) const;
  std::optional<uint32_t> FindKey(uint64_t key) const;

  const TargetingIndex& targeting() const { return *targeting_; }

  /// A hash of all contents, the same for equal campaigns in any order and on any machine.
  uint64_t fingerprint() const;

  /// The score behind the ranking: what the campaign could pay for a thousand impressions at most,
  /// in micros. Never negative.
  static int64_t StaticScore(const Campaign& c) { return c.bid.max_cpm.value; }

  /// A bit for each common media type ("audio/mpeg" and "audio/mp3" share one, and so on); unknown
  /// types share the last one. Letter case and parameters after ';' do not matter.
  static uint64_t MimeBit(std::string_view mime);

 private:
  struct Store;  // all campaigns and facts, shared along a line of changes
  using CampaignPtr = std::shared_ptr<const Campaign>;  // lines share the texts
  using KeyedPlace = std::pair<uint64_t, uint32_t>;
  explicit Catalog(std::shared_ptr<Store> store);
  using Brands = std::vector<std::pair<uint64_t, BrandCaps>>;  // by rising key
  static std::unique_ptr<Catalog> Freeze(std::vector<CampaignPtr> campaigns,
                                         std::shared_ptr<const Brands> brands);
  static std::unique_ptr<Catalog> Index(std::shared_ptr<Store> store);
  void See();
  void Drop(uint64_t key, Catalog* next, TargetingIndex::Added* added,
            std::unordered_set<uint32_t>* gone) const;
  bool Append(const std::vector<CampaignPtr>& put, Catalog* next) const;
  void Count(Currency currency);
  void AddByRank(uint32_t index, TargetingIndex::Added* added) const;
  template <class Visit>
  void ForEachByRank(Visit visit) const;

  std::shared_ptr<Store> store_;
  // Into the store, and how far this catalog sees.
  const CampaignPtr* campaigns_ = nullptr;
  const CampaignFacts* facts_ = nullptr;
  const CreativeFacts* creative_facts_ = nullptr;
  const CreativeFeatures* relevance_features_ = nullptr;
  const uint32_t* adomain_begin_ = nullptr;
  const uint32_t* cat_begin_ = nullptr;
  const uint64_t* adomain_keys_ = nullptr;
  const uint64_t* cat_keys_ = nullptr;
  uint32_t end_ = 0;
  size_t creative_end_ = 0;

  size_t size_ = 0, creative_total_ = 0;
  std::vector<KeyedPlace> put_;  // the living ones beyond what was built, by rising key
  std::unique_ptr<const TargetingIndex> targeting_;
  uint64_t contents_ = 0;  // sum of the campaigns' hashes
  std::vector<Currency> currencies_;
};

}  // namespace adagents::ads
