#pragma once

#include <limits>
#include <string>
#include <vector>

#include "mobileone/report/axis.h"

namespace mobileone {

/// A measured value with what is known of its spread.
struct Bar {
  std::string label;
  double value;
  double low = std::numeric_limits<double>::quiet_NaN();  ///< ends of a whisker; not finite: none
  double high = std::numeric_limits<double>::quiet_NaN();
  std::string note = "";  ///< behind it, such as the value in words
};

/// Horizontal bars from 0, one below the other; where `dots`, points on an axis that may begin
/// anywhere instead. Values that are not finite leave their row empty.
struct BarChart {
  std::string title;
  Axis x;
  std::vector<Bar> bars;
  bool dots = false;
  int width = 720;  ///< px; the height follows from the number of bars
};

std::string to_svg(const BarChart& chart);

}  // namespace mobileone
