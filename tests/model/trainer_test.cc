#include "adagents/model/trainer.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "adagents/model/metrics.h"
#include "catch.h"
#include "model/model_kit.h"
#include "model/torch_reference.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test

TEST_CASE("the served forward pass is LibTorch's to 1e-5, eager and as TorchScript") {
  for (const EncoderShape& shape :
       {EncoderShape{},
        EncoderShape{.width = 48, .layers = 3, .heads = 2, .feed_forward = 64, .tokens = 12}}) {
    const Encoder encoder = SomeEncoder(11, shape);
    Random random(1);
    std::vector<TokenWindow> windows;
    for (uint32_t count = 0; count <= 16; ++count) {
      windows.push_back(SomeWindow(encoder.schema(), random, count));
    }
    EncoderScratch scratch;
    std::vector<SessionVector> ours(windows.size()), theirs(windows.size());
    encoder.Encode(windows, &scratch, ours);
    for (const auto mode : {TorchReference::Mode::kEager, TorchReference::Mode::kScript}) {
      auto torch = TorchReference::Create(encoder, mode);
      INFO(torch.status());
      REQUIRE(torch.ok());
      torch->Set(windows);
      for (int run = 0; run < 3; ++run) torch->Run();  // TorchScript recompiles after the first
      torch->Get(theirs);
      double worst = 0, size = 0;
      for (size_t i = 0; i < windows.size(); ++i) {
        for (int k = 0; k < shape.width; ++k) {
          worst = std::max(worst, std::abs(double{ours[i].value[k]} - theirs[i].value[k]));
          size = std::max(size, std::abs(double{ours[i].value[k]}));
        }
      }
      CHECK(worst < 1e-5);
      CHECK(size > 0.5);
    }
  }
}

/// Sessions in which each listener repeats two genres, and what is played depends on the hour.
TokenSchema WorldSchema() { return TokenSchema({{"kind", 4}, {"genre", 9}}, {{"energy", 0, 1}}); }

struct World {
  Sequences sequences;
  std::vector<int> favourite;  // of each window's listener
};

World MakeWorld(uint64_t seed, int count) {
  Random random(seed);
  World world;
  for (int i = 0; i < count; ++i) {
    const int favourite = 1 + static_cast<int>(random.Below(8)), other = 1 + favourite % 8;
    const auto next = [&] {
      Token token = TokenSchema::Unknown();
      token.category[1] = static_cast<uint16_t>(random.Chance(0.8) ? favourite : other);
      token.category[0] = static_cast<uint16_t>(1 + random.Below(3));
      if (random.Chance(0.5)) token.number[0] = static_cast<float>(random.Uniform());
      return token;
    };
    TokenWindow window;
    for (uint64_t t = 2 + random.Below(15); t > 0; --t) window.Push(next());
    world.sequences.windows.push_back(window);
    world.sequences.next.push_back(next());
    world.favourite.push_back(favourite);
  }
  return world;
}

/// Who is offered an ad of the favourite genre clicks more often. What adds up session and
/// candidate, each by itself, cannot know.
Outcomes MakeOutcomes(const World& world, const Encoder& trunk, const HeadSchema& schema,
                      uint64_t seed) {
  Random random(seed);
  Outcomes out{.per_candidate = 2};
  out.sessions.resize(world.sequences.windows.size());
  EncoderScratch scratch;
  trunk.Encode(world.sequences.windows, &scratch, out.sessions);
  for (const int favourite : world.favourite) {
    const auto genre = static_cast<int>(1 + random.Below(8));
    const auto brand = static_cast<uint32_t>(1 + random.Below(20));
    const double rate = genre == favourite ? 0.5 : brand % 4 == 0 ? 0.15 : 0.05;
    out.entries.push_back({schema.Row(0, static_cast<uint32_t>(genre)), 1});
    out.entries.push_back({schema.Row(1, brand), 1});
    out.happened.push_back(random.Chance(rate));
  }
  return out;
}

std::vector<float> Scores(const Head& head, const Outcomes& on) {
  std::vector<float> scores(on.size()), one(1);
  for (size_t i = 0; i < on.size(); ++i) {
    const std::span<const HeadEntry> entries(&on.entries[i * on.per_candidate], on.per_candidate);
    if (!head.Score(on.sessions.empty() ? SessionVector{} : on.sessions[i], entries,
                    on.per_candidate, one)
             .ok()) {
      return {};
    }
    scores[i] = one[0];
  }
  return scores;
}

TEST_CASE(
    "a trained trunk and head know what a listener likes, beyond what candidates alone tell") {
  const World past = MakeWorld(1, 6'000), later = MakeWorld(2, 3'000), test = MakeWorld(3, 16'000);
  PretrainOptions pretrain;
  pretrain.train.epochs = 12;
  pretrain.train.batch = 64;
  int called = 0;
  pretrain.train.progress = [&](const EpochReport& report) {
    CHECK(report.epoch == ++called);
    return true;
  };
  const auto trunk = Pretrain(WorldSchema(), pretrain, past.sequences, later.sequences);
  INFO(trunk.status());
  REQUIRE(trunk.ok());
  CHECK(called == static_cast<int>(trunk->epochs.size()));
  // The kinds cannot be told; of the genres' 2.1 nats some 0.5 are left to who knows the listener.
  CHECK(trunk->validation_loss < trunk->baseline_loss - 1.0);

  const HeadSchema facts({{"genre", 9}, {"brand", 21}});
  const Outcomes training = MakeOutcomes(past, trunk->encoder, facts, 4);
  const Outcomes validation = MakeOutcomes(later, trunk->encoder, facts, 5);
  const Outcomes held_out = MakeOutcomes(test, trunk->encoder, facts, 6);
  TrainHeadOptions options;
  options.train.batch = 128;
  options.train.rate = 5e-3;
  const auto with = TrainHead(facts, options, &trunk->encoder, training, validation);
  INFO(with.status());
  REQUIRE(with.ok());
  CHECK(with->head.trunk() == trunk->encoder.id());
  const auto blind = [](Outcomes outcomes) {
    outcomes.sessions.clear();
    return outcomes;
  };
  const auto without = TrainHead(facts, options, nullptr, blind(training), blind(validation));
  REQUIRE(without.ok());
  const std::vector<float> seeing = Scores(with->head, held_out);
  const std::vector<float> blindly = Scores(without->head, blind(held_out));
  REQUIRE(seeing.size() == held_out.size());
  CHECK(BootstrapDifference(&LogLoss, seeing, blindly, held_out.happened, 1, 200).high < 0);
  CHECK(BootstrapDifference(&Auc, seeing, blindly, held_out.happened, 1, 200).low > 0.05);
  CHECK(CalibrationError(seeing, held_out.happened) < 0.03);

  // The weights that were kept are those of the best epoch, computed alike by both.
  std::vector<float> probability(validation.size()), one(1);
  for (size_t i = 0; i < validation.size(); ++i) {
    const std::span<const HeadEntry> entries(&validation.entries[i * 2], 2);
    REQUIRE(with->head.Logits(validation.sessions[i], entries, 2, one).ok());
    probability[i] = 1 / (1 + std::exp(-one[0]));
  }
  double least = std::numeric_limits<double>::infinity();
  for (const EpochReport& report : with->epochs) least = std::min(least, report.validation_loss);
  CHECK(LogLoss(probability, validation.happened) == Approx(least).margin(1e-5));
}

TEST_CASE("training is the same again, and ends when it is told to") {
  const World past = MakeWorld(1, 300), later = MakeWorld(2, 100);
  PretrainOptions options;
  options.shape = {.width = 16, .layers = 1, .heads = 2, .feed_forward = 32};
  options.train.epochs = 3;
  const auto a = Pretrain(WorldSchema(), options, past.sequences, later.sequences);
  const auto b = Pretrain(WorldSchema(), options, past.sequences, later.sequences);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(a->encoder.id() == b->encoder.id());
  options.train.seed = 2;
  CHECK(Pretrain(WorldSchema(), options, past.sequences, later.sequences)->encoder.id() !=
        a->encoder.id());
  options.train.progress = [](const EpochReport&) { return false; };
  CHECK(Pretrain(WorldSchema(), options, past.sequences, later.sequences)->epochs.size() == 1);
}

TEST_CASE("training refuses what it cannot learn from, by name") {
  const World some = MakeWorld(1, 20);
  const auto pretrain = [&](PretrainOptions options, const Sequences& on) {
    return std::string(Message(Pretrain(WorldSchema(), options, on, some.sequences).status()));
  };
  CHECK(pretrain({}, {}).find("0 windows") != std::string::npos);
  CHECK(pretrain({.shape = {.width = 5}}, some.sequences).find("width 5") != std::string::npos);
  CHECK(pretrain({.train = {.rate = -1}}, some.sequences).find("rate of -1") != std::string::npos);
  CHECK(pretrain({.train = {.batch = 0}}, some.sequences).find("batch") != std::string::npos);
  const HeadSchema facts({{"genre", 9}});
  const auto head = [&](const Outcomes& on, const Encoder* trunk = nullptr) {
    return std::string(Message(TrainHead(facts, {}, trunk, on, on).status()));
  };
  CHECK(head({}).find("training data: there is none") != std::string::npos);
  CHECK(head({.per_candidate = 1, .entries = {{1, 1}}, .happened = {1}}).find("1 of 1 happened") !=
        std::string::npos);
  CHECK(head({.per_candidate = 1, .entries = {{1, NAN}, {1, 1}}, .happened = {0, 1}})
            .find("not a finite") != std::string::npos);
  CHECK(head({.per_candidate = 2, .entries = {{1, 1}}, .happened = {0, 1}}).find("1 entries") !=
        std::string::npos);
  const Encoder trunk = SomeEncoder();
  CHECK(head({.per_candidate = 1,
              .entries = {{1, 1}, {1, 1}},
              .sessions = std::vector<SessionVector>(2),
              .happened = {0, 1}},
             &trunk)
            .find("another trunk") != std::string::npos);
}

TEST_CASE("values that no example has add nothing to a head") {
  const HeadSchema facts({{"genre", 9}, {"brand", 21}});
  const auto some = [&](uint64_t seed) {
    Random random(seed);
    Outcomes out{.per_candidate = 2};
    for (int i = 0; i < 200; ++i) {
      const auto genre = static_cast<uint32_t>(1 + random.Below(8));
      out.entries.push_back({facts.Row(0, genre), 1});
      out.entries.push_back({facts.Row(1, static_cast<uint32_t>(1 + random.Below(10))), 1});
      out.happened.push_back(random.Chance(genre < 4 ? 0.7 : 0.2));
    }
    return out;
  };
  TrainHeadOptions options{.hidden = 16};
  options.train.epochs = 2;
  options.train.batch = 50;
  const auto trained = TrainHead(facts, options, nullptr, some(1), some(2));
  REQUIRE(trained.ok());
  const size_t columns = 17;
  const std::vector<float>& table = trained->head.weights().table;
  for (uint32_t row = 0; row < facts.rows(); ++row) {
    const auto at = table.begin() + static_cast<std::ptrdiff_t>(row * columns);
    const bool seen = (row >= facts.Row(0, 1) && row <= facts.Row(0, 8)) ||
                      (row >= facts.Row(1, 1) && row <= facts.Row(1, 10));
    INFO("row " << row);
    CHECK(std::any_of(at, at + columns, [](float w) { return w != 0; }) == seen);
    // The logistic regression begins at 0, and eight steps of some 0.002 cannot lead far.
    CHECK(std::abs(at[16]) <= 0.02f);
    if (seen) CHECK(at[16] != 0);
  }
}

}  // namespace
}  // namespace adagents::model
