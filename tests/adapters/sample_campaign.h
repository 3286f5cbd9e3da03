// One campaign with a creative of each kind, for tests of what is written.
#pragma once

#include "adagents/ads/campaign.h"

namespace adagents::test {

inline ads::Campaign SampleCampaign() {
  ads::Campaign c;
  c.id = "acme-spring";
  c.advertiser = "Acme";
  c.adomain = {"acme.example"};
  c.cat = {"IAB8-5"};
  ads::Creative audio;
  audio.id = "a1";
  audio.title = "Fresh & warm";
  audio.format = ads::MarkupType::kAudio;
  audio.mimes = {"audio/mpeg"};
  audio.duration_ms = 30'000;
  audio.bitrate_kbps = 128;
  audio.media_url = "https://cdn.example.com/a1.mp3";
  audio.click_through = "https://acme.example/?from=a1&x=1";
  audio.attr = {1, 6};
  audio.language = "en";
  audio.companions = {{.w = 300,
                       .h = 250,
                       .mime = "image/png",
                       .media_url = "https://cdn.example.com/a1.png",
                       .click_through = "https://acme.example/"}};
  ads::Creative video = audio;
  video.id = "v1";
  video.format = ads::MarkupType::kVideo;
  video.mimes = {"video/mp4"};
  video.media_url = "https://cdn.example.com/v1.mp4";
  video.w = 1280;
  video.h = 720;
  video.duration_ms = 15'500;
  ads::Creative banner;
  banner.id = "b1";
  banner.title = "Fresh \"bread\"";
  banner.format = ads::MarkupType::kBanner;
  banner.w = 300;
  banner.h = 250;
  banner.media_url = "https://cdn.example.com/b1.png";
  banner.click_through = "https://acme.example/?a=1&b=2";
  ads::Creative native = banner;
  native.id = "n1";
  native.title = "Bread, fresh and warm, at your door every morning";
  native.body = "Say \"yes\" to \\ breakfast";
  native.format = ads::MarkupType::kNative;
  native.call_to_action = "Order";
  c.creatives = {audio, video, banner, native};
  return c;
}

}  // namespace adagents::test
