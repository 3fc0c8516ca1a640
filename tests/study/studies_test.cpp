#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "mobileone/data/shapes.h"
#include "mobileone/study/branches.h"
#include "mobileone/study/compare.h"
#include "mobileone/study/latency_studies.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "report/xml.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

LatencyConfig quick() { return {.size = 32, .rounds = 2}; }

/// What an error says, or nothing.
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A page and a table of `networks` rows.
void expect_report(const TestFolder& folder, const std::string& name, size_t networks) {
  const std::string page = read_file(folder.path(name + ".html"));
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(page.find("http"), page.find("http://www.w3.org/2000/svg")) << "no link to the network";
  const auto rows = parse_csv(read_file(folder.path(name + ".csv")), name);
  ASSERT_EQ(rows.size(), networks + 1);
  for (const auto& row : rows) EXPECT_EQ(row.fields.size(), rows[0].fields.size());
}

TEST(Studies, OfActivationsAndBlocksCoverAllOfThem) {
  const TestFolder folder;
  const PlainCnnConfig network = {.layers = 4, .widths = {8, 16}};
  study_activations({.network = network, .latency = quick(), .output = folder.path()});
  expect_report(folder, "activations", all_of_enum<Activation>().size());
  study_blocks({.network = network, .latency = quick(), .output = folder.path()});
  expect_report(folder, "blocks", all_of_enum<Block>().size());
}

TEST(Studies, ScatterTellsCorrelations) {
  const TestFolder folder;
  study_scatter(
      {.models = {"s0", "s1", "s0:unfolded"}, .latency = quick(), .output = folder.path()});
  expect_report(folder, "scatter", 3);
  const std::string page = read_file(folder.path("scatter.html"));
  for (const char* part :
       {"Spearman", "Kendall", "0.47", "s0 unfolded", "parameters and latency"}) {
    EXPECT_NE(page.find(part), page.npos) << part;
  }
}

TEST(Studies, SayWhatIsMissing) {
  const TestFolder folder;
  const auto scatter = [&](std::vector<std::string> models) {
    return message_of(
        [&] { study_scatter({.models = models, .latency = quick(), .output = folder.path()}); });
  };
  EXPECT_NE(scatter({"s0", "s1"}).find("at least 3"), std::string::npos);
  EXPECT_NE(scatter({"s0", "out/no-such"}).find("export_peers.py"), std::string::npos);
  EXPECT_NE(scatter({"s0", folder.path()}).find("no TorchScript files"), std::string::npos);
  EXPECT_NE(scatter({"s0", "s1", "s7"}).find("no variant"), std::string::npos);
}

/// Runs of one epoch on drawn shapes.
class Grid : public testing::Test {
 protected:
  Grid() {
    draw_shapes(folder.path("shapes"), {.train_per_class = 4, .val_per_class = 2, .size = 32});
    study.recipe = folder.write("recipe.yaml",
                                "model: {depths: [1, 1, 1, 1], width_multipliers: "
                                "[0.25, 0.25, 0.25, 0.25]}\n"
                                "data: {size: 32, eval_resize: 32, eval_crop: 32, workers: 1}\n"
                                "schedule: {epochs: 1, batch_size: 8, warmup_epochs: 0}\n"
                                "runtime: {threads: 1}\n");
    study.set = {"data.train=" + folder.path("shapes/train"),
                 "data.val=" + folder.path("shapes/val")};
    study.seeds = {1, 2};
    study.cells = {{.name = "k = 2", .set = {"model.branches=2"}, .paper = 71.4},
                   {.name = "no scale", .set = {"model.scale_branch=false", "ema.decay=0"}}};
    study.output = folder.path("out");
  }

  std::string run(const std::string& name) const { return study.output + "/runs/" + name; }

  TestFolder folder;
  BranchesStudy study;
};

TEST_F(Grid, TrainsEveryCellWithEverySeedOnce) {
  EXPECT_EQ(study_branches(study), 0);
  const auto rows = parse_csv(read_file(study.output + "/branches.csv"), "branches.csv");
  ASSERT_EQ(rows.size(), 5);
  EXPECT_EQ(rows[1].fields[0], "k = 2");
  EXPECT_EQ(rows[1].fields[4], "71.4");
  const std::string page = read_file(study.output + "/branches.html");
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_NE(page.find("4 of 4 runs"), page.npos);

  const auto written = fs::last_write_time(run("k-2-seed1/last.pth"));
  fs::remove_all(run("no-scale-seed2"));
  study.seeds = {1, 2, 3};
  EXPECT_EQ(study_branches(study), 0);
  EXPECT_EQ(fs::last_write_time(run("k-2-seed1/last.pth")), written) << "done before";
  EXPECT_TRUE(fs::exists(run("no-scale-seed2/last.pth")));
  EXPECT_EQ(parse_csv(read_file(study.output + "/branches.csv"), "").size(), 7);

  study.cells[0].set = {"model.branches=3"};
  EXPECT_NE(message_of([&] { study_branches(study); }).find("model.branches: [2]"),
            std::string::npos);
}

TEST_F(Grid, RefusesNamesThatShareAFolder) {
  study.cells[1].name = "k : 2";
  EXPECT_NE(message_of([&] { study_branches(study); }).find("different folders"),
            std::string::npos);
  study.cells[1].name = "..";
  EXPECT_NE(message_of([&] { study_branches(study); }).find("letters or digits"),
            std::string::npos);
}

TEST_F(Grid, RunsCanBeCompared) {
  study.seeds = {1};
  ASSERT_EQ(study_branches(study), 0);
  const std::vector<fs::path> runs = {run("k-2-seed1"), run("no-scale-seed1")};
  const std::string page =
      comparison_page(runs, {.judge = judge_classification, .latency = quick()});
  EXPECT_EQ(xml_fault(page), "");
  for (const char* part : {"model.scale_branch", "Accuracy by class", "circle", "Latency", "k-2"}) {
    EXPECT_NE(page.find(part), page.npos) << part;
  }
  fs::remove(runs[0] / "best.pth");
  const std::string without =
      comparison_page(runs, {.judge = judge_classification, .latency = quick()});
  EXPECT_NE(without.find("has no best.pth"), without.npos);
  EXPECT_EQ(without.find("Accuracy by class"), without.npos);
}

}  // namespace
}  // namespace mobileone
