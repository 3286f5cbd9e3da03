// Playback events and engines with listener agents, for tests.
#pragma once

#include <string_view>

#include "ads/engine_kit.h"

namespace adagents::ads::test {

inline EngineOptions WithListener() {
  EngineOptions options;
  options.listener.emplace();
  options.listener->sessions.sessions = 1000;
  return options;
}

/// What the player of listener "ann" reports now; her session is her id.
inline PlaybackEvent Event(const TestEngine& engine, PlaybackKind kind,
                           std::string_view listener = "ann") {
  PlaybackEvent e;
  e.session = e.listener = listener;
  e.kind = kind;
  e.at = engine.clock->WallNow();
  return e;
}
inline PlaybackEvent Track(const TestEngine& engine, std::string_view genre, std::string_view mood,
                           float energy, int32_t seconds = 200) {
  PlaybackEvent e = Event(engine, PlaybackKind::kStart);
  e.genre = genre;
  e.mood = mood;
  e.energy = energy;
  e.position_ms = 0;
  e.duration_ms = seconds * 1000;
  return e;
}
inline void Play(const TestEngine& engine, const PlaybackEvent& event) {
  const absl::Status status = engine->Play(event);
  INFO(status.ToString());
  REQUIRE(status.ok());
}

/// A request of the session; a post-roll unless it says otherwise, which may always be sold.
inline RequestPtr RequestOf(std::string_view listener, int32_t startdelay = -2) {
  TestRequest request;
  request.audio.startdelay = startdelay;
  request.request.user.id = request.made.arena->Copy(listener);
  return request.Done();
}

}  // namespace adagents::ads::test
