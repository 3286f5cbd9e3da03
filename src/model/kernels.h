// The arithmetic of forward passes. One source (kernels.inc) is compiled for several instruction
// sets; which one runs is chosen once, when it is first asked for.
//
// Matrices of activations are [feature][16 tokens], one after the other for each window, aligned to
// 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adagents::model {
struct HeadEntry;
struct TokenWindow;

namespace internal {

inline constexpr int kColumns =
    16;                          // tokens of a window, side by side; absent ones are computed too
inline constexpr int kPack = 8;  // rows of a matrix that are packed together
inline constexpr int kMaxGroup = 3;  // windows that go through all layers together
inline constexpr int kMaxLayers = 8;

/// y = W x + bias; W packed as [rows / kPack][columns][kPack].
struct PackedMatrix {
  const float* weight = nullptr;
  const float* bias = nullptr;
};

struct PackedLayer {
  const float *norm1_scale, *norm1_shift, *norm2_scale, *norm2_shift;
  PackedMatrix qkv, out, up, down;  // the queries' rows already times 1 / sqrt(width / heads)
};

struct EncoderView {
  int width, layers, heads, feed_forward, tokens;
  int categories, numbers;
  const float* category[12];  // [size x width]
  uint32_t category_size[12];
  const float* number[6];  // [2 x width]
  float number_low[6], number_scale[6];
  const float* age;  // [tokens x width]
  PackedLayer layer[kMaxLayers];
  const float *norm_scale, *norm_shift;
};

struct HeadView {
  int width, hidden;
  size_t rows;
  size_t stride;         // of `table`, in floats: hidden + 1, up to a multiple of 16
  const float* table;    // [rows x stride]: what a row adds to the hidden units, and to the logit
  const float* session;  // [width x hidden]: the transposed matrix
  const float* bias;     // [hidden]
  const float* out;      // [hidden]
  float out_bias;
};

/// Floats of scratch that encode() needs.
inline constexpr size_t kScratchFloats =
    size_t{kMaxGroup} * kColumns * (64 + 64 + 3 * 64 + 64 + 256) + size_t{kColumns} * 64;

struct Kernels {
  const char* name;
  int group;  // how many windows encode() should be given at once; at most kMaxGroup
  /// out[i]: `width` floats for windows[i]; `out_stride` floats lie between two of them.
  void (*encode)(const EncoderView& encoder, const TokenWindow* windows, int count, float* scratch,
                 float* out, size_t out_stride);
  /// logits[i] of the entries from i * per_candidate on.
  void (*score)(const HeadView& head, const float* session, const HeadEntry* entries,
                size_t per_candidate, size_t count, float* logits);
};

extern const Kernels kPortable;
#if defined(__x86_64__)
extern const Kernels kAvx2, kAvx512;
#endif

/// The fastest that this machine runs.
const Kernels& BestKernels();

}  // namespace internal
}  // namespace adagents::model
