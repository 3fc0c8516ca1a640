#pragma once

#include <cstdint>
#include <string_view>

#include "mobileone/model/options.h"

namespace mobileone {

/// How the folded engine trains a unit.
enum class Method {
  kCovariance,  ///< statistics of all branches from the input's covariance, then one convolution
  kDirect,      ///< k = 1, no scale: the branch's output and its own mean and variance
};

std::string_view to_string(Method method);

/// Multiply-adds of a training step of one unit over `positions` = N·H'·W' output positions: the
/// products that dominate it. docs/folded-training.md derives them.
double training_macs(const UnitOptions& unit, Method method, int64_t positions);

/// The cheaper of the methods that the unit can use.
Method choose_method(const UnitOptions& unit, int64_t positions);

}  // namespace mobileone
