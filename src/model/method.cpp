#include "mobileone/model/method.h"

#include <limits>

namespace mobileone {

std::string_view to_string(Method method) {
  return method == Method::kCovariance ? "covariance" : "direct";
}

double training_macs(const UnitOptions& unit, Method method, int64_t positions) {
  const double n = static_cast<double>(positions), out = static_cast<double>(unit.out_channels),
               patch = static_cast<double>(unit.kernel * unit.kernel * unit.in_channels) /
                       static_cast<double>(unit.groups);
  // Forward, weight gradient, input gradient.
  const double convolution = 3 * n * out * patch;
  if (method == Method::kDirect) {
    const bool possible = unit.branches == 1 && !unit.has_scale();
    // The passes that normalise: half a dozen over y, in multiply-adds that would take as long.
    constexpr double kPasses = 6 * 8;
    return possible ? convolution + kPasses * n * out : std::numeric_limits<double>::infinity();
  }
  const double groups = static_cast<double>(unit.groups),
               rows =
                   out / groups * static_cast<double>(unit.branches + (unit.has_scale() ? 1 : 0));
  // Half of the symmetric covariance forward, all of its gradient's product with x backward; and in
  // parameter space C w for each branch and w dv wᵀ.
  return convolution + groups * (1.5 * n * patch * patch + 2 * rows * patch * patch);
}

Method choose_method(const UnitOptions& unit, int64_t positions) {
  return training_macs(unit, Method::kDirect, positions) <
                 training_macs(unit, Method::kCovariance, positions)
             ? Method::kDirect
             : Method::kCovariance;
}

}  // namespace mobileone
