#include "adagents/model/head.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "adagents/base/ids.h"
#include "fmt/format.h"
#include "model/aligned_floats.h"
#include "model/kernels.h"
#include "model/kernels_test_access.h"

namespace adagents::model {

namespace internal {
struct PackedHead {
  AlignedFloats table, session, bias, out;
  HeadView view;
};
}  // namespace internal

HeadSchema::HeadSchema(std::vector<Field> fields) : fields_(std::move(fields)) {
  for (const Field& field : fields_) {
    first_.push_back(rows_);
    rows_ += static_cast<uint32_t>(std::clamp(field.size, 0, 1 << 24));
  }
}

absl::Status HeadSchema::Check() const {
  if (fields_.size() > 64) {
    return InvalidArgument(fmt::format("head schema: {} fields, at most 64", fields_.size()));
  }
  std::set<std::string_view> names;
  int64_t rows = 1;
  for (const Field& field : fields_) {
    if (field.name.empty() || field.name.size() > 100 || !names.insert(field.name).second) {
      return InvalidArgument(
          fmt::format("head schema: a name that is empty, over 100 bytes or there "
                      "twice: '{:.100}'",
                      field.name));
    }
    if (field.size < 1 || field.size > 1 << 24) {
      return InvalidArgument(fmt::format("head schema: '{}' has {} values; 1 to 16,777,216 may be",
                                         field.name, field.size));
    }
    rows += field.size;
  }
  if (rows > 1 << 24) {
    return InvalidArgument(fmt::format("head schema: {} rows in all, at most 16,777,216", rows));
  }
  return absl::OkStatus();
}

uint64_t HeadSchema::Hash() const {
  std::string text = "candidates";
  for (const Field& f : fields_) text += fmt::format("|{}:{}:{}", f.name.size(), f.name, f.size);
  return StableHash64(text);
}

absl::Status HeadShape::Check() const {
  for (const auto& [name, value] : {std::pair("width", width), std::pair("hidden", hidden)}) {
    if (value < 16 || value > 64 || value % 16 != 0) {
      return InvalidArgument(fmt::format("head: {} {}; 16, 32, 48 or 64 may be", name, value));
    }
  }
  return absl::OkStatus();
}

Head::Head() = default;
Head::Head(Head&&) noexcept = default;
Head& Head::operator=(Head&&) noexcept = default;
Head::~Head() = default;

absl::StatusOr<Head> Head::Create(HeadSchema schema, HeadShape shape, HeadWeights weights,
                                  uint64_t trunk) {
  if (absl::Status status = schema.Check(); !status.ok()) return status;
  if (absl::Status status = shape.Check(); !status.ok()) return status;
  const auto width = static_cast<size_t>(shape.width);
  const auto hidden = static_cast<size_t>(shape.hidden);
  const size_t columns = hidden + 1;
  const size_t rows = schema.rows();
  struct Sized {
    const char* name;
    const std::vector<float>* weights;
    size_t size;
  };
  for (const Sized& part :
       {Sized{"table", &weights.table, rows * columns},
        Sized{"session", &weights.session, hidden * width}, Sized{"bias", &weights.bias, hidden},
        Sized{"out", &weights.out, hidden}}) {
    if (part.weights->size() != part.size) {
      return InvalidArgument(fmt::format("head: {} has {} weights where schema and shape have {}",
                                         part.name, part.weights->size(), part.size));
    }
    if (!std::all_of(part.weights->begin(), part.weights->end(),
                     [](float weight) { return std::isfinite(weight); })) {
      return InvalidArgument(fmt::format("head: a weight of {} is not a finite number", part.name));
    }
  }
  if (!std::isfinite(weights.out_bias) || !std::isfinite(weights.slope) ||
      !std::isfinite(weights.intercept)) {
    return InvalidArgument("head: out_bias, slope or intercept is not a finite number");
  }
  if (!std::all_of(weights.table.begin(), weights.table.begin() + static_cast<ptrdiff_t>(columns),
                   [](float weight) { return weight == 0; })) {
    return InvalidArgument("head: row 0 of the table is not 0");
  }
  auto packed = std::make_unique<internal::PackedHead>();
  const size_t stride = (columns + 15) / 16 * 16;
  packed->table = internal::MakeAligned(rows * stride);
  for (size_t row = 0; row < rows; ++row) {
    std::copy_n(weights.table.data() + row * columns, columns, packed->table.get() + row * stride);
  }
  packed->session = internal::MakeAligned(hidden * width);
  for (size_t h = 0; h < hidden; ++h) {
    for (size_t k = 0; k < width; ++k) {
      packed->session[k * hidden + h] = weights.session[h * width + k];
    }
  }
  packed->bias = internal::MakeAligned(hidden);
  packed->out = internal::MakeAligned(hidden);
  std::copy_n(weights.bias.data(), hidden, packed->bias.get());
  std::copy_n(weights.out.data(), hidden, packed->out.get());
  packed->view = {shape.width,
                  shape.hidden,
                  rows,
                  stride,
                  packed->table.get(),
                  packed->session.get(),
                  packed->bias.get(),
                  packed->out.get(),
                  weights.out_bias};
  Head head;
  head.schema_ = std::move(schema);
  head.shape_ = shape;
  head.weights_ = std::move(weights);
  head.trunk_ = trunk;
  head.packed_ = std::move(packed);
  head.kernels_ = &internal::BestKernels();
  return head;
}

absl::Status Head::Logits(const SessionVector& session, std::span<const HeadEntry> entries,
                          size_t per_candidate, std::span<float> out) const {
  if (trunk_ != 0 && session.trunk != trunk_) {
    return FailedPrecondition(
        fmt::format("head: trained on the vectors of trunk {:016x}, this one is of {:016x}", trunk_,
                    session.trunk));
  }
  const size_t count = per_candidate == 0 ? 0 : entries.size() / per_candidate;
  if (count * per_candidate != entries.size() || out.size() < count ||
      (per_candidate == 0 && !entries.empty())) {
    return InvalidArgument(fmt::format("head: {} entries, {} for each, and room for {} results",
                                       entries.size(), per_candidate, out.size()));
  }
  float values[kMaxWidth] = {};
  if (trunk_ != 0) std::copy(std::begin(session.value), std::end(session.value), values);
  kernels_->score(packed_->view, values, entries.data(), per_candidate, count, out.data());
  return absl::OkStatus();
}

absl::Status Head::Score(const SessionVector& session, std::span<const HeadEntry> entries,
                         size_t per_candidate, std::span<float> out) const {
  if (absl::Status status = Logits(session, entries, per_candidate, out); !status.ok()) {
    return status;
  }
  const size_t count = per_candidate == 0 ? 0 : entries.size() / per_candidate;
  for (float& value : out.first(count)) {
    value = 1.0f / (1.0f + std::exp(-(weights_.slope * value + weights_.intercept)));
  }
  return absl::OkStatus();
}

void HeadForTest::Use(Head* head, const internal::Kernels& kernels) { head->kernels_ = &kernels; }

}  // namespace adagents::model
