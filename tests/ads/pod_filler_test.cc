// Filling pods, beside an oracle that tries every combination.
#include "ads/agents/pod_filler.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads::internal {
namespace {

using Item = PodFiller::Item;
using Section = PodFiller::Section;

constexpr uint64_t kAll = ~uint64_t{0};

PodFiller::Filling Fill(const std::vector<Section>& sections, const std::vector<Item>& items) {
  PodFiller filler;
  filler.Begin(sections, items);
  int nodes = PodFiller::kMostNodes;
  return filler.Fill(kAll, &nodes);
}

/// Whether all of `set` may play together.
bool Allowed(const std::vector<Section>& sections, const std::vector<Item>& items, uint64_t set) {
  std::vector<Section> left = sections;
  for (size_t i = 0; i < items.size(); ++i) {
    if ((set >> i & 1) == 0) continue;
    if ((items[i].excludes & set) != 0) return false;
    Section& s = left[items[i].section];
    s.ms -= items[i].ms;
    if (s.ms < 0 || --s.ads < 0) return false;
  }
  return true;
}

/// What a set is worth in each tier, the highest tier first.
std::vector<int64_t> Worth(const std::vector<Item>& items, uint64_t set) {
  std::map<int, int64_t, std::greater<>> tiers;
  for (size_t i = 0; i < items.size(); ++i) {
    tiers[items[i].tier] += (set >> i & 1) != 0 ? items[i].value : 0;
  }
  std::vector<int64_t> worth;
  for (const auto& [tier, value] : tiers) worth.push_back(value);
  return worth;
}

struct Pod {
  std::vector<Section> sections;
  std::vector<Item> items;
};

/// Up to `most` ads of usual and odd lengths in up to three imps, some of them worth the same.
Pod RandomPod(Random& random, size_t most, int tiers) {
  constexpr int32_t kSeconds[] = {6, 10, 15, 20, 30, 45, 60};
  Pod pod;
  const size_t sections = 1 + random.Below(3);
  for (size_t s = 0; s < sections; ++s) {
    const bool dynamic = random.Chance(0.6);
    pod.sections.push_back(
        {.ms = dynamic ? static_cast<int64_t>(15 + random.Below(120)) * 1000 : INT64_MAX / 4,
         .ads = dynamic ? static_cast<int32_t>(1 + random.Below(6)) : 1});
  }
  const size_t n = 1 + random.Below(most);
  for (size_t i = 0; i < n; ++i) {
    Item item;
    const int32_t odd = random.Chance(0.3) ? static_cast<int32_t>(random.Below(2'000)) : 0;
    item.ms = kSeconds[random.Below(7)] * 1000 - odd;
    item.value = static_cast<int64_t>(1 + random.Below(20'000'000));
    if (random.Chance(0.2) && i > 0) item.value = pod.items[random.Below(i)].value;
    item.section = static_cast<uint16_t>(random.Below(sections));
    item.tier = static_cast<int16_t>(random.Below(static_cast<uint64_t>(tiers)));
    pod.items.push_back(item);
  }
  const double conflicts = random.Uniform() * 0.5;
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = a + 1; b < n; ++b) {
      if (!random.Chance(conflicts)) continue;
      pod.items[a].excludes |= uint64_t{1} << b;
      pod.items[b].excludes |= uint64_t{1} << a;
    }
  }
  return pod;
}

TEST_CASE("A pod is filled with the combination that is worth most") {
  Random random(1);
  for (int round = 0; round < 3'000; ++round) {
    INFO("round " << round);
    const Pod pod = RandomPod(random, 12, /*tiers=*/1);
    int64_t best = 0;
    for (uint64_t set = 0; set < uint64_t{1} << pod.items.size(); ++set) {
      if (Allowed(pod.sections, pod.items, set)) best = std::max(best, Worth(pod.items, set)[0]);
    }
    const PodFiller::Filling filling = Fill(pod.sections, pod.items);
    REQUIRE(filling.exact);
    REQUIRE(Allowed(pod.sections, pod.items, filling.chosen));
    REQUIRE(Worth(pod.items, filling.chosen)[0] == best);
    REQUIRE(filling.value == best);
  }
}

TEST_CASE("What a higher tier takes is not given up for a lower one, whatever that is worth") {
  Random random(2);
  for (int round = 0; round < 1'000; ++round) {
    INFO("round " << round);
    const Pod pod = RandomPod(random, 12, /*tiers=*/3);
    const PodFiller::Filling filling = Fill(pod.sections, pod.items);
    REQUIRE(Allowed(pod.sections, pod.items, filling.chosen));
    // Tier by tier: with what the higher tiers got, nothing in this one could be worth more.
    std::vector<int> tiers;
    for (const Item& item : pod.items) tiers.push_back(item.tier);
    std::sort(tiers.begin(), tiers.end(), std::greater<>());
    tiers.erase(std::unique(tiers.begin(), tiers.end()), tiers.end());
    for (size_t t = 0; t < tiers.size(); ++t) {
      uint64_t higher = 0, same = 0;
      for (size_t i = 0; i < pod.items.size(); ++i) {
        if (pod.items[i].tier > tiers[t]) higher |= uint64_t{1} << i;
        if (pod.items[i].tier == tiers[t]) same |= uint64_t{1} << i;
      }
      const uint64_t kept = filling.chosen & higher;
      int64_t best = 0;
      for (uint64_t set = same;; set = (set - 1) & same) {
        if (Allowed(pod.sections, pod.items, kept | set)) {
          best = std::max(best, Worth(pod.items, set)[t]);
        }
        if (set == 0) break;
      }
      REQUIRE(Worth(pod.items, filling.chosen)[t] == best);
    }
  }
}

TEST_CASE("Of combinations worth the same the one of better rank is taken") {
  // A minute: 5 + 5, or 6 + 4, or 10 alone.
  const Item five{.value = 5, .ms = 30'000}, six{.value = 6, .ms = 45'000};
  const Item four{.value = 4, .ms = 15'000}, ten{.value = 10, .ms = 60'000};
  const std::vector<Section> minute = {{.ms = 60'000, .ads = 4}};
  CHECK(Fill(minute, {five, five, ten, six, four}).chosen == 0b00011);
  CHECK(Fill(minute, {ten, six, four, five, five}).chosen == 0b00001);
  CHECK(Fill(minute, {six, five, five, four, ten}).chosen == 0b01001);
}

TEST_CASE("Only what is allowed is considered") {
  const std::vector<Section> sections = {{.ms = 30'000, .ads = 1}};
  const std::vector<Item> items = {{.value = 9, .ms = 30'000}, {.value = 4, .ms = 30'000}};
  PodFiller filler;
  filler.Begin(sections, items);
  int nodes = PodFiller::kMostNodes;
  CHECK(filler.Fill(kAll, &nodes).chosen == 0b01);
  CHECK(filler.Fill(0b10, &nodes).chosen == 0b10);
  CHECK(filler.Fill(0, &nodes).chosen == 0);
}

TEST_CASE("Out of nodes the pod is still filled, no worse than by greedy choice, and it is said") {
  Random random(3);
  int ended = 0;
  for (int round = 0; round < 300; ++round) {
    Pod pod = RandomPod(random, PodFiller::kMostItems, /*tiers=*/1);
    PodFiller filler;
    filler.Begin(pod.sections, pod.items);
    int few = 3, many = PodFiller::kMostNodes;
    const PodFiller::Filling quick = filler.Fill(kAll, &few);
    const PodFiller::Filling full = filler.Fill(kAll, &many);
    REQUIRE(Allowed(pod.sections, pod.items, quick.chosen));
    REQUIRE(full.value >= quick.value);
    if (quick.exact) REQUIRE(full.value == quick.value);
    ended += quick.exact ? 0 : 1;
    // Greedy by value and by value per second.
    for (const bool density : {false, true}) {
      std::vector<size_t> order(pod.items.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const Item &x = pod.items[a], &y = pod.items[b];
        return density ? static_cast<double>(x.value) / x.ms > static_cast<double>(y.value) / y.ms
                       : a < b;
      });
      uint64_t set = 0;
      for (const size_t i : order) {
        const uint64_t with = set | uint64_t{1} << i;
        if (Allowed(pod.sections, pod.items, with)) set = with;
      }
      REQUIRE(quick.value >= Worth(pod.items, set)[0]);
    }
  }
  CHECK(ended > 100);
}

TEST_CASE("Sixty-four ads of a long pod are combined within the limit, most times exactly") {
  Random random(4);
  int exact = 0, rounds = 300;
  int64_t used = 0;
  for (int round = 0; round < rounds; ++round) {
    Pod pod;
    pod.sections = {{.ms = 180'000, .ads = 8}};
    for (size_t i = 0; i < PodFiller::kMostItems; ++i) {
      constexpr int32_t kMillis[] = {15'000, 20'000, 30'000, 60'000};
      const int32_t ms = kMillis[random.Below(4)];
      const double cpm = (2 + 10 * random.Uniform()) * (0.5 + ms / 60'000.0);
      pod.items.push_back({.value = static_cast<int64_t>(cpm * 1e6), .ms = ms});
    }
    std::sort(pod.items.begin(), pod.items.end(),
              [](const Item& a, const Item& b) { return a.value > b.value; });
    PodFiller filler;
    filler.Begin(pod.sections, pod.items);
    int nodes = PodFiller::kMostNodes;
    exact += filler.Fill(kAll, &nodes).exact ? 1 : 0;
    used += PodFiller::kMostNodes - nodes;
  }
  INFO(exact << " of " << rounds << " exact, " << used / rounds << " nodes each");
  CHECK(exact >= rounds * 95 / 100);
}

TEST_CASE("Amounts beyond all reason do not overflow") {
  std::vector<Item> items;
  for (int i = 0; i < 64; ++i) items.push_back({.value = INT64_MAX, .ms = 1'000});
  const PodFiller::Filling filling = Fill({{.ms = INT64_MAX / 4, .ads = 64}}, items);
  CHECK(std::popcount(filling.chosen) == 64);
  CHECK(filling.value > 0);
}

}  // namespace
}  // namespace adagents::ads::internal
