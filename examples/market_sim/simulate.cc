#include "simulate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "adagents/ads/engine.h"
#include "adagents/testing/virtual_clock.h"
#include "arms.h"

namespace market_sim {
namespace {

using Kind = testing::ListeningEvent::Kind;

constexpr absl::Duration kTick = absl::Minutes(1);

class Run {
 public:
  explicit Run(const RunOptions& options) : options_(options) {}

  absl::StatusOr<Result> Do() {
    const auto began = std::chrono::steady_clock::now();
    if (absl::Status status = Begin(); !status.ok()) return status;
    testing::ListeningEvent event;
    while (world_->Next(&event)) {
      if (absl::Status status = Take(event); !status.ok()) return status;
    }
    NoteWorld(options_.sessions);
    result_.parameters = arm_->parameters(*engine_);
    result_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return std::move(result_);
  }

 private:
  absl::Status Begin() {
    auto world = testing::ListeningOptionsOf(options_.world);
    if (!world.ok()) return world.status();
    world->seed = options_.seed;
    world->sessions = options_.sessions;
    auto made = testing::ListeningWorld::Create(*world, &clock_);
    if (!made.ok()) return made.status();
    world_ = *std::move(made);
    auto arm = MakeArm(options_.arm, options_.blended);
    if (!arm.ok()) return arm.status();
    arm_ = *std::move(arm);

    ads::EngineOptions engine;
    engine.catalog = world_->MakeCatalog();
    engine.runtime.clock = &clock_;
    engine.runtime.inline_scheduler.emplace();
    engine.auction.pricing = ads::AuctionPricing::kFirstPrice;  // the exchange reduces prices
    engine.relevance.rows = 1 << 10;                            // a hundred creatives
    engine.cap_policy.session_sources = {std::string(testing::ListeningWorld::kSessionSource)};
    arm_->Prepare(&engine);
    auto created = ads::Engine::Create(std::move(engine));
    if (!created.ok()) return created.status();
    engine_ = *std::move(created);
    return arm_->Begin(*engine_, *world_, *world);
  }

  absl::Status Take(const testing::ListeningEvent& event) {
    if (event.at - ticked_ >= kTick) {
      ticked_ = event.at;
      if (absl::Status status = engine_->Tick(); !status.ok()) return status;
    }
    NoteWorld(std::max(furthest_, event.session));
    switch (event.kind) {
      case Kind::kPlayback:
        return arm_->Play(*engine_, event.playback);
      case Kind::kOutcome:
        arm_->Told(event.outcome, event.at);
        return engine_->Record(event.outcome);
      case Kind::kRequest:
        return Decide(event);
    }
    return absl::OkStatus();
  }

  absl::Status Decide(const testing::ListeningEvent& event) {
    const adagents::Answer<ads::Decision> answer = engine_->Decide(event.request);
    ++result_.decisions;
    arm_->Decided(event.request, answer.value, event.at);
    auto shown = world_->Answer(answer.value);
    if (!shown.ok()) return shown.status();
    if (shown->won) Note(event.session, answer.value.bids[0], *shown);
    return absl::OkStatus();
  }

  [[nodiscard]] size_t StepOf(uint64_t session) const {
    return std::min(Result::kSteps - 1, (session - 1) * Result::kSteps / options_.sessions);
  }
  [[nodiscard]] bool Judged(uint64_t session) const {
    return static_cast<double>(session) > options_.warmup * static_cast<double>(options_.sessions);
  }

  /// What the world has counted since the last note belongs to the sessions that began before.
  void NoteWorld(uint64_t session) {
    if (furthest_ != 0 && StepOf(session) == StepOf(furthest_) &&
        Judged(session) == Judged(furthest_) && session < options_.sessions) {
      furthest_ = session;
      return;
    }
    const testing::ListeningTruth now = world_->truth();
    const auto add = [&](Sums* to) {
      to->requests += static_cast<double>(now.requests - truth_.requests);
      to->hours += now.hours - truth_.hours;
      to->tracks += static_cast<double>(now.tracks - truth_.tracks);
      to->skips += static_cast<double>(now.skips - truth_.skips);
    };
    if (furthest_ != 0) {
      add(&result_.over_time[StepOf(furthest_)]);
      if (Judged(furthest_)) add(&result_.judged);
    }
    truth_ = now;
    furthest_ = session;
  }

  void Note(uint64_t session, const ads::Bid& bid, const testing::Shown& shown) {
    const double cost = shown.price.units() / 1000;
    const auto add = [&](Sums* to) {
      to->cost += cost;
      if (!shown.human) {
        to->cost_of_bots += cost;
        return;
      }
      const testing::Response& odds = shown.odds;
      to->impressions += 1;
      to->clicks += shown.clicked;
      to->completions += shown.completed;
      to->conversions += shown.converted;
      to->expected_clicks += odds.click;
      to->expected_completions += odds.completion;
      to->expected_conversions += odds.click * odds.conversion;
      to->recall += odds.recall;
      to->repeats += shown.repeat;
      to->unsuitable += shown.unsuitable;
      const ads::BidStrategy& pays = bid.campaign->bid;
      to->value += pays.action == ads::Action::kNone ? pays.max_cpm.units() / 1000
                   : pays.action == ads::Action::kClick
                       ? pays.value_per_action.units() * odds.click
                       : pays.value_per_action.units() * odds.completion;
    };
    add(&result_.over_time[StepOf(session)]);
    if (!Judged(session)) return;
    add(&result_.judged);
    if (!shown.human) return;
    const auto times = std::min<size_t>(Result::kTimes - 1,
                                        static_cast<size_t>(std::lround(shown.moment.heard_brand)));
    result_.fatigue[times].n += 1;
    result_.fatigue[times].clicks += shown.odds.click;
    if (bid.campaign->bid.action == ads::Action::kClick) NoteCalibration(bid, shown);
  }

  /// The rate that was predicted follows from the value that the bid had.
  void NoteCalibration(const ads::Bid& bid, const testing::Shown& shown) {
    const double predicted =
        bid.value.units() / (bid.campaign->bid.value_per_action.units() * 1000);
    if (!(predicted > 0)) return;
    const double steps = std::log(predicted / Result::kHighest) / std::log(Result::kStep);
    const auto bin =
        static_cast<size_t>(std::clamp(steps, 0.0, static_cast<double>(Result::kBins - 1)));
    Result::Bin& to = result_.calibration[bin];
    to.n += 1;
    to.predicted += predicted;
    to.truth += shown.odds.click;
    to.clicks += shown.clicked;
  }

  const RunOptions& options_;
  testing::VirtualClock clock_;
  std::unique_ptr<testing::ListeningWorld> world_;
  std::unique_ptr<Arm> arm_;
  std::unique_ptr<ads::Engine> engine_;
  absl::Time ticked_ = absl::InfinitePast();
  testing::ListeningTruth truth_;
  uint64_t furthest_ = 0;
  Result result_;
};

}  // namespace

absl::StatusOr<Result> Simulate(const RunOptions& options) { return Run(options).Do(); }

}  // namespace market_sim
