#include "ads/catalog_fingerprint.h"

#include <string_view>

#include "adagents/base/ids.h"

namespace adagents::ads::internal {
namespace {

class Hasher {
 public:
  void Add(uint64_t value) { hash_ = CombineHash(hash_, value); }
  void Add(int64_t value) { Add(static_cast<uint64_t>(value)); }
  void Add(int32_t value) { Add(static_cast<int64_t>(value)); }
  void Add(Micros value) { Add(value.value); }
  void Add(std::string_view text) { Add(StableHash64(text)); }
  template <class T>
  void AddAll(const std::vector<T>& items) {
    Add(uint64_t{items.size()});
    for (const T& item : items) Add(item);
  }
  void Add(uint8_t value) { Add(uint64_t{value}); }
  void Add(const Companion& c) {
    Add(c.w);
    Add(c.h);
    for (std::string_view s : {c.mime, c.media_url, c.click_through}) Add(s);
  }
  void Add(const Condition& c) {
    Add(static_cast<uint64_t>(c.attribute) << 1 | (c.exclude ? 1 : 0));
    AddAll(c.values);
  }
  void Add(const FrequencyCap& c) {
    Add(static_cast<uint64_t>(c.per) << 32 | static_cast<uint32_t>(c.count));
    Add(absl::ToInt64Seconds(c.window));
  }
  void Add(const Creative& c) {
    for (const std::string* s :
         {&c.id, &c.title, &c.body, &c.brand, &c.media_url, &c.markup, &c.click_through,
          &c.language, &c.tone, &c.pace, &c.voice, &c.call_to_action}) {
      Add(std::string_view(*s));
    }
    for (int32_t n : {static_cast<int32_t>(c.format), c.w, c.h, c.duration_ms, c.bitrate_kbps}) {
      Add(n);
    }
    AddAll(c.mimes);
    AddAll(c.attr);
    AddAll(c.companions);
    AddAll(c.caps);
  }
  uint64_t hash() const { return hash_; }

 private:
  uint64_t hash_ = 0;
};

}  // namespace

uint64_t ContentHash(const Campaign& c) {
  Hasher h;
  for (const std::string* s : {&c.id, &c.name, &c.advertiser, &c.brand, &c.seat}) {
    h.Add(std::string_view(*s));
  }
  h.Add(c.currency.code());
  for (Micros m : {c.budget.daily, c.budget.lifetime, c.bid.max_cpm, c.bid.value_per_action}) {
    h.Add(m);
  }
  if (!c.budget.time_zone.empty()) h.Add(std::string_view(c.budget.time_zone));
  if (c.pacing != PacingTerms()) {
    h.Add(uint64_t{1} << 48 | static_cast<uint64_t>(c.pacing.pace) << 8 |
          static_cast<uint64_t>(c.pacing.per));
    h.Add(c.pacing.target);
  }
  h.Add(static_cast<uint64_t>(c.objective) << 8 | static_cast<uint64_t>(c.bid.action));
  h.Add(absl::ToUnixMicros(c.start));
  h.Add(absl::ToUnixMicros(c.end));
  h.Add(c.priority);
  if (c.line != Line::kOpen) h.Add(uint64_t{1} << 32 | static_cast<uint64_t>(c.line));
  h.AddAll(c.adomain);
  h.AddAll(c.cat);
  h.AddAll(c.targeting.conditions);
  for (size_t i = 0; i < c.targeting.hours.size(); ++i) {
    if (c.targeting.hours[i]) h.Add(uint64_t{i});
  }
  h.AddAll(c.creatives);
  h.AddAll(c.caps);
  return h.hash();
}

uint64_t ContentHash(const BrandCaps& brand) {
  Hasher h;
  h.Add(BrandKey(brand.brand));
  h.AddAll(brand.caps);
  return h.hash();
}

}  // namespace adagents::ads::internal
