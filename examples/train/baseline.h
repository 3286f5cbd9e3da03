// What a model has to beat: a logistic regression on the same facts, tuned on the same data.
#pragma once

#include <string>
#include <vector>

#include "dataset.h"

namespace train {

struct Baseline {
  std::vector<float> probability;  // on the test part
  double l2 = 0;                   // the one that was best on the validation part
  int epochs = 0;
};

/// One weight per fact of the candidate and per value of each of the session's events (each
/// counting 1 / events), learned by AdaGrad, early stopping and the penalty chosen on the
/// validation part, calibrated there by Platt's scale as the model is.
Baseline LogisticRegression(const Dataset& data, uint64_t seed);

}  // namespace train
