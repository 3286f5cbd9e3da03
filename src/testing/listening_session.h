// One listener's session in a ListeningWorld: the hidden state and what the player reports, item by
// item. Part of the frozen world. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/consent.h"
#include "adagents/ads/playback_event.h"
#include "adagents/base/random.h"
#include "adagents/testing/listening_world.h"
#include "testing/listening_population.h"
#include "testing/listening_random.h"

namespace adagents::testing::internal {

enum class Visitor : uint8_t { kHuman, kBot, kClickFarm };

/// Something that the session does next, `at` milliseconds after the Unix epoch.
struct Step {
  int64_t at = 0;
  bool slot = false;  // asks for an ad; else a playback event
  ads::PlaybackKind kind = ads::PlaybackKind::kStart;
  int32_t position_ms = -1;
  float volume = -1;
  int8_t screen = -1;
  SlotKind where = SlotKind::kBetweenSongs;
};

/// What a session is from its beginning on.
struct SessionPlan {
  uint64_t number = 0;  // from 1
  int64_t start = 0;    // milliseconds after the Unix epoch
  uint64_t listener = 0;
  Visitor visitor = Visitor::kHuman;
};

class Session {
 public:
  /// `traits` outlives it.
  Session(const ListeningOptions& options, const SessionPlan& plan, const ListenerTraits* traits);

  /// The next step, or null when the session is over.
  [[nodiscard]] const Step* next() const { return at_ < steps_.size() ? &steps_[at_] : nullptr; }
  /// That step is done; plans what follows.
  void Advance();
  /// The step was a slot in which an ad of so many milliseconds was heard: all that follows comes
  /// later, and no other ad is due.
  void Played(int64_t ad_ms);
  /// Turns the volume down before anything else.
  void Mute();

  /// `e` gets what the player reports at `step`.
  void Describe(const Step& step, ads::PlaybackEvent* e) const;
  /// The listener's state, but for what is with one ad. `at` in milliseconds.
  [[nodiscard]] HiddenMoment MomentAt(int64_t at, SlotKind where) const;
  void Annoy(double by, int64_t at);
  void AddLoad(int64_t at);

  [[nodiscard]] const SessionPlan& plan() const { return plan_; }
  [[nodiscard]] const ListenerTraits& traits() const { return *traits_; }
  [[nodiscard]] bool human() const { return plan_.visitor == Visitor::kHuman; }
  [[nodiscard]] bool podcast() const { return podcast_; }
  [[nodiscard]] bool first_price() const { return first_price_; }
  [[nodiscard]] bool screen() const { return screen_; }
  [[nodiscard]] int32_t devicetype() const { return devicetype_; }
  [[nodiscard]] size_t genre() const { return genre_; }
  [[nodiscard]] std::string_view genre_name() const;
  [[nodiscard]] int32_t duration_ms() const { return duration_ms_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  /// Within the session, by item and place: the same whatever was played before.
  [[nodiscard]] uint32_t slot_number(SlotKind where) const {
    return 2 * item_ + (where == SlotKind::kMidSong ? 0 : 1);
  }
  [[nodiscard]] uint64_t tracks() const { return tracks_; }
  [[nodiscard]] uint64_t skips() const { return skips_; }

  ads::Consent consent;  // set by the world, as in the session's requests

 private:
  Random StreamOf(uint64_t index, Purpose purpose) const;
  void PlanItem();
  void PlanBoundary();
  [[nodiscard]] bool Ends() const;
  void Evolve();
  void ChooseTrack();
  void PlanDevice();
  void PlanTrack();

  const ListeningOptions& options_;
  const SessionPlan plan_;
  const ListenerTraits* const traits_;
  std::string name_, user_;

  // Of the whole session.
  bool podcast_ = false, first_price_ = false;
  int32_t devicetype_ = 4;
  std::array<double, kActivities> activities_{};  // weights, of the local hour

  // Of the item.
  uint32_t item_ = 0;
  Activity activity_ = Activity::kChores;
  bool activity_changed_ = false;
  double energy_ = 0.5, valence_ = 0.5, steady_attention_ = 0.5, attention_ = 0.5;
  bool screen_ = false;
  double volume_ = 0.6;
  size_t genre_ = 0;
  double track_energy_ = 0.5;
  std::string_view mood_;
  int32_t duration_ms_ = 0;

  // Of what was heard.
  double irritation_ = 0, load_ = 0;
  int64_t irritated_at_ = 0, loaded_at_ = 0;
  uint32_t items_since_break_ = 0;
  bool due_ = false;          // a break, which no ad has filled
  bool within_next_ = false;  // it is asked for within the next item first
  bool at_boundary_ = false;  // the steps are those after an item
  bool mute_ = false;
  uint64_t tracks_ = 0, skips_ = 0;

  std::vector<Step> steps_;
  size_t at_ = 0;
  int64_t now_ = 0;  // when the planned steps begin, then end; milliseconds
};

}  // namespace adagents::testing::internal
