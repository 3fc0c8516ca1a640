#include "mobileone/report/chart.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <regex>

#include "report/xml.h"

namespace mobileone {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> ramp(int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(i + 1);
  return values;
}

std::string svg_of(std::vector<Series> series, Axis y = {}) {
  return to_svg({"title", {"epoch"}, std::move(y), std::move(series)});
}

TEST(Chart, IsWellFormedAndEscaped) {
  const Series series = {"<a> & \"b\" \xff", {1, 2}, {3, 4}};
  const std::string svg = to_svg({"<title>", {"x, <px>"}, {"y & z"}, {series, series}});
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_NE(svg.find("&lt;a&gt; &amp; &quot;b&quot; \uFFFD"), svg.npos);
}

TEST(Chart, DrawsALinePerSeriesInsideItsFrame) {
  const std::string svg = svg_of({{"a", {0, 10}, {0, 1}}, {"b", {0, 10}, {1, 0}, 1}});
  EXPECT_EQ(count(svg, "<polyline"), 2);
  EXPECT_EQ(count(svg, ">a</text>") + count(svg, ">b</text>"), 2) << "the legend";
  EXPECT_NE(svg.find(">10</text>"), svg.npos) << "a tick";
}

TEST(Chart, LinesBreakWhereValuesAreMissing) {
  const auto x = ramp(30);
  auto y = x;
  y[10] = kNan;
  y[20] = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(count(svg_of({{"", x, y}}), "<polyline"), 3);
  EXPECT_EQ(count(svg_of({{"", x, y}}), "class=\"marker\""), 0);
  y[12] = kNan;
  EXPECT_EQ(count(svg_of({{"", x, y}}), "<polyline"), 3);
  EXPECT_EQ(count(svg_of({{"", x, y}}), "class=\"marker\""), 1) << "the point left alone";
  EXPECT_EQ(svg_of({{"", x, y}}).find("nan"), std::string::npos);
}

TEST(Chart, LogarithmicAxesLeaveOutWhatIsNotPositive) {
  EXPECT_EQ(count(svg_of({{"", ramp(40),
                           [] {
                             auto y = ramp(40);
                             y[20] = 0;
                             return y;
                           }()}},
                         {.log = true}),
                  "<polyline"),
            2);
}

TEST(Chart, OnePointIsAMarker) {
  const std::string svg = svg_of({{"", {1}, {0.5}}});
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "<polyline"), 0);
  EXPECT_EQ(count(svg, "class=\"marker\""), 1);
}

TEST(Chart, NothingToDrawSaysSo) {
  for (const auto& svg : {svg_of({}), svg_of({{"a", {}, {}}}), svg_of({{"a", {1}, {kNan}}})}) {
    EXPECT_EQ(xml_fault(svg), "");
    EXPECT_NE(svg.find("no data"), svg.npos);
  }
}

TEST(Chart, SeveralColoursHaveMarkersOfTheirOwn) {
  const auto x = ramp(300);
  EXPECT_EQ(count(svg_of({{"a", x, x}, {"a", x, x, 0, Dash::kDashed}}), "class=\"marker\""), 0);
  const std::string svg = svg_of({{"a", x, x, 0}, {"b", x, x, 1}});
  EXPECT_EQ(count(svg, "class=\"marker\""), 2 * 10 + 2) << "ten each and the legend's";
}

TEST(Chart, LegendNamesEachColourAndEachDashOnce) {
  std::vector<Series> series;
  for (int run = 0; run < 3; ++run) {
    for (const Dash dash : {Dash::kSolid, Dash::kDashed}) {
      series.push_back({"run" + std::to_string(run), ramp(50), ramp(50), run, dash,
                        dash == Dash::kSolid ? "EMA" : "raw"});
    }
  }
  const std::string svg = svg_of(series);
  for (const char* label : {">run0</text>", ">run2</text>", ">EMA</text>", ">raw</text>"}) {
    EXPECT_EQ(count(svg, label), 1) << label;
  }
  EXPECT_EQ(count(svg, "stroke-dasharray"), 3 + 1) << "three lines and the legend's";
  EXPECT_NE(svg.find("<title>run1, raw</title>"), svg.npos);
}

TEST(Chart, AxesWithGivenEndsFitTheOtherToWhatIsShown) {
  const std::string svg =
      to_svg({"", {.label = "", .from = 20}, {}, {{"", {1, 20, 40}, {1000, 1, 2}}}});
  EXPECT_EQ(svg.find(">1000</text>"), svg.npos);
  EXPECT_EQ(count(svg, "<polyline"), 1);
}

/// The boxes of the labels, as far as they can be told.
std::vector<std::array<double, 4>> label_boxes(const std::string& svg) {
  std::vector<std::array<double, 4>> boxes;
  const std::regex label(R"re(<text x="([-\d.]+)" y="([-\d.]+)" class="label"[^>]*>([^<]*)<)re");
  for (std::sregex_iterator match(svg.begin(), svg.end(), label), end; match != end; ++match) {
    const double x = std::stod((*match)[1]), y = std::stod((*match)[2]);
    boxes.push_back({x, y - 9, x + text_width((*match)[3].str(), 10), y});
  }
  return boxes;
}

TEST(Chart, LabelsOfPointsKeepApartAndInsideTheFrame) {
  Series series = {"a", {}, {}, 0, Dash::kNone};
  for (int i = 0; i < 12; ++i) {
    series.x.push_back(10 + 0.4 * (i % 4));
    series.y.push_back(10 + 0.4 * (i / 4));
    series.labels.push_back("network " + std::to_string(i));
  }
  const Chart chart = {"title", {"x"}, {"y"}, {series}, 1000, 500};
  const std::string svg = to_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "<polyline"), 0) << "points without a line";
  EXPECT_EQ(count(svg, "class=\"marker\""), 12);
  const auto boxes = label_boxes(svg);
  ASSERT_EQ(boxes.size(), 12);
  for (size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_GE(boxes[i][0], 0);
    EXPECT_LE(boxes[i][2], chart.width);
    for (size_t j = 0; j < i; ++j) {
      EXPECT_TRUE(boxes[i][0] >= boxes[j][2] || boxes[j][0] >= boxes[i][2] ||
                  boxes[i][1] >= boxes[j][3] || boxes[j][1] >= boxes[i][3])
          << i << " and " << j;
    }
  }
}

}  // namespace
}  // namespace mobileone
