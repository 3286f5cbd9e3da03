#include "team.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "adagents/model/model.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "report.h"

namespace train {
namespace {

using namespace adagents::model;  // NOLINT: an application
using adagents::ads_models::kTasks;
using adagents::ads_models::Task;

class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet) {}
  void Say(std::string_view what) const {
    if (quiet_) return;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun_;
    fmt::print(stderr, "{:6.1f} s  {}\n", spent.count(), what);
  }
  [[nodiscard]] auto Of(std::string_view what) const {
    return [this, what](const EpochReport& e) {
      Say(fmt::format("{} {:>3}: loss {:.5f}, on later data {:.5f}{}", what, e.epoch,
                      e.training_loss, e.validation_loss, e.best ? " *" : ""));
      return true;
    };
  }

 private:
  const bool quiet_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

double Least(const TrainedHead& head) {
  double least = head.epochs.front().validation_loss;
  for (const EpochReport& e : head.epochs) least = std::min(least, e.validation_loss);
  return least;
}

/// The best on the validation part of several decays, as the baseline is tuned, too. Far more decay
/// than a trunk likes: a hundred creatives with two clicks in a hundred are soon learned by heart.
absl::StatusOr<TrainedHead> TunedHead(const TeamOptions& o, const Dataset& data,
                                      const Encoder& trunk, const std::string& name,
                                      const Progress& progress) {
  std::optional<TrainedHead> best;
  constexpr double kRate = 3e-4;
  for (const double decay : {5.0, 20.0}) {
    TrainHeadOptions options{.hidden = o.hidden, .train = o.train};
    options.train.rate = kRate;
    options.train.decay = decay;
    auto head =
        TrainHead(data.facts, options, &trunk, data.part[0].outcomes, data.part[1].outcomes);
    if (!head.ok()) return head.status();
    progress.Say(fmt::format("{}: decay {:g}: {} epochs, {:.5f} on later data", name, decay,
                             head->epochs.size(), Least(*head)));
    if (!best || Least(*head) < Least(*best)) best = *std::move(head);
  }
  return *std::move(best);
}

}  // namespace

absl::Status TrainTeam(const TeamOptions& o) {
  const Progress progress(o.quiet);
  auto log = Listen(o.world);
  if (!log.ok()) return log.status();
  progress.Say(
      fmt::format("{} sessions listened to, {} windows", o.world.sessions, log->windows.size()));
  Sequences training, validation;
  SequencesOf(*log, o.splits, o.windows, &training, &validation);
  PretrainOptions pretrain{.shape = o.shape, .train = o.train};
  pretrain.train.epochs = o.trunk_epochs;
  pretrain.train.progress = progress.Of("trunk");
  auto trunk = Pretrain(adagents::ads_models::Tokens(), pretrain, training, validation);
  if (!trunk.ok()) return trunk.status();
  const std::string trunk_report =
      fmt::format("trunk: the next event costs {:.4f} nats on later data, {:.4f} by shares alone",
                  trunk->validation_loss, trunk->baseline_loss);
  const Encoder& encoder = trunk->encoder;
  std::vector<SessionVector> vectors(log->windows.size());
  EncoderScratch scratch;
  encoder.Encode(log->windows, &scratch, vectors);
  progress.Say("windows encoded");

  Model::Heads heads;
  nlohmann::json json;
  for (size_t t = 0; t < kTasks; ++t) {
    const auto task = static_cast<Task>(t);
    const std::string name(adagents::ads_models::Name(task));
    Dataset data = DatasetOf(*log, task, o.splits);
    size_t i = 0;
    for (Part& part : data.part) {
      for (size_t k = 0; k < part.outcomes.size(); ++k, ++i) {
        part.outcomes.sessions.push_back(vectors[log->of[t].examples[i].window]);
      }
    }
    auto head = TunedHead(o, data, encoder, name, progress);
    if (!head.ok()) return head.status();
    auto compared = Compare(data, head->head, o.train.seed, o.rounds);
    if (!compared.ok()) return compared.status();
    progress.Say(name + " compared");
    if (o.json) {
      json[name] = ToJson(*compared, trunk_report);
    } else {
      fmt::print("\n{}: {}", name, ToText(*compared, t == 0 ? trunk_report : std::string()));
      std::fflush(stdout);
    }
    heads.emplace(name, std::move(head->head));
  }
  if (o.json) fmt::print("{}\n", json.dump(2));
  if (o.out.empty()) return absl::OkStatus();
  auto model = Model::Create(std::move(trunk->encoder), std::move(heads),
                             fmt::format("{} sessions of the simulated world '{}', seed {}",
                                         o.world.sessions, o.world.world, o.world.seed));
  if (!model.ok()) return model.status();
  return (*model)->Save(o.out);
}

}  // namespace train
