#include "mobileone/eval/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "mobileone/report/axis.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

constexpr int kShades = 32;

int shade_of(double share) { return static_cast<int>(std::lround(kShades * std::sqrt(share))); }

/// White to dark blue.
std::string shade_color(int shade) {
  const auto mix = [&](int from, int to) { return from + (to - from) * shade / kShades; };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(255, 8), mix(255, 48), mix(255, 107));
}

class ConfusionDrawing {
 public:
  explicit ConfusionDrawing(const Evaluation& evaluation)
      : names_(evaluation.class_names),
        counts_(evaluation.confusion),
        classes_(counts_.size(0)),
        cell_(static_cast<int>(std::clamp<int64_t>(900 / std::max<int64_t>(1, classes_), 1, 56))),
        font_(has_names() ? std::min(12, cell_) : 11) {
    double longest = 0;
    if (has_names()) {
      for (const auto& name : names_) longest = std::max(longest, text_width(name, font_));
    }
    margin_ = 40 + static_cast<int>(has_names() ? std::min(longest, kLongestName) : 30);
  }

  std::string svg() {
    const int64_t matrix = cell_ * classes_, width = margin_ + std::max<int64_t>(matrix, 260) + 30,
                  height = margin_ + matrix + 60;
    svg_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"{2}\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        "<text x=\"{3}\" y=\"16\" font-size=\"12\" font-weight=\"bold\">prediction</text>\n"
        "<text transform=\"translate(16 {3}) rotate(-90)\" font-size=\"12\" font-weight=\"bold\" "
        "text-anchor=\"end\">label</text>\n",
        width, height, font_, margin_);
    draw_cells();
    if (has_names()) {
      draw_names();
    } else {
      draw_numbers();
    }
    svg_ += fmt::format(
        "<rect x=\"{0}\" y=\"{0}\" width=\"{1}\" height=\"{1}\" fill=\"none\" stroke=\"#888\"/>\n",
        margin_, matrix);
    draw_key(margin_ + matrix + 18);
    return svg_ + "</svg>\n";
  }

 private:
  static constexpr double kLongestName = 200;

  bool has_names() const { return cell_ >= 8; }
  bool has_counts() const { return cell_ >= 20; }

  /// One path a shade, so that a thousand classes are a small file that is drawn quickly.
  void draw_cells() {
    const auto counts = counts_.accessor<int64_t, 2>();
    std::array<std::string, kShades + 1> cells;
    std::string numbers;
    for (int64_t row = 0; row < classes_; ++row) {
      int64_t total = 0;
      for (int64_t column = 0; column < classes_; ++column) total += counts[row][column];
      for (int64_t column = 0; column < classes_; ++column) {
        if (counts[row][column] == 0) continue;
        const int shade = shade_of(static_cast<double>(counts[row][column]) / total);
        const int64_t x = margin_ + column * cell_, y = margin_ + row * cell_;
        cells[shade] += fmt::format("M{} {}h{}v{}h-{}z", x, y, cell_, cell_, cell_);
        if (has_counts()) numbers += number(x, y, counts[row][column], shade);
      }
    }
    for (int shade = 0; shade <= kShades; ++shade) {
      if (cells[shade].empty()) continue;
      svg_ += fmt::format("<path fill=\"{}\" shape-rendering=\"crispEdges\" d=\"{}\"/>\n",
                          shade_color(shade), cells[shade]);
    }
    svg_ += numbers;
  }

  std::string number(int64_t x, int64_t y, int64_t count, int shade) const {
    const std::string digits = std::to_string(count);
    const double size = std::min<double>(font_, 1.6 * cell_ / static_cast<double>(digits.size()));
    return fmt::format(
        "<text x=\"{}\" y=\"{}\" font-size=\"{:.1f}\" text-anchor=\"middle\" fill=\"{}\">{}</text>"
        "\n",
        x + cell_ / 2, y + cell_ / 2 + 4, size, shade > kShades * 5 / 8 ? "white" : "black",
        digits);
  }

  void draw_label(double place, const std::string& label) {
    const double base = margin_ + place + font_ / 3.0;
    svg_ += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", margin_ - 6,
                        base, label);
    svg_ += fmt::format("<text transform=\"translate({:.1f} {}) rotate(-90)\">{}</text>\n", base,
                        margin_ - 6, label);
  }

  void draw_names() {
    for (int64_t i = 0; i < classes_; ++i) {
      draw_label((i + 0.5) * cell_, xml_escaped(shortened(names_[i], font_, kLongestName)));
    }
  }

  void draw_numbers() {
    const auto last = static_cast<double>(classes_ - 1);
    for (const auto& tick : Scale({.from = 0, .to = last}, {0, last}).ticks(11)) {
      draw_label((tick.value + 0.5) * cell_, tick.label);
    }
  }

  /// What the shades mean.
  void draw_key(int64_t y) {
    constexpr int kWidth = 6;
    for (int shade = 0; shade <= kShades; ++shade) {
      svg_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" fill=\"{}\"/>\n",
                          margin_ + shade * kWidth, y, kWidth, shade_color(shade));
    }
    svg_ += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" fill=\"none\" stroke=\"#888\" "
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
  const torch::Tensor counts_;
  const int64_t classes_;
  const int cell_, font_;
  int margin_ = 0;
  std::string svg_;
};

}  // namespace

std::vector<ClassAccuracy> per_class(const Evaluation& evaluation) {
  const auto counts = evaluation.confusion.accessor<int64_t, 2>();
  const int64_t classes = evaluation.confusion.size(0);
  std::vector<ClassAccuracy> result;
  for (int64_t row = 0; row < classes; ++row) {
    ClassAccuracy entry{row, 0, counts[row][row], -1};
    int64_t most = 0;
    for (int64_t column = 0; column < classes; ++column) {
      entry.images += counts[row][column];
      if (column == row || counts[row][column] <= most) continue;
      most = counts[row][column];
      entry.mistaken_for = column;
    }
    if (entry.images > 0) result.push_back(entry);
  }
  return result;
}

std::string per_class_csv(const Evaluation& evaluation) {
  const auto& names = evaluation.class_names;
  std::string text = "class,images,correct,accuracy,most_often_taken_for\n";
  for (const auto& entry : per_class(evaluation)) {
    text += fmt::format("{},{},{},{:.2f},{}\n", csv_field(names[entry.label]), entry.images,
                        entry.correct, entry.percent(),
                        entry.mistaken_for < 0 ? "" : csv_field(names[entry.mistaken_for]));
  }
  return text;
}

std::string confusion_csv(const Evaluation& evaluation) {
  std::string text = "label";
  for (const auto& name : evaluation.class_names) text += "," + csv_field(name);
  const auto counts = evaluation.confusion.accessor<int64_t, 2>();
  for (int64_t row = 0; row < evaluation.confusion.size(0); ++row) {
    text += "\n" + csv_field(evaluation.class_names[row]);
    for (int64_t column = 0; column < evaluation.confusion.size(1); ++column) {
      text += fmt::format(",{}", counts[row][column]);
    }
  }
  return text + "\n";
}

std::string confusion_svg(const Evaluation& evaluation) {
  return ConfusionDrawing(evaluation).svg();
}

}  // namespace mobileone
