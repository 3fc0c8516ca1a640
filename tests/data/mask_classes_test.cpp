#include "mobileone/data/mask_classes.h"

#include "data/support.h"

namespace mobileone {
namespace {

CocoAnnotations of_categories(const std::vector<CocoCategory>& categories) {
  return {"x.json", {}, categories};
}

CocoAnnotations pets() {
  return of_categories({{3, "cat"}, {4, "dog"}, {9, "guinea pig"}, {12, "hand"}});
}

using Names = std::vector<std::string>;
using Classes = std::vector<int>;

class ListedClasses : public testing::Test {
 protected:
  MaskClasses read(const std::string& text) const {
    return mask_classes(folder_.write("x.txt", text), pets());
  }
  std::string error(const std::string& text) const {
    const std::string path = folder_.path("x.txt");
    const std::string message = error_of([&] { read(text); });
    return message.starts_with(path) ? message.substr(path.size()) : message;
  }

  TestFolder folder_;
};

TEST(MaskClasses, OfVocAreThoseOfCocosIdsInCvnets) {
  const std::vector<std::pair<int64_t, std::string>> coco = {
      {5, "airplane"},      {2, "bicycle"}, {16, "bird"},  {9, "boat"},       {44, "bottle"},
      {6, "bus"},           {3, "car"},     {17, "cat"},   {62, "chair"},     {21, "cow"},
      {67, "dining table"}, {18, "dog"},    {19, "horse"}, {4, "motorcycle"}, {1, "person"},
      {64, "potted plant"}, {20, "sheep"},  {63, "couch"}, {7, "train"},      {72, "tv"}};
  std::vector<CocoCategory> categories;
  for (const auto& [id, name] : coco) categories.push_back({id, name});
  categories.push_back({90, "toothbrush"});
  const MaskClasses classes = mask_classes("voc", of_categories(categories));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(classes.of_category[i], i + 1) << coco[i].second;
  EXPECT_EQ(classes.of_category[20], -1);
  EXPECT_EQ(classes.names.size(), 21u);
  EXPECT_EQ(classes.names[20], "tvmonitor");
}

TEST(MaskClasses, OfVocTakeVocsOwnNamesToo) {
  EXPECT_EQ(mask_classes("voc", of_categories({{1, "sofa"}, {2, "lamp"}})).of_category,
            (Classes{18, -1}));
}

TEST(MaskClasses, OfAllFollowTheIdsBehindTheBackground) {
  const MaskClasses classes = mask_classes("all", pets());
  EXPECT_EQ(classes.names, (Names{"background", "cat", "dog", "guinea pig", "hand"}));
  EXPECT_EQ(classes.of_category, (Classes{1, 2, 3, 4}));
  EXPECT_EQ(mask_classes("all", of_categories({{0, "background"}, {1, "cat"}})).of_category,
            (Classes{0, 1}));
}

TEST(MaskClasses, AreAtMost255) {
  std::vector<CocoCategory> categories;
  for (int64_t i = 0; i < 255; ++i) categories.push_back({i, fmt::format("c{}", i)});
  EXPECT_EQ(
      error_of([&] { mask_classes("all", of_categories(categories)); }),
      "x.json: has 255 categories, more than the 254 that a mask can tell apart; choose some");
  categories.pop_back();
  EXPECT_EQ(mask_classes("all", of_categories(categories)).of_category.back(), 254);
}

TEST(MaskClasses, OfNoCategoryAreRefused) {
  EXPECT_EQ(error_of([] {
              mask_classes("voc", of_categories({{1, "cell"}, {2, "nucleus"}}));
            }),
            "x.json: none of its categories has a class by `voc`: cell, nucleus");
}

TEST_F(ListedClasses, CountFromOneInTheOrderOfTheLines) {
  const MaskClasses classes = read("dog\r\n\n cat \n");
  EXPECT_EQ(classes.names, (Names{"background", "dog", "cat"}));
  EXPECT_EQ(classes.of_category, (Classes{2, 1, -1, -1}));
  EXPECT_EQ(read("background\ndog\ncat\n").of_category, classes.of_category);
}

TEST_F(ListedClasses, MayBeOneForSeveralCategoriesAndIgnored) {
  const MaskClasses classes = read("cat = 2\ndog=2\nguinea pig = 1\nhand = 255\nbackground = 0");
  EXPECT_EQ(classes.names, (Names{"background", "guinea pig", "cat/dog"}));
  EXPECT_EQ(classes.of_category, (Classes{2, 2, 1, 255}));
  EXPECT_EQ(read("cat\nhand = 0").of_category, (Classes{1, -1, -1, 0}));
}

TEST_F(ListedClasses, ThatCannotBeAreRefusedWithTheirLine) {
  EXPECT_EQ(error("cat\nbird\n"),
            ":2: `bird` is no category of x.json, whose are cat, dog, guinea pig, hand");
  EXPECT_EQ(error("cat\ncat\n"), ":2: `cat` has a class already");
  const std::string expected =
      ":1: expected a class behind `=`: 1 to 254, 0 for background, 255 for ignored";
  for (const std::string line : {"cat = 256", "cat = -1", "cat = x", "cat ="}) {
    EXPECT_EQ(error(line), expected) << line;
  }
  EXPECT_EQ(error("background = 3"), ":1: the background is class 0");
  EXPECT_EQ(error("cat = 254\ndog"),
            ":2: is one class more than the 254 that a mask can tell apart");
  EXPECT_EQ(error("cat = 1\ndog = 3\n"),
            ": gives no category the class 2, but one the class 3; leave out none");
  EXPECT_EQ(error("cat = 255\n").substr(0, 43), "x.json: none of its categories has a class ");
}

}  // namespace
}  // namespace mobileone
