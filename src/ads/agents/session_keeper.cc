#include "adagents/ads/agents/session_keeper.h"

#include <algorithm>
#include <limits>

#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

constexpr int64_t kTouchHalfLifeMs = 10 * 60'000, kAdHalfLifeMs = 30 * 60'000;

void Touch(const ListenEvent& e, SessionState* s) {
  s->touches += 1;
  s->touched_ms = std::max(s->touched_ms, e.at_ms);
}

void Begin(const ListenEvent& e, SessionState* s) {
  s->play = PlayState::kPlaying;
  s->content = e.content;
  s->content_began_ms = e.at_ms - std::max(e.position_ms, 0);
  s->duration_ms = std::max(e.duration_ms, 0);
  s->genre = e.genre;
  s->mood = e.mood;
  s->energy = e.energy;
  if (s->plays < std::numeric_limits<uint16_t>::max()) ++s->plays;
}

/// What is heard to its end tells what is wanted; until there is any, what begins.
void Want(uint8_t energy, SessionState* s) {
  if (energy == kNoByte) return;
  s->wanted =
      s->wanted == kNoByte ? energy : static_cast<uint8_t>((int{s->wanted} + int{energy} + 1) / 2);
}

void Leave(SessionState* s) {
  s->play = PlayState::kBetween;
  s->duration_ms = s->position_ms = 0;
}

void Pause(const ListenEvent& e, SessionState* s) {
  if (e.position_ms >= 0) {
    s->position_ms = e.position_ms;
  } else if (s->play == PlayState::kPlaying) {
    s->position_ms = static_cast<int32_t>(
        std::clamp<int64_t>(e.at_ms - s->content_began_ms, 0, std::numeric_limits<int32_t>::max()));
  }
  s->play = PlayState::kPaused;
}

void Resume(const ListenEvent& e, SessionState* s) {
  const int32_t position = e.position_ms >= 0 ? e.position_ms : s->position_ms;
  s->content_began_ms = e.at_ms - position;
  s->play = PlayState::kPlaying;
}

/// What a session knows of where it is played, whenever an event says it.
void NoteFacts(const ListenEvent& e, SessionState* s) {
  if (e.volume != kNoByte) s->volume = e.volume;
  if (e.screen >= 0) s->screen = e.screen;
  if (e.devicetype != 0) s->devicetype = e.devicetype;
  if (e.utcoffset != 0) s->utcoffset = e.utcoffset;
  if (e.country != 0) s->country = e.country;
  if (e.region != 0) s->region = e.region;
}

}  // namespace

void DecayCounts(int64_t now_ms, SessionState* s) {
  if (s->counted_ms != 0) {
    const int64_t elapsed = now_ms - s->counted_ms;
    const float left = LeftOf(elapsed, kTouchHalfLifeMs);
    s->skips *= left;
    s->likes *= left;
    s->touches *= left;
    s->ads *= LeftOf(elapsed, kAdHalfLifeMs);
  }
  s->counted_ms = std::max(s->counted_ms, now_ms);
}

void ApplyToSession(const ListenEvent& e, SessionState* s) {
  DecayCounts(e.at_ms, s);
  s->last_ms = std::max(s->last_ms, e.at_ms);
  NoteFacts(e, s);
  switch (e.kind) {
    case PlaybackKind::kStart:
      Begin(e, s);
      if (s->wanted == kNoByte) Want(e.energy, s);
      break;
    case PlaybackKind::kEnd:
      Want(e.energy != kNoByte ? e.energy : s->energy, s);
      Leave(s);
      break;
    case PlaybackKind::kSkip:
      s->skips += 1;
      Touch(e, s);
      Leave(s);
      break;
    case PlaybackKind::kPause:
      Touch(e, s);
      Pause(e, s);
      break;
    case PlaybackKind::kResume:
      Touch(e, s);
      Resume(e, s);
      break;
    case PlaybackKind::kSave:
    case PlaybackKind::kSearch:
      s->likes += 1;
      Touch(e, s);
      break;
    case PlaybackKind::kVolume:
      Touch(e, s);
      break;
    case PlaybackKind::kScreen:
      if (e.screen == 1) Touch(e, s);
      break;
    case PlaybackKind::kSessionStart:
    case PlaybackKind::kSessionEnd:
      break;
  }
}

absl::Status SessionKeeper::Run(Context& ctx) {
  const ListenEvent& event = ctx[event_];
  if (event.kind == PlaybackKind::kSessionEnd) {
    sessions_->End(event.session);
  } else {
    // False when it was erased meanwhile: then nothing of the event is to be kept either.
    (void)sessions_->Update(event.session, [&](SessionState& s) { ApplyToSession(event, &s); });
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
