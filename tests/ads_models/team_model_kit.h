// Models of the ad team for tests: a trunk of random weights, and heads that answer as they are
// told.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adagents/ads_models/facts.h"
#include "adagents/model/model.h"
#include "model/model_kit.h"

namespace adagents::ads_models::testing {

/// Every head says about 1 / (1 + exp(-bias)), whatever it is asked; `seed` is the trunk's. With
/// `noise` what it says depends on the session and the facts too.
inline std::unique_ptr<const model::Model> SomeModel(float bias, uint64_t seed = 1,
                                                     float noise = 0) {
  auto trunk =
      model::Encoder::Create(Tokens(), {}, model::testing::SomeWeights(Tokens(), {}, seed));
  model::Model::Heads heads;
  for (size_t t = 0; t < kTasks; ++t) {
    const auto task = static_cast<Task>(t);
    const model::HeadShape shape;
    const auto width = static_cast<size_t>(shape.width), hidden = static_cast<size_t>(shape.hidden);
    Random random(seed, t);
    const auto some = [&](size_t n) {
      std::vector<float> out(n);
      for (float& x : out) x = model::testing::Between(random, -noise, noise);
      return out;
    };
    const size_t columns = hidden + 1;
    model::HeadWeights weights{some(Facts(task).rows() * columns), some(hidden * width),
                               some(hidden), some(hidden), bias};
    std::fill_n(weights.table.begin(), columns, 0.0f);
    heads.emplace(std::string(Name(task)),
                  *model::Head::Create(Facts(task), shape, std::move(weights), trunk->id()));
  }
  return *model::Model::Create(*std::move(trunk), std::move(heads));
}

}  // namespace adagents::ads_models::testing
