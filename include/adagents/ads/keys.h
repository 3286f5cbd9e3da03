// What the agents of the ad team share: the keys of one decision, in the order in which they are
// written, and the state that outlives decisions. An agent of your own reads and writes them like
// the built-in ones:
//
//   class NoAlcoholBeforeNoon final : public Agent {
//     In<ads::Request> request_{this, ads::kRequest};
//     In<ads::Candidates> candidates_{this, ads::kCandidates};
//     ...
//
// request -> availability -> candidates -> frequency_cap -> caps; candidates -> relevance -> scores
// -> pricing -> prices; all of them -> auction -> decision. Caps, scores and prices run parallel to
// Candidates::items.
//
// With EngineOptions::listener, from what players report: request -> user_profile -> listening
// (session.h) -> user_intent -> intents (moment.h) -> attention, timing and creative (agents/),
// which pricing reads.
//
// Thread safety: what is behind a Key is written by one agent and read by others when it is
// finished, so its types are thread-compatible; what is behind a StateKey is thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/frequency_caps.h"
#include "adagents/ads/kill_switches.h"
#include "adagents/ads/outcome_book.h"
#include "adagents/ads/relevance_features.h"
#include "adagents/ads/request.h"
#include "adagents/blackboard/snapshot.h"
#include "adagents/runtime/key.h"

namespace adagents::ads {

using CatalogPin = Snapshot<Catalog>::Pinned;

/// One creative that may fill one imp. Plain value.
struct Candidate {
  uint32_t campaign = 0;  ///< index in the pinned catalog
  uint16_t creative = 0;  ///< place in Campaign::creatives
  int16_t deal = -1;      ///< index into Imp::deals; -1: open auction
  int16_t w = 0, h = 0;   ///< size chosen; 0: not sized
  int32_t duration_ms = 0;
  MarkupType mtype = MarkupType::kUnset;
};

/// What the limit on candidates kept out: none of it could come before a candidate of a higher tier
/// (line.h) than `tier`, or of the same and a value above `value`. So a winner
/// of that kind is the one that all candidates together would have made, and so is a second price
/// that a runner-up of that kind sets.
struct LeftOut {
  bool any = false;
  bool deals = false;  ///< there are deals among them: nothing is certain
  int16_t tier = 0;    ///< the highest among them, deals apart
  Micros value{};      ///< CPM in the currency of Prices, the highest possible in `tier`

  /// Whether a candidate comes before all that was left out, whatever that is worth.
  [[nodiscard]] bool CannotBeat(int16_t its_tier, Micros its_value) const {
    if (!any) return true;
    if (deals) return false;
    return its_tier > tier || (its_tier == tier && its_value > value);
  }
};

/// The candidates of one imp, as a range of Candidates::items.
struct ImpRange {
  uint32_t begin = 0, end = 0;
  Nbr nbr = Nbr::kNone;  ///< why there are none, when there are none
  LeftOut left_out;
};

/// All candidates of one request, imp by imp, within an imp best rank first.
struct Candidates {
  CatalogPin catalog;  ///< pinned once per decision; what the indices refer to
  std::vector<Candidate> items;
  std::vector<ImpRange> imps;  ///< one per imp of the request, in its order
  int hour_of_week = 0;        ///< the listener's, 0-167, Monday first
  Nbr nbr = Nbr::kNone;        ///< why there are none at all, when there are none

  void clear() {
    catalog = CatalogPin();
    items.clear();
    imps.clear();
    hour_of_week = 0;
    nbr = Nbr::kNone;
  }
};

/// How a candidate stands with the frequency caps on it.
enum class CapState : uint8_t {
  kFree,      ///< no cap on it is reached
  kCapped,    ///< a cap is reached: it may not win
  kOffered,   ///< free, and the one that stands in for a capped creative of its brand
  kHeldBack,  ///< free, but no other than the capped one in tone, format, voice or call to action
};

/// The frequency caps on the candidates. Empty when no candidate has any.
struct CapVerdicts {
  std::vector<CapState> state;
  /// The windows in which candidate k needs a place: windows[begin[k]] to windows[begin[k + 1]].
  std::vector<uint32_t> begin;
  std::vector<CapWindow> windows;
  /// Most bids in one request of what is capped when the request does not say for whom; 0: no
  /// bound.
  int32_t per_request = 0;

  [[nodiscard]] bool MayWin(uint32_t k) const {
    return k >= state.size() || state[k] == CapState::kFree || state[k] == CapState::kOffered;
  }
  [[nodiscard]] std::span<const CapWindow> WindowsOf(uint32_t k) const {
    if (k + 1 >= begin.size()) return {};
    return {windows.data() + begin[k], begin[k + 1] - begin[k]};
  }
  void clear() {
    state.clear();
    begin.clear();
    windows.clear();
    per_request = 0;
  }
};

/// Predicted rates of the action that each candidate is after, in [0, 1]. Empty: not predicted.
struct Scores {
  std::vector<float> rate;
  std::vector<RequestFeatures> imps;  ///< what was predicted from, one per imp of the request

  void clear() {
    rate.clear();
    imps.clear();
  }
};

/// What a model of the listening session says of those rates, where there is one: kNone, or nothing
/// at all, where it does not. Relevance takes it in place of its own.
struct ModelRates {
  static constexpr float kNone = -1;
  std::vector<float> rate;

  void clear() { rate.clear(); }
};

/// What each candidate is worth and the floor it has to meet, CPM in `cur`. A negative value, or
/// the largest there is, to which infinite amounts saturate: it may not bid.
struct Prices {
  Currency cur;
  std::vector<Micros> value;
  std::vector<Micros> floor;
  /// Scores::rate as it is at this moment, where the listener's agents have moved it; else empty.
  std::vector<float> rate = {};
  Nbr nbr = Nbr::kNone;  ///< why nothing has a price, when nothing has

  void clear() {
    cur = Currency();
    value.clear();
    floor.clear();
    rate.clear();
    nbr = Nbr::kNone;
  }
};

inline constexpr Key<Request> kRequest{"request"};
inline constexpr Key<Candidates> kCandidates{"candidates"};
inline constexpr Key<CapVerdicts> kCaps{"caps"};
inline constexpr Key<ModelRates> kModelRates{"model_rates"};
inline constexpr Key<Scores> kScores{"scores"};
inline constexpr Key<Prices> kPrices{"prices"};
inline constexpr Key<Decision> kDecision{"decision"};

inline constexpr StateKey<Snapshot<Catalog>> kCatalog{"catalog"};
inline constexpr StateKey<KillSwitches> kKillSwitches{"kill_switches"};
inline constexpr StateKey<FrequencyCaps> kFrequencyCaps{"frequency_caps"};
inline constexpr StateKey<RelevanceModels> kRelevanceModels{"relevance_models"};
inline constexpr StateKey<OutcomeBook> kOutcomeBook{"outcome_book"};

}  // namespace adagents::ads
