#include "blended.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

#include "adagents/ads/prior_rates.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "adagents/runtime/context.h"
#include "fmt/format.h"

namespace market_sim {
namespace {

using adagents::InvalidArgument;

constexpr double kCompletionPrior = 0.8;
constexpr size_t kMostPast = 50'000;                    // examples that are kept
constexpr absl::Duration kForgetBids = absl::Hours(6);  // whose notices never came

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

MachineOptions WithPrior(MachineOptions options, double prior) {
  options.prior = prior;
  return options;
}

struct Setting {
  std::string_view name;
  double low, high;
  std::function<double(const BlendedOptions&)> get;
  std::function<void(BlendedOptions*, double)> set;
};

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = {
      {"bits", 10, 22, [](const auto& o) { return o.machine.bits; },
       [](auto* o, double v) { o->machine.bits = static_cast<int>(v); }},
      {"width", 0, 64, [](const auto& o) { return o.machine.width; },
       [](auto* o, double v) { o->machine.width = static_cast<int>(v); }},
      {"rate", 1e-6, 10, [](const auto& o) { return o.machine.rate; },
       [](auto* o, double v) { o->machine.rate = v; }},
      {"vector_rate", 0, 10, [](const auto& o) { return o.machine.vector_rate; },
       [](auto* o, double v) { o->machine.vector_rate = v; }},
      {"l2", 0, 1, [](const auto& o) { return o.machine.l2; },
       [](auto* o, double v) { o->machine.l2 = v; }},
      {"vector_l2", 0, 1, [](const auto& o) { return o.machine.vector_l2; },
       [](auto* o, double v) { o->machine.vector_l2 = v; }},
      {"spread", 0, 1, [](const auto& o) { return o.machine.spread; },
       [](auto* o, double v) { o->machine.spread = v; }},
      {"doubt", 1e-3, 100, [](const auto& o) { return o.machine.doubt; },
       [](auto* o, double v) { o->machine.doubt = v; }},
      {"replay", 0, 100, [](const auto& o) { return o.replay; },
       [](auto* o, double v) { o->replay = static_cast<int>(v); }},
      {"explore", 0, 10, [](const auto& o) { return o.explore; },
       [](auto* o, double v) { o->explore = v; }},
  };
  return settings;
}

}  // namespace

BlendedOptions TunedFor(std::string_view world) {
  BlendedOptions options;
  MachineOptions& machine = options.machine;
  if (world == "direct") {
    machine.rate = 0.4;
  } else if (world == "podcasts") {
    machine.width = 16;
    machine.rate = 0.2;
    machine.vector_rate = 0.01;
    machine.spread = 0.05;
  } else {
    machine.vector_rate = 0.02;
    machine.doubt = 0.3;
  }
  return options;
}

BlendedOptions TunedSmallFor(std::string_view world) {
  BlendedOptions options;
  MachineOptions& machine = options.machine;
  machine.bits = 11;
  machine.width = 3;
  if (world == "direct") {
    machine.rate = 0.2;
    machine.vector_rate = 0.1;
  } else {
    machine.vector_rate = world == "podcasts" ? 0.01 : 0.02;
  }
  return options;
}

absl::StatusOr<BlendedOptions> ParseBlended(std::string_view text, BlendedOptions options) {
  while (!text.empty()) {
    const std::string item(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    const std::string name = item.substr(0, equals);
    const auto& settings = Settings();
    const auto setting = std::find_if(settings.begin(), settings.end(),
                                      [&](const Setting& s) { return s.name == name; });
    if (setting == settings.end()) {
      std::string names;
      for (const Setting& s : settings) names += fmt::format(" {}", s.name);
      return InvalidArgument(
          fmt::format("'{}' is no setting of the blended model; there are{}", name, names));
    }
    const std::string value = equals == std::string::npos ? "" : item.substr(equals + 1);
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !(number >= setting->low && number <= setting->high)) {
      return InvalidArgument(fmt::format("{} must be from {:g} to {:g}, got '{}'", name,
                                         setting->low, setting->high, value));
    }
    setting->set(&options, number);
  }
  return options;
}

std::string ToText(const BlendedOptions& options) {
  std::string text;
  for (const Setting& s : Settings()) {
    text += fmt::format("{}{}={:g}", text.empty() ? "" : ",", s.name, s.get(options));
  }
  return text;
}

BlendedModel::BlendedModel(const BlendedOptions& options)
    : options_(options),
      features_(options.machine.bits),
      click_(options.machine),
      completion_(WithPrior(options.machine, kCompletionPrior)) {}

void BlendedModel::Score(const ads::Request& request, const ads::Candidates& candidates,
                         uint64_t decision, absl::Time now, ads::Scores* out) {
  const ads::Catalog& catalog = *candidates.catalog;
  features_.Context(request, now, &context_);
  const auto click = click_.Sum(context_), completion = completion_.Sum(context_);
  adagents::Random random(decision, adagents::StableHash64("blended"));
  out->rate.resize(candidates.items.size());
  for (size_t k = 0; k < candidates.items.size(); ++k) {
    const ads::Candidate& c = candidates.items[k];
    const ads::CampaignFacts& campaign = catalog.facts(c.campaign);
    const bool listens = ads::TargetOf(campaign, c.mtype) == ads::Action::kCompletion;
    FactorisationMachine& machine = listens ? completion_ : click_;
    features_.Ad(request, catalog.campaign(c.campaign),
                 catalog.campaign(c.campaign).creatives[c.creative],
                 catalog.creative_facts(c.campaign)[c.creative], now, &ad_);
    double odds = machine.LogOdds(listens ? completion : click, machine.Sum(ad_));
    if (options_.explore > 0) {
      odds += options_.explore * std::sqrt(machine.Variance(ad_)) * random.Normal();
    }
    out->rate[k] = static_cast<float>(Sigmoid(odds));
  }
}

void BlendedModel::Decided(const ads::RequestPtr& request, const ads::Decision& decision,
                           absl::Time now) {
  Settle(now);
  if (decision.bids.empty()) return;
  const ads::Bid& won = decision.bids[0];
  ads::CreativeFacts facts;
  facts.key = adagents::CombineHash(won.campaign->key, adagents::StableHash64(won.creative->id));
  facts.brand = ads::BrandKey(won.campaign->brand_or_advertiser());
  Bid bid{request, {}, facts.brand, facts.key};
  features_.Context(*request, now, &bid.places);
  features_.Ad(*request, *won.campaign, *won.creative, facts, now, &ad_);
  bid.places.insert(bid.places.end(), ad_.begin(), ad_.end());
  bids_[decision.id] = std::move(bid);
  decided_.emplace_back(now, decision.id);
}

void BlendedModel::Told(const ads::OutcomeEvent& outcome, absl::Time now) {
  Settle(now);
  const auto found = bids_.find(outcome.decision);
  if (found == bids_.end()) return;
  Bid& bid = found->second;
  if (outcome.kind == ads::OutcomeKind::kLoss) {
    bids_.erase(found);
    return;
  }
  if (!bid.heard) {  // whatever is reported implies it
    bid.heard = true;
    features_.Heard(*bid.request, bid.brand, bid.creative, now);
    heard_.emplace_back(now, outcome.decision);
  }
  bid.clicked |= outcome.kind == ads::OutcomeKind::kClick;
  bid.completed |= outcome.kind == ads::OutcomeKind::kCompletion;
}

/// Learns from what was heard long enough ago.
void BlendedModel::Settle(absl::Time now) {
  while (!heard_.empty() && heard_.front().first + options_.window <= now) {
    const auto found = bids_.find(heard_.front().second);
    heard_.pop_front();
    if (found == bids_.end()) continue;
    Bid& bid = found->second;
    Learn({std::move(bid.places), bid.clicked, bid.completed});
    bids_.erase(found);
  }
  while (!decided_.empty() && decided_.front().first + kForgetBids <= now) {
    bids_.erase(decided_.front().second);
    decided_.pop_front();
  }
}

void BlendedModel::Learn(Example example) {
  const auto learn = [&](const Example& from, bool again) {
    click_.Learn(from.places, from.clicked, again);
    completion_.Learn(from.places, from.completed, again);
  };
  learn(example, false);
  if (options_.replay == 0) return;
  adagents::Random random(learned_, adagents::StableHash64("replay"));
  for (int i = 0; i < options_.replay && !past_.empty(); ++i) {
    learn(past_[random.Below(past_.size())], true);
  }
  const size_t place = learned_++ % kMostPast;
  if (place < past_.size()) {
    past_[place] = std::move(example);
  } else {
    past_.push_back(std::move(example));
  }
}

BlendedScorer::BlendedScorer(std::shared_ptr<BlendedModel> model)
    : Agent({.name = "relevance"}), model_(std::move(model)) {}

absl::Status BlendedScorer::Run(adagents::Context& ctx) {
  const ads::Candidates& candidates = ctx[candidates_];
  if (candidates.items.empty()) return absl::OkStatus();
  model_->Score(ctx[request_], candidates, ctx.decision_id(), ctx.clock().WallNow(), &ctx[scores_]);
  return absl::OkStatus();
}

}  // namespace market_sim
