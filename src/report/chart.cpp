#include "mobileone/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "mobileone/report/text.h"
#include "svg.h"

namespace mobileone {
namespace {

using namespace svg;

constexpr double kRow = 17;
constexpr double kSwatch = 26, kGap = 6;  // of a legend: the line, the space behind it
constexpr double kLabelFontSize = 10, kMarkerRadius = 5;
constexpr const char* kReferenceColor = "#999999";

const char* stroke(int color) {
  return color == Series::kReference ? kReferenceColor : look(color).color;
}

std::string dash_attribute(Dash dash) {
  if (dash == Dash::kSolid) return "";
  return fmt::format(" stroke-dasharray=\"{}\"", dash == Dash::kDashed ? "6 3" : "1.5 2.5");
}

/// A line of the legend: what its sample looks like, and what it stands for.
struct Entry {
  std::string label;
  const char* color;
  Dash dash;
  int marker;  ///< kReference for none
};

/// Names by colour and variants by dash.
struct Legend {
  std::vector<Entry> names, variants;
};

Legend make_legend(const std::vector<Series>& series, bool with_markers) {
  Legend legend;
  const auto add = [](std::vector<Entry>& entries, const Entry& entry) {
    const auto same = [&](const Entry& other) { return other.label == entry.label; };
    if (entry.label.empty() || std::any_of(entries.begin(), entries.end(), same)) return;
    entries.push_back(entry);
  };
  for (const auto& s : series) {
    add(legend.names, {s.name, stroke(s.color), s.variant.empty() ? s.dash : Dash::kSolid,
                       with_markers ? s.color : Series::kReference});
    add(legend.variants, {s.variant, kTextColor, s.dash, Series::kReference});
  }
  return legend;
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart), x_(chart.x, x_values()), y_(chart.y, y_values()) {
    std::set<int> colors;
    for (const auto& s : chart.series) colors.insert(s.color);
    colors.erase(Series::kReference);
    several_colors_ = colors.size() > 1;
  }

  std::string svg() {
    svg_ = head(chart_.width, chart_.height, chart_.title);
    left_ = 34 + widest_label();
    right_ = chart_.width - 14;
    svg_ += title(left_, right_ - left_, chart_.title);
    top_ = draw_legend(28) + 4;
    bottom_ = chart_.height - 40;
    draw_axes();
    for (const auto& s : chart_.series) draw_lines(s);
    for (const auto& s : chart_.series) draw_markers(s);
    draw_labels();
    return svg_ + "</svg>\n";
  }

 private:
  struct Point {
    double x, y;
  };

  struct Box {
    double left, top, right, bottom;

    double overlap(const Box& other) const {
      return std::max(0.0, std::min(right, other.right) - std::max(left, other.left)) *
             std::max(0.0, std::min(bottom, other.bottom) - std::max(top, other.top));
    }
  };

  std::vector<double> x_values() const {
    std::vector<double> values;
    for (const auto& s : chart_.series) values.insert(values.end(), s.x.begin(), s.x.end());
    return values;
  }

  /// Of the points that the horizontal axis shows.
  std::vector<double> y_values() const {
    std::vector<double> values;
    for (const auto& s : chart_.series) {
      for (size_t i = 0; i < s.y.size(); ++i) {
        if (x_.shows(s.x[i])) values.push_back(s.y[i]);
      }
    }
    return values;
  }

  std::vector<Tick> x_ticks() const { return x_.ticks(std::max(2, chart_.width / 60)); }
  std::vector<Tick> y_ticks() const { return y_.ticks(std::max(2, chart_.height / 45)); }

  double widest_label() const {
    double width = 26;  // so that the frames of most charts of a page are in line
    for (const auto& tick : y_ticks()) {
      width = std::max(width, text_width(tick.label, kSmallFontSize));
    }
    return width;
  }

  Point place(double x, double y) const {
    return {left_ + (right_ - left_) * x_.position(x), bottom_ - (bottom_ - top_) * y_.position(y)};
  }

  /// From `y` on, where there is anything to tell apart; returns where it ends.
  double draw_legend(double y) {
    const auto [names, variants] = make_legend(chart_.series, several_colors_);
    if (names.size() + variants.size() < 2) return y;
    return draw_entries(variants, draw_entries(names, y));
  }

  /// Rows of samples, from `y` on; returns where they end.
  double draw_entries(const std::vector<Entry>& entries, double y) {
    double x = left_;
    for (const auto& entry : entries) {
      const std::string label = shortened(entry.label, kFontSize, right_ - left_ - kSwatch - kGap);
      const double width = kSwatch + kGap + text_width(label, kFontSize);
      if (x > left_ && x + width > right_) {
        x = left_;
        y += kRow;
      }
      if (entry.dash != Dash::kNone) {
        svg_ += line(x, y + 4, x + kSwatch, y + 4,
                     fmt::format("stroke=\"{}\" stroke-width=\"1.8\"{}", entry.color,
                                 dash_attribute(entry.dash)));
      }
      if (entry.marker != Series::kReference) {
        svg_ += marker(entry.marker, x + kSwatch / 2, y + 4);
      }
      svg_ += text(x + kSwatch + kGap, y + 8, "", label);
      x += width + 16;
    }
    return entries.empty() ? y : y + kRow;
  }

  void draw_axes() {
    const std::string grid = "stroke=\"#dddddd\" stroke-width=\"0.8\"";
    const std::string small = fmt::format(" font-size=\"{}\"", kSmallFontSize);
    for (const auto& tick : x_ticks()) {
      const double x = left_ + (right_ - left_) * x_.position(tick.value);
      svg_ += line(x, top_, x, bottom_, grid);
      svg_ += text(x, bottom_ + 15, small + " text-anchor=\"middle\"", tick.label);
    }
    for (const auto& tick : y_ticks()) {
      const double y = bottom_ - (bottom_ - top_) * y_.position(tick.value);
      svg_ += line(left_, y, right_, y, grid);
      svg_ += text(left_ - 6, y + 4, small + " text-anchor=\"end\"", tick.label);
    }
    const std::string frame = "stroke=\"#444444\" stroke-width=\"1\"";
    svg_ += line(left_, bottom_, right_, bottom_, frame);
    svg_ += line(left_, top_, left_, bottom_, frame);
    svg_ += text((left_ + right_) / 2, bottom_ + 33, " text-anchor=\"middle\"", chart_.x.label);
    svg_ += fmt::format(
        "<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        (top_ + bottom_) / 2, xml_escaped(chart_.y.label));
    const auto empty = [this](const Series& s) { return pieces(s).empty(); };
    if (std::all_of(chart_.series.begin(), chart_.series.end(), empty)) {
      svg_ += text((left_ + right_) / 2, (top_ + bottom_) / 2,
                   " text-anchor=\"middle\" fill=\"#666666\"", "no data");
    }
  }

  /// The runs of points that the axes show without a gap between them.
  std::vector<std::vector<Point>> pieces(const Series& s) const {
    std::vector<std::vector<Point>> found;
    bool gap = true;
    for (size_t i = 0; i < s.y.size(); ++i) {
      const bool shown = x_.shows(s.x[i]) && y_.shows(s.y[i]);
      if (shown && gap) found.emplace_back();
      if (shown) found.back().push_back(place(s.x[i], s.y[i]));
      gap = !shown;
    }
    return found;
  }

  void draw_lines(const Series& s) {
    if (s.dash == Dash::kNone) return;
    const std::string name = s.name + (s.name.empty() || s.variant.empty() ? "" : ", ") + s.variant;
    for (const auto& piece : pieces(s)) {
      if (piece.size() < 2) continue;
      std::string points;
      for (const auto& point : piece) points += fmt::format("{:.1f},{:.1f} ", point.x, point.y);
      points.pop_back();
      svg_ += fmt::format(
          "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" "
          "stroke-linejoin=\"round\"{}><title>{}</title></polyline>\n",
          points, stroke(s.color), dash_attribute(s.dash), xml_escaped(name));
    }
  }

  /// On every point of a short line; on some ten of a long one where there are other colours to
  /// tell it from, each colour at places of its own; and always on a point alone.
  void draw_markers(const Series& s) {
    if (s.color == Series::kReference) return;
    constexpr size_t kFew = 20, kSome = 10;
    const auto found = pieces(s);
    size_t count = 0, index = 0;
    for (const auto& piece : found) count += piece.size();
    const size_t stride = count <= kFew || s.dash == Dash::kNone ? 1 : (count + kSome - 1) / kSome;
    const size_t first = (2 * s.color + 1) * stride / (2 * kLooks.size()) % stride;
    const bool sampled = stride == 1 || several_colors_;
    for (const auto& piece : found) {
      for (const auto& point : piece) {
        const bool chosen = sampled && index % stride == first;
        if (chosen || piece.size() == 1) svg_ += marker(s.color, point.x, point.y);
        ++index;
      }
    }
  }

  /// What is shown of the points with labels: where, and which.
  std::vector<std::pair<Point, std::string>> labelled_points() const {
    std::vector<std::pair<Point, std::string>> found;
    for (const auto& s : chart_.series) {
      for (size_t i = 0; i < s.labels.size(); ++i) {
        if (x_.shows(s.x[i]) && y_.shows(s.y[i]))
          found.push_back({place(s.x[i], s.y[i]), s.labels[i]});
      }
    }
    return found;
  }

  /// Each label beside its point, where it covers least of the points and the labels before it.
  void draw_labels() {
    const auto points = labelled_points();
    std::vector<Box> taken;
    for (const auto& [point, label] : points) {
      taken.push_back({point.x - kMarkerRadius, point.y - kMarkerRadius, point.x + kMarkerRadius,
                       point.y + kMarkerRadius});
    }
    for (const auto& [point, label] : points) {
      const Box box = free_box(point, text_width(label, kLabelFontSize), taken);
      taken.push_back(box);
      svg_ += text(box.left, box.bottom - 2,
                   fmt::format(" class=\"label\" font-size=\"{}\" stroke=\"white\" "
                               "stroke-width=\"2.5\" paint-order=\"stroke\"",
                               kLabelFontSize),
                   label);
    }
  }

  /// For a label of that width around a point, within the frame.
  Box free_box(const Point& point, double width, const std::vector<Box>& taken) const {
    constexpr double kHeight = kLabelFontSize + 1;
    Box best{};
    double least = std::numeric_limits<double>::infinity();
    for (const double distance : {kMarkerRadius, 3 * kMarkerRadius}) {
      for (const auto& [dx, dy] :
           {std::pair{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}}) {
        const double x = point.x + dx * (distance + width / 2),
                     y = point.y + dy * (distance + kHeight / 2);
        const Box box{x - width / 2, y - kHeight / 2, x + width / 2, y + kHeight / 2};
        double covered =
            box.overlap({-1e4, -1e4, left_, 1e4}) + box.overlap({right_, -1e4, 1e4, 1e4}) +
            box.overlap({-1e4, -1e4, 1e4, top_}) + box.overlap({-1e4, bottom_, 1e4, 1e4});
        for (const auto& other : taken) covered += box.overlap(other);
        if (covered < least) {
          least = covered;
          best = box;
        }
      }
    }
    return best;
  }

  const Chart& chart_;
  const Scale x_, y_;
  bool several_colors_;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  std::string svg_;
};

}  // namespace

std::string to_svg(const Chart& chart) { return Drawing(chart).svg(); }

}  // namespace mobileone
