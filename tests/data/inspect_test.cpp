#include "mobileone/data/inspect.h"

#include "data/support.h"
#include "mobileone/data/pack.h"

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

}  // namespace
}  // namespace mobileone
