// A catalog that was changed step by step is the same as one that was built at once.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads {
namespace {

const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200 + 12 * 3600);

std::vector<std::string> IdsOf(const Catalog& catalog, const std::vector<uint32_t>& found) {
  std::vector<std::string> ids;
  for (const uint32_t i : found) ids.push_back(catalog.campaign(i).id);
  return ids;
}

/// What each kind of question finds, as ids, so that catalogs with different indices compare.
std::vector<std::vector<std::string>> Ask(const Catalog& catalog, const Request& request,
                                          uint64_t salt) {
  const TargetingIndex& index = catalog.targeting();
  TargetingQuery query;
  std::vector<uint32_t> found, visited;
  std::vector<std::vector<std::string>> answers;
  index.Read(request, kMonday, &query);
  index.Match(query, &found);
  answers.push_back(IdsOf(catalog, found));
  index.ReadImp(request.imps[0], &query);
  index.Match(query, &found);
  answers.push_back(IdsOf(catalog, found));
  index.Visit(query, [&](std::span<const uint32_t> ids) {
    CHECK((!ids.empty() && ids.size() <= TargetingIndex::kMostVisited));
    visited.insert(visited.end(), ids.begin(), ids.end());
    return true;
  });
  CHECK(visited == found);
  for (const uint32_t i : found) {
    CHECK(catalog.Has(i));
    CHECK(index.Explain(query, i).empty());
  }
  index.MatchTopK(query, 7, &found);
  answers.push_back(IdsOf(catalog, found));
  const auto odd = [&](uint32_t i) { return catalog.facts(i).key % 2 == 1; };
  index.MatchTopK(query, 5, odd, &found);
  answers.push_back(IdsOf(catalog, found));
  const auto score = [&](uint32_t i) {
    // Coarse, so that there are equals, which rank then has to tell apart.
    const double factor =
        0.5 + 0.5 * static_cast<double>(CombineHash(salt, catalog.facts(i).key) % 4);
    return factor * static_cast<double>(catalog.facts(i).max_cpm.value);
  };
  index.MatchTopKByScore(query, 9, 2.0, score, &found);
  answers.push_back(IdsOf(catalog, found));
  return answers;
}

void Compare(const Catalog& changed, const std::map<std::string, Campaign>& wanted, Random& random,
             int requests) {
  std::vector<Campaign> all;
  size_t creatives = 0;
  for (const auto& [id, campaign] : wanted) {
    all.push_back(campaign);
    creatives += campaign.creatives.size();
  }
  const auto built = Catalog::Build(all);
  REQUIRE(built.ok());
  const Catalog& fresh = **built;
  REQUIRE(changed.size() == wanted.size());
  CHECK(changed.targeting().size() == wanted.size());
  CHECK(changed.creative_total() == creatives);
  CHECK(changed.fingerprint() == fresh.fingerprint());
  for (uint32_t f = 0; f < fresh.index_end(); ++f) {
    const Campaign& c = fresh.campaign(f);
    const auto at = changed.Find(c.id);
    REQUIRE(at);
    REQUIRE(changed.campaign(*at) == c);
    REQUIRE(changed.facts(*at).key == c.key);
    REQUIRE(changed.creative_facts(*at).size() == c.creatives.size());
    REQUIRE(changed.creative_facts(*at)[0].key == fresh.creative_facts(f)[0].key);
    REQUIRE(changed.relevance_features()[changed.facts(*at).first_creative] ==
            fresh.relevance_features()[fresh.facts(f).first_creative]);
    const auto keys = [](std::span<const uint64_t> k) {
      return std::vector<uint64_t>(k.begin(), k.end());
    };
    REQUIRE(keys(changed.cat_keys(*at)) == keys(fresh.cat_keys(f)));
    REQUIRE(keys(changed.adomain_keys(*at)) == keys(fresh.adomain_keys(f)));
  }
  for (int i = 0; i < requests; ++i) {
    const RequestPtr request = GenerateRequest(random);
    const uint64_t salt = random();
    REQUIRE(Ask(changed, *request, salt) == Ask(fresh, *request, salt));
  }
}

void ChangeAndCompare(uint64_t seed, size_t first, int steps) {
  INFO("seed " << seed << ", campaigns " << first);
  Random random(seed);
  // Three versions of every campaign, under the same ids.
  std::vector<std::vector<Campaign>> versions;
  for (uint64_t v = 0; v < 3; ++v) {
    versions.push_back(
        GenerateCampaigns({.campaigns = 2 * first + 40, .seed = seed * 10 + v, .open = 0.8}));
  }
  std::map<std::string, Campaign> wanted;
  for (size_t i = 0; i < first; ++i) wanted[versions[0][i].id] = versions[0][i];
  std::vector<Campaign> begin;
  for (const auto& [id, campaign] : wanted) begin.push_back(campaign);
  auto built = Catalog::Build(begin);
  REQUIRE(built.ok());
  std::unique_ptr<const Catalog> catalog = *std::move(built);
  const RequestPtr probe = GenerateRequest(random);
  for (int step = 0; step < steps; ++step) {
    INFO("step " << step);
    CatalogChange change;
    std::map<std::string, Campaign> put;
    for (uint64_t n = random.Below(4); n > 0; --n) {
      const Campaign& c = versions[random.Below(3)][random.Below(2 * first + 40)];
      put[c.id] = c;
    }
    for (uint64_t n = random.Below(3); n > 0; --n) {
      change.remove.push_back(versions[0][random.Below(2 * first + 40)].id);
      wanted.erase(change.remove.back());
    }
    for (const auto& [id, c] : put) {
      change.put.push_back(c);
      wanted[id] = c;
    }
    const auto before = Ask(*catalog, *probe, 1);
    const uint64_t fingerprint = catalog->fingerprint();
    auto next = catalog->With(change);
    REQUIRE(next.ok());
    REQUIRE(Ask(*catalog, *probe, 1) == before);  // whoever reads the old one is not disturbed
    REQUIRE(catalog->fingerprint() == fingerprint);
    catalog = *std::move(next);
    if (random.Chance(0.02)) catalog = catalog->Rebuilt();
    if (step % 10 == 9 || step + 1 == steps) Compare(*catalog, wanted, random, 10);
  }
}

TEST_CASE("A catalog changed step by step finds what one built at once finds") {
  for (const uint64_t seed : {101u, 102u, 103u}) ChangeAndCompare(seed, 200, 80);
  ChangeAndCompare(104, 0, 40);
  ChangeAndCompare(105, 1, 40);
  ChangeAndCompare(106, 5'000, 40);   // several blocks
  ChangeAndCompare(107, 2'000, 200);  // young ones become old, several times
}

TEST_CASE("Small changes of a catalog share what was built until there is no room for them") {
  const auto first = GenerateCatalog({.campaigns = 400, .seed = 1});
  const std::vector<Campaign> others = GenerateCampaigns({.campaigns = 400, .seed = 2});
  std::unique_ptr<const Catalog> catalog;
  const Catalog* now = first.get();
  int rebuilt = 0;
  for (int i = 0; i < 400; ++i) {
    auto next = now->With({{others[static_cast<size_t>(i)]}, {}});
    REQUIRE(next.ok());
    rebuilt += (*next)->changed() == 0 ? 1 : 0;
    CHECK((*next)->size() == 400);
    catalog = *std::move(next);
    now = catalog.get();
  }
  CHECK(rebuilt == 3);  // each time after 16 + 400 / 4
}

TEST_CASE("A catalog that is indexed anew has the same texts in the same memory") {
  const auto base = GenerateCatalog({.campaigns = 300, .seed = 1});
  const std::vector<Campaign> others = GenerateCampaigns({.campaigns = 310, .seed = 2});
  auto changed = base->With({{others[300], others[7]}, {"c5"}});
  REQUIRE(changed.ok());
  const auto rebuilt = (*changed)->Rebuilt();
  REQUIRE(rebuilt->index_end() == 300);
  CHECK(rebuilt->changed() == 0);
  CHECK(rebuilt->fingerprint() == (*changed)->fingerprint());
  CHECK_FALSE(rebuilt->Find("c5"));
  for (uint32_t i = 0; i < rebuilt->index_end(); ++i) {
    const auto before = (*changed)->Find(rebuilt->campaign(i).id);
    REQUIRE(before);
    REQUIRE(&(*changed)->campaign(*before) == &rebuilt->campaign(i));
    if (i > 0) REQUIRE(rebuilt->RanksBefore(i - 1, i));
  }
}

TEST_CASE("Two changes of the same catalog are both right") {
  const auto base = GenerateCatalog({.campaigns = 100, .seed = 1});
  const std::vector<Campaign> others = GenerateCampaigns({.campaigns = 102, .seed = 1});
  const auto a = base->With({{others[100]}, {}});
  const auto b = base->With({{others[101]}, {"c7"}});
  REQUIRE((a.ok() && b.ok()));
  CHECK((*a)->Find("c100"));
  CHECK_FALSE((*a)->Find("c101"));
  CHECK((*a)->Find("c7"));
  CHECK((*b)->Find("c101"));
  CHECK_FALSE((*b)->Find("c100"));
  CHECK_FALSE((*b)->Find("c7"));
  CHECK(base->size() == 100);
}

TEST_CASE("A faulty change is refused with every fault, and changes nothing") {
  const auto base = GenerateCatalog({.campaigns = 10, .seed = 1});
  std::vector<Campaign> bad = GenerateCampaigns({.campaigns = 2, .seed = 1});
  bad[0].bid.max_cpm = {};
  bad[1].creatives.clear();
  const auto next = base->With({bad, {"c5"}});
  REQUIRE_FALSE(next.ok());
  CHECK(std::string(next.status().message()).find("campaigns[0].") != std::string::npos);
  CHECK(std::string(next.status().message()).find("campaigns[1].") != std::string::npos);
  CHECK(base->Find("c5"));
  CHECK(base->With({{}, {"c5", "c5", "nobody"}}).value()->size() == 9);
}

}  // namespace
}  // namespace adagents::ads
