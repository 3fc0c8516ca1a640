#include "mobileone/eval/detection_report.h"

#include <gtest/gtest.h>

#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "report/xml.h"
#include "test_folder.h"

namespace mobileone {
namespace {

/// One of two objects is found; the last class has none.
DetectionEvaluation half_found() {
  const CocoObject object{.category = 0, .box = {10, 10, 50, 40}, .area = 2000};
  CocoObject other = object;
  other.box[0] = 300;
  const DetectedImage image{7, {object, other}, {{object.box, 0, 0.5}}};
  return score_detections({"cat & dog", "<none>"}, {&image, 1});
}

TEST(DetectionReport, StandsAlone) {
  const TestFolder folder;
  write_detection_report(folder.path(), "a.json against b.json", half_found());
  const std::string page = read_file(folder.path("report.html"));
  EXPECT_EQ(xml_fault(page), "");
  for (const char* part : {"a.json against b.json", "cat &amp; dog", "50.50", "missed",
                           "1 of 2 classes have no object"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("most errors"), std::string::npos) << "there are no images to show";
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

TEST(DetectionReport, ShowsTheImagesItIsGiven) {
  const TestFolder folder;
  write_detection_report(folder.path(), "x", half_found(), {{"", {"1 missed", "a.jpg"}}});
  const std::string page = read_file(folder.path("report.html"));
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_NE(page.find("a.jpg"), std::string::npos);
}

TEST(DetectionReport, HasItsNumbersAsTables) {
  const TestFolder folder;
  write_detection_report(folder.path(), "x", half_found());
  const auto classes = parse_csv(read_file(folder.path("per_class.csv")), "per_class.csv");
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[1].fields, (std::vector<std::string>{"cat & dog", "50.50", "50.50", "2", "1"}));
  EXPECT_EQ(classes[2].fields, (std::vector<std::string>{"<none>", "", "", "0", "0"}));
  const auto curves = parse_csv(read_file(folder.path("precision_recall.csv")), "curves");
  EXPECT_EQ(curves.size(), 1 + kCocoOverlaps.size() * kCocoRecalls);
  const auto errors = parse_csv(read_file(folder.path("errors.csv")), "errors.csv");
  ASSERT_EQ(errors.size(), 1 + kDetectionErrors.size());
  EXPECT_EQ(errors.back().fields, (std::vector<std::string>{"missed", "1", "49.5050"}));
}

}  // namespace
}  // namespace mobileone
