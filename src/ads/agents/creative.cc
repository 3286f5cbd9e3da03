#include "adagents/ads/agents/creative.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/base/random.h"
#include "adagents/runtime/context.h"
#include "ads/agents/fitter.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on fits.
constexpr int kMostReasons = 12;
constexpr uint64_t kOwnSeed = 3;  // beside the actions' numbers

bool Lists(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

float EnergyOf(const SessionState& s) {
  if (s.energy == kNoByte) return s.wanted == kNoByte ? 0 : FromByte(s.wanted);
  return s.wanted == kNoByte ? FromByte(s.energy) : (FromByte(s.energy) + FromByte(s.wanted)) / 2;
}

bool Applies(const SuitabilityRule& rule, const Listener& listener, const Intents& intents) {
  if (intents.known && intents.Of(rule.intent) >= rule.at_least) {
    const float energy = EnergyOf(listener.state);
    if (energy >= rule.energy_from && energy < rule.energy_below) return true;
  }
  return listener.known && rule.mood != Mood::kUnknown && listener.state.mood == rule.mood;
}

bool Forbids(const SuitabilityRule& rule, const Creative& creative) {
  return Lists(rule.paces, creative.pace) || Lists(rule.tones, creative.tone);
}

size_t Index(Action action) {
  return action == Action::kCompletion ? 1 : action == Action::kConversion ? 2 : 0;
}

}  // namespace

namespace {

std::vector<SuitabilityRule> Suitability(float bedtime) {
  const std::vector<std::string> lively = {"upbeat", "energetic", "loud",
                                           "urgent", "excited",   "exciting"};
  return {{.intent = Intent::kBedtime,
           .at_least = bedtime,
           .mood = Mood::kSleepy,
           .paces = {"fast"},
           .tones = lively,
           .why = &reasons::kTooLively},
          {.mood = Mood::kSad,
           .paces = {},
           .tones = {"playful", "funny", "humorous", "silly"},
           .why = &reasons::kTooCheerful}};
}

}  // namespace

std::vector<SuitabilityRule> DefaultSuitability() {
  return Suitability(0.3f);  // rather a calm ad too many than a loud one to who falls asleep
}

std::vector<SuitabilityRule> StrictSuitability(float scale) {
  // Who falls asleep wants less than is still playing; where that is lively, slow words do not go
  // with it. So one of the two paces is always left.
  constexpr float kGentle = 0.28f, kLively = 0.54f;
  std::vector<SuitabilityRule> rules = Suitability(0.002f * scale);
  const auto at_bedtime = [&](float at_least, float from, float below, std::string pace,
                              const ReasonCode& why) {
    rules.push_back({.at_least = at_least,
                     .energy_from = from,
                     .energy_below = below,
                     .paces = {std::move(pace)},
                     .tones = {},
                     .why = &why});
  };
  at_bedtime(0.003f * scale, 0, kGentle, "medium", reasons::kTooLively);
  at_bedtime(0.01f * scale, 0, kLively, "medium", reasons::kTooLively);
  at_bedtime(0.01f * scale, kLively, 2, "slow", reasons::kTooSlow);
  rules.push_back({.at_least = 0.01f * scale,
                   .paces = {},
                   .tones = {"playful", "funny", "humorous", "silly"},
                   .why = &reasons::kTooLively});
  return rules;
}

const ReasonCode* ForbiddenBy(const CreativeOptions& options, const Creative& creative,
                              const Listener& listener, const Intents& intents, bool missing) {
  for (const SuitabilityRule& rule : options.rules) {
    if (!Forbids(rule, creative)) continue;
    if (missing) {
      // Nobody said what plays, so it is as quiet as may be.
      if (rule.energy_from <= 0) return &reasons::kSuitUnknown;
      continue;
    }
    if (Applies(rule, listener, intents)) return rule.why;
  }
  return nullptr;
}

namespace internal {

void Fitter::Forbid(const Candidates& candidates, const Listener& listener, const Intents& intents,
                    CreativeFits* out) const {
  const bool any = listener.missing ||
                   std::any_of(options_.rules.begin(), options_.rules.end(),
                               [&](const auto& rule) { return Applies(rule, listener, intents); });
  if (!any) return;
  out->forbid.resize(candidates.items.size());
  for (size_t k = 0; k < candidates.items.size(); ++k) {
    const Candidate& c = candidates.items[k];
    const Creative& creative = candidates.catalog->campaign(c.campaign).creatives[c.creative];
    out->forbid[k] = ForbiddenBy(options_, creative, listener, intents, listener.missing);
  }
}

const Fitter::Drawn& Fitter::Draw(Action action, uint16_t row, const MomentModel::RowTerms& terms,
                                  const MomentModel& model, uint64_t decision, float explore) {
  Drawn& drawn =
      drawn_[Index(action) * CreativeFeatures::kTraitRows + row % CreativeFeatures::kTraitRows];
  if (drawn.call == call_) return drawn;
  drawn.call = call_;
  const Effect effect = model.Trait(action, row, terms);
  drawn.mean = drawn.effect = effect.mean;
  if (explore > 0) {
    drawn.effect += explore * std::sqrt(effect.variance) *
                    static_cast<float>(Random(decision, CombineHash(Index(action), row)).Normal());
  }
  return drawn;
}

/// Candidates of a campaign stand together.
void Fitter::FitImp(const Candidates& candidates, const ImpRange& range,
                    const MomentModel::RowTerms& terms, const MomentModel& model, uint64_t decision,
                    float explore, CreativeFits* out) {
  const auto features = candidates.catalog->relevance_features();
  const auto& items = candidates.items;
  for (uint32_t begin = range.begin, end = begin; begin < range.end; begin = end) {
    const CampaignFacts& campaign = candidates.catalog->facts(items[begin].campaign);
    float best = -options_.most;
    for (; end < range.end && items[end].campaign == items[begin].campaign; ++end) {
      const Action action = TargetOf(campaign, items[end].mtype);
      const CreativeFeatures& ad = features[campaign.first_creative + items[end].creative];
      const Effect own = model.Own(action, ad.row);
      float sum = own.mean, mean = own.mean;
      if (explore > 0) {
        sum += explore * std::sqrt(own.variance) *
               static_cast<float>(Random(decision, CombineHash(kOwnSeed, ad.row)).Normal());
      }
      for (const CreativeFeatures::Trait trait : kTraitsOfMoments) {
        const Drawn& drawn = Draw(action, ad.traits[trait], terms, model, decision, explore);
        sum += drawn.effect;
        mean += drawn.mean;
      }
      out->shift[end] = std::clamp(sum, -options_.most, options_.most);
      const bool forbidden = !out->forbid.empty() && out->forbid[end] != nullptr;
      if (!forbidden) best = std::max(best, std::min(mean, options_.most));
    }
    std::fill(out->expected.begin() + begin, out->expected.begin() + end, best);
  }
}

void Fitter::Run(const Candidates& candidates, const Listener& listener, const Intents& intents,
                 const MomentModel& model, uint64_t decision, float explore, CreativeFits* out) {
  if (candidates.items.empty() || (!listener.known && !listener.missing)) return;
  Forbid(candidates, listener, intents, out);
  if (!listener.known) return;
  if (++call_ == 0) {  // all of them look drawn
    std::fill(drawn_.begin(), drawn_.end(), Drawn());
    call_ = 1;
  }
  const auto terms = MomentModel::TermsOf(MomentOf(listener.state, intents, listener.now_ms));
  out->shift.resize(candidates.items.size());
  out->expected.resize(candidates.items.size());
  for (const ImpRange& range : candidates.imps) {
    FitImp(candidates, range, terms, model, decision, explore, out);
  }
}

}  // namespace internal

struct CreativeAgent::Scratch {
  explicit Scratch(const CreativeOptions& options) : fitter(options) {}
  internal::Fitter fitter;
};

CreativeAgent::CreativeAgent(std::shared_ptr<const CreativeOptions> options)
    : Agent({.name = "creative"}),
      fits_(this, kFits, CreativeFits{{}, {}, {}, options}),
      options_(std::move(options)),
      scratch_(std::make_unique<Scratch>(*options_)) {}
CreativeAgent::~CreativeAgent() = default;

absl::Status CreativeAgent::Run(Context& ctx) {
  const Candidates& candidates = ctx[candidates_];
  CreativeFits& out = ctx[fits_];
  out.clear();  // it holds the default of who could not look
  scratch_->fitter.Run(candidates, ctx[listener_], ctx[intents_], moments_->model(),
                       ctx.decision_id(), options_->explore, &out);
  if (!ctx.explaining()) return absl::OkStatus();
  int reasons_left = kMostReasons;
  for (size_t k = 0; k < out.forbid.size() && reasons_left > 0; ++k) {
    if (out.forbid[k] == nullptr) continue;
    --reasons_left;
    ctx.Because({out.forbid[k], candidates.catalog->facts(candidates.items[k].campaign).key, 0, 0});
  }
  for (size_t k = 0; k < out.shift.size() && reasons_left > 0; ++k) {
    --reasons_left;
    ctx.Because({&reasons::kSuits, candidates.catalog->facts(candidates.items[k].campaign).key,
                 std::exp(static_cast<double>(out.shift[k])), 0});
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
