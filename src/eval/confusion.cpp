#include "mobileone/eval/confusion.h"

#include <fmt/format.h>

#include <algorithm>

#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

std::string xml_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// White to dark blue.
std::string shade(double share) {
  const auto mix = [&](int from, int to) { return static_cast<int>(from + (to - from) * share); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(255, 8), mix(255, 48), mix(255, 107));
}

}  // namespace

std::string per_class_csv(const Evaluation& evaluation) {
  std::string text = "class,images,correct,accuracy,most_often_taken_for\n";
  const auto counts = evaluation.confusion.accessor<int64_t, 2>();
  const int64_t classes = evaluation.confusion.size(0);
  for (int64_t row = 0; row < classes; ++row) {
    int64_t images = 0, mistaken = -1;
    for (int64_t column = 0; column < classes; ++column) {
      images += counts[row][column];
      const bool more = mistaken < 0 || counts[row][column] > counts[row][mistaken];
      if (column != row && counts[row][column] > 0 && more) mistaken = column;
    }
    if (images == 0) continue;
    text += fmt::format("{},{},{},{:.2f},{}\n", csv_field(evaluation.class_names[row]), images,
                        counts[row][row], 100.0 * counts[row][row] / images,
                        mistaken < 0 ? "" : csv_field(evaluation.class_names[mistaken]));
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
  const int64_t classes = evaluation.confusion.size(0);
  const auto counts = evaluation.confusion.accessor<int64_t, 2>();
  const bool labelled = classes <= 50;
  const int cell = labelled ? std::clamp<int>(static_cast<int>(900 / classes), 24, 56) : 2;
  size_t longest = 0;
  for (const auto& name : evaluation.class_names) longest = std::max(longest, name.size());
  const int margin = labelled ? 40 + 7 * static_cast<int>(longest) : 40;
  const int64_t side = margin + cell * classes + 20;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" width=\"{0}\" "
      "height=\"{0}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{1}\" y=\"16\" font-weight=\"bold\">prediction</text>\n"
      "<text transform=\"translate(16 {1}) rotate(90)\" font-weight=\"bold\">label</text>\n",
      side, margin);
  for (int64_t row = 0; row < classes; ++row) {
    const double total = std::max<double>(1, evaluation.confusion[row].sum().item<double>());
    const int64_t y = margin + row * cell;
    if (labelled) {
      const std::string name = xml_escaped(evaluation.class_names[row]);
      svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", margin - 6,
                         y + cell / 2 + 4, name);
      svg += fmt::format("<text transform=\"translate({} {}) rotate(-90)\">{}</text>\n",
                         y + cell / 2 + 4, margin - 6, name);
    }
    for (int64_t column = 0; column < classes; ++column) {
      const double share = counts[row][column] / total;
      if (counts[row][column] == 0) continue;
      const int64_t x = margin + column * cell;
      svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", x, y,
                         cell, cell, shade(share));
      if (labelled) {
        svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{}\">{}</text>\n",
                           x + cell / 2, y + cell / 2 + 4, share > 0.5 ? "white" : "black",
                           counts[row][column]);
      }
    }
  }
  svg += fmt::format(
      "<rect x=\"{0}\" y=\"{0}\" width=\"{1}\" height=\"{1}\" fill=\"none\" stroke=\"#888\"/>\n"
      "</svg>\n",
      margin, cell * classes);
  return svg;
}

}  // namespace mobileone
