// The trunk: a small transformer encoder that makes a vector of a session's newest events. It runs
// once per playback event, off the request path; heads (head.h) read its vector per request.
//
// Pre-norm encoder as in Xiong et al., "On Layer Normalization in the Transformer Architecture"
// (2020), of Vaswani et al., "Attention Is All You Need" (2017):
//   x_t = sum of the embeddings of token t's categories + of its known numbers + of its age
//   for each layer:  x += Wo attention(Wqkv norm(x));  x += W2 relu(W1 norm(x))
//   vector = mean over t of norm(x_t);  0 for an empty window
// Age counts from the newest token, which is 0. Attention goes over the tokens that are there.
//
// Forward passes are this library's own code, without LibTorch: for 32 features and 16 tokens an
// operator of LibTorch costs more to call than to compute. A column of a matrix is a token, so that
// every step works on 16 tokens side by side and no sum goes across a vector register. Chosen when
// the process starts: AVX-512, AVX2 or what every machine has; results differ by rounding only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/session.h"

namespace adagents::model {

namespace internal {
struct Kernels;
struct PackedEncoder;
}  // namespace internal

struct EncoderShape {
  int width = 32;           ///< features: 16, 32, 48 or 64
  int layers = 2;           ///< 1 to 8
  int heads = 4;            ///< of the attention; divides width
  int feed_forward = 128;   ///< inner features: a multiple of 16, at most 256
  int tokens = kMaxTokens;  ///< the newest that are read: 1 to kMaxTokens

  bool operator==(const EncoderShape&) const = default;
  /// InvalidArgument naming the bound that is broken.
  [[nodiscard]] absl::Status Check() const;
};

/// One matrix among an encoder's weights, row by row.
struct WeightPart {
  std::string name;   ///< "layer0.qkv.weight" and so on; of embeddings "category.<field>"
  size_t offset = 0;  ///< in floats
  size_t rows = 0, columns = 0;
  [[nodiscard]] size_t size() const { return rows * columns; }
};

/// Where which weight is, in this order: category.<field> [size x width] for each field;
/// number.<field> [2 x width], what being known adds and what each unit of the range adds; age
/// [tokens x width]; for each layer norm1.scale and .shift [1 x width], qkv.weight
/// [3 width x width] and .bias (queries, keys, values), out.weight [width x width] and .bias,
/// norm2.scale and .shift, up.weight [feed_forward x width] and .bias, down.weight
/// [width x feed_forward] and .bias; last norm.scale and .shift.
std::vector<WeightPart> EncoderParts(const TokenSchema& schema, const EncoderShape& shape);
/// How many floats these are.
size_t EncoderWeights(const TokenSchema& schema, const EncoderShape& shape);

/// What a forward pass writes on, for any encoder: 124 KiB, allocated once. Thread-compatible: one
/// call at a time.
class EncoderScratch {
 public:
  EncoderScratch();
  ~EncoderScratch();
  EncoderScratch(EncoderScratch&&) noexcept;
  EncoderScratch& operator=(EncoderScratch&&) noexcept;

 private:
  friend class Encoder;
  struct Free {
    void operator()(float* floats) const;
  };
  std::unique_ptr<float[], Free> floats_;
};

/// Immutable; thread-safe.
class Encoder {
 public:
  /// InvalidArgument when schema or shape break a bound, or the number of `weights` is another than
  /// EncoderWeights(), or one of them is not finite.
  static absl::StatusOr<Encoder> Create(TokenSchema schema, EncoderShape shape,
                                        std::vector<float> weights);
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;
  ~Encoder();

  /// out[i] of windows[i], of the newest shape().tokens tokens. `out` has windows.size() elements
  /// or more. Never allocates, never fails; a window takes about the same time however few its
  /// tokens are. Equal windows have equal vectors, whatever else is in the batch.
  void Encode(std::span<const TokenWindow> windows, EncoderScratch* scratch,
              std::span<SessionVector> out) const;
  void Encode(const TokenWindow& window, EncoderScratch* scratch, SessionVector* out) const {
    Encode({&window, 1}, scratch, {out, 1});
  }

  [[nodiscard]] const TokenSchema& schema() const { return schema_; }
  [[nodiscard]] const EncoderShape& shape() const { return shape_; }
  [[nodiscard]] std::span<const float> weights() const { return weights_; }
  /// Of schema, shape and weights: the same in every process, never 0.
  [[nodiscard]] uint64_t id() const { return id_; }
  /// Additions and multiplications of one window's forward pass.
  [[nodiscard]] int64_t FlopsPerWindow() const;

 private:
  friend class EncoderForTest;
  Encoder();
  TokenSchema schema_;
  EncoderShape shape_;
  std::vector<float> weights_;
  uint64_t id_ = 0;
  std::unique_ptr<internal::PackedEncoder> packed_;
  const internal::Kernels* kernels_ = nullptr;
};

/// "avx512", "avx2" or "portable": which code this process runs. Thread-safe.
std::string_view KernelName();

}  // namespace adagents::model
