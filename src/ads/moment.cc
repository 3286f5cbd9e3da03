#include "adagents/ads/moment.h"

#include <algorithm>
#include <cmath>

namespace adagents::ads {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr float kManySkips = 5, kManyLikes = 3, kManyAds = 6;
constexpr int64_t kLongMs = 120 * kMinuteMs;
constexpr float kQuietest = 0.3f, kMutedBelow = 0.02f;

/// What is assumed of each signal until outcomes tell: added to the log-odds of a click, of
/// completion and of a conversion. Signs are what everybody would expect; sizes are a third to two
/// thirds of a doubling, but for what cannot be heard.
struct Assumed {
  float click, completion, conversion;
};
constexpr std::array<Assumed, Moment::kSignals> kAssumed = {{
    {0, 0, 0},              // kAlways
    {0.4f, 0.2f, 0.3f},     // kJustTouched
    {0.2f, 0.2f, 0.2f},     // kTouched
    {-0.2f, -0.5f, -0.2f},  // kSkips
    {0.3f, 0.3f, 0.3f},     // kLikes
    {-0.4f, -0.5f, -0.4f},  // kQuiet
    {-1.0f, -1.5f, -1.0f},  // kMuted
    {0.5f, 0, 0.3f},        // kScreenOn
    {-0.6f, 0, -0.4f},      // kScreenOff
    {-0.5f, -1.0f, -0.5f},  // kPaused
    {0, 0.3f, 0},           // kPodcast
    {-0.4f, -0.4f, -0.4f},  // kAds
    {0, -0.1f, 0},          // kLongSession
    {-0.6f, -0.2f, -0.6f},  // kBedtime
    {0.4f, 0.2f, 0.4f},     // kLeanIn
    {-0.4f, -0.1f, -0.4f},  // kBackground
}};

// Beyond this precision an example still moves a weight by some ten thousandths, so that tastes may
// change.
constexpr float kMostPrecision = 10'000;

float Unit(float x) { return std::clamp(x, 0.0f, 1.0f); }

size_t Index(Action action) {
  return action == Action::kCompletion ? 1 : action == Action::kConversion ? 2 : 0;
}

template <size_t kN>
size_t Largest(const std::array<uint16_t, kN>& weights) {
  return static_cast<size_t>(std::max_element(weights.begin() + 1, weights.end()) -
                             weights.begin());
}

}  // namespace

Intent Intents::Top() const {
  return static_cast<Intent>(std::max_element(p.begin(), p.end()) - p.begin());
}

Moment MomentOf(const SessionState& s, const Intents& intents, int64_t now_ms) {
  Moment m;
  const auto set = [&m](Moment::Signal signal, float x) { m.signals[signal] = x; };
  set(Moment::kAlways, 1);
  if (s.touched_ms != 0) {
    set(Moment::kJustTouched, LeftOf(now_ms - s.touched_ms, kMinuteMs));
    set(Moment::kTouched, LeftOf(now_ms - s.touched_ms, 10 * kMinuteMs));
  }
  const float left = LeftOf(now_ms - s.counted_ms, 10 * kMinuteMs);
  set(Moment::kSkips, Unit(s.skips * left / kManySkips));
  set(Moment::kLikes, Unit(s.likes * left / kManyLikes));
  if (s.volume != kNoByte) {
    const float volume = FromByte(s.volume);
    set(Moment::kQuiet, Unit((kQuietest - volume) / kQuietest));
    set(Moment::kMuted, volume < kMutedBelow ? 1.0f : 0.0f);
  }
  if (s.screen >= 0) set(s.screen == 1 ? Moment::kScreenOn : Moment::kScreenOff, 1);
  const PlayPosition at = PositionOf(s, now_ms);
  set(Moment::kPaused, at.state == PlayState::kPaused ? 1.0f : 0.0f);
  set(Moment::kPodcast, at.content == ContentKind::kPodcast ? 1.0f : 0.0f);
  set(Moment::kAds, Unit(s.ads * LeftOf(now_ms - s.counted_ms, 30 * kMinuteMs) / kManyAds));
  set(Moment::kLongSession,
      Unit(static_cast<float>(now_ms - s.began_ms) / static_cast<float>(kLongMs)));
  if (intents.known) {
    set(Moment::kBedtime, intents.Of(Intent::kBedtime));
    set(Moment::kLeanIn, intents.Of(Intent::kLeanIn));
    set(Moment::kBackground, intents.Of(Intent::kBackground));
    m.intent = intents.Top();
    m.certainty = intents.Of(m.intent);
  }
  const size_t mood = Largest(s.moods), genre = Largest(s.genres);
  m.mood = s.moods[mood] > 0 ? static_cast<Mood>(mood) : Mood::kUnknown;
  m.genre = s.genres[genre] > 0 ? static_cast<uint8_t>(genre) : uint8_t{0};
  return m;
}

size_t MomentModel::SignalAt(Action action, size_t signal) const {
  return Index(action) * Moment::kSignals + signal;
}
size_t MomentModel::RowAt(Action action, uint16_t row) const {
  const size_t rows = CreativeFeatures::kTraitRows;
  return kOfTraits + (Index(action) * rows + row % rows) * kRow;
}

MomentModel::Belief MomentModel::AssumedOf(size_t i) const {
  const auto precision = [](float sd) { return 1.0f / std::max(sd * sd, 1e-6f); };
  if (i >= kOfTraits) {
    const bool alone = (i - kOfTraits) % kRow == 0;
    return {0.0f, precision(alone ? options_.trait_sd : options_.moment_sd)};
  }
  const Assumed& a = kAssumed[i % Moment::kSignals];
  const std::array<float, kActions> means = {a.click, a.completion, a.conversion};
  return {means[i / Moment::kSignals], precision(options_.signal_sd)};
}

MomentModel::MomentModel(const MomentModelOptions& options)
    : options_(options), weights_(std::make_unique<Weight[]>(kWeights)) {
  for (size_t i = 0; i < kWeights; ++i) {
    const Belief belief = AssumedOf(i);
    weights_[i].mean.store(belief.mean, std::memory_order_relaxed);
    weights_[i].precision.store(belief.precision, std::memory_order_relaxed);
  }
}

float MomentModel::Attention(Action action, const Moment& moment) const {
  float sum = 0;
  for (size_t i = 0; i < Moment::kSignals; ++i) {
    sum += moment.signals[i] * weights_[SignalAt(action, i)].mean.load(std::memory_order_relaxed);
  }
  return std::clamp(sum, -kMostShift, kMostShift);
}

/// Visits the weights of a trait in a moment, with what each is multiplied by.
template <class Visit>
void MomentModel::ForEachOf(Action action, uint16_t row, const Moment& m, Visit visit) const {
  Weight* const first = &weights_[RowAt(action, row)];
  visit(first[0], 1.0f);
  if (m.certainty > 0) visit(first[kByIntent + static_cast<size_t>(m.intent)], m.certainty);
  if (m.mood != Mood::kUnknown) visit(first[kByMood + static_cast<size_t>(m.mood)], 1.0f);
  if (m.genre != 0) visit(first[kByGenre + m.genre % kGenreCount], 1.0f);
}

TraitEffect MomentModel::Trait(Action action, uint16_t row, const Moment& moment) const {
  TraitEffect effect;
  ForEachOf(action, row, moment, [&](const Weight& w, float x) {
    effect.mean += x * w.mean.load(std::memory_order_relaxed);
    effect.variance += x * x / w.precision.load(std::memory_order_relaxed);
  });
  return effect;
}

void MomentModel::Learn(Action action, const Moment& moment,
                        const std::array<uint16_t, kMomentTraits>& traits, float offset,
                        bool happened) {
  if (!std::isfinite(offset)) return;
  std::array<Term, kMostTerms> terms;
  size_t n = 0;
  for (size_t i = 0; i < Moment::kSignals; ++i) {
    if (moment.signals[i] != 0) terms[n++] = {&weights_[SignalAt(action, i)], moment.signals[i]};
  }
  for (const uint16_t row : traits) {
    ForEachOf(action, row, moment, [&](Weight& w, float x) { terms[n++] = {&w, x}; });
  }
  float sum = offset, variance = 0;
  for (size_t i = 0; i < n; ++i) {
    const float x = terms[i].x;
    sum += x * terms[i].weight->mean.load(std::memory_order_relaxed);
    variance += x * x / terms[i].weight->precision.load(std::memory_order_relaxed);
  }
  constexpr float kPiOver8 = 0.3926991f;
  const float p = 1.0f / (1.0f + std::exp(-sum / std::sqrt(1.0f + kPiOver8 * variance)));
  const float error = (happened ? 1.0f : 0.0f) - p, curvature = p * (1.0f - p);
  for (size_t i = 0; i < n; ++i) {
    Weight& w = *terms[i].weight;
    const float x = terms[i].x;
    const float precision =
        std::min(w.precision.load(std::memory_order_relaxed) + curvature * x * x, kMostPrecision);
    w.precision.store(precision, std::memory_order_relaxed);
    w.mean.store(w.mean.load(std::memory_order_relaxed) + error * x / precision,
                 std::memory_order_relaxed);
  }
}

Moments::Moments(const MomentsOptions& options, const Clock* clock)
    : model_(options.model),
      bids_({.capacity = options.bids,
             .ttl = options.ttl,
             .when_full = WhenFull::kEvict,
             .expiry = Expiry::kAfterCreation,
             .clock = clock}) {}

void Moments::Remember(uint64_t decision, uint32_t bid, const RememberedMoment& what) {
  (void)bids_.Put(KeyOf(decision, bid), what);
}

uint64_t Moments::Seen(uint64_t decision, uint32_t bid) {
  uint64_t session = 0;
  (void)bids_.Update(KeyOf(decision, bid), [&](RememberedMoment& m) {
    if (!m.seen) session = m.session;
    m.seen = true;
  });
  return session;
}

bool Moments::Learn(uint64_t key, bool happened) {
  RememberedMoment m;
  if (!bids_.Find(key, &m)) return false;
  model_.Learn(m.target, m.moment, m.traits, m.offset, happened);
  learnt_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace adagents::ads
