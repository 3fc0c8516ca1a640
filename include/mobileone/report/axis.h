#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mobileone {

struct Axis {
  std::string label = "";  ///< with its unit: "top-1 accuracy, %"
  bool log = false;        ///< to base 10; values that are not positive are left out
  std::optional<double> from = std::nullopt, to = std::nullopt;  ///< ends; fitted where not given
};

struct Tick {
  double value;
  std::string label;
};

/// The part of an axis that a chart shows.
class Scale {
 public:
  /// Fitted to those of `values` that can be shown, with a small margin that does not cross zero;
  /// from 0 to 1 (log: from 1 to 10) if there are none.
  Scale(const Axis& axis, const std::vector<double>& values);

  /// False for what is not finite, outside the given ends or, if logarithmic, not positive.
  bool shows(double value) const;

  /// Where a value lies: 0 at the beginning of the scale, 1 at its end.
  double position(double value) const;

  /// At most `most` (at least 2) round values, ascending. Linear: multiples of 1, 2 or 5 times a
  /// power of ten, whole numbers if all values are. Logarithmic: powers of ten, with 2 and 5 (or 3)
  /// times them where there is room; linear ticks within less than a decade.
  std::vector<Tick> ticks(int most) const;

 private:
  std::vector<Tick> linear_ticks(int most) const;
  std::vector<Tick> log_ticks(int most) const;

  Axis axis_;
  bool whole_ = false;  // every value is a whole number
  double from_ = 0, to_ = 1;
};

}  // namespace mobileone
