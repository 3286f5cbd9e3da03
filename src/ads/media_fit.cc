#include "adagents/ads/media_fit.h"

#include <algorithm>

namespace adagents::ads {

VastVersion BestVast(List<int32_t> protocols) {
  if (protocols.empty()) return VastVersion::k42;
  VastVersion best = VastVersion::kNone;
  for (const VastVersion version :
       {VastVersion::k20, VastVersion::k30, VastVersion::k40, VastVersion::k41, VastVersion::k42}) {
    const auto listed = static_cast<int32_t>(version);
    if (std::find(protocols.begin(), protocols.end(), listed) != protocols.end()) best = version;
  }
  return best;
}

bool TakesFiles(List<int32_t> delivery) {
  constexpr int32_t kProgressive = 2, kDownload = 3;
  return delivery.empty() || std::any_of(delivery.begin(), delivery.end(), [](int32_t method) {
           return method == kProgressive || method == kDownload;
         });
}

}  // namespace adagents::ads
