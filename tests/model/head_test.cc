#include "adagents/model/head.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "catch.h"
#include "model/kernels_test_access.h"
#include "model/model_kit.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test

/// The formula of head.h.
double Expected(const Head& head, const SessionVector& session, const HeadEntry* entries,
                size_t count) {
  const HeadWeights& w = head.weights();
  const auto hidden = static_cast<size_t>(head.shape().hidden);
  const auto width = static_cast<size_t>(head.shape().width);
  double logit = w.out_bias;
  std::vector<double> sum(hidden + 1);
  for (size_t e = 0; e < count; ++e) {
    if (entries[e].row >= head.schema().rows()) continue;
    for (size_t k = 0; k < sum.size(); ++k) {
      sum[k] += double{w.table[entries[e].row * sum.size() + k]} * entries[e].weight;
    }
  }
  for (size_t h = 0; h < hidden; ++h) {
    double unit = w.bias[h] + sum[h];
    for (size_t k = 0; k < width; ++k) unit += double{w.session[h * width + k]} * session.value[k];
    logit += w.out[h] * std::max(unit, 0.0);
  }
  return logit + sum.back();
}

TEST_CASE("a head computes its formula for every candidate of a batch, on every instruction set") {
  for (const HeadShape& shape :
       {HeadShape{}, HeadShape{.width = 16, .hidden = 64}, HeadShape{.width = 64, .hidden = 16},
        HeadShape{.width = 48, .hidden = 48}}) {
    Head head = SomeHead(99, 3, shape);
    Random random(4);
    SessionVector session{.trunk = 99};
    for (int k = 0; k < shape.width; ++k) session.value[k] = Between(random, -2, 2);
    constexpr size_t kEach = 4;
    std::vector<HeadEntry> entries;
    for (size_t i = 0; i < 33 * kEach; ++i) {
      entries.push_back(
          {static_cast<uint32_t>(random.Below(head.schema().rows() + 3)), Between(random, -1, 2)});
    }
    for (const internal::Kernels* kernels : Kernels()) {
      INFO(kernels->name << ", width " << shape.width << ", hidden " << shape.hidden);
      HeadForTest::Use(&head, *kernels);
      std::vector<float> logits(33), out(33);
      REQUIRE(head.Logits(session, entries, kEach, logits).ok());
      REQUIRE(head.Score(session, entries, kEach, out).ok());
      for (size_t i = 0; i < out.size(); ++i) {
        const double expected = Expected(head, session, &entries[i * kEach], kEach);
        CHECK(std::abs(logits[i] - expected) < 1e-5);
        const double z = head.weights().slope * expected + head.weights().intercept;
        CHECK(out[i] == Approx(1 / (1 + std::exp(-z))).margin(1e-5));
      }
    }
  }
}

TEST_CASE("a head refuses a vector of another trunk and sizes that do not fit") {
  const Head head = SomeHead(99);
  const std::vector<HeadEntry> entries(6);
  std::vector<float> out(2, -1.0f);
  const absl::Status foreign = head.Score({.trunk = 98}, entries, 3, out);
  CHECK(foreign.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(out[0] == -1.0f);
  CHECK(head.Score({.trunk = 99}, entries, 4, out).code() == absl::StatusCode::kInvalidArgument);
  CHECK(head.Score({.trunk = 99}, entries, 0, out).code() == absl::StatusCode::kInvalidArgument);
  CHECK(head.Score({.trunk = 99}, entries, 2, out).code() == absl::StatusCode::kInvalidArgument);
  CHECK(head.Score({.trunk = 99}, entries, 3, out).ok());
  CHECK(head.Score({.trunk = 99}, {}, 3, out).ok());
}

TEST_CASE("a head without a trunk reads no session") {
  const Head head = SomeHead(0);
  SessionVector some{.trunk = 5};
  for (float& value : some.value) value = 3;
  const std::vector<HeadEntry> entries = {{1, 1}};
  std::vector<float> with(1), without(1);
  REQUIRE(head.Score(some, entries, 1, with).ok());
  REQUIRE(head.Score({}, entries, 1, without).ok());
  CHECK(with == without);
}

TEST_CASE("a head schema gives every value a row, and those it does not know the field's first") {
  const HeadSchema schema({{"genre", 3}, {"brand", 5}});
  CHECK(schema.rows() == 9);
  CHECK(schema.Row(0, 0) == 1);
  CHECK(schema.Row(0, 2) == 3);
  CHECK(schema.Row(0, 3) == 1);
  CHECK(schema.Row(1, 0) == 4);
  CHECK(schema.Row(1, 4) == 8);
  CHECK(schema.Row(2, 0) == 0);
  CHECK(schema.Hash() != HeadSchema({{"genre", 4}, {"brand", 4}}).Hash());
  CHECK(schema.Hash() != HeadSchema({{"brand", 5}, {"genre", 3}}).Hash());
  CHECK(schema.Hash() == HeadSchema({{"genre", 3}, {"brand", 5}}).Hash());
  CHECK(Message(HeadSchema({{"a", 2}, {"a", 2}}).Check()).find("'a'") != std::string::npos);
  CHECK_FALSE(HeadSchema({{"a", 1 << 24}, {"b", 2}}).Check().ok());
  CHECK_FALSE(HeadSchema({{"a", -5}}).Check().ok());
}

TEST_CASE("a head refuses weights that are none, by name") {
  const auto with = [](auto change) {
    HeadWeights weights = SomeHeadWeights(SomeHeadSchema(), {}, 1);
    change(weights);
    return std::string(Message(Head::Create(SomeHeadSchema(), {}, weights, 0).status()));
  };
  CHECK(with([](HeadWeights&) {}).empty());
  CHECK(with([](HeadWeights& w) { w.table.pop_back(); }).find("table") != std::string::npos);
  CHECK(with([](HeadWeights& w) { w.out[1] = NAN; }).find("out") != std::string::npos);
  CHECK(with([](HeadWeights& w) { w.slope = INFINITY; }).find("slope") != std::string::npos);
  CHECK(with([](HeadWeights& w) { w.table[2] = 1; }).find("row 0") != std::string::npos);
  CHECK(with([](HeadWeights& w) { w.table[32] = 1; }).find("row 0") != std::string::npos);
}

}  // namespace
}  // namespace adagents::model
