// One arm in one world with one seed: the world's sessions through the arm's engine, and what came
// of it. Functions of their arguments, so that runs may be made side by side: thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/testing/listening_world.h"
#include "blended.h"

namespace market_sim {

struct RunOptions {
  std::string world, arm;
  uint64_t seed = 1;
  size_t sessions = 1000;
  double warmup = 0.5;  ///< share of the sessions that are not judged; the arm learns all along
  BlendedOptions blended;
};

/// Sums over impressions that were bought, of people alone but for what is paid. "Expected" figures
/// are sums of the true odds of what was shown: the same as counts of what happened, but for the
/// noise of single outcomes.
struct Sums {
  double impressions = 0, clicks = 0, completions = 0, conversions = 0;
  double expected_clicks = 0, expected_completions = 0, expected_conversions = 0;
  double recall = 0;  ///< expected
  double cost = 0;    ///< units of currency, also for ads that bots heard
  double cost_of_bots = 0;
  double value = 0;       ///< units that the expected actions are worth to who paid for them
  double repeats = 0;     ///< of a brand within the hour
  double unsuitable = 0;  ///< mid-song, or of a wrong tone or pace at bedtime
  // Of the world meanwhile.
  double requests = 0, hours = 0, tracks = 0, skips = 0;
};

struct Result {
  Sums judged;  ///< after the warm-up
  static constexpr size_t kSteps = 20;
  std::array<Sums, kSteps> over_time;  ///< all sessions in equal parts

  /// Of campaigns that pay for clicks, after the warm-up: by predicted rate, in steps of a factor
  /// of kStep below kHighest.
  struct Bin {
    double n = 0, predicted = 0, truth = 0, clicks = 0;
  };
  static constexpr size_t kBins = 20;
  static constexpr double kHighest = 0.5, kStep = 0.75;
  std::array<Bin, kBins> calibration;

  /// Impressions by how often the brand had been heard, rounded, the last for all beyond.
  static constexpr size_t kTimes = 9;
  struct Wear {
    double n = 0, clicks = 0;  ///< expected
  };
  std::array<Wear, kTimes> fatigue;
  size_t parameters = 0;
  double seconds = 0;  ///< of work
  uint64_t decisions = 0;
};

/// What is wrong with the world's or the arm's name, or with what they do to each other.
absl::StatusOr<Result> Simulate(const RunOptions& options);

}  // namespace market_sim
