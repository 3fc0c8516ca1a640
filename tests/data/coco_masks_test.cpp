#include "mobileone/data/coco_masks.h"

#include "data/support.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/util/folder_lock.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// An object of a row of pixels.
CocoObject run(int64_t id, int64_t category, uint32_t begin, uint32_t end, bool is_crowd = false) {
  return {id, category, {}, 0, is_crowd, Rle{1, 8, {begin, end - begin, 8 - end}}};
}

const MaskClasses kTwo = {{"background", "a", "b"}, {1, 2, -1}};

std::vector<int> row(std::vector<CocoObject> objects, const MaskRules& rules = {},
                     const MaskClasses& classes = kTwo) {
  const CocoImage image{1, "x.jpg", 1, 8, std::move(objects)};
  const at::Tensor mask = coco_mask(image, classes, rules, "x.json");
  const auto* labels = mask.const_data_ptr<uint8_t>();
  return {labels, labels + mask.numel()};
}

TEST(CocoMask, OfAnOverlapHasTheFirstClassUnlessItIsIgnored) {
  const std::vector<CocoObject> objects = {run(1, 0, 1, 4), run(2, 1, 3, 6), run(3, 1, 5, 7)};
  EXPECT_EQ(row(objects), (std::vector<int>{0, 1, 1, 1, 2, 2, 2, 0}));
  EXPECT_EQ(row(objects, {.overlap = MaskOverlap::kIgnore}),
            (std::vector<int>{0, 1, 1, 255, 2, 255, 2, 0}));
}

TEST(CocoMask, OfACrowdIsIgnoredWhereNothingElseIs) {
  const std::vector<CocoObject> objects = {run(1, 0, 0, 5, true), run(2, 1, 3, 4)};
  EXPECT_EQ(row(objects), (std::vector<int>{255, 255, 255, 2, 255, 0, 0, 0}));
  EXPECT_EQ(row(objects, {.overlap = MaskOverlap::kIgnore}),
            (std::vector<int>{255, 255, 255, 2, 255, 0, 0, 0}));
  EXPECT_EQ(row(objects, {.crowds = MaskCrowds::kClass}),
            (std::vector<int>{1, 1, 1, 1, 1, 0, 0, 0}));
}

TEST(CocoMask, TakesACategoryWithoutAClassForNothing) {
  EXPECT_EQ(row({run(1, 2, 0, 8), run(2, 2, 0, 8, true), run(3, 1, 0, 1)}),
            (std::vector<int>{2, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(CocoMask, MayHaveCategoriesThatAreIgnoredOrBackground) {
  const MaskClasses classes = {{"background", "a"}, {1, 255, 0}};
  EXPECT_EQ(row({run(1, 1, 0, 2), run(2, 2, 1, 4), run(3, 0, 0, 6)}, {}, classes),
            (std::vector<int>{255, 255, 0, 0, 1, 1, 0, 0}));
}

TEST(CocoMask, JoinsThePolygonsOfAnAnnotation) {
  const Polygon square = {1, 0, 3, 0, 3, 1, 1, 1}, wider = {2, 0, 5, 0, 5, 1, 2, 1};
  const CocoObject object{1, 0, {}, 0, false, std::vector<Polygon>{square, wider}};
  EXPECT_EQ(row({object}, {.overlap = MaskOverlap::kIgnore}),
            (std::vector<int>{0, 1, 1, 1, 1, 0, 0, 0}));
}

/// Two images of 8 x 6 and 4 x 2 px.
class CocoMaskFiles : public testing::Test {
 protected:
  CocoMaskFiles() {
    fs::create_directories(folder_.path("images/b"));
    write_png(folder_.path("images/a.png"), at::zeros({6, 8, 3}, at::kByte));
    write_jpeg(folder_.path("images/b/c.jpg"), at::zeros({2, 4, 3}, at::kByte), 90);
    const Polygon square = {1, 1, 3, 1, 3, 3, 1, 3};
    coco_.images[0].objects = {{1, 0, {}, 0, false, std::vector<Polygon>{square}}};
  }
  MaskFilesOptions options(const std::string& output = "masks") const {
    return {.images = folder_.path("images"), .output = folder_.path(output)};
  }
  std::string error() const {
    return error_of([&] { write_coco_masks(coco_, classes_, options()); });
  }
  std::string of_images(const std::string& name) const {
    return folder_.path("images" + (name.empty() ? "" : "/" + name)) + ": ";
  }
  /// Below the folder.
  std::vector<std::string> files_in(const std::string& name) const {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path(name))) {
      if (!entry.is_directory()) {
        files.push_back(entry.path().lexically_relative(folder_.path(name)).string());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  TestFolder folder_;
  CocoAnnotations coco_{"x.json", {{1, "a.png", 6, 8}, {2, "b/c.jpg", 2, 4}}, {{1, "cat"}}};
  MaskClasses classes_{{"background", "cat"}, {1}};
};

TEST_F(CocoMaskFiles, AreReadAsASet) {
  const MaskFilesSummary summary = write_coco_masks(coco_, classes_, options());
  EXPECT_EQ(summary.masks, 2);
  EXPECT_EQ(summary.pixels, 48 + 8);
  EXPECT_EQ(summary.of_objects, 4);
  EXPECT_EQ(summary.ignored, 0);
  EXPECT_EQ(files_in("masks"),
            (std::vector<std::string>{"a.png", "b/c.png", "classes.txt", "list.txt"}));
  EXPECT_FALSE(fs::exists(folder_.path("masks.partial")));
  for (const char* set : {"images", "masks/list.txt"}) {
    const ImageList list = read_mask_list(folder_.path(set), folder_.path("masks"), {});
    ASSERT_EQ(list.size(), 2) << set;
    EXPECT_EQ(list.class_names, classes_.names);
    const at::Tensor mask = list.annotation(0).mask;
    EXPECT_EQ(mask.sizes(), at::IntArrayRef({6, 8}));
    EXPECT_EQ(mask.slice(0, 1, 3).slice(1, 1, 3).sum().item<int64_t>(), 4);
    EXPECT_EQ(mask.sum().item<int64_t>(), 4);
  }
}

TEST_F(CocoMaskFiles, OfImagesWithTooFewPixelsAreLeftOut) {
  MaskFilesOptions few = options();
  few.min_pixels = 4;
  EXPECT_EQ(write_coco_masks(coco_, classes_, few).left_out, 1);
  EXPECT_EQ(read_mask_list(folder_.path("masks/list.txt"), "", {}).size(), 1);
  few = options("none");
  few.min_pixels = 5;
  EXPECT_EQ(error_of([&] { write_coco_masks(coco_, classes_, few); }),
            "x.json: none of its 2 images has 5 pixels of the classes, and no mask was written");
  EXPECT_FALSE(fs::exists(folder_.path("none")));
  EXPECT_FALSE(fs::exists(folder_.path("none.partial")));
}

TEST_F(CocoMaskFiles, OfNamesWithBlanksAreWithoutAList) {
  fs::rename(folder_.path("images/a.png"), folder_.path("images/a b.png"));
  coco_.images[0].file_name = "a b.png";
  write_coco_masks(coco_, classes_, options());
  EXPECT_EQ(files_in("masks"), (std::vector<std::string>{"a b.png", "b/c.png", "classes.txt"}));
  EXPECT_EQ(read_mask_list(folder_.path("images"), folder_.path("masks"), {}).size(), 2);
}

TEST_F(CocoMaskFiles, NeedTheImages) {
  fs::remove(folder_.path("images/b/c.jpg"));
  EXPECT_EQ(error(),
            of_images("") + "1 of 2 images that x.json names are not there, the first is b/c.jpg");
}

TEST_F(CocoMaskFiles, NeedImagesOfTheAnnotatedSize) {
  coco_.images[0].width = 9;
  EXPECT_EQ(error(),
            of_images("a.png") + "has 8 x 6 pixels, expected 9 x 6 as its annotations are for");
  coco_.images[0].width = 8;
  std::swap(coco_.images[1].width, coco_.images[1].height);
  EXPECT_EQ(error(), of_images("b/c.jpg") +
                         "has 4 x 2 pixels, expected 2 x 4 as its annotations are for; were they "
                         "drawn on the image turned by its EXIF orientation?");
  EXPECT_FALSE(fs::exists(folder_.path("masks")));
  EXPECT_FALSE(fs::exists(folder_.path("masks.partial")));
}

TEST_F(CocoMaskFiles, LieInTheirFolder) {
  for (const std::string name : {"../a.png", "/etc/a.png", "b/../../a.png", "b/"}) {
    coco_.images[0].file_name = name;
    EXPECT_EQ(error(),
              "x.json: image 1: its file_name `" + name + "` is no path below a folder of images");
  }
  coco_.images[0].file_name = "b/c.png";
  EXPECT_EQ(error(), "x.json: images 1 and 2 would have the same mask, b/c.png");
}

TEST_F(CocoMaskFiles, TakeThePlaceOfNothing) {
  folder_.write("masks/mine.png", "x");
  EXPECT_EQ(error(),
            folder_.path("masks") + ": is there already; move it away, or name another folder");
  fs::remove(folder_.path("masks/mine.png"));
  folder_.write("masks.partial/mine.png", "x");
  EXPECT_EQ(error(), folder_.path("masks.partial") +
                         ": is there already, and not of an interrupted `data masks`, which would "
                         "write there; move it away, or name another folder");
  EXPECT_TRUE(fs::exists(folder_.path("masks.partial/mine.png")));
}

TEST_F(CocoMaskFiles, TakeThePlaceOfWhatAnInterruptedWriterLeft) {
  folder_.write("masks.partial/classes.txt", "dog\n");
  folder_.write("masks.partial/old.png", "x");
  { const FolderLock left(folder_.path("masks.partial")); }
  write_coco_masks(coco_, classes_, options("masks/"));
  EXPECT_EQ(files_in("masks").size(), 4u);
}

}  // namespace
}  // namespace mobileone
