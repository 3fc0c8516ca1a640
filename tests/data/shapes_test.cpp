#include "mobileone/data/shapes.h"

#include <set>

#include "data/support.h"
#include "mobileone/data/image_list.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;

constexpr ShapesOptions kSmall = {.train_per_class = 2, .val_per_class = 1, .size = 24, .seed = 3};

/// Every file's bytes, in order of their paths below `folder`.
std::vector<std::pair<std::string, std::string>> contents(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.emplace_back(entry.path().lexically_relative(folder), read_file(entry.path()));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Shapes, DrawsALabelledSet) {
  const TestFolder folder;
  EXPECT_TRUE(draw_shapes(folder.path("set"), kSmall));
  const ImageList train = read_image_list(folder.path("set/train"));
  const ImageList val = read_image_list(folder.path("set/val"));
  EXPECT_EQ(train.size(), 20);
  EXPECT_EQ(val.size(), 10);
  EXPECT_EQ(train.class_names, val.class_names);
  const auto names = shape_names();
  EXPECT_TRUE(
      std::equal(names.begin(), names.end(), train.class_names.begin(), train.class_names.end()));
  EXPECT_EQ(read_pixels(train, 7).sizes(), (std::vector<int64_t>{24, 24, 3}));
  EXPECT_FALSE(fs::exists(folder.path("set.partial")));
}

TEST(Shapes, SameOptionsSameBytes) {
  const TestFolder folder;
  draw_shapes(folder.path("a"), kSmall);
  draw_shapes(folder.path("b"), kSmall);
  const auto files = contents(folder.path("a"));
  EXPECT_EQ(files, contents(folder.path("b")));
  std::set<std::string> distinct;
  for (const auto& [path, bytes] : files) distinct.insert(bytes);
  EXPECT_EQ(distinct.size(), files.size()) << "no two images are the same";

  ShapesOptions other = kSmall;
  other.seed = 4;
  draw_shapes(folder.path("c"), other);
  EXPECT_NE(files, contents(folder.path("c")));
}

TEST(Shapes, AFinishedSetIsLeftAlone) {
  const TestFolder folder;
  const std::string set = folder.path("set") + "/";  // a trailing slash changes nothing
  fs::create_directory(set);                         // nor does an empty folder
  EXPECT_TRUE(draw_shapes(set, kSmall));
  EXPECT_FALSE(draw_shapes(set, kSmall));
}

TEST(Shapes, AnUnfinishedSetIsDrawnAgain) {
  const TestFolder folder;
  folder.write("set.partial/shapes.json", "{\"train_per_class\": 9}");
  folder.write("set.partial/train/circle/9999.jpg", "left by a run that was stopped");
  EXPECT_TRUE(draw_shapes(folder.path("set"), kSmall));
  EXPECT_FALSE(fs::exists(folder.path("set/train/circle/9999.jpg")));
}

TEST(Shapes, RefusesAFolderThatHoldsOtherThings) {
  const TestFolder folder;
  folder.write("set/letter.txt", "dear");
  EXPECT_EQ(
      error_of([&] { draw_shapes(folder.path("set"), kSmall); }),
      folder.path("set") + ": holds other files; name a new or an empty folder for the shapes");
  EXPECT_EQ(error_of([&] { draw_shapes(folder.path("set/letter.txt"), kSmall); }),
            folder.path("set/letter.txt") + ": is not a folder");

  draw_shapes(folder.path("drawn"), kSmall);
  ShapesOptions other = kSmall;
  other.size = 32;
  EXPECT_EQ(error_of([&] { draw_shapes(folder.path("drawn"), other); }),
            folder.path("drawn") +
                ": holds shapes drawn with other options; name another folder or remove it");
}

TEST(Shapes, HueSaysNothingAboutTheClass) {
  // Over many drawings no channel stands out, in any class.
  for (int64_t shape = 0; shape < static_cast<int64_t>(shape_names().size()); ++shape) {
    at::Tensor sum = at::zeros({3});
    for (uint64_t seed = 0; seed < 200; ++seed) {
      Random random(seed, {static_cast<uint64_t>(shape)});
      sum += draw_shape(shape, 32, random).to(at::kFloat).mean({0, 1});
    }
    const at::Tensor mean = sum / 200;
    EXPECT_LT((mean - mean.mean()).abs().max().item<float>(), 8) << shape_names()[shape];
  }
}

}  // namespace
}  // namespace mobileone
