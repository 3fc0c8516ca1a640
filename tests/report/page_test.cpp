#include "mobileone/report/page.h"

#include <gtest/gtest.h>

#include "mobileone/report/chart.h"
#include "report/xml.h"

namespace mobileone {
namespace {

TEST(Page, IsWellFormedWhateverItHolds) {
  const std::string evil = "</td><script>\"'&\xff";
  const std::string page =
      html::page(evil, html::heading(evil) + html::paragraph(evil) +
                           html::table({{evil, "n"}, {{evil, "1"}}}) +
                           html::figures({to_svg(Chart{evil, {}, {}, {}})}) +
                           html::contact_sheet({{"\xff\xd8", {evil}}, {"", {evil}}}) +
                           html::link(evil, evil) + html::details(evil, html::preformatted(evil)));
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(page.find("<script"), page.npos);
}

TEST(Page, IsSelfContained) {
  const std::string page = html::page("p", html::contact_sheet({{"\xff\xd8\xff", {"a"}}}));
  EXPECT_NE(page.find("src=\"data:image/jpeg;base64,/9j/\""), page.npos);
  EXPECT_EQ(page.find("http"), page.npos);
  EXPECT_NE(page.find("@media print"), page.npos);
}

TEST(Page, NumbersAreFlushRight) {
  const std::string table =
      html::table({{"name", "images", "minus"}, {{"a1", "12", "–"}, {"2b", "3.5", "−4"}}});
  EXPECT_EQ(count(table, "class=\"number\""), 6);
  EXPECT_NE(table.find("<td>a1</td>"), table.npos);
}

}  // namespace
}  // namespace mobileone
