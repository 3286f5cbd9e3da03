#include "adagents/ads/agents/user_profile.h"

#include <algorithm>
#include <limits>

#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

constexpr int64_t kHalfLifeMs = 30 * 60'000;
// The histograms are decayed in steps of a 32nd of the half-life, for smaller ones would be lost in
// rounding.
constexpr int64_t kSteps = 32, kStepMs = kHalfLifeMs / kSteps;
constexpr int kTrack = 256, kSaved = 256, kSearched = 384, kSkipped = -192;

constexpr int32_t kMostSeconds = 24 * 3600;

template <size_t kN>
void Decay(std::array<uint16_t, kN>* weights, float left) {
  for (uint16_t& w : *weights) w = static_cast<uint16_t>(static_cast<float>(w) * left);
}
void Add(uint16_t* weight, int amount) {
  *weight = static_cast<uint16_t>(
      std::clamp(*weight + amount, 0, int{std::numeric_limits<uint16_t>::max()}));
}

}  // namespace

void ApplyToProfile(const ListenEvent& e, SessionState* s) {
  if (s->decayed_ms == 0) s->decayed_ms = e.at_ms;
  const int64_t steps = (e.at_ms - s->decayed_ms) / kStepMs;
  if (steps > 0) {
    const float left = LeftOf(steps * kStepMs, kHalfLifeMs);
    Decay(&s->genres, left);
    Decay(&s->moods, left);
    s->decayed_ms += steps * kStepMs;
  }
  int amount = 0;
  if (e.kind == PlaybackKind::kStart) amount = kTrack;
  if (e.kind == PlaybackKind::kSave) amount = kSaved;
  if (e.kind == PlaybackKind::kSearch) amount = kSearched;
  if (e.kind == PlaybackKind::kSkip) amount = kSkipped;
  if (amount == 0) return;
  // A search is about what it is for; the rest is about what plays unless it says otherwise.
  const bool search = e.kind == PlaybackKind::kSearch;
  const uint8_t genre = e.genre != 0 || search ? e.genre : s->genre;
  const Mood mood = e.mood != Mood::kUnknown || search ? e.mood : s->mood;
  if (genre != 0) Add(&s->genres[genre % kGenreCount], amount);
  if (mood != Mood::kUnknown) Add(&s->moods[static_cast<size_t>(mood) % kMoodCount], amount);
}

Listener ListenerOf(const Request& request, int64_t now_ms) {
  Listener out;
  out.known = true;
  out.now_ms = now_ms;
  SessionState& s = out.state;
  const Content& content = request.channel.content;
  s.began_ms = s.last_ms = s.counted_ms = now_ms;
  s.content = content.series.empty() ? ContentKind::kMusic : ContentKind::kPodcast;
  s.genre = GenreBinOf(content.genre);
  s.devicetype = static_cast<uint8_t>(std::clamp(request.device.devicetype.value_or(0), 0, 255));
  s.utcoffset = static_cast<int16_t>(request.device.geo.utcoffset.value_or(0));
  s.attended = 1;
  StartIntents(now_ms, &s);
  if (request.imps.empty()) return out;
  const Imp& imp = request.imps[0];
  const Media* media = imp.media();
  const int32_t startdelay = media == nullptr ? 0 : media->startdelay.value_or(0);
  if (startdelay > 0) {
    s.play = PlayState::kPlaying;
    s.content_began_ms = now_ms - startdelay * int64_t{1000};
    s.duration_ms = std::clamp(content.len.value_or(0), 0, kMostSeconds) * 1000;
  }
  return out;
}

absl::Status ProfileKeeper::Run(Context& ctx) {
  const ListenEvent& event = ctx[event_];
  (void)sessions_->Update(event.session, [&](SessionState& s) { ApplyToProfile(event, &s); });
  return absl::OkStatus();
}

absl::Status UserProfile::Run(Context& ctx) {
  Listener& out = ctx[listener_];
  out.missing = false;
  if (!sessions_->Find(ctx[request_], &out)) {
    if (contextual_) out = ListenerOf(ctx[request_], absl::ToUnixMillis(ctx.clock().WallNow()));
    return absl::OkStatus();
  }
  (void)moments_->listeners().Find(WhoOf(out), &ctx[remembered_]);
  if (ctx.explaining()) {
    ctx.Because({&reasons::kListening, 0, static_cast<double>(out.state.plays),
                 static_cast<double>(out.now_ms - out.state.began_ms) / 60'000.0});
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
