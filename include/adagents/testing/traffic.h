// Days of traffic for an ad server on a virtual clock: requests as they come, and what becomes of
// what it decides, with notices that are late, doubled or lost.
//
//   VirtualClock clock;
//   Traffic traffic({.seed = 7, .hours = ads::TrafficForecast::Flat(3600)}, &clock);
//   TrafficEvent e;
//   while (traffic.Next(clock_end, &e)) {                  // moves the clock to the event
//     if (e.kind == TrafficEvent::Kind::kRequest) {
//       traffic.Answer(e, engine.Decide(e.request).value); // and so what follows comes
//     } else if (e.outcome) {
//       engine.Record(*e.outcome);                         // loss, impression, click, completion
//     }
//   }
//
// Market alone is what becomes of bids on requests that somebody else has, at times of any clock.
//
// Requests are those of an audio app: Poisson, at a rate by hour of the week times a scale, from
// listeners of whom some listen much more than others. Each bid meets a rival's in a second-price
// auction of the exchange (first-price where the request says so). A win's notice, and the
// impression that follows it, may be lost; clicks and completions follow impressions, completions
// when the ad has been played. Any notice may come twice. A few come very late.
//
// Deterministic: the same options and answers give the same events, whatever decides them. Rivals,
// outcomes and delays depend on the request's number and the bid, not on what came before, so two
// policies meet the same market.
//
// Units: prices are CPM in micros of the bid's currency. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "absl/time/time.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/request.h"
#include "adagents/ads/traffic_forecast.h"
#include "adagents/base/money.h"
#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"

namespace adagents::testing {

struct TrafficOptions {
  uint64_t seed = 1;
  ads::TrafficForecast::Hours hours = ads::TrafficForecast::Flat(3600);  ///< requests, UTC
  double scale = 1;                                                      ///< of all hours
  size_t listeners = 10'000;                                             ///< at least 1
  double identified = 0.9;  ///< share of requests with a user.id
  int32_t at = 2;           ///< auction type of the requests

  /// Rivals' best bid: lognormal, the median CPM and the deviation of its logarithm.
  Micros rival_median{2'000'000};
  double rival_sigma = 0.6;
  /// True chances after an impression. That of a click varies by listener and campaign, by a third.
  double click = 0.01, completion = 0.8;

  // Of notices: shares, and delays that are exponential with these means.
  double lost = 0.02, doubled = 0.02, very_late = 0.005;
  absl::Duration win_delay = absl::Milliseconds(300);
  absl::Duration impression_delay = absl::Seconds(20);
  absl::Duration click_delay = absl::Seconds(15);
  absl::Duration late_delay = absl::Hours(2);
};

/// One thing that happens. Plain value.
struct TrafficEvent {
  enum class Kind : uint8_t { kRequest, kWin, kLoss, kImpression, kClick, kCompletion };
  Kind kind = Kind::kRequest;
  absl::Time at;
  uint64_t number = 0;      ///< of the request, from 1: the same for all that follows from it
  ads::RequestPtr request;  ///< of kRequest alone

  // Of the others.
  uint64_t decision = 0;
  uint32_t bid = 0;       ///< index in the decision
  uint32_t imp = 0;       ///< index in the request
  uint64_t campaign = 0;  ///< key
  uint64_t creative = 0;  ///< CreativeFacts::key
  Micros offer{};         ///< CPM that the bid offered
  uint64_t reservation = 0;
  Micros price{};  ///< CPM paid: of wins, impressions and what follows. Of losses: what won
  Currency cur;
  absl::Time issued;      ///< when it was decided
  bool repeated = false;  ///< the truth: this notice came before
  /// What Engine::Record() takes; nothing for wins, of which nobody has seen anything yet.
  std::optional<ads::OutcomeEvent> outcome;
};

/// What happened, whether its notice arrived or not: for comparing with what a server believes.
struct TrafficTruth {
  uint64_t requests = 0, bids = 0, wins = 0, impressions = 0, clicks = 0, completions = 0;
  uint64_t lost_notices = 0, doubled_notices = 0, very_late_notices = 0;
};

/// Rivals, an exchange, and players: what becomes of bids, and when that is heard. Not thread-safe.
class Market {
 public:
  /// Uses all of `options` but what requests are made from.
  explicit Market(const TrafficOptions& options) : options_(options) {}

  /// `decision` answered, at `at`, request `number`: rivals and outcomes depend on it, the imp and
  /// the campaign. `auction`: the request's type, OpenRTB's `at`.
  void Answer(uint64_t number, absl::Time at, int32_t auction, const ads::Decision& decision);

  /// When the next notice comes; InfiniteFuture() when none is under way.
  [[nodiscard]] absl::Time next() const;
  /// That notice; false when there is none.
  [[nodiscard]] bool Take(TrafficEvent* event);
  [[nodiscard]] size_t under_way() const { return notices_.size(); }
  /// `requests` are those that were answered.
  [[nodiscard]] const TrafficTruth& truth() const { return truth_; }

 private:
  struct Notice {
    TrafficEvent event;
    uint64_t sequence;
    bool operator<(const Notice& other) const {  // the earliest on top
      return event.at != other.event.at ? event.at > other.event.at : sequence > other.sequence;
    }
  };
  void Meet(int32_t auction, const ads::Bid& bid, TrafficEvent event);
  void Send(Random& random, TrafficEvent event, TrafficEvent::Kind kind, absl::Duration delay);

  const TrafficOptions options_;
  uint64_t sequence_ = 0;
  std::priority_queue<Notice> notices_;
  TrafficTruth truth_;
};

class Traffic {
 public:
  /// `clock` stands at the beginning and outlives the traffic.
  Traffic(const TrafficOptions& options, VirtualClock* clock);

  /// The next thing that happens before `until`, at whose time the clock then stands; false when
  /// nothing does, with the clock at `until`. Requests go on for ever; notices of earlier ones come
  /// in between.
  [[nodiscard]] bool Next(absl::Time until, TrafficEvent* event);
  /// The same without new requests: to let what is under way come in. False when nothing is.
  [[nodiscard]] bool Drain(TrafficEvent* event);

  /// What was decided for the request of `event`.
  void Answer(const TrafficEvent& event, const ads::Decision& decision) {
    market_.Answer(event.number, event.at, options_.at, decision);
  }

  /// `requests` are those that were answered.
  [[nodiscard]] const TrafficTruth& truth() const { return market_.truth(); }
  /// Notices that have not come yet.
  [[nodiscard]] size_t under_way() const { return market_.under_way(); }

 private:
  void ScheduleRequest();
  ads::RequestPtr MakeRequest(uint64_t number) const;
  void MoveTo(absl::Time at);

  const TrafficOptions options_;
  VirtualClock* const clock_;
  const ads::TrafficForecast profile_;
  Random arrivals_;
  absl::Time next_request_;
  uint64_t requests_ = 0;
  Market market_;
};

}  // namespace adagents::testing
