// Models of the team, trained on what simulated listeners did.
#include "adagents/ads_models/team_trainer.h"

#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/base/random.h"
#include "adagents/model/model_store.h"
#include "adagents/testing/listening_world.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads_models {
namespace {

using adagents::testing::ListeningEvent;
using adagents::testing::ListeningWorld;

ads::Bid AnyBid(const ads::Catalog& catalog, Random* random) {
  ads::Bid bid;
  do {
    bid.campaign = &catalog.campaign(static_cast<uint32_t>(random->Below(catalog.size())));
    bid.creative = &bid.campaign->creatives[random->Below(bid.campaign->creatives.size())];
  } while (bid.creative->format != ads::MarkupType::kAudio);
  bid.mtype = bid.creative->format;
  bid.price = Micros{1000 * Micros::kUnit};  // wins
  return bid;
}

/// Four hundred sessions, of four days, so that hours of a day are the same in both periods.
TeamExamples Listen() {
  auto options = *adagents::testing::ListeningOptionsOf("music");
  options.sessions = 400;
  options.sessions_a_day = 100;
  adagents::testing::VirtualClock clock;
  auto world = ListeningWorld::Create(options, &clock);
  REQUIRE(world.ok());
  auto log = TeamLog::Create({.sessions = 1000,
                              .hash_key = {3, 4},
                              .session_sources = {std::string(ListeningWorld::kSessionSource)}},
                             &clock);
  REQUIRE(log.ok());
  const auto catalog = (*world)->MakeCatalog();
  REQUIRE(catalog != nullptr);
  Random random(1);
  uint64_t decisions = 0;
  ListeningEvent event;
  while ((*world)->Next(&event)) {
    if (event.kind == ListeningEvent::Kind::kPlayback) {
      REQUIRE((*log)->Play(event.playback).ok());
    } else if (event.kind == ListeningEvent::Kind::kOutcome) {
      (*log)->Record(event.outcome);
    } else {
      ads::Decision decision;
      decision.id = ++decisions;
      decision.bids.push_back(AnyBid(*catalog, &random));
      (*log)->Decided(*event.request, decision);
      REQUIRE((*world)->Answer(decision).ok());
    }
  }
  return std::move(**log).Take();
}

/// Small and quick.
TeamTraining TrainingOn(const TeamExamples& examples) {
  REQUIRE(examples.windows.size() > 500);
  const int64_t begin = examples.windows.front().at_ms, end = examples.windows.back().at_ms + 1;
  const int64_t cut = begin + (end - begin) / 4 * 3;
  return {.training = {begin, cut},
          .validation = {cut, end},
          .tasks = {Task::kAttention, Task::kIntent},
          .shape = {.width = 16, .layers = 1, .feed_forward = 32, .tokens = 16},
          .trunk = {.epochs = 2, .batch = 8, .rate = 1e-2},
          .head = {.epochs = 2, .batch = 64},
          .tried = {{.rate = 3e-3, .decay = 1}},
          .hidden = 16};
}

/// For a server that uses all heads, those that there are or nothing less than all of them.
std::unique_ptr<model::ModelStore> StoreOf(bool optional, const Clock* clock) {
  model::ModelStoreOptions options;
  options.token_schema = Tokens().Hash();
  options.clock = clock;
  for (size_t t = 0; t < kTasks; ++t) {
    const auto task = static_cast<Task>(t);
    options.heads.push_back({std::string(Name(task)), Facts(task).Hash(), optional});
  }
  auto store = model::ModelStore::Create(std::move(options));
  REQUIRE(store.ok());
  return *std::move(store);
}

bool IsTrained(size_t task) {
  return task == static_cast<size_t>(Task::kAttention) ||
         task == static_cast<size_t>(Task::kIntent);
}

TEST_CASE("a team is trained for the tasks that are named, and served without the others") {
  const TeamExamples examples = Listen();
  TeamTraining options = TrainingOn(examples);
  options.note = "a test";
  std::set<std::string> told;
  options.progress = [&](std::string_view what, const model::EpochReport& report) {
    told.insert(std::string(what.substr(0, what.find(','))));
    CHECK(std::isfinite(report.validation_loss));
  };
  auto trained = TrainTeam(examples, options);
  INFO(trained.status().ToString());
  REQUIRE(trained.ok());
  CHECK(told == std::set<std::string>{"trunk", "attention", "intent"});
  CHECK(std::isfinite(trained->trunk_loss));
  CHECK(trained->trunk_loss < trained->shares_loss);
  const model::Model& team = *trained->model;
  REQUIRE(team.encoder() != nullptr);
  CHECK(team.encoder()->shape() == options.shape);
  CHECK(team.note() == "a test");
  CHECK(team.heads().size() == 2);
  for (size_t t = 0; t < kTasks; ++t) {
    CHECK((team.head(Name(static_cast<Task>(t))) != nullptr) == IsTrained(t));
  }

  const adagents::testing::VirtualClock clock;
  auto copy = model::ParseModel(team.Serialize());
  REQUIRE(copy.ok());
  const absl::Status refused = StoreOf(/*optional=*/false, &clock)->Publish(*std::move(copy));
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(refused).find("click") != std::string_view::npos);

  const auto store = StoreOf(/*optional=*/true, &clock);
  for (size_t t = 0; t < kTasks; ++t) CHECK_FALSE(store->Pin().Has(t));
  REQUIRE(store->Publish(std::move(trained->model)).ok());
  const model::ModelStore::Use use = store->Pin();
  for (size_t t = 0; t < kTasks; ++t) CHECK(use.Has(t) == IsTrained(t));
  CHECK_FALSE(use.Has(kTasks));

  // It answers for what a session was about, and not for clicks.
  model::EncoderScratch scratch;
  model::SessionVector vector;
  constexpr auto kIntents = static_cast<size_t>(Task::kIntent);
  const TeamExamples::Of& intents = examples.of[kIntents];
  REQUIRE(intents.examples.size() >= ads::kIntentCount);
  const auto& window = examples.windows[intents.examples[0].window].tokens;
  REQUIRE(use.Encode(window, Deadline(), &scratch, &vector).ok());
  constexpr size_t kEach = FactCount(Task::kIntent);
  const std::span<const model::HeadEntry> entries(intents.entries.data(),
                                                  ads::kIntentCount * kEach);
  std::array<float, ads::kIntentCount> p{};
  REQUIRE(use.Score(kIntents, vector, entries, kEach, Deadline(), p).ok());
  for (const float each : p) {
    CHECK(each > 0);
    CHECK(each < 1);
  }
  CHECK(
      use.Score(static_cast<size_t>(Task::kClick), vector, entries, kEach, Deadline(), p).code() ==
      absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("of what is tried the best on the validation period is taken") {
  const TeamExamples examples = Listen();
  TeamTraining options = TrainingOn(examples);
  const auto good = TrainTeam(examples, options);
  options.tried = {{.rate = 1e-7, .decay = 1}, options.tried.front(), {.rate = 1e-7, .decay = 2}};
  const auto best = TrainTeam(examples, options);
  REQUIRE(good.ok());
  REQUIRE(best.ok());
  CHECK(best->model->Serialize() == good->model->Serialize());
}

TEST_CASE("a team that cannot be trained is refused, and the error names the task") {
  const TeamExamples examples = Listen();
  TeamTraining quick = TrainingOn(examples);
  quick.trunk.epochs = 1;
  quick.trunk.batch = 256;
  const auto error = [](const TeamExamples& on, const TeamTraining& options) {
    const absl::Status status = TrainTeam(on, options).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(Message(status));
  };
  TeamTraining untried = quick;
  untried.tried.clear();
  CHECK(error(examples, untried).find("no rate and decay to try") != std::string::npos);

  TeamTraining empty = quick;
  empty.validation.from_ms = empty.validation.to_ms;
  CHECK(error(examples, empty).find("for validation") != std::string::npos);
  empty = quick;
  empty.training.from_ms = empty.training.to_ms;
  CHECK(error(examples, empty).find("for training") != std::string::npos);

  TeamExamples changed = examples;
  TeamExamples::Of& attention = changed.of[static_cast<size_t>(Task::kAttention)];
  for (TeamExamples::Example& e : attention.examples) {
    if (e.at_ms >= quick.validation.from_ms) e.settled = 0;
  }
  CHECK(error(changed, quick) == "attention: training: validation data: there is none");
  attention = TeamExamples::Of();
  CHECK(error(changed, quick) == "attention: training: training data: there is none");
  changed = examples;
  for (TeamExamples::Example& e : changed.of[static_cast<size_t>(Task::kIntent)].examples) {
    e.happened = 0;
  }
  const std::string alike = error(changed, quick);
  CHECK(alike.starts_with("intent: "));
  CHECK(alike.find("nothing to tell apart") != std::string::npos);
}

}  // namespace
}  // namespace adagents::ads_models
