// Trains the models of the ad team (team_models.h) from a log (team_log.h): a trunk on what comes
// next in sessions, then a head for each task, on LibTorch (target adagents::ads_training).
//
//   auto trained = TrainTeam(examples, {.training = {begin, end}, .validation = {end, now}});
//   trained->model->Save("team.model");   // or models->store().Publish(...)
//
// Thread safety: as of model/trainer.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads_models/team_log.h"
#include "adagents/model/model.h"
#include "adagents/model/trainer.h"

namespace adagents::ads_models {

struct TeamTraining {
  /// What is learned from, and what it is stopped and calibrated by: later than that, and long
  /// enough ago for its outcomes to have come.
  Period training, validation;
  std::vector<Task> tasks = {Task::kClick, Task::kCompletion, Task::kAttention, Task::kSkip,
                             Task::kIntent};
  model::EncoderShape shape = {};
  /// Of the trunk.
  model::TrainOptions trunk = {.epochs = 4};
  size_t windows = 100'000;   ///< to train it on, at most
  size_t outcomes = 200'000;  ///< of a task, to train its head on, at most
  /// Of the heads, but for what is tried: of that the best on the validation period is taken. A
  /// slow one with more decay, for rare outcomes such as clicks, and a fast one.
  model::TrainOptions head = {};
  struct Try {
    double rate, decay;
  };
  std::vector<Try> tried = {{1e-3, 1}, {3e-3, 0.3}};
  int hidden = 32;        ///< HeadShape::hidden
  std::string note = {};  ///< Model::note()
  /// Told what is going on: "trunk", or a head's name and what is tried; and the epoch.
  std::function<void(std::string_view what, const model::EpochReport&)> progress = {};
};

struct TrainedTeam {
  std::unique_ptr<const model::Model> model;
  double trunk_loss = 0, shares_loss = 0;  ///< as model::Pretrained's
};

/// Errors of Pretrain(), and of TrainHead(), which name the task; InvalidArgument with nothing to
/// try.
absl::StatusOr<TrainedTeam> TrainTeam(const TeamExamples& examples, const TeamTraining& options);

}  // namespace adagents::ads_models
