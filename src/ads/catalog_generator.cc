#include "adagents/ads/catalog_generator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include "ads/generator_words.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

using namespace internal;  // NOLINT: the vocabulary

/// 0 to n - 1, falling as 1 / (rank + 1)^0.8: measured city and genre popularity lies between
/// exponents 0.7 and 1.
size_t Zipf(Random& random, size_t n) {
  constexpr double kExponent = 0.8;
  const double most = std::pow(static_cast<double>(n) + 1.0, 1.0 - kExponent) - 1.0;
  const double x = std::pow(1.0 + random.Uniform() * most, 1.0 / (1.0 - kExponent)) - 1.0;
  return std::min(static_cast<size_t>(x), n - 1);
}

template <class List>
const auto& ZipfOf(Random& random, const List& list) {
  return std::begin(list)[Zipf(random, std::size(list))];
}
template <class List>
const auto& AnyOf(Random& random, const List& list) {
  return std::begin(list)[random.Below(std::size(list))];
}

std::string Lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Rounded to cents, around `median` with a long tail upwards.
Micros Price(Random& random, double median) {
  const double normal = std::sqrt(-2.0 * std::log(1.0 - random.Uniform())) *
                        std::cos(6.283185307179586 * random.Uniform());
  const double units = median * std::exp(0.5 * normal);
  return {std::max<int64_t>(1, std::llround(units * 100.0)) * (Micros::kUnit / 100)};
}

class CampaignMaker {
 public:
  CampaignMaker(const GeneratorOptions& options, size_t number)
      : options_(options), number_(number), random_(CombineHash(options.seed, number)) {}

  Campaign Make() {
    Campaign c;
    const Trade& trade = ZipfOf(random_, kTrades);
    c.advertiser = fmt::format("{} {}", AnyOf(random_, kFirstNames), trade.name);
    c.brand = c.advertiser;
    c.id = fmt::format("c{}", number_);
    c.name = fmt::format("{} {}", c.advertiser, number_);
    std::string domain = Lower(c.advertiser);
    domain.erase(std::remove(domain.begin(), domain.end(), ' '), domain.end());
    c.adomain = {domain + ".example"};
    c.cat = {std::string(trade.category)};
    c.priority = random_.Chance(0.03) ? 10 : 0;
    const MarkupType format = PickFormat();
    PickGoal(&c, format);
    AddCreatives(&c, format);
    if (random_.Chance(0.1)) AddCreatives(&c, PickFormat());
    AddTargeting(&c.targeting);
    AddPacing(&c);
    return c;
  }

 private:
  MarkupType PickFormat() {
    const double u = random_.Uniform();
    if (u < 0.42) return MarkupType::kBanner;
    if (u < 0.70) return MarkupType::kAudio;
    return u < 0.87 ? MarkupType::kVideo : MarkupType::kNative;
  }

  void PickGoal(Campaign* c, MarkupType format) {
    const double median = format == MarkupType::kBanner   ? 2.0
                          : format == MarkupType::kNative ? 2.5
                          : format == MarkupType::kAudio  ? 11.0
                                                          : 14.0;
    c->bid.max_cpm = Price(random_, median);
    c->budget.daily = {Price(random_, 400.0)};
    if (random_.Chance(0.5)) c->budget.lifetime = {c->budget.daily.value * 30};
    const double u = random_.Uniform();
    if (u < 0.45) {
      c->objective = Objective::kDirectResponse;
      c->bid.action = random_.Chance(0.8) ? Action::kClick : Action::kConversion;
      c->bid.value_per_action = Price(random_, c->bid.action == Action::kClick ? 0.8 : 12.0);
    } else if (u < 0.8) {
      c->objective = Objective::kBrandAwareness;
      if (format == MarkupType::kAudio || format == MarkupType::kVideo) {
        c->bid.action = Action::kCompletion;
        c->bid.value_per_action = Price(random_, 0.015);
      }
    } else {
      c->objective = Objective::kReach;
    }
  }

  /// From numbers of its own, so that all else of a campaign is what it is without pacing.
  void AddPacing(Campaign* c) {
    Random random(CombineHash(options_.seed, number_), 1);
    c->budget.time_zone = ZipfOf(random, kTimeZones);
    const double u = random.Uniform();
    c->pacing.pace = u < 0.7 ? Pace::kEven : u < 0.85 ? Pace::kFrontLoaded : Pace::kAsap;
    if (!random.Chance(0.25)) return;
    // Between what is bid at most and half of it.
    const double share = 0.5 + 0.5 * random.Uniform();
    c->pacing.per = c->bid.action;
    const Micros most = c->bid.action == Action::kNone ? c->bid.max_cpm : c->bid.value_per_action;
    c->pacing.target = {
        std::max<int64_t>(1, std::llround(share * static_cast<double>(most.value)))};
  }

  void AddCreatives(Campaign* c, MarkupType format) {
    const size_t variants = 1 + Zipf(random_, 4);
    for (size_t v = 0; v < variants; ++v) {
      Creative creative;
      const size_t k = c->creatives.size();
      creative.id = fmt::format("{}-{}", c->id, k);
      creative.title = fmt::format("{} {}", c->brand, k + 1);
      creative.format = format;
      creative.tone = AnyOf(random_, kTones);
      creative.pace = AnyOf(random_, kPaces);
      creative.call_to_action = AnyOf(random_, kCalls);
      creative.click_through = fmt::format("https://{}/landing", c->adomain[0]);
      FillMedia(c->adomain[0], &creative);
      c->creatives.push_back(std::move(creative));
    }
  }

  void FillMedia(const std::string& domain, Creative* c) {
    std::string_view extension;
    switch (c->format) {
      case MarkupType::kAudio: {
        extension = "mp3";
        c->mimes = {"audio/mpeg"};
        c->duration_ms = random_.Chance(0.7) ? 30'000 : random_.Chance(0.6) ? 15'000 : 60'000;
        c->bitrate_kbps = 128;
        c->voice = AnyOf(random_, kVoices);
        if (random_.Chance(0.5)) {
          c->companions.push_back({300, 250, "image/png",
                                   fmt::format("https://cdn.{}/{}-companion.png", domain, c->id),
                                   c->click_through});
        }
        break;
      }
      case MarkupType::kVideo:
        extension = "mp4";
        c->mimes = {"video/mp4"};
        c->duration_ms = random_.Chance(0.5) ? 15'000 : random_.Chance(0.6) ? 30'000 : 6'000;
        c->bitrate_kbps = 2'000;
        c->w = 1280;
        c->h = 720;
        break;
      case MarkupType::kNative:
        extension = "jpg";
        c->mimes = {"image/jpeg"};
        c->body = fmt::format("Discover {}.", c->title);
        c->w = 1200;
        c->h = 627;
        break;
      default: {
        extension = "png";
        c->mimes = {"image/png"};
        const Size& size = ZipfOf(random_, kBannerSizes);
        c->w = size.w;
        c->h = size.h;
        break;
      }
    }
    c->media_url = fmt::format("https://cdn.{}/{}.{}", domain, c->id, extension);
  }

  bool Open() { return random_.Chance(options_.open); }

  /// One condition of 1 to `most` values drawn by `pick`; one in eight excludes.
  template <class Pick>
  void Limit(Targeting* t, Attribute a, size_t most, Pick pick) {
    if (Open()) return;
    const bool exclude = random_.Chance(0.125);
    std::vector<std::string> values;
    for (size_t n = 1 + random_.Below(most); n > 0; --n) values.push_back(std::string(pick()));
    t->conditions.push_back({a, exclude, std::move(values)});
  }

  void AddTargeting(Targeting* t) {
    Limit(t, Attribute::kCountry, 3, [&] { return ZipfOf(random_, kPlaces).country; });
    if (t->conditions.empty() || random_.Chance(0.5)) {
      Limit(t, Attribute::kRegion, 12, [&] {
        const Place& p = ZipfOf(random_, kPlaces);
        return fmt::format("{}-{}", p.country, p.region);
      });
    } else if (random_.Chance(0.3)) {
      Limit(t, Attribute::kCity, 10, [&] { return ZipfOf(random_, kPlaces).city; });
    }
    Limit(t, Attribute::kDeviceType, 2, [&] {
      constexpr std::string_view kTypes[] = {"phone", "pc", "tablet", "ctv", "connected_device"};
      return ZipfOf(random_, kTypes);
    });
    Limit(t, Attribute::kOs, 2, [&] {
      constexpr std::string_view kSystems[] = {"ios", "android", "windows", "macos"};
      return ZipfOf(random_, kSystems);
    });
    Limit(t, Attribute::kGenre, 8, [&] { return ZipfOf(random_, kGenres); });
    Limit(t, Attribute::kCategory, 8, [&] { return ZipfOf(random_, kCategories); });
    Limit(t, Attribute::kLanguage, 3, [&] { return ZipfOf(random_, kLanguages); });
    if (random_.Chance(0.05)) {
      Limit(t, Attribute::kKeyword, 4, [&] { return AnyOf(random_, kKeywords); });
    }
    if (random_.Chance(0.02)) {
      Limit(t, Attribute::kDeal, 2, [&] { return fmt::format("deal-{}", random_.Below(50)); });
    }
    if (!Open()) t->hours = Hours();
  }

  HoursOfWeek Hours() {
    HoursOfWeek hours;
    const auto set = [&](size_t first_day, size_t last_day, size_t from, size_t to) {
      for (size_t day = first_day; day <= last_day; ++day) {
        for (size_t h = from; h < to; ++h) hours.set(day * 24 + h);
      }
    };
    switch (random_.Below(5)) {
      case 0:  // commute
        set(0, 4, 6, 10);
        set(0, 4, 16, 20);
        break;
      case 1:
        set(0, 4, 9, 18);
        break;
      case 2:
        set(0, 6, 18, 24);
        break;
      case 3:
        set(5, 6, 0, 24);
        break;
      default:
        set(0, 6, 7, 23);
    }
    return hours;
  }

  const GeneratorOptions& options_;
  size_t number_;
  Random random_;
};

Text Pick(Random& random, double chance, Text text) {
  return random.Chance(chance) ? text : Text();
}

void FillImp(Random& random, Arena* arena, Imp* imp) {
  const double u = random.Uniform();
  if (u < 0.5) {
    Audio audio;
    audio.mimes = arena->Copy<Text>({"audio/mpeg", "audio/mp4"});
    audio.minduration = 5;
    audio.maxduration = random.Chance(0.8) ? 30 : 60;
    imp->audio = arena->New(audio);
  } else if (u < 0.75) {
    Banner banner;
    const Size& size = ZipfOf(random, kBannerSizes);
    Format format;
    format.w = size.w;
    format.h = size.h;
    banner.format = arena->Copy<Format>({format});
    imp->banner = arena->New(banner);
  } else if (u < 0.9) {
    Video video;
    video.mimes = arena->Copy<Text>({"video/mp4"});
    video.maxduration = 30;
    video.w = 1280;
    video.h = 720;
    imp->video = arena->New(video);
  } else {
    imp->native = arena->New(Native{});
  }
}

}  // namespace

std::vector<Campaign> GenerateCampaigns(const GeneratorOptions& options) {
  std::vector<Campaign> out;
  const size_t n = std::min(options.campaigns, Catalog::kMaxCampaigns);
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(CampaignMaker(options, i).Make());
  return out;
}

std::unique_ptr<Catalog> GenerateCatalog(const GeneratorOptions& options) {
  absl::StatusOr<std::unique_ptr<Catalog>> built = Catalog::Build(GenerateCampaigns(options));
  return built.ok() ? *std::move(built) : nullptr;  // generated campaigns have no faults
}

RequestPtr GenerateRequest(Random& random) {
  NewRequest made = MakeRequest();
  Request& r = *made.request;
  r.id = made.arena->Copy(fmt::format("r{:016x}", random()));
  Imp imp;
  imp.id = "1";
  imp.bidfloor = {static_cast<int64_t>(random.Below(20)) * (Micros::kUnit / 10)};
  FillImp(random, made.arena, &imp);
  r.imps = made.arena->Copy({imp});

  const bool app = random.Chance(0.6);
  Channel& c = r.channel;
  c.kind = app ? ChannelKind::kApp : ChannelKind::kSite;
  c.publisher.id = made.arena->Copy(fmt::format("pub-{}", Zipf(random, 200)));
  if (app) c.bundle = made.arena->Copy(fmt::format("com.example.app{}", Zipf(random, 100)));
  if (!app) c.domain = made.arena->Copy(fmt::format("site{}.example", Zipf(random, 500)));
  c.cat = made.arena->Copy<Text>({ZipfOf(random, kCategories)});
  c.content.genre = ZipfOf(random, kGenres);
  c.content.language = Pick(random, 0.7, random.Chance(0.85) ? "en" : ZipfOf(random, kLanguages));
  c.keywords = Pick(random, 0.5, AnyOf(random, kKeywords));

  const Place& place = ZipfOf(random, kPlaces);
  Device& d = r.device;
  d.geo.country = place.country;
  d.geo.region = place.region;
  d.geo.city = place.city;
  d.geo.metro = place.metro;
  d.geo.utcoffset = place.utcoffset;
  d.language = "en";
  const bool phone = random.Chance(0.6);
  const bool apple = random.Chance(0.5);
  d.devicetype = phone ? 4 : random.Chance(0.7) ? 2 : 5;
  const bool pc = *d.devicetype == 2;
  d.os_kind = pc ? (apple ? Os::kMacos : Os::kWindows) : (apple ? Os::kIos : Os::kAndroid);
  d.make = apple ? std::string_view("apple") : pc ? Text() : AnyOf(random, kMakes);
  r.user.id = made.arena->Copy(fmt::format("u{}", Zipf(random, 1'000'000)));
  return std::move(made.ptr);
}

}  // namespace adagents::ads
