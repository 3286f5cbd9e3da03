#include "adagents/ads/engine.h"

#include <algorithm>
#include <array>
#include <random>

#include "adagents/ads/agents/attention.h"
#include "adagents/ads/agents/pacing.h"
#include "adagents/ads/agents/pricing.h"
#include "adagents/ads/agents/relevance.h"
#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/agents/user_profile.h"
#include "adagents/ads/reasons.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "ads/agents/auctioneer.h"
#include "ads/agents/cap_rules.h"
#include "ads/agents/worth.h"
#include "ads/budgets.h"
#include "ads/campaign_books.h"
#include "ads/consent_guard.h"
#include "ads/upkeep.h"
#include "ads/why_not.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

constexpr int kEpochShift = 40;  // 2^40 decisions a run: 250 days at 50,000 a second

/// Servers that start in one second, and have no epoch of their own, begin at different numbers:
/// their notices and bids would be taken for each other's.
uint64_t FirstId(const EngineOptions& options) {
  const auto in_epoch = [](uint64_t epoch, uint64_t number) {
    return (epoch & 0xffffff) << kEpochShift | number;
  };
  if (options.epoch != 0) return in_epoch(options.epoch, 0);
  if (options.runtime.inline_scheduler) return in_epoch(1, 0);
  std::random_device random;
  const uint64_t half = (uint64_t{random()} << 32 | random()) >> (64 - kEpochShift + 1);
  return in_epoch(static_cast<uint64_t>(absl::ToUnixSeconds(options.runtime.clock->WallNow())),
                  half);
}

size_t SlotOf(Nbr nbr, size_t slots) {
  const int code = static_cast<int>(nbr);
  constexpr int kOurs = 500, kTheirs = 20;
  const int slot = code >= kOurs ? code - kOurs + kTheirs : code;
  return slot >= 0 && static_cast<size_t>(slot) < slots - 1 ? static_cast<size_t>(slot) : slots - 1;
}
Nbr NbrOf(size_t slot, size_t slots) {
  constexpr size_t kOurs = 500, kTheirs = 20;
  if (slot == slots - 1) return Nbr::kUnknownError;
  return static_cast<Nbr>(slot >= kTheirs ? slot - kTheirs + kOurs : slot);
}

std::array<uint64_t, 2> HashKey(const EngineOptions& options) {
  const std::array<uint64_t, 2> none{};
  if (options.cap_policy.hash_key != none) return options.cap_policy.hash_key;
  if (options.runtime.inline_scheduler) return {1, 2};
  std::random_device random;
  const auto word = [&random] { return uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

/// What the fallback decided has no reservations: it takes them here, and loses what has no place
/// or no budget. For a test it only looks.
void Reserve(const Request& request, const Catalog& catalog, const FrequencyCapPolicy& policy,
             FrequencyCaps& counts, const internal::Budgets& budgets, Decision* decision) {
  internal::CapReader reader(policy);
  reader.Read(request);
  std::vector<internal::CapRule> rules;
  std::vector<CapWindow> windows;
  uint32_t kept = 0;
  Nbr nbr = Nbr::kFrequencyCapped;
  for (Bid bid : decision->bids) {
    const bool known = reader.RulesOf(catalog, *bid.campaign, *bid.creative, &rules);
    if (!known && policy.without_id == WithoutId::kBlock) continue;
    windows.clear();
    for (const internal::CapRule& rule : rules) windows.push_back(rule.window);
    const auto reached = [&](const CapWindow& window) { return counts.Look(window).reached; };
    const bool placed = request.test ? std::none_of(windows.begin(), windows.end(), reached)
                                     : counts.ReserveOnce(decision->id, kept, windows).ok;
    if (!placed) continue;
    Reservation budget;
    const uint64_t campaign = bid.campaign->key;
    const Currency own = bid.campaign->currency;
    const internal::Refusal refusal =
        request.test
            ? budgets.Look(campaign, own, bid.price, bid.cur)
            : budgets.Reserve(decision->id, kept, campaign, own, bid.price, bid.cur, &budget);
    if (refusal.why != nullptr) {
      if (!request.test && !windows.empty()) (void)counts.Release(decision->id, kept);
      nbr = refusal.nbr;
      continue;
    }
    bid.reservation = budget.id;
    decision->bids[kept++] = bid;
  }
  if (kept == 0 && !decision->bids.empty()) decision->nbr = nbr;
  decision->bids.resize(kept);
}

/// Why there is no bid, as far as the way in which the decision ended tells.
Nbr NbrOf(Verdict verdict, Nbr own) {
  switch (verdict) {
    case Verdict::kDecided:
      return own == Nbr::kNone ? Nbr::kUnknownError : own;
    case Verdict::kFallback:
      return own == Nbr::kNone ? Nbr::kTechnicalError : own;
    case Verdict::kExpired:
      return Nbr::kDeadlineExpired;
    case Verdict::kVetoed:
      return Nbr::kGuardFailed;
    case Verdict::kCancelled:
      return Nbr::kCancelled;
    case Verdict::kNoTime:
      return Nbr::kInsufficientAuctionTime;
    case Verdict::kOverloaded:
    case Verdict::kSaturated:
      return Nbr::kOverloaded;
    case Verdict::kShutDown:
      return Nbr::kShuttingDown;
  }
  return Nbr::kUnknownError;
}

Action ActionOf(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kClick:
      return Action::kClick;
    case OutcomeKind::kCompletion:
      return Action::kCompletion;
    case OutcomeKind::kConversion:
      return Action::kConversion;
    case OutcomeKind::kImpression:
    case OutcomeKind::kLoss:
      return Action::kNone;
  }
  return Action::kNone;
}

/// With what the auction's rule of prices needs.
AvailabilityOptions AvailabilityOf(const EngineOptions& options) {
  AvailabilityOptions availability = options.availability;
  const AuctionPricing pricing = options.auction.pricing;
  availability.runner_up_matters |=
      pricing == AuctionPricing::kSecondPrice || pricing == AuctionPricing::kGeneralizedSecondPrice;
  return availability;
}

}  // namespace

Engine::Engine(EngineOptions options)
    : availability_(AvailabilityOf(options)),
      auction_(options.auction),
      clock_(options.runtime.clock),
      first_id_(FirstId(options)),
      tally_(std::make_shared<Tally>()) {}

Engine::~Engine() = default;

// Callbacks that come while the engine goes away still count, so it is shared with them.
struct Engine::Tally {
  Counter bids, with_bids, actions_unknown;
  // For what the fallback decided.
  std::shared_ptr<Snapshot<Catalog>> catalog;
  std::shared_ptr<FrequencyCaps> caps;
  std::shared_ptr<const FrequencyCapPolicy> cap_policy;
  std::shared_ptr<Ledger> ledger;
  std::shared_ptr<const CurrencyRates> rates;
  // By nbr, those from 500 on moved down; the last for codes that we do not know.
  static constexpr size_t kSlots = 48;
  std::array<Counter, kSlots> no_bids;
};

// The best that can be said from what was published: the auction over the prices, or over prices
// made here from the candidates with whatever scores there are.
struct Engine::Fallback {
  std::shared_ptr<const CurrencyRates> rates;
  AuctionOptions auction;
  std::shared_ptr<const CreativeOptions> creative;  // null: no listener agents
  MomentPricing pricing;
  const Clock* clock = nullptr;

  /// It begins when the time for the decision is over, so it takes a part of the reserve at most,
  /// whatever the request asks for.
  static constexpr int64_t kLongest = 1'000'000;  // ns

  Decision operator()(const Request& request, const Board& board) const {
    Decision decision;
    decision.fallback = true;
    const internal::TimeLimit limit{clock, clock->Now() + kLongest};
    const Candidates* candidates = board.Find(kCandidates);
    if (candidates == nullptr || !candidates->catalog) return decision;
    const Scores none;
    const Scores* scores = board.Find(kScores);
    if (scores == nullptr) scores = &none;
    Prices made;
    const Prices* prices = board.Find(kPrices);
    if (prices == nullptr) {
      Price(request, board, *candidates, *scores, limit, &made);
      prices = &made;
    }
    std::vector<uint32_t> winners;
    internal::Auctioneer(auction).Run(
        request, *candidates, *scores, *prices, &decision, &winners,
        {.caps = board.Find(kCaps), .timings = board.Find(kTimings), .limit = limit});
    return decision;
  }

  void Price(const Request& request, const Board& board, const Candidates& candidates,
             const Scores& scores, const internal::TimeLimit& limit, Prices* out) const {
    const Paces unpaced;
    const Paces* paces = board.Find(kPaces);
    CreativeFits unchecked;
    unchecked.unchecked = creative;
    const CreativeFits* fits = board.Find(kFits);
    internal::PriceAll(
        request, candidates, scores, paces != nullptr ? *paces : unpaced, *rates, out,
        [](const ReasonCode&, uint64_t, Micros, Micros) {},
        {board.Find(kAttention), fits != nullptr ? fits : &unchecked, board.Find(kTimings), pricing,
         board.Find(kAffinities), board.Find(kWears)},
        limit);
  }
};

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(EngineOptions options) {
  if (options.runtime.clock == nullptr) return InvalidArgument("runtime.clock is null");
  EngineOptions basics;
  basics.runtime = options.runtime;
  basics.availability = options.availability;
  basics.auction = options.auction;
  basics.epoch = options.epoch;
  if (options.ledger != nullptr) {
    const uint32_t epoch = options.ledger->epoch();
    if (basics.epoch != 0 && basics.epoch != epoch) {
      return InvalidArgument(
          fmt::format("epoch is {}, but the ledger's is {}", basics.epoch, epoch));
    }
    basics.epoch = epoch;
  }
  std::unique_ptr<Engine> engine(new Engine(std::move(basics)));
  if (absl::Status status = engine->Build(std::move(options)); !status.ok()) return status;
  return engine;
}

absl::Status Engine::Build(EngineOptions options) {
  if (options.pacer != nullptr && options.availability.stop_when_certain) {
    return InvalidArgument(
        "availability.stop_when_certain does not go with a pacer, which lowers values");
  }
  auto rates = CurrencyRates::Create(options.currency, std::move(options.rates));
  if (!rates.ok()) return rates.status();
  rates_ = std::make_shared<const CurrencyRates>(*std::move(rates));
  if (options.catalog == nullptr) {
    auto empty = Catalog::Build({});
    if (!empty.ok()) return empty.status();
    options.catalog = *std::move(empty);
  }
  const bool inline_scheduler = options.runtime.inline_scheduler.has_value();
  // The first listener's local hour loads the zones of all countries, some 15 ms: now, not later.
  Request somewhere;
  somewhere.device.geo.country = "USA";
  (void)TargetingFacts::HourOfWeek(somewhere, clock_->WallNow());
  ledger_ = options.ledger;
  pacer_ = options.pacer;
  catalog_ = std::make_shared<Snapshot<Catalog>>(std::move(options.catalog));
  switches_ = std::make_shared<KillSwitches>(options.kill_switches);
  models_ = std::make_shared<RelevanceModels>(options.relevance);
  if (options.outcomes.clock == nullptr) options.outcomes.clock = clock_;
  if (absl::Status status = BuildListener(&options); !status.ok()) return status;
  book_ = std::make_shared<OutcomeBook>(options.outcomes);
  if (absl::Status status = BuildCaps(options); !status.ok()) return status;

  const MomentPricing pricing = listener_ != nullptr ? listener_->pricing : MomentPricing();
  AdRuntime::Builder builder(kRequest, kDecision);
  builder.ShareObject(kCatalog, catalog_)
      .ShareObject(kKillSwitches, switches_)
      .ShareObject(kRelevanceModels, models_)
      .ShareObject(kOutcomeBook, book_)
      .ShareObject(kFrequencyCaps, caps_)
      .Add<Availability>(availability_, rates_)
      .Add<FrequencyCapAgent>(cap_policy_)
      .Add<Relevance>()
      .Add<Pricing>(rates_, pricing)
      .Add<Auction>(auction_, ledger_, rates_, moments_)
      .Add<RelevanceLearner>()
      .Add<FrequencyCapCounter>()
      .Options(std::move(options.runtime))
      .Fallback(Fallback{rates_, auction_, creative_, pricing, clock_});
  if (options.pacer != nullptr) {
    builder.ShareObject(kPacer, options.pacer)
        .Add<Pacing>(std::move(options.landscape))
        .Add<PacingLearner>();
  }
  if (sessions_ != nullptr) AddListener(builder);
  if (options.customize) options.customize(builder);
  customized_ = static_cast<bool>(options.customize);
  const bool threads =
      options.background && !inline_scheduler && (ledger_ != nullptr || sessions_ != nullptr);
  auto runtime = builder.Build();
  if (!runtime.ok()) return runtime.status();
  runtime_ = *std::move(runtime);
  // Last, as all else may be refused: it leases money, for good, and sets the pacer's goals.
  if (absl::Status status = Books().Open(nullptr, *catalog_->Pin()); !status.ok()) return status;
  upkeep_ = std::make_unique<internal::Upkeep>(
      internal::Upkeep::Parts{clock_, ledger_, ledger_ != nullptr ? pacer_ : nullptr, book_,
                              models_, sessions_, moments_, inventory_, forget_});
  (void)upkeep_->Tick();  // so that nobody sits out until the first; the ledger's health tells
  if (threads) upkeep_->Start();
  return absl::OkStatus();
}

internal::CampaignBooks Engine::Books() const { return {ledger_.get(), pacer_.get()}; }

absl::Status Engine::Tick() { return upkeep_->Tick(); }

absl::Status Engine::BuildCaps(const EngineOptions& options) {
  FrequencyCapPolicy policy = options.cap_policy;
  if (policy.per_request < 1) return InvalidArgument("cap_policy.per_request must be at least 1");
  const Region* region = options.caps.region;
  if (region != nullptr && !region->path().empty() &&
      policy.hash_key == std::array<uint64_t, 2>{}) {
    return InvalidArgument(
        "cap_policy.hash_key must be given when caps.region outlives the process");
  }
  policy.hash_key = HashKey(options);
  cap_policy_ = std::make_shared<const FrequencyCapPolicy>(std::move(policy));
  FrequencyCapsOptions caps = options.caps;
  caps.clock = clock_;
  caps_ = std::make_shared<FrequencyCaps>(std::move(caps));
  tally_->catalog = catalog_;
  tally_->caps = caps_;
  tally_->cap_policy = cap_policy_;
  tally_->ledger = ledger_;
  tally_->rates = rates_;
  return absl::OkStatus();
}

namespace {

absl::Status CheckListener(const ListenerOptions& o) {
  for (size_t i = 0; i < o.creative.rules.size(); ++i) {
    if (o.creative.rules[i].why == nullptr) {
      return InvalidArgument(fmt::format("listener.creative.rules[{}].why is null", i));
    }
  }
  const auto in = [](double x, double least, double most) { return x >= least && x <= most; };
  if (!in(o.creative.explore, 0, 10)) {
    return InvalidArgument("listener.creative.explore is not in [0, 10]");
  }
  if (!in(o.creative.most, 0, 10)) {
    return InvalidArgument("listener.creative.most is not in [0, 10]");
  }
  for (const float weight : o.pricing.weight) {
    if (!in(weight, 0, 10)) return InvalidArgument("listener.pricing.weight is not in [0, 10]");
  }
  if (!in(o.pricing.least, 1e-6, 1)) {
    return InvalidArgument("listener.pricing.least is not in (0, 1]");
  }
  for (const absl::Duration d :
       {o.timing.longest_wait, o.timing.least_gap, o.timing.asleep_after}) {
    if (d < absl::ZeroDuration()) return InvalidArgument("listener.timing: a time is negative");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Engine::BuildListener(EngineOptions* options) {
  if (!options->listener) return absl::OkStatus();
  if (options->availability.stop_when_certain) {
    return InvalidArgument(
        "availability.stop_when_certain does not go with listener, whose agents lower values");
  }
  if (absl::Status status = CheckListener(*options->listener); !status.ok()) return status;
  SessionsOptions sessions = options->listener->sessions;
  if (options->runtime.inline_scheduler && sessions.hash_key == std::array<uint64_t, 2>{} &&
      (sessions.region == nullptr || sessions.region->path().empty())) {
    sessions.hash_key = {3, 4};
  }
  auto made = Sessions::Create(std::move(sessions), clock_);
  if (!made.ok()) return made.status();
  sessions_ = *std::move(made);
  forget_ = std::move(options->forget);
  listener_ = std::make_shared<const ListenerOptions>(*options->listener);
  creative_ = std::shared_ptr<const CreativeOptions>(listener_, &listener_->creative);
  Region* const region = options->listener->sessions.region;
  privacy_ = std::make_unique<PrivacyBudget>(listener_->privacy, region);
  if (region != nullptr && !region->status().ok()) return region->status();
  if (listener_->inventory) {
    inventory_ = std::make_shared<InventoryForecast>(*listener_->inventory);
  }
  MomentsOptions moments = options->listener->moments;
  moments.ttl = options->outcomes.window * 2 + absl::Minutes(1);  // as the book's own
  // Nobody is found any more when the salt has changed.
  moments.listeners.ttl = std::min(moments.listeners.ttl, options->listener->sessions.salt_period);
  moments_ = std::make_shared<Moments>(moments, clock_);
  options->outcomes.every_action = true;
  options->outcomes.shift = [moments = moments_](uint64_t key, Action action) {
    return moments->ShiftOf(key, action);
  };
  options->outcomes.learns = [moments = moments_, host = std::move(options->outcomes.learns)](
                                 uint64_t key, Action action, float log_odds, bool happened) {
    (void)moments->Learn(key, action, log_odds, happened);
    if (host) host(key, action, log_odds, happened);
  };
  return absl::OkStatus();
}

/// In the order in which each event reaches them: each builds on what the ones before made of it.
void Engine::AddListener(AdRuntime::Builder& builder) const {
  builder.ShareObject(kSessions, sessions_)
      .ShareObject(kMoments, moments_)
      .Add<UserProfile>(listener_->contextual)
      .Add<UserIntent>()
      .Add<Attention>()
      .Add<TimingAgent>(listener_->timing)
      .Add<CreativeAgent>(creative_)
      .Add<Affinity>(creative_->explore)
      .Add<Fatigue>()
      .Add<SessionKeeper>()
      .Add<ProfileKeeper>()
      .Add<IntentKeeper>()
      .Add<AttentionKeeper>()
      .Add<MomentKeeper>();
  if (inventory_ != nullptr) {
    builder.ShareObject(kInventoryForecast, inventory_)
        .Add<Inventory>(listener_->inventory_outlook);
  }
}

CallOptions Engine::Prepare(const Request& request, const CallOptions& options) {
  CallOptions call = options;
  if (request.tmax) call.tmax = std::min(call.tmax, absl::Milliseconds(*request.tmax));
  // Relaxed: ids only have to differ.
  if (call.id == 0) call.id = first_id_ + 1 + next_id_.fetch_add(1, std::memory_order_relaxed);
  return call;
}

void Engine::Finish(Tally& tally, const Request& request, Answer<Decision>* answer) {
  Decision& d = answer->value;
  d.id = answer->id;
  if (d.fallback && !d.bids.empty()) {
    Reserve(request, *tally.catalog->Pin(), *tally.cap_policy, *tally.caps,
            {tally.ledger.get(), tally.rates.get()}, &d);
  }
  d.trace = answer->id;
  d.defaulted = static_cast<int16_t>(std::min(answer->defaulted, 0x7fff));
  d.late = static_cast<int16_t>(std::min(answer->late, 0x7fff));
  if (!d.bids.empty()) {
    d.nbr = Nbr::kNone;
    tally.bids.Add(static_cast<int64_t>(d.bids.size()));
    tally.with_bids.Add(1);
    return;
  }
  d.nbr = NbrOf(answer->verdict, d.nbr);
  tally.no_bids[SlotOf(d.nbr, Tally::kSlots)].Add(1);
}

Answer<Decision> Engine::Decide(const RequestPtr& request, const CallOptions& options) {
  if (!request || request->imps.empty()) {
    Answer<Decision> answer;
    answer.value.nbr = Nbr::kInvalidRequest;
    Finish(*tally_, Request(), &answer);
    return answer;
  }
  const RequestPtr clear = internal::WithConsent(request);
  const CallOptions call = Prepare(*clear, options);
  Answer<Decision> answer = runtime_->Decide(clear, call);
  if (answer.id == 0) answer.id = call.id;
  Finish(*tally_, *clear, &answer);
  return answer;
}

void Engine::DecideAsync(const RequestPtr& request, const CallOptions& options, Callback callback) {
  // Without imps there is nothing to decide: agents find no candidates, and the answer says why.
  const bool valid = request && !request->imps.empty();
  RequestPtr clear = request ? internal::WithConsent(request) : MakeRequest().ptr;
  const CallOptions call = Prepare(*clear, options);
  runtime_->DecideAsync(clear, call,
                        [tally = tally_, id = call.id, valid, clear,
                         callback = std::move(callback)](Answer<Decision> answer) mutable {
                          if (answer.id == 0) answer.id = id;
                          if (!valid) answer.value.nbr = Nbr::kInvalidRequest;
                          Finish(*tally, *clear, &answer);
                          callback(std::move(answer));
                        });
}

absl::Status Engine::Record(const OutcomeEvent& event) {
  absl::Status money;
  if (ledger_ != nullptr) {
    money = Settle(event);
    // What is to be reported again, and what is about no campaign, is told to nobody else. What
    // cannot be charged was heard all the same.
    if (absl::IsResourceExhausted(money) || (!money.ok() && event.campaign == 0)) return money;
    if (pacer_ != nullptr) TellOfAction(event);
  }
  absl::Status told = runtime_->Publish(event, event.decision);
  return money.ok() ? told : money;
}

absl::Status Engine::Play(const PlaybackEvent& event) {
  if (sessions_ == nullptr) return FailedPrecondition("EngineOptions::listener is not set");
  ListenEvent admitted;
  const absl::StatusOr<bool> kept = sessions_->Admit(event, &admitted);
  if (!kept.ok()) return kept.status();
  return *kept ? runtime_->Publish(admitted, admitted.session) : absl::OkStatus();
}

absl::StatusOr<Erased> Engine::Erase(std::string_view listener, std::string_view session) {
  if (sessions_ == nullptr) return FailedPrecondition("EngineOptions::listener is not set");
  std::vector<uint64_t> keys;
  Erased erased;
  erased.sessions = sessions_->Erase(listener, session, &keys);
  // Those of sessions that are gone too: nobody knows any more whose they were.
  const auto gone = [&](uint64_t key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end() ||
           (key != 0 && !sessions_->Contains(key));
  };
  erased.moments = moments_->Purge(gone);
  (void)moments_->PurgeListeners(
      [&](uint64_t key) { return std::find(keys.begin(), keys.end(), key) != keys.end(); });
  if (forget_) forget_(gone);
  return erased;
}

absl::StatusOr<AudienceExport> Engine::ExportAudience(uint32_t milli_epsilon) {
  if (sessions_ == nullptr) return FailedPrecondition("EngineOptions::listener is not set");
  return ads::ExportAudience(*sessions_, milli_epsilon, privacy_.get(), clock_->WallNow());
}

/// The money of an impression or a loss.
absl::Status Engine::Settle(const OutcomeEvent& event) {
  if (event.kind != OutcomeKind::kImpression && event.kind != OutcomeKind::kLoss) {
    return absl::OkStatus();
  }
  if (event.campaign == 0) {
    return InvalidArgument(fmt::format("the {} of bid {} of decision {:x} names no campaign",
                                       Name(event.kind), event.bid, event.decision));
  }
  if (event.kind == OutcomeKind::kLoss) {
    (void)ledger_->Release(ReservationId(event.decision, event.bid, event.campaign),
                           ReleaseCause::kLoss);
    return absl::OkStatus();
  }
  // The account's, which stays when a campaign is in no catalog any more. One that nobody knows is
  // listed by the ledger.
  const Currency currency = ledger_->CurrencyOf(event.campaign).value_or(event.cur);
  Micros cost;
  if (!internal::Budgets{ledger_.get(), rates_.get()}.CostOf(event.price, event.cur, currency,
                                                             &cost)) {
    return InvalidArgument(
        fmt::format("no exchange rate from {} to {}", event.cur.code(), currency.code()));
  }
  const CommitResult committed =
      ledger_->Commit({event.decision, event.bid, event.campaign, cost, currency, event.issued});
  switch (committed.outcome) {
    case CommitOutcome::kWrongCurrency:
    case CommitOutcome::kBadPrice:
      return InvalidArgument(fmt::format("an impression cannot be charged: {} ({} {})",
                                         Name(committed.outcome), event.price.units(),
                                         event.cur.code()));
    case CommitOutcome::kBusy:
      return ResourceExhausted("too many impressions of earlier processes wait for the ledger");
    default:
      break;
  }
  if (pacer_ != nullptr && committed.charged.value > 0) {
    pacer_->OnSpend(event.campaign, committed.charged);
  }
  return absl::OkStatus();
}

/// The actions that a target is about; the catalog says which. Of impressions the ledger knows.
void Engine::TellOfAction(const OutcomeEvent& event) {
  const Action action = ActionOf(event.kind);
  if (action == Action::kNone) return;
  const uint64_t campaign =
      event.campaign != 0 ? event.campaign : book_->CampaignOf(event.decision, event.bid);
  const ActionResult known = ledger_->NoteAction(event.decision, event.bid, campaign, action);
  if (known == ActionResult::kUnknown) tally_->actions_unknown.Add(1);
  if (known != ActionResult::kFirst) return;
  const CatalogPin catalog = catalog_->Pin();
  const auto index = catalog->FindKey(campaign);
  if (index && catalog->campaign(*index).pacing.per == action) pacer_->OnAction(campaign);
}

size_t Engine::SettleOutcomes() { return book_->Settle(clock_->Now(), models_.get()); }

/// Asked before the books are opened for a catalog, so that none is refused afterwards, when money
/// is leased already: what is free stays so, as only the holder of catalog_writer_ publishes.
absl::Status Engine::RoomForCatalog() {
  catalog_->Collect();
  if (catalog_->versions_alive() < static_cast<int>(Snapshot<Catalog>::kVersions)) {
    return absl::OkStatus();
  }
  return ResourceExhausted("15 older catalogs are still in use");
}

absl::Status Engine::SwapCatalog(std::unique_ptr<const Catalog> catalog) {
  if (catalog == nullptr) return InvalidArgument("the catalog is null");
  const std::lock_guard<std::mutex> lock(catalog_writer_);
  absl::Status status = RoomForCatalog();
  if (!status.ok()) return status;
  const CatalogPin before = catalog_->Pin();
  status = Books().Open(&*before, *catalog);
  if (!status.ok()) return status;
  swapped_while_merging_ = merging_;
  status = catalog_->Publish(std::move(catalog));
  if (!status.ok()) return status;
  Books().Close(*before, *catalog_->Pin());
  return status;
}

absl::Status Engine::ChangeCatalog(CatalogChange change) {
  const std::lock_guard<std::mutex> lock(catalog_writer_);
  CatalogChange kept;
  if (merging_) kept = change;
  std::vector<std::string> put;
  if (ledger_ != nullptr) {
    for (const Campaign& c : change.put) put.push_back(c.id);
  }
  const std::vector<std::string> removed = change.remove;
  const CatalogPin before = catalog_->Pin();
  auto next = before->With(std::move(change));
  if (!next.ok()) return next.status();
  absl::Status status = RoomForCatalog();
  if (!status.ok()) return status;
  status = Books().Open(&*before, **next, put);
  if (!status.ok()) return status;
  status = catalog_->Publish(*std::move(next));
  if (status.ok()) Books().Close(*catalog_->Pin(), removed);
  if (status.ok() && merging_) changed_while_merging_.push_back(std::move(kept));
  return status;
}

absl::Status Engine::MergeCatalog() {
  CatalogPin old;
  {
    const std::lock_guard<std::mutex> lock(catalog_writer_);
    if (merging_) return FailedPrecondition("the catalog is being merged already");
    old = catalog_->Pin();
    if (old->changed() == 0) return absl::OkStatus();
    merging_ = true;
    swapped_while_merging_ = false;
    changed_while_merging_.clear();
  }
  std::unique_ptr<const Catalog> merged = old->Rebuilt();
  absl::Status status;
  {
    const std::lock_guard<std::mutex> lock(catalog_writer_);
    merging_ = false;
    if (swapped_while_merging_)
      return MakeStatus(absl::StatusCode::kAborted, "the catalog was swapped while it was merged");
    for (CatalogChange& change : changed_while_merging_) {
      auto next = merged->With(std::move(change));
      if (!next.ok()) return next.status();  // it was fine with the same campaigns before
      merged = *std::move(next);
    }
    changed_while_merging_.clear();
    status = catalog_->Publish(std::move(merged));
  }
  // Tearing down the old one takes a while: here, not in somebody's change.
  old = CatalogPin();
  catalog_->Collect();
  return status;
}

absl::Status Engine::SetCampaignEnabled(std::string_view campaign_id, bool enabled) {
  const uint64_t key = StableHash64(campaign_id);
  if (!enabled) return switches_->Kill(key);
  switches_->Revive(key);
  return absl::OkStatus();
}

std::string Engine::WhyNot(const RequestPtr& request, std::string_view campaign_id) const {
  if (!request) return "there is no request\n";
  const RequestPtr clear = internal::WithConsent(request);
  std::string text = internal::WhyNot({*clear,
                                       catalog_->Pin(),
                                       *switches_,
                                       *models_,
                                       *rates_,
                                       availability_,
                                       auction_,
                                       clock_->WallNow(),
                                       *caps_,
                                       *cap_policy_,
                                       clock_->Now(),
                                       {ledger_.get(), rates_.get()},
                                       pacer_.get(),
                                       sessions_.get(),
                                       moments_.get(),
                                       listener_.get()},
                                      campaign_id);
  if (customized_) text += "agents of EngineOptions::customize were not asked; they may differ\n";
  return text;
}

std::string Engine::Explain(const Answer<Decision>& answer) const {
  if (answer.trace == nullptr) return "no trace: ask for it with CallOptions::explain\n";
  const CatalogPin catalog = catalog_->Pin();
  return answer.trace->InWords([&](const Reason& reason) {
    if (reason.code != nullptr && reasons::IsAboutImp(*reason.code)) {
      return fmt::format("#{}", reason.subject);
    }
    const auto index = catalog->FindKey(reason.subject);
    if (!index) return fmt::format("{}", reason.subject);
    const Campaign& campaign = catalog->campaign(*index);
    return fmt::format("'{}' ({})", campaign.name, campaign.id);
  });
}

EngineStats Engine::GetStats() const {
  EngineStats stats;
  stats.runtime = runtime_->GetStats();
  stats.bids = static_cast<uint64_t>(tally_->bids.Sum());
  stats.decisions_with_bids = static_cast<uint64_t>(tally_->with_bids.Sum());
  for (size_t slot = 0; slot < Tally::kSlots; ++slot) {
    const auto count = static_cast<uint64_t>(tally_->no_bids[slot].Sum());
    if (count > 0) stats.no_bids.emplace_back(NbrOf(slot, Tally::kSlots), count);
  }
  stats.catalog_version = catalog_->version();
  const CatalogPin catalog = catalog_->Pin();
  stats.campaigns = catalog->size();
  stats.catalog_changes = catalog->changed();
  stats.switched_off = switches_->size();
  stats.outcomes_waiting = book_->waiting();
  stats.actions_unknown = static_cast<uint64_t>(tally_->actions_unknown.Sum());
  stats.caps = caps_->counts();
  if (sessions_ != nullptr) stats.sessions = sessions_->counts();
  return stats;
}

ShutdownReport Engine::Shutdown(absl::Duration grace) {
  upkeep_->AskToStop();
  const ShutdownReport report = runtime_->Shutdown(grace);  // answers do not wait for storage
  upkeep_->Stop();
  return report;
}

}  // namespace adagents::ads
