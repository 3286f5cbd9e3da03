#include "adagents/model/model_store.h"

#include <fstream>
#include <string>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "catch.h"
#include "model/model_team.h"
#include "temporary_folder.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test

TEST_CASE("a store without a model says so") {
  const auto store = MakeStore();
  const ModelStore::Use use = store->Pin();
  CHECK_FALSE(static_cast<bool>(use));
  EncoderScratch scratch;
  SessionVector vector;
  std::vector<float> out(1);
  const std::vector<HeadEntry> entries(3);
  CHECK(use.Encode({}, {}, &scratch, &vector).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(use.Score(0, vector, entries, 3, {}, out).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(store->stats().version == 0);
}

TEST_CASE("a damaged, foreign or incomplete file is refused and the old model serves on") {
  const Folder folder;
  const auto store = MakeStore();
  REQUIRE(SomeModel(1)->Save(folder / "good").ok());
  REQUIRE(store->Load(folder / "good").ok());
  const uint64_t trunk = store->Pin().model().encoder()->id();

  const std::string good = SomeModel(2)->Serialize();
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 4);
  const TokenSchema other({{"kind", 3}}, {});
  const std::string foreign =
      (*Model::Create(*Encoder::Create(other, {}, SomeWeights(other, {}, 1)), {}))->Serialize();
  const std::string incomplete = (*Model::Create(SomeEncoder(), {}))->Serialize();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {good.substr(0, good.size() / 3), "header says"},
      {flipped, "digest"},
      {foreign, "foreign"},
      {incomplete, "no head 'click'"}};
  for (const auto& [bytes, problem] : cases) {
    std::ofstream(folder / "bad", std::ios::binary | std::ios::trunc) << bytes;
    const absl::Status status = store->Load(folder / "bad");
    INFO(status);
    CHECK(Message(status).find(problem) != std::string_view::npos);
    CHECK(store->Pin().model().encoder()->id() == trunk);
  }
  CHECK_FALSE(store->Load(folder / "nothing").ok());
  CHECK_FALSE(store->Publish(nullptr).ok());
  CHECK(store->stats().loaded == 1);
  CHECK(store->stats().refused == 6);
  CHECK(store->stats().version == 1);
}

TEST_CASE("a head whose facts are others than the server's is refused") {
  const auto store = *ModelStore::Create(
      {.token_schema = SomeSchema().Hash(), .heads = {{"click", HeadSchema({{"x", 2}}).Hash()}}});
  const absl::Status status = store->Publish(SomeModel());
  CHECK(Message(status).find("head 'click' has the schema") != std::string_view::npos);
}

TEST_CASE("a model may be without an optional head, but not have another one in its place") {
  const auto store = *ModelStore::Create(
      {.token_schema = SomeSchema().Hash(),
       .heads = {{"click", SomeModel()->head("click")->schema().Hash()},
                 {"intent", HeadSchema({{"x", 2}}).Hash(), /*optional=*/true}}});
  CHECK_FALSE(store->Pin().Has(0));
  REQUIRE(store->Publish(SomeModel()).ok());
  const ModelStore::Use use = store->Pin();
  CHECK(use.Has(0));
  CHECK_FALSE(use.Has(1));
  CHECK_FALSE(use.Has(2));
  float out[1] = {};
  const HeadEntry entry;
  const absl::Status status = use.Score(1, {}, {&entry, 1}, 1, {}, out);
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(status).find("without that head") != std::string_view::npos);
  const auto wrong = *ModelStore::Create(
      {.token_schema = SomeSchema().Hash(), .heads = {{"click", 1, /*optional=*/true}}});
  CHECK_FALSE(wrong->Publish(SomeModel()).ok());
}

TEST_CASE("a request computes on the model that it pinned, and the memory comes back") {
  const auto store = MakeStore();
  REQUIRE(store->Publish(SomeModel(1)).ok());
  {
    const ModelStore::Use use = store->Pin();
    const uint64_t before = use.model().encoder()->id();
    for (uint64_t seed = 2; seed < 12; ++seed) REQUIRE(store->Publish(SomeModel(seed)).ok());
    CHECK(use.model().encoder()->id() == before);
    CHECK(use.version() == 1);
    CHECK(store->Pin().version() == 11);
    CHECK(store->stats().versions_alive == 2);
  }
  REQUIRE(store->Publish(SomeModel(1)).ok());
  CHECK(store->stats().versions_alive == 1);
}

TEST_CASE("a vector of the old trunk is refused after a reload and made anew by Refresh") {
  const auto store = MakeStore();
  REQUIRE(store->Publish(SomeModel(1)).ok());
  const Ask ask = SomeAsk(1);
  EncoderScratch scratch;
  SessionVector vector;
  REQUIRE(store->Pin().Encode(ask.window, {}, &scratch, &vector).ok());
  REQUIRE(store->Publish(SomeModel(2)).ok());
  const ModelStore::Use use = store->Pin();
  Scores scores;
  CHECK(use.Score(0, vector, ask.entries, kFacts, {}, scores.probability).code() ==
        absl::StatusCode::kFailedPrecondition);
  REQUIRE(use.Refresh(ask.window, {}, &scratch, &vector).ok());
  REQUIRE(use.Score(0, vector, ask.entries, kFacts, {}, scores.probability).ok());
  scores.trunk = vector.trunk;
  CHECK(Same(scores, Said(use.model(), ask).click));
  const SessionVector fresh = vector;
  vector.value[0] += 1;  // Refresh leaves a vector of this trunk alone
  REQUIRE(use.Refresh(ask.window, {}, &scratch, &vector).ok());
  CHECK(vector.value[0] == fresh.value[0] + 1);
}

/// Each look at it takes so long.
class SlowClock final : public Clock {
 public:
  explicit SlowClock(int64_t step) : step_(step) {}
  int64_t Now() const override { return now_ += step_; }
  absl::Time WallNow() const override { return absl::UnixEpoch(); }
  void SetStep(int64_t step) { step_ = step; }

 private:
  mutable int64_t now_ = 0;
  int64_t step_;
};

TEST_CASE("a forward pass that would not finish in time is not begun") {
  SlowClock clock(1'000'000);  // so a pass appears to take 1 ms
  const auto store = MakeStore(&clock);
  REQUIRE(store->Publish(SomeModel(1)).ok());
  CHECK(store->stats().encode_nanos == 1'000'000);
  CHECK(store->stats().score_nanos == 1'000'000 / 16);
  const Ask ask = SomeAsk(1);
  EncoderScratch scratch;
  SessionVector vector, untouched;
  const ModelStore::Use use = store->Pin();
  const auto in = [&](double ms) {
    return Deadline::At(clock.Now() + static_cast<int64_t>((ms + 1) * 1e6));
  };
  CHECK(use.Encode(ask.window, in(1.5), &scratch, &vector).code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(std::memcmp(&vector, &untouched, sizeof(vector)) == 0);
  CHECK(store->stats().not_begun == 1);
  CHECK(use.Encode(ask.window, in(3), &scratch, &vector).ok());
  Scores scores;
  CHECK(use.Score(0, vector, ask.entries, kFacts, in(1.5), scores.probability).code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(scores.probability[0] == 0);
  CHECK(use.Score(0, vector, ask.entries, kFacts, in(3), scores.probability).ok());
  CHECK(store->stats().not_begun == 2);
}

TEST_CASE("what a pass is expected to take rises at once, falls slowly, and never sticks") {
  ForwardCost cost;
  cost.Took(1'000);
  cost.Took(1'000'000'000);  // the thread was put aside
  CHECK(cost.nanos() == 1'501);
  for (int i = 0; i < 1'000; ++i) cost.Took(1'000);
  CHECK(cost.nanos() < 1'100);
  for (int i = 0; i < 100; ++i) cost.Took(1'000'000);
  CHECK(cost.nanos() > 900'000);
  int passed_over = 0;
  while (!cost.Fits(Deadline::At(10'000), 0) && passed_over < 10'000) {
    cost.PassedOver();
    ++passed_over;
  }
  CHECK(passed_over < 1'000);
  CHECK(cost.Fits(Deadline::Infinite(), 0, 1 << 30));
}

}  // namespace
}  // namespace adagents::model
