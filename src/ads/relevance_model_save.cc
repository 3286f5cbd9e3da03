// The relevance model as bytes. Little-endian, in this order:
//   8 bytes   "ADRELEV1"
//   u32 x 3   rows, kRow, kTraitRows: the shape, which must be equal to load
//   u32       number of cells
//   f64       prior, must be equal to load
//   u64 x 2   examples, happened
//   f64 x 2   sums of log loss and of squared errors
//   12 bytes  per cell with n > 0: u32 place (rising), f32 z, f32 n
//   u64       StableHash64 of all before
#include <bit>
#include <cmath>
#include <cstring>

#include "adagents/ads/relevance_model.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::string_view kMagic = "ADRELEV1";
constexpr auto kRelaxed = std::memory_order_relaxed;

template <class T>
void Put(std::string* out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

/// Takes values from the front; zeros once there are too few bytes.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T Take() {
    T value{};
    if (left_.size() < sizeof(T)) {
      left_ = {};
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof(T));
    left_.remove_prefix(sizeof(T));
    return value;
  }
  size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
};

struct Header {
  uint32_t rows = 0, row = 0, traits = 0, cells = 0;
  double prior = 0;
  uint64_t examples = 0, happened = 0;
  double log_loss = 0, squared = 0;
};
constexpr size_t kHeaderBytes = 4 * 4 + 8 + 2 * 8 + 2 * 8;
constexpr size_t kCellBytes = 12;

}  // namespace

std::string RelevanceModel::Save() const {
  std::string cells;
  uint32_t count = 0;
  for (size_t i = 0; i < size_; ++i) {
    const float n = cells_[i].n.load(kRelaxed);
    if (!(n > 0.0f)) continue;
    Put(&cells, static_cast<uint32_t>(i));
    Put(&cells, cells_[i].z.load(kRelaxed));
    Put(&cells, n);
    ++count;
  }
  std::string out(kMagic);
  Put(&out, options_.rows);
  Put(&out, static_cast<uint32_t>(RequestFeatures::kRow));
  Put(&out, static_cast<uint32_t>(CreativeFeatures::kTraitRows));
  Put(&out, count);
  Put(&out, options_.prior);
  Put(&out, examples_.load(kRelaxed));
  Put(&out, happened_.load(kRelaxed));
  Put(&out, log_loss_.load(kRelaxed));
  Put(&out, squared_.load(kRelaxed));
  out += cells;
  Put(&out, StableHash64(out));
  return out;
}

absl::Status RelevanceModel::Restore(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return FailedPrecondition("not a saved relevance model of this version");
  }
  if (bytes.size() < kMagic.size() + kHeaderBytes + 8) {
    return DataLoss("saved relevance model: cut short");
  }
  Taker checksum(bytes.substr(bytes.size() - 8));
  bytes.remove_suffix(8);
  if (checksum.Take<uint64_t>() != StableHash64(bytes)) {
    return DataLoss("saved relevance model: the checksum does not match");
  }
  Taker in(bytes.substr(kMagic.size()));
  Header h;
  h.rows = in.Take<uint32_t>();
  h.row = in.Take<uint32_t>();
  h.traits = in.Take<uint32_t>();
  h.cells = in.Take<uint32_t>();
  h.prior = in.Take<double>();
  h.examples = in.Take<uint64_t>();
  h.happened = in.Take<uint64_t>();
  h.log_loss = in.Take<double>();
  h.squared = in.Take<double>();
  if (h.rows != options_.rows || h.row != RequestFeatures::kRow ||
      h.traits != CreativeFeatures::kTraitRows || h.prior != options_.prior) {
    return FailedPrecondition(
        fmt::format("saved relevance model: made with {} rows and prior {}, this one has {} and {}",
                    h.rows, h.prior, options_.rows, options_.prior));
  }
  if (in.left() != size_t{h.cells} * kCellBytes || !std::isfinite(h.log_loss) ||
      !std::isfinite(h.squared) || h.happened > h.examples) {
    return DataLoss("saved relevance model: the header contradicts the contents");
  }
  int64_t last = -1;
  for (Taker check = in; check.left() > 0;) {
    const auto place = check.Take<uint32_t>();
    const auto z = check.Take<float>(), n = check.Take<float>();
    if (place >= size_ || place <= last || !std::isfinite(z) || !std::isfinite(n) || n < 0) {
      return DataLoss(fmt::format("saved relevance model: cell {} is not possible", place));
    }
    last = place;
  }
  for (size_t i = 0, next = 0; i < size_; ++i) {
    float z = 0, n = 0;
    Taker peek = in;
    if (in.left() > 0 && (next = peek.Take<uint32_t>()) == i) {
      z = peek.Take<float>();
      n = peek.Take<float>();
      in = peek;
    }
    cells_[i].z.store(z, kRelaxed);
    cells_[i].n.store(n, kRelaxed);
    weights_[i].store(ToBfloat(ValueOf(z, n)), kRelaxed);
  }
  examples_.store(h.examples, kRelaxed);
  happened_.store(h.happened, kRelaxed);
  log_loss_.store(h.log_loss, kRelaxed);
  squared_.store(h.squared, kRelaxed);
  return absl::OkStatus();
}

}  // namespace adagents::ads
