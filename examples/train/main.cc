// Trains a trunk and a head from a log, compares them with baselines on later data, and writes the
// model file that a server loads (adagents/model/model_store.h).
//
//   train --generate 3000 > log.csv
//   train log.csv --label click --time time --session session --token kind,genre,hour,device
//         --token-numbers energy --features offer_genre,brand --out click.model   (one line)
//   train log.csv --label save ... --trunk click.model --head save --out both.model
//   train data.libfm --format libfm --out some.model
//   train --world music --out team.model            all heads of the team, from simulated listeners
//
// See --help; log.h has the formats, dataset.h what is made of them, baseline.h what to beat.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/model.h"
#include "adagents/model/trainer.h"
#include "dataset.h"
#include "fmt/format.h"
#include "log.h"
#include "report.h"
#include "shared/output.h"
#include "shared/read_text.h"
#include "team.h"

namespace train {
namespace {

using namespace adagents::model;  // NOLINT: an application

constexpr int kBadFile = 1, kBadUsage = 2;

struct Options {
  std::string file, format = "csv", trunk, out, head, world;
  Columns columns;
  Splits splits;
  int buckets = 1 << 14, width = 32, layers = 2, rounds = 1'000, generate = 0;
  int trunk_epochs = 10, hidden = 32;
  size_t sessions = 40'000, windows = 100'000;
  TrainOptions train;
  bool json = false, quiet = false;
};

int Complain(const absl::Status& status, int code) {
  fmt::print(stderr, "train: {}\n", adagents::Message(status));
  return code;
}

/// Shows each epoch, on standard error.
auto Progress(const Options& o, const char* what, int epochs) {
  const auto begun = std::chrono::steady_clock::now();
  return [begun, what, epochs, quiet = o.quiet](const EpochReport& e) {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
    if (!quiet) {
      fmt::print(stderr, "{} {:>3}/{}: loss {:.5f}, on later data {:.5f}{} ({:.1f} s)\n", what,
                 e.epoch, epochs, e.training_loss, e.validation_loss, e.best ? " *" : "",
                 spent.count());
    }
    return true;
  };
}

struct Trained {
  std::optional<Encoder> trunk;
  Model::Heads heads;  // of the model that the trunk is from
  std::string trunk_report;
};

/// The trunk of --trunk, or a new one, or none where there are no sessions.
absl::StatusOr<Trained> GetTrunk(const Options& o, const Dataset& data) {
  Trained trained;
  if (!o.trunk.empty()) {
    auto model = LoadModel(o.trunk, {.token_schema = data.tokens.Hash()});
    if (!model.ok()) return model.status();
    // Copied by way of its bytes, as models do not change.
    if ((*model)->encoder() != nullptr) {
      const Encoder& e = *(*model)->encoder();
      auto copy = Encoder::Create(e.schema(), e.shape(), {e.weights().begin(), e.weights().end()});
      if (!copy.ok()) return copy.status();
      trained.trunk.emplace(*std::move(copy));
    }
    for (const auto& [name, head] : (*model)->heads()) {
      auto copy = Head::Create(head.schema(), head.shape(), head.weights(), head.trunk());
      if (!copy.ok()) return copy.status();
      trained.heads.emplace(name, *std::move(copy));
    }
    trained.trunk_report = fmt::format("trunk of {}", o.trunk);
    return trained;
  }
  if (data.part[0].sequences.windows.empty()) return trained;
  PretrainOptions options{
      .shape = {.width = o.width, .layers = o.layers, .feed_forward = 4 * o.width},
      .train = o.train};
  options.train.epochs = o.trunk_epochs;
  options.train.progress = Progress(o, "trunk", o.trunk_epochs);
  auto made = Pretrain(data.tokens, options, data.part[0].sequences, data.part[1].sequences);
  if (!made.ok()) return made.status();
  trained.trunk_report =
      fmt::format("trunk: the next event costs {:.4f} nats on later data, {:.4f} by shares alone",
                  made->validation_loss, made->baseline_loss);
  trained.trunk.emplace(std::move(made->encoder));
  return trained;
}

void AddVectors(const Encoder& trunk, Dataset* data) {
  EncoderScratch scratch;
  for (Part& part : data->part) {
    part.outcomes.sessions.resize(part.windows.size());
    trunk.Encode(part.windows, &scratch, part.outcomes.sessions);
  }
}

absl::Status Report(const Options& o, const Dataset& data, const Head& head,
                    const std::string& trunk_report) {
  auto compared = Compare(data, head, o.train.seed, o.rounds);
  if (!compared.ok()) return compared.status();
  fmt::print("{}", o.json ? ToJson(*compared, trunk_report).dump(2) + "\n"
                          : ToText(*compared, trunk_report));
  return absl::OkStatus();
}

/// All heads of the team, from simulated listeners.
int RunTeam(const Options& o) {
  TeamOptions team{.world = {o.world, o.sessions, o.train.seed},
                   .splits = o.splits,
                   .shape = {.width = o.width, .layers = o.layers, .feed_forward = 4 * o.width},
                   .train = o.train,
                   .trunk_epochs = o.trunk_epochs,
                   .rounds = o.rounds,
                   .hidden = o.hidden,
                   .windows = o.windows,
                   .out = o.out,
                   .json = o.json,
                   .quiet = o.quiet};
  const absl::Status status = TrainTeam(team);
  return status.ok() ? 0 : Complain(status, kBadFile);
}

int Run(const Options& o) {
  auto text = examples::ReadText(o.file);
  if (!text.ok()) return Complain(text.status(), kBadFile);
  auto rows = o.format == "libfm" ? ParseLibfm(o.file, *text) : ParseCsv(o.file, *text, o.columns);
  if (!rows.ok()) return Complain(rows.status(), kBadFile);
  auto data = MakeDataset(*rows, o.columns, o.buckets, o.splits);
  if (!data.ok()) return Complain(data.status(), kBadFile);
  auto trained = GetTrunk(o, *data);
  if (!trained.ok()) return Complain(trained.status(), kBadFile);
  const Encoder* trunk = trained->trunk ? &*trained->trunk : nullptr;
  if (trunk != nullptr) AddVectors(*trunk, &*data);
  TrainHeadOptions options{.hidden = o.hidden, .train = o.train};
  options.train.progress = Progress(o, "head", o.train.epochs);
  auto head =
      TrainHead(data->facts, options, trunk, data->part[0].outcomes, data->part[1].outcomes);
  if (!head.ok()) return Complain(head.status(), kBadFile);
  if (absl::Status status = Report(o, *data, head->head, trained->trunk_report); !status.ok()) {
    return Complain(status, kBadFile);
  }
  trained->heads.erase(o.head);
  trained->heads.emplace(o.head, std::move(head->head));
  auto model = Model::Create(std::move(trained->trunk), std::move(trained->heads),
                             fmt::format("head {} from {}", o.head, o.file));
  if (!model.ok()) return Complain(model.status(), kBadFile);
  if (absl::Status status = (*model)->Save(o.out); !status.ok()) return Complain(status, kBadFile);
  return 0;
}

}  // namespace

int Main(int argc, char** argv) {
  Options o;
  CLI::App app("Trains a trunk and a head from a log, and compares with baselines on later data");
  app.add_option("file", o.file, "CSV with a header line, or libFM; .xz is unpacked");
  app.add_option("--format", o.format, "csv or libfm")
      ->check(CLI::IsMember({"csv", "libfm"}))
      ->capture_default_str();
  app.add_option("--label", o.columns.label,
                 "column of what happened: 0, 1, or empty: an event only");
  app.add_option("--time", o.columns.time, "column to sort rows by; without: they are in order");
  app.add_option("--session", o.columns.session, "column of whose events belong together");
  app.add_option("--token", o.columns.token, "columns that describe an event")->delimiter(',');
  app.add_option("--token-numbers", o.columns.token_numbers, "numbers among these")->delimiter(',');
  app.add_option("--features", o.columns.features, "columns of what was on offer")->delimiter(',');
  app.add_option("--buckets", o.buckets, "values of a column at most; others share by hash")
      ->check(CLI::Range(16, 1 << 20))
      ->capture_default_str();
  app.add_option("--trunk", o.trunk, "model file whose trunk and other heads to keep");
  app.add_option("--head", o.head, "name of the head; else the label's, or 'head'");
  app.add_option("--out", o.out, "model file to write");
  app.add_option("--train-share", o.splits.training, "share of the rows to train on")
      ->check(CLI::Range(0.05, 0.9))
      ->capture_default_str();
  app.add_option("--validation-share", o.splits.validation, "share after that to stop by")
      ->check(CLI::Range(0.05, 0.9))
      ->capture_default_str();
  app.add_option("--world", o.world, "train all heads from simulated listeners instead of a file");
  app.add_option("--sessions", o.sessions, "of the simulated listeners")
      ->check(CLI::Range(100, 10'000'000))
      ->capture_default_str();
  app.add_option("--windows", o.windows, "of these to train the trunk on, at most")
      ->check(CLI::Range(100, 10'000'000))
      ->capture_default_str();
  app.add_option("--hidden", o.hidden, "units of a head")->check(CLI::IsMember({16, 32, 48, 64}));
  app.add_option("--width", o.width, "of the trunk")->check(CLI::IsMember({16, 32, 48, 64}));
  app.add_option("--layers", o.layers, "of the trunk")->check(CLI::Range(1, 8));
  app.add_option("--trunk-epochs", o.trunk_epochs, "of the trunk, at most")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--epochs", o.train.epochs, "of the head, at most")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--patience", o.train.patience, "epochs without a better one that end it")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--batch", o.train.batch, "examples a step")->check(CLI::Range(1, 1 << 20));
  app.add_option("--rate", o.train.rate, "AdamW's; of the trunk alone with --world")
      ->check(CLI::Range(1e-7, 1.0));
  app.add_option("--decay", o.train.decay, "AdamW's; of the trunk alone with --world")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", o.train.seed, "of weights and order");
  app.add_option("--bootstrap", o.rounds, "samples behind each interval")
      ->check(CLI::Range(10, 1'000'000))
      ->capture_default_str();
  app.add_flag("--json", o.json, "print the results as JSON");
  app.add_flag("--quiet", o.quiet, "no progress on standard error");
  app.add_option("--generate", o.generate, "print a made-up log of so many sessions instead")
      ->check(CLI::Range(1, 1'000'000));
  app.footer("Exit codes: 0 done, 1 a file is wrong, 2 the command line is.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  if (o.generate > 0) {
    fmt::print("{}", GenerateLog(o.generate, o.train.seed));
    return 0;
  }
  const bool csv = o.format == "csv";
  const auto usage = [](std::string_view what) {
    return Complain(adagents::InvalidArgument(what), kBadUsage);
  };
  if (!o.world.empty()) {
    if (!o.file.empty()) return usage("--world takes the place of a file");
    if (o.splits.training + o.splits.validation > 0.95) {
      return usage("--train-share and --validation-share leave nothing to test on");
    }
    return RunTeam(o);
  }
  if (o.file.empty() || o.out.empty()) return usage("name a file and --out (see --help)");
  if (csv && (o.columns.label.empty() || o.columns.features.empty())) {
    return usage("a CSV file needs --label and --features (see --help)");
  }
  if (!csv && !(o.columns.label + o.columns.time + o.columns.session).empty()) {
    return usage("libFM's format has no columns to name");
  }
  if (o.columns.session.empty() != (o.columns.token.empty() && o.columns.token_numbers.empty())) {
    return usage("--session and --token go together");
  }
  if (o.splits.training + o.splits.validation > 0.95) {
    return usage("--train-share and --validation-share leave nothing to test on");
  }
  if (o.head.empty()) o.head = csv ? o.columns.label : "head";
  return Run(o);
}

}  // namespace train

int main(int argc, char** argv) {
  return examples::WithOutput("train", [&] { return train::Main(argc, argv); });
}
