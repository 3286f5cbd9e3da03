// Trains a trunk and a head from a log, compares them with baselines on later data, and writes the
// model file that a server loads (adagents/model/model_store.h).
//
//   train --generate 3000 > log.csv
//   train log.csv --label click --time time --session session --token kind,genre,hour,device
//         --token-numbers energy --features offer_genre,brand --out click.model   (one line)
//   train log.csv --label save ... --trunk click.model --head save --out both.model
//   train data.libfm --format libfm --out some.model
//
// See --help; log.h has the formats, dataset.h what is made of them, baseline.h what to beat.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/metrics.h"
#include "adagents/model/model.h"
#include "adagents/model/trainer.h"
#include "baseline.h"
#include "dataset.h"
#include "fmt/format.h"
#include "log.h"
#include "shared/read_text.h"

namespace train {
namespace {

using namespace adagents::model;  // NOLINT: an application

constexpr int kBadFile = 1, kBadUsage = 2;

struct Options {
  std::string file, format = "csv", trunk, out, head;
  Columns columns;
  Splits splits;
  int buckets = 1 << 14, width = 32, layers = 2, rounds = 1'000, generate = 0;
  int trunk_epochs = 10;
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

struct Result {
  std::string name;
  Measured log_loss, auc, calibration;
};

Result Judge(const std::string& name, const std::vector<float>& p, const Part& test, int rounds) {
  const auto& h = test.outcomes.happened;
  constexpr uint64_t kSeed = 1;
  return {name, Bootstrap(&LogLoss, p, h, kSeed, rounds), Bootstrap(&Auc, p, h, kSeed, rounds),
          Bootstrap([](auto a, auto b) { return CalibrationError(a, b); }, p, h, kSeed, rounds)};
}

std::string Show(const Measured& m) {
  return fmt::format("{:.5f} [{:.5f}, {:.5f}]", m.value, m.low, m.high);
}

nlohmann::json Json(const Measured& m) {
  return {{"value", m.value}, {"low", m.low}, {"high", m.high}};
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
  const Part& test = data.part[2];
  const auto& h = test.outcomes.happened;
  std::vector<float> ours(test.outcomes.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    const size_t each = test.outcomes.per_candidate;
    absl::Status status =
        head.Score(test.outcomes.sessions.empty() ? SessionVector{} : test.outcomes.sessions[i],
                   {&test.outcomes.entries[i * each], each}, each, {&ours[i], 1});
    if (!status.ok()) return status;
  }
  double share = 0;
  for (const uint8_t happened : data.part[0].outcomes.happened) share += happened;
  share /= static_cast<double>(data.part[0].outcomes.size());
  const std::vector<float> constant(ours.size(), static_cast<float>(share));
  const Baseline baseline = LogisticRegression(data, o.train.seed);
  const std::vector<Result> results = {
      Judge("constant", constant, test, o.rounds),
      Judge("logistic regression", baseline.probability, test, o.rounds),
      Judge("model", ours, test, o.rounds)};
  struct Against {
    const char* name;
    Measured log_loss, auc;
  };
  std::vector<Against> against;
  for (const auto& [name, p] : {std::pair("constant", &constant),
                                std::pair("logistic regression", &baseline.probability)}) {
    against.push_back({name, BootstrapDifference(&LogLoss, ours, *p, h, 2, o.rounds),
                       BootstrapDifference(&Auc, ours, *p, h, 2, o.rounds)});
  }
  if (o.json) {
    nlohmann::json out{{"training", data.part[0].outcomes.size()},
                       {"validation", data.part[1].outcomes.size()},
                       {"test", test.outcomes.size()},
                       {"trunk", trunk_report}};
    for (const Result& r : results) {
      out["results"].push_back({{"name", r.name},
                                {"log_loss", Json(r.log_loss)},
                                {"auc", Json(r.auc)},
                                {"calibration_error", Json(r.calibration)}});
    }
    for (const Against& a : against) {
      out["model_minus"].push_back({{"name", fmt::format("model - {}", a.name)},
                                    {"log_loss", Json(a.log_loss)},
                                    {"auc", Json(a.auc)}});
    }
    fmt::print("{}\n", out.dump(2));
    return absl::OkStatus();
  }
  fmt::print(
      "{} outcomes to train on, {} later ones to stop and calibrate by, {} later still to test\n",
      data.part[0].outcomes.size(), data.part[1].outcomes.size(), test.outcomes.size());
  if (!trunk_report.empty()) fmt::print("{}\n", trunk_report);
  fmt::print("\n{:<20}  {:<28}  {:<28}  {}\n", "test, 95 %", "log loss", "AUC",
             "calibration error");
  for (const Result& r : results) {
    fmt::print("{:<20}  {:<28}  {:<28}  {}\n", r.name, Show(r.log_loss), Show(r.auc),
               Show(r.calibration));
  }
  for (const Against& a : against) {
    fmt::print("model - {:<20}\n  {:<18}  {:<28}  {}\n", a.name, "", Show(a.log_loss), Show(a.auc));
  }
  return absl::OkStatus();
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
  TrainHeadOptions options{.train = o.train};
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
  app.add_option("--rate", o.train.rate, "AdamW's")->check(CLI::Range(1e-7, 1.0));
  app.add_option("--decay", o.train.decay, "AdamW's")->check(CLI::Range(0.0, 100.0));
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

int main(int argc, char** argv) { return train::Main(argc, argv); }
