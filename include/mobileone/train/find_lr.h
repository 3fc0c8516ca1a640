#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// The learning-rate range test (Smith, WACV 2017, section 3.3): steps at rates that grow
/// exponentially from `lowest` to `highest`.
struct LrTest {
  double lowest = 1e-4;
  double highest = 10;
  int64_t steps = 100;
};

struct LrPoint {
  double lr;
  double loss;
  double smoothed;  ///< exponential average of the losses so far, its bias corrected
};

struct LrFindings {
  std::vector<LrPoint> points;
  double lowest = 0;    ///< where the smoothed loss is lowest
  double steepest = 0;  ///< where, before that, it falls fastest per factor of the rate
  /// The geometric mean of `steepest` and a tenth of `lowest`: two rules of thumb in one.
  double suggested = 0;
};

/// Trains a new network, from model.pretrained if that is set, as `config` says, but for the
/// learning rate, until the test ends, the smoothed loss is four times its lowest value or a loss
/// is not finite. Nothing is saved. Throws Error as `train` does, and if the loss never falls.
LrFindings find_learning_rate(Config config, const LrTest& test);

/// What the points say; they are in the order of their rates. Throws Error if there are fewer than
/// three or the smoothed loss never falls.
LrFindings judge_learning_rates(std::vector<LrPoint> points);

}  // namespace mobileone
