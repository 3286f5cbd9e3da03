// A small population of listeners on a virtual clock, to compare what is delivered when a capped
// creative is replaced and when it is only blocked. What was shown is logged outside the engine, so
// the log also tells whether any cap was exceeded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"

namespace adagents::ads {

struct PopulationOptions {
  int listeners = 300;
  int brands = 4;
  int creatives = 4;       // of each campaign
  int campaign_a_day = 6;  // caps for each listener, beside one in two hours for each creative
  int brand_a_day = 10;
  absl::Duration length = absl::Hours(72);
  uint64_t seed = 1;
  // Of the engine: what happens to a capped creative.
  bool substitute = true;
  // Without any cap: the most that could be delivered.
  bool capped = true;
};

struct PopulationResult {
  int64_t requests = 0, shown = 0;
  int64_t same_again = 0;     // shown to somebody whose last ad of the brand was the same creative
  int64_t over_creative = 0;  // impressions beyond a creative's own cap, by the log
  int64_t over_campaign = 0, over_brand = 0;
};

/// Brands with two campaigns each, campaigns with several creatives, and caps tight enough to bind:
/// a creative once in two hours, campaigns and brands some times a day, per listener.
class Population {
 public:
  explicit Population(const PopulationOptions& options) : options_(options), random_(options.seed) {
    EngineOptions engine;
    engine.runtime.clock = &clock_;
    engine.runtime.inline_scheduler = InlineScheduler{};
    engine.cap_policy.substitute = options.substitute;
    engine.relevance.rows = 1 << 10;
    auto catalog = MakeCatalog();
    if (!catalog.ok()) return;
    engine.catalog = *std::move(catalog);
    auto made = Engine::Create(std::move(engine));
    if (made.ok()) engine_ = *std::move(made);
  }
  bool ok() const { return engine_ != nullptr; }

  /// Everybody listens in sessions of half an hour with an ad break every five minutes.
  PopulationResult Run() {
    std::multimap<absl::Duration, std::pair<int, int>> next;  // when: who, breaks left
    for (int i = 0; i < options_.listeners; ++i) next.emplace(Pause(), std::make_pair(i, 6));
    while (!next.empty() && next.begin()->first < options_.length) {
      const auto [when, who] = *next.begin();
      next.erase(next.begin());
      clock_.Advance(when - now_);
      now_ = when;
      AskFor(who.first);
      const bool more = who.second > 1;
      next.emplace(when + (more ? absl::Minutes(5) : Pause()),
                   std::make_pair(who.first, more ? who.second - 1 : 6));
    }
    return result_;
  }

 private:
  static constexpr absl::Duration kDay = absl::Hours(24), kTwoHours = absl::Hours(2);
  static constexpr int kCreativeCap = 1;
  using Log = std::map<std::string, std::deque<absl::Duration>>;

  absl::Duration Pause() { return absl::Hours(1) + absl::Hours(3) * random_.Uniform(); }

  absl::StatusOr<std::unique_ptr<Catalog>> MakeCatalog() const {
    static constexpr const char* kTones[] = {"calm", "upbeat", "serious", "funny"};
    std::vector<Campaign> campaigns;
    std::vector<BrandCaps> brands;
    for (int b = 0; b < options_.brands; ++b) {
      const std::string brand = "brand" + std::to_string(b);
      if (options_.capped)
        brands.push_back({brand, {{CapPer::kListener, options_.brand_a_day, kDay}}});
      for (int c = 0; c < 2; ++c) {
        Campaign campaign;
        campaign.id = brand + "-" + std::to_string(c);
        campaign.advertiser = campaign.brand = brand;
        campaign.budget.daily = Micros{1'000'000 * Micros::kUnit};
        campaign.bid.max_cpm = Micros{(10 - b) * Micros::kUnit + c * Micros::kUnit / 4};
        campaign.adomain = {brand + ".example"};
        if (options_.capped) campaign.caps = {{CapPer::kListener, options_.campaign_a_day, kDay}};
        for (int k = 0; k < options_.creatives; ++k) {
          Creative creative;
          creative.id = campaign.id + "-" + std::to_string(k);
          creative.format = MarkupType::kAudio;
          creative.mimes = {"audio/mpeg"};
          creative.duration_ms = 30'000;
          creative.media_url = "https://cdn.example/" + creative.id + ".mp3";
          creative.tone = kTones[k % 4];
          creative.voice = k % 2 == 0 ? "female" : "male";
          if (options_.capped) creative.caps = {{CapPer::kListener, kCreativeCap, kTwoHours}};
          campaign.creatives.push_back(std::move(creative));
        }
        campaigns.push_back(std::move(campaign));
      }
    }
    return Catalog::Build(std::move(campaigns), std::move(brands));
  }

  void AskFor(int listener) {
    const std::string id = "listener" + std::to_string(listener);
    NewRequest made = MakeRequest();
    Audio audio;
    audio.mimes = made.arena->Copy<Text>({"audio/mpeg"});
    Imp imp;
    imp.id = "1";
    imp.audio = made.arena->New(audio);
    made.request->id = "r";
    made.request->at = 1;
    made.request->user.id = made.arena->Copy(Text(id));
    made.request->imps = made.arena->Copy({imp});
    made.request->consent = ComputeConsent(*made.request);
    ++result_.requests;
    const Decision d = engine_->Decide(made.ptr).value;
    // One impression in twenty is never reported: its place is held until it expires.
    if (d.bids.empty() || random_.Below(20) == 0) return;
    (void)engine_->Record({d.id, 0, OutcomeKind::kImpression});
    engine_->runtime().RunPending();
    Shown(id, *d.bids[0].campaign, *d.bids[0].creative);
  }

  void Shown(const std::string& listener, const Campaign& campaign, const Creative& creative) {
    ++result_.shown;
    std::string& last = last_[listener + campaign.brand];
    result_.same_again += last == creative.id ? 1 : 0;
    last = creative.id;
    result_.over_creative += Over(listener + creative.id, kTwoHours, kCreativeCap);
    result_.over_campaign += Over(listener + campaign.id, kDay, options_.campaign_a_day);
    result_.over_brand += Over(listener + campaign.brand, kDay, options_.brand_a_day);
  }
  /// 1 if this impression makes more than `most` in the window that ends now.
  int Over(const std::string& key, absl::Duration window, int most) {
    std::deque<absl::Duration>& shown = log_[key];
    shown.push_back(now_);
    while (shown.front() <= now_ - window) shown.pop_front();
    return static_cast<int>(shown.size()) > most ? 1 : 0;
  }

  const PopulationOptions options_;
  Random random_;
  testing::VirtualClock clock_;
  std::unique_ptr<Engine> engine_;
  absl::Duration now_ = absl::ZeroDuration();
  PopulationResult result_;
  Log log_;
  std::map<std::string, std::string> last_;
};

}  // namespace adagents::ads
