// A factorisation machine over hashed features that learns online: a logistic regression plus the
// inner products of all pairs of features' vectors (Rendle, "Factorization machines", ICDM 2010),
// with AdaGrad's rates for each coordinate (Duchi, Hazan, Singer, JMLR 12, 2011). What a good
// engineer would take for one model of everything.
//
// Explores, when asked to, by drawing linear weights from a diagonal Laplace approximation of what
// is believed of them (Chapelle and Li, "An empirical evaluation of Thompson sampling", 2011).
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace market_sim {

struct MachineOptions {
  int bits = 16;      ///< of the hash: 2^bits places for features
  int width = 8;      ///< of features' vectors; 0: a logistic regression
  double rate = 0.1;  ///< AdaGrad's, of linear weights
  double vector_rate = 0.05;
  double l2 = 1e-5, vector_l2 = 1e-4;
  double spread = 0.02;  ///< deviation of vectors at the beginning
  double doubt = 1;      ///< the variance of a linear weight before anything was learned
  double prior = 0.02;   ///< the rate to assume before anything was learned
};

/// Of an example: places below 2^bits, without repeats that matter.
using Places = std::vector<uint32_t>;

class FactorisationMachine {
 public:
  explicit FactorisationMachine(const MachineOptions& options);

  /// The part of a sum that candidates share.
  struct Part {
    double linear = 0, squares = 0;
    std::vector<double> sums;
  };
  [[nodiscard]] Part Sum(std::span<const uint32_t> places) const;
  /// The log-odds where both parts meet.
  [[nodiscard]] double LogOdds(const Part& shared, const Part& own) const;
  /// How unsure the linear weights of `places` are: the variance of their sum.
  [[nodiscard]] double Variance(std::span<const uint32_t> places) const;
  [[nodiscard]] double Predict(std::span<const uint32_t> places) const;
  /// `again`: it was learned from before, so it teaches nothing of how sure one may be.
  void Learn(std::span<const uint32_t> places, bool happened, bool again = false);

  /// Numbers that have been learned: of features that have been seen.
  [[nodiscard]] size_t parameters() const { return seen_ * (1 + options_.width) + 1; }

 private:
  struct Weight {
    float value = 0, squares = 0, information = 0;  // AdaGrad's sum; Laplace's precision
  };
  struct Coordinate {
    float value = 0, squares = 0;
  };
  [[nodiscard]] const Coordinate* VectorAt(uint32_t place) const {
    return vectors_.data() + static_cast<size_t>(place) * static_cast<size_t>(options_.width);
  }

  const MachineOptions options_;
  double bias_, bias_squares_ = 0;
  std::vector<Weight> weights_;
  std::vector<Coordinate> vectors_;
  size_t seen_ = 0;
};

}  // namespace market_sim
