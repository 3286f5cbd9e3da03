// What is learned of moments, as bytes. Little-endian, in this order:
//   8 bytes   "ADMOMNT2"
//   u32 x 4   kSignals, kRow, kTraitRows, kWeights: the shape, which must be equal to load
//   f32 x 3   standard deviations of the options, likewise
//   u32       whether anything is assumed, likewise
//   12 bytes  per weight that has learned: u32 place (rising), f32 mean, f32 variance
//   u64       StableHash64 of all before
#include <bit>
#include <cmath>
#include <cstring>

#include "adagents/ads/moment.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::string_view kMagic = "ADMOMNT2";
constexpr size_t kHashBytes = 8;
constexpr auto kRelaxed = std::memory_order_relaxed;

/// As it stands in the bytes: no padding.
struct Shape {
  uint32_t signals, row, traits, weights;
  float signal_sd, trait_sd, moment_sd;
  uint32_t assume;

  bool operator==(const Shape&) const = default;
};
struct Cell {
  uint32_t place;
  float mean, variance;
};
static_assert(sizeof(Shape) == 32 && sizeof(Cell) == 12);

template <class T>
void Put(std::string* out, const T& value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}
template <class T>
T At(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

Shape ShapeOf(size_t row, size_t weights, const MomentModelOptions& o) {
  return {static_cast<uint32_t>(Moment::kSignals),
          static_cast<uint32_t>(row),
          static_cast<uint32_t>(CreativeFeatures::kTraitRows),
          static_cast<uint32_t>(weights),
          o.signal_sd,
          o.trait_sd,
          o.moment_sd,
          o.assume ? 1u : 0u};
}

}  // namespace

std::string MomentModel::Save() const {
  std::string out(kMagic);
  Put(&out, ShapeOf(kRow, kWeights, options_));
  for (size_t i = 0; i < kWeights; ++i) {
    const Belief assumed = AssumedOf(i);
    const Cell cell{static_cast<uint32_t>(i), weights_[i].mean.load(kRelaxed),
                    weights_[i].variance.load(kRelaxed)};
    if (cell.mean != assumed.mean || cell.variance != assumed.variance) Put(&out, cell);
  }
  Put(&out, StableHash64(out));
  return out;
}

absl::Status MomentModel::Restore(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return FailedPrecondition("not saved moments of this version");
  }
  constexpr size_t kCells = kMagic.size() + sizeof(Shape);
  if (bytes.size() < kCells + kHashBytes ||
      (bytes.size() - kCells - kHashBytes) % sizeof(Cell) != 0) {
    return DataLoss("saved moments: cut short");
  }
  const auto hash = At<uint64_t>(bytes, bytes.size() - kHashBytes);
  bytes.remove_suffix(kHashBytes);
  if (hash != StableHash64(bytes)) return DataLoss("saved moments: the checksum does not match");
  if (!(At<Shape>(bytes, kMagic.size()) == ShapeOf(kRow, kWeights, options_))) {
    return FailedPrecondition("saved moments: of another shape, or made with other options");
  }
  int64_t last = -1;
  for (size_t at = kCells; at < bytes.size(); at += sizeof(Cell)) {
    const auto cell = At<Cell>(bytes, at);
    if (cell.place >= kWeights || cell.place <= last || !std::isfinite(cell.mean) ||
        !(cell.variance > 0) || !std::isfinite(cell.variance)) {
      return DataLoss(fmt::format("saved moments: weight {} is not possible", cell.place));
    }
    last = cell.place;
  }
  size_t at = kCells;
  for (size_t i = 0; i < kWeights; ++i) {
    Belief belief = AssumedOf(i);
    if (at < bytes.size() && At<Cell>(bytes, at).place == i) {
      belief = {At<Cell>(bytes, at).mean, At<Cell>(bytes, at).variance};
      at += sizeof(Cell);
    }
    weights_[i].mean.store(belief.mean, kRelaxed);
    weights_[i].variance.store(belief.variance, kRelaxed);
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
