// Replays a recording against the engine and measures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "feedback.h"
#include "money_report.h"
#include "recording.h"
#include "setting.h"
#include "tally.h"

namespace ad_server {

struct ReplayResult {
  Tally tally;
  double wall_seconds = 0;  // of the measured part
  double cpu_seconds = 0;   // of the whole process, likewise
  double candidates_per_decision = 0;
  std::vector<std::string> decisions;  // with keep_decisions: a JSON each, in order
  PacingReport pacing;
  absl::Status feedback;  // whether --events-out is all there
};

struct ReplayWish {
  bool keep_decisions = false;
  bool show_progress = false;
};

/// Latency is counted from when a request was due: with a rate, a server that falls behind shows
/// it in every later request's latency (no coordinated omission).
/// `feedback` hears of every answer, and all of it has been applied when this returns; null: nobody
/// does.
ReplayResult Replay(const Options& options, const Recording& recording, Setting& setting,
                    const ReplayWish& wish, Feedback* feedback = nullptr);

}  // namespace ad_server
