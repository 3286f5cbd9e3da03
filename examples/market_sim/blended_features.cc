#include "blended_features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "adagents/ads/targeting.h"
#include "adagents/base/ids.h"

namespace market_sim {
namespace {

using adagents::CombineHash;
using adagents::StableHash64;

constexpr absl::Duration kForgetsHalf = absl::Hours(24);

enum Field : uint32_t {
  kHour,
  kWeekend,
  kDevice,
  kOs,
  kRegion,
  kSlot,
  kGenre,
  kPodcast,
  kLength,
  kVideoOffered,
  kUser,
  kNetwork,
  kAuctionType,
  kKnown,
  kMood,
  kEnergy,
  kSkipShare,
  kSkipRun,
  kSaves,
  kSearches,
  kPauses,
  kVolume,
  kScreen,
  kItems,
  kSinceTouch,
  kAds,
  kSinceAd,
  // Of creatives.
  kCampaign,
  kCreative,
  kBrandCategory,
  kTone,
  kPace,
  kVoice,
  kCall,
  kFormat,
  kSeconds,
  kTonePace,
  // Of both.
  kHeardBrand,
  kHeardCreative,
  kCallScreen,
  kFormatScreen,
  kTonePaceEnergy,
  kTonePaceDaypart,
  kCategoryGenre,
  kCategoryUser,
  kVoicePodcast,
};

template <size_t N>
uint64_t Bucket(double x, const std::array<double, N>& bounds) {
  return static_cast<uint64_t>(std::upper_bound(bounds.begin(), bounds.end(), x) - bounds.begin());
}

constexpr std::array<double, 6> kCounts = {0.5, 1.5, 2.5, 4.5, 8.5, 16.5};
constexpr std::array<double, 6> kTimes = {0.1, 0.5, 1.2, 2.2, 3.5, 6};
constexpr std::array<double, 5> kFifths = {0.15, 0.3, 0.45, 0.6, 0.8};
constexpr std::array<double, 6> kMinutes = {1, 3, 6, 12, 25, 60};

std::string_view SessionName(const ads::Request& request) {
  return request.user.eids.empty() || request.user.eids[0].uids.empty()
             ? std::string_view()
             : request.user.eids[0].uids[0].id;
}

}  // namespace

void FeatureMaker::Add(uint32_t field, uint64_t value, Places* out) const {
  out->push_back(static_cast<uint32_t>(CombineHash(field, value)) & mask_);
}

void FeatureMaker::Play(const ads::PlaybackEvent& e) {
  using Kind = ads::PlaybackKind;
  if (!e.consent.may_identify || !e.consent.may_profile) return;
  if (e.kind == Kind::kSessionEnd) {
    sessions_.erase(std::string(e.session));
    return;
  }
  Session& s = sessions_[std::string(e.session)];
  if (e.kind == Kind::kSessionStart) s.started = e.at;
  if (e.kind != Kind::kStart && e.kind != Kind::kEnd) s.touched = e.at;
  if (e.volume >= 0) s.volume = e.volume;
  if (e.screen >= 0) s.screen = e.screen;
  s.saves += e.kind == Kind::kSave ? 1 : 0;
  s.searches += e.kind == Kind::kSearch ? 1 : 0;
  s.pauses += e.kind == Kind::kPause ? 1 : 0;
  if (e.kind == Kind::kStart) {
    ++s.items;
    s.mood = e.mood;
  } else if (e.kind == Kind::kSkip) {
    ++s.skips;
    ++s.skips_in_a_row;
  } else if (e.kind == Kind::kEnd) {
    s.skips_in_a_row = 0;
  }
  // What is heard to its end tells more of what is wanted than what is skipped.
  if (e.energy >= 0 && e.kind == Kind::kEnd) s.energy += 0.5 * (e.energy - s.energy);
}

std::string_view FeatureMaker::WhoOf(const ads::Request& request) {
  return request.user.id.empty() ? SessionName(request) : request.user.id;
}

const FeatureMaker::Session* FeatureMaker::SessionOf(const ads::Request& request) const {
  const auto found = sessions_.find(std::string(SessionName(request)));
  return found == sessions_.end() ? nullptr : &found->second;
}

double FeatureMaker::Times(const Memories& of, uint64_t key, absl::Time now) {
  const auto found = of.find(key);
  if (found == of.end()) return 0;
  return found->second.times * std::exp2(-absl::FDivDuration(now - found->second.at, kForgetsHalf));
}

void FeatureMaker::Heard(const ads::Request& request, uint64_t brand, uint64_t creative,
                         absl::Time at) {
  if (!request.consent.may_identify) return;
  Memories& memories = listeners_[std::string(WhoOf(request))];
  for (const uint64_t key : {brand, creative}) {
    Memory& m = memories[key];
    m.times = 1 + (m.times > 0 ? Times(memories, key, at) : 0);
    m.at = at;
  }
  const auto session = sessions_.find(std::string(SessionName(request)));
  if (session == sessions_.end()) return;
  ++session->second.ads;
  session->second.last_ad = at;
}

void FeatureMaker::Context(const ads::Request& r, absl::Time now, Places* out) {
  out->clear();
  const bool known = r.consent.may_identify;
  const auto& geo = r.device.geo;
  const int hour = ads::TargetingFacts::HourOfWeek(r, now);
  const auto& content = r.channel.content;
  moment_ = Moment();
  moment_.genre = StableHash64(content.genre);
  moment_.daypart = static_cast<uint64_t>(hour % 24 / 3);
  Add(kHour, static_cast<uint64_t>(hour % 24), out);
  Add(kWeekend, hour >= 120 ? 1 : 0, out);
  Add(kDevice, static_cast<uint64_t>(r.device.devicetype.value_or(0)), out);
  Add(kOs, StableHash64(r.device.os), out);
  Add(kRegion, CombineHash(StableHash64(geo.country), StableHash64(geo.region)), out);
  Add(kSlot, StableHash64(r.imps[0].tagid), out);
  Add(kGenre, moment_.genre, out);
  Add(kPodcast, content.series.empty() ? 0 : 1, out);
  Add(kLength, static_cast<uint64_t>(content.len.value_or(0) / 60), out);
  Add(kVideoOffered, r.imps[0].video != nullptr ? 1 : 0, out);
  Add(kAuctionType, static_cast<uint64_t>(r.at), out);
  const std::string_view ip = r.device.ip;
  Add(kNetwork, StableHash64(ip.substr(0, ip.rfind('.'))), out);
  moment_.screen = r.imps[0].video != nullptr ? 1 : 0;
  if (known) {
    moment_.who = StableHash64(WhoOf(r));
    Add(kUser, moment_.who, out);
    const auto heard = listeners_.find(std::string(WhoOf(r)));
    moment_.heard = heard == listeners_.end() ? nullptr : &heard->second;
  }
  const Session* s = known ? SessionOf(r) : nullptr;
  Add(kKnown, s != nullptr ? 1 : 0, out);
  if (s == nullptr) return;
  const double items = std::max(1, s->items);
  moment_.energy = 1 + Bucket(s->energy, kFifths);
  if (s->screen >= 0) moment_.screen = static_cast<uint64_t>(s->screen);
  Add(kMood, StableHash64(s->mood), out);
  Add(kEnergy, moment_.energy, out);
  Add(kSkipShare, Bucket(s->skips / items, kFifths), out);
  Add(kSkipRun, Bucket(s->skips_in_a_row, kCounts), out);
  Add(kSaves, Bucket(s->saves, kCounts), out);
  Add(kSearches, Bucket(s->searches, kCounts), out);
  Add(kPauses, Bucket(s->pauses, kCounts), out);
  Add(kVolume, Bucket(s->volume, kFifths), out);
  Add(kScreen, static_cast<uint64_t>(s->screen + 1), out);
  Add(kItems, Bucket(s->items, kCounts), out);
  Add(kSinceTouch, Bucket(absl::ToDoubleMinutes(now - s->touched), kMinutes), out);
  Add(kAds, Bucket(s->ads, kCounts), out);
  Add(kSinceAd, Bucket(absl::ToDoubleMinutes(now - s->last_ad), kMinutes), out);
}

void FeatureMaker::Ad(const ads::Request& r, const ads::Campaign& campaign, const ads::Creative& c,
                      const ads::CreativeFacts& facts, absl::Time now, Places* out) {
  out->clear();
  const uint64_t category = campaign.cat.empty() ? 0 : StableHash64(campaign.cat[0]);
  const uint64_t tone = StableHash64(c.tone), pace = StableHash64(c.pace);
  const uint64_t call = StableHash64(c.call_to_action);
  const uint64_t voice = StableHash64(c.voice);
  const uint64_t tone_pace = CombineHash(tone, pace);
  const auto format = static_cast<uint64_t>(c.format);
  Add(kCampaign, campaign.key, out);
  Add(kCreative, facts.key, out);
  Add(kBrandCategory, category, out);
  Add(kTone, tone, out);
  Add(kPace, pace, out);
  Add(kVoice, voice, out);
  Add(kCall, call, out);
  Add(kFormat, format, out);
  Add(kSeconds, static_cast<uint64_t>(c.duration_ms / 5000), out);
  Add(kTonePace, tone_pace, out);
  const Memories none;
  const Memories& heard = moment_.heard != nullptr ? *moment_.heard : none;
  Add(kHeardBrand, Bucket(Times(heard, facts.brand, now), kTimes), out);
  Add(kHeardCreative, Bucket(Times(heard, facts.key, now), kTimes), out);
  Add(kCallScreen, CombineHash(call, moment_.screen), out);
  Add(kFormatScreen, CombineHash(format, moment_.screen), out);
  Add(kTonePaceEnergy, CombineHash(tone_pace, moment_.energy), out);
  Add(kTonePaceDaypart, CombineHash(tone_pace, moment_.daypart), out);
  Add(kCategoryGenre, CombineHash(category, moment_.genre), out);
  if (moment_.who != 0) Add(kCategoryUser, CombineHash(category, moment_.who), out);
  Add(kVoicePodcast, CombineHash(voice, r.channel.content.series.empty() ? 0 : 1), out);
}

}  // namespace market_sim
