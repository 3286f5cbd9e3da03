#include "trained_team.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "adagents/ads_models/team_trainer.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace market_sim {
namespace {

namespace ads_models = adagents::ads_models;
namespace model = adagents::model;

// After these shares of the sessions have begun.
constexpr std::array kWhen = {0.1, 0.4};
// What is younger may not be known to have had no outcome yet.
constexpr absl::Duration kRipens = absl::Minutes(15);
constexpr size_t kLeast = 1'000;   // states of sessions; of fewer there is nothing to be learned
constexpr double kTraining = 0.8;  // of the time; the rest is to stop and to calibrate by

size_t NumbersOf(const model::Model& model) {
  size_t numbers = model.encoder()->weights().size();
  for (const auto& [name, head] : model.heads()) {
    const model::HeadWeights& w = head.weights();
    numbers += w.table.size() + w.session.size() + w.bias.size() + w.out.size() + 1;
  }
  return numbers;
}

}  // namespace

absl::Status TrainedTeam::AddTo(ads::EngineOptions* options) {
  clock_ = options->runtime.clock;
  // Twice what is strict by the tables alone; tuned on seeds from 101 on.
  options->listener->creative.rules = ads::StrictSuitability(2);
  auto models = ads_models::TeamModels::AddTo(options);
  if (!models.ok()) return models.status();
  models_ = *std::move(models);
  auto log = ads_models::TeamLog::Create(options->listener->sessions, clock_);
  if (!log.ok()) return log.status();
  log_ = *std::move(log);
  return absl::OkStatus();
}

absl::Status TrainedTeam::Play(const ads::PlaybackEvent& event) {
  if (absl::Status status = log_->Play(event); !status.ok()) return status;
  if (event.kind != ads::PlaybackKind::kSessionStart) return absl::OkStatus();
  ++begun_;
  for (const double share : kWhen) {
    if (begun_ == static_cast<size_t>(share * static_cast<double>(sessions_))) return Train();
  }
  return absl::OkStatus();
}

absl::Status TrainedTeam::Train() {
  const ads_models::TeamExamples& examples = log_->examples();
  if (examples.windows.size() < kLeast) return absl::OkStatus();
  const int64_t from = examples.windows.front().at_ms;
  const int64_t to = absl::ToUnixMillis(clock_->WallNow() - kRipens);
  const int64_t cut = from + static_cast<int64_t>(kTraining * static_cast<double>(to - from));
  ads_models::TeamTraining training{.training = {from, cut},
                                    .validation = {cut, to},
                                    .tasks = {ads_models::Task::kIntent},
                                    .shape = {.width = 32, .layers = 1, .feed_forward = 64},
                                    .trunk = {.epochs = 6},
                                    .windows = 40'000,
                                    .outcomes = 100'000,
                                    .tried = {{3e-3, 0.3}},
                                    .hidden = 32};
  training.head.epochs = 20;
  auto trained = ads_models::TrainTeam(examples, training);
  if (trained.status().code() == absl::StatusCode::kInvalidArgument) {
    return absl::OkStatus();  // too little has happened yet
  }
  if (!trained.ok()) {
    return adagents::MakeStatus(
        trained.status().code(),
        fmt::format("after {} sessions: {}", begun_, adagents::Message(trained.status())));
  }
  parameters_ = NumbersOf(*trained->model);
  return models_->store().Publish(std::move(trained->model));
}

}  // namespace market_sim
