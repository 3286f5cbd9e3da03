#include "adagents/ads/listener_memory.h"

#include <algorithm>
#include <cmath>

namespace adagents::ads {
namespace {

float Left(float times, int64_t elapsed_s) {
  return times * std::exp2(-static_cast<float>(std::max<int64_t>(0, elapsed_s)) /
                           static_cast<float>(ListenerRecord::kHalfLifeS));
}

}  // namespace

float ListenerRecord::Times(uint32_t name, int64_t now_s) const {
  for (const Ad& ad : ads) {
    if (ad.name == name && ad.times > 0) return Left(ad.times, now_s - ad.at_s);
  }
  return 0;
}

void ListenerRecord::Hear(uint32_t name, int64_t now_s) {
  Ad* place = &ads[0];
  float least = Left(place->times, now_s - place->at_s);
  for (Ad& ad : ads) {
    const float left = Left(ad.times, now_s - ad.at_s);
    if (ad.name == name && ad.times > 0) {
      ad = {name, left + 1, static_cast<uint32_t>(now_s)};
      return;
    }
    if (left < least) {
      least = left;
      place = &ad;
    }
  }
  *place = {name, 1, static_cast<uint32_t>(now_s)};
}

ListenerMemory::ListenerMemory(const ListenerMemoryOptions& options, const Clock* clock)
    : clock_(clock),
      records_({.capacity = options.listeners,
                .ttl = options.ttl,
                .when_full = WhenFull::kEvict,
                .clock = clock}) {}

size_t ListenerMemory::tastes() const {
  size_t count = 0;
  records_.ForEach([&](uint64_t, const ListenerRecord& record) {
    for (const ListenerRecord::Taste& taste : record.tastes) count += taste.learned > 0 ? 1 : 0;
  });
  return count;
}

void ListenerMemory::Hear(uint64_t listener, uint32_t brand, uint32_t creative) {
  if (listener == 0) return;
  const int64_t now_s = absl::ToUnixSeconds(clock_->WallNow());
  (void)records_.Upsert(listener, [&](ListenerRecord& record, bool) {
    record.Hear(brand, now_s);
    record.Hear(creative, now_s);
  });
}

}  // namespace adagents::ads
