// The encoder's formula on LibTorch's tensors, for training and for comparison. For the .cc files
// of adagents::torch alone: nothing else sees a tensor.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "adagents/model/encoder.h"

namespace adagents::model::internal {

/// Windows as tensors; B windows, T = shape.tokens.
struct WindowTensors {
  std::vector<at::Tensor> categories;  // by field: [B, T] of int64
  at::Tensor known, number;            // [B, T, numbers]; number is 0 where it is not known
  at::Tensor age;                      // [B, T] of int64
  at::Tensor mask;                     // [B, 1, 1, T]: 0, or -1e30 where there is no token
  at::Tensor present;                  // [B, T, 1]: 1 or 0
  at::Tensor count;                    // [B, 1]: tokens, at least 1
};
WindowTensors MakeTensors(const TokenSchema& schema, const EncoderShape& shape,
                          std::span<const TokenWindow> windows);
/// The rows `which` (int64) of all of them.
WindowTensors Pick(const WindowTensors& all, const at::Tensor& which);

/// By WeightPart::name; biases and norms are vectors.
using Weights = std::map<std::string, at::Tensor>;
Weights MakeWeights(const TokenSchema& schema, const EncoderShape& shape,
                    std::span<const float> flat);
std::vector<float> Flatten(const TokenSchema& schema, const EncoderShape& shape,
                           const Weights& weights);

/// [B, width]
at::Tensor Forward(const TokenSchema& schema, const EncoderShape& shape, const Weights& weights,
                   const WindowTensors& windows);

}  // namespace adagents::model::internal
