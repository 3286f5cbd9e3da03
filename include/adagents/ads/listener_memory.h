// What is remembered of one listener from session to session: which ads were heard, and how often;
// and which categories have found more or less response than elsewhere.
//
//   ListenerMemory memory({}, &clock);
//   memory.Heard(listener, brand, creative);  // when an impression is reported
//   ListenerRecord record;
//   if (memory.Find(listener, &record)) record.Times(brand, now);  // half is forgotten in a day
//   memory.Update(listener, [](ListenerRecord& r) { ... });
//
// It differs from FrequencyCaps in that it forgets slowly and never refuses anything: caps bound,
// this tells how worn an ad is. Its keys are those of Sessions: keyed hashes that are changed with
// the salt, so nothing is remembered for longer than SessionsOptions::salt_period lets it be found.
//
// Thread-safe; ListenerRecord is a plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "adagents/base/clock.h"
#include "adagents/blackboard/table.h"
#include "adagents/runtime/key.h"

namespace adagents::ads {

/// Trivially copyable, and without any text or identifier.
struct ListenerRecord {
  /// A brand or a creative, as it is remembered: half of its key.
  static uint32_t NameOf(uint64_t key) { return static_cast<uint32_t>(key >> 32 ^ key); }

  struct Ad {
    uint32_t name = 0;
    float times = 0;  ///< at `at_s`; 0: the place is free
    uint32_t at_s = 0;
  };
  /// Those heard most and most lately; the one that is forgotten furthest gives way.
  static constexpr size_t kAds = 32;
  std::array<Ad, kAds> ads{};

  /// How much more likely than others' this listener's clicks in a category are: log-odds, as a
  /// normal belief. Categories share places.
  struct Taste {
    static constexpr float kAssumedVariance = 0.16f;  ///< before anything was learned, about 0

    float mean = 0;
    float learned = 0;  ///< by how much the belief's 1 / variance has grown since then

    [[nodiscard]] float variance() const { return 1 / (1 / kAssumedVariance + learned); }
  };
  static constexpr size_t kTastes = 26;  // as many as IAB has top categories
  std::array<Taste, kTastes> tastes{};
  [[nodiscard]] const Taste& TasteOf(uint16_t category) const { return tastes[category % kTastes]; }
  [[nodiscard]] Taste& TasteOf(uint16_t category) { return tastes[category % kTastes]; }

  /// How often it was heard, forgotten by half in each kHalfLifeS; `now_s`: Unix seconds.
  [[nodiscard]] float Times(uint32_t name, int64_t now_s) const;
  void Hear(uint32_t name, int64_t now_s);
  static constexpr int64_t kHalfLifeS = 24 * 3600;  ///< caps are agreed per day: so is forgetting

  void clear() { *this = ListenerRecord(); }
};

/// As user_profile leaves it for the agents of a decision; empty for who is not known.
inline constexpr Key<ListenerRecord> kRemembered{"remembered"};

struct ListenerMemoryOptions {
  /// Listeners to make room for; 880 bytes each. When there are more, the longest unheard gives
  /// way.
  size_t listeners = 50'000;
  /// How long one is remembered after the last ad.
  absl::Duration ttl = absl::Hours(7 * 24);
};

class ListenerMemory {
 public:
  /// `clock` outlives it.
  ListenerMemory(const ListenerMemoryOptions& options, const Clock* clock);

  [[nodiscard]] bool Find(uint64_t listener, ListenerRecord* out) const {
    return listener != 0 && records_.Find(listener, out);
  }
  /// `listener` has heard an ad: its brand and its creative.
  void Hear(uint64_t listener, uint32_t brand, uint32_t creative);
  /// Tastes that have been learned, of all listeners. Reads the whole table.
  [[nodiscard]] size_t tastes() const;
  /// Changes what is remembered, if there is anything; false if not. Short: others wait.
  template <class F>
  bool Update(uint64_t listener, F&& modify) {
    return records_.Update(listener, std::forward<F>(modify));
  }
  /// Forgets and overwrites those of whom gone(listener) holds, and what has expired.
  template <class F>
  size_t Purge(F&& gone) {
    return records_.Purge([&](uint64_t listener, const ListenerRecord&) { return gone(listener); });
  }

 private:
  const Clock* const clock_;
  Table<uint64_t, ListenerRecord> records_;
};

}  // namespace adagents::ads
