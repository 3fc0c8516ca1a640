#include "mobileone/report/bars.h"

#include <algorithm>
#include <cmath>

#include "svg.h"

namespace mobileone {
namespace {

constexpr double kBarRow = 26, kBarHeight = 14, kWhisker = 4;

double widest(const std::vector<Bar>& bars, std::string Bar::*field) {
  double width = 0;
  for (const auto& bar : bars) {
    width = std::max(width, 10 + text_width(bar.*field, svg::kFontSize));
  }
  return width;
}

Scale scale_of(const BarChart& chart) {
  std::vector<double> values;
  for (const auto& bar : chart.bars) values.insert(values.end(), {bar.value, bar.low, bar.high});
  Axis axis = chart.x;
  if (!chart.dots && !axis.log && !axis.from) axis.from = 0;
  return {axis, values};
}

}  // namespace

std::string to_svg(const BarChart& chart) {
  const int height = static_cast<int>(80 + kBarRow * static_cast<double>(chart.bars.size()));
  const double top = 32, bottom = height - 44;
  const double left = 14 + std::min(widest(chart.bars, &Bar::label), 0.4 * chart.width);
  const double right = chart.width - 14 - widest(chart.bars, &Bar::note);
  const Scale scale = scale_of(chart);
  const auto place = [&](double value) { return left + (right - left) * scale.position(value); };
  std::string svg = svg::head(chart.width, height, chart.title) +
                    svg::title(left, chart.width - left, chart.title);
  for (const auto& tick : scale.ticks(std::max(2, static_cast<int>((right - left) / 60)))) {
    const double x = place(tick.value);
    svg += svg::line(x, top, x, bottom, "stroke=\"#dddddd\" stroke-width=\"0.8\"");
    svg += svg::text(x, bottom + 15,
                     fmt::format(" font-size=\"{}\" text-anchor=\"middle\"", svg::kSmallFontSize),
                     tick.label);
  }
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double y = top + kBarRow * (static_cast<double>(i) + 0.5);
    svg += svg::text(left - 8, y + 4, " text-anchor=\"end\"",
                     shortened(bar.label, svg::kFontSize, left - 22));
    svg += svg::text(right + 8, y + 4, "", bar.note);
    if (!scale.shows(bar.value)) continue;
    if (!chart.dots) {
      svg += fmt::format(
          "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" "
          "fill=\"{}\"/>\n",
          left, y - kBarHeight / 2, place(bar.value) - left, kBarHeight, svg::look(5).color);
    }
    if (scale.shows(bar.low) && scale.shows(bar.high)) {
      const std::string attributes = fmt::format("stroke=\"{}\"", svg::kTextColor);
      const double low = place(bar.low), high = place(bar.high);
      svg += svg::line(low, y, high, y, attributes);
      for (const double x : {low, high}) {
        svg += svg::line(x, y - kWhisker, x, y + kWhisker, attributes);
      }
    }
    if (chart.dots) svg += svg::marker(0, place(bar.value), y);
  }
  const std::string frame = "stroke=\"#444444\" stroke-width=\"1\"";
  svg += svg::line(left, bottom, right, bottom, frame) + svg::line(left, top, left, bottom, frame);
  svg += svg::text((left + right) / 2, bottom + 33, " text-anchor=\"middle\"", chart.x.label);
  return svg + "</svg>\n";
}

}  // namespace mobileone
