#include "adagents/model/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "adagents/base/ids.h"
#include "fmt/format.h"
#include "model/aligned_floats.h"
#include "model/kernels_test_access.h"
#include "model/kernels.h"

namespace adagents::model {

namespace internal {

/// The weights as the kernels read them, in one piece of memory.
struct PackedEncoder {
  AlignedFloats floats;
  EncoderView view;
};

namespace {

/// Hands out pieces of one allocation, each on its own cache lines.
class Carver {
 public:
  explicit Carver(float* from) : from_(from) {}
  float* Take(size_t count) {
    float* piece = from_ == nullptr ? nullptr : from_ + used_;
    used_ += (count + 15) / 16 * 16;
    return piece;
  }
  size_t used() const { return used_; }

 private:
  float* from_;
  size_t used_ = 0;
};

/// Reads the flat weights in their order and lays them out; with a null Carver it only counts.
class Packer {
 public:
  Packer(const float* weights, Carver* to, bool write) : next_(weights), to_(to), write_(write) {}

  const float* Copy(size_t count) {
    float* piece = to_->Take(count);
    if (write_) std::copy_n(next_, count, piece);
    next_ += count;
    return piece;
  }
  /// The first `scaled` rows and biases times `factor`.
  PackedMatrix Matrix(size_t rows, size_t columns, size_t scaled = 0, float factor = 1) {
    float* weight = to_->Take(rows * columns);
    float* bias = to_->Take(rows);
    if (write_) {
      for (size_t r = 0; r < rows; ++r) {
        const float times = r < scaled ? factor : 1;
        for (size_t k = 0; k < columns; ++k) {
          weight[r / kPack * kPack * columns + k * kPack + r % kPack] =
              next_[r * columns + k] * times;
        }
        bias[r] = next_[rows * columns + r] * times;
      }
    }
    next_ += rows * columns + rows;
    return {weight, bias};
  }

 private:
  const float* next_;
  Carver* to_;
  bool write_;
};

EncoderView Pack(const TokenSchema& schema, const EncoderShape& shape, Packer pack) {
  EncoderView view{};
  view.width = shape.width;
  view.layers = shape.layers;
  view.heads = shape.heads;
  view.feed_forward = shape.feed_forward;
  view.tokens = shape.tokens;
  view.categories = static_cast<int>(schema.categories().size());
  view.numbers = static_cast<int>(schema.numbers().size());
  const auto d = static_cast<size_t>(shape.width);
  const auto inner = static_cast<size_t>(shape.feed_forward);
  for (size_t f = 0; f < schema.categories().size(); ++f) {
    const auto size = static_cast<size_t>(schema.categories()[f].size);
    view.category[f] = pack.Copy(size * d);
    view.category_size[f] = static_cast<uint32_t>(size);
  }
  for (size_t f = 0; f < schema.numbers().size(); ++f) {
    const TokenSchema::Number& number = schema.numbers()[f];
    view.number[f] = pack.Copy(2 * d);
    view.number_low[f] = number.low;
    view.number_scale[f] = 1.0f / (number.high - number.low);
  }
  view.age = pack.Copy(static_cast<size_t>(shape.tokens) * d);
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.width / shape.heads));
  for (int l = 0; l < shape.layers; ++l) {
    PackedLayer& layer = view.layer[l];
    layer.norm1_scale = pack.Copy(d);
    layer.norm1_shift = pack.Copy(d);
    layer.qkv = pack.Matrix(3 * d, d, d, scale);
    layer.out = pack.Matrix(d, d);
    layer.norm2_scale = pack.Copy(d);
    layer.norm2_shift = pack.Copy(d);
    layer.up = pack.Matrix(inner, d);
    layer.down = pack.Matrix(d, inner);
  }
  view.norm_scale = pack.Copy(d);
  view.norm_shift = pack.Copy(d);
  return view;
}

}  // namespace
}  // namespace internal

absl::Status EncoderShape::Check() const {
  if (width < 16 || width > kMaxWidth || width % 16 != 0) {
    return InvalidArgument(fmt::format("encoder: width {}; 16, 32, 48 or 64 may be", width));
  }
  if (layers < 1 || layers > internal::kMaxLayers) {
    return InvalidArgument(
        fmt::format("encoder: {} layers; 1 to {} may be", layers, internal::kMaxLayers));
  }
  if (heads < 1 || heads > width || width % heads != 0) {
    return InvalidArgument(fmt::format("encoder: {} heads do not divide width {}", heads, width));
  }
  if (feed_forward < 16 || feed_forward > 256 || feed_forward % 16 != 0) {
    return InvalidArgument(
        fmt::format("encoder: feed_forward {}; a multiple of 16 up to 256 may be", feed_forward));
  }
  if (tokens < 1 || tokens > kMaxTokens) {
    return InvalidArgument(fmt::format("encoder: {} tokens; 1 to {} may be", tokens, kMaxTokens));
  }
  return absl::OkStatus();
}

std::vector<WeightPart> EncoderParts(const TokenSchema& schema, const EncoderShape& shape) {
  std::vector<WeightPart> parts;
  size_t offset = 0;
  const auto add = [&](std::string name, size_t rows, size_t columns) {
    parts.push_back({std::move(name), offset, rows, columns});
    offset += rows * columns;
  };
  const auto d = static_cast<size_t>(shape.width);
  const auto inner = static_cast<size_t>(shape.feed_forward);
  for (const auto& c : schema.categories()) {
    add("category." + c.name, static_cast<size_t>(c.size), d);
  }
  for (const auto& n : schema.numbers()) add("number." + n.name, 2, d);
  add("age", static_cast<size_t>(shape.tokens), d);
  for (int l = 0; l < shape.layers; ++l) {
    const auto in_layer = [&](const char* name, size_t rows, size_t columns) {
      add(fmt::format("layer{}.{}", l, name), rows, columns);
    };
    in_layer("norm1.scale", 1, d);
    in_layer("norm1.shift", 1, d);
    in_layer("qkv.weight", 3 * d, d);
    in_layer("qkv.bias", 1, 3 * d);
    in_layer("out.weight", d, d);
    in_layer("out.bias", 1, d);
    in_layer("norm2.scale", 1, d);
    in_layer("norm2.shift", 1, d);
    in_layer("up.weight", inner, d);
    in_layer("up.bias", 1, inner);
    in_layer("down.weight", d, inner);
    in_layer("down.bias", 1, d);
  }
  add("norm.scale", 1, d);
  add("norm.shift", 1, d);
  return parts;
}

size_t EncoderWeights(const TokenSchema& schema, const EncoderShape& shape) {
  const WeightPart last = EncoderParts(schema, shape).back();
  return last.offset + last.size();
}

EncoderScratch::EncoderScratch()
    : floats_(internal::MakeAligned(internal::kScratchFloats).release()) {}
EncoderScratch::~EncoderScratch() = default;
EncoderScratch::EncoderScratch(EncoderScratch&&) noexcept = default;
EncoderScratch& EncoderScratch::operator=(EncoderScratch&&) noexcept = default;
void EncoderScratch::Free::operator()(float* floats) const { internal::FreeAligned()(floats); }

Encoder::Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

absl::StatusOr<Encoder> Encoder::Create(TokenSchema schema, EncoderShape shape,
                                        std::vector<float> weights) {
  if (absl::Status status = schema.Check(); !status.ok()) return status;
  if (absl::Status status = shape.Check(); !status.ok()) return status;
  const size_t expected = EncoderWeights(schema, shape);
  if (weights.size() != expected) {
    return InvalidArgument(fmt::format("encoder: {} weights where schema and shape have {}",
                                       weights.size(), expected));
  }
  const auto bad = std::find_if(weights.begin(), weights.end(),
                                [](float weight) { return !std::isfinite(weight); });
  if (bad != weights.end()) {
    return InvalidArgument(
        fmt::format("encoder: weight {} is not a finite number", bad - weights.begin()));
  }
  Encoder encoder;
  encoder.packed_ = std::make_unique<internal::PackedEncoder>();
  internal::Carver count(nullptr);
  internal::Pack(schema, shape, internal::Packer(weights.data(), &count, false));
  encoder.packed_->floats = internal::MakeAligned(count.used());
  internal::Carver carve(encoder.packed_->floats.get());
  encoder.packed_->view =
      internal::Pack(schema, shape, internal::Packer(weights.data(), &carve, true));
  encoder.kernels_ = &internal::BestKernels();
  uint64_t id =
      StableHash64({reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float)},
                   schema.Hash());
  for (const int part :
       {shape.width, shape.layers, shape.heads, shape.feed_forward, shape.tokens}) {
    id = CombineHash(id, static_cast<uint64_t>(part));
  }
  encoder.id_ = id == 0 ? 1 : id;
  encoder.schema_ = std::move(schema);
  encoder.shape_ = shape;
  encoder.weights_ = std::move(weights);
  return encoder;
}

void Encoder::Encode(std::span<const TokenWindow> windows, EncoderScratch* scratch,
                     std::span<SessionVector> out) const {
  static_assert(sizeof(SessionVector) % sizeof(float) == 0);
  const auto width = static_cast<size_t>(shape_.width);
  for (size_t i = 0; i < windows.size(); ++i) {
    out[i].trunk = id_;
    std::fill(out[i].value + width, out[i].value + kMaxWidth, 0.0f);
  }
  if (windows.empty()) return;
  kernels_->encode(packed_->view, windows.data(), static_cast<int>(windows.size()),
                   scratch->floats_.get(), out.data()->value,
                   sizeof(SessionVector) / sizeof(float));
}

int64_t Encoder::FlopsPerWindow() const {
  const int64_t d = shape_.width, t = shape_.tokens, f = shape_.feed_forward;
  const int64_t products = t * d * (3 * d) + 2 * t * t * d + t * d * d + 2 * t * d * f;
  return shape_.layers * 2 * products;
}

std::string_view KernelName() { return internal::BestKernels().name; }

void EncoderForTest::Use(Encoder* encoder, const internal::Kernels& kernels) {
  encoder->kernels_ = &kernels;
}

}  // namespace adagents::model
