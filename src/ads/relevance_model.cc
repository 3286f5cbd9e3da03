#include "adagents/ads/relevance_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "ads/big_memory.h"

namespace adagents::ads {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // weights guard nothing but themselves

float FromBfloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// 1 / (1 + e^-x) to within 2e-7, for the compiler to vectorise: e^-x = 2^k * 2^f with the
/// fraction's part as a polynomial (minimax on [-0.5, 0.5], Cephes exp2f).
inline float Sigmoid(float x) {
  const float t = std::clamp(x, -30.0f, 30.0f) * -1.44269504f;
  const float k = (t + 12582912.0f) - 12582912.0f;  // rounds: 1.5 * 2^23
  const float f = t - k;
  float p = 1.535336188319500e-4f;
  p = p * f + 1.339887440266574e-3f;
  p = p * f + 9.618437357674640e-3f;
  p = p * f + 5.550332471162809e-2f;
  p = p * f + 2.402264791363012e-1f;
  p = p * f + 6.931472028550421e-1f;
  p = p * f + 1.0f;
  const float scale = std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
  return 1.0f / (1.0f + scale * p);
}

uint32_t PowerOfTwo(uint32_t n) { return std::bit_ceil(std::clamp(n, 1u, 1u << 22)); }

double Within(double value, double low, double high, double otherwise) {
  return value >= low && value <= high ? value : otherwise;  // NaN is not within
}

RelevanceOptions Sane(RelevanceOptions o) {
  const RelevanceOptions usual;
  o.rows = PowerOfTwo(o.rows);
  o.prior = Within(o.prior, 1e-6, 1.0 - 1e-6, usual.prior);
  o.rate = Within(o.rate, 1e-6, 10.0, usual.rate);
  o.beta = Within(o.beta, 1e-3, 1e6, usual.beta);
  o.l1 = Within(o.l1, 0.0, 1e6, usual.l1);
  o.l2 = Within(o.l2, 0.0, 1e6, usual.l2);
  return o;
}

}  // namespace

RelevanceModel::RelevanceModel(const RelevanceOptions& options) : options_(Sane(options)) {
  prior_logit_ = static_cast<float>(std::log(options_.prior / (1.0 - options_.prior)));
  trait_begin_ = options_.rows * RequestFeatures::kRow;
  alone_begin_ = trait_begin_ + CreativeFeatures::kTraitRows * RequestFeatures::kRow;
  campaign_begin_ = alone_begin_ + RequestFeatures::kAlone * RequestFeatures::kAloneSlots;
  size_ = campaign_begin_ + kCampaigns + 1;
  Weight* const weights = internal::BigAllocator<Weight>().allocate(size_);
  std::uninitialized_value_construct_n(weights, size_);
  weights_ = std::unique_ptr<Weight[], FreeWeights>(weights, FreeWeights{size_});
  cells_ = std::make_unique<Cell[]>(size_);
}

RelevanceModel::~RelevanceModel() = default;

void RelevanceModel::FreeWeights::operator()(Weight* weights) const {
  internal::BigAllocator<Weight>().deallocate(weights, count);
}

/// Rounded to nearest, ties to even; `value` is finite.
uint16_t RelevanceModel::ToBfloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float RelevanceModel::WeightAt(size_t i) const {
  return FromBfloat(weights_[i].load(kRelaxed));
}

inline float RelevanceModel::Row(size_t begin, const RequestFeatures& context) const {
  const Weight* row = weights_.get() + begin;
  float sum = FromBfloat(row[0].load(kRelaxed));
  for (uint8_t slot : context.slots) sum += FromBfloat(row[slot].load(kRelaxed));
  return sum;
}

float RelevanceModel::Context(const RequestFeatures& context) const {
  float sum = prior_logit_ + WeightAt(size_ - 1);
  for (size_t i = 0; i < RequestFeatures::kAlone; ++i) {
    sum += WeightAt(AloneAt(i, context.alone[i]));
  }
  return sum;
}

void RelevanceModel::Score(const RequestFeatures& context,
                           std::span<const CreativeFeatures> features,
                           std::span<const uint32_t> which, RelevanceScratch* scratch,
                           std::span<float> out) const {
  if (++scratch->call_ == 0) {  // the counter went round: forget what looks current
    std::fill(scratch->traits_.begin(), scratch->traits_.end(), RelevanceScratch::Entry{});
    scratch->call_ = 1;
  }
  const uint32_t call = scratch->call_;
  RelevanceScratch::Entry* const traits = scratch->traits_.data();
  const float base = Context(context);
  // Far enough ahead to hide memory, near enough to still be in the first cache.
  constexpr size_t kAhead = 6, kFeaturesAhead = 12;
  constexpr size_t kWeightsPerLine = 64 / sizeof(Weight);
  const auto fetch_row = [&](size_t begin) {
    for (size_t at = 0; at < RequestFeatures::kRow; at += kWeightsPerLine) {
      __builtin_prefetch(weights_.get() + begin + at);
    }
  };
  const auto fetch = [&](const CreativeFeatures& f) {
    fetch_row(RowAt(f.row));
    __builtin_prefetch(weights_.get() + CampaignAt(f.campaign));
    // Of the traits there are few, but for brands.
    const uint16_t brand = f.traits[CreativeFeatures::kBrand];
    if (traits[brand].call != call) fetch_row(TraitAt(brand));
  };
  for (size_t i = 0; i < std::min(kAhead, which.size()); ++i) fetch(features[which[i]]);
  for (size_t i = 0; i < which.size(); ++i) {
    if (i + kFeaturesAhead < which.size()) {
      __builtin_prefetch(&features[which[i + kFeaturesAhead]]);
    }
    if (i + kAhead < which.size()) fetch(features[which[i + kAhead]]);
    const CreativeFeatures& f = features[which[i]];
    float sum = base + WeightAt(CampaignAt(f.campaign)) + Row(RowAt(f.row), context);
    for (uint16_t trait : f.traits) {
      RelevanceScratch::Entry& entry = traits[trait];
      if (entry.call != call) entry = {Row(TraitAt(trait), context), call};
      sum += entry.sum;
    }
    out[i] = sum;
  }
  for (size_t i = 0; i < which.size(); ++i) out[i] = Sigmoid(out[i]);
}

float RelevanceModel::LogOdds(const RequestFeatures& context,
                              const CreativeFeatures& creative) const {
  float sum = Context(context) + WeightAt(CampaignAt(creative.campaign)) +
              Row(RowAt(creative.row), context);
  for (uint16_t trait : creative.traits) sum += Row(TraitAt(trait), context);
  return sum;
}

float RelevanceModel::Score(const RequestFeatures& context,
                            const CreativeFeatures& creative) const {
  return Sigmoid(LogOdds(context, creative));
}

template <class Visit>
void RelevanceModel::ForEachWeight(const RequestFeatures& context, const CreativeFeatures& creative,
                                   Visit visit) const {
  visit(size_ - 1);
  for (size_t i = 0; i < RequestFeatures::kAlone; ++i) visit(AloneAt(i, context.alone[i]));
  visit(CampaignAt(creative.campaign));
  const auto row = [&](size_t begin) {
    visit(begin);
    for (uint8_t slot : context.slots) visit(begin + slot);
  };
  row(RowAt(creative.row));
  for (uint16_t trait : creative.traits) row(TraitAt(trait));
}

float RelevanceModel::ValueOf(float z, float n) const {
  const auto l1 = static_cast<float>(options_.l1);
  if (std::abs(z) <= l1) return 0.0f;
  const auto beta = static_cast<float>(options_.beta);
  const auto rate = static_cast<float>(options_.rate);
  const auto l2 = static_cast<float>(options_.l2);
  const float w = -(z - std::copysign(l1, z)) / ((beta + std::sqrt(n)) / rate + l2);
  return std::clamp(w, -kBound, kBound);
}

void RelevanceModel::Step(size_t i, float gradient) {
  Cell& cell = cells_[i];
  const float z = cell.z.load(kRelaxed), n = cell.n.load(kRelaxed);
  const float n_after = n + gradient * gradient;
  const float sigma = (std::sqrt(n_after) - std::sqrt(n)) / static_cast<float>(options_.rate);
  const float z_after = z + gradient - sigma * ValueOf(z, n);
  if (!std::isfinite(z_after) || !std::isfinite(n_after)) return;
  cell.z.store(z_after, kRelaxed);
  cell.n.store(n_after, kRelaxed);
  weights_[i].store(ToBfloat(ValueOf(z_after, n_after)), kRelaxed);
}

void RelevanceModel::Learn(const RequestFeatures& context, const CreativeFeatures& creative,
                           bool happened, double weight, float shift) {
  if (!(weight > 0.0) || !std::isfinite(weight) || !std::isfinite(shift)) {
    refused_.fetch_add(1, kRelaxed);
    return;
  }
  const float p = Sigmoid(LogOdds(context, creative) + shift);
  Count(p, happened);
  const auto counted = static_cast<float>(std::min(weight, kMaxWeight));
  const float gradient = (p - (happened ? 1.0f : 0.0f)) * counted;
  ForEachWeight(context, creative, [&](size_t i) { Step(i, gradient); });
}

void RelevanceModel::Count(double probability, bool happened) {
  const double p = std::clamp(probability, 1e-9, 1.0 - 1e-9);
  const double error = p - (happened ? 1.0 : 0.0);
  examples_.fetch_add(1, kRelaxed);
  if (happened) happened_.fetch_add(1, kRelaxed);
  log_loss_.fetch_add(-std::log(happened ? p : 1.0 - p), kRelaxed);
  squared_.fetch_add(error * error, kRelaxed);
}

size_t RelevanceModel::learned() const {
  return static_cast<size_t>(std::count_if(weights_.get(), weights_.get() + size_,
                                           [](const Weight& w) { return w.load(kRelaxed) != 0; }));
}

RelevanceMetrics RelevanceModel::metrics() const {
  RelevanceMetrics m;
  m.examples = examples_.load(kRelaxed);
  m.happened = std::min(happened_.load(kRelaxed), m.examples);
  m.refused = refused_.load(kRelaxed);
  if (m.examples == 0) return m;
  const auto n = static_cast<double>(m.examples);
  m.log_loss = log_loss_.load(kRelaxed) / n;
  m.brier = squared_.load(kRelaxed) / n;
  const double share = static_cast<double>(m.happened) / n;
  m.base_brier = share * (1.0 - share);
  if (share > 0.0 && share < 1.0) {
    m.base_log_loss = -share * std::log(share) - (1.0 - share) * std::log(1.0 - share);
  }
  return m;
}

}  // namespace adagents::ads
