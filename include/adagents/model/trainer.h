// Training, on LibTorch (target adagents::torch): first the trunk, from sessions alone; then a head
// for each kind of outcome, on the trunk's vectors. What comes out is served without LibTorch.
//
//   auto trunk = Pretrain(schema, {.shape = {}}, sequences, later_sequences);
//   auto head = TrainHead(facts, {}, &trunk->encoder, outcomes, later_outcomes);
//
// Both stop when the loss on the later data no longer falls, and keep the weights that were best on
// it. AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) without dropout:
// the same data, options and seed give the same weights on the same machine.
//
// LibTorch has one number of threads for the process, which these set to TrainOptions::threads.
// Thread safety: calls take turns; none from within TrainOptions::progress.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/encoder.h"
#include "adagents/model/head.h"

namespace adagents::model {

struct EpochReport {
  int epoch = 0;                                  ///< from 1
  double training_loss = 0, validation_loss = 0;  ///< means, natural logarithm
  bool best = false;                              ///< so far, on the validation data
};

struct TrainOptions {
  int epochs = 30;      ///< at most; 1 or more
  int patience = 3;     ///< ends after so many epochs without a better one; 1 or more
  int batch = 256;      ///< examples a step; 1 or more
  double rate = 2e-3;   ///< of AdamW, > 0; falls to a tenth along a cosine
  double decay = 1e-2;  ///< of AdamW, >= 0
  uint64_t seed = 1;
  int threads = 1;  ///< 1 or more
  /// After each epoch; false ends the training there.
  std::function<bool(const EpochReport&)> progress = {};
};

/// Sessions cut into what had been and what came next.
struct Sequences {
  std::vector<TokenWindow> windows;
  std::vector<Token> next;  ///< as many
};

struct PretrainOptions {
  EncoderShape shape = {};
  TrainOptions train = {};
};

struct Pretrained {
  Encoder encoder;
  std::vector<EpochReport> epochs;
  /// Of the best epoch on the validation data: the mean cross-entropy of the next token's
  /// categories, summed over the fields.
  double validation_loss = 0;
  /// The same of always predicting the shares of the training data.
  double baseline_loss = 0;
};

/// Trains a trunk to tell the next token's categories from its vector, for which every field has a
/// linear layer that is thrown away afterwards. InvalidArgument when the schema has no category,
/// when there is no data, or an option is out of its range; Internal with LibTorch's message when
/// that fails.
absl::StatusOr<Pretrained> Pretrain(const TokenSchema& schema, const PretrainOptions& options,
                                    const Sequences& training, const Sequences& validation);

/// Candidates that were shown, and what became of each.
struct Outcomes {
  size_t per_candidate = 0;  ///< entries of each
  std::vector<HeadEntry> entries = {};
  std::vector<SessionVector> sessions = {};  ///< as many as happened, or none without a trunk
  std::vector<uint8_t> happened = {};        ///< 0 or 1

  [[nodiscard]] size_t size() const { return happened.size(); }
};

struct TrainHeadOptions {
  int hidden = 32;  ///< as HeadShape::hidden
  TrainOptions train = {};
};

struct TrainedHead {
  Head head;
  std::vector<EpochReport> epochs;
};

/// Trains a head with the trunk as it is; null: without one. Slope and intercept are fitted on the
/// validation data, which says what becomes of a head that is too sure. InvalidArgument when there
/// is no data, both outcomes do not occur in each part, a vector is of another trunk, or an option
/// is out of its range; Internal with LibTorch's message when that fails.
absl::StatusOr<TrainedHead> TrainHead(const HeadSchema& schema, const TrainHeadOptions& options,
                                      const Encoder* trunk, const Outcomes& training,
                                      const Outcomes& validation);

}  // namespace adagents::model
