#include "testing/listening_population.h"

#include <utility>

#include "adagents/base/ids.h"
#include "fmt/format.h"
#include "testing/listening_random.h"

namespace adagents::testing::internal {
namespace {

std::string BrandName(uint32_t brand) { return fmt::format("brand-{:02}", brand); }
std::string CreativeName(uint32_t in_brand) { return fmt::format("c{}", in_brand); }

/// Every brand has a calm, slow ad and an upbeat, fast one; the others are drawn.
AdTraits MakeTraits(uint64_t seed, uint32_t brand, uint32_t in_brand) {
  Random random = Stream(seed, brand, in_brand, Purpose::kCreative);
  AdTraits ad;
  ad.tone = static_cast<Tone>(random.Below(4));
  ad.pace = static_cast<SpeechPace>(random.Below(3));
  ad.voice = static_cast<Voice>(random.Below(3));
  ad.call = static_cast<CallToAction>(random.Below(4));
  ad.seconds = random.Chance(0.5) ? 15 : 30;
  ad.quality = Lognormal(random, 0.2);
  if (in_brand == 0) {
    ad.tone = Tone::kCalm;
    ad.pace = SpeechPace::kSlow;
  } else if (in_brand == 1) {
    ad.tone = Tone::kUpbeat;
    ad.pace = SpeechPace::kFast;
  } else if (in_brand == kSpotsPerBrand - 1) {
    ad.video = true;
    ad.seconds = 15;
  }
  Random brands = Stream(seed, brand, 0, Purpose::kBrand);
  ad.quality *= Lognormal(brands, 0.3);  // the brand's
  return ad;
}

ads::Creative MakeCreative(const Spot& spot, const std::string& brand) {
  ads::Creative c;
  c.id = CreativeName(spot.in_brand);
  c.title = fmt::format("{} {}", brand, c.id);
  c.format = spot.traits.video ? ads::MarkupType::kVideo : ads::MarkupType::kAudio;
  c.mimes = {spot.traits.video ? "video/mp4" : "audio/mpeg"};
  if (spot.traits.video) {
    c.w = 640;
    c.h = 360;
  }
  c.duration_ms = static_cast<int32_t>(spot.traits.seconds) * 1000;
  c.media_url = fmt::format("https://cdn.example/{}/{}", brand, c.id);
  c.click_through = fmt::format("https://{}.example/", brand);
  c.language = "en";
  c.tone = Name(spot.traits.tone);
  c.pace = Name(spot.traits.pace);
  c.voice = Name(spot.traits.voice);
  c.call_to_action = Name(spot.traits.call);
  return c;
}

}  // namespace

ListenerTraits MakeListener(uint64_t seed, uint64_t listener) {
  Random random = Stream(seed, listener, 0, Purpose::kListener);
  ListenerTraits out;
  for (double& taste : out.taste) taste = Lognormal(random, 0.8);
  out.likes = random.Chance(0.5) ? Voice::kFemale : Voice::kMale;
  out.valence = 0.25 + 0.6 * random.Uniform();
  out.country = static_cast<uint32_t>(random.Below(kCountries.size()));
  out.android = random.Chance(0.6);
  out.identified = random.Chance(0.75);
  out.limits = random.Chance(0.06);
  Random interests = Stream(seed, listener, 0, Purpose::kInterest);
  for (double& interest : out.interest) interest = Lognormal(interests, 0.6);
  return out;
}

double Affinity(uint64_t seed, size_t genre, uint32_t category) {
  Random random = Stream(seed, genre, category, Purpose::kAffinity);
  return Lognormal(random, 0.35);
}

std::vector<Spot> MakeSpots(uint64_t seed, size_t brands) {
  std::vector<Spot> spots;
  for (uint32_t b = 0; b < brands; ++b) {
    const uint64_t campaign = StableHash64(BrandName(b));
    for (uint32_t c = 0; c < kSpotsPerBrand; ++c) {
      spots.push_back({CombineHash(campaign, StableHash64(CreativeName(c))), b, c, b / 2,
                       MakeTraits(seed, b, c)});
    }
  }
  return spots;
}

std::vector<ads::Campaign> MakeCampaigns(uint64_t seed, const std::vector<Spot>& spots,
                                         bool clicks_only) {
  // Medians in USD, of an action and of a thousand impressions; the deviation of the logarithm.
  constexpr double kClick = 0.45, kCompletion = 0.010, kReach = 7, kSigma = 0.25;
  std::vector<ads::Campaign> campaigns;
  for (const Spot& spot : spots) {
    const std::string brand = BrandName(spot.brand);
    if (spot.in_brand == 0) {
      Random random = Stream(seed, spot.brand, 1, Purpose::kBrand);
      ads::Campaign& c = campaigns.emplace_back();
      c.id = c.name = c.advertiser = c.brand = brand;
      c.adomain = {fmt::format("{}.example", brand)};
      c.cat = {fmt::format("IAB{}", 1 + spot.category % 26)};
      c.budget.lifetime = Micros{1'000'000 * Micros::kUnit};
      c.bid.max_cpm = Micros{60 * Micros::kUnit};
      const double spread = clicks_only ? 1.0 : Lognormal(random, kSigma);
      const auto amount = [&](double usd) {
        return Micros{static_cast<int64_t>(usd * spread * Micros::kUnit)};
      };
      // By place, so that no seed is without: of ten brands six want clicks, three to be heard, one
      // to reach many.
      const uint32_t place = clicks_only ? 0 : spot.brand % 10;
      if (place == 9) {
        c.objective = ads::Objective::kReach;
        c.bid.max_cpm = amount(kReach);
      } else if (place % 3 == 2) {
        c.objective = ads::Objective::kBrandAwareness;
        c.bid.action = ads::Action::kCompletion;
        c.bid.value_per_action = amount(kCompletion);
      } else {
        c.objective = ads::Objective::kDirectResponse;
        c.bid.action = ads::Action::kClick;
        c.bid.value_per_action = amount(kClick);
      }
    }
    campaigns.back().creatives.push_back(MakeCreative(spot, brand));
  }
  return campaigns;
}

AdTraits RivalsAd(uint64_t seed, uint64_t session, uint64_t slot) {
  Random random = Stream(seed, session, slot, Purpose::kRivalsAd);
  AdTraits ad;
  ad.tone = static_cast<Tone>(random.Below(4));
  ad.pace = static_cast<SpeechPace>(random.Below(3));
  ad.seconds = random.Chance(0.5) ? 15 : 30;
  return ad;
}

}  // namespace adagents::testing::internal
