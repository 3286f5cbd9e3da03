// Simulated listeners as data to train on: what a server would have seen of the sessions of a
// ListeningWorld in which ads were chosen at random, and what came of it (ads_models/team_log.h).
//
// The policy: every slot is filled, by a creative drawn uniformly from those that fit it, at a
// price that always wins. So who heard which ad depends on nothing but chance, and what is learned
// of ads is not confounded by who chose them before.
//
// Notices that are lost or very late, repeated ones, bots and click farms are in the data, as they
// are in a server's.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "adagents/ads_models/team_log.h"
#include "dataset.h"

namespace train {

struct WorldOptions {
  std::string world = "music";
  size_t sessions = 40'000;
  uint64_t seed = 1;
};

/// What is wrong with the world's name or options.
absl::StatusOr<adagents::ads_models::TeamExamples> Listen(const WorldOptions& options);

/// Training, validation and test: each later than the one before, by shares of what there is.
using Periods = std::array<adagents::ads_models::Period, 3>;
Periods PeriodsOf(const adagents::ads_models::TeamExamples& examples, const Splits& splits);
/// The three parts of one task, without sessions' vectors; the first of some `most` outcomes at
/// most, the others of half as many.
Dataset DatasetOf(const adagents::ads_models::TeamExamples& examples,
                  adagents::ads_models::Task task, const Periods& periods, size_t most);

}  // namespace train
