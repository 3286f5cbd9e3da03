#include "adagents/ads_models/facts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "adagents/base/ids.h"

namespace adagents::ads_models {
namespace {

using ads::PlaybackKind;
using model::HeadSchema;
using model::TokenSchema;

constexpr int kHours = 25, kDevices = 10, kScreens = 3, kVolumes = 17, kEnergies = 12;
constexpr float kNotKnown = std::numeric_limits<float>::quiet_NaN();

/// 1 + the step that `x` in [0, 1] falls into, of `steps`; 0 when it is not known.
int StepOf(uint8_t byte, int steps) {
  if (byte == ads::kNoByte) return 0;
  return 1 + std::min(steps - 1, static_cast<int>(ads::FromByte(byte) * static_cast<float>(steps)));
}

/// 1 + the number of `bounds` that `x` is not below.
template <size_t N>
int Above(double x, const std::array<double, N>& bounds) {
  return 1 + static_cast<int>(std::upper_bound(bounds.begin(), bounds.end(), x) - bounds.begin());
}
constexpr std::array<double, 5> kCountSteps = {0.25, 0.75, 1.5, 2.5, 4};
constexpr std::array<double, 7> kMinuteSteps = {0.5, 1, 2, 4, 8, 16, 32};
constexpr std::array<double, 7> kPlaySteps = {1, 2, 3, 5, 8, 12, 20};
constexpr std::array<double, 7> kEnergyOffSteps = {-0.35, -0.22, -0.1, 0, 0.1, 0.22, 0.35};

int SinceStep(int64_t then_ms, int64_t now_ms) {
  return then_ms == 0 ? 0 : Above(static_cast<double>(now_ms - then_ms) / 60e3, kMinuteSteps);
}

int HourOf(int64_t ms, int16_t utcoffset) { return 1 + ads::HourAt(ms, utcoffset); }

/// What was heard to its end lately, on average of its energy; NaN when nothing was.
double EnergyLiked(const model::TokenWindow& window) {
  constexpr int kEnd = 1 + static_cast<int>(PlaybackKind::kEnd);
  double sum = 0;
  int n = 0;
  for (uint32_t t = 0; t < window.count; ++t) {
    const model::Token& token = window.tokens[t];
    if (token.category[0] != kEnd || std::isnan(token.number[0])) continue;
    sum += static_cast<double>(token.number[0]);
    ++n;
  }
  return n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN();
}

constexpr size_t kTablesIntent = 17;  // "intent" among them
std::vector<HeadSchema::Field> MomentFields() {
  return {{"where", 4},
          {"hour", kHours},
          {"device", kDevices},
          {"screen", kScreens},
          {"volume", kVolumes},
          {"content", 3},
          {"play", 5},
          {"genre", static_cast<int>(ads::kGenreCount)},
          {"mood", static_cast<int>(ads::kMoodCount)},
          {"energy", kEnergies},
          {"skips", 7},
          {"likes", 7},
          {"touches", 7},
          {"ads", 7},
          {"plays", 9},
          {"since_touched", 9},
          {"since_ad", 9},
          {"intent", static_cast<int>(ads::kIntentCount) + 1},
          {"energy_liked", kEnergies},
          {"energy_off", 9},
          {"position", 9}};
}

std::vector<HeadSchema::Field> OfferFields() {
  std::vector<HeadSchema::Field> fields = MomentFields();
  for (const HeadSchema::Field& field :
       std::initializer_list<HeadSchema::Field>{{"brand", 256},
                                                {"category", 128},
                                                {"creative", 1024},
                                                {"tone", 16},
                                                {"pace", 8},
                                                {"voice", 8},
                                                {"call", 16},
                                                {"format", 6},
                                                {"length", 8},
                                                {"objective", 8}}) {
    fields.push_back(field);
  }
  return fields;
}

std::vector<HeadSchema::Field> IntentFields() {
  std::vector<HeadSchema::Field> fields = MomentFields();
  fields.push_back({"about", static_cast<int>(ads::kIntentCount) + 1});
  return fields;
}

/// 0 for no text.
uint32_t Hashed(std::string_view text, int size) {
  if (text.empty()) return 0;
  return static_cast<uint32_t>(1 + StableHash64(text) % static_cast<uint64_t>(size - 1));
}

}  // namespace

std::string_view Name(Task task) {
  constexpr std::array<std::string_view, kTasks> kNames = {"click", "completion", "attention",
                                                           "skip", "intent"};
  return kNames[static_cast<size_t>(task)];
}

bool IsAct(const ads::ListenEvent& event) {
  switch (event.kind) {
    case PlaybackKind::kSkip:
    case PlaybackKind::kPause:
    case PlaybackKind::kResume:
    case PlaybackKind::kSave:
    case PlaybackKind::kSearch:
    case PlaybackKind::kVolume:
      return true;
    case PlaybackKind::kScreen:
      return event.screen == 1;
    case PlaybackKind::kSessionStart:
    case PlaybackKind::kStart:
    case PlaybackKind::kEnd:
    case PlaybackKind::kSessionEnd:
      return false;
  }
  return false;
}

const TokenSchema& Tokens() {
  static const TokenSchema schema(
      {{"kind", 12},
       {"content", 3},
       {"genre", static_cast<int>(ads::kGenreCount)},
       {"mood", static_cast<int>(ads::kMoodCount)},
       {"energy", kEnergies},
       {"hour", kHours},
       {"device", kDevices},
       {"volume", kVolumes},
       {"screen", kScreens}},
      {{"energy_share", 0, 1}, {"volume_share", 0, 1}, {"position_share", 0, 1}});
  return schema;
}

model::Token TokenOf(const ads::ListenEvent& event, const ads::SessionState& state) {
  model::Token token = TokenSchema::Unknown();
  const auto set = [&](size_t field, int value) {
    token.category[field] = static_cast<uint16_t>(value);
  };
  set(0, 1 + static_cast<int>(event.kind));
  set(1, 1 + static_cast<int>(event.content));
  set(2, event.genre);
  set(3, static_cast<int>(event.mood));
  set(4, StepOf(event.energy, kEnergies - 1));
  set(5, HourOf(event.at_ms, state.utcoffset));
  set(6, std::min<int>(state.devicetype, kDevices - 1));
  set(7, StepOf(state.volume, kVolumes - 1));
  set(8, 1 + state.screen);
  token.number[0] = event.energy == ads::kNoByte ? kNotKnown : ads::FromByte(event.energy);
  token.number[1] = state.volume == ads::kNoByte ? kNotKnown : ads::FromByte(state.volume);
  token.number[2] =
      event.position_ms < 0 || event.duration_ms <= 0
          ? kNotKnown
          : static_cast<float>(event.position_ms) / static_cast<float>(event.duration_ms);
  return token;
}

Where WhereOf(const ads::Imp& imp) {
  const ads::Media* media = imp.media();
  if (media == nullptr || !media->startdelay) return Where::kUnknown;
  if (*media->startdelay == 0) return Where::kBetween;
  return *media->startdelay > 0 ? Where::kWithin : Where::kTransition;
}

const HeadSchema& Facts(Task task) {
  static const HeadSchema moment(MomentFields()), offer(OfferFields()), intent(IntentFields());
  switch (task) {
    case Task::kClick:
    case Task::kCompletion:
      return offer;
    case Task::kIntent:
      return intent;
    case Task::kAttention:
    case Task::kSkip:
      break;
  }
  return moment;
}

void MomentFactsOf(const MomentView& view, std::span<model::HeadEntry> out) {
  ads::SessionState s = view.state;
  ads::DecayCounts(view.now_ms, &s);
  ads::SetForeseen({}, &s);  // a model is not to read itself
  const ads::Intents intents =
      ads::IntentsOf(s, view.now_ms, ads::HourAt(view.now_ms, s.utcoffset));
  const double liked = EnergyLiked(view.window);
  const auto byte = [](double x) {
    return std::isnan(x) ? ads::kNoByte : ads::ToByte(static_cast<float>(x));
  };
  const double off = s.energy == ads::kNoByte
                         ? std::numeric_limits<double>::quiet_NaN()
                         : static_cast<double>(ads::FromByte(s.energy)) - liked;
  const ads::PlayPosition at = ads::PositionOf(s, view.now_ms);
  const int values[] = {static_cast<int>(view.where),
                        HourOf(view.now_ms, s.utcoffset),
                        std::min<int>(s.devicetype, kDevices - 1),
                        1 + s.screen,
                        StepOf(s.volume, kVolumes - 1),
                        s.plays == 0 ? 0 : 1 + static_cast<int>(s.content),
                        1 + static_cast<int>(at.state),
                        s.genre,
                        static_cast<int>(s.mood),
                        StepOf(s.energy, kEnergies - 1),
                        Above(static_cast<double>(s.skips), kCountSteps),
                        Above(static_cast<double>(s.likes), kCountSteps),
                        Above(static_cast<double>(s.touches), kCountSteps),
                        Above(static_cast<double>(s.ads), kCountSteps),
                        Above(s.plays, kPlaySteps),
                        SinceStep(s.touched_ms, view.now_ms),
                        SinceStep(s.ad_ms, view.now_ms),
                        intents.known ? 1 + static_cast<int>(intents.Top()) : 0,
                        StepOf(byte(liked), kEnergies - 1),
                        std::isnan(off) ? 0 : Above(off, kEnergyOffSteps),
                        at.state == ads::PlayState::kPlaying
                            ? Above(static_cast<double>(at.position_ms) / 60e3, kMinuteSteps)
                            : 0};
  static_assert(std::size(values) == kMomentFacts);
  const HeadSchema& schema = Facts(Task::kSkip);  // all begin with the moment's
  for (size_t f = 0; f < kMomentFacts; ++f) {
    out[f] = {schema.Row(f, static_cast<uint32_t>(values[f])), 1};
  }
}

void IntentFactsOf(std::span<const model::HeadEntry> moment, ads::Intent intent,
                   std::span<model::HeadEntry> out) {
  const HeadSchema& schema = Facts(Task::kIntent);
  std::copy_n(moment.begin(), kMomentFacts, out.begin());
  out[kTablesIntent].row = schema.Row(kTablesIntent, 0);
  out[kMomentFacts] = {schema.Row(kMomentFacts, 1 + static_cast<uint32_t>(intent)), 1};
}

void OfferFactsOf(const ads::Campaign& campaign, const ads::Creative& creative,
                  std::span<model::HeadEntry> out) {
  const HeadSchema& schema = Facts(Task::kClick);
  const auto size = [&](size_t f) { return schema.fields()[kMomentFacts + f].size; };
  const int seconds = creative.duration_ms / 1000;
  const uint32_t values[] = {
      Hashed(campaign.BrandOf(creative), size(0)),
      campaign.cat.empty() ? 0 : Hashed(campaign.cat.front(), size(1)),
      static_cast<uint32_t>(1 + CombineHash(StableHash64(campaign.id), StableHash64(creative.id)) %
                                    static_cast<uint64_t>(size(2) - 1)),
      Hashed(creative.tone, size(3)),
      Hashed(creative.pace, size(4)),
      Hashed(creative.voice, size(5)),
      Hashed(creative.call_to_action, size(6)),
      static_cast<uint32_t>(creative.format),
      seconds == 0 ? 0u : static_cast<uint32_t>(1 + std::min(6, seconds / 10)),
      static_cast<uint32_t>(1 + static_cast<int>(campaign.objective))};
  static_assert(std::size(values) == kOfferFacts);
  for (size_t f = 0; f < kOfferFacts; ++f) out[f] = {schema.Row(kMomentFacts + f, values[f]), 1};
}

}  // namespace adagents::ads_models
