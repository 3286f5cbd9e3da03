// Small campaigns, requests and engines for tests of the ad team.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/testing/noon_clock.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads::test {

inline Micros Units(double units) { return *Micros::FromUnits(units); }

inline Creative AudioAd(std::string id, int32_t seconds = 30) {
  Creative c;
  c.id = std::move(id);
  c.format = MarkupType::kAudio;
  c.mimes = {"audio/mpeg"};
  c.duration_ms = seconds * 1000;
  c.media_url = "https://cdn.example/" + c.id + ".mp3";
  c.click_through = "https://example.com/" + c.id;
  return c;
}

/// Pays `cpm` for any audio imp.
inline Campaign AudioCampaign(const std::string& id, double cpm, int32_t seconds = 30) {
  Campaign c;
  c.id = id;
  c.name = "Campaign " + id;
  c.advertiser = id;
  c.budget.daily = Units(100);
  c.bid.max_cpm = Units(cpm);
  c.adomain = {id + ".example"};
  c.cat = {"IAB3"};
  c.creatives.push_back(AudioAd(id + "-1", seconds));
  return c;
}

inline std::unique_ptr<const Catalog> MakeCatalog(std::vector<Campaign> campaigns) {
  auto catalog = Catalog::Build(std::move(campaigns));
  INFO(catalog.status().ToString());
  REQUIRE(catalog.ok());
  return *std::move(catalog);
}

/// A request for one audio ad; fill `request` in further before it is decided.
struct TestRequest {
  NewRequest made = MakeRequest();
  Request& request = *made.request;
  Imp imp;
  Audio audio;

  TestRequest() {
    imp.id = "1";
    audio.mimes = made.arena->Copy<Text>({"audio/mpeg"});
    request.id = "r";
    request.at = 1;
    request.channel.kind = ChannelKind::kApp;
    request.channel.bundle = "fm.radio";
  }
  template <class T>
  List<T> List_(std::initializer_list<T> items) {
    return made.arena->Copy(items);
  }
  RequestPtr Done() {
    imp.audio = made.arena->New(audio);
    request.imps = made.arena->Copy({imp});
    request.consent = ComputeConsent(request);
    return made.ptr;
  }
};

/// Without threads, on a clock that stands still: every decision is the same each time.
struct TestEngine {
  std::unique_ptr<testing::VirtualClock> clock = std::make_unique<testing::VirtualClock>();
  std::unique_ptr<Engine> engine;

  /// `prepare` has the last word on the options, which have the clock then.
  explicit TestEngine(std::vector<Campaign> campaigns, EngineOptions options = {},
                      const std::function<void(EngineOptions*)>& prepare = {}) {
    options.catalog = MakeCatalog(std::move(campaigns));
    options.relevance.rows = 64;
    options.outcomes.capacity = 1024;
    options.runtime.clock = clock.get();
    options.runtime.inline_scheduler = InlineScheduler{};
    if (prepare) prepare(&options);
    auto made = Engine::Create(std::move(options));
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    engine = *std::move(made);
  }
  Engine* operator->() const { return engine.get(); }
  Decision Decide(const RequestPtr& request) const { return engine->Decide(request).value; }
};

/// The clock of threaded engines.
inline const Clock& Noon() {
  static const testing::NoonClock clock;
  return clock;
}

/// With threads, on the noon of one day: what moments do to rates depends on the hour.
inline std::unique_ptr<Engine> ThreadedEngine(std::vector<Campaign> campaigns,
                                              EngineOptions options = {}) {
  options.catalog = MakeCatalog(std::move(campaigns));
  options.relevance.rows = 64;
  options.outcomes.capacity = 1024;
  options.runtime.workers = 2;
  options.runtime.clock = &Noon();
  auto made = Engine::Create(std::move(options));
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  return *std::move(made);
}

/// The campaign of the only bid, or why there is none.
inline std::string Winner(const Decision& d) {
  if (d.bids.empty()) return "no bid: " + std::string(NbrText(d.nbr));
  return d.bids[0].campaign->id;
}

}  // namespace adagents::ads::test
