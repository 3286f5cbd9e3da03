// A world of listeners for simulations: who listens to what, what their players report, the ad
// slots that follow, and what becomes of the ads. It is the ground truth on which agents are
// compared; its odds are known exactly (listening_response.h), and nobody but an oracle may ask.
//
//   VirtualClock clock;
//   auto world = ListeningWorld::Create(*ListeningOptionsOf("music"), &clock);
//   options.catalog = *(*world)->MakeCatalog();
//   ListeningEvent e;
//   while ((*world)->Next(&e)) {                              // moves the clock to the event
//     switch (e.kind) {
//       case ListeningEvent::Kind::kPlayback: engine.Play(e.playback); break;
//       case ListeningEvent::Kind::kOutcome: engine.Record(e.outcome); break;
//       case ListeningEvent::Kind::kRequest: (*world)->Answer(engine.Decide(e.request).value);
//     }
//   }
//
// It differs from Traffic, which is for servers under load, in that its listeners have a state, and
// that what they hear changes it. FROZEN, as listening_response.h is: the numbers here and in
// src/testing/listening_*.cc do not change once something has been tuned on them.
//
// Sessions. A listener's session has a hidden activity (by the local hour; it may change with each
// item, 6 %), the energy that is wanted (drifts to the activity's), a mood (valence), and
// attention, which comes and goes (an autoregression with lapses). Items are tracks, or episodes'
// parts where the session is of podcasts. Genre and energy of a track follow taste and what is
// wanted, and so do the listener's acts: tracks that do not suit are skipped, suiting ones saved;
// volume, screen, device, pauses and searches follow activity and attention. The playlist's mood
// word is right in 7 of 10 items. Irritation by ads makes skips and the session's end likelier.
//
// Slots. A break is due after each part of an episode, and after two songs or more with a chance of
// 0.6. One in six of those in music is asked for in the middle of the next song; when no ad was
// played there, it is asked for again when that song ends. A request says where (imp.tagid, and
// startdelay: 0 between songs, -1 at a podcast's transition, the position within a song), what
// played, and on which device. It names the session by an eid of kSessionSource and identified
// listeners by user.id; some listeners limit tracking, so that consent takes both away.
//
// Auctions. One rival bid a slot (but in "direct"), lognormal, higher with the screen on; first or
// second price by session. Who loses hears nothing but a loss notice; the rival's ad plays, and
// annoys, too.
//
// Outcomes. Impressions, clicks, completions and conversions (hours later) are told by notices
// which may be lost, come twice, or hours late. Some sessions are bots (hear everything to its end,
// hardly click) or click farms (click three in ten, never buy), in networks of their own.
//
// Fair comparisons. All randomness is keyed by the seed, the session, the item or slot, and what it
// is for. So two policies meet the same listeners, hidden states, rivals and noise: a click comes
// where the same uniform number is below the odds. Only what the ads themselves change differs. The
// same options and decisions give the same events. (The last bits of std::exp are the C library's.)
//
// Units: prices are CPM in micros of USD. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/playback_event.h"
#include "adagents/ads/request.h"
#include "adagents/base/money.h"
#include "adagents/testing/listening_response.h"
#include "adagents/testing/virtual_clock.h"

namespace adagents::testing {

struct ListeningOptions {
  uint64_t seed = 1;
  size_t sessions = 1000;  ///< at least 1; that of bots among them

  /// 1: the response of listening_response.h. 0: a world without structure, in which the odds are
  /// those of `flat` whatever the moment, the listener and the ad, and ads annoy nobody. In between
  /// they are mixed. In [0, 1].
  double structure = 1;
  /// The mean odds of the structured world when uniformly drawn ads fill every slot, that of
  /// conversions over clicks: measured over seeds 1001 to 1020; a test holds them to it.
  Response flat{0.0212, 0.816, 0.093, 0.269};

  double podcasts = 0.15;                  ///< share of sessions
  double first_price = 0.3;                ///< share of sessions; the others are second-price
  double bots = 0.02, click_farms = 0.01;  ///< shares of sessions
  size_t listeners = 1000;                 ///< at least 1; bots apart
  double sessions_a_day = 1000;            ///< above 0
  /// All campaigns pay the same for clicks, so that click-through is what everybody wants.
  bool clicks_only = false;
  bool rivals = true;  ///< without them every bid that meets the floor wins
  size_t brands = 16;  ///< 1 to 100; a campaign each, two brands a category

  Micros floor{1'000'000}, rival_median{6'000'000};
  double rival_sigma = 0.5;  ///< deviation of the logarithm

  // Of notices, as TrafficOptions has it.
  double lost = 0.02, doubled = 0.02, very_late = 0.005;
  absl::Duration impression_delay = absl::Seconds(2);
  absl::Duration click_delay = absl::Seconds(10);
  absl::Duration conversion_delay = absl::Hours(5);
  absl::Duration late_delay = absl::Hours(2);
};

/// The worlds that have a name: "music"; "direct", which is "music" with `clicks_only`; "podcasts",
/// where most sessions are of episodes, most auctions first-price, and bots twice as many; "flat",
/// which is "music" without structure.
std::vector<std::string_view> ListeningWorldNames();
/// NotFound that lists the names.
absl::StatusOr<ListeningOptions> ListeningOptionsOf(std::string_view world);

/// One thing that happens. The views of `playback` live until the next call of Next().
struct ListeningEvent {
  enum class Kind : uint8_t { kPlayback, kRequest, kOutcome };
  Kind kind = Kind::kPlayback;
  absl::Time at;
  uint64_t session = 0;  ///< number, from 1
  uint32_t slot = 0;     ///< of kRequest and kOutcome: within the session
  ads::PlaybackEvent playback;
  ads::RequestPtr request;
  ads::OutcomeEvent outcome;
  bool repeated = false;  ///< the truth: this notice came before
};

/// What became of an answer at once, whether a notice will tell of it or not. Plain value.
struct Shown {
  bool human = true;
  bool bid = false;                     ///< there was one
  bool won = false;                     ///< and it was heard; the rest is of ads that were
  Micros price{};                       ///< CPM paid
  uint32_t campaign = 0, creative = 0;  ///< as MakeCatalog() numbers them
  Response odds;                        ///< the truth about this impression
  bool clicked = false, completed = false, converted = false;
  bool unsuitable = false;
  bool repeat = false;  ///< the listener has heard the brand within an hour
  HiddenMoment moment;
};

/// Sums over what was over when asked. People only, unless it says otherwise.
struct ListeningTruth {
  uint64_t sessions = 0, requests = 0, tracks = 0, skips = 0;
  double hours = 0;  ///< of sessions
  uint64_t requests_of_bots = 0;
  uint64_t notices_lost = 0, notices_doubled = 0, notices_late = 0;  ///< of everybody
};

class ListeningWorld {
 public:
  /// The source of the eid that names the session: FrequencyCapPolicy::session_sources.
  static constexpr std::string_view kSessionSource = "session.fm.radio";

  /// InvalidArgument that names the option. `clock` stands at the beginning and outlives the world.
  static absl::StatusOr<std::unique_ptr<ListeningWorld>> Create(const ListeningOptions& options,
                                                                VirtualClock* clock);
  ~ListeningWorld();
  ListeningWorld(const ListeningWorld&) = delete;
  ListeningWorld& operator=(const ListeningWorld&) = delete;

  /// What there is to sell: a campaign for each brand, of ten six that pay for clicks, three
  /// for completions and one for impressions, each with six creatives that differ in tone, pace,
  /// voice, call to action and length; one of them is a video. Another seed has other ones.
  [[nodiscard]] std::unique_ptr<const ads::Catalog> MakeCatalog() const;
  /// How many creatives that are, in the order of brands; and which one a decision means: by
  /// CreativeFacts::key, nullopt when it is not of MakeCatalog().
  [[nodiscard]] size_t creatives() const;
  [[nodiscard]] std::optional<uint32_t> FindCreative(uint64_t key) const;
  [[nodiscard]] const AdTraits& traits(uint32_t creative) const;

  /// The next thing that happens, at whose time the clock then stands; false when all sessions are
  /// over and no notice is under way. A request that was not answered had no bid.
  [[nodiscard]] bool Next(ListeningEvent* event);
  /// Answers the request that Next() returned last: its first bid counts, as there is one imp.
  /// FailedPrecondition when that was no request or has an answer, InvalidArgument when the bid is
  /// not of MakeCatalog() or not in USD.
  absl::StatusOr<Shown> Answer(const ads::Decision& decision);

  /// For oracles and judges: of the request that Next() returned last. Odds are those of a response
  /// that is worth something: nobody's, where a bot listens. Precondition: it was a request, and
  /// `creative` is below creatives().
  [[nodiscard]] Response Odds(uint32_t creative) const;
  [[nodiscard]] HiddenMoment Moment(uint32_t creative) const;
  [[nodiscard]] bool human() const;

  [[nodiscard]] const ListeningTruth& truth() const;

 private:
  struct State;
  explicit ListeningWorld(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace adagents::testing
