// A trunk and a head for each agent of the ad team, from simulated listeners (world.h): one file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "adagents/model/trainer.h"
#include "dataset.h"
#include "world.h"

namespace train {

struct TeamOptions {
  WorldOptions world;
  Splits splits;
  adagents::model::EncoderShape shape;
  adagents::model::TrainOptions train;
  int trunk_epochs = 4, rounds = 1'000, hidden = 32;
  size_t windows = 100'000;  ///< to pre-train on, at most
  std::string out;           ///< model file
  bool json = false, quiet = false;
};

/// Prints a comparison for each head on standard output, progress on standard error.
absl::Status TrainTeam(const TeamOptions& options);

}  // namespace train
