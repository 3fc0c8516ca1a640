#include <algorithm>

#include "cli/program.h"
#include "mobileone/util/file.h"
#include "report/xml.h"

namespace mobileone {
namespace {

void expect_plot_refused(const std::vector<std::string>& runs, const std::string& message) {
  std::vector<std::string> arguments = {"plot", "-o", shop().path("never.html")};
  arguments.insert(arguments.end(), runs.begin(), runs.end());
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.errors, "mobileone: " + message + "\n");
  EXPECT_FALSE(std::filesystem::exists(shop().path("never.html")));
}

TEST(Plot, DrawsARunOfTheProgram) {
  std::filesystem::create_directories(shop().path("pages"));
  const std::string html = shop().path("pages/run.html");
  const auto outcome = run_program({"plot", shop().path("run"), "-o", html});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(outcome.output, html + ": curves of 1 run(s)\n");
  const std::string page = read_file(html);
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<svg"), 6);
  EXPECT_NE(page.find("width_multipliers: [0.25, 0.125, 0.125, 0.125]"), page.npos)
      << "the configuration";
}

TEST(Plot, SeveralRunsAndATornOne) {
  const std::string text = read_file(shop().path("run/metrics.csv"));
  write_whole(shop().path("torn/run/metrics.csv"), text + "2,8,32,0.0");
  std::filesystem::create_directories(shop().path("pages"));
  const std::string html = shop().path("pages/runs.html");
  const auto outcome =
      run_program({"plot", shop().path("run"), shop().path("torn/run/metrics.csv"), "-o", html});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.errors.find("torn/run: its last line is torn"), std::string::npos)
      << outcome.errors;
  EXPECT_EQ(xml_fault(read_file(html)), "");
}

TEST(Plot, MistakesAreOneLine) {
  const std::string csv = shop().path("no_metrics.csv");
  expect_plot_refused({shop().path("missing")}, shop().path("missing") + ": no such run");
  expect_plot_refused(
      {shop().path("run"), shop().path("shapes")},
      shop().path("shapes/metrics.csv") + ": no such file; is this a run's folder?");
  write_whole(csv, "path,label\n");
  expect_plot_refused({csv},
                      csv + ":1: is no metrics file of a run: its header names no column 'epoch'");
  write_whole(csv, "epoch,lr\n");
  expect_plot_refused({csv}, csv + ": holds no epoch yet");
  write_whole(csv, "epoch,lr\n1,0.1\n2,x\n");
  expect_plot_refused({csv}, csv + ":3: lr: expected a number, got 'x'");
}

}  // namespace
}  // namespace mobileone
