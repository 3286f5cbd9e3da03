#include "adagents/testing/listening_response.h"

#include <algorithm>
#include <cmath>

namespace adagents::testing {
namespace {

constexpr std::array<double, 3> kPace = {0.2, 0.5, 0.85};
constexpr double kPaceWidth = 0.3;
constexpr double kSad = 0.35;  // valence below which cheer does not suit

template <class Enum, size_t N>
auto At(const std::array<double, N>& values, Enum index) {
  return values[static_cast<size_t>(index)];
}

double Squared(double x) { return x * x; }

double ToneFit(const HiddenMoment& m, Tone tone) {
  const double fit = kToneFit[static_cast<size_t>(m.activity)][static_cast<size_t>(tone)];
  if (m.valence >= kSad) return fit;
  if (tone == Tone::kUpbeat || tone == Tone::kPlayful) return 0.5 * fit;
  return tone == Tone::kSerious ? std::min(1.0, 1.3 * fit) : fit;
}

double PaceFit(const HiddenMoment& m, SpeechPace pace) {
  return std::exp(-Squared((At(kPace, pace) - m.energy) / kPaceWidth));
}

bool FastAtBedtime(const HiddenMoment& m, const AdTraits& ad) {
  return m.activity == Activity::kBedtime && ad.pace == SpeechPace::kFast;
}

double Heed(const HiddenMoment& m) {
  const double q = Squared(m.attention);
  return q / (q + Squared(0.4));
}

double Reach(const HiddenMoment& m, CallToAction call) {
  const double act = m.screen ? 1.0 : At(kHandsFree, m.activity);
  switch (call) {
    case CallToAction::kNone:
      return 0.25 + 0.1 * act;
    case CallToAction::kVisit:
      return act;
    case CallToAction::kInstall:
      return m.screen ? 1.5 : 0.35 * act;
    case CallToAction::kSave:
      return 0.35 + 0.4 * act;
  }
  return 0;
}

double VoiceFit(const HiddenMoment& m, Voice voice) {
  if (m.podcast) return voice == Voice::kHost ? 1.35 : 0.9;
  if (voice == Voice::kHost) return 0.8;
  return voice == m.likes ? 1.1 : 0.9;
}

double Format(const HiddenMoment& m, const AdTraits& ad) {
  if (!ad.video) return 1.0;
  return m.screen && m.attention > 0.35 ? 1.8 : 0.5;
}

double Length(const HiddenMoment& m, const AdTraits& ad) {
  if (ad.seconds < 20) return 1.0;
  return m.attention > 0.5 ? 1.15 : 0.8;
}

double Wear(const HiddenMoment& m) {
  return (1 + 0.4 * std::min(m.heard_brand, 1.0)) * std::exp(-0.22 * m.heard_brand) /
         (1 + std::pow(m.heard_creative / 2.5, 3));
}

double Appeal(const HiddenMoment& m, const AdTraits& ad) {
  const double x = m.interest * ad.quality;
  return 2 * x / (1 + x);
}

double Hazard(const HiddenMoment& m, const AdTraits& ad) {
  constexpr std::array<double, 3> kSlot = {1.0, 2.2, 0.7};
  double hazard = (1.6 - Fit(m, ad)) * (1 + 1.2 * m.irritation) *
                  (1 + 0.15 * m.heard_brand + 0.25 * m.heard_creative) * At(kSlot, m.where);
  if (FastAtBedtime(m, ad)) hazard *= 4;
  if (m.attention < 0.25 && !m.screen) hazard *= 0.5;
  return hazard;
}

}  // namespace

std::string_view Name(Activity activity) {
  constexpr std::array<std::string_view, kActivities> kNames = {"commute", "workout", "focus",
                                                                "chores",  "party",   "bedtime"};
  return kNames[static_cast<size_t>(activity)];
}
std::string_view Name(Tone tone) {
  constexpr std::array<std::string_view, 4> kNames = {"calm", "upbeat", "serious", "playful"};
  return kNames[static_cast<size_t>(tone)];
}
std::string_view Name(SpeechPace pace) {
  constexpr std::array<std::string_view, 3> kNames = {"slow", "medium", "fast"};
  return kNames[static_cast<size_t>(pace)];
}
std::string_view Name(Voice voice) {
  constexpr std::array<std::string_view, 3> kNames = {"female", "male", "host"};
  return kNames[static_cast<size_t>(voice)];
}
std::string_view Name(CallToAction call) {
  constexpr std::array<std::string_view, 4> kNames = {"", "visit", "install", "save"};
  return kNames[static_cast<size_t>(call)];
}
std::string_view Name(SlotKind where) {
  constexpr std::array<std::string_view, 3> kNames = {"between_songs", "mid_song", "transition"};
  return kNames[static_cast<size_t>(where)];
}

double Fit(const HiddenMoment& m, const AdTraits& ad) {
  return 0.15 + 0.85 * std::min(ToneFit(m, ad.tone), PaceFit(m, ad.pace));
}

bool Unsuitable(const HiddenMoment& m, const AdTraits& ad) {
  constexpr double kPoor = 0.2;
  if (m.where == SlotKind::kMidSong) return true;
  return m.activity == Activity::kBedtime &&
         std::min(ToneFit(m, ad.tone), PaceFit(m, ad.pace)) < kPoor;
}

Response TrueResponse(const HiddenMoment& m, const AdTraits& ad) {
  constexpr std::array<double, 3> kClickSlot = {1.0, 0.5, 1.25}, kRecallSlot = {1.0, 0.8, 1.1};
  const double fit = Fit(m, ad), appeal = Appeal(m, ad), heed = Heed(m);
  const double crowd = 1 / (1 + Squared(m.load / 4));
  Response r;
  r.click = std::min(0.5, 0.22 * fit * heed * Reach(m, ad.call) * VoiceFit(m, ad.voice) *
                              Format(m, ad) * Length(m, ad) * Wear(m) * crowd *
                              At(kClickSlot, m.where) * appeal * std::exp(-m.irritation));
  r.completion = std::exp(-0.085 * Hazard(m, ad) * ad.seconds / 15);
  r.conversion = 0.12 * appeal * (0.5 + 0.5 * fit) * (m.screen ? 1.0 : 0.6);
  r.recall =
      1 - std::exp(-0.9 * heed * (0.4 + 0.6 * r.completion) * (0.4 + 0.6 * ToneFit(m, ad.tone)) *
                   (1 + 0.3 * std::min(m.heard_brand, 2.0)) * std::sqrt(appeal) *
                   At(kRecallSlot, m.where));
  return r;
}

double Annoyance(const HiddenMoment& m, const AdTraits& ad) {
  double by = 0.08 + 0.25 * (1 - Fit(m, ad)) + 0.1 * std::max(0.0, m.heard_creative - 1);
  if (m.where == SlotKind::kMidSong) by += 0.35;
  if (FastAtBedtime(m, ad)) by += 0.6;
  return by;
}

Response Mixed(const Response& full, const Response& flat, double structure) {
  const auto mix = [&](double a, double b) { return structure * a + (1 - structure) * b; };
  return {mix(full.click, flat.click), mix(full.completion, flat.completion),
          mix(full.conversion, flat.conversion), mix(full.recall, flat.recall)};
}

}  // namespace adagents::testing
