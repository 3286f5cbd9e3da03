// Listening sessions: what players report decides when an ad may play, and which.
//
// A listener falls asleep to calm music. The same engine decides the same request at several
// moments: mid-song, shortly before the song's end, and between songs, where the advertiser's
// loud variant is held back; then the listener asks to be forgotten. The inline scheduler and a
// clock of its own make the output the same each time.
//
// Output:
//   nothing known       loud at 5.00, now
//   mid-song            no ad: not the moment
//   6 s before the end  calm at 4.00, between_tracks in 6.0 s
//   between songs       calm at 4.00, now
//   why not the loud one?
//     its creative is too fast or loud for a listener who falls asleep
//   forgotten           1 session, loud at 5.00, now
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/testing/virtual_clock.h"

using namespace adagents;

namespace {

ads::Campaign Spot(const char* id, double cpm, const char* pace, const char* tone) {
  ads::Campaign c;
  c.id = c.name = c.advertiser = id;
  c.adomain = {"advertiser.example"};
  c.budget.daily = *Micros::FromUnits(100);
  c.bid.max_cpm = *Micros::FromUnits(cpm);
  ads::Creative ad;
  ad.id = id;
  ad.format = ads::MarkupType::kAudio;
  ad.mimes = {"audio/mpeg"};
  ad.duration_ms = 30'000;
  ad.media_url = "https://cdn.example/ad.mp3";
  ad.click_through = "https://advertiser.example/";
  ad.pace = pace;
  ad.tone = tone;
  c.creatives.push_back(std::move(ad));
  return c;
}

/// A request for a pre-roll, of a first-price auction.
ads::RequestPtr Request(std::string_view listener) {
  ads::NewRequest made = ads::MakeRequest();
  ads::Audio audio;
  audio.mimes = made.arena->Copy<ads::Text>({"audio/mpeg"});
  audio.startdelay = 0;
  ads::Imp imp;
  imp.id = "1";
  imp.audio = made.arena->New(audio);
  made.request->imps = made.arena->Copy({imp});
  made.request->id = "r";
  made.request->at = 1;
  made.request->user.id = listener;
  return std::move(made.ptr);
}

std::string Decide(ads::Engine& engine) {
  const ads::Decision d = engine.Decide(Request("ann")).value;
  if (d.bids.empty()) return "no ad: " + std::string(ads::NbrText(d.nbr));
  const ads::Bid& bid = d.bids[0];
  char text[100];
  std::snprintf(text, sizeof(text), "%s at %.2f, %s", bid.creative->id.c_str(), bid.price.units(),
                std::string(ads::Name(bid.when)).c_str());
  std::string words = text;
  if (bid.in_ms > 0) {
    std::snprintf(text, sizeof(text), " in %.1f s", bid.in_ms / 1000.0);
    words += text;
  }
  return words;
}

}  // namespace

int main() {
  testing::VirtualClock clock;
  ads::EngineOptions options;
  options.runtime.inline_scheduler = InlineScheduler{};
  options.runtime.clock = &clock;
  options.listener.emplace();
  options.listener->timing.longest_wait = absl::Seconds(10);  // of this host's player
  options.listener->creative.explore = 0;  // what is believed most, so that prices repeat
  std::vector<ads::Campaign> campaigns;
  campaigns.push_back(Spot("loud", 5, "fast", "urgent"));
  campaigns.push_back(Spot("calm", 4, "slow", "calm"));
  auto catalog = ads::Catalog::Build(std::move(campaigns));
  if (!catalog.ok()) return 1;
  options.catalog = *std::move(catalog);
  auto engine = ads::Engine::Create(std::move(options));
  if (!engine.ok()) return 1;

  std::printf("nothing known       %s\n", Decide(**engine).c_str());
  ads::PlaybackEvent event;
  event.session = event.listener = "ann";
  event.kind = ads::PlaybackKind::kStart;
  event.at = clock.WallNow();
  event.genre = "ambient";
  event.mood = "sleep";
  event.energy = 0.1f;
  event.duration_ms = 180'000;
  if (!(*engine)->Play(event).ok()) return 1;
  clock.Advance(absl::Seconds(60));
  std::printf("mid-song            %s\n", Decide(**engine).c_str());
  clock.Advance(absl::Seconds(114));
  std::printf("6 s before the end  %s\n", Decide(**engine).c_str());
  clock.Advance(absl::Seconds(6));
  std::printf("between songs       %s\n", Decide(**engine).c_str());

  const std::string why = (*engine)->WhyNot(Request("ann"), "loud");
  const size_t from = why.find("its creative is"), to = why.find(" (loss", from);
  std::printf("why not the loud one?\n  %s\n", why.substr(from, to - from).c_str());
  const auto erased = (*engine)->Erase("ann");
  if (!erased.ok()) return 1;
  std::printf("forgotten           %zu session, %s\n", erased->sessions, Decide(**engine).c_str());
}
