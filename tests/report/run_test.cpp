#include "mobileone/report/run.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mobileone/util/file.h"
#include "report/xml.h"
#include "support/error_of.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

constexpr const char* kHeader =
    "epoch,step,size,lr,weight_decay,train_loss,val_loss,val_top1,val_top5,ema_loss,ema_top1,"
    "ema_top5,images_per_second,seconds\n";

std::string metrics_csv(int epochs, double top1 = 50) {
  std::string text = kHeader;
  for (int i = 1; i <= epochs; ++i) {
    text += fmt::format("{},{},32,0.1,1e-05,{},{},{},90,1.5,{},91,100,60\n", i, 4 * i, 3.0 / i,
                        2.0 / i, top1 + i % 7, top1 + 2 + i % 5);
  }
  return text;
}

TEST(RunMetrics, HaveColumnsByName) {
  const auto metrics = parse_metrics(metrics_csv(3), "m.csv");
  EXPECT_EQ(metrics.epochs(), 3u);
  EXPECT_EQ(metrics["epoch"], (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(metrics["weight_decay"][0], 1e-5);
  EXPECT_TRUE(std::isnan(metrics["missing"].at(2)));
  EXPECT_FALSE(metrics.torn);
}

TEST(RunMetrics, TolerateColumnsAndGaps) {
  const auto metrics = parse_metrics("note,epoch,lr,grad\nfirst,1,,0.5\n,2,nan,inf\n", "m.csv");
  EXPECT_TRUE(std::isnan(metrics["lr"][0]) && std::isnan(metrics["lr"][1]));
  EXPECT_TRUE(std::isnan(metrics["note"][0]));
  EXPECT_TRUE(std::isinf(metrics["grad"][1]));
}

TEST(RunMetrics, ATornLastLineIsLeftOut) {
  const std::string text = metrics_csv(3);
  for (const size_t cut : {size_t{1}, size_t{5}, size_t{30}}) {
    const auto metrics = parse_metrics(text.substr(0, text.size() - cut), "m.csv");
    EXPECT_EQ(metrics.epochs(), 2u);
    EXPECT_TRUE(metrics.torn);
  }
  EXPECT_EQ(parse_metrics(text + "4,16,\"3", "m.csv").epochs(), 3u) << "an open quote";
}

TEST(RunMetrics, OtherFilesAreRefusedWithTheLine) {
  const auto refusal = [](std::string_view text) {
    return error_of([&] { parse_metrics(text, "m.csv"); });
  };
  EXPECT_EQ(refusal(""), "m.csv: is no metrics file of a run: it has no header");
  EXPECT_EQ(refusal("\npath,label\na,1\n"),
            "m.csv:2: is no metrics file of a run: its header names no column 'epoch'");
  EXPECT_EQ(refusal(kHeader), "m.csv: holds no epoch yet");
  EXPECT_EQ(refusal("epoch,lr\n1,0.1\n2\n"), "m.csv:3: expected 2 fields as in the header, got 1");
  EXPECT_EQ(refusal("epoch,lr\n1,fast\n"), "m.csv:2: lr: expected a number, got 'fast'");
}

class RunFolders : public testing::Test {
 protected:
  RunFolders() {
    for (const char* name : {"a/run", "b/run", "c"}) {
      write_whole(dir / name / "metrics.csv", metrics_csv(25));
    }
    write_whole(dir / "c/config.yaml", "model: {variant: s0}  # <&>\n");
  }

  std::vector<std::string> names(const std::vector<std::string>& paths) const {
    std::vector<fs::path> full;
    for (const auto& path : paths) full.push_back(dir / path);
    std::vector<std::string> found;
    for (const auto& run : read_runs(full)) found.push_back(run.name);
    return found;
  }

  const TestFolder folder;
  const fs::path dir = folder.path();
};

TEST_F(RunFolders, GiveDistinctNames) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"c", "a/run"}), (Names{"c", "run"}));
  EXPECT_EQ(names({"c/", "a/run/metrics.csv", "b/run"}), (Names{"c", "a/run", "b/run"}));
  EXPECT_EQ(names({"c", "c/", "a/../c"}), (Names{"c", "c (2)", "c (3)"}));
  write_whole(dir / "c/old.csv", metrics_csv(2));
  EXPECT_EQ(names({"c", "c/old.csv"}), (Names{"c", "old"}));
}

TEST_F(RunFolders, MissingRunsAreNamed) {
  EXPECT_EQ(error_of([&] { read_runs({dir / "nowhere"}); }),
            (dir / "nowhere").string() + ": no such run");
  EXPECT_EQ(error_of([&] { read_runs({dir / "a"}); }),
            (dir / "a/metrics.csv").string() + ": no such file; is this a run's folder?");
}

TEST_F(RunFolders, OneRunsPageHasItsConfiguration) {
  const std::string page = run_page(read_runs({dir / "c"}));
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_NE(page.find("model: {variant: s0}  # &lt;&amp;&gt;"), page.npos);
  EXPECT_EQ(count(page, "<svg"), 7) << "loss, top-1 and its second half, top-5, lr, decay, speed";
  EXPECT_EQ(count(page, "<polyline"), 3 + 2 + 2 + 2 + 1 + 1 + 1);
  EXPECT_NE(page.find("<td class=\"number\">56.00</td>"), page.npos) << "the best top-1";
  EXPECT_NE(page.find("<td class=\"number\">6</td>"), page.npos) << "first reached then";
  EXPECT_NE(page.find("25 min 00 s"), page.npos) << "total time";
  EXPECT_EQ(count(page, ">best: 56.00 at 4</text>"), 1) << "of the average; in the first half";
}

TEST_F(RunFolders, SeveralRunsShareTheirCharts) {
  const std::string page = run_page(read_runs({dir / "a/run", dir / "b/run", dir / "c"}));
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<svg"), 7);
  EXPECT_EQ(count(page, "<polyline"), 3 * 12);
  EXPECT_EQ(count(page, "<title>b/run, EMA</title>"), 3);
  EXPECT_EQ(page.find("<details>"), page.npos);
}

TEST(RunPage, ShowsTheImageSizeWhereItChangesAndColumnsItDoesNotKnow) {
  TrainingRun run{
      "r", parse_metrics("epoch,size,train_loss,grad_norm,note\n1,32,2,9,x\n2,64,1,8,y\n", "m"),
      ""};
  const std::string page = run_page({run});
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<svg"), 3) << "loss, size, gradient norm";
  EXPECT_NE(page.find(">grad_norm</text>"), page.npos);
  EXPECT_EQ(page.find(">note</text>"), page.npos);
}

TEST(RunPage, OfOneEpoch) {
  const std::string page = run_page({{"r", parse_metrics(metrics_csv(1), "m"), ""}});
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<polyline"), 0);
  EXPECT_EQ(page.find("nan"), page.npos);
}

}  // namespace
}  // namespace mobileone
