// A team whose agents read models while these are replaced: one agent per head, each on the same
// session's vector, and one that collects what they say.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "adagents/model/model_store.h"
#include "adagents/runtime/runtime.h"
#include "model/model_kit.h"

namespace adagents::model::testing {

inline constexpr size_t kCandidates = 16, kFacts = 3;

struct Ask {
  TokenWindow window;
  HeadEntry entries[kCandidates * kFacts];
};
inline constexpr Key<Ask> kAskKey{"ask"};

struct Scores {
  uint64_t trunk = 0;
  float probability[kCandidates] = {};
};

inline Key<Scores> HeadKey(size_t head) {
  static constexpr const char* kNames[] = {"click scores", "completion scores"};
  return Key<Scores>{kNames[head]};
}
struct Both {
  Scores click, completion;
};
inline constexpr Key<Both> kBoth{"both"};
inline constexpr StateKey<std::shared_ptr<ModelStore>> kModels{"models"};

/// Encodes and scores on one version of the model.
class Scorer final : public Agent {
  In<Ask> ask_{this, kAskKey};
  State<std::shared_ptr<ModelStore>> models_{this, kModels};
  Out<Scores> scores_;

 public:
  explicit Scorer(size_t head)
      : Agent({.name = head == 0 ? "click" : "completion"}),
        scores_(this, HeadKey(head)),
        head_(head) {}
  absl::Status Run(Context& ctx) override {
    const ModelStore::Use use = (*models_)->Pin();
    SessionVector vector;
    const Ask& ask = ctx[ask_];
    if (absl::Status status = use.Refresh(ask.window, ctx.deadline(), &scratch_, &vector);
        !status.ok()) {
      return status;
    }
    ctx[scores_].trunk = vector.trunk;
    return use.Score(head_, vector, ask.entries, kFacts, ctx.deadline(), ctx[scores_].probability);
  }

 private:
  const size_t head_;
  EncoderScratch scratch_;
};

class Collector final : public Agent {
  In<Scores> click_{this, HeadKey(0)}, completion_{this, HeadKey(1)};
  Out<Both> both_{this, kBoth};

 public:
  Collector() : Agent({.name = "collector"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[both_] = {ctx[click_], ctx[completion_]};
    return absl::OkStatus();
  }
};

using ModelTeam = Runtime<Ask, Both>;

inline std::unique_ptr<ModelTeam> MakeModelTeam(std::shared_ptr<ModelStore> store,
                                                RuntimeOptions options = {}) {
  return *ModelTeam::Builder(kAskKey, kBoth)
              .Add<Scorer>(size_t{0})
              .Add<Scorer>(size_t{1})
              .Add<Collector>()
              .Share(kModels, std::move(store))
              .Options(std::move(options))
              .Build();
}

inline std::shared_ptr<ModelStore> MakeStore(const Clock* clock = &SystemClock::Get()) {
  const uint64_t heads = SomeHeadSchema().Hash();
  return std::shared_ptr<ModelStore>(
      *ModelStore::Create({.token_schema = SomeSchema().Hash(),
                           .heads = {{"click", heads}, {"completion", heads}},
                           .clock = clock}));
}

inline Ask SomeAsk(uint64_t seed) {
  Random random(seed);
  Ask ask;
  ask.window = SomeWindow(SomeSchema(), random, 16);
  for (HeadEntry& entry : ask.entries) {
    entry.row = static_cast<uint32_t>(random.Below(SomeHeadSchema().rows()));
  }
  return ask;
}

/// What a model says to `ask`.
inline Both Said(const Model& model, const Ask& ask) {
  EncoderScratch scratch;
  SessionVector vector;
  model.encoder()->Encode(ask.window, &scratch, &vector);
  Both both;
  both.click.trunk = both.completion.trunk = vector.trunk;
  (void)model.head("click")->Score(vector, ask.entries, kFacts, both.click.probability);
  (void)model.head("completion")->Score(vector, ask.entries, kFacts, both.completion.probability);
  return both;
}

inline bool Same(const Scores& a, const Scores& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace adagents::model::testing
