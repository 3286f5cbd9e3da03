// All that the one model sees: of the request, of the session (from playback events and outcomes),
// of what this listener has heard before, and of the creative. The same data as the team of
// specialists has. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/playback_event.h"
#include "adagents/ads/request.h"
#include "factorisation_machine.h"

namespace market_sim {

namespace ads = adagents::ads;

class FeatureMaker {
 public:
  explicit FeatureMaker(int bits) : mask_((uint32_t{1} << bits) - 1) {}

  void Play(const ads::PlaybackEvent& event);
  /// An ad was heard by whom `request` is of.
  void Heard(const ads::Request& request, uint64_t brand, uint64_t creative, absl::Time at);

  /// Of the moment: what all candidates share.
  void Context(const ads::Request& request, absl::Time now, Places* out);
  /// Of one creative at that moment, and of both together. After Context() of the same request.
  void Ad(const ads::Request& request, const ads::Campaign& campaign, const ads::Creative& creative,
          const ads::CreativeFacts& facts, absl::Time now, Places* out);

 private:
  struct Session {
    absl::Time started, touched, last_ad = absl::InfinitePast();
    int items = 0, skips = 0, skips_in_a_row = 0, saves = 0, searches = 0, pauses = 0, ads = 0;
    double energy = 0.5, volume = 0.5;
    int screen = -1;
    std::string mood;
  };
  struct Memory {
    double times = 0;
    absl::Time at;
  };
  using Memories = std::unordered_map<uint64_t, Memory>;

  [[nodiscard]] const Session* SessionOf(const ads::Request& request) const;
  [[nodiscard]] static std::string_view WhoOf(const ads::Request& request);
  [[nodiscard]] static double Times(const Memories& of, uint64_t key, absl::Time now);
  void Add(uint32_t field, uint64_t value, Places* out) const;

  const uint32_t mask_;
  std::unordered_map<std::string, Session> sessions_;    // those under way
  std::unordered_map<std::string, Memories> listeners_;  // by user, else by session
  // Of the last Context(), for what is crossed with creatives.
  struct Moment {
    uint64_t genre = 0, screen = 0, energy = 0, daypart = 0, who = 0;
    const Memories* heard = nullptr;
  } moment_;
};

}  // namespace market_sim
