#include "model/torch_encoder.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace adagents::model::internal {

WindowTensors MakeTensors(const TokenSchema& schema, const EncoderShape& shape,
                          std::span<const TokenWindow> windows) {
  const auto b = static_cast<int64_t>(windows.size());
  const int64_t t = shape.tokens;
  const auto numbers = static_cast<int64_t>(schema.numbers().size());
  WindowTensors out;
  const auto whole = at::TensorOptions().dtype(at::kLong);
  const auto real = at::TensorOptions().dtype(at::kFloat);
  for (size_t f = 0; f < schema.categories().size(); ++f) {
    out.categories.push_back(at::zeros({b, t}, whole));
  }
  out.known = at::zeros({b, t, numbers}, real);
  out.number = at::zeros({b, t, numbers}, real);
  out.age = at::zeros({b, t}, whole);
  out.mask = at::full({b, 1, 1, t}, -1e30, real);
  out.present = at::zeros({b, t, 1}, real);
  out.count = at::ones({b, 1}, real);
  auto* known = out.known.data_ptr<float>();
  auto* number = out.number.data_ptr<float>();
  auto* age = out.age.data_ptr<int64_t>();
  auto* mask = out.mask.data_ptr<float>();
  auto* present = out.present.data_ptr<float>();
  auto* counts = out.count.data_ptr<float>();
  for (int64_t i = 0; i < b; ++i) {
    const TokenWindow& window = windows[static_cast<size_t>(i)];
    const int64_t held = std::min<int64_t>(window.count, kMaxTokens), count = std::min(held, t);
    counts[i] = static_cast<float>(std::max<int64_t>(count, 1));
    for (int64_t at = 0; at < count; ++at) {
      const Token& token = window.tokens[held - count + at];
      const int64_t place = i * t + at;
      mask[place] = 0;
      present[place] = 1;
      age[place] = count - 1 - at;
      for (size_t f = 0; f < schema.categories().size(); ++f) {
        const int value = token.category[f];
        out.categories[f].data_ptr<int64_t>()[place] =
            value < schema.categories()[f].size ? value : 0;
      }
      for (size_t f = 0; f < schema.numbers().size(); ++f) {
        if (std::isnan(token.number[f])) continue;
        const auto& n = schema.numbers()[f];
        const int64_t to = place * numbers + static_cast<int64_t>(f);
        known[to] = 1;
        number[to] = std::clamp((token.number[f] - n.low) / (n.high - n.low), 0.0f, 1.0f);
      }
    }
  }
  return out;
}

WindowTensors Pick(const WindowTensors& all, const at::Tensor& which) {
  WindowTensors out;
  for (const at::Tensor& c : all.categories) out.categories.push_back(c.index_select(0, which));
  out.known = all.known.index_select(0, which);
  out.number = all.number.index_select(0, which);
  out.age = all.age.index_select(0, which);
  out.mask = all.mask.index_select(0, which);
  out.present = all.present.index_select(0, which);
  out.count = all.count.index_select(0, which);
  return out;
}

Weights MakeWeights(const TokenSchema& schema, const EncoderShape& shape,
                    std::span<const float> flat) {
  Weights weights;
  for (const WeightPart& part : EncoderParts(schema, shape)) {
    const auto rows = static_cast<int64_t>(part.rows), columns = static_cast<int64_t>(part.columns);
    at::Tensor tensor = at::empty({rows, columns}, at::kFloat);
    std::copy_n(flat.data() + part.offset, part.size(), tensor.data_ptr<float>());
    const bool vector = part.name.ends_with(".bias") || part.name.ends_with(".scale") ||
                        part.name.ends_with(".shift");
    weights[part.name] = vector ? tensor.reshape({columns}) : tensor;
  }
  return weights;
}

std::vector<float> Flatten(const TokenSchema& schema, const EncoderShape& shape,
                           const Weights& weights) {
  std::vector<float> flat(EncoderWeights(schema, shape));
  for (const WeightPart& part : EncoderParts(schema, shape)) {
    const at::Tensor tensor = weights.at(part.name).detach().contiguous();
    std::copy_n(tensor.data_ptr<float>(), part.size(), flat.data() + part.offset);
  }
  return flat;
}

at::Tensor Forward(const TokenSchema& schema, const EncoderShape& shape, const Weights& weights,
                   const WindowTensors& windows) {
  const int64_t d = shape.width, heads = shape.heads, features = d / heads;
  at::Tensor x = at::embedding(weights.at("age"), windows.age);
  for (size_t f = 0; f < schema.categories().size(); ++f) {
    x = x +
        at::embedding(weights.at("category." + schema.categories()[f].name), windows.categories[f]);
  }
  for (size_t f = 0; f < schema.numbers().size(); ++f) {
    const at::Tensor& both = weights.at("number." + schema.numbers()[f].name);
    const auto n = static_cast<int64_t>(f);
    x = x + windows.known.narrow(2, n, 1) * both[0] + windows.number.narrow(2, n, 1) * both[1];
  }
  x = x * windows.present;
  const int64_t b = x.size(0), t = x.size(1);
  const auto norm = [&](const at::Tensor& from, const std::string& name) {
    return at::layer_norm(from, {d}, weights.at(name + ".scale"), weights.at(name + ".shift"));
  };
  const auto linear = [&](const at::Tensor& from, const std::string& name) {
    return at::linear(from, weights.at(name + ".weight"), weights.at(name + ".bias"));
  };
  for (int l = 0; l < shape.layers; ++l) {
    const std::string layer = fmt::format("layer{}", l);
    const at::Tensor qkv =
        linear(norm(x, layer + ".norm1"), layer + ".qkv").view({b, t, 3, heads, features});
    const at::Tensor q = qkv.select(2, 0).transpose(1, 2), k = qkv.select(2, 1).transpose(1, 2),
                     v = qkv.select(2, 2).transpose(1, 2);  // [B, heads, T, features]
    const at::Tensor scores =
        at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(features)) + windows.mask;
    const at::Tensor attended =
        at::matmul(at::softmax(scores, 3), v).transpose(1, 2).reshape({b, t, d});
    x = x + linear(attended, layer + ".out");
    x = x + linear(at::relu(linear(norm(x, layer + ".norm2"), layer + ".up")), layer + ".down");
  }
  return (norm(x, "norm") * windows.present).sum(1) / windows.count;
}

}  // namespace adagents::model::internal
