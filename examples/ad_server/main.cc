// An ad server that decides recorded OpenRTB requests: reads them, lets the team of agents decide,
// writes the responses, and says how fast and how well that went. See --help.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/status.h"
#include "compare.h"
#include "feedback.h"
#include "fmt/format.h"
#include "money_report.h"
#include "options.h"
#include "recording.h"
#include "replay.h"
#include "report.h"
#include "setting.h"
#include "shared/output.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr int kBadFile = 1, kBadUsage = 2;

int Complain(const absl::Status& status) {
  fmt::print(stderr, "ad_server: {}\n", Message(status));
  return kBadFile;
}

// Gives back what was leased and not spent. Events that were recorded are delivered before.
absl::Status CloseMoney(Setting& setting) {
  (void)setting.engine->Shutdown(absl::Seconds(5));
  if (setting.money.ledger == nullptr) return absl::OkStatus();
  const absl::Status closed = setting.money.ledger->Shutdown();
  if (closed.ok()) return closed;
  return MakeStatus(closed.code(),
                    fmt::format("the ledger could not be closed: {}", Message(closed)));
}

// Nobody gets what is only explained: it must not hold budget in a ledger that others go on with.
void ReleaseBids(Setting& setting, const ads::Decision& decision) {
  if (setting.money.ledger == nullptr) return;
  for (const ads::Bid& bid : decision.bids) {
    (void)setting.money.ledger->Release(bid.reservation, ads::ReleaseCause::kNotSent);
  }
}

int Explain(const Options& options, const Recording& recording) {
  openrtb::Reader reader;
  for (const Recording::Line& line : recording.lines()) {
    if (line.json.find(options.explain) == std::string_view::npos) continue;
    const auto request = reader.ReadPadded(line.json);
    if (!request.ok() || (*request)->id != options.explain) continue;
    auto setting = MakeSetting(options, options.campaigns,
                               line.arrival > 0 ? TimeOf(line.arrival) : absl::InfinitePast());
    if (!setting.ok()) return Complain(setting.status());
    ads::Engine& engine = *(*setting)->engine;
    const auto answer = engine.Decide(*request, {.trusted = true, .explain = true});
    ReleaseBids(**setting, answer.value);
    fmt::print("request '{}' (line {})\n{}", options.explain, line.number, engine.Explain(answer));
    for (const ads::Bid& bid : answer.value.bids) {
      fmt::print("bid: imp '{}' gets creative '{}' of campaign '{}' ({}) at {:.2f} {} a thousand\n",
                 (*request)->imps[bid.imp].id, bid.creative->id, bid.campaign->name,
                 bid.campaign->id, bid.price.units(), bid.cur.code());
    }
    if (answer.value.bids.empty()) {
      fmt::print("no bid: {} (nbr {})\n", ads::NbrText(answer.value.nbr),
                 static_cast<int>(answer.value.nbr));
    }
    if (!options.why_not.empty()) fmt::print("\n{}", engine.WhyNot(*request, options.why_not));
    const absl::Status closed = CloseMoney(**setting);
    return closed.ok() ? 0 : Complain(closed);
  }
  fmt::print(stderr, "ad_server: no valid request has the id '{}'\n", options.explain);
  return kBadUsage;
}

absl::StatusOr<std::vector<std::string>> DecisionsOf(Options options, const Recording& recording,
                                                     const std::string& file) {
  if (HoldsDecisions(file)) return ReadDecisions(file);
  options.inline_scheduler = true;  // what differs is then the campaigns' doing
  options.threads = 1;
  options.rate = 0;
  options.loop = 1;
  options.seconds = options.warm_up = 0;
  options.mode = Mode::kTrusted;
  options.ledger.clear();
  options.pacing = false;
  auto setting = MakeSetting(options, file);
  if (!setting.ok()) return setting.status();
  return Replay(options, recording, **setting, {.keep_decisions = true}).decisions;
}

int Diff(const Options& options, const Recording& recording) {
  const auto a = DecisionsOf(options, recording, options.diff[0]);
  if (!a.ok()) return Complain(a.status());
  const auto b = DecisionsOf(options, recording, options.diff[1]);
  if (!b.ok()) return Complain(b.status());
  const auto text = Compare(options.diff[0], *a, options.diff[1], *b);
  if (!text.ok()) return Complain(text.status());
  fmt::print("{}", *text);
  return 0;
}

// What was recorded on the way: to its end, and whether it is all there.
absl::Status WriteRecords(const Options& options, Setting& setting) {
  if (!options.plan.empty()) {
    std::ofstream plan(options.plan, std::ios::binary);
    plan << setting.engine->runtime().PlanDot();
    if (!plan.flush()) return DataLoss("cannot write '" + options.plan + "'");
  }
  if (setting.trace == nullptr) return absl::OkStatus();
  (void)setting.engine->Shutdown(absl::Seconds(5));
  return setting.trace->status();
}

int Run(const Options& options) {
  const std::string file =
      options.replay.empty() ? Bundled("sample-requests.ndjson") : options.replay;
  const auto recording = Recording::ReadFile(file);
  if (!recording.ok()) return Complain(recording.status());
  if (recording->lines().empty()) return Complain(InvalidArgument(file + ": holds no lines"));
  if (!options.diff.empty()) return Diff(options, *recording);
  if (!options.explain.empty()) return Explain(options, *recording);
  if (options.rate < 0 && std::all_of(recording->lines().begin(), recording->lines().end(),
                                      [](const auto& line) { return line.arrival <= 0; })) {
    return Complain(InvalidArgument(file + ": has no ext.arrival, so --rate recorded cannot be"));
  }
  auto setting =
      MakeSetting(options, options.campaigns,
                  recording->first() > 0 ? TimeOf(recording->first()) : absl::InfinitePast());
  if (!setting.ok()) return Complain(setting.status());
  std::ofstream out;  // what is there is kept until all that is read was found right
  if (!options.out.empty()) {
    out.open(options.out, std::ios::binary);
    if (!out) return Complain(InvalidArgument("cannot write '" + options.out + "'"));
  }
  if (!options.json) fmt::print("{}: {} lines\n", file, recording->lines().size());
  std::fflush(stdout);
  auto feedback = Feedback::Open(options, **setting);
  if (!feedback.ok()) return Complain(feedback.status());
  const ReplayResult result = Replay(
      options, *recording, **setting,
      {.keep_decisions = !options.out.empty(), .show_progress = !options.json}, feedback->get());
  for (const std::string& decision : result.decisions) out << decision << '\n';
  if (out.is_open() && !out.flush()) {
    return Complain(DataLoss("cannot write '" + options.out + "' to its end"));
  }
  absl::Status recorded = WriteRecords(options, **setting);
  recorded.Update(result.feedback);
  recorded.Update(CloseMoney(**setting));
  const MoneyReport money = MakeMoneyReport(**setting, **feedback, result.pacing);
  if (options.json) {
    fmt::print("{}\n", ReportJson(options, result, **setting, money));
  } else {
    fmt::print("{}", ReportTable(options, result, **setting, money));
  }
  return recorded.ok() ? 0 : Complain(recorded);
}

}  // namespace
}  // namespace ad_server

int main(int argc, char** argv) {
  return examples::WithOutput("ad_server", [&] {
    ad_server::Options options;
    int exit_code = 0;
    if (!ad_server::ParseOptions(argc, argv, &options, &exit_code)) return exit_code;
    return ad_server::Run(options);
  });
}
