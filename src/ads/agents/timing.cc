#include "adagents/ads/agents/timing.h"

#include <algorithm>
#include <limits>

#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

// What a pre-roll's request may be late by, and still come before what it precedes.
constexpr int64_t kJustBegunMs = 2'000;
constexpr int32_t kGenericMidRoll = -1, kPostRoll = -2;  // OpenRTB's startdelay

int32_t ToInt(int64_t ms) {
  return static_cast<int32_t>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int32_t>::max()));
}
float Seconds(int64_t ms) { return static_cast<float>(ms) / 1000.0f; }

Timing NotNow(const ReasonCode& why, float score = 0, float threshold = 0) {
  return {Insertion::kNotNow, 0, &why, score, threshold};
}
Timing AfterTrack(int64_t remaining_ms) {
  return {Insertion::kBetweenTracks, ToInt(remaining_ms), &reasons::kBetweenTracks,
          Seconds(std::max<int64_t>(remaining_ms, 0)), 0};
}

/// While a track or an episode plays.
Timing WhilePlaying(const PlayPosition& at, int32_t startdelay, const TimingOptions& options) {
  const int64_t wait = absl::ToInt64Milliseconds(options.longest_wait);
  if (startdelay == kPostRoll) return AfterTrack(at.remaining_ms);
  const bool mid_roll = startdelay > 0 || startdelay == kGenericMidRoll;
  if (!mid_roll && at.position_ms <= kJustBegunMs) return {};
  if (mid_roll && at.content == ContentKind::kPodcast) {
    const int64_t in = startdelay > 0 ? startdelay * int64_t{1000} - at.position_ms : 0;
    return {Insertion::kAtTransition, ToInt(in), &reasons::kAtTransition, Seconds(ToInt(in)), 0};
  }
  if (at.remaining_ms < 0) return NotNow(reasons::kMidTrackOfUnknown);
  if (at.remaining_ms <= wait) return AfterTrack(at.remaining_ms);
  return NotNow(reasons::kMidTrack, Seconds(at.remaining_ms), Seconds(wait));
}

}  // namespace

Timing WhenFor(const Imp& imp, const Listener& listener, const Intents& intents,
               const TimingOptions& options) {
  const Media* media = imp.media();
  if (!listener.known || media == nullptr || imp.rwdd) return {};
  const SessionState& s = listener.state;
  const int64_t gap = absl::ToInt64Milliseconds(options.least_gap);
  const int64_t since_ad = listener.now_ms - s.ad_ms;
  if (s.ad_ms != 0 && since_ad < gap) {
    return NotNow(reasons::kTooSoon, Seconds(since_ad), Seconds(gap));
  }
  const int64_t untouched = listener.now_ms - (s.touched_ms != 0 ? s.touched_ms : s.began_ms);
  if (intents.known && intents.Of(Intent::kBedtime) >= options.bedtime &&
      untouched >= absl::ToInt64Milliseconds(options.asleep_after)) {
    return NotNow(reasons::kAsleep, Seconds(untouched) / 60);
  }
  const PlayPosition at = PositionOf(s, listener.now_ms);
  if (at.state == PlayState::kPaused) return NotNow(reasons::kListenerPaused);
  if (at.state != PlayState::kPlaying) return {};
  return WhilePlaying(at, media->startdelay.value_or(0), options);
}

absl::Status TimingAgent::Run(Context& ctx) {
  const Listener& listener = ctx[listener_];
  if (!listener.known) return absl::OkStatus();
  const Request& request = ctx[request_];
  Timings& out = ctx[timings_];
  for (size_t i = 0; i < request.imps.size(); ++i) {
    const Timing timing = WhenFor(request.imps[i], listener, ctx[intents_], options_);
    out.imps.push_back(timing);
    if (timing.why != nullptr && ctx.explaining()) {
      ctx.Because({timing.why, i, static_cast<double>(timing.score),
                   static_cast<double>(timing.threshold)});
    }
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
