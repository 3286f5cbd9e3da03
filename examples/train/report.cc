#include "report.h"

#include <utility>

#include "baseline.h"
#include "fmt/format.h"

namespace train {
namespace {

using namespace adagents::model;  // NOLINT: an application

Comparison::Result Judge(const std::string& name, const std::vector<float>& p, const Part& test,
                         int rounds) {
  const auto& h = test.outcomes.happened;
  constexpr uint64_t kSeed = 1;
  return {name, Bootstrap(&LogLoss, p, h, kSeed, rounds), Bootstrap(&Auc, p, h, kSeed, rounds),
          Bootstrap([](auto a, auto b) { return CalibrationError(a, b); }, p, h, kSeed, rounds)};
}

double ShareOf(const Part& part) {
  double share = 0;
  for (const uint8_t happened : part.outcomes.happened) share += happened;
  return share / static_cast<double>(part.outcomes.size());
}

std::string Show(const Measured& m) {
  return fmt::format("{:.5f} [{:.5f}, {:.5f}]", m.value, m.low, m.high);
}

nlohmann::json Json(const Measured& m) {
  return {{"value", m.value}, {"low", m.low}, {"high", m.high}};
}

}  // namespace

absl::StatusOr<Comparison> Compare(const Dataset& data, const Head& head, uint64_t seed,
                                   int rounds) {
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
  const std::vector<float> constant(ours.size(), static_cast<float>(ShareOf(data.part[0])));
  const Baseline baseline = LogisticRegression(data, seed);
  Comparison out{data.part[0].outcomes.size(), data.part[1].outcomes.size(), test.outcomes.size(),
                 ShareOf(test)};
  out.results = {Judge("constant", constant, test, rounds),
                 Judge("logistic regression", baseline.probability, test, rounds),
                 Judge("model", ours, test, rounds)};
  for (const auto& [name, p] : {std::pair("constant", &constant),
                                std::pair("logistic regression", &baseline.probability)}) {
    out.against.push_back({name, BootstrapDifference(&LogLoss, ours, *p, h, 2, rounds),
                           BootstrapDifference(&Auc, ours, *p, h, 2, rounds)});
  }
  return out;
}

nlohmann::json ToJson(const Comparison& c, const std::string& trunk_report) {
  nlohmann::json out{{"training", c.training},
                     {"validation", c.validation},
                     {"test", c.test},
                     {"trunk", trunk_report}};
  for (const Comparison::Result& r : c.results) {
    out["results"].push_back({{"name", r.name},
                              {"log_loss", Json(r.log_loss)},
                              {"auc", Json(r.auc)},
                              {"calibration_error", Json(r.calibration)}});
  }
  for (const Comparison::Against& a : c.against) {
    out["model_minus"].push_back({{"name", fmt::format("model - {}", a.name)},
                                  {"log_loss", Json(a.log_loss)},
                                  {"auc", Json(a.auc)}});
  }
  return out;
}

std::string ToText(const Comparison& c, const std::string& trunk_report) {
  std::string out = fmt::format(
      "{} outcomes to train on, {} later ones to stop and calibrate by, {} later still to test, of "
      "which {:.2f} % happened\n",
      c.training, c.validation, c.test, 100 * c.share);
  if (!trunk_report.empty()) out += trunk_report + "\n";
  out += fmt::format("\n{:<20}  {:<28}  {:<28}  {}\n", "test, 95 %", "log loss", "AUC",
                     "calibration error");
  for (const Comparison::Result& r : c.results) {
    out += fmt::format("{:<20}  {:<28}  {:<28}  {}\n", r.name, Show(r.log_loss), Show(r.auc),
                       Show(r.calibration));
  }
  for (const Comparison::Against& a : c.against) {
    out += fmt::format("model - {:<20}\n  {:<18}  {:<28}  {}\n", a.name, "", Show(a.log_loss),
                       Show(a.auc));
  }
  return out;
}

}  // namespace train
