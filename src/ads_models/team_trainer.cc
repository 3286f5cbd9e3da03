#include "adagents/ads_models/team_trainer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads_models {
namespace {

model::Outcomes Encoded(TaskOutcomes of, const model::Encoder& trunk) {
  model::EncoderScratch scratch;
  of.outcomes.sessions.resize(of.windows.size());
  trunk.Encode(of.windows, &scratch, of.outcomes.sessions);
  return std::move(of.outcomes);
}

double Least(const model::TrainedHead& head) {
  double least = head.epochs.front().validation_loss;
  for (const model::EpochReport& e : head.epochs) least = std::min(least, e.validation_loss);
  return least;
}

absl::StatusOr<model::Head> BestHead(const TeamExamples& examples, const TeamTraining& options,
                                     Task task, const model::Encoder& trunk) {
  const model::Outcomes training =
      Encoded(OutcomesOf(examples, task, options.training, options.outcomes), trunk);
  const model::Outcomes validation =
      Encoded(OutcomesOf(examples, task, options.validation, options.outcomes / 2), trunk);
  std::optional<model::TrainedHead> best;
  absl::Status failed;
  for (const auto& [rate, decay] : options.tried) {
    model::TrainHeadOptions head{.hidden = options.hidden, .train = options.head};
    head.train.rate = rate;
    head.train.decay = decay;
    if (options.progress) {
      head.train.progress = [&, what = fmt::format("{}, rate {:g}, decay {:g}", Name(task), rate,
                                                   decay)](const model::EpochReport& e) {
        options.progress(what, e);
        return true;
      };
    }
    auto trained = model::TrainHead(Facts(task), head, &trunk, training, validation);
    if (!trained.ok()) {  // another try may do
      failed = MakeStatus(trained.status().code(),
                          fmt::format("{}: {}", Name(task), Message(trained.status())));
      continue;
    }
    if (!best || Least(*trained) < Least(*best)) best = *std::move(trained);
  }
  if (!best) return failed;
  return std::move(best->head);
}

}  // namespace

absl::StatusOr<TrainedTeam> TrainTeam(const TeamExamples& examples, const TeamTraining& options) {
  if (options.tried.empty()) return InvalidArgument("training: no rate and decay to try");
  model::PretrainOptions pretrain{.shape = options.shape, .train = options.trunk};
  if (options.progress) {
    pretrain.train.progress = [&](const model::EpochReport& e) {
      options.progress("trunk", e);
      return true;
    };
  }
  auto trunk =
      model::Pretrain(Tokens(), pretrain, SequencesOf(examples, options.training, options.windows),
                      SequencesOf(examples, options.validation, options.windows / 4));
  if (!trunk.ok()) return trunk.status();
  model::Model::Heads heads;
  for (const Task task : options.tasks) {
    auto head = BestHead(examples, options, task, trunk->encoder);
    if (!head.ok()) return head.status();
    heads.emplace(std::string(Name(task)), *std::move(head));
  }
  auto model = model::Model::Create(std::move(trunk->encoder), std::move(heads), options.note);
  if (!model.ok()) return model.status();
  return TrainedTeam{*std::move(model), trunk->validation_loss, trunk->baseline_loss};
}

}  // namespace adagents::ads_models
