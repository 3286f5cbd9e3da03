// How likely is an outcome (a click, a listen to the end) if this creative is shown here? A
// logistic regression over hashed features that learns from each outcome as it comes, while it is
// being read.
//
//   RelevanceModel clicks({.prior = 0.004});
//   RelevanceScratch scratch;                                      // one per thread or agent
//   clicks.Score(context, catalog.relevance_features(), which, &scratch, probabilities);
//   clicks.Learn(context, features_shown, /*happened=*/true);      // when the outcome is settled
//
// Features: the context by itself, the campaign, the creative, the creative's traits (brand, tone,
// length, ...), and creative and traits each crossed with what the context says: genre, category,
// daypart, region, source, device. So a new creative starts from what its brand and tone have
// shown in this genre, and goes its own way as its own row learns.
//
// Learning is FTRL-Proximal (McMahan et al., "Ad click prediction: a view from the trenches", KDD
// 2013): per-coordinate rates, no epochs. Learn each impression once, when its outcome is settled:
// counting every impression as "no" at first and correcting later is a bias that this class does
// not undo. Both feature structs are trivially copyable, so that they can be kept until then.
//
// A score reads six weights and its own from the creative's row, four cache lines; the traits'
// part is computed once per request and trait value. Weights are bfloat16: a score is off by half
// a percent of a weight at most, while the sums they come from stay exact.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/relevance_features.h"

namespace adagents::ads {

/// Memory for the traits' part of one request at a time. Thread-compatible.
class RelevanceScratch {
 public:
  RelevanceScratch() : traits_(CreativeFeatures::kTraitRows) {}

 private:
  friend class RelevanceModel;
  struct Entry {
    float sum = 0;
    uint32_t call = 0;  // of which Score() call
  };
  std::vector<Entry> traits_;
  uint32_t call_ = 0;
};

struct RelevanceOptions {
  /// Rows for creatives, a power of two; creatives beyond it share rows by hash. 1,280 bytes each.
  uint32_t rows = 1 << 15;
  /// The rate to assume before anything was learned, in (0, 1).
  double prior = 0.01;
  /// FTRL's alpha: how far the first steps go. In (0, 10]. An example moves some 70 weights, so it
  /// is smaller than the literature's for few features. These values close 71 % of the gap between
  /// base rate and truth in the tests' world after 200,000 examples, and lose 0.6 % of log loss
  /// where there is nothing to learn; a rate of 0.08 gave 74 % and 1.9 %.
  double rate = 0.03;
  /// FTRL's beta and regularisation, >= 0.
  double beta = 1.0, l1 = 0.5, l2 = 10.0;
};

/// How good the predictions were that Learn() made before it learned from each example
/// (progressive validation), since the start.
struct RelevanceMetrics {
  uint64_t examples = 0;
  uint64_t happened = 0;  // with a positive outcome
  uint64_t refused = 0;   // Learn() calls with a weight that is no positive number, or such a shift
  double log_loss = 0;    // mean, natural logarithm
  double brier = 0;       // mean squared error
  /// Of always predicting the share that happened: what a model must beat.
  double base_log_loss = 0;
  double base_brier = 0;
};

/// Thread-safe: any number of threads may score and learn at once, without locks. Each weight is
/// an atomic of its own, read and written relaxed: a score may mix weights from before and after a
/// Learn() in progress, and two Learn() calls that meet on a weight may lose one of both steps.
/// Both are harmless for stochastic gradients and never produce a torn or non-finite value. With
/// one learning thread the result depends only on the sequence of examples.
class RelevanceModel {
 public:
  explicit RelevanceModel(const RelevanceOptions& options = {});
  ~RelevanceModel();
  RelevanceModel(const RelevanceModel&) = delete;
  RelevanceModel& operator=(const RelevanceModel&) = delete;

  /// out[i] = probability in (0, 1) for features[which[i]]. `out` has which.size() elements or
  /// more. Never allocates.
  void Score(const RequestFeatures& context, std::span<const CreativeFeatures> features,
             std::span<const uint32_t> which, RelevanceScratch* scratch,
             std::span<float> out) const;
  /// The same for one.
  float Score(const RequestFeatures& context, const CreativeFeatures& creative) const;

  /// The log-odds of that.
  [[nodiscard]] float LogOdds(const RequestFeatures& context,
                              const CreativeFeatures& creative) const;

  /// Learns that the outcome happened or did not. `weight` counts the example so many times (1 /
  /// propensity of having been shown, say); anything but a positive finite number is refused and
  /// counted. At most kMaxWeight counts. `shift`: what others, who learn from the same outcome, add
  /// to the log-odds; it learns what that leaves. Refused likewise when it is not finite.
  void Learn(const RequestFeatures& context, const CreativeFeatures& creative, bool happened,
             double weight = 1.0, float shift = 0.0f);
  static constexpr double kMaxWeight = 100.0;

  RelevanceMetrics metrics() const;
  /// Numbers that have been learned: weights that are not 0. Reads all weights.
  [[nodiscard]] size_t learned() const;

  /// Everything learned, as bytes with a version, this model's shape and a checksum. May run while
  /// others learn; each weight is then from some moment during the call.
  std::string Save() const;
  /// Replaces everything learned. FailedPrecondition when `bytes` are of another version or shape,
  /// DataLoss when they are damaged; the model is unchanged then.
  absl::Status Restore(std::string_view bytes);

  const RelevanceOptions& options() const { return options_; }

  /// No weight ever leaves [-kBound, kBound].
  static constexpr float kBound = 12.0f;

 private:
  struct Cell {  // FTRL's sums of one weight; what the weight is made of
    std::atomic<float> z{0};
    std::atomic<float> n{0};
  };
  using Weight = std::atomic<uint16_t>;  // bfloat16

  // Weights, in one array: rows of creatives, rows of traits, the context's tables, campaigns, and
  // the one that is always there.
  size_t RowAt(uint32_t hash) const { return (hash & (options_.rows - 1)) * RequestFeatures::kRow; }
  size_t TraitAt(uint16_t trait) const { return trait_begin_ + trait * RequestFeatures::kRow; }
  size_t AloneAt(size_t field, uint16_t slot) const {
    return alone_begin_ + field * RequestFeatures::kAloneSlots + slot;
  }
  size_t CampaignAt(uint32_t hash) const { return campaign_begin_ + hash % kCampaigns; }
  static constexpr size_t kCampaigns = 1 << 16;

  static uint16_t ToBfloat(float value);
  float WeightAt(size_t i) const;
  float Row(size_t begin, const RequestFeatures& context) const;
  float Context(const RequestFeatures& context) const;
  template <class Visit>
  void ForEachWeight(const RequestFeatures& context, const CreativeFeatures& creative,
                     Visit visit) const;
  float ValueOf(float z, float n) const;
  void Step(size_t i, float gradient);
  void Count(double probability, bool happened);

  RelevanceOptions options_;
  float prior_logit_;
  size_t trait_begin_, alone_begin_, campaign_begin_, size_;
  struct FreeWeights {
    size_t count;
    void operator()(Weight* weights) const;
  };
  std::unique_ptr<Weight[], FreeWeights> weights_;
  std::unique_ptr<Cell[]> cells_;

  std::atomic<uint64_t> examples_{0}, happened_{0}, refused_{0};
  std::atomic<double> log_loss_{0}, squared_{0};
};

}  // namespace adagents::ads
