// Who decides best: a team of specialists, one model of everything, chance, or somebody who knows?
//
//   market_sim [--world NAME...] [--arms LIST] [--ablate] [--seeds N] [--sessions N]
//
// Each arm drives an engine of its own through days of simulated listening sessions: OpenRTB
// requests, playback events and outcomes on a virtual clock, by the public API (see
// adagents/testing/listening_world.h for the world and arms.h for the arms). All arms meet the same
// listeners and noise, so arms are compared seed by seed. --help lists the options.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "arms.h"
#include "fmt/format.h"
#include "judge.h"
#include "plots.h"
#include "report.h"
#include "shared/output.h"
#include "simulate.h"
#include "tune.h"
#include "work.h"

namespace market_sim {
namespace {

constexpr int kFailed = 1, kBadUsage = 2;
constexpr uint64_t kFirstJudged = 1, kFirstTuned = 9001;  // apart, so that tuning sees no judge

struct Options {
  std::vector<std::string> worlds = {"direct", "music", "flat"};
  std::vector<std::string> arms = {"random", "blended", "blended-small", "specialists", "oracle"};
  bool ablate = false, json = false, tune = false;
  size_t seeds = 10, sessions = 20'000, jobs = 0;
  uint64_t first_seed = 0;
  double warmup = 0.5;
  std::string plots, blended;
};

int Complain(const absl::Status& status, int code) {
  fmt::print(stderr, "market_sim: {}\n", adagents::Message(status));
  return code;
}

/// Names that are there, each once.
absl::Status CheckNames(Options* o, const BlendedOptions& blended) {
  if (o->ablate) {
    for (const std::string& arm : AblatedArms()) o->arms.push_back(arm);
  }
  for (auto* names : {&o->arms, &o->worlds}) {
    std::vector<std::string> once;
    for (const std::string& name : *names) {
      if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
    }
    *names = once;
  }
  for (const std::string& arm : o->arms) {
    if (const auto made = MakeArm(arm, blended); !made.ok()) {
      return adagents::InvalidArgument(fmt::format("--arms: {}", adagents::Message(made.status())));
    }
  }
  for (const std::string& world : o->worlds) {
    if (const auto found = testing::ListeningOptionsOf(world); !found.ok()) {
      return adagents::InvalidArgument(
          fmt::format("--world: {}", adagents::Message(found.status())));
    }
  }
  return absl::OkStatus();
}

int Judge(const Options& o) {
  std::vector<RunOptions> runs;
  for (const std::string& world : o.worlds) {
    const auto blended = ParseBlended(o.blended, TunedFor(world));
    if (!blended.ok()) return Complain(blended.status(), kBadUsage);
    for (size_t s = 0; s < o.seeds; ++s) {
      for (const std::string& arm : o.arms) {
        runs.push_back({world, arm, o.first_seed + s, o.sessions, o.warmup,
                        IsSmallBlended(arm) ? TunedSmallFor(world) : *blended});
      }
    }
  }
  auto results = RunAll(runs, o.jobs);
  if (!results.ok()) return Complain(results.status(), kFailed);
  std::vector<WorldRuns> worlds;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (worlds.empty() || worlds.back().world != runs[i].world) {
      worlds.push_back({runs[i].world, runs[i].blended, o.arms, {}});
    }
    if (!IsSmallBlended(runs[i].arm)) worlds.back().blended = runs[i].blended;
    worlds.back().results[runs[i].arm].push_back(std::move((*results)[i]));
  }
  for (const WorldRuns& world : worlds) {
    if (o.plots.empty()) break;
    if (absl::Status status = Plot(world, o.plots); !status.ok()) return Complain(status, kFailed);
  }
  const Setup setup{o.first_seed, o.seeds, o.sessions, o.warmup};
  if (o.json) {
    fmt::print("{}\n", Json(setup, worlds));
    return 0;
  }
  for (size_t w = 0; w < worlds.size(); ++w) {
    fmt::print("{}{}", w == 0 ? "" : "\n\n", Table(setup, worlds[w]));
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Compares arms on simulated listening sessions: random, blended, blended-small (with as "
      "many\n"
      "numbers as the team learns), specialists, specialists+models (with small transformers that\n"
      "are trained in the run; needs LibTorch), oracle, and\n"
      "specialists-AGENT without that agent, specialists-assumptions with nothing assumed. All\n"
      "meet the same listeners and noise."};
  app.add_option("--world", o.worlds,
                 "Worlds by name: direct, music, podcasts, flat (nothing to learn)")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--arms", o.arms, "Arms by name, with commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_flag("--ablate", o.ablate, "Also each specialist removed in turn, and assumptions");
  app.add_option("--seeds", o.seeds, "How many")
      ->check(CLI::Range(size_t{1}, size_t{1000}))
      ->capture_default_str();
  auto* first = app.add_option("--first-seed", o.first_seed,
                               "The first of them; 1, or 9001 for --tune when not given");
  app.add_option("--sessions", o.sessions, "Listening sessions of each run")
      ->check(CLI::Range(size_t{1}, size_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--warmup", o.warmup, "The share of sessions that is learned from, not judged")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  app.add_option("--jobs", o.jobs, "Runs at one time; one per core when not given")
      ->check(CLI::Range(size_t{1}, size_t{256}));
  app.add_option("--plots", o.plots, "A folder for SVG plots of learning, calibration, fatigue");
  app.add_option(
      "--blended", o.blended,
      "Settings of the blended model, instead of those tuned for the world: rate=0.1,width=4");
  app.add_flag(
      "--tune", o.tune,
      "Tunes the blended model's settings one after the other in the first world; those that\n"
      "--blended names stay as they are");
  app.add_flag("--json", o.json, "Print one JSON object");
  app.footer("Exit codes: 0 done; 1 a run failed or a file cannot be written; 2 wrong usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  const auto blended = ParseBlended(o.blended);
  if (!blended.ok()) {
    return Complain(adagents::InvalidArgument(
                        fmt::format("--blended: {}", adagents::Message(blended.status()))),
                    kBadUsage);
  }
  if (absl::Status status = CheckNames(&o, *blended); !status.ok()) {
    return Complain(status, kBadUsage);
  }
  if (o.jobs == 0) o.jobs = std::max(1u, std::thread::hardware_concurrency());
  if (first->count() == 0) o.first_seed = o.tune ? kFirstTuned : kFirstJudged;
  if (!o.tune) return Judge(o);
  const RunOptions base{o.worlds.front(), "blended",
                        o.first_seed,     o.sessions,
                        o.warmup,         *ParseBlended(o.blended, TunedFor(o.worlds.front()))};
  if (absl::Status status = Tune(base, o.blended, o.seeds, o.jobs); !status.ok()) {
    return Complain(status, kFailed);
  }
  return 0;
}

}  // namespace
}  // namespace market_sim

int main(int argc, char** argv) {
  return examples::WithOutput("market_sim", [&] { return market_sim::Main(argc, argv); });
}
