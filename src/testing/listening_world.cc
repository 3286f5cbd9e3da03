#include "adagents/testing/listening_world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>

#include "adagents/base/status.h"
#include "fmt/format.h"
#include "testing/listening_population.h"
#include "testing/listening_random.h"
#include "testing/listening_session.h"

namespace adagents::testing {
namespace {

using internal::Decayed;
using internal::Heard;
using internal::ListenerTraits;
using internal::Purpose;
using internal::Session;
using internal::SessionPlan;
using internal::Spot;
using internal::Step;
using internal::Stream;
using internal::Visitor;

constexpr int64_t kHour = 3'600'000, kDay = 24 * kHour;  // milliseconds
constexpr int32_t kFirstPrice = 1, kSecondPrice = 2;
constexpr Micros kStep{Micros::kUnit / 100};  // above the second price
constexpr double kRivalSeesScreen = 1.3;      // times the median
constexpr double kMuteAbove = 0.5, kMutes = 0.5;
constexpr double kBotClick = 0.005, kFarmClick = 0.3;
constexpr size_t kBotListeners = 50;
constexpr uint64_t kBotsFrom = uint64_t{1} << 32;  // numbers of their listeners

/// Starts of sessions by hour, UTC.
constexpr std::array<double, 24> kStarts = {2, 1, 1, 1, 1, 2, 4, 6, 6, 5, 4, 4,
                                            4, 4, 4, 5, 6, 6, 5, 5, 6, 6, 5, 4};

int64_t Millis(absl::Duration d) { return d / absl::Milliseconds(1); }
const int64_t kForgets = Millis(kForgetsHalf);

Visitor VisitorOf(double draw, const ListeningOptions& options) {
  if (draw < options.bots) return Visitor::kBot;
  return draw < options.bots + options.click_farms ? Visitor::kClickFarm : Visitor::kHuman;
}

/// All sessions by their start. No listener has two within three hours, but in a crowd of few.
std::vector<SessionPlan> PlanSessions(const ListeningOptions& options, int64_t begin) {
  constexpr int64_t kApart = 3 * kHour;
  constexpr int kTries = 16;
  std::vector<SessionPlan> plans(options.sessions);
  for (size_t i = 0; i < plans.size(); ++i) {
    Random random = Stream(options.seed, i, 0, Purpose::kStarts);
    const auto day = static_cast<int64_t>(static_cast<double>(i) / options.sessions_a_day);
    const auto hour = static_cast<int64_t>(internal::Pick(random, kStarts));
    plans[i].start = begin + day * kDay + hour * kHour +
                     static_cast<int64_t>(random.Uniform() * static_cast<double>(kHour));
  }
  std::stable_sort(plans.begin(), plans.end(),
                   [](const SessionPlan& a, const SessionPlan& b) { return a.start < b.start; });
  std::vector<int64_t> last(options.listeners, begin - kApart);
  for (size_t i = 0; i < plans.size(); ++i) {
    SessionPlan& plan = plans[i];
    plan.number = i + 1;
    Random random = Stream(options.seed, plan.number, 1, Purpose::kStarts);
    plan.visitor = VisitorOf(random.Uniform(), options);
    if (plan.visitor != Visitor::kHuman) {
      plan.listener = kBotsFrom + random.Below(kBotListeners);
      continue;
    }
    for (int t = 0; t < kTries; ++t) {
      // Some listen more than others.
      const double u = random.Uniform();
      plan.listener =
          static_cast<uint64_t>(std::pow(u, 1.5) * static_cast<double>(options.listeners));
      if (plan.start - last[plan.listener] >= kApart) break;
    }
    last[plan.listener] = plan.start;
  }
  return plans;
}

absl::Status Check(const ListeningOptions& o) {
  const auto share = [](std::string_view name, double value) {
    if (value >= 0 && value <= 1) return absl::OkStatus();
    return InvalidArgument(fmt::format("{} must be from 0 to 1, got {:g}", name, value));
  };
  for (const auto& [name, value] : {std::pair<std::string_view, double>{"structure", o.structure},
                                    {"flat.click", o.flat.click},
                                    {"flat.completion", o.flat.completion},
                                    {"flat.conversion", o.flat.conversion},
                                    {"flat.recall", o.flat.recall},
                                    {"podcasts", o.podcasts},
                                    {"first_price", o.first_price},
                                    {"bots", o.bots},
                                    {"click_farms", o.click_farms},
                                    {"bots and click_farms together", o.bots + o.click_farms},
                                    {"lost", o.lost},
                                    {"doubled", o.doubled},
                                    {"very_late", o.very_late}}) {
    if (absl::Status status = share(name, value); !status.ok()) return status;
  }
  if (o.sessions < 1) return InvalidArgument("sessions must be at least 1");
  if (o.listeners < 1) return InvalidArgument("listeners must be at least 1");
  if (!(o.sessions_a_day > 0)) return InvalidArgument("sessions_a_day must be above 0");
  if (o.brands < 1 || o.brands > 2 * internal::kMostCategories) {
    return InvalidArgument(fmt::format("brands must be from 1 to 100, got {}", o.brands));
  }
  if (o.floor.value < 0) return InvalidArgument("floor must not be negative");
  if (o.rival_median.value < 1) return InvalidArgument("rival_median must be above 0");
  if (!(o.rival_sigma >= 0 && o.rival_sigma <= 5)) {
    return InvalidArgument(fmt::format("rival_sigma must be from 0 to 5, got {:g}", o.rival_sigma));
  }
  for (const auto& [name, delay] :
       {std::pair<std::string_view, absl::Duration>{"impression_delay", o.impression_delay},
        {"click_delay", o.click_delay},
        {"conversion_delay", o.conversion_delay},
        {"late_delay", o.late_delay}}) {
    if (delay >= absl::ZeroDuration() && delay <= absl::Hours(24 * 30)) continue;
    return InvalidArgument(fmt::format("{} must be from 0 to 30 days", name));
  }
  return absl::OkStatus();
}

/// Notices and sessions' next steps, the earliest first, at equal times in the order in which they
/// were scheduled.
template <class T>
struct Scheduled {
  int64_t at = 0;
  uint64_t order = 0;
  T what{};
  bool operator<(const Scheduled& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};
struct Notice {
  ads::OutcomeEvent outcome;
  uint64_t session = 0;
  uint32_t slot = 0;
  bool repeated = false;
};

}  // namespace

std::vector<std::string_view> ListeningWorldNames() {
  return {"music", "direct", "podcasts", "flat"};
}

absl::StatusOr<ListeningOptions> ListeningOptionsOf(std::string_view world) {
  ListeningOptions options;
  if (world == "music") return options;
  if (world == "direct") {
    options.clicks_only = true;
    options.rivals = false;
    options.floor = kStep;
    return options;
  }
  if (world == "flat") {
    options.structure = 0;
    return options;
  }
  if (world == "podcasts") {
    options.podcasts = 0.7;
    options.first_price = 0.7;
    options.bots = 0.04;
    options.click_farms = 0.02;
    options.flat = {0.0295, 0.848, 0.092, 0.325};
    return options;
  }
  std::string names;
  for (const std::string_view name : ListeningWorldNames()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return absl::NotFoundError(fmt::format("no world is named '{}'; there are {}", world, names));
}

struct ListeningWorld::State {
  const ListeningOptions options;
  VirtualClock* const clock;
  std::vector<Spot> spots;
  std::unordered_map<uint64_t, uint32_t> by_key;
  std::vector<SessionPlan> plans;
  size_t started = 0;
  std::unordered_map<uint64_t, ListenerTraits> traits;              // by listener
  std::unordered_map<uint64_t, std::vector<Heard>> heard;           // by listener
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions;  // by number, those under way
  std::priority_queue<Scheduled<uint64_t>> steps;                   // of sessions
  std::priority_queue<Scheduled<Notice>> notices;
  uint64_t order = 0;
  ListeningTruth truth;

  Session* current = nullptr;  // whose step Next() returned last
  bool open = false;           // that step is a request without an answer

  State(const ListeningOptions& o, VirtualClock* c) : options(o), clock(c) {
    spots = internal::MakeSpots(o.seed, o.brands);
    for (uint32_t i = 0; i < spots.size(); ++i) by_key[spots[i].key] = i;
    plans = PlanSessions(o, absl::ToUnixMillis(c->WallNow()));
  }

  void MoveTo(int64_t at) { clock->Advance(absl::FromUnixMillis(at) - clock->WallNow()); }
  int64_t now() const { return current->next()->at; }
  const Step& step() const { return *current->next(); }

  void Start(const SessionPlan& plan);
  void Leave();
  ads::RequestPtr MakeRequest(const Session& session, const Step& step) const;
  HiddenMoment MomentWith(const Spot& spot) const;
  Response OddsOf(const Spot& spot) const;
  double TimesHeard(uint64_t key) const;
  void Hear(uint64_t key);
  bool HeardLately(const Spot& spot) const;
  void Play(const AdTraits& ad, const HiddenMoment& moment, double share);
  void Send(Random& random, const Notice& notice, ads::OutcomeKind kind, int64_t at);
  void Settle(const ads::Decision& decision, uint32_t spot, Micros price, Shown* shown);
};

void ListeningWorld::State::Start(const SessionPlan& plan) {
  auto [listener, fresh] = traits.try_emplace(plan.listener);
  if (fresh) listener->second = internal::MakeListener(options.seed, plan.listener);
  auto session = std::make_unique<Session>(options, plan, &listener->second);
  session->consent = MakeRequest(*session, *session->next())->consent;
  steps.push({session->next()->at, order++, plan.number});
  sessions[plan.number] = std::move(session);
}

/// The current step is done: schedules the session's next, or ends it.
void ListeningWorld::State::Leave() {
  if (current == nullptr) return;
  Session* session = std::exchange(current, nullptr);
  open = false;
  const int64_t at = session->next()->at;
  session->Advance();
  if (const Step* next = session->next(); next != nullptr) {
    steps.push({next->at, order++, session->plan().number});
    return;
  }
  if (session->human()) {
    ++truth.sessions;
    truth.hours += static_cast<double>(at - session->plan().start) / static_cast<double>(kHour);
    truth.tracks += session->tracks();
    truth.skips += session->skips();
  }
  sessions.erase(session->plan().number);
}

ads::RequestPtr ListeningWorld::State::MakeRequest(const Session& session, const Step& step) const {
  const ListenerTraits& listener = session.traits();
  const internal::Country& country = internal::kCountries[listener.country];
  const uint64_t number = session.plan().number;
  ads::NewRequest made = ads::MakeRequest();
  ads::Request& r = *made.request;
  ads::Arena& arena = *made.arena;

  ads::Audio audio;
  audio.mimes = arena.Copy<ads::Text>({"audio/mpeg"});
  audio.minduration = 5;
  audio.maxduration = 30;
  audio.startdelay = step.where == SlotKind::kBetweenSongs ? 0
                     : step.where == SlotKind::kTransition ? -1
                                                           : std::max(1, step.position_ms / 1000);
  ads::Imp imp;
  imp.id = "1";
  imp.tagid = Name(step.where);
  imp.bidfloor = options.floor;
  imp.audio = arena.New(audio);
  if (session.screen()) {
    ads::Video video;
    video.mimes = arena.Copy<ads::Text>({"video/mp4"});
    video.minduration = 5;
    video.maxduration = 30;
    video.w = 640;
    video.h = 360;
    video.startdelay = audio.startdelay;
    imp.video = arena.New(video);
  }
  r.id = arena.Copy(fmt::format("r{}-{}", number, session.slot_number(step.where)));
  r.imps = arena.Copy({imp});
  r.at = session.first_price() ? kFirstPrice : kSecondPrice;
  r.channel.kind = ads::ChannelKind::kApp;
  r.channel.bundle = "fm.radio";
  r.channel.name = "Radio";
  r.channel.content.genre = session.genre_name();
  r.channel.content.len = session.duration_ms() / 1000;
  r.channel.content.language = "en";
  if (session.podcast()) r.channel.content.series = "a podcast";
  r.device.devicetype = session.devicetype();
  r.device.os = listener.android ? "Android" : "iOS";
  r.device.language = "en";
  r.device.lmt = listener.limits && session.human();
  r.device.geo.country = country.code;
  r.device.geo.region = country.region;
  r.device.geo.utcoffset = country.utcoffset;
  const uint64_t host = Mix64(session.plan().listener);
  r.device.ip =
      arena.Copy(session.human() ? fmt::format("198.18.{}.{}", host >> 8 & 0xff, host & 0xff)
                                 : fmt::format("203.0.113.{}", host & 0x1f));
  r.user.id = arena.Copy(session.user());
  r.user.eids = arena.Copy(
      {ads::Eid{kSessionSource, arena.Copy({ads::Uid{arena.Copy(session.name()), {}}})}});
  r.consent = ads::ComputeConsent(r);
  return made.ptr;
}

double ListeningWorld::State::TimesHeard(uint64_t key) const {
  const auto found = heard.find(current->plan().listener);
  if (found == heard.end()) return 0;
  for (const Heard& h : found->second) {
    if (h.key == key) return Decayed(h.times, now() - h.at, kForgets);
  }
  return 0;
}

void ListeningWorld::State::Hear(uint64_t key) {
  auto& list = heard[current->plan().listener];
  for (Heard& h : list) {
    if (h.key != key) continue;
    h.times = 1 + Decayed(h.times, now() - h.at, kForgets);
    h.at = now();
    return;
  }
  list.push_back({key, 1, now()});
}

bool ListeningWorld::State::HeardLately(const Spot& spot) const {
  const auto found = heard.find(current->plan().listener);
  if (found == heard.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const Heard& h) { return h.key == spot.brand && now() - h.at < kHour; });
}

HiddenMoment ListeningWorld::State::MomentWith(const Spot& spot) const {
  HiddenMoment m = current->MomentAt(now(), step().where);
  m.interest = current->traits().interest[spot.category] *
               internal::Affinity(options.seed, current->genre(), spot.category);
  m.heard_brand = TimesHeard(spot.brand);
  m.heard_creative = TimesHeard(spot.key);
  return m;
}

Response ListeningWorld::State::OddsOf(const Spot& spot) const {
  if (!current->human()) return {};
  return Mixed(TrueResponse(MomentWith(spot), spot.traits), options.flat, options.structure);
}

/// An ad is heard, of which the listener stays for `share`.
void ListeningWorld::State::Play(const AdTraits& ad, const HiddenMoment& moment, double share) {
  current->Annoy(options.structure * Annoyance(moment, ad), now());
  current->AddLoad(now());
  current->Played(static_cast<int64_t>(share * ad.seconds * 1000));
}

/// Schedules a notice for `at`, unless it is lost; perhaps twice, perhaps much later.
void ListeningWorld::State::Send(Random& random, const Notice& notice, ads::OutcomeKind kind,
                                 int64_t at) {
  Notice sent = notice;
  sent.outcome.kind = kind;
  const bool late = random.Chance(options.very_late);
  const double later = internal::Exponential(random);
  if (late) {
    at += static_cast<int64_t>(later * static_cast<double>(Millis(options.late_delay)));
    ++truth.notices_late;
  }
  const bool lost = random.Chance(options.lost), doubled = random.Chance(options.doubled);
  const double again = internal::Exponential(random);
  if (lost) {
    ++truth.notices_lost;
    return;
  }
  notices.push({at, order++, sent});
  if (!doubled) return;
  ++truth.notices_doubled;
  sent.repeated = true;
  notices.push({at + static_cast<int64_t>(again * 20'000), order++, sent});
}

/// The bid has won at `price`: it is heard, and what follows is drawn and told.
void ListeningWorld::State::Settle(const ads::Decision& decision, uint32_t index, Micros price,
                                   Shown* shown) {
  const Spot& spot = spots[index];
  const uint64_t session = current->plan().number;
  const uint32_t slot = current->slot_number(step().where);
  shown->won = true;
  shown->price = price;
  shown->campaign = spot.brand;
  shown->creative = index;
  shown->odds = OddsOf(spot);
  shown->moment = MomentWith(spot);
  shown->unsuitable = Unsuitable(shown->moment, spot.traits);
  shown->repeat = HeardLately(spot);
  const auto draw = [&](Purpose purpose) {
    return Stream(options.seed, session, slot, purpose).Uniform();
  };
  const Visitor visitor = current->plan().visitor;
  const double click = visitor == Visitor::kHuman ? shown->odds.click
                       : visitor == Visitor::kBot ? kBotClick
                                                  : kFarmClick;
  const double completion = visitor == Visitor::kHuman ? shown->odds.completion : 1.0;
  shown->clicked = draw(Purpose::kClick) < click;
  shown->completed = draw(Purpose::kCompletion) < completion;
  shown->converted = shown->clicked && draw(Purpose::kConversion) < shown->odds.conversion;

  Random random = Stream(options.seed, session, slot, Purpose::kNotice);
  const auto after = [&](absl::Duration mean) {
    return static_cast<int64_t>(internal::Exponential(random) * static_cast<double>(Millis(mean)));
  };
  const ads::Bid& bid = decision.bids[0];
  Notice notice{{decision.id, 0, ads::OutcomeKind::kImpression, bid.campaign->key, price, bid.cur,
                 absl::FromUnixMillis(now())},
                session,
                slot};
  const int64_t heard_at = now() + after(options.impression_delay);
  const int64_t clicked_at = heard_at + after(options.click_delay);
  const int64_t converted_at = clicked_at + after(options.conversion_delay);
  Send(random, notice, ads::OutcomeKind::kImpression, heard_at);
  if (shown->clicked) Send(random, notice, ads::OutcomeKind::kClick, clicked_at);
  if (shown->completed) {
    Send(random, notice, ads::OutcomeKind::kCompletion,
         heard_at + static_cast<int64_t>(spot.traits.seconds * 1000));
  }
  if (shown->converted) Send(random, notice, ads::OutcomeKind::kConversion, converted_at);

  Hear(spot.brand);
  Hear(spot.key);
  Play(spot.traits, shown->moment, shown->completed ? 1.0 : 0.5);
  const bool upset =
      current->MomentAt(now(), step().where).irritation > kMuteAbove && !shown->completed;
  if (current->human() && upset && draw(Purpose::kReaction) < kMutes) current->Mute();
}

ListeningWorld::ListeningWorld(std::unique_ptr<State> state) : state_(std::move(state)) {}
ListeningWorld::~ListeningWorld() = default;

absl::StatusOr<std::unique_ptr<ListeningWorld>> ListeningWorld::Create(
    const ListeningOptions& options, VirtualClock* clock) {
  if (clock == nullptr) return InvalidArgument("clock is null");
  if (absl::Status status = Check(options); !status.ok()) return status;
  return std::unique_ptr<ListeningWorld>(
      new ListeningWorld(std::make_unique<State>(options, clock)));
}

std::unique_ptr<const ads::Catalog> ListeningWorld::MakeCatalog() const {
  auto catalog = ads::Catalog::Build(
      internal::MakeCampaigns(state_->options.seed, state_->spots, state_->options.clicks_only));
  return catalog.ok() ? *std::move(catalog) : nullptr;
}

size_t ListeningWorld::creatives() const { return state_->spots.size(); }

std::optional<uint32_t> ListeningWorld::FindCreative(uint64_t key) const {
  const auto found = state_->by_key.find(key);
  return found == state_->by_key.end() ? std::nullopt : std::optional(found->second);
}

const AdTraits& ListeningWorld::traits(uint32_t creative) const {
  return state_->spots[creative].traits;
}

bool ListeningWorld::Next(ListeningEvent* event) {
  State& s = *state_;
  s.Leave();
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  while (s.started < s.plans.size() &&
         (s.steps.empty() || s.plans[s.started].start <= s.steps.top().at)) {
    s.Start(s.plans[s.started++]);
  }
  const int64_t step = s.steps.empty() ? kNever : s.steps.top().at;
  const int64_t notice = s.notices.empty() ? kNever : s.notices.top().at;
  if (step == kNever && notice == kNever) return false;
  *event = ListeningEvent();
  if (notice <= step) {
    const Notice& told = s.notices.top().what;
    event->kind = ListeningEvent::Kind::kOutcome;
    event->session = told.session;
    event->slot = told.slot;
    event->outcome = told.outcome;
    event->repeated = told.repeated;
    s.notices.pop();
    s.MoveTo(notice);
    event->at = absl::FromUnixMillis(notice);
    return true;
  }
  s.current = s.sessions.at(s.steps.top().what).get();
  s.steps.pop();
  s.MoveTo(step);
  event->at = absl::FromUnixMillis(step);
  event->session = s.current->plan().number;
  const Step& what = s.step();
  if (!what.slot) {
    s.current->Describe(what, &event->playback);
    return true;
  }
  event->kind = ListeningEvent::Kind::kRequest;
  event->slot = s.current->slot_number(what.where);
  event->request = s.MakeRequest(*s.current, what);
  s.open = true;
  ++(s.current->human() ? s.truth.requests : s.truth.requests_of_bots);
  return true;
}

absl::StatusOr<Shown> ListeningWorld::Answer(const ads::Decision& decision) {
  State& s = *state_;
  if (!s.open) return FailedPrecondition("there is no request that has no answer");
  Shown shown;
  shown.human = s.current->human();
  std::optional<uint32_t> spot;
  const ads::Bid* bid = decision.bids.empty() ? nullptr : &decision.bids[0];
  if (bid != nullptr) {
    spot = FindCreative(CombineHash(bid->campaign->key, StableHash64(bid->creative->id)));
    if (!spot) return InvalidArgument("the bid is for a creative that is not of MakeCatalog()");
    if (!(bid->cur == Currency())) return InvalidArgument("the bid is not in USD");
  }
  s.open = false;
  const uint64_t session = s.current->plan().number;
  const uint32_t slot = s.current->slot_number(s.step().where);
  Random random = Stream(s.options.seed, session, slot, Purpose::kRival);
  const double median = static_cast<double>(s.options.rival_median.value) *
                        (s.current->screen() ? kRivalSeesScreen : 1.0);
  const double drawn = median * internal::Lognormal(random, s.options.rival_sigma);
  const Micros rival{s.options.rivals ? static_cast<int64_t>(std::min(9e15, drawn)) : 0};
  const Micros floor = s.options.floor;
  if (bid != nullptr && bid->price >= rival && bid->price >= floor) {
    shown.bid = true;
    const Micros second = std::min(bid->price, std::max(floor, rival + kStep));
    s.Settle(decision, *spot, s.current->first_price() ? bid->price : second, &shown);
    return shown;
  }
  shown.moment = s.current->MomentAt(s.now(), s.step().where);
  if (bid != nullptr) {
    shown.bid = true;
    Random notices = Stream(s.options.seed, session, slot, Purpose::kNotice);
    const Notice notice{{decision.id, 0, ads::OutcomeKind::kLoss, bid->campaign->key, rival,
                         bid->cur, absl::FromUnixMillis(s.now())},
                        session,
                        slot};
    s.Send(notices, notice, ads::OutcomeKind::kLoss, s.now() + 300);
  }
  // In the middle of a song nobody waits for an ad: with no bid of ours the rival's is not heard
  // there either, and the break stays due.
  const bool waits = bid == nullptr && s.step().where == SlotKind::kMidSong;
  if (s.options.rivals && rival >= floor && !waits) {
    s.Play(internal::RivalsAd(s.options.seed, session, slot), shown.moment, 1.0);
  }
  return shown;
}

Response ListeningWorld::Odds(uint32_t creative) const {
  return state_->OddsOf(state_->spots[creative]);
}
HiddenMoment ListeningWorld::Moment(uint32_t creative) const {
  return state_->MomentWith(state_->spots[creative]);
}
bool ListeningWorld::human() const { return state_->current->human(); }
const ListeningTruth& ListeningWorld::truth() const { return state_->truth; }

}  // namespace adagents::testing
