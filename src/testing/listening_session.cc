#include "testing/listening_session.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fmt/format.h"

namespace adagents::testing::internal {
namespace {

using ads::PlaybackKind;

constexpr int32_t kPc = 2, kPhone = 4, kTablet = 5, kSpeaker = 6;  // AdCOM's device types
constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute;          // milliseconds
const int64_t kCalms = kCalmsHalf / absl::Milliseconds(1);
const int64_t kUnloads = kLoadHalf / absl::Milliseconds(1);

template <class T>
using PerActivity = std::array<T, kActivities>;  // commute, workout, focus, chores, party, bedtime

/// What people do, by the local hour.
struct Daypart {
  int until;  // hour
  PerActivity<double> weights;
};
constexpr std::array<Daypart, 6> kDayparts = {{
    {6, {0.05, 0.00, 0.15, 0.05, 0.15, 0.60}},
    {9, {0.45, 0.20, 0.10, 0.20, 0.00, 0.05}},
    {16, {0.08, 0.10, 0.55, 0.25, 0.00, 0.02}},
    {19, {0.45, 0.20, 0.10, 0.20, 0.05, 0.00}},
    {22, {0.08, 0.12, 0.15, 0.35, 0.20, 0.10}},
    {24, {0.05, 0.02, 0.13, 0.10, 0.15, 0.55}},
}};

constexpr PerActivity<double> kEnergy = {0.55, 0.90, 0.40, 0.65, 0.85, 0.12};
constexpr PerActivity<double> kAttention = {0.55, 0.30, 0.35, 0.45, 0.35, 0.40};
constexpr PerActivity<double> kVolume = {0.70, 0.85, 0.40, 0.65, 0.90, 0.20};
constexpr PerActivity<double> kScreenOn = {0.40, 0.10, 0.35, 0.15, 0.25, 0.30};
constexpr double kEnergyPull = 0.3, kEnergyNoise = 0.08;
constexpr double kValenceNoise = 0.10, kValencePull = 0.2;
constexpr double kAttentionMemory = 0.7, kAttentionNoise = 0.12;
constexpr double kPodcastAttention = 0.2, kScreenAttention = 0.25, kLapse = 0.12;
constexpr double kDrift = 0.06;
constexpr double kBreak = 0.6, kWithin = 1.0 / 6;
constexpr uint32_t kLeastSongs = 2, kMostItems = 20;

template <class T>
T Of(const PerActivity<T>& values, Activity activity) {
  return values[static_cast<size_t>(activity)];
}

/// Weights of phone, tablet, pc, speaker.
constexpr PerActivity<std::array<double, 4>> kDevices = {{{0.95, 0.05, 0.00, 0.00},
                                                          {0.97, 0.00, 0.00, 0.03},
                                                          {0.30, 0.10, 0.55, 0.05},
                                                          {0.45, 0.10, 0.05, 0.40},
                                                          {0.40, 0.05, 0.10, 0.45},
                                                          {0.70, 0.10, 0.00, 0.20}}};
constexpr std::array<int32_t, 4> kDeviceTypes = {kPhone, kTablet, kPc, kSpeaker};

constexpr std::array<std::string_view, 6> kMoods = {"calm",    "energetic", "happy",
                                                    "focused", "sad",       "party"};

std::string_view MoodOf(Activity activity, double valence) {
  switch (activity) {
    case Activity::kWorkout:
      return "energetic";
    case Activity::kFocus:
      return "focused";
    case Activity::kParty:
      return "party";
    case Activity::kBedtime:
      return "calm";
    case Activity::kCommute:
    case Activity::kChores:
      break;
  }
  if (valence < 0.35) return "sad";
  return valence > 0.6 ? "happy" : "";
}

double Clamp(double x) { return std::clamp(x, 0.02, 1.0); }

}  // namespace

Session::Session(const ListeningOptions& options, const SessionPlan& plan,
                 const ListenerTraits* traits)
    : options_(options),
      plan_(plan),
      traits_(traits),
      name_(fmt::format("session-{}-{}", options.seed, plan.number)),
      irritated_at_(plan.start),
      loaded_at_(plan.start),
      now_(plan.start) {
  Random random = StreamOf(0, Purpose::kSession);
  podcast_ = random.Chance(options.podcasts);
  first_price_ = random.Chance(options.first_price);
  const int64_t local = plan.start + kCountries[traits->country].utcoffset * kMinute;
  const auto hour = static_cast<int>(local / kHour % 24);
  for (const Daypart& part : kDayparts) {
    if (hour >= part.until) continue;
    activities_ = part.weights;
    break;
  }
  activity_ = static_cast<Activity>(Pick(random, activities_));
  energy_ = Clamp(Of(kEnergy, activity_) + 0.1 * random.Normal());
  valence_ = Clamp(traits->valence + 0.15 * random.Normal());
  steady_attention_ = Clamp(Of(kAttention, activity_) + 0.15 * random.Normal());
  devicetype_ = kDeviceTypes[Pick(random, Of(kDevices, activity_))];
  volume_ = Clamp(Of(kVolume, activity_) + 0.1 * random.Normal());
  screen_ = devicetype_ != kSpeaker && random.Chance(0.6);  // it was touched to begin
  if (human() && traits->identified) {
    user_ = fmt::format("listener-{}", plan.listener);
  } else if (!human()) {
    user_ = fmt::format("visitor-{}", CombineHash(options.seed, plan.number) % 1'000'000);
  }
  attention_ = steady_attention_;
  steps_.push_back({.at = now_,
                    .kind = PlaybackKind::kSessionStart,
                    .volume = static_cast<float>(volume_),
                    .screen = static_cast<int8_t>(screen_ ? 1 : 0)});
  at_boundary_ = true;
}

Random Session::StreamOf(uint64_t index, Purpose purpose) const {
  return Stream(options_.seed, plan_.number, index, purpose);
}

void Session::Advance() {
  if (steps_[at_++].kind == PlaybackKind::kSessionEnd || at_ < steps_.size()) return;
  steps_.clear();
  at_ = 0;
  if (at_boundary_) {
    PlanItem();
  } else {
    PlanBoundary();
    if (steps_.empty()) PlanItem();
  }
}

void Session::Played(int64_t ad_ms) {
  due_ = false;
  for (size_t i = at_ + 1; i < steps_.size(); ++i) steps_[i].at += ad_ms;
  now_ += ad_ms;
}

void Session::Mute() { mute_ = true; }

/// The hidden state goes on: by the item alone, whatever was heard.
void Session::Evolve() {
  Random random = StreamOf(item_, Purpose::kDrift);
  activity_changed_ = item_ > 0 && random.Chance(kDrift);
  if (activity_changed_) activity_ = static_cast<Activity>(Pick(random, activities_));
  energy_ = Clamp(energy_ + kEnergyPull * (Of(kEnergy, activity_) - energy_) +
                  kEnergyNoise * random.Normal());
  valence_ = Clamp(valence_ + kValencePull * (traits_->valence - valence_) +
                   kValenceNoise * random.Normal());
  if (devicetype_ != kSpeaker && random.Chance(0.35)) {
    screen_ = random.Chance(Of(kScreenOn, activity_));
  }
  const double usual = Of(kAttention, activity_) + (podcast_ ? kPodcastAttention : 0) +
                       (screen_ ? kScreenAttention : 0);
  steady_attention_ = Clamp(kAttentionMemory * steady_attention_ + (1 - kAttentionMemory) * usual +
                            kAttentionNoise * random.Normal());
  attention_ = random.Chance(kLapse) ? 0.3 * steady_attention_ : steady_attention_;
}

void Session::ChooseTrack() {
  Random random = StreamOf(item_, Purpose::kTrack);
  std::array<double, kGenres> weights{};
  for (size_t g = 0; g < kGenres; ++g) {
    const bool music = g < kMusic.size();
    if (music == podcast_) continue;
    const double energy = music ? kMusic[g].energy : kTalk[g - kMusic.size()].energy;
    const double off = (energy - energy_) / 0.28;
    weights[g] = traits_->taste[g] * std::exp(-off * off);
  }
  genre_ = Pick(random, weights);
  const double of_genre = podcast_ ? kTalk[genre_ - kMusic.size()].energy : kMusic[genre_].energy;
  track_energy_ = Clamp(0.55 * of_genre + 0.45 * energy_ + 0.12 * random.Normal());
  const double minutes = podcast_ ? 6 + 6 * random.Uniform() : 2.5 + 2.2 * random.Uniform();
  duration_ms_ = static_cast<int32_t>(std::llround(minutes * 60)) * 1000;
  const double said = random.Uniform();
  mood_ = said < 0.7    ? MoodOf(activity_, valence_)
          : said < 0.85 ? kMoods[random.Below(kMoods.size())]
                        : std::string_view();
}

/// Volume and screen follow what the listener does.
void Session::PlanDevice() {
  Random random = StreamOf(item_, Purpose::kDevice);
  const double wanted = Clamp(Of(kVolume, activity_) + 0.08 * random.Normal());
  if (mute_ || random.Chance(activity_changed_ ? 0.6 : 0.12)) {
    volume_ = mute_ ? 0.3 * volume_ : wanted;
    mute_ = false;
    steps_.push_back(
        {.at = now_, .kind = PlaybackKind::kVolume, .volume = static_cast<float>(volume_)});
  }
}

void Session::PlanTrack() {
  Random random = StreamOf(item_, Purpose::kActs);
  const double off = std::abs(track_energy_ - energy_);
  const double irritation = Decayed(irritation_, now_ - irritated_at_, kCalms);
  const double skip =
      std::min(0.8, 0.06 + (off > 0.22 ? 0.35 : 0.3 * off) + 0.15 * std::min(irritation, 1.5));
  const double skip_draw = random.Uniform(), skip_at = 0.05 + 0.5 * random.Uniform();
  const double save_draw = random.Uniform(), search_draw = random.Uniform();
  const double pause_draw = random.Uniform(), pause_at = random.Uniform(),
               pause_for = random.Uniform();
  const double slot_at = 0.2 + 0.6 * random.Uniform();
  const bool skipped = human() && skip_draw < (podcast_ ? 0.4 * skip : skip);
  const auto end = static_cast<int32_t>((skipped ? skip_at : 1.0) * duration_ms_);

  std::vector<Step> inside;
  if (within_next_ && slot_at * duration_ms_ < end) {
    inside.push_back({.slot = true,
                      .position_ms = static_cast<int32_t>(slot_at * duration_ms_),
                      .where = SlotKind::kMidSong});
  }
  if (human() && !skipped && save_draw < 0.01 + 0.25 * attention_ * std::max(0.0, 0.3 - off)) {
    inside.push_back({.kind = PlaybackKind::kSave, .position_ms = end / 2});
  }
  if (human() && screen_ && search_draw < 0.15 * attention_) {
    inside.push_back({.kind = PlaybackKind::kSearch, .position_ms = end / 3});
  }
  std::stable_sort(inside.begin(), inside.end(),
                   [](const Step& a, const Step& b) { return a.position_ms < b.position_ms; });
  int64_t paused = 0;
  const auto pause = static_cast<int32_t>(pause_at * end);
  const bool pauses = human() && pause_draw < 0.04;
  const auto take_pause = [&] {
    const auto length = static_cast<int64_t>((20 + 220 * pause_for) * 1000);
    steps_.push_back({.at = now_ + pause, .kind = PlaybackKind::kPause, .position_ms = pause});
    steps_.push_back(
        {.at = now_ + pause + length, .kind = PlaybackKind::kResume, .position_ms = pause});
    paused = length;
  };
  steps_.push_back({.at = now_, .kind = PlaybackKind::kStart, .position_ms = 0});
  for (Step step : inside) {
    if (pauses && paused == 0 && step.position_ms >= pause) take_pause();
    step.at = now_ + step.position_ms + paused;
    steps_.push_back(step);
  }
  if (pauses && paused == 0) take_pause();
  now_ += end + paused;
  steps_.push_back(
      {.at = now_, .kind = skipped ? PlaybackKind::kSkip : PlaybackKind::kEnd, .position_ms = end});
  ++tracks_;
  skips_ += skipped ? 1 : 0;
}

void Session::PlanItem() {
  at_boundary_ = false;
  item_ = static_cast<uint32_t>(tracks_);
  const bool screen_was = screen_;
  if (human()) Evolve();
  ChooseTrack();
  if (human()) {
    if (screen_ != screen_was) {
      steps_.push_back({.at = now_,
                        .kind = PlaybackKind::kScreen,
                        .screen = static_cast<int8_t>(screen_ ? 1 : 0)});
    }
    PlanDevice();
  }
  PlanTrack();
}

bool Session::Ends() const {
  if (item_ + 1 >= kMostItems) return true;
  const double irritation = Decayed(irritation_, now_ - irritated_at_, kCalms);
  const double chance = (podcast_ ? 0.18 : 0.07) + 0.08 * std::min(irritation, 1.5);
  return StreamOf(item_, Purpose::kEnd).Chance(chance);
}

/// After an item: the session's end, or a slot, or the next item.
void Session::PlanBoundary() {
  at_boundary_ = true;
  if (Ends()) {
    steps_.push_back({.at = now_, .kind = PlaybackKind::kSessionEnd});
    return;
  }
  Random random = StreamOf(item_, Purpose::kBreak);
  bool ask = false;
  if (within_next_) {  // it was asked for within the item that is over
    within_next_ = false;
    ask = due_;
    items_since_break_ = 0;
  } else {
    ++items_since_break_;
    const double chance = podcast_ ? 1.0 : items_since_break_ >= kLeastSongs ? kBreak : 0.0;
    due_ = random.Chance(chance);
    if (due_) items_since_break_ = 0;
    within_next_ = due_ && !podcast_ && random.Chance(kWithin);
    ask = due_ && !within_next_;
  }
  if (ask) {
    steps_.push_back({.at = now_,
                      .slot = true,
                      .where = podcast_ ? SlotKind::kTransition : SlotKind::kBetweenSongs});
  }
}

void Session::Describe(const Step& step, ads::PlaybackEvent* e) const {
  const Country& country = kCountries[traits_->country];
  *e = ads::PlaybackEvent{};
  e->session = name_;
  e->listener = user_;
  e->consent = consent;
  e->kind = step.kind;
  e->at = absl::FromUnixMillis(step.at);
  e->content = podcast_ ? ads::ContentKind::kPodcast : ads::ContentKind::kMusic;
  e->utcoffset = country.utcoffset;
  e->country = country.code;
  e->region = country.region;
  e->volume = step.volume;
  e->screen = step.screen;
  e->devicetype = devicetype_;
  if (step.kind == PlaybackKind::kSessionStart || step.kind == PlaybackKind::kSessionEnd) return;
  e->genre = genre_name();
  if (step.kind == PlaybackKind::kVolume || step.kind == PlaybackKind::kScreen ||
      step.kind == PlaybackKind::kSearch) {
    return;
  }
  e->mood = mood_;
  e->energy = static_cast<float>(track_energy_);
  e->position_ms = step.position_ms;
  e->duration_ms = duration_ms_;
}

std::string_view Session::genre_name() const {
  return genre_ < kMusic.size() ? kMusic[genre_].name : kTalk[genre_ - kMusic.size()].name;
}

HiddenMoment Session::MomentAt(int64_t at, SlotKind where) const {
  HiddenMoment m;
  m.activity = activity_;
  m.energy = energy_;
  m.valence = valence_;
  m.attention = attention_;
  m.irritation = Decayed(irritation_, at - irritated_at_, kCalms);
  m.load = Decayed(load_, at - loaded_at_, kUnloads);
  m.screen = screen_;
  m.podcast = podcast_;
  m.likes = traits_->likes;
  m.where = where;
  return m;
}

void Session::Annoy(double by, int64_t at) {
  irritation_ = by + Decayed(irritation_, at - irritated_at_, kCalms);
  irritated_at_ = at;
}

void Session::AddLoad(int64_t at) {
  load_ = 1 + Decayed(load_, at - loaded_at_, kUnloads);
  loaded_at_ = at;
}

}  // namespace adagents::testing::internal
