// Models of random weights, and what they should answer: the formulas of encoder.h and head.h in
// double precision, one number at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/model/model.h"

namespace adagents::model::testing {

inline TokenSchema SomeSchema() {
  return TokenSchema({{"kind", 12}, {"genre", 40}, {"mood", 9}, {"hour", 25}, {"device", 8}},
                     {{"energy", 0, 1}, {"volume", 0, 100}, {"position", 0, 300}});
}

inline float Between(Random& random, double low, double high) {
  return static_cast<float>(low + (high - low) * random.Uniform());
}

inline std::vector<float> SomeWeights(const TokenSchema& schema, const EncoderShape& shape,
                                      uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(EncoderWeights(schema, shape));
  for (const WeightPart& part : EncoderParts(schema, shape)) {
    const bool scale = part.name.ends_with("scale");
    for (size_t i = 0; i < part.size(); ++i) {
      weights[part.offset + i] = scale ? Between(random, 0.5, 1.5) : Between(random, -0.4, 0.4);
    }
  }
  return weights;
}

inline Encoder SomeEncoder(uint64_t seed = 1, EncoderShape shape = {}) {
  return *Encoder::Create(SomeSchema(), shape, SomeWeights(SomeSchema(), shape, seed));
}

inline TokenWindow SomeWindow(const TokenSchema& schema, Random& random, uint32_t count) {
  TokenWindow window;
  for (uint32_t t = 0; t < count; ++t) {
    Token token = TokenSchema::Unknown();
    for (size_t f = 0; f < schema.categories().size(); ++f) {
      // Now and then beyond what the schema has.
      token.category[f] = static_cast<uint16_t>(
          random.Below(static_cast<uint64_t>(schema.categories()[f].size) + 2));
    }
    for (size_t f = 0; f < schema.numbers().size(); ++f) {
      const auto& n = schema.numbers()[f];
      if (random.Chance(0.7)) token.number[f] = Between(random, n.low - 0.1, n.high * 1.1);
    }
    window.Push(token);
  }
  return window;
}

/// The encoder's formula.
inline std::vector<double> Reference(const Encoder& encoder, const TokenWindow& window) {
  const EncoderShape& shape = encoder.shape();
  const auto d = static_cast<size_t>(shape.width);
  std::map<std::string, const float*> at;
  for (const WeightPart& part : EncoderParts(encoder.schema(), shape)) {
    at[part.name] = encoder.weights().data() + part.offset;
  }
  using Rows = std::vector<std::vector<double>>;
  const auto held = std::min<uint32_t>(window.count, kMaxTokens);
  const auto count = std::min<uint32_t>(held, static_cast<uint32_t>(shape.tokens));
  Rows x(count, std::vector<double>(d));
  for (uint32_t t = 0; t < count; ++t) {
    const Token& token = window.tokens[held - count + t];
    for (size_t k = 0; k < d; ++k) {
      x[t][k] = at["age"][(count - 1 - t) * d + k];
      for (size_t f = 0; f < encoder.schema().categories().size(); ++f) {
        const auto& c = encoder.schema().categories()[f];
        const size_t value = token.category[f] < c.size ? token.category[f] : 0;
        x[t][k] += at["category." + c.name][value * d + k];
      }
      for (size_t f = 0; f < encoder.schema().numbers().size(); ++f) {
        const auto& n = encoder.schema().numbers()[f];
        if (std::isnan(token.number[f])) continue;
        const double part =
            std::clamp((token.number[f] - n.low) / double{n.high - n.low}, 0.0, 1.0);
        x[t][k] += at["number." + n.name][k] + part * at["number." + n.name][d + k];
      }
    }
  }
  const auto norm = [&](const Rows& rows, const std::string& name) {
    Rows out = rows;
    for (auto& row : out) {
      double mean = 0, square = 0;
      for (const double value : row) mean += value / static_cast<double>(d);
      for (const double value : row)
        square += (value - mean) * (value - mean) / static_cast<double>(d);
      for (size_t k = 0; k < d; ++k) {
        row[k] = (row[k] - mean) / std::sqrt(square + 1e-5) * at[name + ".scale"][k] +
                 at[name + ".shift"][k];
      }
    }
    return out;
  };
  const auto linear = [&](const Rows& rows, const std::string& name, size_t outputs) {
    Rows out;
    for (const auto& row : rows) {
      std::vector<double> sums(outputs);
      for (size_t o = 0; o < outputs; ++o) {
        sums[o] = at[name + ".bias"][o];
        for (size_t k = 0; k < row.size(); ++k) {
          sums[o] += row[k] * at[name + ".weight"][o * row.size() + k];
        }
      }
      out.push_back(std::move(sums));
    }
    return out;
  };
  const auto add = [](Rows* to, const Rows& what) {
    for (size_t t = 0; t < to->size(); ++t) {
      for (size_t k = 0; k < (*to)[t].size(); ++k) (*to)[t][k] += what[t][k];
    }
  };
  for (int l = 0; l < shape.layers; ++l) {
    const std::string layer = "layer" + std::to_string(l);
    const Rows qkv = linear(norm(x, layer + ".norm1"), layer + ".qkv", 3 * d);
    Rows attended(count, std::vector<double>(d));
    const size_t features = d / static_cast<size_t>(shape.heads);
    for (size_t h = 0; h < static_cast<size_t>(shape.heads); ++h) {
      for (size_t i = 0; i < count; ++i) {
        std::vector<double> score(count);
        double total = 0;
        for (size_t j = 0; j < count; ++j) {
          for (size_t e = h * features; e < (h + 1) * features; ++e) {
            score[j] += qkv[i][e] * qkv[j][d + e];
          }
          score[j] = std::exp(score[j] / std::sqrt(static_cast<double>(features)));
          total += score[j];
        }
        for (size_t e = h * features; e < (h + 1) * features; ++e) {
          for (size_t j = 0; j < count; ++j) attended[i][e] += score[j] / total * qkv[j][2 * d + e];
        }
      }
    }
    add(&x, linear(attended, layer + ".out", d));
    Rows inner =
        linear(norm(x, layer + ".norm2"), layer + ".up", static_cast<size_t>(shape.feed_forward));
    for (auto& row : inner) {
      for (double& value : row) value = std::max(value, 0.0);
    }
    add(&x, linear(inner, layer + ".down", d));
  }
  std::vector<double> vector(d);
  for (const auto& row : norm(x, "norm")) {
    for (size_t k = 0; k < d; ++k) vector[k] += row[k] / count;
  }
  return vector;
}

inline HeadSchema SomeHeadSchema() {
  return HeadSchema({{"genre", 20}, {"brand", 100}, {"format", 4}});
}

inline HeadWeights SomeHeadWeights(const HeadSchema& schema, const HeadShape& shape,
                                   uint64_t seed) {
  Random random(seed);
  const auto fill = [&](int count) {
    std::vector<float> floats(static_cast<size_t>(count));
    for (float& f : floats) f = Between(random, -0.5, 0.5);
    return floats;
  };
  HeadWeights w;
  const int columns = shape.hidden + 1;
  w.table = fill(static_cast<int>(schema.rows()) * columns);
  std::fill(w.table.begin(), w.table.begin() + columns, 0.0f);
  w.session = fill(shape.hidden * shape.width);
  w.bias = fill(shape.hidden);
  w.out = fill(shape.hidden);
  w.out_bias = Between(random, -0.5, 0.5);
  w.slope = Between(random, 0.8, 1.2);
  w.intercept = Between(random, -0.2, 0.2);
  return w;
}

inline Head SomeHead(uint64_t trunk, uint64_t seed = 2, HeadShape shape = {}) {
  return *Head::Create(SomeHeadSchema(), shape, SomeHeadWeights(SomeHeadSchema(), shape, seed),
                       trunk);
}

inline std::unique_ptr<const Model> SomeModel(uint64_t seed = 1) {
  Encoder encoder = SomeEncoder(seed);
  Model::Heads heads;
  heads.emplace("click", SomeHead(encoder.id(), seed + 1));
  heads.emplace("completion", SomeHead(encoder.id(), seed + 2));
  return *Model::Create(std::move(encoder), std::move(heads), "made up");
}

}  // namespace adagents::model::testing
