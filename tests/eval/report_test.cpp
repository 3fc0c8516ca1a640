#include "mobileone/eval/report.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>

#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/mistakes.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "report/xml.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    list.origin = "a <data> set";
    list.storage = files;
    model.origin = "model.pth";
    model.form = "folded";
  }

  /// An image file whose label is taken for another class with some probability.
  void add(int64_t label, int64_t prediction, double probability) {
    const int64_t index = list.size();
    const std::string path = (dir / fmt::format("{}.png", index)).string();
    write_png(path, torch::full({40, 400, 3}, 9 * index, torch::kUInt8));
    files->add(path);
    list.labels.push_back(static_cast<int32_t>(label));
    result.images.push_back({index, label, prediction, probability});
    auto logits = torch::zeros({1, std::ssize(result.class_names)});
    logits[0][prediction] = 1;
    result.meter.add(logits, torch::tensor({label}));
  }

  void use_classes(const std::vector<std::string>& names) { result.class_names = names; }

  const TestFolder folder;
  const fs::path dir = folder.path();
  const std::shared_ptr<ImageFiles> files = std::make_shared<ImageFiles>("");
  ImageList list;
  Model model;
  Evaluation result;
};

TEST_F(ReportTest, TheMostConfidentMistakesComeFirst) {
  use_classes({"a", "b,c"});
  add(0, 1, 0.6);
  add(0, 0, 0.99);
  add(1, 0, std::numeric_limits<double>::quiet_NaN());
  add(1, 0, 0.9);
  const auto wrong = mistakes(result);
  ASSERT_EQ(wrong.size(), 3u);
  EXPECT_EQ(wrong[0].index, 3);
  EXPECT_EQ(wrong[1].index, 0);
  EXPECT_EQ(wrong[2].index, 2);
  const auto rows = parse_csv(mistakes_csv(result, list), "mistakes.csv");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2].fields, (std::vector<std::string>{list.name(0), "a", "b,c", "0.600000"}));
}

TEST_F(ReportTest, PagesStandAlone) {
  use_classes({"<cat>", "d\xf6g", "猫"});
  for (int i = 0; i < 5; ++i) add(i % 3, (i + 1) % 3, 0.5 + 0.1 * i);
  add(0, 0, 0.8);
  fs::remove(list.name(4));  // the worst mistake's image is gone by now
  write_report(dir / "report", result, model, list, 3);
  const std::string sheet = read_file(dir / "report/mistakes.html");
  EXPECT_EQ(xml_fault(sheet), "");
  EXPECT_EQ(count(sheet, "<figcaption>"), 3);
  EXPECT_EQ(count(sheet, "data:image/jpeg;base64,"), 2);
  EXPECT_EQ(count(sheet, "class=\"missing\""), 1);
  EXPECT_NE(sheet.find("5 of 6 images of a &lt;data&gt; set"), sheet.npos);
  const std::string page = read_file(dir / "report/report.html");
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<svg"), 3) << "reliability, confidence, confusion";
  EXPECT_NE(page.find("d\uFFFDg"), page.npos);
  for (const auto& text : {sheet, page}) EXPECT_EQ(count(text, "src=\"http"), 0);
  EXPECT_EQ(xml_fault(read_file(dir / "report/confusion.svg")), "");
  EXPECT_EQ(count(read_file(dir / "report/mistakes.csv"), "\n"), 6);
  EXPECT_EQ(count(read_file(dir / "report/calibration.csv"), "\n"), 16);
}

TEST_F(ReportTest, NoneOfItsFilesTakesTheUsersPlace) {
  use_classes({"a", "b"});
  add(0, 1, 0.6);
  write_report(dir / "report", result, model, list, 1);
  EXPECT_NO_THROW(require_report(dir / "report", {}));
  for (const auto& file : fs::directory_iterator(dir / "report")) {
    const fs::path other = dir / "others" / file.path().stem();
    write_whole(other / file.path().filename(), "mine");
    EXPECT_THROW(require_report(other, {}), Error) << file.path();
  }
}

TEST_F(ReportTest, AThousandClassesAreASmallPage) {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back(fmt::format("class {}", i));
  use_classes(names);
  for (int64_t i = 0; i < 50'000; ++i) {
    const int64_t label = i % 1000, prediction = i % 4 == 0 ? (label + i * 7919) % 1000 : label;
    result.images.push_back({i, label, prediction, (i % 97) / 97.0});
  }
  const std::string page = evaluation_page(result, model, list);
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_LT(page.size(), 2'000'000u);
  EXPECT_NE(page.find("All 1000 classes"), page.npos);
  EXPECT_EQ(count(page, "<svg"), 2) << "the most confused classes stand in for a matrix of specks";
  EXPECT_NE(page.find("<th>taken for</th>"), page.npos);
}

TEST_F(ReportTest, OfFewClassesThereIsNoTopFive) {
  use_classes({"a", "b", "c", "d", "e"});
  add(0, 1, 0.6);
  EXPECT_EQ(evaluation_page(result, model, list).find("top-5"), std::string::npos);
  use_classes({"a", "b", "c", "d", "e", "f"});
  add(0, 1, 0.6);
  EXPECT_NE(evaluation_page(result, model, list).find("top-5"), std::string::npos);
}

TEST_F(ReportTest, HasOneListOfDoubts) {
  use_classes({"a", "b"});
  for (int i = 0; i < 40; ++i) result.images.push_back({i, i % 2, i % 2, 0.9});
  EXPECT_EQ(evaluation_page(result, model, list).find("Doubts"), std::string::npos);
  result.damaged = 3;
  result.images.back().label = 0;
  result.images.back().probability = std::numeric_limits<double>::quiet_NaN();
  use_classes({"a", "b", "c"});
  const std::string page = evaluation_page(result, model, list);
  for (const char* doubt :
       {"3 images could not be read", "Of 1 images the logits are not finite",
        "1 of 3 classes have no image", "b has 19 images: one of them is 5 % of its recall"}) {
    EXPECT_NE(page.find(doubt), page.npos) << doubt;
  }
  EXPECT_EQ(count(page, "<ul>"), 1);
}

TEST_F(ReportTest, MatricesOfTooManyClassesAreNotWritten) {
  use_classes(std::vector<std::string>(kMostMatrixClasses + 1, "x"));
  add(0, 1, 0.6);
  write_report(dir / "report", result, model, list, 0);
  EXPECT_FALSE(fs::exists(dir / "report/confusion.csv"));
  EXPECT_FALSE(fs::exists(dir / "report/confusion.svg"));
  EXPECT_EQ(read_file(dir / "report/confused_pairs.csv"),
            "label,prediction,images,share\nx,x,1,100.00\n");
}

TEST_F(ReportTest, WithoutMistakes) {
  use_classes({"a", "b"});
  add(0, 0, 0.8);
  write_report(dir / "report", result, model, list, 48);
  EXPECT_EQ(xml_fault(read_file(dir / "report/mistakes.html")), "");
  EXPECT_EQ(read_file(dir / "report/mistakes.csv"), "path,label,prediction,probability\n");
}

}  // namespace
}  // namespace mobileone
