#include "arms.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "adagents/runtime/context.h"
#include "fmt/format.h"
#include "team.h"
#ifdef ADAGENTS_HAS_TRAINING
#include "trained_team.h"
#endif

namespace market_sim {
namespace {

using adagents::Agent;
using adagents::Context;
using adagents::In;
using adagents::Micros;
using adagents::Out;

constexpr std::string_view kSpecialists = "specialists", kRemoved = "specialists-";
constexpr std::string_view kAssumptions = "assumptions";
constexpr std::string_view kTrained = "specialists+models";
constexpr Micros kMayNotBid{-1};

/// What a thousand impressions are worth to the campaign at these rates, in its currency.
Micros Worth(const ads::CampaignFacts& campaign, const testing::Response& rates) {
  const auto worth = [&](double rate) {
    const double micros = static_cast<double>(campaign.value_per_action.value) * rate * 1000;
    return std::min(campaign.max_cpm, Micros{static_cast<int64_t>(micros)});
  };
  switch (campaign.action) {
    case ads::Action::kNone:
      return campaign.max_cpm;
    case ads::Action::kClick:
      return worth(rates.click);
    case ads::Action::kCompletion:
      return worth(rates.completion);
    case ads::Action::kConversion:
      return worth(rates.click * rates.conversion);
  }
  return {};
}

/// An agent in the place of "pricing" that says itself what candidates are worth.
class Pricer : public Agent {
 public:
  Pricer() : Agent({.name = "pricing"}) {}
  absl::Status Run(Context& ctx) final {
    const ads::Candidates& candidates = ctx[candidates_];
    ads::Prices& out = ctx[prices_];
    const size_t n = candidates.items.size();
    out.value.assign(n, kMayNotBid);
    out.floor.assign(n, ctx[request_].imps[0].bidfloor);
    Price(ctx, ctx[request_], candidates, &out);
    if (std::all_of(out.value.begin(), out.value.end(),
                    [](Micros value) { return value == kMayNotBid; })) {
      out.nbr = candidates.items.empty() ? candidates.nbr : ads::Nbr::kBelowFloor;
    }
    return absl::OkStatus();
  }

 protected:
  virtual void Price(Context& ctx, const ads::Request& request, const ads::Candidates& candidates,
                     ads::Prices* out) = 0;

 private:
  In<ads::Request> request_{this, ads::kRequest};
  In<ads::Candidates> candidates_{this, ads::kCandidates};
  Out<ads::Prices> prices_{this, ads::kPrices};
};

class RandomPricer final : public Pricer {
 public:
  explicit RandomPricer(const testing::Response& average) : average_(average) {}

 private:
  void Price(Context& ctx, const ads::Request& /*request*/, const ads::Candidates& candidates,
             ads::Prices* out) override {
    if (candidates.items.empty()) return;
    const size_t k = ctx.random().Below(candidates.items.size());
    out->value[k] = Worth(candidates.catalog->facts(candidates.items[k].campaign), average_);
  }
  const testing::Response average_;
};

class OraclePricer final : public Pricer {
 public:
  explicit OraclePricer(const testing::ListeningWorld* world) : world_(world) {}

 private:
  void Price(Context& /*ctx*/, const ads::Request& request, const ads::Candidates& candidates,
             ads::Prices* out) override {
    if (!world_->human()) return;
    // A break that is left alone within a song is asked for again when the song ends.
    if (request.imps[0].tagid == testing::Name(testing::SlotKind::kMidSong)) return;
    for (size_t k = 0; k < candidates.items.size(); ++k) {
      const ads::Candidate& c = candidates.items[k];
      const auto facts = candidates.catalog->creative_facts(c.campaign)[c.creative];
      const auto creative = world_->FindCreative(facts.key);
      if (!creative) continue;
      out->value[k] = Worth(candidates.catalog->facts(c.campaign), world_->Odds(*creative));
    }
  }
  const testing::ListeningWorld* const world_;
};

class RandomArm final : public Arm {
 public:
  absl::Status Begin(ads::Engine& engine, const testing::ListeningWorld& /*world*/,
                     const testing::ListeningOptions& options) override {
    return engine.runtime()
        .Edit()
        .Remove("relevance")
        .Replace<RandomPricer>("pricing", options.flat)
        .Commit();
  }
};

class OracleArm final : public Arm {
 public:
  absl::Status Begin(ads::Engine& engine, const testing::ListeningWorld& world,
                     const testing::ListeningOptions& /*options*/) override {
    return engine.runtime()
        .Edit()
        .Remove("relevance")
        .Replace<OraclePricer>("pricing", &world)
        .Commit();
  }
};

class BlendedArm final : public Arm {
 public:
  explicit BlendedArm(const BlendedOptions& options)
      : model_(std::make_shared<BlendedModel>(options)) {}
  absl::Status Begin(ads::Engine& engine, const testing::ListeningWorld& /*world*/,
                     const testing::ListeningOptions& /*options*/) override {
    return engine.runtime()
        .Edit()
        .Remove("relevance_learner")
        .Replace<BlendedScorer>("relevance", model_)
        .Commit();
  }
  absl::Status Play(ads::Engine& /*engine*/, const ads::PlaybackEvent& event) override {
    model_->Play(event);
    return absl::OkStatus();
  }
  void Decided(const ads::RequestPtr& request, const ads::Decision& decision,
               absl::Time now) override {
    model_->Decided(request, decision, now);
  }
  void Told(const ads::OutcomeEvent& outcome, absl::Time now) override {
    model_->Told(outcome, now);
  }
  size_t parameters(ads::Engine& /*engine*/) const override { return model_->parameters(); }

 private:
  const std::shared_ptr<BlendedModel> model_;
};

class SpecialistsArm : public Arm {
 public:
  explicit SpecialistsArm(std::string_view removed = {}) : removed_(removed) {}
  void Prepare(ads::EngineOptions* options) override {
    AssembleTeam(options);
    if (removed_ == kAssumptions) options->listener->moments.model.assume = false;
  }
  absl::Status Begin(ads::Engine& engine, const testing::ListeningWorld& /*world*/,
                     const testing::ListeningOptions& /*options*/) override {
    if (removed_.empty() || removed_ == kAssumptions) return absl::OkStatus();
    return engine.runtime().SetSwitchedOff(removed_, true);
  }
  absl::Status Play(ads::Engine& engine, const ads::PlaybackEvent& event) override {
    return TellTeam(engine, event);
  }
  size_t parameters(ads::Engine& engine) const override {
    const ads::RelevanceModels& relevance = engine.relevance_models();
    const ads::Moments& moments = *engine.moments();
    return relevance.click.learned() + relevance.completion.learned() +
           relevance.conversion.learned() + moments.model().learned() +
           moments.listeners().tastes();
  }

 private:
  const std::string removed_;
};

#ifdef ADAGENTS_HAS_TRAINING
class TrainedArm final : public SpecialistsArm {
 public:
  void Prepare(ads::EngineOptions* options) override {
    SpecialistsArm::Prepare(options);
    prepared_ = team_.AddTo(options);
  }
  absl::Status Begin(ads::Engine& /*engine*/, const testing::ListeningWorld& /*world*/,
                     const testing::ListeningOptions& options) override {
    team_.Begin(options.sessions);
    return prepared_;
  }
  absl::Status Play(ads::Engine& engine, const ads::PlaybackEvent& event) override {
    if (absl::Status status = team_.Play(event); !status.ok()) return status;
    return SpecialistsArm::Play(engine, event);
  }
  void Decided(const ads::RequestPtr& request, const ads::Decision& decision,
               absl::Time /*now*/) override {
    team_.Decided(*request, decision);
  }
  void Told(const ads::OutcomeEvent& outcome, absl::Time /*now*/) override { team_.Told(outcome); }
  size_t parameters(ads::Engine& engine) const override {
    return SpecialistsArm::parameters(engine) + team_.parameters();
  }

 private:
  TrainedTeam team_;
  absl::Status prepared_;
};
#endif

}  // namespace

std::vector<std::string> ArmNames() {
  std::vector<std::string> names = {"random", "blended", "blended-small",
                                    std::string(kSpecialists)};
#ifdef ADAGENTS_HAS_TRAINING
  names.emplace_back(kTrained);
#endif
  names.emplace_back("oracle");
  return names;
}

std::vector<std::string> AblatedArms() {
  std::vector<std::string> arms;
  for (const std::string& agent : Specialists()) arms.push_back(std::string(kRemoved) + agent);
  arms.push_back(fmt::format("{}{}", kRemoved, kAssumptions));
  return arms;
}

absl::StatusOr<std::unique_ptr<Arm>> MakeArm(std::string_view name, const BlendedOptions& blended) {
  if (name == "random") return std::make_unique<RandomArm>();
  if (name == "oracle") return std::make_unique<OracleArm>();
  if (name == "blended" || IsSmallBlended(name)) return std::make_unique<BlendedArm>(blended);
  if (name == kSpecialists) return std::make_unique<SpecialistsArm>();
#ifdef ADAGENTS_HAS_TRAINING
  if (name == kTrained) return std::make_unique<TrainedArm>();
#else
  if (name == kTrained) {
    return adagents::FailedPrecondition(
        fmt::format("'{}' was not built: it needs adagents::ads_training, LibTorch that is", name));
  }
#endif
  const auto ablated = AblatedArms();
  if (std::find(ablated.begin(), ablated.end(), name) != ablated.end()) {
    return std::make_unique<SpecialistsArm>(name.substr(kRemoved.size()));
  }
  std::string names;
  for (const std::string& arm : ArmNames()) names += fmt::format(" {}", arm);
  for (const std::string& arm : ablated) names += fmt::format(" {}", arm);
  return adagents::InvalidArgument(fmt::format("there is no arm '{}'; there are{}", name, names));
}

}  // namespace market_sim
