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
    {-0.3f, -0.2f, -0.3f},  // kJustHeard
    {0, -0.1f, 0},          // kLongSession
    {0, 0, 0},              // focus
    {0, 0, 0},              // workout
    {0, 0, 0},              // commute
    {0, 0, 0},              // party
    {0, 0, 0},              // relax
    {-0.6f, -0.2f, -0.6f},  // bedtime
    {0.4f, 0.2f, 0.4f},     // lean_in
    {-0.4f, -0.1f, -0.4f},  // background
}};
/// The prior rates are of the trade as a whole; a place may well have ten times as much.
constexpr float kBaseSd = 2.0f;

/// What is assumed of having been heard: an ad is known better after the first time of its brand,
/// and worn after several, its creative sooner (Pechmann and Stewart, "Advertising repetition: a
/// critical review of wearin and wearout", 1988).
constexpr std::array<float, 4> kAssumedWear = {0.1f, -0.2f, -0.1f, -0.3f};
constexpr float kMostBrand = 8, kMostCreative = 6;  // times; beyond, no more is learned

/// What trades agree on: lively ads go with lively moments and calm ones with calm moments (of the
/// congruence of ads with what surrounds them there is a literature since the eighties), what is
/// only seen or tapped is lost where the screen is off, and hosts are trusted in their podcasts. By
/// half, in the odds; a screen by two thirds.
constexpr float kSuits = 0.4f, kCannot = 1.0f;
constexpr std::array<std::string_view, 5> kLively = {"upbeat", "energetic", "loud", "excited",
                                                     "urgent"};
constexpr std::array<std::string_view, 3> kFunny = {"playful", "funny", "humorous"};
constexpr std::array<std::string_view, 5> kCalm = {"calm", "soft", "gentle", "warm", "soothing"};
constexpr std::array<std::string_view, 5> kTapped = {"visit", "install", "download", "shop",
                                                     "order"};
constexpr std::array kLivelyIntents = {Intent::kWorkout, Intent::kParty};
constexpr std::array kCalmIntents = {Intent::kFocus, Intent::kRelax, Intent::kBedtime};

// Brands and categories differ more than tones do, and so does what genres say of them.
constexpr float kKinds = 2.0f;
// Genres are many, so each says little of how a trait suits it.
constexpr float kByOneOfMany = 0.5f;
// What a creative has of its own: more than any of its traits.
constexpr float kOfItsOwn = 1.5f;

// At this variance an example still moves a weight by some ten thousandths, so that tastes may
// change.
constexpr float kLeastVariance = 1e-4f;
// Shares that are smaller are not worth their term.
constexpr float kLeastShare = 0.02f;
constexpr int64_t kFadesMs = 10 * 60'000;

constexpr auto kRelaxed = std::memory_order_relaxed;  // weights guard nothing but themselves

float Unit(float x) { return std::clamp(x, 0.0f, 1.0f); }

template <size_t kN>
size_t Largest(const std::array<uint16_t, kN>& weights) {
  return static_cast<size_t>(std::max_element(weights.begin() + 1, weights.end()) -
                             weights.begin());
}

/// Whether what its listener is known to like took part in a prediction: of clicks alone, for who
/// hears an ad to its end does not show a liking for its category.
bool TastesOf(const RememberedMoment& m, Action action) {
  return action == Action::kClick && m.listener != 0 && (m.example.factors & kOfAffinity) != 0;
}

}  // namespace

Intent Intents::Top() const {
  return static_cast<Intent>(std::max_element(p.begin(), p.end()) - p.begin());
}

Moment MomentOf(const SessionState& s, const Intents& intents, int64_t now_ms) {
  Moment m;
  const float fresh = LeftOf(now_ms - s.last_ms, kFadesMs);
  const auto set = [&](size_t signal, float x) { m.signals[signal] = fresh * x; };
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
  set(Moment::kLongSession,
      Unit(static_cast<float>(now_ms - s.began_ms) / static_cast<float>(kLongMs)));
  if (intents.known) {
    for (size_t i = 0; i < kIntentCount; ++i) set(Moment::kIntents + i, intents.p[i]);
  }
  // What does not fade.
  m.signals[Moment::kAlways] = 1;
  m.signals[Moment::kPodcast] = at.content == ContentKind::kPodcast ? 1.0f : 0.0f;
  m.signals[Moment::kAds] = Unit(s.ads * LeftOf(now_ms - s.counted_ms, 30 * kMinuteMs) / kManyAds);
  if (s.ad_ms != 0) m.signals[Moment::kJustHeard] = LeftOf(now_ms - s.ad_ms, 5 * kMinuteMs);
  const size_t mood = Largest(s.moods), genre = Largest(s.genres);
  m.mood = s.moods[mood] > 0 ? static_cast<Mood>(mood) : Mood::kUnknown;
  m.genre = s.genre != 0 ? s.genre : s.genres[genre] > 0 ? static_cast<uint8_t>(genre) : uint8_t{0};
  if (s.wanted != kNoByte) m.energy = FromByte(s.wanted);
  return m;
}

uint16_t NetworkOf(const Device& device) {
  const bool v6 = device.ip.empty();
  std::string_view address = v6 ? std::string_view(device.ipv6) : std::string_view(device.ip);
  const char separator = v6 ? ':' : '.';
  size_t end = 0;
  for (int part = 0; part < 3 && end != std::string_view::npos; ++part) {
    end = address.find(separator, part == 0 ? 0 : end + 1);
  }
  address = address.substr(0, end);
  return address.empty() ? uint16_t{0} : static_cast<uint16_t>(1 + StableHash64(address) % 4095);
}

AdTerms AdTerms::Of(const CreativeFeatures& features) {
  AdTerms out;
  for (size_t t = 0; t < kMomentTraits; ++t) out.traits[t] = features.traits[kTraitsOfMoments[t]];
  out.brand = features.traits[CreativeFeatures::kBrand];
  out.category = features.traits[CreativeFeatures::kAdCategory];
  out.own = features.row;
  return out;
}

size_t MomentModel::Index(Action action) {
  return action == Action::kCompletion ? 1 : action == Action::kConversion ? 2 : 0;
}
size_t MomentModel::SignalAt(Action action, size_t signal) {
  return Index(action) * Moment::kSignals + signal;
}
size_t MomentModel::RowAt(Action action, uint16_t row) {
  const size_t rows = CreativeFeatures::kTraitRows;
  return kOfTraits + (Index(action) * rows + row % rows) * kRow;
}
size_t MomentModel::OwnAt(Action action, uint32_t own) {
  return kOwn + Index(action) * kOwnRows + own % kOwnRows;
}

size_t MomentModel::NetworkAt(Action action, uint16_t network) {
  return kOfNetworks + Index(action) * kNetworks + network % kNetworks;
}

/// The means of traits that are not 0: of words that everybody uses.
void MomentModel::Assume() {
  const auto features = [](const auto& change) {
    Creative creative;
    creative.format = MarkupType::kAudio;
    change(creative);
    return CreativeFeatures::Of(Campaign(), creative);
  };
  const auto assume_of = [&](Action action, uint16_t row, size_t term, float mean) {
    assumed_.emplace_back(static_cast<uint32_t>(RowAt(action, row) + term), mean);
  };
  // What is not clicked may well be heard to its end.
  const auto assume_clicks = [&](uint16_t row, size_t term, float mean) {
    assume_of(Action::kClick, row, term, mean);
    assume_of(Action::kConversion, row, term, mean);
  };
  const auto assume = [&](uint16_t row, size_t term, float mean) {
    assume_clicks(row, term, mean);
    assume_of(Action::kCompletion, row, term, mean);
  };
  const auto by_intent = [](Intent intent) { return kByIntent + static_cast<size_t>(intent); };
  const auto tone = [&](std::string_view word, float lively, float calm) {
    const uint16_t row =
        features([&](Creative& c) { c.tone = word; }).traits[CreativeFeatures::kTone];
    for (const Intent intent : kLivelyIntents) assume(row, by_intent(intent), lively);
    for (const Intent intent : kCalmIntents) assume(row, by_intent(intent), calm);
  };
  for (const std::string_view word : kLively) tone(word, kSuits, -kSuits);
  for (const std::string_view word : kFunny) tone(word, kSuits, -kSuits);
  for (const std::string_view word : kCalm) tone(word, -kSuits, kSuits);
  const auto pace = [&](std::string_view word, float slow) {
    const uint16_t row =
        features([&](Creative& c) { c.pace = word; }).traits[CreativeFeatures::kPace];
    assume(row, kByEnergy, slow);
    assume(row, kByEnergy + 2, -slow);
  };
  pace("slow", kSuits);
  pace("fast", -kSuits);
  for (const std::string_view word : kTapped) {
    const uint16_t row =
        features([&](Creative& c) { c.call_to_action = word; }).traits[CreativeFeatures::kCall];
    assume_clicks(row, kByScreen + 1, -kCannot);
  }
  const uint16_t asks_nothing = features([](Creative&) {}).traits[CreativeFeatures::kCall];
  assume_clicks(asks_nothing, 0, -kSuits);
  const uint16_t host =
      features([](Creative& c) { c.voice = "host"; }).traits[CreativeFeatures::kVoice];
  assume(host, kByPodcast, kSuits);
  for (const int32_t seconds : {6, 10, 15, 20, 30, 60}) {
    const uint16_t video = features([&](Creative& c) {
                             c.format = MarkupType::kVideo;
                             c.duration_ms = seconds * 1000;
                           }).traits[CreativeFeatures::kForm];
    assume_clicks(video, kByScreen + 1, -kCannot);
  }
  std::sort(assumed_.begin(), assumed_.end());
}

MomentModel::Belief MomentModel::AssumedOf(size_t i) const {
  const auto variance = [](float sd) { return std::max(sd * sd, 1e-6f); };
  if (i < kOfWear) {
    const size_t signal = i % Moment::kSignals;
    const Assumed& a = kAssumed[signal];
    const std::array<float, kActions> means = {a.click, a.completion, a.conversion};
    return {options_.assume ? means[i / Moment::kSignals] : 0.0f,
            variance(signal == Moment::kAlways ? kBaseSd : options_.signal_sd)};
  }
  if (i < kOfNetworks) {
    const float mean = options_.assume ? kAssumedWear[(i - kOfWear) % kWears] : 0.0f;
    return {mean, variance(options_.signal_sd)};
  }
  if (i < kOwn) return {0.0f, variance(options_.signal_sd)};
  if (i < kOfTraits) return {0.0f, variance(kOfItsOwn * options_.trait_sd)};
  const bool alone = (i - kOfTraits) % kRow == 0;
  const auto at = std::lower_bound(assumed_.begin(), assumed_.end(), i,
                                   [](const auto& a, size_t place) { return a.first < place; });
  const float mean = at != assumed_.end() && at->first == i ? at->second : 0.0f;
  return {mean, variance(alone ? options_.trait_sd : options_.moment_sd)};
}

MomentModel::MomentModel(const MomentModelOptions& options)
    : options_(options), weights_(std::make_unique<Weight[]>(kWeights)) {
  if (options_.assume) Assume();
  for (size_t i = 0; i < kWeights; ++i) {
    const Belief belief = AssumedOf(i);
    weights_[i].mean.store(belief.mean, kRelaxed);
    weights_[i].variance.store(belief.variance, kRelaxed);
  }
}

MomentModel::RowTerms MomentModel::TermsOf(const Moment& m) {
  RowTerms terms;
  const auto add = [&](size_t at, float x) {
    if (x < kLeastShare) return;
    terms.at[terms.n] = static_cast<uint8_t>(at);
    terms.x[terms.n++] = x;
  };
  add(0, 1);
  for (size_t i = 0; i < kIntentCount; ++i) add(kByIntent + i, m.signals[Moment::kIntents + i]);
  if (m.mood != Mood::kUnknown) add(kByMood + static_cast<size_t>(m.mood), 1);
  terms.genre = m.genre % kGenreCount;
  if (m.genre != 0) add(kByGenre + terms.genre, kByOneOfMany);
  add(kByScreen, m.signals[Moment::kScreenOn]);
  add(kByScreen + 1, m.signals[Moment::kScreenOff]);
  add(kByPodcast, m.signals[Moment::kPodcast]);
  if (m.energy >= 0) {
    const float off = 2 * m.energy - 1;  // from -1 to 1
    add(kByEnergy, Unit(-off));
    add(kByEnergy + 1, 1 - std::abs(off));
    add(kByEnergy + 2, Unit(off));
  }
  return terms;
}

float MomentModel::Attention(Action action, const Moment& moment) const {
  float sum = 0;
  for (size_t i = 0; i < Moment::kSignals; ++i) {
    sum += moment.signals[i] * weights_[SignalAt(action, i)].mean.load(kRelaxed);
  }
  if (moment.network != 0) {
    sum += std::min(0.0f, weights_[NetworkAt(action, moment.network)].mean.load(kRelaxed));
  }
  return std::clamp(sum, -kMostShift, kMostShift);
}

Effect MomentModel::Trait(Action action, uint16_t row, const RowTerms& terms) const {
  Effect effect;
  const Weight* const first = &weights_[RowAt(action, row)];
  for (size_t t = 0; t < terms.n; ++t) {
    const Weight& w = first[terms.at[t]];
    const float x = terms.x[t];
    effect.mean += x * w.mean.load(kRelaxed);
    effect.variance += x * x * w.variance.load(kRelaxed);
  }
  return effect;
}

Effect MomentModel::Own(Action action, uint32_t own) const {
  const Weight& w = weights_[OwnAt(action, own)];
  return {w.mean.load(kRelaxed), w.variance.load(kRelaxed)};
}

Effect MomentModel::Affinity(Action action, uint16_t brand, uint16_t category,
                             const RowTerms& terms) const {
  Effect effect;
  const auto add = [&](const Weight& w) {
    effect.mean += kKinds * w.mean.load(kRelaxed);
    effect.variance += kKinds * kKinds * w.variance.load(kRelaxed);
  };
  add(weights_[RowAt(action, brand)]);
  const Weight* const row = &weights_[RowAt(action, category)];
  add(row[0]);
  if (terms.genre != 0) add(row[kByGenre + terms.genre]);
  return effect;
}

/// The first time, and all beyond it, of the brand and of the creative.
std::array<float, MomentModel::kWears> MomentModel::WearsOf(const HeardBefore& heard) {
  const float brand = std::min(heard.brand, kMostBrand);
  const float creative = std::min(heard.creative, kMostCreative);
  return {std::min(brand, 1.0f), std::max(brand - 1, 0.0f), std::min(creative, 1.0f),
          std::max(creative - 1, 0.0f)};
}

float MomentModel::Wear(Action action, const HeardBefore& heard) const {
  if (heard.brand <= 0 && heard.creative <= 0) return 0;
  const std::array<float, kWears> x = WearsOf(heard);
  const Weight* const first = &weights_[kOfWear + Index(action) * kWears];
  float sum = 0;
  for (size_t i = 0; i < kWears; ++i) sum += x[i] * first[i].mean.load(kRelaxed);
  return std::clamp(sum, -kMostShift, kMostShift);
}

/// Visits the weights that take part, with what each is multiplied by.
template <class Visit>
void MomentModel::ForEachTerm(Action action, const MomentExample& example, Visit visit) const {
  const Moment& m = example.moment;
  if ((example.factors & kOfAttention) != 0) {
    for (size_t i = 0; i < Moment::kSignals; ++i) {
      if (m.signals[i] != 0) visit(weights_[SignalAt(action, i)], m.signals[i]);
    }
    if (m.network != 0) visit(weights_[NetworkAt(action, m.network)], 1.0f);
  }
  const RowTerms terms = TermsOf(m);
  if ((example.factors & kOfCreative) != 0) {
    for (const uint16_t trait : example.ad.traits) {
      Weight* const first = &weights_[RowAt(action, trait)];
      for (size_t t = 0; t < terms.n; ++t) visit(first[terms.at[t]], terms.x[t]);
    }
    visit(weights_[OwnAt(action, example.ad.own)], 1.0f);
  }
  if ((example.factors & kOfAffinity) != 0) {
    visit(weights_[RowAt(action, example.ad.brand)], kKinds);
    Weight* const row = &weights_[RowAt(action, example.ad.category)];
    visit(row[0], kKinds);
    if (terms.genre != 0) visit(row[kByGenre + terms.genre], kKinds);
  }
  if ((example.factors & kOfFatigue) != 0) {
    const std::array<float, kWears> x = WearsOf(example.heard);
    for (size_t i = 0; i < kWears; ++i) {
      if (x[i] != 0) visit(weights_[kOfWear + Index(action) * kWears + i], x[i]);
    }
  }
}

float MomentModel::Shift(Action action, const MomentExample& example) const {
  float sum = 0;
  ForEachTerm(action, example, [&](const Weight& w, float x) { sum += x * w.mean.load(kRelaxed); });
  return sum;
}

void MomentModel::Learn(Action action, const MomentExample& example, float offset, bool happened,
                        Effect* taste) {
  if (!std::isfinite(offset)) return;
  std::array<Term, kMostTerms> terms;
  size_t n = 0;
  ForEachTerm(action, example, [&](Weight& w, float x) { terms[n++] = {&w, x}; });
  float sum = offset, variance = 0;
  for (size_t i = 0; i < n; ++i) {
    const float x = terms[i].x;
    sum += x * terms[i].weight->mean.load(kRelaxed);
    variance += x * x * terms[i].weight->variance.load(kRelaxed);
  }
  if (taste != nullptr) {
    sum += taste->mean;
    variance += taste->variance;
  }
  constexpr float kPiOver8 = 0.3926991f;
  const float p = 1.0f / (1.0f + std::exp(-sum / std::sqrt(1.0f + kPiOver8 * variance)));
  const float curvature = p * (1.0f - p);
  const float gain = ((happened ? 1.0f : 0.0f) - p) / (1.0f + curvature * variance);
  const float narrower = curvature / (1.0f + curvature * variance);
  const auto move = [&](float* mean, float* of, float x) {
    *mean += gain * x * *of;
    *of = std::max(*of * (1.0f - narrower * x * x * *of), kLeastVariance);
  };
  for (size_t i = 0; i < n; ++i) {
    Weight& w = *terms[i].weight;
    float mean = w.mean.load(kRelaxed), of = w.variance.load(kRelaxed);
    move(&mean, &of, terms[i].x);
    w.mean.store(mean, kRelaxed);
    w.variance.store(of, kRelaxed);
  }
  if (taste != nullptr) move(&taste->mean, &taste->variance, 1.0f);
}

size_t MomentModel::learned() const {
  size_t count = 0;
  for (size_t i = 0; i < kWeights; ++i) {
    count += weights_[i].variance.load(kRelaxed) != AssumedOf(i).variance ? 1 : 0;
  }
  return count;
}

Moments::Moments(const MomentsOptions& options, const Clock* clock)
    : model_(options.model),
      listeners_(options.listeners, clock),
      bids_({.capacity = options.bids,
             .ttl = options.ttl,
             .when_full = WhenFull::kEvict,
             .expiry = Expiry::kAfterCreation,
             .clock = clock}) {}

void Moments::Remember(uint64_t decision, uint32_t bid, const RememberedMoment& what) {
  (void)bids_.Put(KeyOf(decision, bid), what);
}

uint64_t Moments::Seen(uint64_t decision, uint32_t bid) {
  RememberedMoment first;
  (void)bids_.Update(KeyOf(decision, bid), [&](RememberedMoment& m) {
    if (!m.seen) first = m;
    m.seen = true;
  });
  listeners_.Hear(first.listener, first.brand, first.creative);
  return first.session;
}

float Moments::ShiftOf(uint64_t key, Action action) const {
  RememberedMoment m;
  if (!bids_.Find(key, &m)) return 0;
  float taste = 0;
  ListenerRecord record;
  if (TastesOf(m, action) && listeners_.Find(m.listener, &record)) {
    taste = record.TasteOf(m.example.ad.category).mean;
  }
  return model_.Shift(action, m.example) + taste;
}

bool Moments::Learn(uint64_t key, Action action, float offset, bool happened) {
  RememberedMoment m;
  if (!bids_.Find(key, &m)) return false;
  if (action == m.target) learnt_.fetch_add(1, kRelaxed);
  const bool tastes = TastesOf(m, action) && listeners_.Update(m.listener, [&](ListenerRecord& r) {
    ListenerRecord::Taste& taste = r.TasteOf(m.example.ad.category);
    Effect effect{taste.mean, taste.variance()};
    model_.Learn(action, m.example, offset, happened, &effect);
    taste = {effect.mean, 1 / effect.variance - 1 / ListenerRecord::Taste::kAssumedVariance};
  });
  if (!tastes) model_.Learn(action, m.example, offset, happened);
  return true;
}

}  // namespace adagents::ads
