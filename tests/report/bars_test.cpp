#include "mobileone/report/bars.h"

#include <gtest/gtest.h>

#include <limits>

#include "report/xml.h"

namespace mobileone {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(Bars, OneARowWithWhiskersWhereASpreadIsKnown) {
  const BarChart chart = {.title = "<title>",
                          .x = {.label = "ms"},
                          .bars = {{"a", 1, 0.9, 1.1, "one"}, {"b & c", 2}, {"none", kNone}}};
  const std::string svg = to_svg(chart);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(count(svg, "class=\"bar\""), 2);
  EXPECT_EQ(
      count(svg, ">one</text>") + count(svg, ">b &amp; c</text>") + count(svg, ">none</text>"), 3);
  EXPECT_NE(svg.find(">0</text>"), svg.npos) << "bars begin at 0";
  EXPECT_EQ(svg.find("nan"), svg.npos);
}

TEST(Bars, DotsMayBeginAnywhere) {
  const BarChart chart = {.title = "", .x = {}, .bars = {{"a", 70}, {"b", 71}}, .dots = true};
  const std::string svg = to_svg(chart);
  EXPECT_EQ(count(svg, "class=\"marker\""), 2);
  EXPECT_EQ(count(svg, "class=\"bar\""), 0);
  EXPECT_EQ(svg.find(">0</text>"), svg.npos);
}

TEST(Bars, NoBarsAreNoFault) { EXPECT_EQ(xml_fault(to_svg(BarChart{})), ""); }

}  // namespace
}  // namespace mobileone
