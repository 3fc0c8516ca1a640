#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "mobileone/eval/confusion.h"
#include "mobileone/report/text.h"

namespace mobileone {
namespace {

constexpr int kShades = 32;

int shade_of(double share) { return static_cast<int>(std::lround(kShades * std::sqrt(share))); }

/// From what lies below, which is white but for a dark page's, to dark blue.
std::string shade_paint(int shade) {
  return fmt::format("fill=\"#08306b\" fill-opacity=\"{:.3g}\"",
                     static_cast<double>(shade) / kShades);
}

class ConfusionDrawing {
 public:
  ConfusionDrawing(const std::vector<std::string>& names, std::vector<ConfusionCount> counts)
      : names_(names),
        counts_(std::move(counts)),
        cell_(std::clamp(900 / std::max(1, static_cast<int>(names_.size())), 1, 56)),
        font_(std::min(12, cell_)) {
    double longest = 0;
    for (const auto& name : names_) longest = std::max(longest, text_width(name, font_));
    margin_ = 40 + static_cast<int>(std::min(longest, kLongestName));
  }

  std::string svg() {
    const int matrix = cell_ * static_cast<int>(names_.size()),
              width = margin_ + std::max(matrix, 260) + 30, height = margin_ + matrix + 60;
    svg_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"{2}\" "
        "fill=\"#222222\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        "<text x=\"{3}\" y=\"16\" font-size=\"12\" font-weight=\"bold\">prediction</text>\n"
        "<text transform=\"translate(16 {3}) rotate(-90)\" font-size=\"12\" font-weight=\"bold\" "
        "text-anchor=\"end\">label</text>\n",
        width, height, font_, margin_);
    draw_cells();
    draw_names();
    svg_ += fmt::format(
        "<rect x=\"{0}\" y=\"{0}\" width=\"{1}\" height=\"{1}\" fill=\"none\" "
        "stroke=\"#888888\"/>\n",
        margin_, matrix);
    draw_key(margin_ + matrix + 18);
    return svg_ + "</svg>\n";
  }

 private:
  static constexpr double kLongestName = 200;

  bool has_counts() const { return cell_ >= 20; }

  /// One path a shade, so that many classes are a small file that is drawn quickly.
  void draw_cells() {
    std::vector<int64_t> totals(names_.size());
    for (const auto& count : counts_) totals[count.label] += count.images;
    std::array<std::string, kShades + 1> cells;
    std::string numbers;
    for (const auto& [label, prediction, images] : counts_) {
      const int shade = shade_of(static_cast<double>(images) / static_cast<double>(totals[label]));
      const int64_t x = margin_ + prediction * cell_, y = margin_ + label * cell_;
      cells[shade] += fmt::format("M{} {}h{}v{}h-{}z", x, y, cell_, cell_, cell_);
      if (has_counts()) numbers += number(x, y, images, shade);
    }
    for (int shade = 0; shade <= kShades; ++shade) {
      if (cells[shade].empty()) continue;
      svg_ += fmt::format("<path {} shape-rendering=\"crispEdges\" d=\"{}\"/>\n",
                          shade_paint(shade), cells[shade]);
    }
    svg_ += numbers;
  }

  std::string number(int64_t x, int64_t y, int64_t count, int shade) const {
    const std::string digits = std::to_string(count);
    const double size = std::min<double>(font_, 1.6 * cell_ / static_cast<double>(digits.size()));
    return fmt::format(
        "<text x=\"{}\" y=\"{}\" font-size=\"{:.1f}\" text-anchor=\"middle\"{}>{}</text>\n",
        x + cell_ / 2, y + cell_ / 2 + 4, size, shade > kShades * 5 / 8 ? " fill=\"white\"" : "",
        digits);
  }

  void draw_names() {
    for (size_t i = 0; i < names_.size(); ++i) {
      const double base = margin_ + (static_cast<double>(i) + 0.5) * cell_ + font_ / 3.0;
      const std::string name = xml_escaped(shortened(names_[i], font_, kLongestName));
      svg_ += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                          margin_ - 6, base, name);
      svg_ += fmt::format("<text transform=\"translate({:.1f} {}) rotate(-90)\">{}</text>\n", base,
                          margin_ - 6, name);
    }
  }

  /// What the shades mean.
  void draw_key(int y) {
    constexpr int kWidth = 6;
    for (int shade = 0; shade <= kShades; ++shade) {
      svg_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" {}/>\n",
                          margin_ + shade * kWidth, y, kWidth, shade_paint(shade));
    }
    svg_ += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" fill=\"none\" stroke=\"#888888\" "
        "stroke-width=\"0.5\"/>\n",
        margin_, y, kWidth * (kShades + 1));
    for (const int percent : {0, 1, 10, 25, 50, 100}) {
      svg_ +=
          fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"10\" text-anchor=\"middle\">{}</text>\n",
                      margin_ + kWidth * shade_of(percent / 100.0) + kWidth / 2, y + 22, percent);
    }
    svg_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"10\">% of the label</text>\n",
                        margin_ + kWidth * (kShades + 1) + 14, y + 22);
  }

  const std::vector<std::string>& names_;
  const std::vector<ConfusionCount> counts_;
  const int cell_, font_;
  int margin_ = 0;
  std::string svg_;
};

}  // namespace

std::string confusion_svg(const std::vector<std::string>& names,
                          const std::vector<ConfusionCount>& counts) {
  return ConfusionDrawing(names, counts).svg();
}

std::string confusion_svg(const Evaluation& evaluation) {
  return confusion_svg(evaluation.class_names, confusion_counts(evaluation.images));
}

}  // namespace mobileone
