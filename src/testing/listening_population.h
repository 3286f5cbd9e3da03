// Who and what there is in a ListeningWorld: listeners, genres, brands and their creatives. Part of
// the frozen world. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/testing/listening_world.h"

namespace adagents::testing::internal {

struct Genre {
  std::string_view name;
  double energy;
};
inline constexpr std::array<Genre, 8> kMusic = {{{"pop", 0.65},
                                                 {"rock", 0.75},
                                                 {"hip-hop", 0.70},
                                                 {"electronic", 0.85},
                                                 {"classical", 0.30},
                                                 {"jazz", 0.35},
                                                 {"ambient", 0.12},
                                                 {"country", 0.50}}};
inline constexpr std::array<Genre, 5> kTalk = {
    {{"news", 0.45}, {"comedy", 0.60}, {"true crime", 0.40}, {"business", 0.45}, {"health", 0.30}}};
/// Genres of both, music first.
inline constexpr size_t kGenres = kMusic.size() + kTalk.size();
inline constexpr size_t kMostCategories = 50;  // of 100 brands

struct Country {
  std::string_view code, region;
  int32_t utcoffset;  // minutes
};
inline constexpr std::array<Country, 4> kCountries = {
    {{"USA", "ny", -300}, {"USA", "ca", -480}, {"GBR", "eng", 0}, {"DEU", "be", 60}}};

/// One ad that was heard, forgotten as kForgetsHalf says.
struct Heard {
  uint64_t key = 0;  // of a brand or a creative
  double times = 0;
  int64_t at = 0;  // milliseconds
};

struct ListenerTraits {
  std::array<double, kGenres> taste{};
  std::array<double, kMostCategories> interest{};
  Voice likes = Voice::kFemale;
  double valence = 0.5;
  uint32_t country = 0;
  bool android = false;
  bool identified = true;  // by user.id
  bool limits = false;     // limits tracking
};
ListenerTraits MakeListener(uint64_t seed, uint64_t listener);

/// How much the brands' category `category` interests those who hear `genre`, beside their own
/// interest: median 1.
double Affinity(uint64_t seed, size_t genre, uint32_t category);

struct Spot {
  uint64_t key = 0;  // CreativeFacts::key
  uint32_t brand = 0, in_brand = 0;
  uint32_t category = 0;
  AdTraits traits;
};
inline constexpr uint32_t kSpotsPerBrand = 6;

/// All creatives, brand by brand.
std::vector<Spot> MakeSpots(uint64_t seed, size_t brands);
/// The campaigns that they belong to; `clicks_only`: all pay the same for clicks.
std::vector<ads::Campaign> MakeCampaigns(uint64_t seed, const std::vector<Spot>& spots,
                                         bool clicks_only);

/// What the rival of a slot plays.
AdTraits RivalsAd(uint64_t seed, uint64_t session, uint64_t slot);

}  // namespace adagents::testing::internal
