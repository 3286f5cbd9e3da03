// A head: how likely something is for each of a request's candidates, read off the session's vector
// and the candidate's own facts. One per agent, fine-tuned on one kind of outcome.
//
//   HeadSchema schema({{"genre", 64}, {"brand", 1000}});
//   std::vector<HeadEntry> entries;       // two per candidate, as many as there are fields
//   entries.push_back({schema.Row(0, genre), 1});
//   entries.push_back({schema.Row(1, brand), 1});
//   head.Score(vector, entries, 2, probabilities);   // all candidates in one batch
//
// With s the session's vector, and h and l sums over the candidate's entries of their table rows'
// two parts times the entry's weight:
//   logit = v . relu(W s + b + h)  +  l  +  c
// a layer of hidden units beside a logistic regression (Cheng et al., "Wide & Deep Learning for
// Recommender Systems", 2016). The probability is 1 / (1 + exp(-(slope logit + intercept))), where
// slope and intercept were fitted after training on data that the training did not see (Platt,
// "Probabilistic outputs for support vector machines", 1999).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/session.h"

namespace adagents::model {

namespace internal {
struct Kernels;
struct PackedHead;
}  // namespace internal

/// Which facts there are, and which rows of the head's table they have. Immutable; thread-safe.
class HeadSchema {
 public:
  struct Field {
    std::string name;
    int size = 2;  ///< values, 0 for "not known" included: 1 to 16,777,216
  };
  HeadSchema() = default;
  explicit HeadSchema(std::vector<Field> fields);

  /// InvalidArgument naming the field that breaks a bound, has no name, or whose name comes twice.
  [[nodiscard]] absl::Status Check() const;
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  /// Of the table, row 0 included.
  [[nodiscard]] uint32_t rows() const { return rows_; }
  /// The row of `value` of `field`; of its value 0, "not known", when it is beyond the field's
  /// size; 0 when there is no such field.
  [[nodiscard]] uint32_t Row(size_t field, uint32_t value) const {
    if (field >= fields_.size()) return 0;
    return first_[field] + (value < static_cast<uint32_t>(fields_[field].size) ? value : 0);
  }
  /// The same for equal schemas in every process, and else different.
  [[nodiscard]] uint64_t Hash() const;

 private:
  std::vector<Field> fields_;
  std::vector<uint32_t> first_;
  uint32_t rows_ = 1;
};

struct HeadShape {
  int width = 32;   ///< of the session's vector: the trunk's
  int hidden = 32;  ///< units: 16, 32, 48 or 64

  bool operator==(const HeadShape&) const = default;
  [[nodiscard]] absl::Status Check() const;
};

/// What training finds.
struct HeadWeights {
  std::vector<float> table;    ///< [rows x (hidden + 1)], row 0 all 0
  std::vector<float> session;  ///< W: [hidden x width]
  std::vector<float> bias;     ///< b: [hidden]
  std::vector<float> out;      ///< v: [hidden]
  float out_bias = 0;          ///< c
  float slope = 1, intercept = 0;
};

/// Immutable; thread-safe.
class Head {
 public:
  /// `trunk` is the Encoder::id() of the encoder whose vectors it was trained on; 0: it was trained
  /// without one, and reads every session as 0. InvalidArgument when a size is wrong or a weight is
  /// not finite.
  static absl::StatusOr<Head> Create(HeadSchema schema, HeadShape shape, HeadWeights weights,
                                     uint64_t trunk);
  Head(Head&&) noexcept;
  Head& operator=(Head&&) noexcept;
  ~Head();

  /// out[i]: the probability for the candidate whose facts are the `per_candidate` entries from
  /// i * per_candidate on. FailedPrecondition, and `out` untouched, when `session` is of another
  /// trunk: its numbers would mean something else. InvalidArgument when the sizes do not fit. An
  /// entry beyond the table adds nothing. Never allocates unless it fails.
  absl::Status Score(const SessionVector& session, std::span<const HeadEntry> entries,
                     size_t per_candidate, std::span<float> out) const;
  /// The same before slope, intercept and logistic function.
  absl::Status Logits(const SessionVector& session, std::span<const HeadEntry> entries,
                      size_t per_candidate, std::span<float> out) const;

  [[nodiscard]] const HeadSchema& schema() const { return schema_; }
  [[nodiscard]] const HeadShape& shape() const { return shape_; }
  [[nodiscard]] const HeadWeights& weights() const { return weights_; }
  [[nodiscard]] uint64_t trunk() const { return trunk_; }

 private:
  friend class HeadForTest;
  Head();
  HeadSchema schema_;
  HeadShape shape_;
  HeadWeights weights_;
  uint64_t trunk_ = 0;
  std::unique_ptr<internal::PackedHead> packed_;
  const internal::Kernels* kernels_ = nullptr;
};

}  // namespace adagents::model
