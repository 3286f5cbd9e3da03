// Engine: a catalog and the team of agents that decides over it, behind one object. What an ad
// server embeds:
//
//   ads::EngineOptions options;
//   options.catalog = std::move(*catalog);
//   auto engine = ads::Engine::Create(std::move(options));     // says exactly what is wrong
//   ...
//   openrtb::Reader reader;  openrtb::Writer writer;           // reader: one per thread
//   auto request = reader.Read(body);
//   if (!request.ok()) return Refuse(request.status());
//   Answer<ads::Decision> answer = (*engine)->Decide(*request);   // within min(50 ms, tmax)
//   writer.Write(**request, answer.value, absl::Now(), &out);
//
// It differs from Runtime in that it knows ads: it takes tmax from the request, sees to consent,
// gives every answer without a bid its nbr, and can say why a campaign was not shown.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "adagents/ads/agents/auction.h"
#include "adagents/ads/agents/availability.h"
#include "adagents/ads/agents/frequency_cap.h"
#include "adagents/ads/agents/listener_options.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/ads/ledger.h"
#include "adagents/ads/pacer.h"
#include "adagents/ads/playback_event.h"
#include "adagents/ads/win_landscape.h"
#include "adagents/runtime/runtime.h"

namespace adagents::ads {

using AdRuntime = Runtime<RequestPtr, Decision>;

namespace internal {
class Upkeep;
struct CampaignBooks;
}  // namespace internal

struct EngineOptions {
  /// What to sell from the start; null: nothing, until SwapCatalog().
  std::unique_ptr<const Catalog> catalog;

  /// Threads, deadline (50 ms), clock, inline scheduler, log.
  RuntimeOptions runtime;

  /// The currency to bid in where the request allows it, and what one unit of it buys of others.
  Currency currency;
  std::vector<std::pair<Currency, double>> rates;

  AvailabilityOptions availability;
  AuctionOptions auction;
  RelevanceOptions relevance{.rows = 1 << 14};
  OutcomeBookOptions outcomes;
  /// Bounds budgets, when not null: winners' prices are reserved there, committed and released by
  /// Record(). Its accounts follow the catalog, each with a first lease before it can bid, and
  /// decisions carry its epoch. Where somebody has no budget, availability.stop_when_certain may
  /// have left nobody else to sell to. Its owner shuts it down, when no Record() runs any more.
  std::shared_ptr<Ledger> ledger;
  /// Paces campaigns, when not null. With a ledger the engine sees to all of it: goals are what the
  /// catalog says (GoalOf), Record() reports what was charged and the actions that targets are
  /// about (each once per bid, while its reservation is remembered: Ledger::NoteAction()), Tick()
  /// moves the multipliers; a campaign that is added later bids from the next one on. Without a
  /// ledger nobody knows what is spent twice: its owner sets goals, reports and ticks.
  std::shared_ptr<Pacer> pacer;
  /// With a ledger or `listener`: whether a thread of the engine's own, "adagents-engine", does
  /// Tick(). There is none with the inline scheduler.
  bool background = true;
  /// With a pacer: shades bids in first-price auctions; its owner reports what won
  /// (win_landscape.h).
  std::shared_ptr<const WinLandscape> landscape;
  /// Room for frequency caps, and where their counts live; the clock is the runtime's.
  FrequencyCapsOptions caps;
  /// Whom they count for, and what happens when a cap is reached or nobody is identified.
  FrequencyCapPolicy cap_policy;
  /// The agents that understand listeners from what their players report (Play()). They cost
  /// nothing when it is not set, and change nothing for listeners without playback events.
  std::optional<ListenerOptions> listener;
  /// Campaigns that can be switched off at one time.
  size_t kill_switches = KillSwitches::kDefaultCapacity;

  /// The upper 24 bits of every decision's id, to tell the decisions of two runs apart. 0: the
  /// ledger's, or the seconds of the wall clock and a random number to begin at, so that servers
  /// which start together do not share ids; with the inline scheduler: 1, so that runs repeat
  /// exactly. CallOptions::id, where you choose it yourself, must have them too.
  uint32_t epoch = 0;

  /// Adds agents and state of your own to the team. Called once by Create(). To put an agent in the
  /// place of a built-in one: runtime().Edit().Replace<Yours>("relevance").Commit().
  std::function<void(AdRuntime::Builder&)> customize;

  /// With `listener`, for state of your own that is kept under sessions' keyed hashes: erases and
  /// overwrites what is kept of those of which gone(session) holds. Called by Erase(), and by
  /// Tick() for who has withdrawn consent, then once more a second later for what decisions and
  /// events in flight have left. Thread-safe.
  std::function<void(const std::function<bool(uint64_t)>& gone)> forget;
};

/// A moment's numbers; counts since the start.
struct EngineStats {
  Stats runtime;
  uint64_t bids = 0;  ///< in all decisions
  uint64_t decisions_with_bids = 0;
  std::vector<std::pair<Nbr, uint64_t>> no_bids;  ///< by reason, rising, only those that were
  uint64_t catalog_version = 0;                   ///< 1 for the first, then one more each
  size_t campaigns = 0;
  size_t catalog_changes = 0;  ///< Catalog::changed(): what MergeCatalog() would fold in
  size_t switched_off = 0;
  size_t outcomes_waiting = 0;
  /// With a pacer and a ledger: actions that no target has heard of, since their bids are not
  /// remembered, are of an earlier process, or were not for the campaign that they name.
  uint64_t actions_unknown = 0;
  FrequencyCaps::Counts caps;
  Sessions::Counts sessions;
};

/// What an erasure found.
struct Erased {
  size_t sessions = 0;
  size_t moments = 0;  ///< of bids whose outcome was still awaited
};

/// Thread-safe, except that destruction must not overlap other calls. Answers' decisions point into
/// the catalog, so they must be gone before the engine is.
class Engine {
 public:
  using Callback = AdRuntime::Callback;

  /// InvalidArgument or FailedPrecondition that names what is wrong with the options or the team.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Decides within min(the runtime's deadline, options.tmax, the request's tmax), whatever agents
  /// do; see Runtime::Decide() for strict and trusted calls. Never fails: without a bid,
  /// `value.nbr` says why. Agents never see what the listener has not consented to, also in
  /// requests made by hand.
  ///
  /// A test (Request::test) is answered like any other request, but nothing comes of it: its bids
  /// are only looked at, each by itself, and hold no budget and no places under caps; nothing is
  /// remembered of them to learn from; pacer and forecasts do not count the request. Do not
  /// Record() what is heard of them: a ledger would charge it. openrtb::OutcomeOf() gives nothing
  /// for their notices. Agents of your own see to `test` themselves; EngineStats counts it.
  Answer<Decision> Decide(const RequestPtr& request, const CallOptions& options = {});

  /// The same without a waiting thread; `callback` is called exactly once, never inside this call.
  void DecideAsync(const RequestPtr& request, const CallOptions& options, Callback callback);

  /// What became of a bid; agents learn from it. With a ledger, an impression commits its price and
  /// a loss releases what was reserved, once each, before anybody hears of it; what comes late or
  /// twice is the ledger's to list. InvalidArgument for a price or currency that cannot be charged,
  /// or when such an event names no campaign; ResourceExhausted when too many events wait or when
  /// the ledger says "busy": report it again. FailedPrecondition after shutdown.
  absl::Status Record(const OutcomeEvent& event);
  /// What a listener's player reports; agents understand the listener by it. Events of one session
  /// are taken in order. Consent decides what is kept: without may_identify and may_profile nothing
  /// is, and what there was of the session is erased (with bids that await their outcome: by the
  /// next Tick()). Identifiers become keyed hashes before anything else sees the event.
  /// InvalidArgument with the field that is wrong, ResourceExhausted when too many events wait,
  /// FailedPrecondition without EngineOptions::listener and after shutdown.
  absl::Status Play(const PlaybackEvent& event);
  /// Forgets a listener (PlaybackEvent::listener; empty: nobody) and the session named `session`
  /// (empty: only the listener's own): no byte of what was kept of them, and none of their hashes,
  /// stays in any table or region file. Decisions and events in flight may still hold them for as
  /// long as they take; what they leave behind goes with the Tick()s of the next two seconds.
  /// Frequency caps stay: they hold no identifier and no hash of one, only counts under 24 bits
  /// that mix it with what is capped, which many listeners share, and which end with their windows
  /// (31 days at the longest); erasing them would show the listener again what was capped. Slow
  /// (reads the table of sessions); an operator's call, not a request's. FailedPrecondition without
  /// EngineOptions::listener.
  absl::StatusOr<Erased> Erase(std::string_view listener, std::string_view session = {});
  /// How many listeners there are and what they listen to, with the noise of differential privacy
  /// (private_export.h). Spends `milli_epsilon` thousandths of ListenerOptions::privacy;
  /// ResourceExhausted when there is not so much left. Slow, as Erase() is. FailedPrecondition
  /// without EngineOptions::listener.
  absl::StatusOr<AudienceExport> ExportAudience(uint32_t milli_epsilon);
  /// Learns from impressions whose time for an action has passed. Record() does so on its way, and
  /// Tick(); call this now and then where events are rare and there is neither. Returns how many.
  size_t SettleOutcomes();
  /// Does what has to be done now and then, as far as it is due by the runtime's clock: leases,
  /// expiry and durable spend, if the ledger has no thread for that; with a ledger, the pacer's
  /// multipliers; SettleOutcomes(); with `listener`, overwriting what has expired. The engine's own
  /// thread calls it; without one call it yourself, every few milliseconds, or whenever a virtual
  /// clock has moved. The ledger's error, which its health() shows too.
  absl::Status Tick();

  /// Replaces all campaigns at once; decisions in flight end with those they began with.
  /// InvalidArgument for null, ResourceExhausted when 15 older catalogs are still in use.
  absl::Status SwapCatalog(std::unique_ptr<const Catalog> catalog);
  /// Adds, replaces and removes some campaigns, all at once for every decision that begins
  /// afterwards; see Catalog::With() for how long it takes and what is wrong. To pause a campaign,
  /// SetCampaignEnabled() is the way. Calls wait for each other, decisions never.
  /// With a ledger also what is wrong with a campaign's account: a currency that was another.
  /// ResourceExhausted, and nothing changed, when 15 older catalogs are still in use by decisions
  /// that somebody keeps: many changes in one call take one catalog.
  absl::Status ChangeCatalog(CatalogChange change);
  /// Builds the catalog anew, with the changes that came since the last time folded into its index,
  /// and those that come meanwhile. Takes seconds for a million campaigns, whose texts are shared
  /// and not copied, so call it from a thread of your own, when EngineStats::catalog_changes has
  /// come near Catalog::kMostPut. Does nothing when there were no changes. FailedPrecondition while
  /// another call is at it, Aborted when SwapCatalog() came in between.
  absl::Status MergeCatalog();
  /// The kill switch of one campaign, effective for every decision that begins afterwards. It
  /// outlives catalog swaps; campaigns that are in no catalog may be switched too.
  /// ResourceExhausted when too many are off.
  absl::Status SetCampaignEnabled(std::string_view campaign_id, bool enabled);

  /// Why `campaign_id` would not be shown on `request`, now and with the present state, in plain
  /// words, a line for each imp and creative; or that it would be. Asks the built-in agents alone,
  /// and says so where `customize` has added others. Slow: for people.
  [[nodiscard]] std::string WhyNot(const RequestPtr& request, std::string_view campaign_id) const;

  /// The decision's chain in plain words: every agent's outcome and reasons with the campaigns'
  /// names. Needs CallOptions::explain; else it says so.
  [[nodiscard]] std::string Explain(const Answer<Decision>& answer) const;

  [[nodiscard]] EngineStats GetStats() const;

  /// Answers what is in flight, then ends the threads; see Runtime::Shutdown(). Before the
  /// ledger's. Beyond `grace` it waits for the ledger's storage where the engine's own thread is in
  /// it.
  ShutdownReport Shutdown(absl::Duration grace);

  /// For publishing events of your own, changing the team, switching agents off, running inline.
  [[nodiscard]] AdRuntime& runtime() { return *runtime_; }
  /// The current catalog; a moment later there may be another.
  [[nodiscard]] CatalogPin PinCatalog() const { return catalog_->Pin(); }
  [[nodiscard]] RelevanceModels& relevance_models() { return *models_; }
  /// Who is remembered. Null without EngineOptions::listener.
  [[nodiscard]] const Sessions* sessions() const { return sessions_.get(); }
  /// What has been learned of moments. Null without EngineOptions::listener.
  [[nodiscard]] Moments* moments() { return moments_.get(); }
  /// The forecast of slots. Null without EngineOptions::listener, or when that has none.
  [[nodiscard]] const InventoryForecast* inventory() const { return inventory_.get(); }
  /// To release what a bid that lost had reserved, and to look.
  [[nodiscard]] FrequencyCaps& frequency_caps() { return *caps_; }

 private:
  struct Tally;
  explicit Engine(EngineOptions options);
  absl::Status Build(EngineOptions options);
  CallOptions Prepare(const Request& request, const CallOptions& options);
  absl::Status BuildCaps(const EngineOptions& options);
  absl::Status BuildListener(EngineOptions* options);
  void AddListener(AdRuntime::Builder& builder) const;
  internal::CampaignBooks Books() const;
  absl::Status Settle(const OutcomeEvent& event);
  void TellOfAction(const OutcomeEvent& event);
  absl::Status RoomForCatalog();
  static void Finish(Tally& tally, const Request& request, Answer<Decision>* answer);
  struct Fallback;

  const AvailabilityOptions availability_;
  const AuctionOptions auction_;
  const Clock* const clock_;
  const uint64_t first_id_;
  bool customized_ = false;
  std::shared_ptr<const CurrencyRates> rates_;
  std::shared_ptr<Snapshot<Catalog>> catalog_;
  std::mutex catalog_writer_;  // of what follows, and of the order of catalogs
  bool merging_ = false;
  bool swapped_while_merging_ = false;
  std::vector<CatalogChange> changed_while_merging_;
  std::shared_ptr<KillSwitches> switches_;
  std::shared_ptr<RelevanceModels> models_;
  std::shared_ptr<OutcomeBook> book_;
  std::shared_ptr<FrequencyCaps> caps_;
  std::shared_ptr<const FrequencyCapPolicy> cap_policy_;
  std::shared_ptr<Ledger> ledger_;
  std::shared_ptr<Pacer> pacer_;
  std::shared_ptr<Sessions> sessions_;  // null: no listener agents
  std::shared_ptr<Moments> moments_;    // likewise, as what follows
  std::unique_ptr<PrivacyBudget> privacy_;
  std::shared_ptr<InventoryForecast> inventory_;
  std::shared_ptr<const CreativeOptions> creative_;
  std::shared_ptr<const ListenerOptions> listener_;
  std::function<void(const std::function<bool(uint64_t)>&)> forget_;  // may be empty
  std::unique_ptr<AdRuntime> runtime_;
  std::unique_ptr<internal::Upkeep> upkeep_;

  std::shared_ptr<Tally> tally_;
  std::atomic<uint64_t> next_id_{0};
};

}  // namespace adagents::ads
