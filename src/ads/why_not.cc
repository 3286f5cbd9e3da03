#include "ads/why_not.h"

#include <vector>

#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/agents/user_profile.h"
#include "adagents/ads/reasons.h"
#include "adagents/ads/targeting.h"
#include "adagents/base/ids.h"
#include "ads/agents/auctioneer.h"
#include "ads/agents/cap_rules.h"
#include "ads/agents/deals.h"
#include "ads/agents/fitter.h"
#include "ads/agents/imp_needs.h"
#include "ads/agents/matcher.h"
#include "ads/agents/scorer.h"
#include "ads/agents/worth.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

std::string Amount(Micros amount, Currency cur) {
  return fmt::format("{:.2f} {}", amount.units(), cur.code());
}

std::string Date(absl::Time t) {
  return std::string(absl::FormatTime(absl::RFC3339_sec, t, absl::UTCTimeZone()));
}

/// OpenRTB's loss reason for a creative that cannot fill the imp.
reasons::Loss LossOf(Misfit misfit) {
  switch (misfit) {
    case Misfit::kFormat:
    case Misfit::kProtocols:
    case Misfit::kDelivery:
      return reasons::kIncorrectFormat;
    case Misfit::kSize:
      return reasons::kSizeNotAllowed;
    case Misfit::kAttribute:
      return reasons::kAttributeExclusions;
    case Misfit::kLanguage:
      return reasons::kLanguageExclusions;
    case Misfit::kNotSecure:
      return reasons::kNotSecure;
    default:
      return reasons::kCreativeFiltered;
  }
}

/// Sees whether there is budget, and takes none.
class Looking final : public Claims {
 public:
  Looking(const Budgets& budgets, const Candidates& candidates, Currency cur)
      : budgets_(budgets), candidates_(candidates), cur_(cur) {}
  Refusal Look(uint32_t candidate, Micros price) override {
    const CampaignFacts& campaign =
        candidates_.catalog->facts(candidates_.items[candidate].campaign);
    return budgets_.Look(campaign.key, campaign.currency, price, cur_);
  }
  Refusal Take(uint32_t candidate, uint32_t, Micros price) override {
    return Look(candidate, price);
  }
  void Undo(uint32_t) override {}

 private:
  const Budgets& budgets_;
  const Candidates& candidates_;
  const Currency cur_;
};

/// What each candidate would bid of its value at this moment; empty without a pacer.
Paces PacesNow(const Pacer* pacer, const Candidates& candidates) {
  Paces paces;
  if (pacer == nullptr) return paces;
  for (const Candidate& c : candidates.items) {
    const PaceOf pace = pacer->Read(candidates.catalog->facts(c.campaign).key);
    paces.factor.push_back(pace.sits_out ? 0.0f : pace.multiplier);
  }
  return paces;
}

/// The whole chain once more, with notes of how each candidate fared.
struct Replay {
  struct Fate {
    const ReasonCode* code = nullptr;
    double score = 0, threshold = 0;
  };
  Candidates candidates;
  CapVerdicts caps;
  Scores scores;
  Paces paces;
  AttentionSignal attention;
  CreativeFits fits;
  Timings timings;
  Affinities affinities;
  Wears wears;
  MomentView moment;  // of the five above
  Prices prices;
  Decision decision;
  std::vector<uint32_t> winners;
  std::vector<Fate> fates;  // by candidate

  explicit Replay(const WhyNotSetting& s) {
    candidates.catalog = s.catalog;
    Matcher().Run(s.request, s.switches, s.now, s.availability, &s.rates, &candidates, nullptr);
    Capper(s.cap_policy).Run(s.request, candidates, s.caps, s.now_nanos, &caps, nullptr);
    Scorer().Run(s.request, candidates, s.models, &scores);
    if (candidates.items.empty()) return;
    paces = PacesNow(s.pacer, candidates);
    if (s.sessions != nullptr) ReadMoment(s);
    PriceAll(
        s.request, candidates, scores, paces, s.rates, &prices,
        [](const ReasonCode&, uint64_t, Micros, Micros) {}, moment);
    fates.resize(candidates.items.size());
    const auto note = [&](uint32_t subject, const ReasonCode& code, double score,
                          double threshold) {
      if (!reasons::IsAboutImp(code)) fates[subject] = {&code, score, threshold};
    };
    const Because because = note;
    Looking looking(s.budgets, candidates, prices.cur);
    Auctioneer(s.auction).Run(
        s.request, candidates, scores, prices, &decision, &winners,
        {.because = &because, .caps = &caps, .claims = &looking, .timings = &timings});
  }

  /// What the listener's agents would say; of tastes, what is believed most.
  void ReadMoment(const WhyNotSetting& s) {
    Listener listener;
    if (!s.sessions->Find(s.request, &listener)) {
      if (!s.listener->contextual) return;
      listener = ListenerOf(s.request, absl::ToUnixMillis(s.now));
    }
    const Intents intents = IntentsOf(listener, s.request);
    const MomentModel& model = s.moments->model();
    attention = AttentionOf(listener, intents, s.request.device, model);
    for (const Imp& imp : s.request.imps) {
      timings.imps.push_back(WhenFor(imp, listener, intents, s.listener->timing));
    }
    Fitter(s.listener->creative).Run(candidates, listener, intents, model, 0, /*explore=*/0, &fits);
    ListenerRecord remembered;
    (void)s.moments->listeners().Find(WhoOf(listener), &remembered);
    FindAffinities(candidates, listener, intents, remembered, model, 0, /*explore=*/0, &affinities);
    FindWears(candidates, listener, remembered, model, &wears);
    moment = {&attention, &fits, &timings, s.listener->pricing, &affinities, &wears};
  }
};

class Answerer {
 public:
  Answerer(const WhyNotSetting& setting, uint32_t index)
      : s_(setting),
        catalog_(*setting.catalog),
        index_(index),
        campaign_(catalog_.campaign(index)),
        replay_(setting) {}

  std::string Answer() {
    text_ = fmt::format("campaign '{}' ({}) on request '{}':\n", campaign_.name, campaign_.id,
                        s_.request.id);
    SayState();
    TargetingQuery query;
    catalog_.targeting().Read(s_.request, s_.now, &query);
    for (uint32_t i = 0; i < s_.request.imps.size(); ++i) SayImp(i, &query);
    if (s_.request.imps.empty()) Say("the request has no imp");
    return text_;
  }

 private:
  void Say(std::string_view line) { text_ += fmt::format("  {}\n", line); }
  void Say(const Imp& imp, std::string_view line) {
    text_ += fmt::format("  imp '{}': {}\n", imp.id, line);
  }

  void SayState() {
    const CampaignFacts& facts = catalog_.facts(index_);
    if (s_.switches.Killed(facts.key)) Say("it is switched off");
    if (!facts.InFlight(absl::ToUnixSeconds(s_.now))) {
      std::string runs = "it runs";
      if (campaign_.start != absl::InfinitePast()) runs += " from " + Date(campaign_.start);
      if (campaign_.end != absl::InfiniteFuture()) runs += " to " + Date(campaign_.end);
      Say(fmt::format("{}, and now is {}", runs, Date(s_.now)));
    }
    if (!s_.rates.Pick(s_.request)) {
      Say("the request allows none of the currencies that there is an exchange rate for");
    }
  }

  void SayImp(uint32_t i, TargetingQuery* query) {
    const Imp& imp = s_.request.imps[i];
    catalog_.targeting().ReadImp(imp, query);
    const std::vector<Mismatch> mismatches = catalog_.targeting().Explain(*query, index_);
    for (const Mismatch& m : mismatches) Say(imp, ToString(m));
    if (!mismatches.empty()) return;
    DealBook deals;
    deals.Read(imp);
    const DealChoice deal = deals.Choose(campaign_, s_.availability.seat);
    if (deal.deal < 0 && (deal.required || imp.private_auction)) {
      Say(imp, deal.refused ? "the deal that it buys through does not invite its seat or domain"
                            : "only deals may bid, and it has none of them");
      return;
    }
    ImpNeeds needs;
    needs.Read(s_.request, imp);
    for (const CreativeFacts& creative : catalog_.creative_facts(index_)) {
      FitSize size;
      const Misfit misfit = needs.Judge(catalog_, creative, &size);
      const std::string& id = catalog_.creative(creative).id;
      if (misfit != Misfit::kNone) {
        Say(imp, fmt::format("creative '{}': {} (loss {})", id, Name(misfit),
                             static_cast<int>(LossOf(misfit))));
      } else {
        SayCandidate(i, imp, creative, id);
      }
    }
  }

  void SayCandidate(uint32_t i, const Imp& imp, const CreativeFacts& creative,
                    std::string_view id) {
    if (i >= replay_.candidates.imps.size()) return;
    const ImpRange& range = replay_.candidates.imps[i];
    uint32_t k = range.begin;
    while (k < range.end && (replay_.candidates.items[k].campaign != index_ ||
                             replay_.candidates.items[k].creative != creative.in_campaign)) {
      ++k;
    }
    if (k == range.end) {
      const CampaignFacts& facts = catalog_.facts(index_);
      if (!s_.switches.Killed(facts.key) && facts.InFlight(absl::ToUnixSeconds(s_.now))) {
        Say(imp, fmt::format("creative '{}' fits, but {} better-ranked candidates filled the list",
                             id, range.end - range.begin));
      }
      return;
    }
    Say(imp, fmt::format("creative '{}': {}", id, FateOf(imp, k)));
  }

  /// Each cap that is reached, with when it frees a place.
  std::string CapsOf(const Creative& creative) const {
    CapReader reader(s_.cap_policy);
    reader.Read(s_.request);
    std::vector<CapRule> rules;
    std::string text;
    if (!reader.RulesOf(catalog_, campaign_, creative, &rules)) {
      text = "; it has a frequency cap, and the request does not say for whom";
    }
    constexpr std::string_view kOn[] = {"the campaign", "this creative", "the brand"};
    for (const CapRule& rule : rules) {
      const CapUse use = s_.caps.Look(rule.window, s_.now_nanos);
      if (!use.reached) continue;
      text += fmt::format("; frequency cap on {}: {} of {} for this {} in {}",
                          kOn[static_cast<int>(rule.on)], use.shown + use.reserved, rule.cap->count,
                          Name(rule.cap->per), absl::FormatDuration(rule.cap->window));
      if (use.reserved > 0) text += fmt::format(" ({} of them reserved)", use.reserved);
      text += fmt::format(", a place is free in {}", absl::FormatDuration(use.free_in));
    }
    return text.empty() ? "capped together with its campaign" : text.substr(2);
  }

  /// Of a campaign that sits out: what it has spent, and what it may.
  std::string PlanOf() const {
    const auto report = s_.pacer->Report(catalog_.facts(index_).key);
    const Currency cur = campaign_.currency;
    std::string text = "sits this one out to keep to its plan";
    if (report && report->pending) {
      text = fmt::format(
          "sits this one out: its budget was set since the pacer's last tick, and is planned at "
          "the next; {} spent",
          Amount(report->spent, cur));
    } else if (report) {
      text += fmt::format(": {} spent, {} planned by now, of a budget of {}",
                          Amount(report->spent, cur), Amount(report->planned, cur),
                          Amount(report->budget, cur));
      if (report->period_end != absl::InfiniteFuture())
        text += " until " + Date(report->period_end);
    }
    return text + fmt::format(" (loss {})", static_cast<int>(reasons::kWantOfBudget));
  }

  std::string WordsOf(const ReasonCode& code, uint64_t subject, double score,
                      double threshold) const {
    return adagents::InWords({&code, subject, score, threshold}, [&](const Reason&) {
      return reasons::IsAboutImp(code) ? fmt::format("#{}", subject) : campaign_.id;
    });
  }

  static std::string WhenOf(const Timing& timing) {
    if (timing.when == Insertion::kNow) return "";
    return fmt::format(", {} in {:.1f} s", Name(timing.when), timing.in_ms / 1000.0);
  }

  std::string FateOf(const Imp& imp, uint32_t k) {
    const Candidate& c = replay_.candidates.items[k];
    if (k < replay_.caps.state.size()) {
      if (replay_.caps.state[k] == CapState::kCapped) {
        return fmt::format("{} (loss {})", CapsOf(campaign_.creatives[c.creative]),
                           static_cast<int>(reasons::kCreativeFiltered));
      }
      if (replay_.caps.state[k] == CapState::kHeldBack) {
        return "held back: it differs in nothing from a creative that is capped, and another "
               "stands in (loss 200)";
      }
    }
    const Currency cur = replay_.prices.cur;
    float rate = k < replay_.scores.rate.size() ? replay_.scores.rate[k] : 0.0f;
    float pace = k < replay_.paces.factor.size() ? replay_.paces.factor[k] : 1.0f;
    const auto index = static_cast<size_t>(&imp - s_.request.imps.data());
    const Timing timing = replay_.timings.Of(index);
    if (const ReasonCode* why = replay_.moment.NotNow(index); why != nullptr) {
      return "not now: " + WordsOf(*why, index, timing.score, timing.threshold);
    }
    const float before = rate, paced = pace;
    if (const ReasonCode* why = replay_.moment.Adjust(catalog_, c, k, &rate, &pace);
        why != nullptr) {
      return WordsOf(*why, catalog_.facts(index_).key, 0, 0);
    }
    std::string predicted = fmt::format("predicted rate {:.4g}", rate);
    if (rate != before) predicted += fmt::format(", {:.4g} without the moment", before);
    if (paced < 1.0f)
      predicted += fmt::format(", {:.3g} % of it bid to keep to the plan", 100 * paced);
    if (pace < paced)
      predicted += fmt::format(", {:.3g} % of that at this moment", 100 * pace / paced);
    if (replay_.prices.value.empty()) return "no currency to bid in";
    Micros value, floor;
    Pricer pricer(s_.request, catalog_, s_.rates, cur);
    (void)pricer.BeginImp(index);
    switch (pricer.Price(c, rate, &value, &floor, pace)) {
      case PriceTrouble::kBelowFloor:
        return fmt::format("worth {} a thousand ({}), below the floor of {} (loss {})",
                           Amount(value, cur), predicted, Amount(floor, cur),
                           (c.deal >= 0 ? reasons::kBelowDealFloor : reasons::kBelowFloor).number);
      case PriceTrouble::kNoRate:
        return fmt::format("no exchange rate for its currency {}", campaign_.currency.code());
      case PriceTrouble::kFloorCurrency:
        return "no exchange rate for the currency of the floor";
      case PriceTrouble::kNotANumber:
        return "its predicted rate is not a number in [0, 1]";
      case PriceTrouble::kPacedOut:
        return PlanOf();
      case PriceTrouble::kNone:
        break;
    }
    const Replay::Fate& fate = replay_.fates[k];
    const std::string worth =
        fmt::format("worth {} a thousand ({})", Amount(value, cur), predicted);
    if (fate.code == nullptr) return worth + ", but the imp was sold before its turn came";
    if (fate.code == &reasons::kWon) {
      return fmt::format("{}: it is shown, at {:.2f} {}{}", worth, fate.score, cur.code(),
                         WhenOf(timing));
    }
    std::string text =
        fmt::format("{}; {}", worth,
                    WordsOf(*fate.code, catalog_.facts(index_).key, fate.score, fate.threshold));
    for (const Bid& bid : replay_.decision.bids) {
      if (&s_.request.imps[bid.imp] == &imp && bid.campaign != nullptr) {
        text += fmt::format("; campaign '{}' ({}) is shown, at {}", bid.campaign->name,
                            bid.campaign->id, Amount(bid.price, bid.cur));
      }
    }
    return text;
  }

  const WhyNotSetting& s_;
  const Catalog& catalog_;
  const uint32_t index_;
  const Campaign& campaign_;
  Replay replay_;
  std::string text_;
};

}  // namespace

std::string WhyNot(const WhyNotSetting& setting, std::string_view campaign_id) {
  if (!setting.catalog) return "there is no catalog\n";
  const std::optional<uint32_t> index = setting.catalog->Find(campaign_id);
  if (!index) {
    return fmt::format("campaign '{}' is not in the catalog of {} campaigns\n", campaign_id,
                       setting.catalog->size());
  }
  return Answerer(setting, *index).Answer();
}

}  // namespace adagents::ads::internal
