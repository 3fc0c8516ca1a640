#include "mobileone/eval/confusion.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "report/xml.h"

namespace mobileone {
namespace {

Evaluation two_cats_and_a_dog() {
  Evaluation evaluation;
  evaluation.class_names = {"cat", "dog, \"big\"", "<fish>"};
  evaluation.confusion = torch::tensor({{1, 1, 0}, {0, 1, 0}, {0, 0, 0}}, torch::kLong);
  return evaluation;
}

TEST(Confusion, PerClassNamesTheMostFrequentMistake) {
  EXPECT_EQ(per_class_csv(two_cats_and_a_dog()),
            "class,images,correct,accuracy,most_often_taken_for\n"
            "cat,2,1,50.00,\"dog, \"\"big\"\"\"\n"
            "\"dog, \"\"big\"\"\",1,1,100.00,\n");
}

TEST(Confusion, MatrixHasLabelsInRows) {
  EXPECT_EQ(confusion_csv(two_cats_and_a_dog()),
            "label,cat,\"dog, \"\"big\"\"\",<fish>\n"
            "cat,1,1,0\n"
            "\"dog, \"\"big\"\"\",0,1,0\n"
            "<fish>,0,0,0\n");
}

TEST(Confusion, PictureEscapesNamesAndShadesWhatIsThere) {
  const std::string svg = confusion_svg(two_cats_and_a_dog());
  EXPECT_NE(svg.find("&lt;fish&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("<fish>"), std::string::npos);
  EXPECT_NE(svg.find("fill=\"#08306b\""), std::string::npos) << "a full row's share is darkest";
}

TEST(Confusion, PicturesOfAnySizeAreWellFormed) {
  for (const int64_t classes : {1, 2, 10, 100, 1000}) {
    Evaluation evaluation;
    for (int64_t i = 0; i < classes; ++i) {
      evaluation.class_names.push_back(fmt::format("n{:08} \xff & co", i));
    }
    evaluation.confusion = torch::eye(classes, torch::kLong) * 40;
    evaluation.confusion[0][classes - 1] += 1;
    const std::string svg = confusion_svg(evaluation);
    EXPECT_EQ(xml_fault(svg), "") << classes;
    EXPECT_EQ(svg.find("n00000000 \uFFFD") != svg.npos, classes <= 100) << classes;
    EXPECT_LT(svg.size(), 100'000u);
  }
}

TEST(Confusion, ClassesWithoutImagesAreLeftOut) {
  const auto classes = per_class(two_cats_and_a_dog());
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[0].mistaken_for, 1);
  EXPECT_EQ(classes[1].mistaken_for, -1);
  EXPECT_EQ(classes[0].percent(), 50);
}

}  // namespace
}  // namespace mobileone
