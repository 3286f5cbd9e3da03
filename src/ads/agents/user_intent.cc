#include "adagents/ads/agents/user_intent.h"

#include <algorithm>
#include <cmath>

#include "adagents/ads/reasons.h"
#include "adagents/ads/targeting.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

using Weights = std::array<float, kIntentCount>;

// In the order of Intent: focus, workout, commute, party, relax, bedtime, lean_in, background.
// How common they are.
constexpr Weights kCommon = {.15f, .08f, .15f, .07f, .15f, .05f, .10f, .25f};

// How likely such an event is, compared with what is usual.
constexpr Weights kSkip = {.6f, 1.2f, 1.1f, 1.2f, .7f, .2f, 1.8f, .5f};
constexpr Weights kSave = {.7f, .8f, .8f, .8f, .9f, .2f, 3.0f, .4f};
constexpr Weights kSearch = {.6f, .7f, .8f, 1.2f, .8f, .2f, 3.0f, .4f};
constexpr Weights kEnd = {1.15f, 1.0f, 1.0f, .95f, 1.1f, 1.1f, .8f, 1.2f};
constexpr Weights kPause = {1.0f, .9f, 1.2f, .6f, 1.0f, .8f, 1.1f, 1.0f};
constexpr Weights kLowEnergy = {1.4f, .2f, .8f, .2f, 1.7f, 2.5f, .9f, 1.0f};
constexpr Weights kHighEnergy = {.6f, 2.5f, 1.1f, 2.5f, .5f, .1f, 1.0f, 1.0f};
constexpr Weights kCalmMood = {1.4f, .3f, .9f, .3f, 1.6f, 2.2f, .9f, 1.1f};
constexpr Weights kFocusedMood = {3.0f, .4f, .7f, .2f, 1.1f, .6f, .8f, 1.0f};
constexpr Weights kHappyMood = {.8f, 1.3f, 1.2f, 1.6f, 1.0f, .3f, 1.1f, 1.1f};
constexpr Weights kEnergeticMood = {.5f, 2.5f, 1.1f, 2.0f, .4f, .1f, 1.0f, .9f};
constexpr Weights kSleepyMood = {.3f, .05f, .2f, .05f, 1.2f, 10.0f, .3f, .7f};
constexpr Weights kEpisode = {.7f, 1.0f, 1.8f, .1f, 1.1f, 1.2f, 1.2f, .9f};

// How likely what holds now is.
constexpr Weights kNight = {.5f, .2f, .2f, 1.0f, .9f, 10.0f, .8f, .7f};
constexpr Weights kDawn = {.6f, 1.5f, 1.5f, .2f, .6f, 3.0f, .7f, .8f};
constexpr Weights kMorning = {.9f, 1.4f, 3.0f, .1f, .6f, .4f, .9f, 1.0f};
constexpr Weights kDay = {2.0f, .9f, .7f, .3f, .8f, .2f, 1.0f, 1.3f};
constexpr Weights kWayHome = {.9f, 1.5f, 2.2f, .7f, 1.0f, .2f, 1.0f, 1.0f};
constexpr Weights kEvening = {.7f, .7f, .6f, 1.6f, 1.8f, 2.0f, 1.1f, 1.0f};
constexpr Weights kLate = {.6f, .3f, .4f, 1.5f, 1.4f, 7.0f, 1.0f, .7f};
constexpr Weights kOnTheGo = {1.0f, 1.3f, 1.3f, .8f, .9f, 1.0f, 1.1f, .8f};
constexpr Weights kComputer = {2.2f, .2f, .1f, .6f, .9f, .3f, 1.3f, 1.2f};
constexpr Weights kSpeaker = {.9f, .5f, .3f, 1.6f, 1.3f, 1.2f, .7f, 1.5f};
constexpr Weights kTelevision = {.6f, .4f, .05f, 1.6f, 1.3f, .5f, 1.0f, 1.4f};
constexpr Weights kTurnedLow = {1.2f, .4f, .7f, .2f, 1.3f, 2.0f, .8f, 1.3f};
constexpr Weights kTurnedHigh = {.6f, 2.0f, 1.2f, 2.5f, .6f, .1f, 1.1f, .7f};
constexpr Weights kScreenOn = {.8f, .8f, .7f, .9f, .9f, .4f, 2.2f, .6f};
constexpr Weights kScreenOff = {1.1f, 1.1f, 1.2f, 1.1f, 1.1f, 1.4f, .4f, 1.2f};
constexpr Weights kUntouched = {1.3f, .6f, .8f, .7f, 1.2f, 2.0f, .2f, 1.8f};

constexpr int64_t kHalfLifeMs = 20 * 60'000, kUntouchedMs = 15 * 60'000;
// So that no run of events makes an intent impossible.
constexpr float kLeast = 0.0003f;
constexpr float kLow = 0.35f, kHigh = 0.65f;  // energy
constexpr float kQuiet = 0.3f, kLoud = 0.7f;  // volume
constexpr float kScale = 65535.0f;

void Multiply(const Weights& by, Weights* p) {
  for (size_t i = 0; i < kIntentCount; ++i) (*p)[i] *= by[i];
}
void Normalise(Weights* p) {
  float sum = 0;
  for (float& x : *p) sum += x;
  float again = 0;
  for (float& x : *p) again += x = std::max(x / sum, kLeast);
  for (float& x : *p) x /= again;
}

const Weights* OfMood(Mood mood) {
  switch (mood) {
    case Mood::kCalm:
      return &kCalmMood;
    case Mood::kFocused:
      return &kFocusedMood;
    case Mood::kHappy:
      return &kHappyMood;
    case Mood::kEnergetic:
      return &kEnergeticMood;
    case Mood::kSleepy:
      return &kSleepyMood;
    default:
      return nullptr;
  }
}

const Weights& OfHour(int hour) {
  if (hour < 5) return kNight;
  if (hour < 7) return kDawn;
  if (hour < 10) return kMorning;
  if (hour < 16) return kDay;
  if (hour < 20) return kWayHome;
  return hour < 22 ? kEvening : kLate;
}

/// By AdCOM's list of device types.
const Weights* OfDevice(uint8_t type) {
  constexpr uint8_t kMobile = 1, kPc = 2, kCtv = 3, kPhone = 4, kTablet = 5, kConnected = 6;
  switch (type) {
    case kMobile:
    case kPhone:
    case kTablet:
      return &kOnTheGo;
    case kPc:
      return &kComputer;
    case kCtv:
      return &kTelevision;
    case kConnected:
      return &kSpeaker;
    default:
      return nullptr;
  }
}

void Observe(const ListenEvent& e, Weights* p) {
  switch (e.kind) {
    case PlaybackKind::kStart:
      if (e.content == ContentKind::kPodcast) Multiply(kEpisode, p);
      if (e.energy != kNoByte && FromByte(e.energy) < kLow) Multiply(kLowEnergy, p);
      if (e.energy != kNoByte && FromByte(e.energy) > kHigh) Multiply(kHighEnergy, p);
      if (const Weights* mood = OfMood(e.mood); mood != nullptr) Multiply(*mood, p);
      break;
    case PlaybackKind::kEnd:
      Multiply(kEnd, p);
      break;
    case PlaybackKind::kSkip:
      Multiply(kSkip, p);
      break;
    case PlaybackKind::kPause:
      Multiply(kPause, p);
      break;
    case PlaybackKind::kSave:
      Multiply(kSave, p);
      break;
    case PlaybackKind::kSearch:
      Multiply(kSearch, p);
      break;
    default:
      break;
  }
}

using Kept = std::array<uint16_t, kIntentCount>;

/// What was believed at `then_ms`, as far as it still holds at `now_ms`.
Weights Left(const Kept& believed, int64_t then_ms, int64_t now_ms) {
  Weights p;
  const float left = LeftOf(now_ms - then_ms, kHalfLifeMs);
  for (size_t i = 0; i < kIntentCount; ++i) {
    p[i] = left * static_cast<float>(believed[i]) / kScale + (1 - left) * kCommon[i];
  }
  return p;
}

Weights Believed(const SessionState& s, int64_t now_ms) {
  return s.intents_ms == 0 ? kCommon : Left(s.intents, s.intents_ms, now_ms);
}

Kept ToKept(const Weights& p) {
  Kept kept;
  for (size_t i = 0; i < kIntentCount; ++i) kept[i] = static_cast<uint16_t>(p[i] * kScale + 0.5f);
  return kept;
}

void Keep(const Weights& p, int64_t now_ms, SessionState* s) {
  s->intents = ToKept(p);
  s->intents_ms = std::max(s->intents_ms, now_ms);
}

}  // namespace

int HourAt(int64_t unix_ms, int utcoffset) {
  const int64_t hours = (unix_ms / 60'000 + utcoffset) / 60;
  return static_cast<int>((hours % 24 + 24) % 24);
}

void ApplyToIntents(const ListenEvent& e, SessionState* s) {
  Weights p = Believed(*s, e.at_ms);
  Observe(e, &p);
  Normalise(&p);
  Keep(p, e.at_ms, s);
  s->foreseen = {};  // of the event before
}

void StartIntents(int64_t now_ms, SessionState* s) { Keep(kCommon, now_ms, s); }

void AddHindsight(std::span<const ListenEvent> events, std::span<Intents> intents) {
  Weights later;  // how likely all that comes after an event is, if it is about this then
  later.fill(1);
  for (size_t i = events.size(); i-- > 0;) {
    if (intents[i].known) {
      Multiply(later, &intents[i].p);
      Normalise(&intents[i].p);
    }
    if (i == 0) break;
    Observe(events[i], &later);
    float common = 0;
    for (size_t k = 0; k < kIntentCount; ++k) common += kCommon[k] * later[k];
    const float left = LeftOf(events[i].at_ms - events[i - 1].at_ms, kHalfLifeMs);
    for (float& x : later) x = left * x + (1 - left) * common;
    Normalise(&later);
  }
}

void SetForeseen(const Intents& intents, SessionState* state) {
  state->foreseen = intents.known ? ToKept(intents.p) : Kept{};
}

Intents IntentsOf(const SessionState& s, int64_t now_ms, int hour) {
  Intents out;
  if (s.intents_ms == 0) return out;
  out.known = true;
  out.p = Believed(s, now_ms);
  Multiply(OfHour(hour), &out.p);
  if (const Weights* device = OfDevice(s.devicetype); device != nullptr) Multiply(*device, &out.p);
  if (s.volume != kNoByte && FromByte(s.volume) < kQuiet) Multiply(kTurnedLow, &out.p);
  if (s.volume != kNoByte && FromByte(s.volume) > kLoud) Multiply(kTurnedHigh, &out.p);
  if (s.screen >= 0) Multiply(s.screen == 1 ? kScreenOn : kScreenOff, &out.p);
  const int64_t touched = s.touched_ms != 0 ? s.touched_ms : s.began_ms;
  if (now_ms - touched > kUntouchedMs) Multiply(kUntouched, &out.p);
  Normalise(&out.p);
  if (s.foreseen == Kept{}) return out;
  // Both are believed as much (Stone, "The opinion pool", 1961): where either is sure that somebody
  // falls asleep, it is likely.
  const Weights foreseen = Left(s.foreseen, s.last_ms, now_ms);
  for (size_t i = 0; i < kIntentCount; ++i) out.p[i] = (out.p[i] + foreseen[i]) / 2;
  return out;
}

Intents IntentsOf(const Listener& listener, const Request& request) {
  if (!listener.known) return {};
  const int hour =
      listener.state.utcoffset != 0
          ? HourAt(listener.now_ms, listener.state.utcoffset)
          : TargetingFacts::HourOfWeek(request, absl::FromUnixMillis(listener.now_ms)) % 24;
  return IntentsOf(listener.state, listener.now_ms, hour);
}

absl::Status IntentKeeper::Run(Context& ctx) {
  const ListenEvent& event = ctx[event_];
  (void)sessions_->Update(event.session, [&](SessionState& s) { ApplyToIntents(event, &s); });
  return absl::OkStatus();
}

absl::Status UserIntent::Run(Context& ctx) {
  Intents& out = ctx[intents_];
  out = IntentsOf(ctx[listener_], ctx[request_]);
  if (out.known && ctx.explaining()) {
    ctx.Because({&reasons::kIntent[static_cast<size_t>(out.Top())], 0,
                 100 * static_cast<double>(out.Of(out.Top())), 0});
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
