#pragma once

#include <string>
#include <vector>

#include "mobileone/report/axis.h"

namespace mobileone {

enum class Dash { kSolid, kDashed, kDotted, kNone };  ///< kNone: points without a line

/// A line through points. Where a value is missing (not finite, or nothing that the axes show) the
/// line has a gap; a point without neighbours is drawn as its marker.
struct Series {
  /// Index of the neutral grey, without markers, of lines that are there for comparison.
  static constexpr int kReference = -1;

  std::string name;          ///< in the legend; series of one name have one colour
  std::vector<double> x, y;  /// as many of each
  int color = 0;             ///< index in the palette, which also chooses the marker's shape
  Dash dash = Dash::kSolid;
  std::string variant = "";              ///< what the dash stands for; one more line in the legend
  std::vector<std::string> labels = {};  ///< one beside each point; empty: none
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
  int width = 460, height = 300;  ///< px
};

/// The chart as SVG that stands alone or in a page. Colours keep apart for the colour-blind and
/// differ in lightness; where several share a chart, markers tell them apart without any colour.
std::string to_svg(const Chart& chart);

}  // namespace mobileone
