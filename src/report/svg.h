#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "mobileone/report/text.h"

/// What the drawings of this folder share: their looks, and pieces of SVG.
namespace mobileone::svg {

inline constexpr double kFontSize = 12, kSmallFontSize = 11;

/// A colour, the one that stands for it on a dark page, and a marker of radius 3.5 px around the
/// origin.
struct Look {
  const char* color;
  const char* on_dark;
  const char* marker;
};

// Blue, yellow and red near those of Tol's high-contrast scheme (SRON/EPS/TN/09-002, 2021), then
// others of his that keep apart from these; neighbours differ in lightness, for printing in grey.
inline constexpr std::array<Look, 6> kLooks = {{
    {"#004488", "#6aa9f2", "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z"},
    {"#dd9e22", "#e8b04a", "M-3.3 -3.3h6.6v6.6h-6.6z"},
    {"#b84a62", "#e58398", "M0 -4.5L4.2 2.9H-4.2z"},
    {"#44aa99", "#5cc4b3", "M0 -4.6L4.6 0L0 4.6L-4.6 0z"},
    {"#882255", "#cf7aa8", "M0 4.5L4.2 -2.9H-4.2z"},
    {"#7788dd", "#9aa8f0", "M-4 -1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z"},
}};
inline constexpr const char* kTextColor = "#222222";

/// What else is painted in drawings, of other folders too, and what stands for it on a dark page.
/// What is in neither list looks the same on both.
struct Paint {
  const char* color;
  const char* on_dark;
};
inline constexpr std::array<Paint, 6> kPaints = {{
    {"white", "#17191d"},  // the page, and what keeps drawings apart from what lies below
    {kTextColor, "#dddddd"},
    {"#dddddd", "#3b4048"},  // grids
    {"#444444", "#9aa0a8"},  // axes
    {"#666666", "#a6acb4"},
    {"#08306b", "#8ebcf7"},  // shares of a confusion matrix
}};

inline const Look& look(int color) { return kLooks[color % kLooks.size()]; }

inline std::string line(double x1, double y1, double x2, double y2, const std::string& attributes) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, attributes);
}

inline std::string text(double x, double y, const std::string& attributes,
                        std::string_view content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y, attributes,
                     xml_escaped(content));
}

/// Hollow once the palette is used up.
inline std::string marker(int color, double x, double y) {
  const bool hollow = color / kLooks.size() % 2 == 1;
  const auto [paint, on_dark, shape] = look(color);
  return fmt::format(
      "<path class=\"marker\" transform=\"translate({:.1f} {:.1f})\" d=\"{}\" fill=\"{}\" "
      "stroke=\"{}\" stroke-width=\"{}\"/>\n",
      x, y, shape, hollow ? "white" : paint, hollow ? paint : "white", hollow ? 1.4 : 0.8);
}

/// How a drawing of `width`×`height` px begins, which is called `title`; it ends with </svg>.
inline std::string head(int width, int height, std::string_view title) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"{2}\" "
      "fill=\"{3}\" role=\"img\">\n<title>{4}</title>\n",
      width, height, kFontSize, kTextColor, xml_escaped(title));
}

/// The title above a drawing, from `x` on, at most `width` px wide.
inline std::string title(double x, double width, std::string_view content) {
  return text(x, 17, " font-size=\"14\" font-weight=\"bold\"", shortened(content, 14, width));
}

}  // namespace mobileone::svg
