#include "mobileone/eval/confusion.h"

#include <gtest/gtest.h>

#include "report/xml.h"

namespace mobileone {
namespace {

/// Images of such labels and predictions.
std::vector<ImageResult> images_of(const std::vector<std::pair<int64_t, int64_t>>& pairs) {
  std::vector<ImageResult> images;
  for (const auto& [label, prediction] : pairs) {
    images.push_back({std::ssize(images), label, prediction, 0.5});
  }
  return images;
}

Evaluation two_cats_and_a_dog() {
  Evaluation evaluation;
  evaluation.class_names = {"cat", "dog, \"big\"", "<fish>"};
  evaluation.images = images_of({{0, 0}, {0, 1}, {1, 1}});
  return evaluation;
}

TEST(Confusion, PerClassNamesTheMostFrequentMistake) {
  EXPECT_EQ(per_class_csv(two_cats_and_a_dog()),
            "class,images,correct,precision,recall,f1,most_often_taken_for\n"
            "cat,2,1,100.00,50.00,66.67,\"dog, \"\"big\"\"\"\n"
            "\"dog, \"\"big\"\"\",1,1,50.00,100.00,66.67,\n");
}

TEST(Confusion, ClassesWithoutImagesAreLeftOut) {
  const auto classes = per_class(two_cats_and_a_dog().images);
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[0].mistaken_for, 1);
  EXPECT_EQ(classes[1].mistaken_for, -1);
  EXPECT_EQ(classes[0].recall(), 50);
}

// By scikit-learn 1.9: balanced_accuracy_score and precision_recall_fscore_support(average="macro",
// zero_division=0). Class 3 is predicted and has no image, class 4 the other way round.
TEST(Confusion, MeanScoresAreScikitLearns) {
  const std::vector<int64_t> labels = {0, 0, 0, 0, 1, 1, 2, 2, 2, 4},
                             predictions = {0, 0, 0, 3, 1, 0, 2, 2, 1, 0};
  std::vector<ImageResult> images;
  for (int64_t i = 0; i < 10; ++i) images.push_back({i, labels[i], predictions[i], 0.5});
  const auto scores = mean_scores(images);
  EXPECT_NEAR(scores.balanced_accuracy, 47.9166667, 1e-6);
  EXPECT_NEAR(scores.precision, 42, 1e-6);
  EXPECT_NEAR(scores.recall, 38.3333333, 1e-6);
  EXPECT_NEAR(scores.f1, 39.3333333, 1e-6);
  EXPECT_EQ(mean_scores({}).f1, 0);
}

TEST(Confusion, TheMostFrequentPairsComeFirst) {
  Evaluation evaluation;
  evaluation.class_names = {"a", "b", "c"};
  evaluation.images = images_of({{0, 0}, {0, 1}, {2, 1}, {2, 1}, {1, 0}});
  EXPECT_EQ(confused_pairs_csv(evaluation),
            "label,prediction,images,share\n"
            "c,b,2,100.00\n"
            "a,b,1,50.00\n"
            "b,a,1,100.00\n");
  ASSERT_EQ(most_confused(evaluation.images, 1).size(), 1u);
  EXPECT_EQ(most_confused(evaluation.images, 1)[0].label, 2);
}

TEST(Confusion, AMillionClassesTakeMemoryByImages) {
  const auto images = images_of({{999'999, 0}, {5, 5}, {999'999, 999'999}});
  EXPECT_EQ(confusion_counts(images).size(), 3u);
  EXPECT_EQ(per_class(images).size(), 2u);
  EXPECT_NEAR(mean_scores(images).balanced_accuracy, 75, 1e-9);
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
  EXPECT_NE(svg.find("fill=\"#08306b\" fill-opacity=\"1\" shape"), std::string::npos)
      << "a full row's share is darkest";
}

TEST(Confusion, PicturesOfAnySizeAreWellFormed) {
  for (const size_t classes : {size_t{1}, size_t{2}, size_t{10}, kMostDrawnClasses}) {
    Evaluation evaluation;
    for (size_t i = 0; i < classes; ++i) {
      evaluation.class_names.push_back(fmt::format("n{:08} \xff & co", i));
      const auto label = static_cast<int64_t>(i);
      for (int image = 0; image < 40; ++image) evaluation.images.push_back({0, label, label, 1});
    }
    evaluation.images.push_back({0, 0, static_cast<int64_t>(classes) - 1, 1});
    const std::string svg = confusion_svg(evaluation);
    EXPECT_EQ(xml_fault(svg), "") << classes;
    EXPECT_NE(svg.find("n00000000 \uFFFD"), svg.npos) << classes;
    EXPECT_LT(svg.size(), 100'000u);
  }
}

}  // namespace
}  // namespace mobileone
