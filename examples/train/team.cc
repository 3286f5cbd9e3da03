#include "team.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "adagents/ads_models/team_trainer.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "report.h"

namespace train {
namespace {

using namespace adagents::model;  // NOLINT: an application
namespace ads_models = adagents::ads_models;

class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet) {}
  void Say(std::string_view what) const {
    if (quiet_) return;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun_;
    fmt::print(stderr, "{:6.1f} s  {}\n", spent.count(), what);
  }
  void Say(std::string_view what, const EpochReport& e) const {
    Say(fmt::format("{} {:>3}: loss {:.5f}, on later data {:.5f}{}", what, e.epoch, e.training_loss,
                    e.validation_loss, e.best ? " *" : ""));
  }

 private:
  const bool quiet_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

absl::Status TrainTeam(const TeamOptions& o) {
  const Progress progress(o.quiet);
  auto examples = Listen(o.world);
  if (!examples.ok()) return examples.status();
  progress.Say(fmt::format("{} sessions listened to, {} windows", o.world.sessions,
                           examples->windows.size()));
  const Periods periods = PeriodsOf(*examples, o.splits);
  ads_models::TeamTraining training{
      .training = periods[0],
      .validation = periods[1],
      .shape = o.shape,
      .trunk = o.train,
      .windows = o.windows,
      .head = o.train,
      .hidden = o.hidden,
      .note = fmt::format("{} sessions of the simulated world '{}', seed {}", o.world.sessions,
                          o.world.world, o.world.seed),
      .progress = [&](std::string_view what, const EpochReport& e) { progress.Say(what, e); }};
  training.trunk.epochs = o.trunk_epochs;
  auto trained = ads_models::TrainTeam(*examples, training);
  if (!trained.ok()) return trained.status();
  const std::string trunk_report =
      fmt::format("trunk: the next event costs {:.4f} nats on later data, {:.4f} by shares alone",
                  trained->trunk_loss, trained->shares_loss);
  nlohmann::json json;
  for (size_t t = 0; t < ads_models::kTasks; ++t) {
    const auto task = static_cast<ads_models::Task>(t);
    const std::string name(ads_models::Name(task));
    Dataset data = DatasetOf(*examples, task, periods, training.outcomes);
    Part& test = data.part[2];
    test.outcomes.sessions.resize(test.windows.size());
    EncoderScratch scratch;
    trained->model->encoder()->Encode(test.windows, &scratch, test.outcomes.sessions);
    auto compared = Compare(data, *trained->model->head(name), o.train.seed, o.rounds);
    if (!compared.ok()) return compared.status();
    progress.Say(name + " compared");
    if (o.json) {
      json[name] = ToJson(*compared, trunk_report);
    } else {
      fmt::print("\n{}: {}", name, ToText(*compared, t == 0 ? trunk_report : std::string()));
      std::fflush(stdout);
    }
  }
  if (o.json) fmt::print("{}\n", json.dump(2));
  return o.out.empty() ? absl::OkStatus() : trained->model->Save(o.out);
}

}  // namespace train
