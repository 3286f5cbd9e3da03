// Simulated listeners as data to train on: what a server would have seen of the sessions of a
// ListeningWorld in which ads were chosen at random, and what came of it.
//
// The policy: every slot is filled, by a creative drawn uniformly from those that fit it, at a
// price that always wins. So who heard which ad depends on nothing but chance, and what is learned
// of ads is not confounded by who chose them before.
//
// Labels, all of them observable by a server:
//   click       of each impression: a click was reported
//   completion  likewise, that it was heard to its end
//   attention   of each request: the listener did something (skipped, saved, searched, paused,
//               set the volume, switched the screen on) within kAttentionWindowMs
//   intent      of one in three tracks and episodes that begin: it was skipped
// Notices that are lost or very late, repeated ones, bots and click farms are in the data, as they
// are in a server's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads_models/facts.h"
#include "dataset.h"

namespace train {

struct WorldOptions {
  std::string world = "music";
  size_t sessions = 40'000;
  uint64_t seed = 1;
};

/// Moments in the order of time, and what was observed at each.
struct WorldLog {
  struct Example {
    uint32_t window = 0;  ///< into `windows`
    uint8_t happened = 0;
  };
  struct Of {
    std::vector<Example> examples;
    std::vector<adagents::model::HeadEntry> entries;  ///< FactCount(task) for each
  };
  std::vector<adagents::model::TokenWindow> windows;
  std::vector<adagents::model::Token> next;  ///< of each window: the session's next token
  std::vector<uint8_t> has_next;
  Of of[adagents::ads_models::kTasks];
};

/// What is wrong with the world's name or options.
absl::StatusOr<WorldLog> Listen(const WorldOptions& options);

/// Those of one task, cut into three parts of which each is later than the one before.
Dataset DatasetOf(const WorldLog& log, adagents::ads_models::Task task, const Splits& splits);
/// Windows and next tokens to pre-train on, at most `most` for training and a quarter of it for
/// validation, of the same times as the parts of DatasetOf().
void SequencesOf(const WorldLog& log, const Splits& splits, size_t most,
                 adagents::model::Sequences* training, adagents::model::Sequences* validation);

}  // namespace train
