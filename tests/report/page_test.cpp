#include "mobileone/report/page.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>

#include "mobileone/report/chart.h"
#include "mobileone/report/text.h"
#include "mobileone/util/process.h"
#include "mobileone/util/version.h"
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

TEST(Page, SaysByWhatItWasMade) {
  const std::string page = html::page("p", "");
  const std::string footer = page.substr(page.find("<footer>"));
  for (const auto& part : {std::string(version()), std::string(revision()), std::string(" UTC. "),
                           xml_escaped(command_line())}) {
    EXPECT_NE(footer.find(part), footer.npos) << part << " in " << footer;
  }
}

TEST(Page, EveryColourOfDrawingsHasOneForDarkPages) {
  const std::string svg = to_svg(Chart{"t", {}, {}, {{"a", {0, 1}, {0, 1}}, {"b", {0}, {1}, 1}}}),
                    page = html::page("p", svg);
  const std::string dark = page.substr(page.find("prefers-color-scheme: dark"));
  const std::regex paint("(fill|stroke)=\"(#[0-9a-f]{6}|white)\"");
  int paints = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), paint), end; it != end; ++it, ++paints) {
    const std::string rule = fmt::format("[{}=\"{}\"] {{", (*it)[1].str(), (*it)[2].str());
    EXPECT_NE(dark.find(rule), dark.npos) << rule;
  }
  EXPECT_GT(paints, 10);
}

TEST(Page, DoubtsAreOneList) {
  EXPECT_EQ(html::doubts({}), "");
  const std::string list = html::doubts({"a < b", "c"});
  EXPECT_EQ(count(list, "<li>"), 2);
  EXPECT_NE(list.find("<li>a &lt; b</li>"), list.npos);
}

TEST(Page, NumbersAreFlushRight) {
  const std::string table =
      html::table({{"name", "images", "minus"}, {{"a1", "12", "–"}, {"2b", "3.5", "−4"}}});
  EXPECT_EQ(count(table, "class=\"number\""), 6);
  EXPECT_NE(table.find("<td>a1</td>"), table.npos);
}

}  // namespace
}  // namespace mobileone
