#include "adagents/ads/playback_event.h"

namespace adagents::ads {

std::string_view Name(PlaybackKind kind) {
  switch (kind) {
    case PlaybackKind::kSessionStart:
      return "session_start";
    case PlaybackKind::kStart:
      return "start";
    case PlaybackKind::kEnd:
      return "end";
    case PlaybackKind::kSkip:
      return "skip";
    case PlaybackKind::kPause:
      return "pause";
    case PlaybackKind::kResume:
      return "resume";
    case PlaybackKind::kSave:
      return "save";
    case PlaybackKind::kSearch:
      return "search";
    case PlaybackKind::kVolume:
      return "volume";
    case PlaybackKind::kScreen:
      return "screen";
    case PlaybackKind::kSessionEnd:
      return "session_end";
  }
  return "unknown";
}

std::string_view Name(ContentKind kind) {
  return kind == ContentKind::kPodcast ? "podcast" : "music";
}

}  // namespace adagents::ads
