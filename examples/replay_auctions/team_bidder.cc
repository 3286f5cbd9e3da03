#include "team_bidder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adagents/ads/engine.h"
#include "adagents/base/status.h"
#include "adagents/testing/virtual_clock.h"

namespace replay_auctions {
namespace {

using namespace adagents;  // NOLINT: an application

// Pacing only ever lowers bids, so the value stands above what bids are going to be.
constexpr double kHeadroom = 3;
// Prices of the log are CPM in units; an impression costs a thousandth.
constexpr double kMicrosOfImpression = static_cast<double>(Micros::kUnit) / 1000;
const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);

/// The predicted rate comes from the log, not from a model.
struct Logged {
  float ctr = 0;
};
class LoggedRelevance final : public Agent {
  In<ads::Candidates> candidates_{this, ads::kCandidates};
  Out<ads::Scores> scores_{this, ads::kScores, ads::Scores{}};
  const std::shared_ptr<const Logged> logged_;

 public:
  explicit LoggedRelevance(std::shared_ptr<const Logged> logged)
      : Agent({.name = "relevance"}), logged_(std::move(logged)) {}
  absl::Status Run(Context& ctx) override {
    ctx[scores_].rate.assign(ctx[candidates_].items.size(), logged_->ctr);
    return absl::OkStatus();
  }
};

Micros FromUnits(double units) {
  return Micros::FromUnits(std::clamp(units, 1e-6, 1e9)).value_or(Micros{1});
}

ads::Campaign MakeCampaign(double value_of_click) {
  ads::Campaign c;
  c.id = c.name = c.advertiser = "replayed";
  c.adomain = {"replayed.example"};
  c.cat = {"IAB3"};
  c.budget.daily = FromUnits(1);  // the pacer's goal is what counts
  c.bid.max_cpm = FromUnits(1e9);
  c.bid.action = ads::Action::kClick;
  c.bid.value_per_action = FromUnits(value_of_click / 1000);
  ads::Creative banner;
  banner.id = "banner";
  banner.format = ads::MarkupType::kBanner;
  banner.w = 300;
  banner.h = 250;
  banner.media_url = "https://cdn.example/banner.png";
  banner.mimes = {"image/png"};
  banner.click_through = "https://replayed.example/";
  c.creatives.push_back(std::move(banner));
  return c;
}

ads::RequestPtr MakeImpRequest() {
  ads::NewRequest made = ads::MakeRequest();
  ads::Banner banner;
  banner.format = made.arena->Copy({ads::Format{.w = 300, .h = 250}});
  ads::Imp imp;
  imp.id = "1";
  imp.banner = made.arena->New(banner);
  made.request->id = "replayed";
  made.request->at = 1;  // the bid is the value; who pays the second price is the log
  made.request->imps = made.arena->Copy({imp});
  made.request->consent = ads::ComputeConsent(*made.request);
  return made.ptr;
}

class TeamBidder final : public Bidder {
 public:
  explicit TeamBidder(const Rules& rules)
      : between_(absl::Hours(24) / static_cast<double>(rules.episode)) {}

  absl::Status Build(double value_of_click) {
    ads::PacerOptions pacing;
    pacing.forecast = ads::TrafficForecast::Flat(absl::FDivDuration(absl::Hours(1), between_));
    pacing.tick = between_;
    pacing.capacity = 8;
    pacer_ = std::make_shared<ads::Pacer>(pacing);
    std::vector<ads::Campaign> campaigns;
    campaigns.push_back(MakeCampaign(value_of_click * kHeadroom));
    auto catalog = ads::Catalog::Build(std::move(campaigns));
    if (!catalog.ok()) return catalog.status();
    key_ = (*catalog)->facts(0).key;
    ads::EngineOptions options;
    options.catalog = *std::move(catalog);
    options.pacer = pacer_;
    options.relevance.rows = 64;
    options.outcomes.capacity = 1024;
    options.runtime.clock = &clock_;
    options.runtime.inline_scheduler = InlineScheduler{};
    auto engine = ads::Engine::Create(std::move(options));
    if (!engine.ok()) return engine.status();
    engine_ = *std::move(engine);
    return engine_->runtime().Edit().Replace<LoggedRelevance>("relevance", logged_).Commit();
  }

  std::string_view name() const override { return "adagents"; }
  void BeginEpisode(double budget, size_t auctions) override {
    // A short episode is a short day: its flight ends early.
    const absl::Time midnight = kMonday + absl::Hours(24) * episode_++;
    const auto micros = static_cast<int64_t>(budget * kMicrosOfImpression);
    (void)pacer_->Set(key_, {.lifetime = Micros{std::max<int64_t>(1, spent_ + micros)},
                             .start = midnight,
                             .end = midnight + between_ * static_cast<double>(auctions),
                             .within = absl::Hours(24)});  // what counts is the episode's total
    clock_.SetWall(midnight);
    pacer_->Tick(midnight);
  }
  double Bid(double ctr) override {
    logged_->ctr = static_cast<float>(ctr);
    const Answer<ads::Decision> answer = engine_->Decide(request_, {.trusted = true});
    return answer.value.bids.empty() ? -1.0 : answer.value.bids[0].price.units();
  }
  void After(bool won, double paid) override {
    if (won) {
      const auto micros = static_cast<int64_t>(std::lround(paid * kMicrosOfImpression));
      spent_ += micros;
      pacer_->OnSpend(key_, Micros{micros});
    }
    clock_.Advance(between_);
    pacer_->Tick(clock_.WallNow());
  }

 private:
  const absl::Duration between_;  // auctions
  testing::VirtualClock clock_;
  const std::shared_ptr<Logged> logged_ = std::make_shared<Logged>();
  const ads::RequestPtr request_ = MakeImpRequest();
  std::shared_ptr<ads::Pacer> pacer_;
  std::unique_ptr<ads::Engine> engine_;
  uint64_t key_ = 0;
  int64_t episode_ = 0;
  int64_t spent_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Bidder>> MakeTeamBidder(double value_of_click, const Rules& rules) {
  auto bidder = std::make_unique<TeamBidder>(rules);
  if (absl::Status status = bidder->Build(value_of_click); !status.ok()) return status;
  return std::unique_ptr<Bidder>(std::move(bidder));
}

}  // namespace replay_auctions
