#include "mobileone/data/inspect.h"

#include <numeric>
#include <set>

#include "data/object_set_files.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/png.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

TEST(Inspect, CountsWhatIsThere) {
  const TestFolder folder;
  const auto image = [](int64_t height, int64_t width, int level) {
    return at::full({height, width, 3}, level, at::kByte);
  };
  write_png(folder.path("cat/a.png"), image(20, 30, 1));
  write_jpeg(folder.path("cat/b.jpg"), image(10, 60, 2), 90);
  write_jpeg(folder.path("cat/c.jpg"), image(40, 50, 3), 90);
  folder.write("cat/d.jpg", "no picture");
  folder.write("cat/e.jpg", "");
  write_png(folder.path("dog/a.png"), image(20, 30, 1));
  folder.write("dog/b.webp", read_file(folder.path("cat/b.jpg")));
  const ImageList list = read_image_list(folder.path());
  for (const int64_t threads : {1, 4}) {
    const Inspection found = inspect(list, threads);
    EXPECT_EQ(found.images, 7);
    EXPECT_EQ(found.images_per_class, (std::vector<int64_t>{5, 2}));
    EXPECT_EQ(found.formats,
              (std::map<std::string, int64_t>{{"jpeg", 3}, {"png", 2}, {"other", 2}}));
    EXPECT_EQ(found.widths.least, 30);
    EXPECT_EQ(found.widths.median, 50);
    EXPECT_EQ(found.widths.most, 60);
    EXPECT_EQ(found.heights.median, 20);
    EXPECT_EQ(found.bad,
              (std::vector<std::string>{
                  folder.path("cat/d.jpg") + ": is text that begins with `no picture` (expected "
                                             "JPEG, PNG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM)",
                  folder.path("cat/e.jpg") +
                      ": is empty (expected JPEG, PNG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM)"}));
    ASSERT_EQ(found.duplicates.size(), 2u);
    EXPECT_EQ(found.duplicates[0].first, 0);
    EXPECT_EQ(found.duplicates[0].index, 5);
    EXPECT_EQ(found.duplicates[1].first, 1);
    EXPECT_EQ(found.duplicates[1].index, 6);
  }
}

/// Two classes with names for labels, of which one occurs nowhere.
TEST(Inspect, CountsPixelsOfMasks) {
  const TestFolder folder;
  const auto write = [&](const std::string& name, int64_t width, int64_t mask_width,
                         const at::Tensor& labels) {
    write_png(folder.path("images/" + name + ".png"), at::zeros({4, width, 3}, at::kByte));
    const at::Tensor mask = labels.repeat({4 * mask_width / labels.numel()}).view({4, mask_width});
    folder.write("masks/" + name + ".png", encode_png_indices(mask, voc_palette()));
  };
  const auto labels = [](std::initializer_list<int> values) {
    return at::tensor(at::ArrayRef<int>(values), at::kByte);
  };
  write("a", 10, 10, labels({0, 0, 0, 2, 255}));  // 24, 8, 8
  write("b", 20, 20, labels({0}));
  write("c", 10, 10, labels({2, 2, 0, 255}));  // 10, 20, 10
  write("d", 10, 20, labels({0}));
  write("e", 10, 10, labels({3}));
  folder.write("images/f.png", "no picture");
  folder.write("masks/f.png", "no picture");
  folder.write("classes.txt", "sky\nsea\nland\n");
  const ImageList list = read_mask_list(folder.path("images"), "", {});
  for (const int64_t threads : {1, 3}) {
    const Inspection found = inspect(list, threads);
    ASSERT_TRUE(found.masks);
    EXPECT_EQ(found.images_per_class, (std::vector<int64_t>{3, 0, 2}));
    EXPECT_EQ(found.masks->pixels, 160);
    EXPECT_EQ(found.masks->ignored, 18);
    EXPECT_EQ(found.masks->per_class, (std::vector<int64_t>{114, 0, 28}));
    EXPECT_EQ(found.masks->around, (std::vector<int64_t>{160, 0, 80}));
    const auto weights = median_frequency_weights(*found.masks);
    const double median = (114.0 / 160 + 28.0 / 80) / 2;
    EXPECT_DOUBLE_EQ(weights[0], median / (114.0 / 160));
    EXPECT_EQ(weights[1], 1);
    EXPECT_DOUBLE_EQ(weights[2], median / (28.0 / 80));
    EXPECT_EQ(found.bad.size(), 1u);
    EXPECT_EQ(found.masks->bad,
              (std::vector<std::string>{
                  folder.path("images/d.png") +
                      ": has 10 x 4 pixels, its mask 20 x 4; they must be of one size",
                  folder.path("masks/e.png") +
                      ": value 3 at x 0, y 0 is none of the 3 classes (expected 0 to 2; 255 is "
                      "ignored); if it means no class, set data.ignore_label=3"}));
  }
  ImageList unnamed = list;
  unnamed.class_names.clear();
  unnamed.mask_labels.num_classes = kMostMaskClasses;
  EXPECT_EQ(inspect(unnamed, 2).images_per_class, (std::vector<int64_t>{3, 0, 2, 1}));
}

TEST(Inspect, CountsBoxes) {
  const TestFolder folder;
  const ImageList list = write_object_pictures(folder);
  const Inspection found = inspect(list, 2);
  ASSERT_TRUE(found.boxes);
  const BoxCounts& boxes = *found.boxes;
  EXPECT_EQ(boxes.boxes, 12);
  EXPECT_EQ(boxes.crowds, 4);
  EXPECT_EQ(boxes.difficult, 2);
  EXPECT_EQ(boxes.empty, 0);
  EXPECT_EQ(boxes.images_without, 3);
  EXPECT_EQ(boxes.learnt.size(), 6u);
  EXPECT_EQ(boxes.by_area, (std::array<int64_t, 3>{12, 0, 0}));
  EXPECT_EQ(std::accumulate(boxes.per_class.begin(), boxes.per_class.end(), int64_t{0}), 12);
  int64_t outside = 0;
  std::vector<std::set<int32_t>> labels(9);
  for (int64_t i = 0; i < list.size(); ++i) {
    for (const Object& object : list.objects->of(i)) {
      const Box& box = object.box;
      outside +=
          box.left < 0 || box.top < 0 || box.right > 80 || box.bottom > static_cast<double>(60 + i);
      labels[i].insert(object.label);
    }
  }
  EXPECT_EQ(boxes.outside, outside);
  for (int32_t label = 0; label < 3; ++label) {
    EXPECT_EQ(found.images_per_class[label],
              std::ranges::count_if(labels, [&](const auto& own) { return own.contains(label); }));
  }
}

TEST(Inspect, SpreadsHaveAMedian) {
  EXPECT_EQ(spread({5, 1, 9, 7}).median, 5);
  EXPECT_EQ(spread({}).most, 0);
}

TEST(ContactSheet, ShowsTheFirstOfEachClassInARow) {
  const TestFolder folder;
  for (int i = 0; i < 12; ++i) {
    const int level = 10 * i;
    write_png(folder.path(fmt::format("{}/{:02}.png", i < 10 ? "cat" : "dog", i)),
              at::full({30, 60, 3}, level, at::kByte));
  }
  folder.write("cat/03.png", "no picture");
  const at::Tensor sheet = draw_sheet(contact_sheet(read_image_list(folder.path())));
  // A row: 160 px, a line of text and a gap.
  const auto level = [&](int64_t row, int64_t column) {
    return sheet[100 + 190 * row][90 + 172 * column][0].item<int>();
  };
  EXPECT_EQ(level(0, 0), 0);
  EXPECT_EQ(level(0, 3), 40);
  EXPECT_EQ(level(0, 7), 80);
  EXPECT_EQ(level(1, 1), 110);
  EXPECT_EQ(level(1, 2), 255);
}

TEST(ContactSheet, LaysMasksOverImages) {
  const TestFolder folder;
  for (const std::string name : {"a", "b"}) {
    write_png(folder.path("images/" + name + ".png"), at::full({300, 300, 3}, 100, at::kByte));
    const at::Tensor mask = at::full({300, 300}, name == "a" ? 1 : 255, at::kByte);
    folder.write("masks/" + name + ".png", encode_png_indices(mask, voc_palette()));
  }
  const Sheet sheet = contact_sheet(read_mask_list(folder.path("images"), "", {}));
  ASSERT_EQ(sheet.tiles.size(), 2u);
  EXPECT_EQ(sheet.tiles[1].lines, std::vector<std::string>{"b.png"});
  ASSERT_EQ(sheet.legend.size(), 1u);
  EXPECT_EQ(sheet.legend[0].text, "1");
  const auto color = [](const at::Tensor& image) {
    return std::vector<int>{image[9][9][0].item<int>(), image[9][9][1].item<int>()};
  };
  EXPECT_EQ(color(sheet.tiles[0].image), (std::vector<int>{114, 50})) << "half of 128, 0, 0";
  EXPECT_EQ(color(sheet.tiles[1].image), (std::vector<int>{100, 100})) << "is ignored";
  const at::Tensor drawn = draw_sheet(sheet);
  EXPECT_TRUE(drawn[40][16].equal(at::tensor({128, 0, 0}, at::kByte))) << "the legend";
}

TEST(ContactSheet, DrawsBoxesOnWholeImages) {
  const TestFolder folder;
  write_png(folder.path("images/a.png"), at::full({60, 120, 3}, 100, at::kByte));
  folder.write("labels/a.txt", "0 0.5 0.5 0.5 0.5\n");
  const Sheet sheet = contact_sheet(read_object_list(folder.path("images"), "", {}));
  ASSERT_EQ(sheet.tiles.size(), 1u);
  EXPECT_EQ(sheet.tiles[0].lines, std::vector<std::string>{"a.png"});
  const auto color = [&](int64_t row, int64_t column) {
    const at::Tensor pixel = sheet.tiles[0].image[row][column];
    return std::vector<int>{pixel[0].item<int>(), pixel[1].item<int>(), pixel[2].item<int>()};
  };
  // 240 x 120 px in the middle of 240 x 240; the box is from (60, 90) to (180, 150).
  EXPECT_EQ(color(30, 120), (std::vector<int>{255, 255, 255})) << "beside the image";
  EXPECT_EQ(color(120, 120), (std::vector<int>{100, 100, 100})) << "within the box";
  EXPECT_EQ(color(120, 60), (std::vector<int>{128, 0, 0})) << "its left edge";
  EXPECT_EQ(color(149, 120), (std::vector<int>{128, 0, 0})) << "its bottom edge";
}

}  // namespace
}  // namespace mobileone
