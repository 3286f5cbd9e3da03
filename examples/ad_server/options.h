// What the user asked for on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ad_server {

enum class Mode { kTrusted, kStrict, kAsync };

struct Options {
  std::string replay;              // empty: the bundled samples
  std::string campaigns;           // empty: the bundled ones, unless generate_campaigns
  int64_t generate_campaigns = 0;  // > 0: that many
  double open = 0.55;              // of generated campaigns
  int64_t max_candidates = 1000;
  bool stop_when_certain = false;
  std::string pricing = "as_requested";
  // What a dollar buys: round numbers for replays, not of any day.
  std::vector<std::pair<std::string, double>> rates = {
      {"EUR", 0.9}, {"GBP", 0.8}, {"CAD", 1.4}, {"JPY", 150.0}};

  // 0: as fast as possible; < 0: as recorded; else requests a second.
  double rate = 0;
  int threads = 1;
  Mode mode = Mode::kTrusted;
  int in_flight = 64;  // async: at most so many at once
  double deadline_ms = 50;
  bool inline_scheduler = false;
  uint64_t seed = 1;
  int64_t loop = 1;
  double seconds = 0;  // > 0: loop until then
  double warm_up = 0;  // seconds that are not counted

  // Virtual milliseconds between two requests with inline_scheduler; 0: as recorded, or 1.
  double inline_step_ms = 0;

  // Budgets, caps and pacing.
  std::string ledger;  // a file, or ":memory:"; empty: budgets are not bounded
  std::string durability = "machine";
  double budget_share = 1;
  int64_t open_bids = 1 << 20;
  double bid_ttl = 1800;  // seconds
  bool pacing = false;
  double forecast = 0;      // requests an hour; 0: from the rate
  double pacing_tick = 20;  // seconds
  int64_t cap_windows = 1'000'000;
  int64_t cap_bids = 1 << 16;
  std::string without_id = "per_request";

  // What becomes of bids.
  std::string events;  // a file; "-": standard input
  bool simulate_events = false;
  std::string events_out;
  double event_delay = 20;     // seconds, mean, to the impression
  double event_faults = 0.02;  // share of notices that are lost, and as many doubled

  std::string out;
  std::string trace;  // file
  int trace_every = 100;
  std::string plan;  // file
  bool json = false;
  std::string explain;  // request id
  std::string why_not;  // campaign id
  std::vector<std::string> diff;
};

/// Parses the command line. Returns true to go on; false with `exit_code` set when help was asked
/// for or something is wrong, which has been printed then.
bool ParseOptions(int argc, char** argv, Options* options, int* exit_code);

}  // namespace ad_server
