#include "adagents/model/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "catch.h"
#include "model/kernels_test_access.h"
#include "model/model_kit.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test

double Worst(const SessionVector& vector, const std::vector<double>& expected) {
  double worst = 0;
  for (size_t k = 0; k < expected.size(); ++k) {
    worst = std::max(worst, std::abs(vector.value[k] - expected[k]));
  }
  return worst;
}

TEST_CASE("an encoder computes its formula to 1e-5 on every instruction set, in every shape") {
  EncoderScratch scratch;
  for (const EncoderShape& shape :
       {EncoderShape{}, EncoderShape{.width = 16, .layers = 1, .heads = 1, .feed_forward = 16},
        EncoderShape{.width = 48, .layers = 3, .heads = 6, .feed_forward = 80},
        EncoderShape{.width = 64, .layers = 4, .heads = 8, .feed_forward = 256, .tokens = 10},
        EncoderShape{.width = 32, .heads = 32, .tokens = 1}}) {
    Encoder encoder = SomeEncoder(7, shape);
    Random random(3);
    std::vector<TokenWindow> windows;
    for (const uint32_t count : {16u, 1u, 2u, 9u, 16u, 15u, 40u}) {
      windows.push_back(SomeWindow(encoder.schema(), random, count));
    }
    for (const internal::Kernels* kernels : Kernels()) {
      INFO(kernels->name << ", width " << shape.width);
      EncoderForTest::Use(&encoder, *kernels);
      std::vector<SessionVector> out(windows.size());
      encoder.Encode(windows, &scratch, out);
      double size = 0;
      for (size_t i = 0; i < windows.size(); ++i) {
        const std::vector<double> expected = Reference(encoder, windows[i]);
        CHECK(Worst(out[i], expected) < 1e-5);
        CHECK(out[i].trunk == encoder.id());
        for (const double value : expected) size += std::abs(value);
        for (int k = shape.width; k < kMaxWidth; ++k) CHECK(out[i].value[k] == 0);
      }
      CHECK(size > 1);  // not a comparison of zeros
    }
  }
}

TEST_CASE("a window's vector is the same to the bit alone and in any batch") {
  Encoder encoder = SomeEncoder();
  EncoderScratch scratch;
  Random random(5);
  std::vector<TokenWindow> windows;
  for (uint32_t i = 0; i < 17; ++i) windows.push_back(SomeWindow(encoder.schema(), random, i));
  for (const internal::Kernels* kernels : Kernels()) {
    INFO(kernels->name);
    EncoderForTest::Use(&encoder, *kernels);
    std::vector<SessionVector> together(windows.size());
    encoder.Encode(windows, &scratch, together);
    for (size_t i = 0; i < windows.size(); ++i) {
      SessionVector alone;
      encoder.Encode(windows[i], &scratch, &alone);
      CHECK(std::memcmp(&alone, &together[i], sizeof(alone)) == 0);
    }
  }
}

TEST_CASE("an empty window has the vector 0, and so many tokens as there are count") {
  const Encoder encoder = SomeEncoder();
  EncoderScratch scratch;
  TokenWindow window;
  SessionVector vector;
  vector.value[3] = 1;
  encoder.Encode(window, &scratch, &vector);
  for (const float value : vector.value) CHECK(value == 0);
  // What lies beyond the count is not read.
  Random random(1);
  window = SomeWindow(encoder.schema(), random, 5);
  SessionVector clean;
  encoder.Encode(window, &scratch, &clean);
  for (uint32_t t = window.count; t < kMaxTokens; ++t) {
    window.tokens[t].category[0] = 3;
    window.tokens[t].number[0] = std::numeric_limits<float>::infinity();
  }
  encoder.Encode(window, &scratch, &vector);
  CHECK(std::memcmp(&vector, &clean, sizeof(clean)) == 0);
}

TEST_CASE("huge numbers and values that a schema does not know leave a vector finite") {
  const Encoder encoder = SomeEncoder();
  EncoderScratch scratch;
  TokenWindow window;
  for (const float number : {std::numeric_limits<float>::infinity(), -3e38f, 3e38f,
                             std::numeric_limits<float>::quiet_NaN()}) {
    Token token;
    for (uint16_t& c : token.category) c = 65'535;
    for (float& n : token.number) n = number;
    window.Push(token);
  }
  SessionVector vector;
  encoder.Encode(window, &scratch, &vector);
  for (const float value : vector.value) CHECK(std::isfinite(value));
}

TEST_CASE("weights that make attention choose hard do not overflow") {
  std::vector<float> weights = SomeWeights(SomeSchema(), {}, 4);
  for (const WeightPart& part : EncoderParts(SomeSchema(), {})) {
    if (!part.name.ends_with("qkv.weight")) continue;
    for (size_t i = 0; i < part.size(); ++i) weights[part.offset + i] *= 30;
  }
  Encoder encoder = *Encoder::Create(SomeSchema(), {}, weights);
  EncoderScratch scratch;
  Random random(8);
  const TokenWindow window = SomeWindow(encoder.schema(), random, 16);
  for (const internal::Kernels* kernels : Kernels()) {
    EncoderForTest::Use(&encoder, *kernels);
    SessionVector vector;
    encoder.Encode(window, &scratch, &vector);
    // Scores of some thousands are exact to some 1e-4 in floats, and so are the shares they lead
    // to.
    CHECK(Worst(vector, Reference(encoder, window)) < 1e-2);
  }
}

TEST_CASE("an encoder refuses shapes and weights that are none, by name") {
  const auto message = [](const absl::StatusOr<Encoder>& made) {
    return std::string(Message(made.status()));
  };
  const auto with = [&](EncoderShape shape) {
    return message(Encoder::Create(SomeSchema(), shape, {}));
  };
  CHECK(with({.width = 24}).find("width 24") != std::string::npos);
  CHECK(with({.layers = 0}).find("0 layers") != std::string::npos);
  CHECK(with({.layers = 9}).find("9 layers") != std::string::npos);
  CHECK(with({.heads = 5}).find("5 heads") != std::string::npos);
  CHECK(with({.feed_forward = 272}).find("feed_forward 272") != std::string::npos);
  CHECK(with({.tokens = 17}).find("17 tokens") != std::string::npos);
  CHECK(with({}).find("0 weights") != std::string::npos);
  std::vector<float> weights = SomeWeights(SomeSchema(), {}, 1);
  weights[77] = std::numeric_limits<float>::quiet_NaN();
  CHECK(message(Encoder::Create(SomeSchema(), {}, weights)).find("weight 77") != std::string::npos);
}

TEST_CASE("token schemas differ by every name, size and range, and say what is wrong with them") {
  const TokenSchema plain({{"a", 4}, {"b", 5}}, {{"x", 0, 1}});
  std::vector<uint64_t> hashes = {plain.Hash()};
  for (const TokenSchema& other : {TokenSchema({{"b", 5}, {"a", 4}}, {{"x", 0, 1}}),
                                   TokenSchema({{"a", 4}, {"b", 6}}, {{"x", 0, 1}}),
                                   TokenSchema({{"a", 4}, {"c", 5}}, {{"x", 0, 1}}),
                                   TokenSchema({{"a", 4}, {"b", 5}}, {{"x", 0, 2}}),
                                   TokenSchema({{"a", 4}, {"b", 5}}, {}), TokenSchema()}) {
    hashes.push_back(other.Hash());
  }
  std::sort(hashes.begin(), hashes.end());
  CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
  CHECK(TokenSchema({{"a", 4}, {"b", 5}}, {{"x", 0, 1}}).Hash() == plain.Hash());
  CHECK(plain.Check().ok());
  CHECK(Message(TokenSchema({{"a", 1}}, {}).Check()).find("'a' has 1") != std::string::npos);
  CHECK(Message(TokenSchema({{"a", 4}, {"a", 4}}, {}).Check()).find("twice: 'a'") !=
        std::string::npos);
  CHECK(Message(TokenSchema({}, {{"x", 1, 1}}).Check()).find("'x' ranges") != std::string::npos);
}

TEST_CASE("a full window loses its oldest token") {
  TokenWindow window;
  for (uint16_t i = 0; i < 20; ++i) {
    Token token;
    token.category[0] = i;
    window.Push(token);
  }
  CHECK(window.count == kMaxTokens);
  CHECK(window.tokens[0].category[0] == 4);
  CHECK(window.tokens[kMaxTokens - 1].category[0] == 19);
}

}  // namespace
}  // namespace adagents::model
