// What an audio or video imp takes besides the file's own properties: shared by the agents, which
// offer only what can be played, and by writers.
//
//   if (ads::BestVast(imp.audio->protocols) == ads::VastVersion::kNone) ...   // nothing to write
#pragma once

#include <cstdint>

#include "adagents/ads/request.h"

namespace adagents::ads {

/// The versions of VAST that are written; values of AdCOM's creative subtypes, which `protocols`
/// lists, and rising with the version.
enum class VastVersion : int8_t { kNone = 0, k20 = 2, k30 = 3, k40 = 7, k41 = 11, k42 = 13 };

/// The highest that `protocols` allows; 4.2 when it is empty, kNone when it allows none that is
/// written: only wrappers, DAAST, or versions that are not in the enum. Thread-safe.
[[nodiscard]] VastVersion BestVast(List<int32_t> protocols);

/// Whether `delivery` (AdCOM's delivery methods) allows a file that the player fetches, as it plays
/// or before: progressive or download. Streams are not served. Empty: any. Thread-safe.
[[nodiscard]] bool TakesFiles(List<int32_t> delivery);

}  // namespace adagents::ads
